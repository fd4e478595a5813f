package state

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"mulian/state/proof"
)

// TestGolden holds an app hash that was computed by a Python program of twenty
// lines from the package comments alone. If it fails, the change would fork
// running chains.
func TestGolden(t *testing.T) {
	db := open(t, Options{})
	const empty = "b74d23d04464df6ef65d48ba3c1020b9a30168a2d3062474c809fffc4b43eff4"
	if got := proof.Hash(db.AppHash()).String(); got != empty {
		t.Errorf("empty store: %s, want %s", got, empty)
	}
	commit(t, db, 1, func(tx *Tx) {
		tx.Put([]byte("a"), []byte("1"), Proved)
		tx.Put([]byte("empty"), nil, Proved)
		tx.Put([]byte("index"), []byte("x"), Plain)
		for _, e := range []string{"first", "second", "third"} {
			tx.Emit([]byte(e))
		}
	})
	const want = "0534ca40112897f526e914e12b00ca24acb56c5c73d33489a49cdcb1007c6ab3"
	if got := proof.Hash(db.AppHash()).String(); got != want {
		t.Errorf("three records and three events: %s, want %s", got, want)
	}
}

func TestBlocksThatChangeNothingKeepTheAppHash(t *testing.T) {
	db := open(t, Options{})
	commit(t, db, 1, func(tx *Tx) { tx.Put([]byte("a"), []byte("1"), Proved) })
	before := db.AppHash()
	for i, write := range []func(tx *Tx){
		func(*Tx) {},
		func(tx *Tx) { tx.Put([]byte("a"), []byte("1"), Proved) },
		func(tx *Tx) { tx.Delete([]byte("none"), Proved) },
		func(tx *Tx) { tx.Put([]byte("index"), []byte("x"), Plain) },
		func(tx *Tx) { tx.Put([]byte("b"), nil, Proved); tx.Delete([]byte("b"), Proved) },
		func(tx *Tx) { tx.Delete([]byte("a"), Proved); tx.Put([]byte("a"), []byte("1"), Proved) },
	} {
		commit(t, db, int64(10+i), write)
		if db.AppHash() != before {
			t.Errorf("case %d changed the app hash", i)
		}
	}
	commit(t, db, 20, func(tx *Tx) { tx.Emit(nil) })
	if db.AppHash() == before {
		t.Error("an empty event is an event")
	}
}

func TestWrongUsePanics(t *testing.T) {
	db := open(t, Options{})
	commit(t, db, 5, func(tx *Tx) {
		tx.Put([]byte("fact"), nil, Proved)
		tx.Put([]byte("index"), nil, Plain)
	})
	mustPanic(t, "a block at the height of the last one", func() { db.Begin(5, 0) })
	mustPanic(t, "a negative height", func() { open(t, Options{}).Begin(-1, 0) })
	b := db.Begin(6, 0)
	mustPanic(t, "two blocks", func() { db.Begin(6, 0) })
	tx := b.Tx()
	for what, f := range map[string]func(){
		"two transactions":             func() { b.Tx() },
		"Finish with an open one":      func() { b.Finish() },
		"an empty key":                 func() { tx.Put(nil, nil, Proved) },
		"a long key":                   func() { tx.Put(make([]byte, MaxKeyBytes+1), nil, Proved) },
		"a large value":                func() { tx.Put([]byte("k"), make([]byte, MaxValueBytes+1), Proved) },
		"a large event":                func() { tx.Emit(make([]byte, MaxEventBytes+1)) },
		"a fact as an index":           func() { tx.Put([]byte("fact"), nil, Plain) },
		"an index deleted as a fact":   func() { tx.Delete([]byte("index"), Proved) },
		"a write of no kind":           func() { tx.Put([]byte("k"), nil, 0) },
		"a write within Range":         func() { tx.Range(nil, nil, func(k, _ []byte) bool { tx.Delete(k, Plain); return true }) },
		"an end within Range":          func() { tx.Range(nil, nil, func(_, _ []byte) bool { tx.Keep(); return true }) },
		"Keep of a scratch":            func() { s := db.View(); defer s.Close(); s.Scratch().Keep() },
		"a fact as an index of before": func() { tx.Put([]byte("n"), nil, Proved); tx.Put([]byte("n"), nil, Plain) },
	} {
		mustPanic(t, what, f)
	}
	tx.Keep()
	mustPanic(t, "Put after Keep", func() { tx.Put([]byte("k"), nil, Proved) })
	mustPanic(t, "Get after Keep", func() { tx.Get([]byte("k")) })
	mustPanic(t, "Keep twice", func() { tx.Keep() })
	tx.Drop() // does nothing
	b.Finish()
	mustPanic(t, "a transaction after Finish", func() { b.Tx() })
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	mustPanic(t, "Commit twice", func() { _ = b.Commit() })
	b.Discard() // does nothing
	commit(t, db, 7, func(*Tx) {})
}

