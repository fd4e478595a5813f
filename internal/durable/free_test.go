package durable

import (
	"path/filepath"
	"runtime"
	"testing"
)

func TestFree(t *testing.T) {
	n, ok := Free(t.TempDir())
	if ok != (runtime.GOOS == "linux" || runtime.GOOS == "darwin") || ok && n == 0 {
		t.Errorf("%d bytes free, known: %t", n, ok)
	}
	if _, ok := Free(filepath.Join(t.TempDir(), "nowhere")); ok {
		t.Error("room on a disk that is not there")
	}
}
