package grant

import (
	"slices"

	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/standard"
	"mulian/rules/act"
	"mulian/rules/governance"
	"mulian/rules/identity"
	"mulian/state"
)

// PauseGrant stops a grant for a while. Signed by the owner, MACHINE: stopping is easy.
//
// NotFound, Forbidden, IllegalTransition.
func PauseGrant(a *act.Act, m *grantv1.PauseGrant) error {
	const rule = "grant/pause_grant"
	g, err := own(a, rule, m.GetGrant())
	if err != nil {
		return err
	}
	if err := act.First(acting(a, ofOwner(rule, g, m, machine)), in(rule, g, cooling, active)); err != nil {
		return err
	}
	pause(a, g, a.Signer())
	a.Emit(rule, "paused", ofGrant(a, g)...)
	return nil
}

func pause(a *act.Act, g *grantv1.Grant, by string) {
	g.State, g.PausedMs, g.PausedBy = paused, a.TimeMs, by
	grants.Put(a.Tx, g.Id, g)
}

// PauseStanding pauses an owner's standing grants, at most [MaxStanding], in the name of
// who signs, of nobody at the end of a block: for an account that was recovered or frozen. Each
// pause is told to the owner.
func PauseStanding(a *act.Act, owner string) {
	var ids []string
	liveIndex.Range(a.Tx, key(owner, ""), "", func(k, _ string) bool {
		ids = append(ids, k[len(owner)+1:])
		return true
	})
	for _, id := range ids {
		if g, ok := grants.Get(a.Tx, id); ok && (g.State == cooling || g.State == active) {
			pause(a, g, a.Signer())
			a.Emit("grant/pause_grant", "account", ofGrant(a, g)...)
		}
	}
}

// ResumeGrant lets a paused grant go on; what is left of its cooling time is waited for.
// Signed as it was given.
//
// NotFound, Forbidden, IllegalTransition, Expired.
func ResumeGrant(a *act.Act, m *grantv1.ResumeGrant) error {
	const rule = "grant/resume_grant"
	g, err := own(a, rule, m.GetGrant())
	if err != nil {
		return err
	}
	level := officer
	if g.Kind == standing || g.Sensitive {
		level = root
	}
	resumed := ofOwner(rule, g, m, level)
	resumed.gives = true
	if err := act.First(acting(a, resumed), in(rule, g, paused)); err != nil {
		return err
	}
	if a.TimeMs >= g.NotAfterMs {
		return act.Refuse(fault.Expired, rule, "grant %s ended at %d", g.Id, g.NotAfterMs)
	}
	g.State, g.PausedMs, g.PausedBy = active, 0, ""
	if a.TimeMs < g.CoolingUntilMs {
		g.State = cooling
		queue(a, g.CoolingUntilMs, dueCooling, g.Id)
	}
	grants.Put(a.Tx, g.Id, g)
	a.Emit(rule, "resumed", ofGrant(a, g)...)
	return nil
}

// RevokeGrant ends a grant for good (PIPL art. 15); what was delivered has to be deleted
// (art. 47). Signed by the owner, OFFICER. Of a grant that is over already only as long as
// copies of it are kept.
//
// NotFound, Forbidden, IllegalTransition, TooLong, Malformed (cause).
func RevokeGrant(a *act.Act, m *grantv1.RevokeGrant) error {
	const rule = "grant/revoke_grant"
	g, err := own(a, rule, m.GetGrant())
	if err != nil {
		return err
	}
	if err := act.First(acting(a, ofOwner(rule, g, m, officer)), endable(rule, g), act.Text(rule, "cause", m.Cause, maxCause, false)); err != nil {
		return err
	}
	end(a, g, revoked, m.Cause)
	a.Emit(rule, "revoked", ofGrant(a, g)...)
	return nil
}

// VoidGrant ends a grant that should not be: forged, or of someone who could not give it.
// Signed by the AUTHORITY, OFFICER.
//
// Forbidden, NotFound, IllegalTransition, Missing, TooLong, Malformed (cause).
func VoidGrant(a *act.Act, m *grantv1.VoidGrant) error {
	const rule = "grant/void_grant"
	if err := a.NeedRole(governancev1.Role_ROLE_AUTHORITY, officer); err != nil {
		return err
	}
	g, err := findGrant(a, rule, m.GetGrant())
	if err != nil {
		return err
	}
	if err := act.First(endable(rule, g), act.Text(rule, "cause", m.Cause, maxCause, true)); err != nil {
		return err
	}
	end(a, g, voided, m.Cause)
	a.Emit(rule, "voided", ofGrant(a, g)...)
	return nil
}

// own returns a grant that its owner may change: NotFound; Forbidden if it rests on a
// statutory duty, not on him.
func own(a *act.Act, rule, id string) (*grantv1.Grant, error) {
	g, err := findGrant(a, rule, id)
	if err != nil {
		return nil, err
	}
	if g.Basis == byDuty {
		return nil, act.Refuse(fault.Forbidden, rule, "grant %s rests on a statutory duty (PIPL art. 34), not on consent; an objection goes to %s", g.Id, g.Grantee)
	}
	return g, nil
}

// ofOwner is what an owner, or who acts for him, says of a grant.
func ofOwner(rule string, g *grantv1.Grant, m interface {
	proto.Message
	GetMandate() string
}, level identityv1.KeyLevel,
) said {
	return said{rule: rule, owner: g.Owner, mandate: m.GetMandate(), entry: g.Entry, asker: g.Grantee, level: level, message: m}
}

// in refuses a transition of a grant from another state than those.
func in(rule string, g *grantv1.Grant, states ...grantv1.GrantState) error {
	if slices.Contains(states, g.State) {
		return nil
	}
	return act.Refuse(fault.IllegalTransition, rule, "grant %s is %s, has to be %v", g.Id, g.State, states)
}

// endable: what is over is ended again only for the sake of copies that are still kept.
func endable(rule string, g *grantv1.Grant) error {
	if g.DutiesOpen > 0 {
		return in(rule, g, cooling, active, paused, exhausted, expired)
	}
	return in(rule, g, cooling, active, paused)
}

// end ends a grant, and makes its copies due for deletion: the block begins with that, and
// later ones go on.
func end(a *act.Act, g *grantv1.Grant, s grantv1.GrantState, cause string) {
	finished(a, g)
	g.State, g.PausedMs, g.PausedBy = s, 0, ""
	g.EndedMs, g.EndedHeight, g.EndedBy, g.EndCause = a.TimeMs, a.Height, a.Signer(), cause
	if (s == revoked || s == voided) && g.DutiesOpen > 0 {
		g.DeleteByMs = a.TimeMs + int64(standard.GrantDeletionDays(governance.Parameters(a.Tx)))*dayMs
		queue(a, a.TimeMs, dueShorten, g.Id)
	}
	grants.Put(a.Tx, g.Id, g)
}

// nameOf is the name of an organisation, its code if it has none.
func nameOf(v state.View, org string) string {
	acc, _ := identity.Org(v, org)
	if n := acc.GetProfile().GetName(); n != "" {
		return n
	}
	return org
}
