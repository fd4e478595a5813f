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

// TestGivenBehindATornNote: what is noted behind a torn note is read back as it was, whether
// this process or the one before it left the part; nothing is ever more than had left.
func TestGivenBehindATornNote(t *testing.T) {
	dir := t.TempDir()
	sp := growing(200)
	next := uint64(0)
	for torn := range 2 * noteBytes {
		g, err := openGiven(dir)
		if err != nil {
			t.Fatal(err)
		}
		note := func() {
			t.Helper()
			g.noted = next // each page is noted anew
			if err := g.page(sp, next); err != nil {
				t.Fatal(err)
			}
			next++
		}
		tear := func() {
			t.Helper()
			f, err := os.OpenFile(g.path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.Write(make([]byte, torn%noteBytes)); err != nil {
				t.Fatal(err)
			}
		}
		note()
		tear() // the disk was full
		note()
		if torn >= noteBytes {
			tear() // and the power fails
		}
		g.close()
		after, err := openGiven(dir)
		if err != nil {
			t.Fatal(err)
		}
		if most, got := sp.upTo(next-1+noteAhead), after.sum(); got != most {
			t.Fatalf("a part of %d bytes: %+v, want %+v", torn%noteBytes, got, most)
		}
	}
}
