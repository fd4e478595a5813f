package ledger_test

import (
	"fmt"
	"slices"
	"testing"

	"mulian/internal/fault"
	"mulian/ledger"
	"mulian/ledger/ledgertest"
)

// TestALyingValidatorStopsNobody: one of four proposes what no honest one does, claims
// another state, or signs its votes badly. Each time the three go on, every transaction is
// carried out once, and nothing of the lie is in the state.
func TestALyingValidatorStopsNobody(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIP four nodes: not beside the race detector's")
	}
	replayed := ledgertest.Tx(t, "again", "1")
	forged := ledgertest.Tx(t, "forged", "1")
	forged[len(forged)-1] ^= 1
	for name, lie := range map[string]ledger.Lie{
		"what is no transaction":         {Propose: func(txs [][]byte) [][]byte { return append(txs, []byte("nothing")) }},
		"a transaction that is too big":  {Propose: func(txs [][]byte) [][]byte { return append(txs, make([]byte, ledger.MaxTxBytes+1)) }},
		"a block that is too big":        {Propose: func([][]byte) [][]byte { return slices.Repeat([][]byte{make([]byte, 1<<20)}, 3) }},
		"a forged signature":             {Propose: func(txs [][]byte) [][]byte { return append(txs, forged) }},
		"the same twice, and again":      {Propose: func(txs [][]byte) [][]byte { return append(append(txs, txs...), replayed) }},
		"another app hash":               {Hash: func(h []byte) []byte { return append([]byte{^h[0]}, h[1:]...) }},
		"votes without an SM2 signature": {Sanction: func([]byte) []byte { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			chain := ledgertest.NewChain(t, t.TempDir(), 4)
			chain.Configs[3] = ledger.Lying(chain.Configs[3], lie)
			honest := openAll(t, chain)[:3]
			submit(t, honest[0], replayed)
			var last int64
			for i := range 12 { // each of four proposes several times
				c := submit(t, honest[i%3], ledgertest.Tx(t, fmt.Sprintf("k/%d", i), "1"))
				if c.Code != fault.OK {
					t.Fatalf("refused: %+v", c)
				}
				last = max(last, c.Height)
			}
			agree(t, honest, last)
			for i := range 12 {
				if n := value(t, honest[0], fmt.Sprintf("count/k/%d", i)); n != "1" {
					t.Errorf("k/%d was carried out %q times", i, n)
				}
			}
			if n := value(t, honest[0], "count/again"); n != "1" {
				t.Errorf("a transaction that was proposed again was carried out %q times", n)
			}
			if value(t, honest[0], "forged") != "" {
				t.Error("a forged transaction was carried out")
			}
		})
	}
}
