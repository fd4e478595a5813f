package prooffile

import (
	"fmt"

	"mulian/internal/fault"
)

// Rules of records under investigative secrecy: docs/spec/proof.md, section 4.4.
const (
	// RuleSecrecy: sealed without an order, or longer than it says, or in the clear
	// although an order holds.
	RuleSecrecy = "secrecy"
	// RuleUnopened: what was sealed is not open after its date.
	RuleUnopened = "unopened"
)

// secret is what a record says in place of its content.
type secret struct{ values }

func (r *record) secret() (*secret, error) {
	raw := r.raw(23)
	if raw == nil {
		return nil, nil
	}
	v, err := scan(raw, true, field{1, 'n'}, field{2, 'n'}, field{3, 'b'}, field{4, 'b'}, field{5, 'b'})
	if err != nil {
		return nil, fmt.Errorf("sealed: %w", err)
	}
	if v.number(1) == 0 || v.number(2) > maxMs {
		return nil, fmt.Errorf("sealed: order %d, until %d", v.number(1), v.number(2))
	}
	return &secret{v}, nil
}

// sealedNode shows the field in the statement: whose order, until when, and its bytes.
func (r *record) sealedNode() *node {
	s, _ := r.secret() // scanRecord has seen that it can be read
	return object("order", number(s.number(1)), "until", clock(s.number(2)), "bytes", fmt.Sprintf("%x", r.raw(23)))
}

const (
	secrecyPrefix  = "trace/secrecy/"
	sequencePrefix = "trace/sequence/"
)

// commands are an agreement's orders of secrecy.
type commands []values

func scanOrders(raw []byte, agreement string) (commands, error) {
	v, err := scan(raw, false, field{1, 't'}, field{2, 'B'})
	if err != nil || v.text(1) != agreement {
		return nil, fmt.Errorf("it is of another agreement: %v", err)
	}
	var out commands
	for i, b := range v.bytes[2] {
		o, err := scan(b, false, field{1, 'n'}, field{7, 'n'}, field{8, 'n'}, field{9, 'n'}, field{13, 'n'}, field{14, 'n'})
		if err != nil || o.number(1) != uint64(i)+1 || o.number(7) > maxMs || o.number(8) > maxMs || o.number(9) > maxMs || o.number(14) > maxMs {
			return nil, fmt.Errorf("order %d: %v", i+1, err)
		}
		out = append(out, o)
	}
	return out, nil
}

// end is the first moment at which an order does not seal: its own, or when the last that
// extends it was lifted.
func (c commands) end(o values) uint64 {
	if lifted := c.last(o.number(1)).number(14); lifted != 0 && lifted < o.number(8) {
		return lifted
	}
	return o.number(8)
}

// last is the order that extends that one last, or itself.
func (c commands) last(n uint64) values {
	o := c[n-1]
	for _, next := range c[n:] {
		if next.number(13) == o.number(1) {
			o = next
		}
	}
	return o
}

// opens is when what was sealed under an order has to be open.
func (c commands) opens(n uint64) uint64 {
	o := c.last(n)
	if lifted := o.number(14); lifted != 0 {
		return lifted
	}
	return o.number(9)
}

// secretBreach tells in what a record is not as the orders say; known is how many orders
// the agreement names.
func secretBreach(x *record, known uint64, c commands) []string {
	g := &charge{}
	at, s := x.atMs(), x.number(4)
	sealed, _ := x.secret()
	switch {
	case s == 5 || x.text(2) == "":
	case sealed == nil:
		for _, o := range c {
			if x.decides() && at > o.number(7)+receiptSlackMs && at+receiptSlackMs < c.end(o) {
				g.found("in the clear at %s, order %d of agreement %s holds from %s to %s", clock(at), o.number(1), x.text(2), clock(o.number(7)), clock(c.end(o)))
			}
		}
	case sealed.number(1) > known:
		g.found("sealed by order %d, agreement %s has %d", sealed.number(1), x.text(2), known)
	case sealed.number(1) > uint64(len(c)):
	default:
		o := c[sealed.number(1)-1]
		if x.decides() && (at+receiptSlackMs < o.number(7) || at >= c.end(o)+receiptSlackMs) {
			g.found("sealed at %s, order %d of agreement %s is from %s to %s", clock(at), o.number(1), x.text(2), clock(o.number(7)), clock(c.end(o)))
		}
		if until := c.last(o.number(1)).number(9); sealed.number(2) > until {
			g.found("sealed until %s, order %d of agreement %s says %s", clock(sealed.number(2)), o.number(1), x.text(2), clock(until))
		}
	}
	return g.breach
}

