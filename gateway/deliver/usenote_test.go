package deliver

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"mulian/gateway/backup"
	"mulian/internal/fault"
)

// TestUseNotes: a use on its way is there after a restart, under the asker, grant and fetch
// that it is of and no other; what a torn write left is passed over; a damaged note is not.
func TestUseNotes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), usesFolder)
	u, err := openUses(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := &useNote{Grant: "g", Number: 3, Asker: "a", Fetch: "f", Digest: []byte{1}, Sealed: []byte{2}}
	if err := u.put(n); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "torn.tmp"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if u, err = openUses(dir); err != nil {
		t.Fatal(err)
	}
	got := u.find("a", "g", "f")
	if got == nil || got.Number != 3 || !got.sent || len(u.of("g")) != 1 || len(u.of("h")) != 0 {
		t.Fatalf("after a restart: %+v", got)
	}
	for _, other := range [][3]string{{"b", "g", "f"}, {"a", "h", "f"}, {"a", "g", "e"}} {
		if u.find(other[0], other[1], other[2]) != nil {
			t.Errorf("%v finds it, too", other)
		}
	}
	if err := errors.Join(u.drop(got), u.drop(got)); err != nil {
		t.Fatal(err)
	}
	if u, err = openUses(dir); err != nil || u.find("a", "g", "f") != nil {
		t.Fatalf("a dropped note is there: %v", err)
	}
	whole, err := n.file()
	if err != nil {
		t.Fatal(err)
	}
	for name, torn := range map[string][]byte{"nothing": nil, "the head": whole[:noteHeadBytes], "short": whole[:len(whole)-1], "a hole": append(make([]byte, 40), whole[40:]...)} {
		if err := os.WriteFile(filepath.Join(dir, "x.use"), torn, 0o600); err != nil {
			t.Fatal(err)
		}
		if u, err = openUses(dir); err != nil || len(u.of("")) != 0 {
			t.Errorf("%s of a torn note: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "x.use.torn")); err != nil {
			t.Errorf("%s of a torn note is not set aside: %v", name, err)
		}
	}
	changed := append([]byte{}, whole...)
	changed[len(changed)-2] ^= 1
	if err := os.WriteFile(filepath.Join(dir, "x.use"), changed, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openUses(dir); !fault.Is(err, fault.Damaged) {
		t.Errorf("a changed note: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "x.use"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openUses(dir); !fault.Is(err, fault.Damaged) {
		t.Errorf("a damaged note: %v", err)
	}
}

// TestABackupHasTheNotes: a gateway that is made again of its backup knows which uses were
// under way, and brings each to its end under its own number.
func TestABackupHasTheNotes(t *testing.T) {
	home, to, again := t.TempDir(), filepath.Join(t.TempDir(), "copy"), filepath.Join(t.TempDir(), "home")
	u, err := openUses(filepath.Join(home, "deliveries", usesFolder))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []*useNote{{Grant: "g", Number: 3, Asker: "a", Fetch: "f", Sealed: []byte{2}}, {Grant: "g", Number: 4, Asker: "a", Fetch: "h"}} {
		if err := u.put(n); err != nil {
			t.Fatal(err)
		}
	}
	order := backup.Order{Gateway: "org/g/main", Home: home, To: to}
	for range 2 { // the second without the note that was settled between them
		if _, _, err := backup.Take(t.Context(), order); err != nil {
			t.Fatal(err)
		}
		if n := u.find("a", "g", "h"); n != nil {
			if err := u.drop(n); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := backup.Restore(t.Context(), to, again, ""); err != nil {
		t.Fatal(err)
	}
	if u, err = openUses(filepath.Join(again, "deliveries", usesFolder)); err != nil {
		t.Fatal(err)
	}
	if n := u.find("a", "g", "f"); n == nil || n.Number != 3 || len(n.Sealed) != 1 || len(u.of("")) != 1 {
		t.Errorf("after the restore: %+v, %d notes", n, len(u.of("")))
	}
}

// TestOneUseOfAGrantAtATime: who asks while another use is under way waits his turn; other
// grants do not wait for it, and nothing is remembered of a grant that nobody asks by.
func TestOneUseOfAGrantAtATime(t *testing.T) {
	u, err := openUses(filepath.Join(t.TempDir(), usesFolder))
	if err != nil {
		t.Fatal(err)
	}
	done, err := u.turn(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := u.turn(gone, "g"); !errors.Is(err, context.Canceled) {
		t.Errorf("while another is under way: %v", err)
	}
	other, err := u.turn(t.Context(), "h")
	if err != nil {
		t.Fatal(err)
	}
	other()
	done()
	if done, err = u.turn(t.Context(), "g"); err != nil {
		t.Fatal(err)
	}
	done()
	if len(u.turns) != 0 {
		t.Errorf("%d turns are remembered", len(u.turns))
	}
}
