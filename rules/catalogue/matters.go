package catalogue

import (
	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/state"
)

// PutMatters creates or replaces matters of the signer's organisation, OFFICER. All
// or nothing; a matter that says what it said before is no change and no event.
//
// In this order, element by element: Empty, TooLong (the list), Malformed, TooLong
// (id), Forbidden, CodeInconsistent (the id does not end in the code), Missing,
// TooLong, Malformed, OutOfRange (fields), NoDuty (unknown, or another's).
func PutMatters(a *act.Act, m *cataloguev1.PutMatters) error {
	const rule = "catalogue/put_matters"
	if err := act.Count(rule, len(m.GetMatters()), MaxPutMatters); err != nil {
		return err
	}
	for i, x := range m.GetMatters() {
		if err := act.In(rule, i, checkMatter(a, rule, x)); err != nil {
			return err
		}
		next := proto.CloneOf(x)
		next.Version = 1
		if was, ok := matters.Get(a.Tx, x.Id); ok {
			next.Version = was.Version
			if proto.Equal(was, next) {
				continue
			}
			next.Version++
		}
		matters.Put(a.Tx, x.Id, next)
		objects := []string{matterKey(x.Id)}
		for _, d := range x.Duties {
			objects = append(objects, dutyKey(d))
		}
		a.Emit(rule, note(next.Version), objects...)
	}
	return nil
}

func checkMatter(a *act.Act, rule string, x *cataloguev1.Matter) error {
	if err := checkID(rule, x.GetId(), x.GetOrg(), maxMatterCode); err != nil {
		return err
	}
	if err := a.NeedOrg(x.Org, officer); err != nil {
		return err
	}
	if x.Id != x.Org+":"+x.Code {
		return act.Refuse(fault.CodeInconsistent, rule, "matter %s has the code %.100q: its id ends in its code", x.Id, x.Code)
	}
	if err := act.First(
		act.Line(rule, "name", x.Name, maxTitle, true),
		act.Listed(rule, "power_type", x.PowerType),
		act.AtMost(rule, "duties", len(x.Duties), MaxEntryDuties),
		lines(rule, "inputs", x.Inputs, MaxInputs, maxInput),
		act.Line(rule, "category", x.Category, maxMatterCategory, false),
		link(rule, "guide", x.Guide),
	); err != nil {
		return err
	}
	return dutiesOf(a.Tx, rule, x)
}

// dutiesOf wants the duties of a matter to be there and to be its organisation's.
// They need not be in force: a matter may outlast a duty until it is put anew.
func dutiesOf(v state.View, rule string, x *cataloguev1.Matter) error {
	for _, id := range x.Duties {
		d, ok := duties.Get(v, id)
		switch {
		case !ok:
			return act.Refuse(fault.NoDuty, rule, "matter %s: there is no duty %.80q", x.Id, id)
		case d.Org != x.Org:
			return act.Refuse(fault.NoDuty, rule, "matter %s: duty %s belongs to %s", x.Id, id, d.Org)
		}
	}
	return nil
}
