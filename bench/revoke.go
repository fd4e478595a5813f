package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// How many ask while an agreement is revoked, and for how long before it is.
const (
	revokeAskers = 8
	revokeLead   = 300 * time.Millisecond
	revokeTrials = 5 // at least
)

// Revoke measures how long after a revocation was sent the last answer under it still
// came: an agreement is suspended while many ask under it through two gateways, again
// and again. The other end of it, that no release rests on a height that has it, is a
// test (gateway, TestNothingIsReleasedAfterTheRevocationIsSeen).
//
// Usage, SourceUnreachable (no database), Cancelled.
func Revoke(ctx context.Context, o Options) (Result, error) {
	if o.Rows == 0 {
		o.Rows = 1000
	}
	return onStage(ctx, o, "revoke", o.rows, revoke)
}

func revoke(ctx context.Context, s *stage) (err error) {
	o, r := s.o, s.r
	q, err := s.questions(ctx, o, s.pair)
	if err != nil {
		return err
	}
	defer func() { err = joined(err, q.stop()) }()
	last, committed := &Times{}, &Times{}
	o.Say("suspending an agreement while %d ask under it", revokeAskers)
	for end := time.Now().Add(time.Duration(o.Seconds) * time.Second); last.Len() < revokeTrials || time.Now().Before(end); {
		if err := s.revokeOnce(ctx, q, last, committed); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		name string
		p    float64
		goal string
	}{{"p50", 50, ""}, {"p95", 95, ""}, {"max", 100, "< 2,000"}} {
		r.Add(Figure{Name: "revoke_to_last_release_" + f.name + "_ms", Value: last.Ms(f.p), Unit: "ms", Goal: f.goal})
	}
	r.Add(Figure{Name: "revoke_to_block_p50_ms", Value: committed.Ms(50), Unit: "ms", Note: "until the sender knew that it was committed"})
	r.Add(Figure{Name: "trials", Value: float64(last.Len())})
	r.Note("from the moment at which the revocation was sent to the arrival of the last answer under it; default settings, %d at once", revokeAskers)
	return nil
}

// revokeOnce asks without a pause, suspends the agreement, waits for the refusal of
// each asker, and lets it go on.
func (w *town) revokeOnce(ctx context.Context, q *questions, last, committed *Times) error {
	if err := until(ctx, "the agreement holds", func() (bool, error) {
		err := q.ask(ctx, 1)
		if fault.Is(err, fault.AgreementSuspended) {
			err = nil
			return false, err
		}
		return err == nil, err
	}); err != nil {
		return err
	}
	asking, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var latest atomic.Int64 // arrival of the last answer, Unix nanoseconds
	var all sync.WaitGroup
	for i := range revokeAskers {
		all.Go(func() {
			for n := i; asking.Err() == nil; n += revokeAskers {
				err := q.ask(asking, n)
				switch {
				case fault.Is(err, fault.AgreementSuspended):
					return
				case err != nil && !fault.Is(err, fault.Busy):
					cancel(err)
				case err == nil:
					keepMax(&latest, time.Now().UnixNano())
				}
			}
		})
	}
	time.Sleep(revokeLead) // the load that the measurement is of
	sent := time.Now()
	_, err := w.chain.Send(ctx, w.provider, &sharev1.SuspendAgreement{Agreement: q.agreement, Cause: "核查"})
	if err != nil {
		cancel(err)
	}
	committed.Add(time.Since(sent))
	all.Wait()
	if err := context.Cause(asking); err != nil {
		return err
	}
	last.Add(max(time.Duration(latest.Load()-sent.UnixNano()), 0))
	_, err = w.chain.Send(ctx, w.provider, &sharev1.ResumeAgreement{Agreement: q.agreement})
	return err
}

func keepMax(at *atomic.Int64, n int64) {
	for {
		was := at.Load()
		if n <= was || at.CompareAndSwap(was, n) {
			return
		}
	}
}
