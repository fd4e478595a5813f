package prooffile

import (
	"context"
	"fmt"
	"regexp"

	grantv1 "mulian/gen/mulian/grant/v1"
)

// RuleWithoutUse: released under an owner's grant, and the ledger has not counted the use. The
// record names the use by its number; the grant says how many were counted. In a log whose head
// the same state has the record came before the head, and the use had to come before the record:
// no clock is needed. Of a receipt alone it has to be old enough.
const RuleWithoutUse = "without-use"

const (
	grantPrefix    = "grant/grant/"
	grantUsePrefix = "grant/use/"
)

// aGrant is what tells the id of a grant from that of an agreement, which has 16 digits.
var aGrant = regexp.MustCompile(`^[0-9a-f]{32}$`)

func useKey(grant string, n uint64) string {
	return fmt.Sprintf("%s%s/%010d", grantUsePrefix, grant, n)
}

// checkWithoutUse: the use was not counted, or was counted for another request, or was given
// back as one of which nothing was released.
func (v *verifier) checkWithoutUse(g *charge) *refusal {
	x := g.records[0]
	id, n := x.text(2), x.number(24)
	if !x.released() || !aGrant.MatchString(id) {
		return nil
	}
	raw, ok := v.object(grantPrefix + id)
	if !ok {
		return refuse(stepFinding, "finding", "the file has no proof of %s%s", grantPrefix, id)
	}
	d, err := scan(raw, false, field{1, 't'}, field{41, 'n'})
	if err != nil || d.text(1) != id {
		return refuse(stepFinding, "finding", "%s%s is no grant", grantPrefix, id)
	}
	switch counted := d.number(41); {
	case n == 0:
		g.found("released under grant %s without a use", id)
	case n <= counted:
		return v.checkOtherUse(g, x, n)
	case v.finding.records[0].in == inHead || uint64(v.last.header.GetTime().AsTime().UnixMilli()) > x.atMs()+receiptSlackMs:
		g.found("released as use %d of grant %s, the ledger has counted %d", n, id, counted)
	}
	return nil
}

// checkOtherUse holds a release against the use that was counted under its number.
func (v *verifier) checkOtherUse(g *charge, x *record, n uint64) *refusal {
	key := useKey(x.text(2), n)
	raw, ok := v.object(key)
	if !ok {
		return refuse(stepFinding, "finding", "the file has no proof of %s", key)
	}
	u, err := scan(raw, false, field{1, 't'}, field{2, 'n'}, field{3, 't'}, field{8, 'b'}, field{9, 'n'})
	if err != nil || u.text(1) != x.text(2) || u.number(2) != n {
		return refuse(stepFinding, "finding", "%s is no use", key)
	}
	switch {
	case u.text(3) != g.gateway || string(u.raw(8)) != string(x.raw(14)):
		g.found("released as use %d of grant %s, which was counted for another request", n, x.text(2))
	case u.number(9) == 3 || u.number(9) == 4:
		g.found("released as use %d of grant %s, which was given back", n, x.text(2))
	}
	return nil
}

// usesOf are the objects on which the rule rests, as the ledger has them now: the grant, and
// the use if there is one of that number.
func (m *Maker) usesOf(ctx context.Context, r *record) ([]string, error) {
	g := &grantv1.Grant{}
	if _, err := m.c.Get(ctx, grantPrefix+r.text(2), g); err != nil {
		return nil, err
	}
	out := []string{grantPrefix + r.text(2)}
	if n := r.number(24); n > 0 && n <= g.GetSequence() {
		out = append(out, useKey(r.text(2), n))
	}
	return out, nil
}
