package logbook

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mulian/internal/fault"
)

func newBook(t *testing.T, acts int) (*Book, string) {
	t.Helper()
	home := t.TempDir()
	b := In(home, nil)
	for i := range acts {
		write(t, b, fmt.Sprintf("test.act%d", i))
	}
	return b, filepath.Join(home, folder, current)
}

func write(t *testing.T, b *Book, verb string) {
	t.Helper()
	if err := b.Write(t.Context(), Me(), verb, map[string]string{"what": "something"}); err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, b *Book, noted string) *Report {
	t.Helper()
	r, err := b.Verify(t.Context(), noted, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func lines(t *testing.T, path string) [][]byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.SplitAfter(bytes.TrimSuffix(raw, []byte("\n")), []byte("\n"))
}

func replace(t *testing.T, path string, to [][]byte) {
	t.Helper()
	if err := os.WriteFile(path, append(bytes.TrimSuffix(bytes.Join(to, nil), []byte("\n")), '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestABookAsItWasWrittenHolds(t *testing.T) {
	b, _ := newBook(t, 5)
	r := verify(t, b, "")
	if !r.OK() || r.Acts != 5 || r.First != 1 || r.Last != 5 {
		t.Fatalf("%+v", r)
	}
	write(t, b, "test.more")
	if r := verify(t, b, r.Hash); !r.OK() || r.Last != 6 {
		t.Errorf("a line later, with the hash that was noted: %+v", r)
	}
	if _, err := In(t.TempDir(), nil).Verify(t.Context(), "", nil); !fault.Is(err, fault.NotFound) {
		t.Errorf("no book: %v", err)
	}
}

// TestEveryChangeIsFound: a flipped bit, a removed, added, swapped or repeated line, a cut
// end, and a whole new book against a hash that was noted.
func TestEveryChangeIsFound(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, path string, all [][]byte){
		"a flipped letter": func(t *testing.T, path string, all [][]byte) {
			all[2] = bytes.Replace(all[2], []byte("something"), []byte("somethinG"), 1)
			replace(t, path, all)
		},
		"another user": func(t *testing.T, path string, all [][]byte) {
			all[1] = bytes.Replace(all[1], []byte(`"uid":`), []byte(`"uid":1`), 1)
			replace(t, path, all)
		},
		"a changed hash": func(t *testing.T, path string, all [][]byte) {
			all[3][len(all[3])-5] ^= 1
			replace(t, path, all)
		},
		"a removed line":   func(t *testing.T, path string, all [][]byte) { replace(t, path, append(all[:2:2], all[3:]...)) },
		"the first line":   func(t *testing.T, path string, all [][]byte) { replace(t, path, all[1:]) },
		"the last line":    func(t *testing.T, path string, all [][]byte) { replace(t, path, all[:len(all)-1]) },
		"the last three":   func(t *testing.T, path string, all [][]byte) { replace(t, path, all[:len(all)-3]) },
		"two swapped":      func(t *testing.T, path string, all [][]byte) { all[1], all[2] = all[2], all[1]; replace(t, path, all) },
		"one twice":        func(t *testing.T, path string, all [][]byte) { replace(t, path, append(all[:2:2], all[1:]...)) },
		"an empty file":    func(t *testing.T, path string, all [][]byte) { os.Truncate(path, 0) },
		"a file that went": func(t *testing.T, path string, all [][]byte) { os.Remove(path) },
		"a head that went": func(t *testing.T, path string, all [][]byte) { os.Remove(filepath.Join(filepath.Dir(path), headFile)) },
		"a line with a right hash that was slipped in": func(t *testing.T, path string, all [][]byte) {
			first, _, err := parse(bytes.TrimSpace(all[1]))
			if err != nil {
				t.Fatal(err)
			}
			first.Verb = "test.forged"
			line, _, err := first.line()
			if err != nil {
				t.Fatal(err)
			}
			all[1] = line
			replace(t, path, all)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b, path := newBook(t, 6)
			change(t, path, lines(t, path))
			if r := verify(t, b, ""); r.OK() {
				t.Errorf("not found: %+v", r)
			}
		})
	}
	t.Run("a new book", func(t *testing.T) {
		old, _ := newBook(t, 6)
		noted := verify(t, old, "").Hash
		anew, _ := newBook(t, 6)
		if r := verify(t, anew, ""); !r.OK() {
			t.Fatalf("%+v", r)
		}
		if r := verify(t, anew, noted); r.OK() {
			t.Error("not found with the hash that was noted")
		}
	})
}

// TestAChangeStaysFound: writing on behind a changed line does not heal it.
func TestAChangeStaysFound(t *testing.T) {
	for _, n := range []int{1, 5} {
		b, path := newBook(t, 6)
		all := lines(t, path)
		all[n] = bytes.Replace(all[n], []byte("something"), []byte("nothing--"), 1)
		replace(t, path, all)
		write(t, b, "test.after")
		r := verify(t, b, "")
		if r.OK() || r.Findings[0].Line != n+1 || r.Last != 7 {
			t.Errorf("line %d: %+v", n+1, r)
		}
	}
}

// TestATornLineIsCutOffAndSaid: what a power failure leaves was never acknowledged.
func TestATornLineIsCutOffAndSaid(t *testing.T) {
	b, path := newBook(t, 3)
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"n":4,"at":`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	write(t, b, "test.after")
	var last Act
	r, err := b.Verify(t.Context(), "", func(a Act) { last = a })
	if err != nil || !r.OK() || r.Last != 4 || last.Facts["torn_bytes_before"] != "12" {
		t.Errorf("%+v, %+v, %v", r, last, err)
	}
}

// TestAHeadThatIsBehindHolds: the power failed between the line and the head.
func TestAHeadThatIsBehindHolds(t *testing.T) {
	b, path := newBook(t, 3)
	head := filepath.Join(filepath.Dir(path), headFile)
	before, err := os.ReadFile(head)
	if err != nil {
		t.Fatal(err)
	}
	write(t, b, "test.after")
	if err := os.WriteFile(head, before, 0o600); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, b, ""); !r.OK() {
		t.Errorf("%+v", r)
	}
	write(t, b, "test.again")
	if r := verify(t, b, ""); !r.OK() || r.Last != 5 {
		t.Errorf("%+v", r)
	}
}

// TestABookIsBounded: full files are put aside, the oldest is dropped, and that is written
// down; taking one away that was not dropped is found.
func TestABookIsBounded(t *testing.T) {
	b, path := newBook(t, 1)
	b.big = 64 << 10
	dir := filepath.Dir(path)
	for range maxFiles + 2 {
		fill(t, b, path)
		write(t, b, "test.next")
	}
	r := verify(t, b, "")
	files, err := b.files()
	if err != nil || !r.OK() || len(files) > maxFiles || r.First == 1 {
		t.Fatalf("%d files, %+v, %v", len(files), r, err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, b, ""); r.OK() {
		t.Errorf("a file was taken out of %s, and nothing was found", dir)
	}
}

// fill adds lines, without waiting for the disk, until the file is full.
func fill(t *testing.T, b *Book, path string) {
	t.Helper()
	last, _, err := b.end()
	if err != nil {
		t.Fatal(err)
	}
	facts := map[string]string{}
	for i := range maxFacts {
		facts[fmt.Sprint("fact", i)] = strings.Repeat("x", maxValue)
	}
	var all []byte
	for int64(len(all)) < b.big {
		line, hash, err := Act{Number: last.number + 1, Verb: "test.fill", Who: Me(), Facts: facts, Prev: last.hash}.line()
		if err != nil {
			t.Fatal(err)
		}
		all, last = append(all, line...), head{last.number + 1, hash}
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(all); err != nil {
		t.Fatal(err)
	}
}

// TestManyWritersMakeOneChain: the node and the command line write at once.
func TestManyWritersMakeOneChain(t *testing.T) {
	home := t.TempDir()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			b := In(home, nil)
			for range 5 {
				if err := b.Write(context.Background(), Me(), "test.together", nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if r := verify(t, In(home, nil), ""); !r.OK() || r.Acts != 20 {
		t.Errorf("%+v", r)
	}
}

// TestNoSecretIsWrittenDown: a setting that may hold one is named, not shown.
func TestNoSecretIsWrittenDown(t *testing.T) {
	got := Diff(map[string]string{"listen": "a:1", "gone": "x"}, map[string]string{
		"listen": "a:2", "db_password": "hunter2", "api.token": "hunter2", "source.url": "postgres://u:hunter2@db/x?password=hunter2",
		"key": "-----BEGIN PRIVATE KEY----- hunter2",
	})
	for k, v := range got {
		if strings.Contains(v, "hunter2") {
			t.Errorf("%s: %s", k, v)
		}
	}
	if got["listen"] != "a:1 → a:2" || got["gone"] != "x → " || !strings.Contains(got["source.url"], "db/x") {
		t.Errorf("%v", got)
	}
	if len(Diff(map[string]string{"a": "1"}, map[string]string{"a": "1"})) != 0 {
		t.Error("equal settings differ")
	}
}

// FuzzLine: a line that is taken is the one that its hash is of: no letter of it can change.
func FuzzLine(f *testing.F) {
	line, _, err := (Act{Number: 1}).line()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.TrimSuffix(line, []byte("\n")), uint16(3))
	f.Add([]byte(`{"hash":"00"}`), uint16(0))
	f.Fuzz(func(t *testing.T, line []byte, at uint16) {
		act, hash, err := parse(line)
		if err != nil {
			return
		}
		other := bytes.Clone(line)
		other[int(at)%len(other)] ^= 1
		if second, again, err := parse(other); err == nil && again == hash {
			t.Fatalf("%s and %s have one hash: %+v, %+v", line, other, act, second)
		}
	})
}
