package ledger_test

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"mulian/ledger/ledgertest"
)

func TestFiguresAreThoseOfTheNodeAndEndWithIt(t *testing.T) {
	registry := prometheus.NewRegistry()
	c := ledgertest.NewChain(t, t.TempDir(), 1)
	c.Configs[0].Metrics = registry
	for range 2 { // the second time they must be free again
		l := c.Open(t, 0)
		done := submit(t, l, ledgertest.Tx(t, "f", "1"))
		submit(t, l, ledgertest.Tx(t, "f", "refuse"))
		reach(t, l, done.Height+1)
		got := gather(t, registry)
		if got["mulian_ledger_height"] < float64(done.Height) || got["mulian_ledger_transactions_total"] != 2 || got["mulian_ledger_store_bytes"] == 0 {
			t.Errorf("figures %v after block %d", got, done.Height)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if left := gather(t, registry); len(left) != 0 {
			t.Errorf("after Close there are %v", left)
		}
	}
}

// gather returns the sum of each family.
func gather(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			sums[f.GetName()] += m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	return sums
}
