package ledger

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"mulian/internal/fault"
)

// figures are the node's metrics. The engine's own are left out: it can register
// them only once in a process.
type figures struct {
	registry prometheus.Registerer
	all      []prometheus.Collector
	txs      *prometheus.CounterVec
	last     atomic.Int64
}

func newFigures(r prometheus.Registerer, l *Ledger) *figures {
	f := &figures{registry: r, txs: prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: "mulian_ledger_transactions_total", Help: "Transactions in blocks, by result code."}, []string{"code"})}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	f.all = []prometheus.Collector{
		f.txs,
		gauge("mulian_ledger_height", "Height of the last block.", func() float64 { return float64(f.last.Load()) }),
		gauge("mulian_ledger_pending", "Transactions that wait for a block.", func() float64 { return float64(l.node.Mempool().Size()) }),
		gauge("mulian_ledger_peers", "Other nodes that are connected.", func() float64 { return float64(l.node.Switch().Peers().Size()) }),
		gauge("mulian_ledger_events", "Events in the log.", func() float64 { return float64(l.db.Events()) }),
		gauge("mulian_ledger_store_bytes", "Size of the store on disk.", func() float64 { return float64(l.store.kv.Metrics().DiskSpaceUsage()) }),
	}
	return f
}

// open registers the figures; the node must be there.
func (f *figures) open() error {
	if f.registry == nil {
		return nil
	}
	for _, c := range f.all {
		if err := f.registry.Register(c); err != nil {
			return fault.Wrap(fault.Usage, err, "register the ledger's metrics: give each node a registry of its own")
		}
	}
	return nil
}

func (f *figures) close() {
	if f.registry == nil {
		return
	}
	for _, c := range f.all {
		f.registry.Unregister(c)
	}
}

func (f *figures) block(height int64, done []doneTx) {
	f.last.Store(height)
	for i := range done {
		f.txs.WithLabelValues(done[i].Code.String()).Inc()
	}
}
