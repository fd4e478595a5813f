package catalogue

import (
	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/rules/act"
)

// PutSystems creates or replaces information systems of the signer's organisation,
// OFFICER. All or nothing; an unchanged system is no change.
//
// In this order, element by element: Empty, TooLong (the list), Malformed (id),
// Forbidden, Missing, TooLong, Malformed, OutOfRange (fields).
func PutSystems(a *act.Act, m *cataloguev1.PutSystems) error {
	const rule = "catalogue/put_systems"
	if err := act.Count(rule, len(m.GetSystems()), MaxSystems); err != nil {
		return err
	}
	for i, s := range m.GetSystems() {
		if err := act.In(rule, i, checkSystem(a, rule, s)); err != nil {
			return err
		}
		next := proto.CloneOf(s)
		next.Version = 1
		if was, ok := systems.Get(a.Tx, s.Id); ok {
			next.Version = was.Version
			if proto.Equal(was, next) {
				continue
			}
			next.Version++
		}
		systems.Put(a.Tx, s.Id, next)
		a.Emit(rule, note(next.Version), systemKey(s.Id))
	}
	return nil
}

func checkSystem(a *act.Act, rule string, s *cataloguev1.System) error {
	if err := checkID(rule, s.GetId(), s.GetOrg(), maxLocalBytes); err != nil {
		return err
	}
	if err := a.NeedOrg(s.Org, officer); err != nil {
		return err
	}
	return act.First(
		act.Line(rule, "name", s.Name, maxName, true),
		act.Listed(rule, "level", s.Level),
		act.Listed(rule, "network", s.Network),
		act.Line(rule, "hosting", s.Hosting, maxName, false),
	)
}
