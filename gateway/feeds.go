package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mulian/gateway/connect"
)

const (
	// lagEvery is how often the databases are asked at most what they keep: anybody who reaches
	// /metrics can ask us.
	lagEvery = 10 * time.Second
	lagWait  = 2 * time.Second
	// giveUpWait bounds the removal of what one source's feed left on its server.
	giveUpWait = 20 * time.Second
)

// feedMeter tells what the databases keep of their logs for this gateway's feeds.
type feedMeter struct {
	sources                   map[string]*source
	kept, limit, active, lost *prometheus.Desc

	mu   sync.Mutex // held while they are asked: one asks for all
	at   time.Time
	lags map[string]connect.FeedLag
}

func (g *Gateway) feedMeter() *feedMeter {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc("mulian_gateway_feed_"+name, help, []string{"source"}, nil)
	}
	return &feedMeter{
		sources: g.sources,
		kept:    desc("kept_bytes", "What the database keeps of its log for this gateway's feed."),
		limit:   desc("limit_bytes", "What it keeps at most; 0: no bound."),
		active:  desc("active", "1 if the feed is followed."),
		lost:    desc("lost", "1 if the bound was reached: followers take the whole again."),
	}
}

// Describe is prometheus.Collector's.
func (m *feedMeter) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.kept, m.limit, m.active, m.lost} {
		out <- d
	}
}

// Collect is prometheus.Collector's. A database without a feed, or that does not answer, tells nothing.
func (m *feedMeter) Collect(out chan<- prometheus.Metric) {
	for name, l := range m.ask() {
		for d, value := range map[*prometheus.Desc]float64{m.kept: float64(l.Bytes), m.limit: float64(l.Limit), m.active: oneIf(l.Active), m.lost: oneIf(l.Lost)} {
			out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, name)
		}
	}
}

func (m *feedMeter) ask() map[string]connect.FeedLag {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.at) < lagEvery {
		return m.lags
	}
	ctx, cancel := context.WithTimeout(context.Background(), lagWait)
	defer cancel()
	var asking sync.WaitGroup
	var mu sync.Mutex // guards lags
	lags := map[string]connect.FeedLag{}
	for name, s := range m.sources {
		keeper, ok := s.db.(connect.FeedKeeper)
		if !ok {
			continue
		}
		asking.Go(func() {
			if l, err := keeper.FeedLag(ctx); err == nil && l.There {
				mu.Lock()
				lags[name] = l
				mu.Unlock()
			}
		})
	}
	asking.Wait()
	m.lags, m.at = lags, time.Now()
	return lags
}

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// giveUp removes what the feeds of sources left on their servers that are configured no more.
func giveUp(ctx context.Context, before, now *Config, log *slog.Logger) {
	still := map[string]bool{}
	for _, s := range now.Sources {
		if url, err := s.Address(); err == nil {
			still[url] = true
		}
	}
	for _, s := range before.Sources {
		url, err := s.Address()
		if err == nil && still[url] {
			continue
		}
		if err == nil {
			err = DropFeed(ctx, url)
		}
		var no *connect.NoFeedError
		switch {
		case errors.As(err, &no):
			log.Warn("what the feed of a removed source left is still on its server, which keeps its log for it; an administrator removes it", "source", s.Name, "statements", no.Statements)
		case err != nil:
			log.Warn("whether the feed of a removed source left something on its server is not known; the server may keep its log for it", "source", s.Name, "err", err)
		}
	}
}

// DropFeed removes what a feed left on a source's server, when the source is given up. A
// *connect.NoFeedError has the statements where the account may not; connect.ErrFeedBusy:
// a gateway follows it.
func DropFeed(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, giveUpWait)
	defer cancel()
	db, err := connect.Open(ctx, url)
	if err != nil {
		return err
	}
	defer db.Close()
	if keeper, ok := db.(connect.FeedKeeper); ok {
		return keeper.DropFeed(ctx)
	}
	return nil
}
