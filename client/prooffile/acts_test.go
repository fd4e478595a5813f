package prooffile

import (
	"context"
	"sync"
	"testing"

	"connectrpc.com/connect"

	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// TestTheActsOfABusyObject: of an agreement that a gateway has touched a thousand
// times, its beginning and what persons did at last are shown.
func TestTheActsOfABusyObject(t *testing.T) {
	s := tell(newWorld(t, "proof-busy", validator(t, "v1", 1, true)))
	touch := func(n int) {
		for range n {
			s.world.log(&tracev1.Event{Verb: "trace/anchor_head", Actor: doorID, Objects: []string{"trace/head/" + doorID, agreementKey}})
		}
	}
	touch(500)
	s.act(consumer, key(t, sm.P256, consumer), "share/suspend_agreement", map[string]msg{agreementKey: &sharev1.Agreement{Id: agreementID, Version: 3}}, agreementKey)
	touch(800)
	s.act(provider, key(t, sm.SM2, provider), "share/resume_agreement", map[string]msg{agreementKey: &sharev1.Agreement{Id: agreementID, Version: 4}}, agreementKey)
	touch(20)
	s.block(nil)
	s.block(nil)
	r := s.maker.Verify(must(t)(s.maker.Object(context.Background(), agreementKey)))
	var as []string
	for _, x := range r.Signers {
		as = append(as, x.As)
	}
	if len(as) < 2 || as[0] != "share/answer" || as[len(as)-1] != "share/resume_agreement" {
		t.Errorf("%v", as)
	}
}

// TestFilesStayBelow16KiB: what is proved of an object, event or access needs less, whatever the
// transaction brought beside it, with the signature of who did it; the transaction itself is
// in a file of its own, whole.
func TestFilesStayBelow16KiB(t *testing.T) {
	s := tell(newWorld(t, "proof-large", validator(t, "v1", 1, true)))
	id := s.submit(200)
	file := must(t)(s.maker.Object(context.Background(), entryKey(150)))
	r := s.maker.Verify(file)
	if !r.OK || len(file) > 8<<10 || len(r.Signers) != 1 || r.Signers[0].Account != provider || r.Signers[0].As != "catalogue/submit_entries" {
		t.Errorf("%d bytes, %+v", len(file), r)
	}
	c := contentOf(t, file)
	if len(c.sealed) != 1 || string(c.sealed[0].id) != string(id[:]) || c.sealed[0].body != nil {
		t.Errorf("%+v", c.sealed)
	}
	whole := contentOf(t, must(t)(s.maker.Transaction(context.Background(), id)))
	if got := idOf(whole.sealed[0].body); got != id || string(whole.sealed[0].signature) != string(c.sealed[0].signature) {
		t.Errorf("the file of the transaction has another body, or another signature")
	}
	for _, v := range committed(t) {
		if file, _ := v.read(t); v.OK && len(file) > 16<<10 && v.File != "transaction-of-many.mulian-proof.json" {
			t.Errorf("%s has %d bytes", v.File, len(file))
		}
	}
}

// TestAnAccessByItsNumber: found between the anchors that brought its number, by
// halving; a number that no anchor has is NotFound.
func TestAnAccessByItsNumber(t *testing.T) {
	s := tell(newWorld(t, "proof-numbers", validator(t, "v1", 1, true)))
	for _, size := range []int{9, 10, 40, 41, 60} {
		s.anchored(size)
	}
	s.block(nil)
	s.block(nil)
	for _, seq := range []uint64{8, 9, 10, 11, 40, 41, 60} {
		from, to, err := s.maker.span(context.Background(), agreementID, doorID, seq)
		if err != nil || seq <= from || seq > to {
			t.Errorf("number %d: records %d to %d, %v", seq, from, to, err)
			continue
		}
		leaf, err := search(context.Background(), s.log, agreementID, seq, from, to)
		if err != nil || leaf != seq-1 {
			t.Errorf("number %d: record %d, %v", seq, leaf, err)
		}
	}
	if _, to, err := s.maker.span(context.Background(), agreementID, doorID, 61); err != nil || to != 0 {
		t.Errorf("a number that is not there: %d, %v", to, err)
	}
	if _, err := search(context.Background(), s.log, agreementID, 5, 20, 30); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("a log without the number that was anchored: %v", err)
	}
}

// TestFindKnowsEveryForm of an id.
func TestFindKnowsEveryForm(t *testing.T) {
	s := tell(newWorld(t, "proof-find", validator(t, "v1", 1, true)))
	s.act(provider, key(t, sm.SM2, provider), "share/confirm_delivery", map[string]msg{"share/delivery/" + agreementID + "/0000000012": &sharev1.Delivery{Agreement: agreementID, Number: 12}},
		"share/delivery/"+agreementID+"/0000000012")
	s.block(nil)
	for id, want := range map[string]string{
		agreementID: agreementKey, agreementKey: agreementKey, agreementID + "/12": "share/delivery/" + agreementID + "/0000000012",
		doorID: "identity/account/" + doorID, "event:40": "40", provider + ":1": driftKey,
	} {
		file, err := s.maker.Find(context.Background(), id)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if r := s.maker.Verify(file); r.Object != want {
			t.Errorf("%s: %s, want %s", id, r.Object, want)
		}
	}
	for _, id := range []string{"", "nothing", "event:99999", agreementID + "#7", string(make([]byte, 600))} {
		if _, err := s.maker.Find(context.Background(), id); !fault.Is(err, fault.NotFound) && connect.CodeOf(err) != connect.CodeNotFound {
			t.Errorf("%.20q: %v", id, err)
		}
	}
}

// TestManyAtOnce: one maker serves many, across a change of validators.
func TestManyAtOnce(t *testing.T) {
	s := tell(fourWorld(t))
	changeAll(t, s.world)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			id := []string{agreementKey, driftKey, evidenceKey, "event:7"}[i%4]
			if file, err := s.maker.Find(context.Background(), id); err != nil || !s.maker.Verify(file).OK {
				t.Errorf("%s: %v", id, err)
			}
		})
	}
	all.Wait()
}
