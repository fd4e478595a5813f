package deliver

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"time"

	rpc "connectrpc.com/connect"
	"mulian/gateway/receipt"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
)

// Pull streams the pages of an open delivery from a number on, then its end. It
// judges the agreement again, at the start and every redecide while it runs.
func (p *Provider) Pull(ctx context.Context, m *rpc.Request[gatewayv1.SignedRequest], out *rpc.ServerStream[gatewayv1.Page]) error {
	r, err := p.admit(ctx, m.Msg)
	if err != nil {
		return p.strange(err)
	}
	p.cfg.Anchor.Touch()
	if err := p.pull(ctx, r, out); err != nil {
		return p.failed(err)
	}
	return nil
}

func (p *Provider) pull(ctx context.Context, r *request, out *rpc.ServerStream[gatewayv1.Page]) error {
	b := r.body.GetPull()
	if b == nil {
		return fault.Newf(fault.Malformed, "the request pulls no delivery")
	}
	s, err := p.find(sessionKey{b.GetAgreement(), b.GetDelivery()}, r.asker.GetId())
	if err != nil {
		return err
	}
	defer s.pulls.Add(-1)
	if n := s.pulls.Add(1); n > maxPulls {
		return fault.Newf(fault.Busy, "delivery %d is being pulled %d times", b.GetDelivery(), n-1)
	}
	o := s.now()
	c := claim{agreement: o.Agreement, entry: o.Entry, purpose: o.Purpose, items: o.Items, method: methodBatch, files: true}
	d, err := p.decide(ctx, r, c)
	if err != nil {
		return p.refuse(ctx, r, c, d, err)
	}
	if err := o.holds(d); err != nil { // the pages are those of terms that do not hold any more
		p.fail(ctx, s, err)
		return err
	}
	s.mu.Lock()
	sp := s.spool
	s.mu.Unlock()
	if sp == nil {
		return fault.Newf(fault.Busy, "the pages of delivery %d have to be read anew; open it again", o.Number)
	}
	for n := b.GetFromPage(); ; n++ {
		header, box, done, err := sp.page(ctx, n)
		if errors.Is(err, os.ErrClosed) {
			return fault.Newf(fault.Busy, "delivery %d was given up here", o.Number)
		}
		if err != nil {
			return err
		}
		if done {
			return p.end(ctx, s, d, n, out)
		}
		if d, err = p.mayGoOn(ctx, r, c, d, s); err != nil {
			return err
		}
		if err := s.given.page(sp, n); err != nil {
			return err
		}
		// The disk may have been slow. What is noted counts; it does not leave.
		if d, err = p.mayGoOn(ctx, r, c, d, s); err != nil {
			return err
		}
		page := &gatewayv1.Page{Number: n, Sealed: box}
		if n == b.GetFromPage() {
			page.SealHeader = header
		}
		if err := out.Send(page); err != nil {
			return err
		}
	}
}

// end logs what went out, tells the ledger, and sends that as the last page.
func (p *Provider) end(ctx context.Context, s *session, d *decision, n uint64, out *rpc.ServerStream[gatewayv1.Page]) error {
	s.ending.Lock()
	defer s.ending.Unlock()
	o := s.now()
	if o.Whole == nil {
		return fault.Newf(fault.Cancelled, "the delivery has ended")
	}
	if n != o.Whole.Pages {
		return fault.Newf(fault.OutOfRange, "delivery %d has %d pages, not %d", o.Number, o.Whole.Pages, n)
	}
	e, err := p.completeDelivery(ctx, s, o)
	if err != nil {
		return err
	}
	rcpt, err := p.sign(e)
	if err != nil {
		return err
	}
	raw, err := canon.Marshal(&gatewayv1.PageEnd{Rows: o.Whole.Rows, Bytes: o.Whole.Bytes, Digest: o.Whole.Digest, Receipt: rcpt})
	if err != nil {
		return err
	}
	header, box, err := sealOne(d.seal, deliveryAAD(endDomain, p.cfg.ChainID, p.cfg.Gateway, o.Asker, o.Agreement, o.Number), raw)
	if err != nil {
		return err
	}
	return out.Send(&gatewayv1.Page{Number: n, SealHeader: header, Sealed: box, Last: true})
}

