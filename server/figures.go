package server

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/index"
)

const (
	// timesKept is how many submits the percentiles of the status are of, timesWithin how
	// old they are at most. Our own choice: what a person who looks calls "now".
	timesKept   = 512
	timesWithin = time.Minute
	// sampledFor is how long one answer of the node serves all figures: a scrape asks for
	// each of them within milliseconds.
	sampledFor = 500 * time.Millisecond
)

// times remembers how long the last submits took.
type times struct {
	mu   sync.Mutex // guards the rest
	took [timesKept]struct {
		at   time.Time
		took time.Duration
	}
	next int
}

func (t *times) add(took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := &t.took[t.next%timesKept]
	one.at, one.took = time.Now(), took
	t.next++
}

// percentiles returns the median and the 99th percentile in microseconds (nearest rank),
// 0 if nobody submitted lately.
func (t *times) percentiles() (p50, p99 uint32) {
	var lately []time.Duration
	t.mu.Lock()
	for i := range t.took {
		if !t.took[i].at.IsZero() && time.Since(t.took[i].at) < timesWithin {
			lately = append(lately, t.took[i].took)
		}
	}
	t.mu.Unlock()
	if len(lately) == 0 {
		return 0, 0
	}
	slices.Sort(lately)
	rank := func(p int) uint32 { return uint32(lately[(len(lately)*p+99)/100-1].Microseconds()) }
	return rank(50), rank(99)
}

// sample is one answer of the node for all figures of a scrape.
type sample struct {
	mu sync.Mutex // held while the node is asked: one asks for all
	at time.Time
	st *ledgerv1.GetStatusResponse // nil: the node did not answer
}

func (s *Server) sampled() *ledgerv1.GetStatusResponse {
	m := &s.metrics.sample
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.at.IsZero() && time.Since(m.at) < sampledFor {
		return m.st
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	st, err := s.status(ctx)
	if err != nil {
		st = nil
	}
	m.st, m.at = st, time.Now()
	return st
}

// standing are the figures of the node as its server sees it: those of a reading server
// are of the member that it follows.
type standing struct{ s *Server }

type figure struct {
	desc  *prometheus.Desc
	value func(*ledgerv1.GetStatusResponse) float64
}

func newFigure(name, help string, value func(*ledgerv1.GetStatusResponse) float64) figure {
	return figure{prometheus.NewDesc(name, help, nil, nil), value}
}

var upDesc = prometheus.NewDesc("mulian_up", "1 if the node answers.", nil, nil)

// upgradeDesc has the height as its value; a node that does not know the rules is told by the label.
var upgradeDesc = prometheus.NewDesc("mulian_upgrade_height", "Height from which other rules hold; 0: none are decided. ready: whether this program knows them.", []string{"ready"}, nil)

var figures = []figure{
	newFigure("mulian_height", "Height of the latest block.", func(st *ledgerv1.GetStatusResponse) float64 { return float64(st.GetHeight()) }),
	newFigure("mulian_events", "Events in the ledger's log.", func(st *ledgerv1.GetStatusResponse) float64 { return float64(st.GetEvents()) }),
	newFigure("mulian_indexed_events", "Events that the index has taken.", func(st *ledgerv1.GetStatusResponse) float64 { return float64(st.GetIndexed()) }),
	newFigure("mulian_index_lag_events", "Events that the index has not taken yet.", func(st *ledgerv1.GetStatusResponse) float64 { return float64(max(0, st.GetEvents()-st.GetIndexed())) }),
	newFigure("mulian_peers", "Connected peers.", func(st *ledgerv1.GetStatusResponse) float64 { return float64(st.GetPeers()) }),
	newFigure("mulian_disk_bytes", "Disk used by the ledger.", func(st *ledgerv1.GetStatusResponse) float64 { return float64(st.GetDiskBytes()) }),
	newFigure("mulian_open_proposals", "Proposals that wait for votes.", func(st *ledgerv1.GetStatusResponse) float64 { return float64(st.GetOpenProposals()) }),
	newFigure("mulian_start_timestamp_seconds", "When the node was started, since 1970.", func(st *ledgerv1.GetStatusResponse) float64 { return float64(st.GetStartedMs()) / 1000 }),
}

// Describe is prometheus.Collector's.
func (x standing) Describe(out chan<- *prometheus.Desc) {
	out <- upDesc
	out <- upgradeDesc
	for _, f := range figures {
		out <- f.desc
	}
}

// Collect is prometheus.Collector's. A node that does not answer has no figures but that.
func (x standing) Collect(out chan<- prometheus.Metric) {
	st := x.s.sampled()
	if st == nil {
		out <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, 0)
		return
	}
	out <- prometheus.MustNewConstMetric(upDesc, prometheus.GaugeValue, 1)
	for _, f := range figures {
		out <- prometheus.MustNewConstMetric(f.desc, prometheus.GaugeValue, f.value(st))
	}
	ready := "true"
	pending := st.GetProtocol().GetPending()
	if pending.GetProtocol() > st.GetProgramProtocol() {
		ready = "false"
	}
	out <- prometheus.MustNewConstMetric(upgradeDesc, prometheus.GaugeValue, float64(pending.GetHeight()), ready)
}

// openProposals counts what waits for votes; 0 without an index.
func (s *Server) openProposals(ctx context.Context) uint32 {
	if s.index == nil {
		return 0
	}
	n, err := s.index.Flagged(ctx, index.Proposal)
	if err != nil {
		return 0
	}
	return uint32(n)
}
