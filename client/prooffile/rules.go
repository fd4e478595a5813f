package prooffile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mulian/state/proof"
)

// The rules, each a predicate over what is proved: it sets the breaches that there are,
// and says only that is no part of it when the file lacks something.

func (g *charge) found(format string, args ...any) {
	g.breach = append(g.breach, fmt.Sprintf(format, args...))
}

func (r *record) decides() bool { return r.number(4) == 1 || r.number(4) == 2 }

// released says that the record is of data that went out, or was about to.
func (r *record) released() bool { return r.number(4) == 1 || r.number(4) == 3 }

func (v *verifier) checkContradicted(g *charge) *refusal {
	a, b := v.finding.records[0], v.finding.records[1]
	place := g.records[0].number(20)
	if a.in == inReceipt && b.in == inHead && place == b.leaf+1 && string(a.record) != string(b.record) {
		g.found("the log has something else at place %d", place)
	}
	return nil
}

func (v *verifier) checkMisplaced(g *charge) *refusal {
	if place := g.records[0].number(20); v.finding.records[0].in == inHead && place != 0 && place != v.finding.records[0].leaf+1 {
		g.found("at place %d it names %d", v.finding.records[0].leaf+1, place)
	}
	return nil
}

func (v *verifier) checkTwice(g *charge) *refusal {
	x, y := g.records[0], g.records[1]
	a, b := v.finding.records[0], v.finding.records[1]
	if a.in == inHead && b.in == inHead && a.leaf < b.leaf && x.decides() && y.decides() && x.text(2) != "" && x.text(2) == y.text(2) && x.number(3) == y.number(3) {
		g.found("number %d of agreement %s is there twice", x.number(3), x.text(2))
	}
	return nil
}

func (v *verifier) checkGap(g *charge) *refusal {
	x, c := g.records[0], v.finding.records[0]
	seq, previous := x.number(3), x.number(21)
	if c.in != inHead || !x.decides() || x.text(2) == "" || x.number(20) != c.leaf+1 {
		return nil
	}
	if len(g.records) == 1 {
		if previous == 0 && seq != 1 || previous >= x.number(20) {
			g.found("number %d of agreement %s names no decision before it", seq, x.text(2))
		}
		return nil
	}
	y, d := g.records[1], v.finding.records[1]
	if d.in == inHead && previous == d.leaf+1 && (!y.decides() || y.text(2) != x.text(2) || y.number(3)+1 != seq) {
		g.found("number %d of agreement %s follows no number %d", seq, x.text(2), int64(seq)-1)
	}
	return nil
}

const anchorVerb = "trace/anchor_head"

// checkUnanchored: an event of an anchor, or else the head itself, shows a log without the
// record, longer after the record's time than clocks may differ.
func (v *verifier) checkUnanchored(g *charge) *refusal {
	x, c := g.records[0], v.finding.records[0]
	place := x.number(20)
	if c.in == inHead {
		place = c.leaf + 1
	}
	size, atMs := uint64(0), uint64(0)
	switch {
	case len(v.acts) == 1:
		e := v.acts[0]
		n, err := strconv.ParseUint(e.note, 10, 53)
		if err != nil || strconv.FormatUint(n, 10) != e.note || e.verb != anchorVerb || e.actor != g.gateway {
			return refuse(stepFinding, "events[0]", "it is no anchor of %s", g.gateway)
		}
		size, atMs = n, e.timeMs
	case g.head != nil && c.in == inReceipt:
		size, atMs = g.head.size, uint64(v.last.header.GetTime().AsTime().UnixMilli())
	default:
		return nil
	}
	if place > size && atMs > x.atMs()+receiptSlackMs {
		g.found("place %d, of %s, was not in the log of %d records at %s", place, clock(x.atMs()), size, clock(atMs))
	}
	return nil
}

// pact is what the rules read of an agreement.
type pact struct {
	id, asker                  string
	parts                      map[string][]string // items by entry
	purpose                    string
	startsMs, endsMs, staleSec uint64
	gateways                   []string
	predicates                 [][2]string // name, entry
	amended                    bool
}