func TestScratchLeavesNothing(t *testing.T) {
	db := open(t, Options{})
	commit(t, db, 1, func(tx *Tx) { tx.Put([]byte("a"), []byte("1"), Proved) })
	s := db.View()
	defer s.Close()
	tx := s.Scratch()
	tx.Put([]byte("a"), []byte("2"), Proved)
	tx.Emit([]byte("e"))
	if v, _ := tx.Get([]byte("a")); string(v) != "2" || tx.Height() != 1 || tx.UnixMs() != 1000 {
		t.Errorf("a = %q at %d, %d ms", v, tx.Height(), tx.UnixMs())
	}
	tx.Drop()
	if v, _ := s.Get([]byte("a")); string(v) != "1" || db.Events() != 0 {
		t.Errorf("after Drop a = %q", v)
	}
}

// TestPowerFailure commits blocks without fsync, lets the power fail with a random
// part of what was not synced, and opens what is left: it must be one of the
// blocks, complete, and the missing ones can be made again.
func TestPowerFailure(t *testing.T) {
	for seed := range uint64(40) {
		mem := vfs.NewCrashableMem()
		kv := openStore(t, mem)
		db, err := Open(kv, []byte("s/"), Options{KeepVersions: 3})
		if err != nil {
			t.Fatal(err)
		}
		const blocks = 12
		write := func(h int64) func(tx *Tx) {
			return func(tx *Tx) {
				for i := range 40 {
					tx.Put(fmt.Appendf(nil, "k%d", (h*7+int64(i))%90), fmt.Appendf(nil, "%d at %d", i, h), Proved)
				}
				tx.Delete(fmt.Appendf(nil, "k%d", h), Proved)
				tx.Emit(fmt.Appendf(nil, "event %d", h))
			}
		}
		hashes := [blocks + 1][32]byte{db.AppHash()}
		for h := int64(1); h <= blocks; h++ {
			commit(t, db, h, write(h))
			hashes[h] = db.AppHash()
			if h == int64(seed%blocks) {
				if err := kv.LogData(nil, pebble.Sync); err != nil {
					t.Fatal(err)
				}
			}
		}
		left := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(seed*37) % 101, RNG: newRand(seed)})
		if err := kv.Close(); err != nil {
			t.Fatal(err)
		}
		after := openStore(t, left)
		db, err = Open(after, []byte("s/"), Options{KeepVersions: 3})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		from := db.Height()
		if from < int64(seed%blocks) {
			t.Errorf("seed %d: at height %d after a sync at %d", seed, from, seed%blocks)
		}
		for h := from; h <= blocks; h++ {
			if h > from {
				commit(t, db, h, write(h))
			}
			if db.AppHash() != hashes[h] {
				t.Errorf("seed %d: block %d has another app hash than before the failure", seed, h)
			}
			if err := db.Check(t.Context()); err != nil {
				t.Errorf("seed %d: block %d: %v", seed, h, err)
			}
		}
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDamageIsNoticed changes one bit in one record of each kind.
func TestDamageIsNoticed(t *testing.T) {
	for _, rec := range []byte{recHead, recBlock, recCurrent, recHistory, recPage, recTile, recEvent} {
		db := open(t, Options{})
		for h := int64(1); h <= 3; h++ {
			commit(t, db, h, func(tx *Tx) {
				for i := range 60 {
					tx.Put(fmt.Appendf(nil, "k%d", i), fmt.Appendf(nil, "%d at %d", i, h), Proved)
				}
				tx.Emit([]byte("event"))
			})
		}
		it, err := db.kv.NewIter(&pebble.IterOptions{LowerBound: db.lay.key(rec), UpperBound: db.lay.until(rec)})
		if err != nil {
			t.Fatal(err)
		}
		it.Last()
		key, value := append([]byte(nil), it.Key()...), append([]byte(nil), it.Value()...)
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		for what, damage := range map[string]func() error{
			"missing": func() error { return db.kv.Delete(key, nil) },
			"changed": func() error {
				bad := append([]byte(nil), value...)
				bad[len(bad)*2/3] ^= 4
				return db.kv.Set(key, bad, nil)
			},
		} {
			if rec == recHistory && what == "changed" {
				continue // nothing commits to what once was; the engine's blocks do
			}
			if err := damage(); err != nil {
				t.Fatal(err)
			}
			again, err := Open(db.kv, []byte("s/"), Options{})
			if err == nil {
				err = again.Check(t.Context())
			}
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("record %c %s: %v, want ErrDamaged", rec, what, err)
			}
			if err := db.kv.Set(key, value, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := db.Check(t.Context()); err != nil {
			t.Errorf("record %c repaired: %v", rec, err)
		}
	}
}

// TestReadersSeeWholeBlocks reads while blocks are committed and old ones pruned:
// every snapshot must be one block, with the app hash of its own proofs.
func TestReadersSeeWholeBlocks(t *testing.T) {
	db := open(t, Options{KeepVersions: 5})
	write := func(h int64) {
		commit(t, db, h, func(tx *Tx) {
			for i := range 20 {
				tx.Put(fmt.Appendf(nil, "k%d", i), fmt.Append(nil, h), Proved)
			}
			tx.Emit(fmt.Append(nil, h))
		})
	}
	write(1)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					readOnce(t, db)
				}
			}
		})
	}
	for h := int64(2); h <= 150; h++ {
		write(h)
		if err := db.Prune(h - 3); err != nil {
			t.Error(err)
		}
	}
	close(done)
	wg.Wait()
}

