package share

import (
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

// RecordUse accounts for use (art. 29). Signed by the consumer's gateway, MACHINE,
// or for the consumer by any of its accounts. Only of what was received: after a
// confirmed delivery, or under a QUERY agreement.
//
// NotFound, Forbidden, AgreementSuspended, Expired, PurposeMismatch,
// IllegalTransition (nothing was received yet), TooLong, Malformed (texts).
func RecordUse(a *act.Act, m *sharev1.RecordUse) error {
	const rule = "share/record_use"
	g, err := findAgreement(a, rule, m.GetAgreement())
	if err != nil {
		return err
	}
	if err := act.First(a.NeedOrg(g.Consumer, machine), usable(a, rule, g)); err != nil {
		return err
	}
	switch {
	case m.Purpose != g.Terms.Purpose:
		return act.Refuse(fault.PurposeMismatch, rule, "agreement %s is for %q", g.Id, g.Terms.Purpose)
	case g.Terms.Method != byQuery && !confirmedIndex.Has(a.Tx, g.Id):
		return act.Refuse(fault.IllegalTransition, rule, "agreement %s: no delivery was confirmed yet", g.Id)
	}
	if err := act.First(
		act.Line(rule, "matter_case", m.MatterCase, maxCase, false),
		act.Text(rule, "effect", m.Effect, maxEffect, false),
	); err != nil {
		return err
	}
	g.Uses++
	agreements.Put(a.Tx, g.Id, g)
	u := &sharev1.Use{
		Agreement: g.Id, Number: g.Uses, Purpose: m.Purpose, MatterCase: m.MatterCase,
		Rows: m.Rows, AtMs: a.TimeMs, By: a.Signer(), Effect: m.Effect,
	}
	uses.Put(a.Tx, numbered(g.Id, u.Number), u)
	objects := []string{useKey(g.Id, u.Number), agreementKey(g.Id)}
	a.Emit(rule, "recorded", append(objects, entryKeys(g.Terms)...)...)
	return nil
}
