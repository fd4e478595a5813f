package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
	"mulian/state"
)

// A chain of 100,000 transactions starts in less than two seconds, also when it was
// not stopped in order.
func TestLongChainStartsInTwoSeconds(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 100,000 transactions: half a minute")
	}
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	l := c.Open(t, 0)
	const n = 100_000
	begin := time.Now()
	for made := 0; made < n; made += 10_000 {
		txs := make([][]byte, 10_000)
		for i := range txs {
			txs[i] = ledgertest.Tx(t, fmt.Sprintf("l/%d", made+i), "some value of a usual length, sixty bytes or a little more")
		}
		flood(t, l, txs, 2000)
	}
	before := l.Status()
	t.Logf("%d transactions in %s, %d blocks, %d MB", n, time.Since(begin).Round(time.Second), before.Height, before.DiskBytes>>20)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	begin = time.Now()
	l = c.Open(t, 0)
	if l.Status().AppHash != before.AppHash {
		t.Error("another app hash after the start")
	}
	done := submit(t, l, ledgertest.Tx(t, "next", "1"))
	took := time.Since(begin)
	t.Logf("from start to the next block: %s", took.Round(time.Millisecond))
	if took > 2*time.Second {
		t.Errorf("took %s", took)
	}
	if done.Code != fault.OK {
		t.Errorf("%+v", done)
	}
}

func TestPrunedNodeKeepsStateEventsAndResults(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	c.Configs[0].KeepBlocks = 50
	l := c.Open(t, 0)
	var first *ledger.Committed
	for i := range 200 { // one block each, and one for the app hash
		done := submit(t, l, ledgertest.Tx(t, fmt.Sprintf("p/%d", i%10), fmt.Sprint(i)))
		if i == 0 {
			first = done
		}
	}
	if err := l.Prune(20); err != nil {
		t.Fatal(err)
	}
	for i := range 70 { // the engine prunes with the blocks to come
		submit(t, l, ledgertest.Tx(t, "more", fmt.Sprint(i)))
	}
	s := l.Status()
	if s.OldestKept < s.Height-200 || s.OldestKept < 2 {
		t.Errorf("oldest block %d at height %d", s.OldestKept, s.Height)
	}
	for name, err := range map[string]error{
		"header": second(l.Header(1)), "block": second(l.Block(1)), "state": second(l.At(1)), "envelope": second(l.Envelope(first)),
	} {
		if !fault.Is(err, fault.Pruned) {
			t.Errorf("%s of a pruned height: %v", name, err)
		}
	}
	if got, ok, err := l.Tx(first.ID); !ok || err != nil || got.Height != first.Height {
		t.Errorf("result of the first transaction: %+v %v %v", got, ok, err)
	}
	if events, err := l.Events(0, 1); err != nil || len(events) != 1 {
		t.Errorf("first event: %v, %v", events, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = c.Open(t, 0)
	if c := submit(t, l, ledgertest.Tx(t, "again", "1")); c.Code != fault.OK {
		t.Errorf("after pruning and restart: %+v", c)
	}
}

func second[A any](_ A, err error) error { return err }

func TestOpenRefusesAHomeThatIsNotItsOwn(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	cfg := c.Configs[0]
	l := c.Open(t, 0)
	submit(t, l, ledgertest.Tx(t, "a", "1"))
	open := func(cfg ledger.Config) error {
		l, err := ledger.Open(context.Background(), cfg, ledgertest.Machine{})
		if err == nil {
			l.Close()
		}
		return err
	}
	if err := open(cfg); !fault.Is(err, fault.Locked) {
		t.Errorf("a second process: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Submit(context.Background(), ledgertest.Tx(t, "b", "1")); !fault.Is(err, fault.Unreachable) {
		t.Errorf("submit to a closed ledger: %v", err)
	}
	if _, _, err := l.Tx([32]byte{}); !fault.Is(err, fault.Unreachable) {
		t.Errorf("read from a closed ledger: %v", err)
	}
	if err := open(ledger.Config{Home: filepath.Join(t.TempDir(), "none"), ChainID: "x", GenesisTimeMs: 1}); !fault.Is(err, fault.NotFound) {
		t.Errorf("a home that is not there: %v", err)
	}
	renamed := cfg
	renamed.ChainID = "another-chain"
	if err := open(renamed); !fault.Is(err, fault.WrongChain) {
		t.Errorf("another chain id: %v", err)
	}
	genesis := filepath.Join(cfg.Home, "genesis.bin")
	was, err := os.ReadFile(genesis)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(genesis, append(was, ' '), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(cfg); !fault.Is(err, fault.WrongChain) {
		t.Errorf("another genesis: %v", err)
	}
	if err := os.WriteFile(genesis, was, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(cfg.Home, "validator.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := open(cfg); !fault.Is(err, fault.Damaged) {
		t.Errorf("a key that everybody can read: %v", err)
	}
	if err := os.Chmod(filepath.Join(cfg.Home, "validator.pem"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cfg.Home, "validator_state.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(cfg); !fault.Is(err, fault.Damaged) {
		t.Errorf("a torn file of the last vote: %v", err)
	}
}

// A store whose state was changed behind our back stops the node; it does not answer
// from it.
func TestDamagedStateIsNotServed(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	l := c.Open(t, 0)
	submit(t, l, ledgertest.Tx(t, "a", "1"))
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ledger.DamageState(filepath.Join(c.Configs[0].Home, "store")); err != nil {
		t.Fatal(err)
	}
	_, err := ledger.Open(context.Background(), c.Configs[0], ledgertest.Machine{})
	if !fault.Is(err, fault.Damaged) || !errors.Is(err, state.ErrDamaged) {
		t.Errorf("opened a damaged store: %v", err)
	}
}

// An Open that fails leaves nothing behind: the next one works.
func TestFailedOpenCanBeRepeated(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := c.Configs[0]
	cfg.Listen = taken.Addr().String()
	if _, err := ledger.Open(context.Background(), cfg, ledgertest.Machine{}); !fault.Is(err, fault.Unreachable) {
		t.Errorf("an address that is taken: %v", err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := ledger.Open(ended, c.Configs[0], ledgertest.Machine{}); err != nil && !fault.Is(err, fault.Cancelled) {
		t.Errorf("a context that has ended: %v", err)
	}
	cfg = c.Configs[0]
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "mulian_ledger_height", Help: "Height of the last block."}))
	cfg.Metrics = registry
	if _, err := ledger.Open(context.Background(), cfg, ledgertest.Machine{}); !fault.Is(err, fault.Usage) {
		t.Errorf("a registry that has the names: %v", err)
	}
	if c := submit(t, c.Open(t, 0), ledgertest.Tx(t, "a", "1")); c.Code != fault.OK {
		t.Errorf("%+v", c)
	}
}