func readOnce(t *testing.T, db *DB) {
	s := db.View()
	defer s.Close()
	want := fmt.Sprint(s.Height())
	s.Range(nil, nil, func(k, v []byte) bool {
		if string(v) != want {
			t.Errorf("height %s: %s = %s", want, k, v)
		}
		return true
	})
	p, err := s.Prove([]byte("k7"))
	if err != nil {
		t.Error(err)
	} else if err := proof.VerifyKey(s.AppHash(), []byte("k7"), []byte(want), p); err != nil {
		t.Error(err)
	}
	old, err := db.At(s.Height() - 2)
	if errors.Is(err, ErrPruned) {
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	defer old.Close()
	if v, _ := old.Get([]byte("k7")); string(v) != fmt.Sprint(old.Height()) {
		t.Errorf("height %d: k7 = %s", old.Height(), v)
	}
	if _, err := old.Prove([]byte("k7")); old.past && !errors.Is(err, ErrPast) {
		t.Errorf("a proof from the past: %v", err)
	}
}

func TestCheckpointIsAWholeStore(t *testing.T) {
	dir := t.TempDir()
	kv, err := pebble.Open(dir+"/store", StoreOptions(8<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer kv.Close()
	db, err := Open(kv, nil, Options{Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, db, 1, func(tx *Tx) { tx.Put([]byte("a"), []byte(strings.Repeat("x", 1000)), Proved) })
	if err := db.Checkpoint(dir + "/copy"); err != nil {
		t.Fatal(err)
	}
	if err := db.Checkpoint(dir + "/copy"); err == nil {
		t.Error("a checkpoint over another one")
	}
	copied, err := pebble.Open(dir+"/copy", StoreOptions(8<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	again, err := Open(copied, nil, Options{})
	if err != nil || again.AppHash() != db.AppHash() || again.Check(t.Context()) != nil {
		t.Errorf("the copy: %v, height %d", err, again.Height())
	}
}

// TestTwoStoresInOneDatabase: records of another user of the database are not ours.
func TestTwoStoresInOneDatabase(t *testing.T) {
	kv := openStore(t, vfs.NewMem())
	defer kv.Close()
	one, err := Open(kv, []byte("s"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	two, err := Open(kv, []byte("t"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, one, 1, func(tx *Tx) { tx.Put([]byte("\xff\xff"), []byte("one"), Proved) })
	commit(t, two, 9, func(tx *Tx) { tx.Put([]byte("a"), []byte("two"), Proved); tx.Emit(nil) })
	for _, db := range []*DB{one, two} {
		if err := db.Check(t.Context()); err != nil {
			t.Error(err)
		}
	}
	v := one.View()
	defer v.Close()
	if got := pairs(v, "", "", 9); len(got) != 1 || one.Height() != 1 || one.Events() != 0 {
		t.Errorf("the first store shows %q", got)
	}
}
