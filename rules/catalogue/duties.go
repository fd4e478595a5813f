package catalogue

import (
	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
)

// PutDuties creates or replaces duties of the signer's organisation, OFFICER, or of
// any organisation if the signer is the STAFFING_OFFICE. It is all or nothing; a
// duty that says what it said before is no change and no event.
//
// In this order, element by element: Empty, TooLong (the list), Malformed (id),
// Forbidden, NotFound (organisation), Missing, TooLong, Malformed, OutOfRange
// (fields).
func PutDuties(a *act.Act, m *cataloguev1.PutDuties) error {
	const rule = "catalogue/put_duties"
	if err := act.Count(rule, len(m.GetDuties()), MaxDuties); err != nil {
		return err
	}
	staffing := a.Has(governancev1.Role_ROLE_STAFFING_OFFICE)
	for i, d := range m.GetDuties() {
		if err := act.In(rule, i, checkDuty(a, rule, d, staffing)); err != nil {
			return err
		}
		next := proto.CloneOf(d)
		next.Version = 1
		if was, ok := duties.Get(a.Tx, d.Id); ok {
			next.Version = was.Version
			if proto.Equal(was, next) {
				continue
			}
			next.Version++
		}
		duties.Put(a.Tx, d.Id, next)
		a.Emit(rule, note(next.Version), dutyKey(d.Id))
	}
	return nil
}

func checkDuty(a *act.Act, rule string, d *cataloguev1.Duty, staffing bool) error {
	if err := checkID(rule, d.GetId(), d.GetOrg(), maxLocalBytes); err != nil {
		return err
	}
	if staffing {
		if err := a.Need(officer); err != nil {
			return err
		}
	} else if err := a.NeedOrg(d.Org, officer); err != nil {
		return err
	}
	if _, ok := identity.Org(a.Tx, d.Org); !ok {
		return act.Refuse(fault.NotFound, rule, "duty %s: organisation %s is not on board", d.Id, d.Org)
	}
	err := act.First(
		act.Line(rule, "title", d.Title, maxTitle, true),
		act.Listed(rule, "power_type", d.PowerType),
		act.Line(rule, "source", d.Source, maxSource, false),
		act.Line(rule, "article", d.Article, maxArticle, false),
		act.Hash(rule, "text_hash", d.TextHash, false),
		act.Line(rule, "matter_code", d.MatterCode, maxMatterCode, false),
	)
	if err == nil && (d.ValidFromMs < 0 || d.ValidToMs < 0 || d.ValidToMs != 0 && d.ValidToMs <= d.ValidFromMs) {
		err = act.Refuse(fault.OutOfRange, rule, "duty %s: valid from %d to %d", d.Id, d.ValidFromMs, d.ValidToMs)
	}
	return err
}

// InForce reports whether the duty holds at that moment: not retired, within its
// dates. nil is not in force.
func InForce(d *cataloguev1.Duty, atMs int64) bool {
	return d != nil && !d.Retired && d.ValidFromMs <= atMs && (d.ValidToMs == 0 || atMs < d.ValidToMs)
}
