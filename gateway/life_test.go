package gateway_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	rpc "connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// terms returns those of the agreement as the ledger has it, after the changes of edit.
func (w *town) terms(agreement string, edit func(*sharev1.Terms)) (*sharev1.Terms, uint64) {
	w.t.Helper()
	g := &sharev1.Agreement{}
	if ok, err := w.chain.Get(context.Background(), "share/agreement/"+agreement, g); err != nil || !ok {
		w.t.Fatalf("agreement %s: %t, %v", agreement, ok, err)
	}
	edit(g.Terms)
	return g.Terms, g.Version
}

// TestReleaseByState walks one agreement through its life: what waits for a signature
// or for its day goes on by the old terms; what is stopped or over is refused with its
// own code.
func TestReleaseByState(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(20)
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byQuery, func(m *sharev1.Terms) { m.Parts[0].Items = []string{"no", "project"} })
	r := w.rogue(door)
	query := func(items ...string) error {
		return r.query(r.sign(r.body(agreement, func(_ *gatewayv1.RequestBody, q *gatewayv1.QueryBody) { q.Items = items })))
	}
	want(t, fault.OK, query("no"))

	terms, version := w.terms(agreement, func(m *sharev1.Terms) { m.Parts[0].Items = []string{"no", "area"} })
	w.must(w.water, &sharev1.ProposeAmendment{Agreement: agreement, Version: version, Terms: terms, Reason: "需要面积"})
	want(t, fault.OK, query("project"))
	want(t, fault.FieldNotGranted, query("area"))
	w.must(w.planning, &sharev1.SignAmendment{Agreement: agreement, Number: 1})
	w.eventually("the new terms hold", func() bool { return query("area") == nil })
	want(t, fault.FieldNotGranted, query("project"))

	w.must(w.water, &sharev1.ProposeRenewal{Agreement: agreement, Version: version + 2, Days: 10, Reason: "继续"})
	want(t, fault.OK, query("no"))

	w.must(w.planning, &sharev1.RecordViolation{Agreement: agreement, Finding: "超范围使用", Days: 5})
	w.eventually("the violation counts", func() bool { return fault.Is(query("no"), fault.AgreementSuspended) })
	w.must(w.authority, &sharev1.SettleViolation{Agreement: agreement, Number: 1, Accept: true})
	w.eventually("it goes on", func() bool { return query("no") == nil })

	ends := time.Now().Add(8 * time.Second).UnixMilli()
	w.must(w.water, &sharev1.EndAgreement{Agreement: agreement, Reason: "系统下线", EndsMs: ends})
	want(t, fault.OK, query("no")) // ENDING
	w.eventually("its day has come", func() bool { return fault.Is(query("no"), fault.Expired) })
	w.eventually("the ledger has noted it", func() bool {
		g := &sharev1.Agreement{}
		ok, err := w.chain.Get(context.Background(), "share/agreement/"+agreement, g)
		return err == nil && ok && g.State == sharev1.AgreementState_AGREEMENT_STATE_DISPOSING
	})
	want(t, fault.Expired, query("no"))

	other := w.agree(byQuery, nil)
	w.must(w.authority, &sharev1.EndAgreement{Agreement: other, Reason: "检查"})
	w.eventually("an end counts", func() bool {
		return fault.Is(r.query(r.sign(r.body(other, nil))), fault.AgreementSuspended)
	})
}

// TestNothingIsReleasedAfterTheRevocationIsSeen: while many ask at once an agreement is
// suspended at a height. No record of a release rests on a state of that height or
// later, and none comes after the asker got its refusal.
func TestNothingIsReleasedAfterTheRevocationIsSeen(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.makePermits(100)
	door := w.open(w.planningConfig())
	w.publish(door)
	agreement := w.agree(byQuery, nil)
	r := w.rogue(door)
	const askers, most = 8, 5000
	template := r.body(agreement, nil)
	asked := make(chan struct{}, askers*most)
	var all sync.WaitGroup
	ask := func(name string) {
		refused := false
		for n := range most {
			b := proto.CloneOf(template)
			b.RequestId, b.ExpiresMs = fmt.Sprintf("revoked-%s-%06d", name, n), time.Now().Add(30*time.Second).UnixMilli()
			_, err := r.client.Query(context.Background(), rpc.NewRequest(r.sign(b)))
			switch err = wire.Fault(err); {
			case refused && err == nil:
				t.Error("released after the same asker was refused")
			case err == nil:
				asked <- struct{}{}
			case fault.Is(err, fault.AgreementSuspended):
				if refused {
					return // twice is enough
				}
				refused = true
			case !fault.Is(err, fault.Busy):
				t.Errorf("%v", err)
				return
			}
		}
		t.Error("it was never refused")
	}
	for i := range askers {
		all.Go(func() { ask(fmt.Sprint(i)) })
	}
	for range 3 * askers { // they are in full swing
		<-asked
	}
	height := w.must(w.planning, &sharev1.SuspendAgreement{Agreement: agreement, Cause: "核查"}).Height
	all.Wait()
	granted, refused := 0, 0
	for n := range door.Records().Size() {
		e, err := door.Records().Record(n)
		if err != nil {
			t.Fatal(err)
		}
		switch rec := e.Record; {
		case rec.Agreement != agreement:
		case rec.Outcome != tracev1.Outcome_OUTCOME_GRANTED:
			refused++
		case rec.ViewHeight >= height:
			t.Errorf("released at height %d of the view; it was suspended at %d", rec.ViewHeight, height)
		default:
			granted++
		}
	}
	if granted == 0 || refused < askers {
		t.Errorf("%d released, %d refused", granted, refused)
	}
	w.must(w.planning, &sharev1.ResumeAgreement{Agreement: agreement})
	w.eventually("it goes on", func() bool { return r.query(r.sign(r.body(agreement, nil))) == nil })
}
