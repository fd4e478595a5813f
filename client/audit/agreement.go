package audit

import (
	"context"
	"strconv"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client/prooffile"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/wire"
)

// readPact reads an agreement and the events that stopped it. The events are the
// server's word until a file proves them.
func (a *Auditor) readPact(ctx context.Context, id string, p *pact) error {
	g := &sharev1.Agreement{}
	key := "share/agreement/" + id
	found, _, err := a.proved.Get(ctx, key, g)
	if err != nil || !found {
		return err
	}
	if p.raw, err = canon.Marshal(g); err != nil {
		return err
	}
	if p.secrecy = g.GetSecrecy(); p.secrecy > 0 {
		if err := a.readOrders(ctx, id, p); err != nil {
			return err
		}
	}
	if g.GetState() == sharev1.AgreementState_AGREEMENT_STATE_ACTIVE && g.GetVersion() <= 2 {
		return nil // signed by both, and nothing since
	}
	for after, seen := "", 0; seen < maxStops; {
		res, err := a.cfg.Chain.Trace.Trace(ctx, connect.NewRequest(&tracev1.TraceRequest{Object: key, Direct: true, After: after, Limit: 200}))
		if err != nil {
			return wire.Fault(err)
		}
		for _, s := range res.Msg.GetSteps() {
			if e := s.GetEvent(); prooffile.Stops(e.GetNote()) && strings.HasPrefix(e.GetVerb(), "share/") {
				raw, err := canon.Marshal(e)
				if err != nil {
					return err
				}
				p.stops = append(p.stops, stop{seq: s.GetSeq(), event: raw})
			}
		}
		seen += len(res.Msg.GetSteps())
		if next := res.Msg.GetNext(); next != "" && next != after {
			after = next
			continue
		}
		return nil
	}
	return nil
}

// judge holds the record of a release against its agreement: outside, revoked, counts.
func (a *Auditor) judge(ctx context.Context, r *tracev1.AccessRecord, raw []byte, f Finding, shown prooffile.Shown) error {
	granted, completed := r.GetOutcome() == tracev1.Outcome_OUTCOME_GRANTED, r.GetOutcome() == tracev1.Outcome_OUTCOME_COMPLETED
	if !granted && !completed {
		return nil
	}
	if byGrant(r) {
		return a.judgeGrant(ctx, r, f, shown)
	}
	p := &pact{}
	if r.GetAgreement() != "" {
		var err error
		if p, err = a.pact(ctx, r.GetAgreement()); err != nil {
			return err
		}
	}
	breach, err := prooffile.OutsideOf(raw, p.raw)
	if err != nil {
		return err
	}
	if len(breach) > 0 {
		f.Rule, f.Says = prooffile.RuleOutside, strings.Join(breach, ", ")
		if err := a.note(ctx, f, &prooffile.Finding{Records: []prooffile.Shown{shown}, Event: -1}); err != nil {
			return err
		}
	}
	for _, s := range p.stops {
		breach, err := prooffile.RevokedBy(raw, p.raw, s.event)
		if err != nil {
			return err
		}
		if len(breach) > 0 {
			f.Rule, f.Says = prooffile.RuleRevoked, strings.Join(breach, ", ")
			if err := a.note(ctx, f, &prooffile.Finding{Records: []prooffile.Shown{shown}, Event: s.seq}); err != nil {
				return err
			}
			break
		}
	}
	if completed && r.GetDelivery() > 0 {
		return a.compareDelivery(ctx, r, f, shown)
	}
	return nil
}

// compareDelivery holds the rows of a batch's end against those on the ledger.
func (a *Auditor) compareDelivery(ctx context.Context, r *tracev1.AccessRecord, f Finding, shown prooffile.Shown) error {
	d := &sharev1.Delivery{}
	number := strconv.FormatUint(r.GetDelivery(), 10)
	key := "share/delivery/" + r.GetAgreement() + "/" + strings.Repeat("0", max(0, 10-len(number))) + number
	found, _, err := a.proved.Get(ctx, key, d)
	if err != nil || !found || d.GetGateway() != r.GetGateway() || d.GetRows() == r.GetRows() ||
		d.GetState() != sharev1.DeliveryState_DELIVERY_STATE_COMPLETED && d.GetState() != sharev1.DeliveryState_DELIVERY_STATE_CONFIRMED {
		return err
	}
	f.Rule, f.Says = prooffile.RuleCounts, strconv.FormatUint(r.GetRows(), 10)+" rows, the ledger has "+strconv.FormatUint(d.GetRows(), 10)
	return a.note(ctx, f, &prooffile.Finding{Records: []prooffile.Shown{shown}, Event: -1})
}

// read reads a record's bytes; false if they are none.
func read(raw []byte) (*tracev1.AccessRecord, bool) {
	r := &tracev1.AccessRecord{}
	return r, proto.Unmarshal(raw, r) == nil
}
