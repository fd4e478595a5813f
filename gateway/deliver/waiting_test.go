package deliver

import (
	"os"
	"path/filepath"
	"testing"

	"mulian/gateway/connect"
)

// TestWaiting: a fetch waits, and so does the whole of a following, as it is written down;
// a following alone does not.
func TestWaiting(t *testing.T) {
	a := &Asker{cfg: AskerConfig{Dir: t.TempDir()}}
	x := &Followings{asker: a}
	waits := func(want int) {
		t.Helper()
		if n, err := a.Waiting(); err != nil || n != want {
			t.Errorf("%d wait, want %d: %v", n, want, err)
		}
	}
	waits(0)
	f := &following{path: filepath.Join(a.cfg.Dir, newID()+".follow")}
	if err := os.WriteFile(f.path, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	waits(0)
	whole, err := x.openWhole(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	waits(1)
	if _, err := a.openFetch(Fetch{Agreement: "a", Into: connect.TableName{Name: "t"}}); err != nil {
		t.Fatal(err)
	}
	waits(2)
	if err := os.Remove(whole.path); err != nil {
		t.Fatal(err)
	}
	waits(1)
}
