package audit

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"mulian/client/prooffile"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/secrecy"
)

// Secrecy is what one order of investigative secrecy covers at one gateway, as far as its
// log is anchored.
type Secrecy struct {
	Agreement string `json:"agreement"`
	Gateway   string `json:"gateway"`
	Order     uint64 `json:"order"`
	Sealed    uint64 `json:"sealed"` // records
	Opened    uint64 `json:"opened"` // of them
	OpensMs   int64  `json:"opens_ms"`
}

// sealedAt is a sealed record that is not open: of which agreement, under which order.
type sealedAt struct {
	Agreement string `json:"agreement"`
	Order     uint64 `json:"order"`
}

// tally is how many records of an order were read.
type tally struct {
	Sealed uint64 `json:"sealed"`
	Opened uint64 `json:"opened"`
}

func tallyKey(agreement string, order uint64) string { return fmt.Sprintf("%s/%d", agreement, order) }

// secret holds a record against the orders of secrecy of its agreement, and takes what is
// sealed and opened into the sums.
func (a *Auditor) secret(ctx context.Context, d *door, r *tracev1.AccessRecord, raw []byte, f Finding, shown prooffile.Shown) error {
	m := d.memory
	if r.GetOutcome() == tracev1.Outcome_OUTCOME_OPENED {
		return a.opened(ctx, d, r, f)
	}
	if s := r.GetSealed(); s != nil {
		if len(m.Secrets) >= maxSecrets {
			return fault.Newf(fault.TooLong, "more than %d sealed records at %s", maxSecrets, m.Gateway)
		}
		m.Secrets[f.Place] = sealedAt{r.GetAgreement(), s.GetOrder()}
		t := m.Secrecy[tallyKey(r.GetAgreement(), s.GetOrder())]
		t.Sealed++
		m.Secrecy[tallyKey(r.GetAgreement(), s.GetOrder())] = t
	}
	if r.GetAgreement() == "" {
		return nil
	}
	p, err := a.pact(ctx, r.GetAgreement())
	if err != nil || p.raw == nil || p.secrecy == 0 && r.GetSealed() == nil {
		return err
	}
	breach, err := prooffile.SecrecyBreach(raw, p.secrecy, p.orders)
	if err != nil || len(breach) == 0 {
		return err
	}
	f.Rule, f.Says = prooffile.RuleSecrecy, breach[0]
	return a.note(ctx, f, &prooffile.Finding{Records: []prooffile.Shown{shown}, Event: -1, Log: d.tiles})
}

// opened holds what a record opens against the sealed one, and judges the access as it
// was.
func (a *Auditor) opened(ctx context.Context, d *door, r *tracev1.AccessRecord, f Finding) error {
	m, o := d.memory, r.GetSealed().GetOpening()
	was, waits := m.Secrets[o.GetPlace()]
	if !waits || was != (sealedAt{r.GetAgreement(), r.GetSealed().GetOrder()}) {
		f.Rule, f.Says = Misopened, fmt.Sprintf("it opens place %d, where nothing is sealed under its order", o.GetPlace())
		return a.note(ctx, f, nil)
	}
	leaf, err := d.tiles.Leaf(ctx, o.GetPlace()-1)
	if err != nil {
		return a.unserved(ctx, d, err)
	}
	sealed, ok := read(leaf)
	whole, err := secrecy.Open(sealed, o)
	if !ok || err != nil {
		f.Rule, f.Says = Misopened, fmt.Sprintf("it is not the content of the record at place %d", o.GetPlace())
		return a.note(ctx, f, nil)
	}
	delete(m.Secrets, o.GetPlace())
	t := m.Secrecy[tallyKey(was.Agreement, was.Order)]
	t.Opened++
	m.Secrecy[tallyKey(was.Agreement, was.Order)] = t
	// What could not be judged while it was secret is now.
	whole.Sealed = nil
	raw, err := canon.Marshal(whole)
	if err != nil {
		return err
	}
	p, err := a.pact(ctx, r.GetAgreement())
	if err != nil {
		return err
	}
	breach, err := prooffile.OutsideOf(raw, p.raw)
	if err != nil || len(breach) == 0 {
		return err
	}
	f.Rule, f.Place, f.Says = prooffile.RuleOutside, o.GetPlace(), breach[0]
	f.Unproved = "shown by two records, the sealed one and the one that opens it"
	return a.note(ctx, f, nil)
}

