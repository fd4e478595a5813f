package gateway_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"mulian/gateway/connect"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// lockedTable is a real SQLite database behind a lock of our own: a query comes in, and waits.
type lockedTable struct {
	connect.Source
	lock *dbLock
}

type dbLock struct {
	sync.Mutex
	on   bool
	in   chan struct{} // a query waits
	free chan struct{} // it may go on
}

// locks by the database's path.
var locks sync.Map

func init() {
	connect.Register(connect.Driver{Source: func(ctx context.Context, url string) (connect.Source, error) {
		path := strings.TrimPrefix(url, "held:")
		s, err := connect.Open(ctx, "sqlite:"+path)
		if err != nil {
			return nil, err
		}
		l, _ := locks.LoadOrStore(path, &dbLock{in: make(chan struct{}, 8), free: make(chan struct{})})
		return &lockedTable{s, l.(*dbLock)}, nil
	}}, "held")
}

func (h *lockedTable) Query(ctx context.Context, s connect.Selection) ([]connect.Row, error) {
	h.lock.Lock()
	on := h.lock.on
	h.lock.Unlock()
	if on {
		h.lock.in <- struct{}{}
		select {
		case <-h.lock.free:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return h.Source.Query(ctx, s)
}

// TestRevokedWhileTheDatabaseIsHeld: an agreement is suspended between the decision and the
// database's answer. Nothing is released, and the refusal is in the log.
func TestRevokedWhileTheDatabaseIsHeld(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(10)
	cfg := w.planningConfig()
	cfg.Sources[0].URL, cfg.AnchorSeconds = "held:"+w.permits, 1
	door := w.open(cfg)
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	r := w.rogue(door)
	want(t, fault.OK, r.query(r.sign(r.body(agreement, nil))))
	x, _ := locks.Load(w.permits)
	l := x.(*dbLock)
	l.Lock()
	l.on = true
	l.Unlock()
	released := door.records(t, agreement, tracev1.Outcome_OUTCOME_COMPLETED)
	m := r.sign(r.body(agreement, nil))
	answer := make(chan error, 1)
	go func() { answer <- r.query(m) }()
	<-l.in
	height := w.must(w.planning, &sharev1.SuspendAgreement{Agreement: agreement, Cause: "核查"}).Height
	w.eventually("the gateway has seen it", func() bool { return door.Status().ViewHeight >= height })
	close(l.free)
	want(t, fault.AgreementSuspended, <-answer)
	if n := door.records(t, agreement, tracev1.Outcome_OUTCOME_COMPLETED); n != released {
		t.Errorf("%d releases are logged, there were %d before", n, released)
	}
	if n := door.records(t, agreement, tracev1.Outcome_OUTCOME_REFUSED); n != 1 {
		t.Errorf("%d refusals are logged", n)
	}
}
