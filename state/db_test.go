package state

import (
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"mulian/state/proof"
)

func openStore(t testing.TB, fs vfs.FS) *pebble.DB {
	t.Helper()
	kv, err := pebble.Open("store", &pebble.Options{FS: fs, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(format string, args ...any) {
	panic(format)
}

func open(t testing.TB, opts Options) *DB {
	t.Helper()
	kv := openStore(t, vfs.NewMem())
	t.Cleanup(func() {
		if err := kv.Close(); err != nil {
			t.Error(err)
		}
	})
	db, err := Open(kv, []byte("s/"), opts)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

// commit makes one block of one transaction.
func commit(t testing.TB, db *DB, height int64, write func(tx *Tx)) {
	t.Helper()
	b := db.Begin(height, 1000*height)
	tx := b.Tx()
	write(tx)
	tx.Keep()
	b.Finish()
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestProofsOfOneBlock(t *testing.T) {
	db := open(t, Options{})
	commit(t, db, 1, func(tx *Tx) {
		tx.Put([]byte("a"), []byte("1"), Proved)
		tx.Put([]byte("empty"), nil, Proved)
		tx.Put([]byte("index"), []byte("x"), Plain)
		tx.Emit([]byte("first"))
		tx.Emit([]byte("second"))
	})
	for key, value := range map[string][]byte{"a": []byte("1"), "empty": {}, "index": nil, "none": nil} {
		p, err := db.Prove([]byte(key))
		if err != nil {
			t.Fatal(err)
		}
		if err := proof.VerifyKey(db.AppHash(), []byte(key), value, p); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
	p, err := db.ProveEvent(1, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := proof.VerifyEvent(db.AppHash(), []byte("second"), p); err != nil {
		t.Error(err)
	}
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }
