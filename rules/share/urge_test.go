package share_test

import (
	"strings"
	"testing"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

// TestUrging: an overdue answer is urged by who waits for it or by the authority, each
// once in 24 hours; it stays on record and moves no clock.
func TestUrging(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	id := w.Must(w.Consumer, w.Request(nil))[0]
	urge := &sharev1.UrgeRequest{Request: id, Note: "群众在等"}
	w.Want(fault.NotFound, w.Consumer, &sharev1.UrgeRequest{Request: "0000000000000000"})
	w.Want(fault.IllegalTransition, w.Consumer, urge) // in time
	due := request(w, id).Clock.DueMs
	w.Wait(due - w.Now - 1)
	w.Want(fault.IllegalTransition, w.Consumer, urge)
	w.Wait(1)
	w.Want(fault.Forbidden, w.Provider, urge)
	w.Want(fault.Forbidden, w.ConsumerGateway, urge) // a machine does not urge
	w.Want(fault.TooLong, w.Consumer, &sharev1.UrgeRequest{Request: id, Note: strings.Repeat("急", 1001)})
	w.Must(w.Consumer, urge)
	w.Want(fault.Busy, w.Consumer, urge)
	w.Must(w.Authority, &sharev1.UrgeRequest{Request: id}) // has its own day
	w.Want(fault.Busy, w.Authority, urge)
	w.Wait(rulestest.Day)
	w.Must(w.Consumer, &sharev1.UrgeRequest{Request: id, Note: "第二次"})

	r := request(w, id)
	if len(r.Urgings) != 2 || r.Urgings[0].Times != 1 || r.Urgings[1].Times != 2 || r.Urgings[1].Note != "第二次" || r.Urgings[1].AtMs != w.Now {
		t.Errorf("urgings %v", r.Urgings)
	}
	if r.State != received || r.Clock.DueMs != due || !r.Clock.Overdue {
		t.Errorf("state %s, clock %v: urging moves neither", r.State, r.Clock)
	}
	w.Must(w.Provider, &sharev1.Answer{Request: id, Accept: false, Reason: "理由"})
	w.Wait(rulestest.Day)
	w.Want(fault.IllegalTransition, w.Consumer, urge)
	if n := len(request(w, id).Urgings); n != 2 {
		t.Errorf("%d urgings are left after the answer, want 2", n)
	}
}

// TestUrgingWaitsForWhoIsLate: while the requester owes a supplement, nobody urges the provider.
func TestUrgingWaitsForWhoIsLate(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	id := w.Must(w.Consumer, w.Request(nil))[0]
	w.Must(w.Provider, &sharev1.AskMore{Request: id, Missing: []string{"依据"}})
	w.Wait(60 * rulestest.Day)
	w.Want(fault.IllegalTransition, w.Consumer, &sharev1.UrgeRequest{Request: id})
}
