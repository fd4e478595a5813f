package ledger_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
)

// lose makes a home as a restore leaves it: the store of the backup, no engine log, no
// memory of votes.
func lose(t *testing.T, home, backup string, r ledger.Restoration) {
	t.Helper()
	for _, name := range []string{"store", "wal", "validator_state.json"} {
		if err := os.RemoveAll(filepath.Join(home, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := ledger.MarkRestored(home, r); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(backup, filepath.Join(home, "store")); err != nil {
		t.Fatal(err)
	}
}

// lastVote reads the height of the last vote, 0 if there is none.
func lastVote(t *testing.T, home string) int64 {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(home, "validator_state.json"))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	var v struct{ Height string }
	if err := errors.Join(err, json.Unmarshal(raw, &v)); err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseInt(v.Height, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A validator that is restored among others who go on is silent until a block is
// younger than the restore, and then signs above all that it can have signed.
func TestRestoredValidatorAbstainsUntilTheOthersHaveMovedOn(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for blocks that are younger than a restore")
	}
	chain := ledgertest.NewChain(t, t.TempDir(), 4)
	ls := openAll(t, chain)
	home := chain.Configs[3].Home
	submit(t, ls[0], ledgertest.Tx(t, "a", "1"))
	backup := filepath.Join(t.TempDir(), "backup")
	if err := ls[3].Checkpoint(backup); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		submit(t, ls[0], ledgertest.Tx(t, "lost", "1"))
	}
	if err := ls[3].Close(); err != nil {
		t.Fatal(err)
	}
	before := lastVote(t, home)
	at := time.Now().Add(-7 * time.Second) // so that the test waits for three of the ten
	lose(t, home, backup, ledger.Restoration{AtMs: at.UnixMilli(), Height: 1})
	back := chain.Open(t, 3)
	for n := 0; ; n++ {
		done := submit(t, ls[n%3], ledgertest.Tx(t, "on", fmt.Sprint(n)))
		if vote := lastVote(t, home); vote > 0 {
			if vote <= before {
				t.Errorf("it has signed at height %d again, it had at %d before the loss", vote, before)
			}
			break
		}
		if done.TimeMs > at.Add(time.Minute).UnixMilli() {
			t.Fatal("it does not vote again")
		}
		time.Sleep(20 * time.Millisecond) // the chain is to grow at a human pace
	}
	if r, err := ledger.ReadRestoration(home); r != nil || err != nil {
		t.Errorf("it votes, and is still marked: %+v, %v", r, err)
	}
	done := submit(t, back, ledgertest.Tx(t, "after", "1"))
	agree(t, append(ls[:3:3], back), done.Height)
}

// Three of four validators are lost under load and restored from backups of different
// ages. Nothing that the fourth has acknowledged is lost, and nobody can be shown to
// have signed twice.
func TestQuorumIsRestoredFromOldBackups(t *testing.T) {
	if testing.Short() {
		t.Skip("four nodes under load, three of them twice")
	}
	chain := ledgertest.NewChain(t, t.TempDir(), 4)
	ls := openAll(t, chain)
	var taken sync.Map // keys of what node 0 has acknowledged
	var count atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	for w := range 8 {
		load.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprintf("k/%d/%d", w, i)
				if c, err := ls[0].Submit(ctx, ledgertest.Tx(t, key, "1")); err == nil && c.Code == fault.OK {
					taken.Store(key, true)
					count.Add(1)
				}
			}
		})
	}
	backups := make([]string, 4)
	for i := 1; i < 4; i++ {
		reachCount(t, &count, int64(i*40))
		backups[i] = filepath.Join(t.TempDir(), "backup")
		if err := ls[i].Checkpoint(backups[i]); err != nil {
			t.Fatal(err)
		}
	}
	reachCount(t, &count, 200)
	var ends sync.WaitGroup
	for i := 1; i < 4; i++ {
		ends.Go(func() {
			if err := ls[i].Close(); err != nil {
				t.Error(err)
			}
		})
	}
	ends.Wait()
	stop()
	load.Wait()
	newest := ls[0].Height()
	for i := 1; i < 4; i++ {
		lose(t, chain.Configs[i].Home, backups[i], ledger.Restoration{AtMs: time.Now().UnixMilli(), Height: 1, Newest: newest})
	}
	for i := 1; i < 4; i++ { // each begins when it likes
		ends.Go(func() {
			l, err := ledger.Open(t.Context(), ledger.Listening(chain.Configs[i], time.Second), ledgertest.Machine{})
			if err != nil {
				t.Error(err)
				return
			}
			ls[i] = l
		})
	}
	ends.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Cleanup(func() {
		for _, l := range ls[1:] {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	done := submit(t, ls[2], ledgertest.Tx(t, "after", "1"))
	agree(t, ls, done.Height)
	taken.Range(func(key, _ any) bool {
		for i, l := range ls {
			if value(t, l, key.(string)) != "1" {
				t.Errorf("%s was acknowledged by node 0 and node %d does not have it", key, i)
			}
		}
		return !t.Failed()
	})
	for i, l := range ls {
		if n := ledger.Accused(l); n != 0 {
			t.Errorf("node %d can show that %d validators have signed twice", i, n)
		}
	}
	t.Logf("%d acknowledged, newest height %d, now %d", count.Load(), newest, done.Height)
}

// reachCount waits until so many are acknowledged.
func reachCount(t *testing.T, n *atomic.Int64, want int64) {
	t.Helper()
	for end := time.Now().Add(time.Minute); n.Load() < want; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d of %d transactions in a minute", n.Load(), want)
		}
	}
}

