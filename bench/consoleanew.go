package bench

import (
	"context"
	"time"

	"connectrpc.com/connect"

	"mulian/client"
	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/gen/mulian/console/v1/consolev1connect"
)

// anew measures what the lists' figures hide: the server keeps what it counts over the whole
// for some seconds, and most callers get what was kept. Asked again and again while the chain
// goes on, an answer of another height was made for who asks.
func (s *settlement) anew(ctx context.Context, o Options, r *Result) error {
	overview := consolev1connect.NewOverviewServiceClient(client.HTTPClient(), s.member.URL())
	all := []*counted{
		{name: "overview", ask: func() (int64, error) {
			return heightOf(overview.GetOverview(ctx, req(&consolev1.GetOverviewRequest{Days: 31})))
		}},
		{name: "map", ask: func() (int64, error) {
			return heightOf(overview.GetCoverage(ctx, req(&consolev1.GetCoverageRequest{})))
		}},
		{name: "findings", ask: func() (int64, error) {
			return heightOf(overview.ListFindings(ctx, req(&consolev1.ListFindingsRequest{})))
		}},
		{name: "report", ask: func() (int64, error) {
			return heightOf(overview.GetReport(ctx, req(&consolev1.GetReportRequest{})))
		}},
	}
	for waits, end := len(all), time.Now().Add(consoleAnewFor); waits > 0 && time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(consoleWrites / 4):
		}
		waits = 0
		for _, c := range all {
			if err := c.again(); err != nil {
				return err
			}
			if c.n < consoleAnew {
				waits++
			}
		}
	}
	for _, c := range all {
		if c.n == 0 {
			o.Say("%s: no answer was made anew within %s", c.name, consoleAnewFor)
			continue
		}
		r.Add(Figure{Name: c.name + "_anew_p50_ms", Value: c.times.Ms(50), Unit: "ms", Note: "made for who asks, nothing kept"})
		r.Add(Figure{Name: c.name + "_anew_max_ms", Value: c.times.Ms(100), Unit: "ms", Note: "the slowest"})
	}
	return nil
}

// counted is an answer that is kept, and how long it took whenever it was not.
type counted struct {
	name  string
	ask   func() (height int64, err error)
	last  int64 // height of the last answer
	times Times
	n     int
}

func (c *counted) again() error {
	began := time.Now()
	height, err := c.ask()
	if err != nil || height == c.last {
		return err
	}
	if c.last != 0 { // what is read for the first time comes from the disk
		c.times.Add(time.Since(began))
		c.n++
	}
	c.last = height
	return nil
}

// heightOf is the height of an answer.
func heightOf[M any, P interface {
	*M
	GetHeight() int64
}](r *connect.Response[M], err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return P(r.Msg).GetHeight(), nil
}
