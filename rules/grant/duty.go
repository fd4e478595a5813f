package grant

import (
	"mulian/internal/fault"
	"mulian/internal/itemset"
	"mulian/rules/act"

	grantv1 "mulian/gen/mulian/grant/v1"
)

// open reports whether a duty of that state is neither attested nor exempted.
func open(s grantv1.DeletionDutyState) bool { return s != attested && s != exempted }

// oweDeletion opens the duty of a use that hands over a copy. The caller stores the grant.
func oweDeletion(a *act.Act, g *grantv1.Grant, u *grantv1.Use) {
	d := &grantv1.DeletionDuty{
		Grant: g.Id, Number: u.Number, Owner: g.Owner, Grantee: g.Grantee, Items: u.Items, State: running,
	}
	dueAt(a, d, a.TimeMs+int64(g.DataLifeDays)*dayMs)
	duties.Put(a.Tx, numbered(g.Id, u.Number), d)
	g.DutiesOpen++
}

// dueAt sets the day of a duty and its clock.
func dueAt(a *act.Act, d *grantv1.DeletionDuty, atMs int64) {
	d.DueMs, d.OverdueMs = atMs, atMs+graceMs
	queue(a, atMs, dueDeletion, numbered(d.Grant, d.Number))
}

// spanned returns the duties of a message's uses with their grant. Signed by the data user
// with the level, or, if it is MACHINE, by its gateway.
//
// NotFound, Forbidden, OutOfRange (more than [MaxDutiesPerMessage]).
func spanned(a *act.Act, rule, id string, first, last uint64, sign func(org string) error) (*grantv1.Grant, []*grantv1.DeletionDuty, error) {
	g, err := findGrant(a, rule, id)
	if err != nil {
		return nil, nil, err
	}
	if err := sign(g.Grantee); err != nil {
		return nil, nil, err
	}
	if first == 0 || last < first || last > g.Sequence || last-first >= MaxDutiesPerMessage {
		return nil, nil, act.Refuse(fault.OutOfRange, rule, "uses %d to %d: grant %s has %d, and one message takes %d", first, last, g.Id, g.Sequence, MaxDutiesPerMessage)
	}
	var found []*grantv1.DeletionDuty
	for n := first; n <= last; n++ {
		if d, ok := duties.Get(a.Tx, numbered(g.Id, n)); ok {
			found = append(found, d)
		}
	}
	if len(found) == 0 {
		return nil, nil, act.Refuse(fault.NotFound, rule, "uses %d to %d of grant %s owe no deletion", first, last, g.Id)
	}
	return g, found, nil
}

// AttestDeletion says that copies are deleted; sooner than due is welcome, and later is
// possible and shows. Signed by the data user, OFFICER, or its gateway, MACHINE.
//
// NotFound, Forbidden, OutOfRange; Missing, Malformed (evidence); AttestScopePartial;
// IllegalTransition (all of them are attested).
func AttestDeletion(a *act.Act, m *grantv1.AttestDeletion) error {
	const rule = "grant/attest_deletion"
	g, found, err := spanned(a, rule, m.GetGrant(), m.GetFirst(), m.GetLast(), func(org string) error { return needUser(a, org, officer) })
	if err != nil {
		return err
	}
	if err := act.Hash(rule, "evidence_hash", m.EvidenceHash, true); err != nil {
		return err
	}
	var done []string
	for i, d := range found {
		if d.State == attested {
			continue
		}
		if len(m.Items) > 0 && !itemset.Within(d.Items, m.Items) {
			return act.RefuseItem(fault.AttestScopePartial, rule, i, "use %d delivered %x, attested is the deletion of %x", d.Number, d.Items, m.Items)
		}
		if open(d.State) {
			g.DutiesOpen--
		}
		d.Late = d.State == overdue || d.State == reported
		d.State, d.AttestedMs, d.AttestedBy, d.EvidenceHash = attested, a.TimeMs, a.Signer(), m.EvidenceHash
		duties.Put(a.Tx, numbered(g.Id, d.Number), d)
		done = append(done, dutyKey(g.Id, d.Number))
	}
	if len(done) == 0 {
		return act.Refuse(fault.IllegalTransition, rule, "the deletion of uses %d to %d of grant %s is attested", m.First, m.Last, g.Id)
	}
	grants.Put(a.Tx, g.Id, g)
	a.Emit(rule, "attested", ofGrant(a, g, done...)...)
	return nil
}

// exemptionYears is how long each law lets, or makes, a copy be kept at most.
var exemptionYears = [...]int64{0, 10, 30, 5, 30, 3, 5, 30}

// ExemptDeletion says that a law makes the data user keep copies until a day; until then he
// does nothing with them but keep them safe (PIPL art. 47). Signed by him, OFFICER.
//
// NotFound, Forbidden, OutOfRange; ExemptionUnknown; Missing, TooLong, Malformed (law);
// IllegalTransition (attested already).
func ExemptDeletion(a *act.Act, m *grantv1.ExemptDeletion) error {
	const rule = "grant/exempt_deletion"
	g, found, err := spanned(a, rule, m.GetGrant(), m.GetFirst(), m.GetLast(), func(org string) error { return a.NeedOrg(org, officer) })
	if err != nil {
		return err
	}
	if m.Basis <= 0 || int(m.Basis) >= len(exemptionYears) {
		return act.Refuse(fault.ExemptionUnknown, rule, "basis %d is no law of the list", m.Basis)
	}
	if err := act.Line(rule, "law", m.Law, maxExemption, true); err != nil {
		return err
	}
	if years := exemptionYears[m.Basis]; m.UntilMs <= a.TimeMs || m.UntilMs-a.TimeMs > years*yearMs {
		return act.Refuse(fault.OutOfRange, rule, "until_ms is %d: by %s at most %d years from now", m.UntilMs, m.Basis, years)
	}
	done := make([]string, 0, len(found))
	for i, d := range found {
		if d.State == attested {
			return act.RefuseItem(fault.IllegalTransition, rule, i, "the deletion of use %d is attested", d.Number)
		}
		if open(d.State) {
			g.DutiesOpen--
		}
		d.State, d.Exemption, d.Law, d.UntilMs = exempted, m.Basis, m.Law, m.UntilMs
		queue(a, m.UntilMs, dueExempted, numbered(g.Id, d.Number))
		duties.Put(a.Tx, numbered(g.Id, d.Number), d)
		done = append(done, dutyKey(g.Id, d.Number))
	}
	grants.Put(a.Tx, g.Id, g)
	a.Emit(rule, "exempted", ofGrant(a, g, done...)...)
	return nil
}