func scanPact(raw []byte) (*pact, error) {
	v, err := scan(raw, false, field{1, 't'}, field{6, 'm'}, field{8, 'n'}, field{9, 'n'}, field{10, 'n'}, field{11, 't'}, field{12, 'T'}, field{22, 'n'})
	if err != nil {
		return nil, err
	}
	t, err := scan(v.raw(6), false, field{1, 'B'}, field{2, 't'}, field{16, 'B'})
	if err != nil {
		return nil, fmt.Errorf("terms: %w", err)
	}
	p := &pact{
		id: v.text(1), asker: v.text(11), parts: map[string][]string{}, purpose: t.text(2), startsMs: v.number(8), endsMs: v.number(9),
		staleSec: v.number(10), gateways: v.texts(12), amended: v.number(22) > 0,
	}
	if p.startsMs > maxMs || p.endsMs > maxMs {
		return nil, fmt.Errorf("it is from %d to %d", p.startsMs, p.endsMs)
	}
	for _, b := range t.bytes[1] {
		x, err := scan(b, false, field{1, 't'}, field{2, 'T'})
		if err != nil {
			return nil, fmt.Errorf("part: %w", err)
		}
		p.parts[x.text(1)] = append(p.parts[x.text(1)], x.texts(2)...)
	}
	for _, b := range t.bytes[16] {
		x, err := scan(b, false, field{1, 't'}, field{2, 't'})
		if err != nil {
			return nil, fmt.Errorf("predicate: %w", err)
		}
		p.predicates = append(p.predicates, [2]string{x.text(1), x.text(2)})
	}
	return p, nil
}

const pactPrefix = "share/agreement/"

func (v *verifier) pact(x *record) (*pact, *refusal) {
	raw, ok := v.object(pactPrefix + x.text(2))
	if !ok {
		return nil, refuse(stepFinding, "finding", "the file has no proof of %s%s", pactPrefix, x.text(2))
	}
	p, err := scanPact(raw)
	if err != nil || p.id != x.text(2) {
		return nil, refuse(stepFinding, "finding", "%s%s is no agreement", pactPrefix, x.text(2))
	}
	return p, nil
}

// checkOutside: what the agreement says now.
func (v *verifier) checkOutside(g *charge) *refusal {
	x := g.records[0]
	if !x.released() || x.text(2) == "" {
		g.breach = outside(x, nil)
		return nil
	}
	p, r := v.pact(x)
	if r == nil {
		g.breach = outside(x, p)
	}
	return r
}

// outside tells in what a release is not by its agreement. Of one that was amended only
// what an amendment cannot change counts.
func outside(x *record, p *pact) []string {
	g := &charge{}
	switch {
	case !x.released():
		return nil
	case p == nil:
		return []string{"no agreement"}
	}
	if x.asker() != p.asker {
		g.found("asker %s", x.asker())
	}
	if p.startsMs > x.atMs()+receiptSlackMs {
		g.found("before %s", clock(p.startsMs))
	}
	if p.amended {
		return g.breach
	}
	if !slices.Contains(p.gateways, x.gateway()) {
		g.found("gateway %s", x.gateway())
	}
	if p.endsMs != 0 && x.atMs() >= p.endsMs+receiptSlackMs {
		g.found("after %s", clock(p.endsMs))
	}
	if x.raw(23) != nil { // the rest is sealed: what an order of secrecy allows is another rule
		return g.breach
	}
	if x.text(11) != p.purpose {
		g.found("purpose")
	}
	switch asked := x.text(22); {
	case asked == "" && len(p.predicates) > 0:
		g.found("rows")
	case asked != "" && !slices.Contains(p.predicates, [2]string{asked, x.text(8)}):
		g.found("predicate %s", asked)
	}
	items, agreed := p.parts[x.text(8)]
	if !agreed {
		g.found("entry %s", x.text(8))
		return g.breach
	}
	for _, it := range x.texts(10) {
		if !slices.Contains(items, it) {
			g.found("item %s", it)
		}
	}
	return g.breach
}

// stops are the states of an agreement, as events note them, in which nothing is
// released; those that are final say true.
var stops = map[string]bool{"suspended": false, "rectifying": false, "ended": true, "disposing": true, "disposed": true}

