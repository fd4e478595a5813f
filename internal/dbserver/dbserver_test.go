package dbserver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTheFolderGoesWithItsOwner: the watchdog runs its script when the pipe is closed, as the
// kernel does when the process dies; programs run in the folder, as nobody privileged, and
// without the variables that are hidden.
func TestTheFolderGoesWithItsOwner(t *testing.T) {
	t.Setenv("DBTEST_HOST", "elsewhere")
	f, err := New(Plan{Name: "db", Users: []string{"nobody"}, Hides: []string{"DBTEST_"}, Dog: `rm -rf "$0"`})
	if err != nil {
		t.Skip("SKIP nobody to run as: " + err.Error())
	}
	out, err := f.Command("/bin/sh", "-c", `id -u; pwd; echo "host=$DBTEST_HOST"; touch here`).CombinedOutput()
	lines := strings.Fields(string(out))
	if err != nil || len(lines) != 3 || lines[0] == "0" || filepath.Base(lines[1]) != filepath.Base(f.Dir) || lines[2] != "host=" {
		t.Errorf("a program of the server says %q, %v", out, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(f.Dir); os.IsNotExist(err) {
			return
		}
		if time.Now().After(until) {
			t.Fatal("the folder is still there")
		}
	}
}

// TestNamesOfDatabases are plain, and never the same.
func TestNamesOfDatabases(t *testing.T) {
	a, b := Unique("部门 A-1"), Unique("部门 A-1")
	if a == b || strings.Trim(a, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		t.Errorf("%q and %q", a, b)
	}
}
