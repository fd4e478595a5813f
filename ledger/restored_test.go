package ledger_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
)

// A backup holds the store and the file of the last vote, which is younger, but not
// the engine's log. Alone, the validator goes on; among others it must not.
func TestOnlyValidatorGoesOnAfterARestore(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	home := c.Configs[0].Home
	l := c.Open(t, 0)
	done := submit(t, l, ledgertest.Tx(t, "kept", "1"))
	reach(t, l, done.Height+1)
	backup := filepath.Join(t.TempDir(), "backup")
	if err := l.Checkpoint(backup); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		submit(t, l, ledgertest.Tx(t, "lost", "1"))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"store", "wal"} {
		if err := os.RemoveAll(filepath.Join(home, dir)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(backup, filepath.Join(home, "store")); err != nil {
		t.Fatal(err)
	}
	l = c.Open(t, 0)
	if value(t, l, "kept") != "1" || value(t, l, "lost") != "" {
		t.Errorf("kept = %q, lost = %q", value(t, l, "kept"), value(t, l, "lost"))
	}
	if c := submit(t, l, ledgertest.Tx(t, "after", "1")); c.Code != fault.OK {
		t.Errorf("after the restore: %+v", c)
	}
}

// The same with the log lost and the store intact: the vote for the next block may
// be on the disk already.
func TestOnlyValidatorGoesOnWithoutItsLog(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	l := c.Open(t, 0)
	submit(t, l, ledgertest.Tx(t, "a", "1"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(c.Configs[0].Home, "wal")); err != nil {
		t.Fatal(err)
	}
	l = c.Open(t, 0)
	if c := submit(t, l, ledgertest.Tx(t, "b", "1")); c.Code != fault.OK {
		t.Errorf("%+v", c)
	}
}

func TestCheckpointSeedsAnotherNode(t *testing.T) {
	chain := ledgertest.NewChain(t, t.TempDir(), 2)
	ls := openAll(t, chain)
	done := submit(t, ls[0], ledgertest.Tx(t, "a", "1"))
	// A follower: keys of its own, the chain's genesis, the store of another node.
	home := filepath.Join(t.TempDir(), "follower")
	if _, err := ledger.InitHome(home); err != nil {
		t.Fatal(err)
	}
	if err := ledger.InstallGenesis(home, ls[0].Genesis()); err != nil {
		t.Fatal(err)
	}
	if err := ls[0].Checkpoint(filepath.Join(home, "store")); err != nil {
		t.Fatal(err)
	}
	cfg := chain.Configs[0]
	cfg.Home, cfg.Listen, cfg.Peers = home, "127.0.0.1:0", []string{chain.IDs[0].NodeID + "@" + chain.Configs[0].Listen, chain.IDs[1].NodeID + "@" + chain.Configs[1].Listen}
	follower, err := ledger.Open(context.Background(), cfg, ledgertest.Machine{})
	if err != nil {
		t.Fatal(err)
	}
	defer follower.Close()
	if follower.Height() < done.Height {
		t.Errorf("the follower begins at %d, the checkpoint was at %d", follower.Height(), done.Height)
	}
	next := submit(t, ls[1], ledgertest.Tx(t, "b", "1"))
	agree(t, append(ls, follower), next.Height)
	if c := submit(t, follower, ledgertest.Tx(t, "c", "1")); c.Code != fault.OK {
		t.Errorf("through the follower: %+v", c)
	}
}

// A chain that slept must not judge a transaction by the time at which it fell
// asleep.
func TestBlockTimeIsNowAfterASleep(t *testing.T) {
	for _, n := range []int{1, 2, 3} {
		t.Run(fmt.Sprintf("%d nodes", n), func(t *testing.T) {
			t.Parallel() // they mostly sleep
			chain := ledgertest.NewChain(t, t.TempDir(), n)
			if n == 2 {
				chain.Configs[0].Heartbeat, chain.Configs[1].Heartbeat = 4*time.Second, 4*time.Second
			}
			ls := openAll(t, chain)
			// fresh submits; the block may be at most staleAfter older than the asking.
			fresh := func(key, when string) {
				t.Helper()
				asked := time.Now()
				c := submit(t, ls[0], ledgertest.Tx(t, key, "1"))
				if late := asked.Sub(time.UnixMilli(c.TimeMs)); late > 2*time.Second || c.Code != fault.OK {
					t.Errorf("%s the block is %s older than the transaction: %v", when, late, c.Code)
				}
			}
			time.Sleep(3 * time.Second) // the block before is then of the genesis, a minute ago
			fresh("a", "after a silent start")
			time.Sleep(6 * time.Second) // the engine has no other clock; above maxClockSkew
			fresh("b", "after a sleep")
		})
	}
}
