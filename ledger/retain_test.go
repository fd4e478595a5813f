package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	lightclient "mulian/client/light"
	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
)

// A pruned node still leads a stranger from the genesis to its newest header, over
// validators that have changed altogether, and proves its first event.
func TestPrunedNodeLeadsFromTheGenesis(t *testing.T) {
	chain := ledgertest.NewChain(t, t.TempDir(), 3)
	for i := range chain.Configs {
		chain.Configs[i].KeepBlocks = 20
	}
	ls := openAll(t, chain)
	submit(t, ls[0], ledgertest.Tx(t, "first", "1"))
	// The first two get so little power that nobody trusts them alone, then the third.
	for round, powers := range [][3]int{{10, 1, 1000}, {1000, 1, 10}, {10, 1000, 10}, {10, 10, 10}} {
		for i, p := range powers {
			submit(t, ls[0], ledgertest.Tx(t, "x", fmt.Sprintf("validator %x %d", chain.IDs[i].Validator, p)))
		}
		for i := range 5 {
			submit(t, ls[0], ledgertest.Tx(t, "y", fmt.Sprint(round, i)))
		}
	}
	var done *ledger.Committed
	for i := 0; ls[0].Status().OldestKept < 40 || i < 10; i++ {
		done = submit(t, ls[0], ledgertest.Tx(t, "z", fmt.Sprint(i)))
		if i > 300 {
			t.Fatalf("the oldest block is %d", ls[0].Status().OldestKept)
		}
	}
	oldest := ls[0].Status().OldestKept
	if _, err := ls[0].Header(2); !fault.Is(err, fault.Pruned) {
		t.Errorf("a header at which nothing changed: %v", err)
	}
	end, err := ls[0].Header(done.Height)
	if err != nil {
		t.Fatal(err)
	}
	var founders []lightclient.Validator
	for _, id := range chain.IDs {
		founders = append(founders, lightclient.Validator{PublicKey: id.Validator[:], Power: 10})
	}
	trust := lightclient.New(ledgertest.ChainID, founders)
	steps, kept := 0, 0
	for at := int64(1); ; steps++ {
		h, err := ls[0].HeaderFrom(at)
		if err != nil {
			t.Fatal(err)
		}
		if h.Height < oldest {
			kept++
		}
		if _, err := trust.Verify(h.LightBlock); err != nil {
			t.Fatalf("header %d, after %d steps: %v", h.Height, steps, err)
		}
		if h.Height >= oldest {
			break
		}
		at = h.Height + 1
	}
	if _, err := trust.Verify(end.LightBlock); err != nil {
		t.Errorf("the newest header: %v", err)
	}
	if kept < 4 {
		t.Errorf("%d headers before block %d are kept, the powers have changed twelve times", kept, oldest)
	}
	if _, err := ls[0].ProveEvent(0, 0); err != nil {
		t.Errorf("the first event: %v", err)
	}
}

// The room of pruned blocks comes back to the disk by itself.
func TestPrunedRoomComesBack(t *testing.T) {
	if testing.Short() {
		t.Skip("makes some thousand blocks")
	}
	chain := ledgertest.NewChain(t, t.TempDir(), 1)
	l := chain.Open(t, 0)
	big := strings.Repeat("x", 10_000)
	for i := range 150 { // each a block of its own, and an empty one with its hash
		submit(t, l, ledgertest.Tx(t, "big", big+fmt.Sprint(i)))
	}
	before := blocksOnDisk(t, chain.Configs[0].Home)
	ledger.ReclaimAfter(l, 100)
	if err := l.Prune(10); err != nil {
		t.Fatal(err)
	}
	for i := 0; l.Status().OldestKept < 250; i++ {
		submit(t, l, ledgertest.Tx(t, "small", fmt.Sprint(i)))
	}
	began := time.Now()
	for i := 0; time.Since(began) < 5*time.Minute; i++ { // the store gives it back when it has time
		if now := blocksOnDisk(t, chain.Configs[0].Home); now < before/2 {
			t.Logf("%d bytes before, %d after", before, now)
			return
		}
		submit(t, l, ledgertest.Tx(t, "small", fmt.Sprint(i)))
	}
	t.Errorf("%d bytes of tables before, %d after %s", before, blocksOnDisk(t, chain.Configs[0].Home), time.Since(began))
}

func blocksOnDisk(t *testing.T, home string) (n int64) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(home, "store", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if st, err := os.Stat(f); err == nil {
			n += st.Size()
		}
	}
	return n
}
