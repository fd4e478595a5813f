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
	between  prometheus.Histogram // blocks
	size     prometheus.Histogram
	carrying prometheus.Histogram
	storing  prometheus.Histogram
	last     atomic.Int64
	count    atomic.Int64 // transactions since the start
}

// Buckets, in seconds. A block takes from a millisecond (alone) to a few seconds (a slow
// round); an idle chain's next one may come after an hour.
var (
	betweenBuckets = []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 30, 60, 600, 3600}
	workBuckets    = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}
)

func newFigures(r prometheus.Registerer, l *Ledger) *figures {
	f := &figures{registry: r, txs: prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: "mulian_ledger_transactions_total", Help: "Transactions in blocks, by result code."}, []string{"code"})}
	histogram := func(name, help string, buckets []float64) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets})
	}
	f.between = histogram("mulian_ledger_block_interval_seconds", "Time from one block to the next, by this node's clock.", betweenBuckets)
	f.size = histogram("mulian_ledger_block_transactions", "Transactions in a block.", []float64{0, 1, 10, 50, 100, 500, 1000, 2000, 5000, 10000})
	f.carrying = histogram("mulian_ledger_carry_out_seconds", "Time to carry out a block's transactions and make its app hash.", workBuckets)
	f.storing = histogram("mulian_ledger_commit_seconds", "Time to commit a block's state.", workBuckets)
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	votes := func(value func(Votes) float64) func() float64 {
		return func() float64 { return value(l.app.pace.lastVotes()) }
	}
	f.all = []prometheus.Collector{
		f.txs, f.between, f.size, f.carrying, f.storing,
		missing{l},
		fsyncs{l},
		gauge("mulian_ledger_last_block_timestamp_seconds", "Time of the last block, as agreed, since 1970.", func() float64 { return float64(l.db.Head().UnixMs) / 1000 }),
		gauge("mulian_ledger_pending_bytes", "Size of the transactions that wait for a block.", func() float64 { return float64(l.node.Mempool().SizeBytes()) }),
		gauge("mulian_ledger_catching_up", "1 while the node takes over old blocks from others.", func() float64 { return one(l.node.ConsensusReactor().WaitSync()) }),
		gauge("mulian_ledger_oldest_block", "Height of the oldest block that is kept here.", func() float64 { return float64(l.node.BlockStore().Base()) }),
		gauge("mulian_ledger_validators", "Validators.", func() float64 { return float64(l.app.voters.Load()) }),
		gauge("mulian_ledger_power_total", "Voting power of all validators, at the last block whose votes are known.", votes(func(v Votes) float64 { return float64(v.Total) })),
		gauge("mulian_ledger_power_present", "Voting power of those who voted for it; the chain stands still at two thirds of the total or less.", func() float64 { return float64(l.present().Signed) }),
		gauge("mulian_ledger_validator", "1 if this node is a validator.", votes(func(v Votes) float64 { return one(v.IsValidator) })),
		gauge("mulian_ledger_stalled", "1 if transactions wait and no block was made for a while.", func() float64 { return one(l.stalled()) }),
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

// block notes a committed block. Those that are made again after a crash have no pace.
func (f *figures) block(height int64, done []doneTx, p *pace, live bool) {
	f.last.Store(height)
	f.count.Add(int64(len(done)))
	if live {
		if d := p.interval(); d > 0 {
			f.between.Observe(d.Seconds())
		}
		m := p.of(height)
		f.size.Observe(float64(len(done)))
		f.carrying.Observe(m.carried.Sub(m.began).Seconds())
		f.storing.Observe(m.committed.Sub(m.carried).Seconds())
	}
	for i := range done {
		f.txs.WithLabelValues(done[i].Code.String()).Inc()
	}
}
