package ledger

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	dbm "github.com/cometbft/cometbft-db"

	"mulian/internal/fault"
	"mulian/state"
)

// newStores returns two of the engine's stores beside each other and the library's
// own one in memory, to which they are compared.
func newStores(t *testing.T) (a, b *engineDB, model dbm.DB) {
	t.Helper()
	kv, err := pebble.Open("", &pebble.Options{FS: vfs.NewMem(), Logger: storeLog{quiet{log: discard, failure: newFailure(discard)}}})
	if err != nil {
		t.Fatal(err)
	}
	s := &shared{kv: kv, broken: func(err error) { t.Errorf("disk: %v", err) }}
	t.Cleanup(func() {
		if err := s.close(); err != nil {
			t.Error(err)
		}
	})
	return &engineDB{shared: s, prefix: []byte("a/")}, &engineDB{shared: s, prefix: []byte("b/")}, dbm.NewMemDB()
}

func TestEngineStoreBehavesAsTheEnginesOwn(t *testing.T) {
	a, b, model := newStores(t)
	keys := []string{"\x00", "a", "a\x00", "ab", "b", "\xff", "\xff\xff", "a/"}
	for i, k := range keys {
		for _, db := range []dbm.DB{a, model} {
			if err := db.Set([]byte(k), []byte(fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.SetSync([]byte(k), []byte("other")); err != nil {
			t.Fatal(err)
		}
	}
	for _, db := range []dbm.DB{a, model} {
		batch := db.NewBatch()
		for _, err := range []error{batch.Set([]byte("batch"), []byte{}), batch.Delete([]byte("ab")), batch.WriteSync(), batch.Close(), batch.Close()} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if batch.Set([]byte("x"), []byte("y")) == nil || batch.Write() == nil {
			t.Error("a batch can be written after its end")
		}
		if db.Set(nil, []byte("x")) == nil || db.Set([]byte("x"), nil) == nil || db.Delete(nil) == nil {
			t.Error("an empty key or nil value was taken")
		}
		if _, err := db.Iterator([]byte{}, nil); err == nil {
			t.Error("an empty bound was taken")
		}
	}
	bounds := [][]byte{nil, []byte("\x00"), []byte("a"), []byte("a\x00"), []byte("b"), []byte("\xff")}
	for _, lo := range bounds {
		for _, hi := range bounds {
			if lo != nil && hi != nil && bytes.Compare(lo, hi) >= 0 {
				continue
			}
			for _, down := range []bool{false, true} {
				if got, want := walk(t, a, lo, hi, down), walk(t, model, lo, hi, down); !slices.Equal(got, want) {
					t.Errorf("%q to %q, down %t: %q, want %q", lo, hi, down, got, want)
				}
			}
		}
	}
	for _, k := range append(keys, "none") {
		got, err := a.Get([]byte(k))
		want, _ := model.Get([]byte(k))
		has, _ := a.Has([]byte(k))
		if err != nil || !bytes.Equal(got, want) || (got == nil) != (want == nil) || has != (want != nil) {
			t.Errorf("%q: %q %t, want %q", k, got, has, want)
		}
	}
}

func walk(t *testing.T, db dbm.DB, lo, hi []byte, down bool) (got []string) {
	t.Helper()
	open := db.Iterator
	if down {
		open = db.ReverseIterator
	}
	it, err := open(lo, hi)
	if err != nil {
		t.Fatal(err)
	}
	defer it.Close()
	for ; it.Valid(); it.Next() {
		got = append(got, string(it.Key())+"="+string(it.Value()))
	}
	if err := it.Error(); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestClosedStoreIsEmptyNotBroken(t *testing.T) {
	a, _, _ := newStores(t)
	if err := a.Set([]byte("k"), []byte("v")); err != nil {
		t.Fatal(err)
	}
	late := a.NewBatch()
	if err := a.close(); err != nil {
		t.Fatal(err)
	}
	if v, err := a.Get([]byte("k")); v != nil || err != nil {
		t.Errorf("read after close: %q, %v", v, err)
	}
	if _, err := a.Iterator(nil, nil); err == nil || a.Set([]byte("k"), []byte("v")) == nil || late.Write() == nil {
		t.Error("written or walked after close")
	}
}

func TestFailureNamesTheDiskAsItsCause(t *testing.T) {
	for _, c := range []struct {
		disk, halt error
		want       fault.Code
	}{
		{nil, errors.New("a bug"), fault.Internal},
		{fmt.Errorf("write: %w", syscall.ENOSPC), errors.New("engine: failed to save"), fault.DiskFull},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, errors.New("engine"), fault.DiskFull},
		{nil, fmt.Errorf("%w: page", state.ErrDamaged), fault.Damaged},
		{fmt.Errorf("block: %w", pebble.ErrCorruption), errors.New("engine"), fault.Damaged},
	} {
		f := newFailure(discard)
		if c.disk != nil {
			f.noteDisk(c.disk)
		}
		log := quiet{log: discard, failure: f}
		log.Error("something small", "err", c.halt)
		if f.cause() != nil {
			t.Fatal("an ordinary error of the engine stopped the node")
		}
		log.With("module", "consensus").Error(haltMessage, "err", c.halt, "stack", "...")
		select {
		case <-f.done:
		default:
			t.Fatal("the node does not say that it has stopped")
		}
		if !fault.Is(f.cause(), c.want) {
			t.Errorf("%v, %v: %v", c.disk, c.halt, fault.CodeOf(f.cause()))
		}
		first := f.cause()
		f.stop(errors.New("later"))
		if f.cause() != first {
			t.Error("a later cause hides the first")
		}
	}
}

func TestRecentForgetsTheOldestOnly(t *testing.T) {
	r := newRecent(4)
	key := func(i int) [32]byte { return [32]byte{byte(i)} }
	for i := range 100 {
		r.add(key(i), [32]byte{})
		for back := 0; back < 4 && back <= i; back++ {
			if !r.has(key(i - back)) {
				t.Fatalf("%d is forgotten after %d", i-back, i)
			}
		}
		if i >= 9 && r.has(key(i-9)) {
			t.Fatalf("%d is still known after %d", i-9, i)
		}
	}
}