// dueSecrets looks for what is not open after its date, and reports what each order
// covers.
func (a *Auditor) dueSecrets(ctx context.Context, d *door) error {
	m := d.memory
	told := map[string]bool{}
	for _, place := range slices.Sorted(maps.Keys(m.Secrets)) {
		at := m.Secrets[place]
		key := tallyKey(at.Agreement, at.Order)
		if told[key] {
			continue
		}
		told[key] = true // one finding tells of all
		p, err := a.pact(ctx, at.Agreement)
		if err != nil {
			return err
		}
		due := secrecy.OpensMs(p.commands, at.Order)
		now := d.head.GetAtMs()
		if due == 0 || now <= due+a.cfg.Bound.Milliseconds() {
			continue
		}
		t := m.Secrecy[key]
		if err := a.note(ctx, Finding{
			Rule: prooffile.RuleUnopened, Gateway: m.Gateway, Agreement: at.Agreement, Place: place,
			Says: fmt.Sprintf("%d of %d records of order %d are open, all had to be at %s", t.Opened, t.Sealed, at.Order, time.UnixMilli(due).UTC().Format(time.RFC3339)),
		}, &prooffile.Finding{Records: []prooffile.Shown{{Leaf: place - 1}}, Event: -1, Log: d.tiles}); err != nil {
			return err
		}
	}
	return nil
}

// compareSecrecy holds the sums of an agreement against those of the ledger's sequence.
func (a *Auditor) compareSecrecy(ctx context.Context, d *door, agreement string, s *tracev1.Sequence, moved bool) error {
	p, err := a.pact(ctx, agreement)
	if err != nil {
		return err
	}
	for n := uint64(1); n <= p.secrecy || n <= uint64(len(s.GetSecrecy())); n++ {
		t := d.memory.Secrecy[tallyKey(agreement, n)]
		on := &tracev1.SecrecyCount{}
		if i := slices.IndexFunc(s.GetSecrecy(), func(c *tracev1.SecrecyCount) bool { return c.GetOrder() == n }); i >= 0 {
			on = s.GetSecrecy()[i]
		}
		if t == (tally{}) && on.GetSealed() == 0 {
			continue
		}
		a.report.Secrecy = append(a.report.Secrecy, Secrecy{Agreement: agreement, Gateway: d.memory.Gateway, Order: n, Sealed: t.Sealed, Opened: t.Opened, OpensMs: secrecy.OpensMs(p.commands, n)})
		if !moved && (t.Sealed != on.GetSealed() || t.Opened != on.GetOpened()) {
			if err := a.note(ctx, Finding{
				Rule: Uncounted, Gateway: d.memory.Gateway, Agreement: agreement,
				Says: fmt.Sprintf("order %d: %d sealed, %d open; the ledger has %d, %d", n, t.Sealed, t.Opened, on.GetSealed(), on.GetOpened()),
			}, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// readOrders reads the orders of secrecy of an agreement that has some.
func (a *Auditor) readOrders(ctx context.Context, id string, p *pact) error {
	s := &tracev1.Secrecy{}
	found, _, err := a.proved.Get(ctx, "trace/secrecy/"+id, s)
	if err != nil || !found {
		return err
	}
	p.commands = s
	// A new order may have come between the two looks.
	p.secrecy = max(p.secrecy, uint64(len(s.GetOrders())))
	p.orders, err = canon.Marshal(s)
	return err
}

func sortSecrecy(x, y Secrecy) int {
	return cmp.Or(cmp.Compare(x.Gateway, y.Gateway), cmp.Compare(x.Agreement, y.Agreement), cmp.Compare(x.Order, y.Order))
}
