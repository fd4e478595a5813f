package share

import (
	"slices"

	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

// UrgeRequest puts on record that an overdue answer is asked for again. Signed by the
// requester or the AUTHORITY, OFFICER. It moves no clock and changes no state: what
// lateness costs, the clock has noted already.
//
// NotFound, Forbidden, IllegalTransition (not RECEIVED, or not overdue), Busy (the same
// organisation urged less than 24 hours ago), TooLong, Malformed (note).
func UrgeRequest(a *act.Act, m *sharev1.UrgeRequest) error {
	const rule = "share/urge_request"
	r, ok := requests.Get(a.Tx, m.GetRequest())
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no request %.40q", m.GetRequest())
	}
	if a.Org() == r.Requester {
		if err := a.NeedOrg(r.Requester, officer); err != nil {
			return err
		}
	} else if err := a.NeedRole(governancev1.Role_ROLE_AUTHORITY, officer); err != nil {
		return err
	}
	if err := in(rule, r, received); err != nil {
		return err
	}
	if a.TimeMs < r.Clock.DueMs {
		return act.Refuse(fault.IllegalTransition, rule, "request %s is not overdue; the provider has time until %d", r.Id, r.Clock.DueMs)
	}
	if err := act.Text(rule, "note", m.Note, maxReason, false); err != nil {
		return err
	}
	u := &sharev1.Urging{Org: a.Org(), AtMs: a.TimeMs, Note: m.Note, Times: 1}
	if i := slices.IndexFunc(r.Urgings, func(o *sharev1.Urging) bool { return o.Org == u.Org }); i >= 0 {
		before := r.Urgings[i]
		if a.TimeMs-before.AtMs < dayMs {
			return act.Refuse(fault.Busy, rule, "request %s: %s urged less than 24 hours ago; again after %d", r.Id, u.Org, before.AtMs+dayMs)
		}
		u.Times += before.Times
		r.Urgings = slices.Delete(r.Urgings, i, i+1)
	}
	r.Urgings = append(r.Urgings, u)
	if n := len(r.Urgings); n > maxUrgings {
		r.Urgings = r.Urgings[n-maxUrgings:]
	}
	requests.Put(a.Tx, r.Id, r)
	emitRequest(a, rule, "urged", r)
	return nil
}