// orders reads what the file proves of an agreement's secrecy.
func (v *verifier) orders(x *record) (known uint64, c commands, r *refusal) {
	raw, ok := v.object(pactPrefix + x.text(2))
	if !ok {
		return 0, nil, refuse(stepFinding, "finding", "the file has no proof of %s%s", pactPrefix, x.text(2))
	}
	p, err := scan(raw, false, field{1, 't'}, field{33, 'n'})
	if err != nil || p.text(1) != x.text(2) {
		return 0, nil, refuse(stepFinding, "finding", "%s%s is no agreement", pactPrefix, x.text(2))
	}
	if p.number(33) == 0 {
		return 0, nil, nil
	}
	if raw, ok = v.object(secrecyPrefix + x.text(2)); !ok {
		return 0, nil, refuse(stepFinding, "finding", "the file has no proof of %s%s", secrecyPrefix, x.text(2))
	}
	if c, err = scanOrders(raw, x.text(2)); err != nil {
		return 0, nil, refuse(stepFinding, "finding", "%s%s has no orders: %v", secrecyPrefix, x.text(2), err)
	}
	return p.number(33), c, nil
}

func (v *verifier) checkSecrecy(g *charge) *refusal {
	if v.finding.records[0].in != inHead {
		return nil
	}
	known, c, r := v.orders(g.records[0])
	if r == nil {
		g.breach = secretBreach(g.records[0], known, c)
	}
	return r
}

// checkUnopened: the ledger counts fewer records open than sealed under the record's
// order, after its date.
func (v *verifier) checkUnopened(g *charge) *refusal {
	x := g.records[0]
	sealed, _ := x.secret()
	if v.finding.records[0].in != inHead || sealed == nil || x.number(4) == 5 {
		return nil
	}
	_, c, r := v.orders(x)
	if r != nil {
		return r
	}
	key := sequencePrefix + x.text(2) + "/" + g.gateway
	raw, ok := v.object(key)
	if !ok {
		return refuse(stepFinding, "finding", "the file has no proof of %s", key)
	}
	s, err := scan(raw, false, field{1, 't'}, field{2, 't'}, field{7, 'B'})
	if err != nil || s.text(1) != x.text(2) || s.text(2) != g.gateway {
		return refuse(stepFinding, "finding", "%s is no sequence", key)
	}
	n := sealed.number(1)
	if n > uint64(len(c)) {
		return nil
	}
	due, now := c.opens(n), uint64(v.last.header.GetTime().AsTime().UnixMilli())
	for _, b := range s.bytes[7] {
		k, err := scan(b, false, field{2, 'n'}, field{3, 'n'}, field{4, 'n'})
		if err != nil {
			return refuse(stepFinding, "finding", "%s: %v", key, err)
		}
		if k.number(2) == n && k.number(4) < k.number(3) && now > due+receiptSlackMs {
			g.found("%d of %d records of order %d of agreement %s are open at %s, all had to be at %s", k.number(4), k.number(3), n, x.text(2), clock(now), clock(due))
		}
	}
	return nil
}

// SecrecyBreach tells in what a record is not as the orders of secrecy say; nil if it is.
// orders is the Secrecy of its agreement as the ledger has it, nil bytes: none, and known
// how many the agreement names.
func SecrecyBreach(rec []byte, known uint64, orders []byte) ([]string, error) {
	x, err := scanRecord(rec)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the record")
	}
	var c commands
	if orders != nil {
		if c, err = scanOrders(orders, x.text(2)); err != nil {
			return nil, fault.Wrap(fault.Malformed, err, "the orders")
		}
	}
	return secretBreach(x, known, c), nil
}
