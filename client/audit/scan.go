package audit

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"mulian/client/prooffile"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// scan reads the anchored records from where the last run ended, as leaves of the tree
// whose root the ledger has, and then looks at what is not anchored yet.
// ok is false where they could not be read as such, and the memory is then of no use.
func (a *Auditor) scan(ctx context.Context, d *door) (ok bool, err error) {
	m, end := d.memory, d.head.GetSize()
	d.log.From, d.log.To = m.Scanned, m.Scanned
	sum, err := ranges.NewRange(0, m.Scanned, m.Hashes)
	if err != nil {
		return false, fault.Wrap(fault.Damaged, err, "memory of %s", m.Gateway)
	}
	// What is found is believed once the leaves are known to be the anchored ones.
	before := len(a.report.Findings)
	for i := m.Scanned; i < end; {
		leaves, err := d.tiles.Bundle(ctx, i)
		if err != nil {
			return false, a.unserved(ctx, d, err)
		}
		for _, raw := range leaves[:min(uint64(len(leaves)), end-i)] {
			if err := sum.Append(rfc6962.DefaultHasher.HashLeaf(raw), nil); err != nil {
				return false, fault.Wrap(fault.Internal, err, "tree")
			}
			if err := a.leaf(ctx, d, i, raw); err != nil {
				return false, err
			}
			i++
		}
		d.log.To = i
		a.cfg.Progress(m.Gateway, i, end)
	}
	if end > m.Scanned {
		root, err := sum.GetRootHash(nil)
		if err != nil {
			return false, fault.Wrap(fault.Internal, err, "tree")
		}
		if !bytes.Equal(root, d.head.GetRoot()) {
			a.report.Findings = a.report.Findings[:before]
			d.log.To = m.Scanned
			return false, a.note(ctx, Finding{Rule: Withheld, Gateway: m.Gateway, Place: end, Says: "the records that are served are not those that the ledger's head is of"}, nil)
		}
		m.Scanned, m.Hashes = end, sum.Hashes()
	}
	if err := a.compareSequences(ctx, d); err != nil {
		return false, err
	}
	if err := a.dueSecrets(ctx, d); err != nil {
		return false, err
	}
	return true, a.overdue(ctx, d, sum)
}

// leaf looks at one anchored record.
func (a *Auditor) leaf(ctx context.Context, d *door, index uint64, raw []byte) error {
	m := d.memory
	f := Finding{Gateway: m.Gateway, Place: index + 1}
	shown := prooffile.Shown{Leaf: index}
	r, ok := read(raw)
	if !ok || r.GetGateway() != m.Gateway {
		f.Rule, f.Says = Unreadable, "it is no record of this gateway"
		return a.note(ctx, f, nil)
	}
	f.Agreement, f.Number = r.GetAgreement(), r.GetSeq()
	switch {
	case r.GetPlace() == index+1:
		m.Placed = true
	case r.GetPlace() != 0:
		f.Rule, f.Says = prooffile.RuleMisplaced, fmt.Sprintf("it names the place %d", r.GetPlace())
		if err := a.note(ctx, f, &prooffile.Finding{Records: []prooffile.Shown{shown}, Event: -1, Log: d.tiles}); err != nil {
			return err
		}
	case m.Placed:
		f.Rule, f.Says = Unplaced, "it names no place, and earlier ones do"
		if err := a.note(ctx, f, nil); err != nil {
			return err
		}
	}
	if err := a.number(ctx, d, r, f, shown); err != nil {
		return err
	}
	if err := a.secret(ctx, d, r, raw, f, shown); err != nil {
		return err
	}
	return a.judge(ctx, r, raw, f, shown)
}

