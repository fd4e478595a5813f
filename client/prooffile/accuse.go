package prooffile

import (
	"context"
	"time"

	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// Finding is what somebody found about a gateway, with what he has to show for it. The
// rule says which fields count; docs/spec/proof.md, section 4.4.
type Finding struct {
	Rule        string
	Gateway     string
	Records     []Shown
	Checkpoints [][]byte // signed notes as they were read
	Event       int64    // number in the ledger's log, of revoked and unanchored; below 0: none
	// Of rewritten: the root of the newer state's first records, as many as the older state
	// has, and its proof of consistency. With one checkpoint, the head on the ledger is
	// the other state of forked and rewritten.
	Root []byte
	Path [][]byte
	// Log is the gateway's log; nil: the one that it serves.
	Log Leaves
}

// Shown is a record: as it stands in the log, or as the gateway has signed it.
type Shown struct {
	Leaf    uint64           // in the log, if there is no receipt
	Receipt *tracev1.Receipt // signed by the gateway; nil: the log's
}

// Finding makes the file of a finding. VerificationFailed if it does not hold: nobody is
// accused of what cannot be shown.
func (m *Maker) Finding(ctx context.Context, x Finding) ([]byte, error) {
	f := &finding{rule: x.Rule, root: x.Root}
	for _, p := range x.Path {
		f.path = append(f.path, p...)
	}
	d := &draft{kind: kindFinding, subject: x.Gateway, finding: f}
	if x.Event >= 0 && (x.Rule == RuleRevoked || x.Rule == RuleUnanchored) {
		d.events = []act{{seq: x.Event}}
	}
	if err := m.present(ctx, d, &x); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, anchorWait)
	defer cancel()
	for {
		file, err := m.seal(ctx, d)
		if err != errNotAnchored {
			return file, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// present fills in what the rule rests on, and says which objects prove it.
func (m *Maker) present(ctx context.Context, d *draft, x *Finding) error {
	f, logged := d.finding, false
	for _, s := range x.Records {
		c := &claimed{in: inReceipt}
		if r := s.Receipt; r != nil {
			c.access = access{record: r.GetRecord(), providerKey: r.GetProviderKey(), providerSigned: r.GetProviderSignature(), consumerKey: r.GetConsumerKey(), consumerSign: r.GetConsumerSignature()}
		} else {
			var err error
			if x.Log, err = m.log(ctx, x.Gateway, x.Log); err != nil {
				return err
			}
			c.in, c.leaf, logged = inHead, s.Leaf, true
			if c.record, err = x.Log.Leaf(ctx, s.Leaf); err != nil {
				return err
			}
		}
		f.records = append(f.records, c)
	}
	if len(f.records) > 0 {
		rec, err := scanRecord(f.records[0].record)
		if err != nil {
			return fault.Wrap(fault.Malformed, err, "the record")
		}
		d.more = objectsOf(x.Rule, rec)
		if x.Rule == RuleWithoutUse {
			if d.more, err = m.usesOf(ctx, rec); err != nil {
				return err
			}
		}
		if x.Rule == RuleSecrecy || x.Rule == RuleUnopened {
			g := &sharev1.Agreement{}
			if _, err := m.c.Get(ctx, pactPrefix+rec.text(2), g); err != nil {
				return err
			}
			if g.GetSecrecy() > 0 {
				d.more = append(d.more, secrecyPrefix+rec.text(2))
			}
		}
	}
	if len(x.Checkpoints) > 0 {
		account := accountPrefix + x.Gateway
		d.more = append(d.more, account)
		a := &identityv1.Account{}
		if _, err := m.c.Get(ctx, account, a); err != nil {
			return err
		}
		for _, note := range x.Checkpoints {
			plain, err := OwnNote(note, a.GetGateway())
			if err != nil {
				return err
			}
			f.checkpoints = append(f.checkpoints, plain)
		}
	}
	if logged || len(x.Checkpoints) == 1 || x.Rule == RuleUnanchored && x.Event < 0 {
		d.first = headPrefix + x.Gateway
		d.path = func(ctx context.Context, size uint64) error { return x.ways(ctx, f, size) }
	}
	return nil
}

// objectsOf are the objects beside head and keys on which a rule rests.
func objectsOf(rule string, r *record) []string {
	switch {
	case rule == RuleCounts:
		return []string{deliveryKey(r)}
	case rule == RuleSecrecy:
		return []string{pactPrefix + r.text(2)}
	case rule == RuleUnopened:
		return []string{pactPrefix + r.text(2), sequencePrefix + r.text(2) + "/" + r.gateway()}
	case rule == RuleRevoked, rule == RuleOutside && r.text(2) != "":
		return []string{pactPrefix + r.text(2)}
	}
	return nil
}

// ways fills in how the logged records lead to the head of that size.
func (x *Finding) ways(ctx context.Context, f *finding, size uint64) error {
	for _, c := range f.records {
		if c.in != inHead {
			continue
		}
		if size <= c.leaf {
			return errNotAnchored
		}
		way, err := x.Log.Way(ctx, c.leaf, size)
		if fault.Is(err, fault.NotFound) {
			return errNotAnchored
		}
		if err != nil {
			return err
		}
		c.path = nil
		for _, h := range way {
			c.path = append(c.path, h...)
		}
	}
	return nil
}

// OutsideOf tells in what a record of a release is not by its agreement, as the ledger
// has it; nil if it is, or is of no release. No agreement: nil bytes.
func OutsideOf(rec, agreement []byte) ([]string, error) {
	x, err := scanRecord(rec)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the record")
	}
	if agreement == nil {
		return outside(x, nil), nil
	}
	p, err := scanPact(agreement)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the agreement")
	}
	return outside(x, p), nil
}

// RevokedBy tells in what a record of a release rests on an agreement that an event of
// the ledger had stopped; nil if it does not.
func RevokedBy(rec, agreement, stop []byte) ([]string, error) {
	x, err := scanRecord(rec)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the record")
	}
	p, err := scanPact(agreement)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the agreement")
	}
	e, err := scanEvent(stop)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the event")
	}
	return revoked(x, p, e), nil
}

// Stops tells whether an event that notes this state stops an agreement.
func Stops(note string) bool {
	_, stopped := stops[note]
	return stopped
}
