package state

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// sealedCommit commits a block as the ledger does.
func sealedCommit(t testing.TB, db *DB, height int64, write func(tx *Tx)) {
	t.Helper()
	b := db.Begin(height, 1000*height)
	tx := b.Tx()
	write(tx)
	tx.Keep()
	b.Seal()
	b.Finish()
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
}

// lived fills a store with records of both kinds and events; the same seed gives the same.
func lived(t testing.TB, db *DB, seed uint64, blocks int64) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	for h := range blocks {
		sealedCommit(t, db, h, func(tx *Tx) {
			for range 40 {
				auth, n := Proved, random.IntN(300)
				if n%3 == 0 {
					auth = Plain
				}
				key := fmt.Appendf(nil, "key/%03d", n)
				if random.IntN(5) == 0 {
					tx.Delete(key, auth)
				} else {
					tx.Put(key, bytes.Repeat([]byte{byte(random.Uint32())}, random.IntN(900)), auth)
				}
			}
			for i := range random.IntN(4) {
				tx.Emit(fmt.Appendf(nil, "event %d of block %d", i, h))
			}
		})
	}
}

type exported struct{ records, events [][]byte }

func export(t testing.TB, db *DB) (e exported) {
	t.Helper()
	v := db.View()
	defer v.Close()
	if err := v.ExportRecords(context.Background(), func(c []byte) error {
		e.records = append(e.records, bytes.Clone(c))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := v.ExportEvents(context.Background(), func(c []byte) error {
		e.events = append(e.events, bytes.Clone(c))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return e
}

// restore puts the chunks into an empty store.
func restore(t testing.TB, e exported, head Head) (*DB, error) {
	t.Helper()
	kv := openKV(t)
	r, err := NewRestore(kv, []byte("m/"), Head{Height: head.Height, UnixMs: head.UnixMs, TreeRoot: head.TreeRoot, LogRoot: head.LogRoot, LogSize: head.LogSize}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, c := range e.records {
		if err := r.Records(c); err != nil {
			return nil, err
		}
	}
	for _, c := range e.events {
		if err := r.Events(c); err != nil {
			return nil, err
		}
	}
	if err := r.Finish(context.Background()); err != nil {
		return nil, err
	}
	return Open(kv, []byte("m/"), Options{})
}

func openKV(t testing.TB) *pebble.DB {
	t.Helper()
	opts := StoreOptions(8 << 20)
	opts.FS = vfs.NewMem()
	kv, err := pebble.Open("", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kv.Close() })
	return kv
}

func TestARestoredStateGoesOnAsTheOther(t *testing.T) {
	db := open(t, Options{})
	lived(t, db, 7, 60)
	if err := db.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
	e := export(t, db)
	back, err := restore(t, e, db.Head())
	if err != nil {
		t.Fatal(err)
	}
	if back.Head() != db.Head() {
		t.Fatalf("head %+v, want %+v", back.Head(), db.Head())
	}
	for h := int64(60); h < 75; h++ {
		for _, d := range []*DB{db, back} {
			sealedCommit(t, d, h, func(tx *Tx) {
				tx.Put(fmt.Appendf(nil, "key/%03d", 3*h), []byte("new"), Plain)
				tx.Put(fmt.Appendf(nil, "key/%03d", 3*h+1), []byte("new"), Proved)
				tx.Emit([]byte("later"))
			})
		}
		if back.AppHash() != db.AppHash() {
			t.Fatalf("the states part at height %d", h)
		}
	}
	if err := back.Check(context.Background()); err != nil {
		t.Fatal(err)
	}
	a, b := export(t, db), export(t, back)
	if len(a.records) != len(b.records) || !bytes.Equal(bytes.Join(a.records, nil), bytes.Join(b.records, nil)) || !bytes.Equal(bytes.Join(a.events, nil), bytes.Join(b.events, nil)) {
		t.Error("equal states are exported differently")
	}
	if old, err := back.At(59); err != nil || old.AppHash() != db.mustAt(t, 59) {
		t.Errorf("the state at the height of the export: %v", err)
	} else {
		old.Close()
	}
	if _, err := back.At(58); !errors.Is(err, ErrPruned) {
		t.Errorf("a height before the export: %v, want ErrPruned", err)
	}
}

func (db *DB) mustAt(t *testing.T, height int64) [32]byte {
	s, err := db.At(height)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	return s.AppHash()
}

// TestKeysOfOnePartAreNotSorted: whoever chooses keys so that all fall into one part would
// have them sorted at once, in memory.
func TestKeysOfOnePartAreNotSorted(t *testing.T) {
	r, err := NewRestore(openKV(t), []byte("r/"), Head{Height: 1}, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i, n := 0, 0; ; i++ {
		key := fmt.Appendf(nil, "k%d", i)
		if sum := sha256.Sum256(key); sum[0] != 0 {
			continue
		}
		if err := r.leaf(key, key); errors.Is(err, ErrForged) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if n++; n > 2*leafSpare {
			t.Fatal("there is no bound")
		}
	}
}

// TestNoLieIsRestored changes what a state is restored from in every way that leaves it
// readable.
func TestNoLieIsRestored(t *testing.T) {
	db := open(t, Options{})
	lived(t, db, 8, 20)
	head, good := db.Head(), export(t, db)
	if len(good.records) != 1 || len(good.events) != 1 {
		t.Fatalf("%d and %d chunks, the test wants one each", len(good.records), len(good.events))
	}
	records := split(t, good.records[0], true)
	events := split(t, good.events[0], false)
	join := func(parts [][]byte) [][]byte { return [][]byte{bytes.Join(parts, nil)} }
	refuse := func(what string, e exported, h Head) {
		t.Helper()
		if _, err := restore(t, e, h); !errors.Is(err, ErrForged) {
			t.Errorf("%s: %v, want ErrForged", what, err)
		}
	}
	for i, r := range records {
		if i%4 > 0 && i < len(records)-1 {
			continue
		}
		without := append(append([][]byte{}, records[:i]...), records[i+1:]...)
		refuse(fmt.Sprintf("record %d left out", i), exported{join(without), good.events}, head)
		other := bytes.Clone(r)
		other[len(other)-1] ^= 1
		changed := append([][]byte{}, records...)
		changed[i] = other
		refuse(fmt.Sprintf("record %d changed", i), exported{join(changed), good.events}, head)
	}
	for i := range events {
		refuse(fmt.Sprintf("event %d left out", i), exported{good.records, join(append(append([][]byte{}, events[:i]...), events[i+1:]...))}, head)
	}
	moved := append([][]byte{}, events...)
	last := len(moved) - 1
	moved[last] = append([]byte{moved[last][0] - 1}, moved[last][1:]...)
	refuse("an event of another height", exported{good.records, join(moved)}, head)
	for _, auth := range []Auth{Proved, Plain} {
		added := append(append([][]byte{}, records...), []byte{byte(auth), 3, 'z', 'z', 'z', 1, 'x'})
		if string(records[len(records)-1][2:3]) == "\xff" { // the seal stays the last one
			n := len(records)
			added = append(append(append([][]byte{}, records[:n-1]...), []byte{byte(auth), 3, 'z', 'z', 'z', 1, 'x'}), records[n-1])
		}
		refuse(fmt.Sprintf("a record added, kind %d", auth), exported{join(added), good.events}, head)
	}
	refuse("an event added", exported{good.records, join(append(append([][]byte{}, events...), events[last]))}, head)
	refuse("events first", exported{good.events, good.records}, head)
	swapped := append([][]byte{}, records...)
	swapped[0], swapped[1] = swapped[1], swapped[0]
	refuse("records out of order", exported{join(swapped), good.events}, head)
	for _, n := range []int{1, 7, len(good.records[0]) / 2, len(good.records[0]) - 1} {
		refuse(fmt.Sprintf("cut after %d bytes", n), exported{[][]byte{good.records[0][:n]}, good.events}, head)
	}
	older := head
	older.LogRoot[0] ^= 1
	refuse("another log", good, older)
	older = head
	older.TreeRoot[0] ^= 1
	refuse("another tree", good, older)
	if _, err := restore(t, good, head); err != nil {
		t.Errorf("the truth: %v", err)
	}
}

// split cuts a chunk into its records or events.
func split(t *testing.T, chunk []byte, records bool) (parts [][]byte) {
	for len(chunk) > 0 {
		rest := chunk[1:]
		fields := 1
		if records {
			fields = 2
		}
		for range fields {
			var ok bool
			if _, rest, ok = field(rest, MaxValueBytes); !ok {
				t.Fatal("a chunk that cannot be read")
			}
		}
		parts = append(parts, chunk[:len(chunk)-len(rest)])
		chunk = rest
	}
	return parts
}

func TestAChainIsSealedFromItsFirstBlockOrNot(t *testing.T) {
	db := open(t, Options{})
	lived(t, db, 9, 3)
	v := db.View()
	if !v.Sealed() {
		t.Error("not sealed")
	}
	v.Close()
	commit(t, db, 10, func(tx *Tx) { tx.Put([]byte("a"), []byte("b"), Plain) })
	sealedCommit(t, db, 11, func(tx *Tx) { tx.Put([]byte("a"), []byte("c"), Plain) })
	v = db.View()
	defer v.Close()
	if v.Sealed() {
		t.Error("sealed with a gap")
	}
	if err := db.Check(context.Background()); err != nil {
		t.Error(err)
	}
}