// number holds a decision against the agreement's last number.
func (a *Auditor) number(ctx context.Context, d *door, r *tracev1.AccessRecord, f Finding, shown prooffile.Shown) error {
	decides := r.GetOutcome() == tracev1.Outcome_OUTCOME_GRANTED || r.GetOutcome() == tracev1.Outcome_OUTCOME_REFUSED
	if r.GetAgreement() == "" || !decides {
		return nil
	}
	m := d.memory
	n, known := m.Agreements[r.GetAgreement()]
	if !known && len(m.Agreements) >= maxAgreements {
		return fault.Newf(fault.TooLong, "more than %d agreements at %s", maxAgreements, m.Gateway)
	}
	x := prooffile.Finding{Records: []prooffile.Shown{shown}, Event: -1, Log: d.tiles}
	switch {
	case r.GetSeq() == n.Last+1 && (r.GetPrevious() == n.Place || r.GetPlace() == 0):
	case r.GetSeq() == n.Last && n.Place > 0:
		f.Rule, f.Says, n.Broken = prooffile.RuleTwice, fmt.Sprintf("number %d stands at place %d already", r.GetSeq(), n.Place), true
		x.Records = []prooffile.Shown{{Leaf: n.Place - 1}, shown}
	default:
		f.Rule, f.Says, n.Broken = prooffile.RuleGap, fmt.Sprintf("number %d follows number %d", r.GetSeq(), n.Last), true
		if p := r.GetPrevious(); p > 0 && p < r.GetPlace() {
			x.Records = append(x.Records, prooffile.Shown{Leaf: p - 1})
		}
	}
	if f.Rule != "" {
		if err := a.note(ctx, f, &x); err != nil {
			return err
		}
	}
	n.Last, n.Place = max(n.Last, r.GetSeq()), f.Place
	if r.GetOutcome() == tracev1.Outcome_OUTCOME_GRANTED {
		n.Granted++
	} else {
		n.Refused++
	}
	m.Agreements[r.GetAgreement()] = n
	return nil
}

// compareSequences holds the numbers that were read against what the ledger counts.
func (a *Auditor) compareSequences(ctx context.Context, d *door) error {
	m := d.memory
	// A head may have moved since: only a sequence of the same head is compared.
	for agreement, n := range m.Agreements {
		s := &tracev1.Sequence{}
		if _, _, err := a.proved.Get(ctx, "trace/sequence/"+agreement+"/"+m.Gateway, s); err != nil {
			return err
		}
		out := Sequence{Agreement: agreement, Gateway: m.Gateway, First: 1, Last: n.Last, Granted: n.Granted, Refused: n.Refused}
		out.Complete = !n.Broken && n.Granted+n.Refused == n.Last && s.GetLast() >= n.Last
		moved := s.GetAtMs() > d.head.GetAtMs()
		if !moved && (s.GetLast() != n.Last || s.GetGranted() != n.Granted || s.GetRefused() != n.Refused) {
			out.Complete = false
			if err := a.note(ctx, Finding{
				Rule: Uncounted, Gateway: m.Gateway, Agreement: agreement, Number: n.Last,
				Says: fmt.Sprintf("numbers to %d, %d granted, %d refused; the ledger has %d, %d, %d", n.Last, n.Granted, n.Refused, s.GetLast(), s.GetGranted(), s.GetRefused()),
			}, nil); err != nil {
				return err
			}
		}
		a.report.Sequences = append(a.report.Sequences, out)
		if err := a.compareSecrecy(ctx, d, agreement, s, moved); err != nil {
			return err
		}
	}
	return nil
}

// overdue looks at the first record that is not anchored: if it is older than the bound,
// the head is.
func (a *Auditor) overdue(ctx context.Context, d *door, sum *compact.Range) error {
	at := sum.End()
	if at >= d.size {
		return nil
	}
	leaves, err := d.tiles.Bundle(ctx, at)
	if err != nil {
		return a.unserved(ctx, d, err)
	}
	r, ok := read(leaves[0])
	age := time.Since(time.UnixMilli(r.GetAtMs()))
	if !ok || age <= a.cfg.Bound {
		return nil
	}
	return a.note(ctx, Finding{
		Rule: prooffile.RuleUnanchored, Gateway: d.memory.Gateway, Agreement: r.GetAgreement(), Number: r.GetSeq(), Place: at + 1,
		Says:     fmt.Sprintf("logged %s ago, and not on the ledger", age.Round(time.Second)),
		Unproved: "only a receipt shows an unanchored record to others",
	}, nil)
}