// Without the members' word about the newest height, those that were restored wait for
// others: they must not make a second history out of an old backup.
func TestRestoredQuorumMakesNoSecondHistory(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for what must not happen")
	}
	chain := ledgertest.NewChain(t, t.TempDir(), 4)
	ls := openAll(t, chain)
	submit(t, ls[0], ledgertest.Tx(t, "a", "1"))
	backups := make([]string, 4)
	for i := range 3 {
		backups[i] = filepath.Join(t.TempDir(), "backup")
		if err := ls[i].Checkpoint(backups[i]); err != nil {
			t.Fatal(err)
		}
	}
	for range 5 {
		submit(t, ls[0], ledgertest.Tx(t, "later", "1"))
	}
	for _, l := range ls {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		lose(t, chain.Configs[i].Home, backups[i], ledger.Restoration{AtMs: time.Now().UnixMilli(), Height: 1})
		ls[i] = chain.Open(t, i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	if c, err := ls[0].Submit(ctx, ledgertest.Tx(t, "fork", "1")); err == nil {
		t.Fatalf("three restored nodes have made block %d without the fourth, which has newer ones", c.Height)
	}
}

func TestReleaseIsOfARestoredHome(t *testing.T) {
	home := filepath.Join(t.TempDir(), "node")
	if _, err := ledger.InitHome(home); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Release(home, 7); !fault.Is(err, fault.NotFound) {
		t.Errorf("of a home that was not restored: %v", err)
	}
	if err := ledger.MarkRestored(home, ledger.Restoration{AtMs: 1, Height: 5}); err != nil {
		t.Fatal(err)
	}
	if err := ledger.Release(home, 0); !fault.Is(err, fault.OutOfRange) {
		t.Errorf("of no height: %v", err)
	}
	if err := ledger.Release(home, 7); err != nil {
		t.Fatal(err)
	}
	if r, err := ledger.ReadRestoration(home); err != nil || r.Newest != 7 || r.Height != 5 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := os.WriteFile(filepath.Join(home, "restored.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.ReadRestoration(home); !fault.Is(err, fault.Damaged) {
		t.Errorf("a torn mark: %v", err)
	}
}
