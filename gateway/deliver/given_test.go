package deliver

import (
	"os"
	"path/filepath"
	"testing"
)

// growing is a spool with so many pages of 10 rows and 100 bytes.
func growing(pages int) *spool {
	s := &spool{grew: make(chan struct{})}
	for range pages {
		s.add(0, 100, 10)
	}
	return s
}

// TestGivenAfterACrash: what is read back is never less than what had left, page by page,
// while the spool still grows; a torn note changes nothing.
func TestGivenAfterACrash(t *testing.T) {
	dir := t.TempDir()
	g, err := openGiven(dir)
	if err != nil {
		t.Fatal(err)
	}
	sp := growing(1)
	for n := range uint64(30) {
		if err := g.page(sp, n); err != nil {
			t.Fatal(err)
		}
		if err := g.page(sp, n/2); err != nil { // again
			t.Fatal(err)
		}
		left := amount{10 * (n + 1), 100 * (n + 1)}
		if g.sum() != left {
			t.Fatalf("after page %d: %+v, want %+v", n, g.sum(), left)
		}
		after, err := openGiven(dir) // killed here
		if err != nil {
			t.Fatal(err)
		}
		if got := after.sum(); got.atLeast(left) != got || got.rows > left.rows+10*noteAhead {
			t.Fatalf("after a crash behind page %d: %+v, had left %+v", n, got, left)
		}
		for range n % 4 { // the spool grows by fits and starts, never behind what is pulled
			sp.add(0, 100, 10)
		}
		if sp.len() < n+2 {
			sp.add(0, 100, 10)
		}
	}
	if end := g.end(); end.rows != 300 {
		t.Errorf("%+v at the end", end)
	}
	if err := g.page(sp, 30); err == nil {
		t.Error("a page left after the end")
	}
	g.close()
	f, err := os.OpenFile(filepath.Join(dir, "given"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, 13)); err != nil {
		t.Fatal(err)
	}
	after, err := openGiven(dir)
	if err != nil || after.sum().rows < 300 {
		t.Fatalf("%+v, %v", after.sum(), err)
	}
	// A new snapshot counts as far as it comes beyond the first.
	if err := after.page(growing(2), 0); err != nil || after.sum().rows < 300 {
		t.Errorf("%+v, %v", after.sum(), err)
	}
}
