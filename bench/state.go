package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"mulian/state"
)

// What State does: the measurement that the choice of the tree was made with (spec
// engine, section 3).
const (
	stateKeys     = 1_000_000
	stateCache    = 256 << 20 // of the store, bytes
	stateVersions = 100       // heights that stay readable
	stateUpdates  = 1000      // of one block, half of them new keys
	stateValue    = 200       // bytes
	stateFill     = 20_000    // keys of one block while it is filled
	stateWarm     = 20        // blocks before the clock starts
)

// State measures what one update of the authenticated state costs when it has
// [Options.Keys] keys: blocks of 1,000 updates, half of them new keys of 41 bytes,
// values of 200 bytes, an event each, one commit a block without fsync (the engine
// replays), for [Options.Seconds]. The bare counterpart writes the same keys and values
// into the same kind of store without a tree.
func State(ctx context.Context, o Options) (Result, error) {
	r := Result{Bench: "state"}
	if o.Keys == 0 {
		o.Keys = stateKeys
	}
	dir, remove, err := o.Folder("state")
	if err != nil {
		return r, err
	}
	defer remove()
	r.Machine = Facts(dir)
	opts := state.StoreOptions(stateCache)
	opts.Logger = storeLines{o}
	kv, err := pebble.Open(dir, opts)
	if err != nil {
		return r, err
	}
	err = measureState(ctx, o, kv, &r)
	if err == nil {
		r.Add(Figure{Name: "disk_bytes_per_key", Value: float64(DiskBytes(dir)) / float64(o.Keys), Unit: "bytes", Note: "events, history and the counterpart included, not compacted"})
	}
	return r, ended(ctx, joined(err, kv.Close()))
}

// storeLines shows of the store's own lines those that tell of trouble.
type storeLines struct{ o Options }

func (storeLines) Infof(string, ...any) {}

func (l storeLines) Errorf(format string, args ...any) { l.o.Say(format, args...) }

// Fatalf may not return: the store cannot go on.
func (storeLines) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// updates makes the keys and values of blocks; the same seed makes the same.
type updates struct {
	rnd   *rand.Rand
	next  int
	value [stateValue]byte
}

func newUpdates() *updates { return &updates{rnd: rand.New(rand.NewPCG(1, 2))} }

// each calls put for n updates, of which fresh says which are of new keys.
func (u *updates) each(n int, fresh func(i int) bool, put func(key, value []byte) error) error {
	for i := range n {
		id := u.next
		if fresh(i) {
			u.next++
		} else {
			id = u.rnd.IntN(u.next)
		}
		binary.LittleEndian.PutUint64(u.value[:], u.rnd.Uint64())
		if err := put(fmt.Appendf(nil, "bench/object/%028d", id), u.value[:]); err != nil {
			return err
		}
	}
	return nil
}

func always(int) bool { return true }

func half(i int) bool { return i%2 == 0 }

func measureState(ctx context.Context, o Options, kv *pebble.DB, r *Result) error {
	db, err := state.Open(kv, []byte("s/"), state.Options{KeepVersions: stateVersions})
	if err != nil {
		return err
	}
	u, height := newUpdates(), int64(0)
	block := func(n int, fresh func(int) bool) error {
		height++
		b := db.Begin(height, 0)
		err := u.each(n, fresh, func(key, value []byte) error {
			tx := b.Tx()
			tx.Put(key, value, state.Proved)
			tx.Emit(value)
			tx.Keep()
			return nil
		})
		return joined(err, b.Commit())
	}
	o.Say("filling %d keys", o.Keys)
	count, took, cpu, err := blocks(ctx, o, kv, u, block)
	if err != nil {
		return err
	}
	r.Add(Figure{Name: "us_per_update", Value: took, Unit: "µs", Goal: "≤ 25", Note: fmt.Sprintf("of %d blocks of %d", count, stateUpdates)})
	r.Add(Figure{Name: "cpu_us_per_update", Value: cpu, Unit: "µs", Note: "of the whole process, merging of the store included"})
	o.Say("the same keys and values without a tree")
	bare := newUpdates()
	plain := func(n int, fresh func(int) bool) error {
		b := kv.NewBatch()
		defer b.Close()
		if err := bare.each(n, fresh, func(key, value []byte) error { return b.Set(append([]byte("p/"), key...), value, nil) }); err != nil {
			return err
		}
		return b.Commit(pebble.NoSync)
	}
	_, tookBare, cpuBare, err := blocks(ctx, o, kv, bare, plain)
	if err != nil {
		return err
	}
	r.Add(Figure{Name: "store_us_per_update", Value: tookBare, Unit: "µs", Note: "the bare counterpart"})
	r.Add(Figure{Name: "store_cpu_us_per_update", Value: cpuBare, Unit: "µs"})
	r.Add(Figure{Name: "peak_mib", Value: PeakMiB(), Unit: "MiB", Note: "of the whole process"})
	r.Note("%d keys of 41 bytes, then %d updates a block, half of them new keys, values of %d bytes, an event each; one commit a block, not synced; the last %d heights readable", o.Keys, stateUpdates, stateValue, stateVersions)
	r.Note("bare counterpart: the same keys and values in the same kind of store, without tree, history and events")
	return nil
}

// merged waits until the store has nothing left to merge of what filled it: it is no part
// of an update. After a while it does not matter any more.
func merged(ctx context.Context, kv *pebble.DB) {
	ctx, cancel := context.WithTimeout(ctx, settled)
	defer cancel()
	for m := kv.Metrics(); m.Compact.NumInProgress > 0 || m.Compact.EstimatedDebt > stateCache; m = kv.Metrics() {
		select {
		case <-ctx.Done():
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// blocks fills the store, warms up, and measures for the phase: how many blocks, and the
// microseconds of wall and of processor time of one update.
func blocks(ctx context.Context, o Options, kv *pebble.DB, u *updates, block func(int, func(int) bool) error) (count int, wall, cpu float64, err error) {
	for u.next < o.Keys && ctx.Err() == nil {
		if err := block(min(stateFill, o.Keys-u.next), always); err != nil {
			return 0, 0, 0, err
		}
	}
	if err := kv.Flush(); err != nil {
		return 0, 0, 0, err
	}
	merged(ctx, kv)
	for range stateWarm {
		if err := block(stateUpdates, half); err != nil {
			return 0, 0, 0, err
		}
	}
	stop, err := o.profile()
	if err != nil {
		return 0, 0, 0, err
	}
	defer stop()
	m := Start()
	for end := time.Now().Add(time.Duration(max(o.Seconds, 1)) * time.Second); time.Now().Before(end) && ctx.Err() == nil; count++ {
		if err := block(stateUpdates, half); err != nil {
			return 0, 0, 0, err
		}
	}
	m.Stop()
	n := max(count, 1) * stateUpdates
	return count, float64(m.Wall.Nanoseconds()) / 1000 / float64(n), m.MicrosecondsEach(n), ctx.Err()
}
