package deliver

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/internal/fault"
)

// DefaultPatience is how long another gateway may say nothing where an answer, a page or
// room for one is due. A provider that reads a slow database sends nothing for longer: its
// asker asks again, and loses no page by it.
const DefaultPatience = time.Minute

// databasePatience is how many times as long a database may take for one step of a scan
// or of a load: a sort before the first row, an index behind the last one.
const databasePatience = 15

// patience is a context that ends when one wait within it was too long. Time between the
// waits does not count.
type patience struct {
	context.Context
	cancel context.CancelFunc
	most   time.Duration
	timer  *time.Timer
	over   atomic.Bool
}

func newPatience(ctx context.Context, most time.Duration) *patience {
	p := &patience{most: cmp.Or(most, DefaultPatience)}
	p.Context, p.cancel = context.WithCancel(ctx)
	p.timer = time.AfterFunc(p.most, func() {
		p.over.Store(true)
		p.cancel()
	})
	p.timer.Stop()
	return p
}

// begin starts a wait, done ends it.
func (p *patience) begin() { p.timer.Reset(p.most) }

func (p *patience) done() { p.timer.Stop() }

// end ends the context.
func (p *patience) end() {
	p.timer.Stop()
	p.cancel()
}

// key under which a request's context carries its patience.
type patienceKey struct{}

func (p *patience) Value(key any) any {
	if key == (patienceKey{}) {
		return p
	}
	return p.Context.Value(key)
}

// watchful notes each piece of an answer that arrives: a slow line is not a silent one.
type watchful struct{ rpc.HTTPClient }

func (w watchful) Do(req *http.Request) (*http.Response, error) {
	res, err := w.HTTPClient.Do(req)
	if p, ok := req.Context().Value(patienceKey{}).(*patience); ok && err == nil {
		p.begin()
		res.Body = &arriving{res.Body, p}
	}
	return res, err
}

type arriving struct {
	io.ReadCloser
	patience *patience
}

func (a *arriving) Read(b []byte) (int, error) {
	n, err := a.ReadCloser.Read(b)
	if n > 0 {
		a.patience.begin()
	}
	return n, err
}

// fault is err, or if the patience was at its end, that: with the code, of whom it says.
func (p *patience) fault(code fault.Code, err error, whom string) error {
	if err == nil || !p.over.Load() {
		return err
	}
	return &fault.Fault{Code: code, Text: whom + " has said nothing for " + p.most.String(), Err: err}
}