// completeDelivery logs and commits the end of the release, each once.
func (p *Provider) completeDelivery(ctx context.Context, s *session, o offer) (receipt.Entry, error) {
	var e receipt.Entry
	var err error
	if o.Completed != 0 {
		if e, err = p.cfg.Log.Record(o.Completed - 1); err != nil {
			return e, err
		}
	} else {
		e, _, err = p.settle(ctx, s, func(rec *tracev1.AccessRecord) {
			rec.Outcome = tracev1.Outcome_OUTCOME_COMPLETED
			rec.Rows, rec.Bytes, rec.ResponseHash = o.Whole.Rows, o.Whole.Bytes, o.Whole.Hash
		})
		if err != nil {
			return e, err
		}
		if e.Record.GetOutcome() != tracev1.Outcome_OUTCOME_COMPLETED { // it failed while the last page left
			return e, ended(sessionKey{o.Agreement, o.Number}, fault.Newf(fault.Code(e.Record.GetCode()), "record %d of the access log says so", e.Index))
		}
		if err := s.change(func(o *offer) { o.Completed = e.Index + 1 }); err != nil {
			return e, err
		}
	}
	if o.OnLedger {
		return e, nil
	}
	m := &sharev1.CompleteDelivery{Agreement: o.Agreement, Number: o.Number, Rows: o.Whole.Rows, Bytes: o.Whole.Bytes, Digest: o.Whole.Digest}
	if _, err = p.cfg.Chain.Send(ctx, p.signer(), m); err != nil {
		has := &sharev1.Delivery{}
		found, getErr := p.cfg.Chain.Get(ctx, deliveryKey(o.Agreement, o.Number), has)
		if getErr != nil || !found || string(has.GetDigest()) != string(o.Whole.Digest) || has.GetState() == sharev1.DeliveryState_DELIVERY_STATE_FAILED {
			return e, err
		}
	}
	return e, s.change(func(o *offer) { o.OnLedger = true })
}

// Acknowledge keeps the asker's counter-signature beside the log. The one for the
// end of a delivery ends it here too.
func (p *Provider) Acknowledge(ctx context.Context, m *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.AcknowledgeResponse], error) {
	r, err := p.admit(ctx, m.Msg)
	if err != nil {
		return nil, p.strange(err)
	}
	if err := p.acknowledge(r); err != nil {
		return nil, p.failed(err)
	}
	return rpc.NewResponse(&gatewayv1.AcknowledgeResponse{}), nil
}

// acknowledge keeps what holds of a request's acknowledgements, and returns the first
// reason for which one does not.
func (p *Provider) acknowledge(r *request) error {
	b := r.body.GetAcknowledge()
	if b == nil {
		return fault.Newf(fault.Malformed, "the request acknowledges nothing")
	}
	all := append([]*gatewayv1.AcknowledgeBody{b}, b.GetMore()...)
	if len(all) > maxAcknowledged {
		return fault.Newf(fault.TooLong, "%d acknowledgements, at most %d", len(all), maxAcknowledged)
	}
	var fresh []*tracev1.Receipt
	var ended []receipt.Entry
	var refused error
	for i, one := range all {
		e, rcpt, err := p.countersigned(r, one)
		if err == nil && i > 0 && len(one.GetMore()) > 0 {
			err = fault.Newf(fault.Malformed, "acknowledgements within acknowledgements")
		}
		if err != nil {
			refused = cmp.Or(refused, err)
			continue
		}
		if p.acknowledged(e.Index) {
			fresh = append(fresh, rcpt)
		}
		if e.Record.GetDelivery() != 0 && e.Record.GetOutcome() == tracev1.Outcome_OUTCOME_COMPLETED {
			ended = append(ended, e)
		}
	}
	if err := p.acks.Put(fresh...); err != nil {
		return err
	}
	for _, e := range ended {
		s, err := p.find(sessionKey{e.Record.GetAgreement(), e.Record.GetDelivery()}, r.asker.GetId())
		if err == nil {
			err = p.drop(s)
		}
		if err != nil && !fault.Is(err, fault.NotFound) { // not found: acknowledged before
			return err
		}
	}
	return refused
}

// countersigned finds the record that is acknowledged and makes its receipt, signed by
// both.
func (p *Provider) countersigned(r *request, b *gatewayv1.AcknowledgeBody) (receipt.Entry, *tracev1.Receipt, error) {
	e, err := p.record(b.GetLeafIndex())
	if err != nil {
		return e, nil, err
	}
	sum := sha256.Sum256(e.Raw)
	switch {
	case e.Record.GetAsker() != r.asker.GetId():
		return e, nil, fault.Newf(fault.Forbidden, "record %d is not of a request by %s", b.GetLeafIndex(), r.asker.GetId())
	case string(sum[:]) != string(b.GetRecordHash()):
		return e, nil, fault.Newf(fault.VerificationFailed, "record %d has another hash", b.GetLeafIndex())
	case len(b.GetKey()) > maxRequestID:
		return e, nil, fault.Newf(fault.Malformed, "key: %d bytes", len(b.GetKey()))
	}
	pub, err := activeKey(r.asker, b.GetKey(), time.Now())
	if err != nil {
		return e, nil, err
	}
	if err := p.eye.Verify(pub, e.Raw, b.GetSignature()); err != nil {
		return e, nil, err
	}
	rcpt, err := p.sign(e)
	if err != nil {
		return e, nil, err
	}
	p.forget(e.Index)
	rcpt.ConsumerKey, rcpt.ConsumerSignature = b.GetKey(), b.GetSignature()
	return e, rcpt, nil
}

// acknowledged notes that a record is, and tells whether it was not before: one
// signature is kept for each.
func (p *Provider) acknowledged(leaf uint64) (first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	word, bit := int(leaf/64), uint64(1)<<(leaf%64)
	if n := word + 1 - len(p.acked); n > 0 {
		p.acked = append(p.acked, make([]uint64, n)...)
	}
	if p.acked[word]&bit != 0 {
		return false
	}
	p.acked[word] |= bit
	return true
}