// defaultStaleMs stands in for an agreement that names no age of its own.
const defaultStaleMs = 3600 * 1000

// checkRevoked: the release rests on a state in which the agreement was over, or on one
// from before it was stopped that was too old by then.
func (v *verifier) checkRevoked(g *charge) *refusal {
	x, e := g.records[0], v.acts[0]
	if _, stopped := stops[e.note]; !stopped || !strings.HasPrefix(e.verb, "share/") || indexOf(e.objects, pactPrefix+x.text(2)) < 0 {
		return refuse(stepFinding, "events[0]", "it does not stop the agreement %q", x.text(2))
	}
	p, r := v.pact(x)
	if r != nil {
		return r
	}
	g.breach = revoked(x, p, e)
	return nil
}

// revoked tells in what a release rests on no agreement that held. e is an event that
// stopped it.
func revoked(x *record, p *pact, e *event) []string {
	final, stopped := stops[e.note]
	if !stopped || !x.released() || x.number(4) == 3 && x.number(18) != 0 { // a batch was decided when it was granted
		return nil
	}
	stale := uint64(defaultStaleMs)
	if p.staleSec > 0 {
		stale = p.staleSec * 1000
	}
	g := &charge{}
	old, late := x.number(17) < e.height, x.atMs() > e.timeMs+stale+receiptSlackMs
	switch {
	case final && !old:
		g.found("on the state of height %d, and it was %s at %d", x.number(17), e.note, e.height)
	case (final || old) && late:
		g.found("at %s on the state of height %d, and it was %s at %d, %s", clock(x.atMs()), x.number(17), e.note, e.height, clock(e.timeMs))
	}
	return g.breach
}

func deliveryKey(x *record) string {
	return fmt.Sprintf("share/delivery/%s/%010d", x.text(2), x.number(18))
}

// checkCounts: the ledger has other rows of a delivery than the record of its end.
func (v *verifier) checkCounts(g *charge) *refusal {
	x := g.records[0]
	key := deliveryKey(x)
	raw, ok := v.object(key)
	if !ok {
		return refuse(stepFinding, "finding", "the file has no proof of %s", key)
	}
	d, err := scan(raw, false, field{1, 't'}, field{2, 'n'}, field{5, 'n'}, field{6, 'n'}, field{9, 't'})
	if err != nil || d.text(1) != x.text(2) || d.number(2) != x.number(18) {
		return refuse(stepFinding, "finding", "%s is no delivery", key)
	}
	if done := d.number(5) == 2 || d.number(5) == 3; done && x.number(4) == 3 && d.text(9) == x.gateway() && d.number(6) != x.number(12) {
		g.found("%d rows, the ledger has %d", x.number(12), d.number(6))
	}
	return nil
}

// twoStates are the older and the newer state of the log.
func (g *charge) twoStates() (older, newer logState, r *refusal) {
	if len(g.states) == 1 && g.head != nil {
		g.states = append(g.states, *g.head)
	} else if g.head != nil || len(g.states) != 2 {
		return older, newer, refuse(stepFinding, "finding", "expected two states of the log")
	}
	older, newer = g.states[0], g.states[1]
	if older.size > newer.size {
		older, newer = newer, older
	}
	return older, newer, nil
}

func (v *verifier) checkForked(g *charge) *refusal {
	a, b, r := g.twoStates()
	if r == nil && a.size == b.size && string(a.root) != string(b.root) {
		g.found("two roots of %d records", a.size)
	}
	return r
}

// checkRewritten: the newer state's own beginning, which its proof of consistency leads
// to, is not the older state.
func (v *verifier) checkRewritten(g *charge) *refusal {
	f := v.finding
	older, newer, r := g.twoStates()
	if r != nil {
		return r
	}
	begins := proof.Hash(f.root)
	p := &proof.Consistency{OldSize: int64(older.size), NewSize: int64(newer.size), Path: hashes(f.path)}
	if err := proof.VerifyConsistency(begins, proof.Hash(newer.root), p); err != nil {
		return refuse(stepFinding, "finding.path", "%v", err)
	}
	if older.size < newer.size && string(begins[:]) != string(older.root) {
		g.found("the first %d of %d records have another root", older.size, newer.size)
	}
	return nil
}
