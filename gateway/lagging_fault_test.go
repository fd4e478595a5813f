package gateway_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"mulian/gen/mulian/ledger/v1/ledgerv1connect"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// lagging stands in front of a member and shows the ledger as it was: what is asked gets the
// answer, with its proof, that it got before. What it never answered it does not know.
type lagging struct {
	member http.Handler

	mu     sync.Mutex // guards the fields below
	frozen bool
	still  bool              // nothing that is sent is taken either
	said   map[string]answer // by path and question
	again  int               // old answers given since it froze
}

type answer struct {
	head http.Header
	body []byte
}

func newLagging(t *testing.T, member string) (*lagging, string) {
	t.Helper()
	to, err := url.Parse(member)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.FlushInterval = -1 // streams go on at once
	p := &lagging{member: proxy, said: map[string]answer{}}
	front := httptest.NewServer(p)
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	return p, front.URL
}

func (p *lagging) freeze(frozen, still bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen, p.still, p.again = frozen, still, 0
}

func (p *lagging) repeated() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.again
}

func (p *lagging) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20)) // whole, or its end is not seen
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if r.URL.Path == ledgerv1connect.LedgerServiceWatchProcedure {
		p.watch(w, r)
		return
	}
	question := r.URL.Path + "\x00" + string(body)
	// What became of a transaction is told as long as any are taken: the member says that it
	// is committed, and shows a state without it.
	reads := r.URL.Path != ledgerv1connect.LedgerServiceGetTxProcedure && (strings.Contains(r.URL.Path, "/Get") || strings.Contains(r.URL.Path, "/List"))
	p.mu.Lock()
	frozen, still := p.frozen, p.still
	old, has := p.said[question]
	if frozen && has {
		p.again++
	}
	p.mu.Unlock()
	switch {
	case frozen && reads && has:
		for k, v := range old.head {
			w.Header()[k] = v
		}
		w.Write(old.body)
	case frozen && (reads || still):
		http.Error(w, "not yet", http.StatusServiceUnavailable)
	case reads:
		got := httptest.NewRecorder()
		p.member.ServeHTTP(got, r)
		if got.Code == http.StatusOK {
			p.mu.Lock()
			p.said[question] = answer{got.Header().Clone(), got.Body.Bytes()}
			p.mu.Unlock()
		}
		for k, v := range got.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(got.Code)
		w.Write(got.Body.Bytes())
	default:
		p.member.ServeHTTP(w, r)
	}
}

// watch hides what happens once it is frozen: who listens hears nothing.
func (p *lagging) watch(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	frozen := p.frozen
	p.mu.Unlock()
	if frozen {
		<-r.Context().Done()
		return
	}
	p.member.ServeHTTP(muffled{w, p}, r)
}

// muffled passes on what is said while nothing is frozen.
type muffled struct {
	http.ResponseWriter
	lagging *lagging
}

func (h muffled) Write(b []byte) (int, error) {
	h.lagging.mu.Lock()
	defer h.lagging.mu.Unlock()
	if h.lagging.frozen {
		return 0, io.ErrClosedPipe
	}
	return h.ResponseWriter.Write(b)
}

func (h muffled) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// TestLaggingNode: the ledger that a provider's gateway sees stands still: its member answers
// at once, with proofs that hold, of a state that was. An agreement that was suspended
// meanwhile is not released on that state: the gateway refuses with 12020, whether or not
// the member still takes what it sends, and goes on when the member has caught up.
func TestLaggingNode(t *testing.T) {
	heavy(t)
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	cfg := w.planningConfig()
	p, front := newLagging(t, w.url)
	cfg.Server = front
	door := w.open(cfg)
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	r := w.rogue(door)
	ask := func() error { return r.query(r.sign(r.body(agreement, nil))) }
	want(t, fault.OK, ask())
	for name, still := range map[string]bool{"what is sent is taken": false, "nothing is taken": true} {
		p.freeze(true, still)
		w.must(w.planning, &sharev1.SuspendAgreement{Agreement: agreement, Cause: "核查"}) // by another member
		w.eventually(name+": nothing is released", func() bool { return ask() != nil })
		released := door.Status().Granted
		for range 2 { // each waits until its anchor is given up
			want(t, fault.StaleHeight, ask())
		}
		if s := door.Status(); s.Granted != released {
			t.Errorf("%s: %d released", name, s.Granted-released)
		}
		w.eventually(name+": it says so", func() bool { s := door.Status(); return !s.OK && s.Trouble != "" })
		if p.repeated() == 0 {
			t.Errorf("%s: no old answer was given: nothing was tested", name)
		}
		p.freeze(false, false)
		w.eventually(name+": the suspension is seen", func() bool { return fault.Is(ask(), fault.AgreementSuspended) })
		w.must(w.planning, &sharev1.ResumeAgreement{Agreement: agreement})
		w.eventually(name+": it goes on", func() bool { return ask() == nil })
		w.well(door)
	}
}
