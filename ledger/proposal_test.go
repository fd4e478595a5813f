package ledger_test

import (
	"testing"
	"time"

	"mulian/internal/sm"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
)

func TestValidatorVotesAgainstBadProposals(t *testing.T) {
	l := ledgertest.NewChain(t, t.TempDir(), 1).Open(t, 0)
	good := ledgertest.Tx(t, "a", "1")
	forged := append([]byte(nil), good...)
	forged[len(forged)-1] ^= 1
	now := time.Now()
	for _, c := range []struct {
		name  string
		txs   [][]byte
		at    time.Time
		slept bool
		want  bool
	}{
		{"a good one", [][]byte{good}, now, false, false},
		{"many, some forged: their code is their own", [][]byte{good, forged, good, forged}, now, false, false},
		{"what is no transaction", [][]byte{good, []byte("nothing")}, now, false, true},
		{"too large", [][]byte{make([]byte, ledger.MaxTxBytes+1)}, now, false, true},
		{"from the future", [][]byte{good}, now.Add(10 * time.Second), false, true},
		{"empty, from the future", nil, now.Add(10 * time.Second), false, true},
		{"from the past", [][]byte{good}, now.Add(-10 * time.Second), false, true},
		{"empty, from the past: the block that brings the time forward", nil, now.Add(-time.Hour), false, false},
		{"slow, but the block before has brought the time forward", [][]byte{good}, now.Add(-10 * time.Second), true, false},
	} {
		if got, err := ledger.Refuses(l, c.txs, c.at, c.slept); got != c.want || err != nil {
			t.Errorf("%s: refused %t, %v", c.name, got, err)
		}
	}
}

func TestProposerTakesWhatFitsAndNothingIntoAnOldBlock(t *testing.T) {
	l := ledgertest.NewChain(t, t.TempDir(), 1).Open(t, 0)
	txs := [][]byte{ledgertest.Tx(t, "a", "1"), ledgertest.Tx(t, "b", "1"), ledgertest.Tx(t, "c", "1")}
	room := int64(len(txs[0]) + len(txs[1]) + 20)
	for _, c := range []struct {
		at   time.Time
		room int64
		want int
	}{{time.Now(), 1 << 20, 3}, {time.Now(), room, 2}, {time.Now().Add(-time.Minute), 1 << 20, 0}} {
		if got, err := ledger.Proposes(l, txs, c.at, c.room); len(got) != c.want || err != nil {
			t.Errorf("%s, room %d: %d transactions, want %d: %v", c.at, c.room, len(got), c.want, err)
		}
	}
}

func TestPrecommitNeedsAnSM2Signature(t *testing.T) {
	l := ledgertest.NewChain(t, t.TempDir(), 1).Open(t, 0)
	block := make([]byte, 32)
	good, err := ledger.Extension(l, 7, block)
	if err != nil {
		t.Fatal(err)
	}
	other := append([]byte(nil), good...)
	copy(other[1:], ledgertest.Key(3).Public().Bytes())
	version := append([]byte(nil), good...)
	version[0]++
	for name, c := range map[string]struct {
		height    int64
		block     []byte
		extension []byte
		want      bool
	}{
		"good":               {7, block, good, false},
		"another height":     {8, block, good, true},
		"another block":      {7, append([]byte{1}, block[1:]...), good, true},
		"another key":        {7, block, other, true},
		"another version":    {7, block, version, true},
		"none":               {7, block, nil, true},
		"key only":           {7, block, good[:1+sm.PointSize], true},
		"something appended": {7, block, append(good[:len(good):len(good)], 0), true},
	} {
		if got, err := ledger.VoteRefused(l, c.height, c.block, c.extension); got != c.want || err != nil {
			t.Errorf("%s: refused %t, %v", name, got, err)
		}
	}
}

func TestClosedNodeAdmitsNamedPeersOnly(t *testing.T) {
	c := ledgertest.NewChain(t, t.TempDir(), 2)
	c.Configs[0].Closed = true
	l := c.Open(t, 0)
	for path, want := range map[string]bool{
		"/p2p/filter/id/" + c.IDs[1].NodeID: true,
		"/p2p/filter/id/0123456789":         false,
		"/p2p/filter/addr/127.0.0.1:1":      true,
		"/store/mulian":                     false,
	} {
		if got, err := ledger.Admits(l, path); got != want || err != nil {
			t.Errorf("%s: %t, %v", path, got, err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _ := ledger.Admits(l, "/p2p/filter/id/"+c.IDs[1].NodeID); got {
		t.Error("a node that stops takes connections")
	}
}
