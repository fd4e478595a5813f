package mandate

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"google.golang.org/protobuf/proto"

	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
	"mulian/state"
)

// AgentAct is what an account does for another.
type AgentAct struct {
	Actor, Principal string               // account that signs; account for which
	Mandate          string               // the only one that is asked; "" = any
	Act              mandatev1.MandateAct // what is done
	Entry, Matter    string               // of which, and for which; "" = none
	Level            identityv1.KeyLevel  // that the act would need of the principal himself
	Asker            string               // organisation or firm that asks or gets something by it; "" = nobody
	Digest           []byte               // of the act, 32 bytes, as operators approve it; nil where operators cannot act
}

// rule stands in the refusals of Acting: the noun that asks gives its own where it has one.
const acting = "mandate/acting"

// Acting returns the mandate under which the actor may do this at that block time, or why
// not: ActorNoMandate (none that counts), MandateSuspended, AgentIsRp, MandateScope (act,
// entry, matter or level), QuorumShort or DailyLimit (operators). Of several mandates one
// that allows it; of several refusals that of the mandate that came closest.
//
// It changes nothing: who carries the act out counts it with [Used] in the same message.
func Acting(v state.View, x AgentAct, timeMs int64) (*mandatev1.Mandate, error) {
	list := between(v, x.Actor, x.Principal)
	if acc, ok := identity.Shared(v, x.Actor); ok && acc.Org != "" && acc.Org != x.Actor {
		list = append(list, between(v, acc.Org, x.Principal)...) // an officer acts for his organisation
	}
	best, refusal := 0, act.Refuse(fault.ActorNoMandate, acting, "%s has no mandate of %s", x.Actor, x.Principal)
	for _, m := range list {
		if x.Mandate != "" && m.Id != x.Mandate {
			continue
		}
		rank, err := allows(v, m, x, timeMs)
		if err == nil {
			return m, nil
		}
		if rank > best {
			best, refusal = rank, err
		}
	}
	return nil, refusal
}

// allows reports how far a mandate came before it refused the act.
func allows(v state.View, m *mandatev1.Mandate, x AgentAct, timeMs int64) (rank int, err error) {
	switch {
	case m.State == suspended || m.State == active && (staleOf(v, m, ofPrincipal) || staleOf(v, m, ofAgent)):
		return 2, act.Refuse(fault.MandateSuspended, acting, "mandate %s is suspended", m.Id)
	case !counts(v, m, timeMs):
		return 1, act.Refuse(fault.ActorNoMandate, acting, "mandate %s is %s, or this is not its time", m.Id, short(m))
	case x.Asker != "" && (x.Asker == m.Agent || x.Asker == orgOf(v, x.Actor)):
		return 3, act.Refuse(fault.AgentIsRp, acting, "%s asks, and would answer himself for %s", x.Asker, x.Principal)
	case !slices.Contains(m.Scope.GetActs(), x.Act):
		return 4, act.Refuse(fault.MandateScope, acting, "mandate %s does not give %s", m.Id, x.Act)
	case x.Level > m.MaxLevel:
		return 4, act.Refuse(fault.MandateScope, acting, "mandate %s reaches to %s, this needs %s", m.Id, m.MaxLevel, x.Level)
	case !reaches(m.Scope, x):
		return 4, act.Refuse(fault.MandateScope, acting, "mandate %s does not name %s%s", m.Id, x.Entry, x.Matter)
	case m.Kind == operator:
		return 5, together(v, m, x, timeMs)
	}
	return 6, nil
}

// Digest is what operators approve of a message: the whole of it, as another one of them will
// sign it.
func Digest(m proto.Message) []byte {
	raw, err := canon.Marshal(m)
	if err != nil {
		panic("rules/mandate: digest: " + err.Error()) // it came out of canonical bytes
	}
	sum := sha256.Sum256(slices.Concat([]byte("mulian-act-v1\x00"), []byte(m.ProtoReflect().Descriptor().FullName()), []byte{0}, raw))
	return sum[:]
}

func orgOf(v state.View, account string) string {
	acc, _ := identity.Shared(v, account)
	return acc.GetOrg()
}

// reaches reports whether the scope allows what the act is of: each of its lists that is not
// empty has to name it.
func reaches(s *mandatev1.MandateScope, x AgentAct) bool {
	return s.Everything ||
		(len(s.Entries) == 0 || slices.Contains(s.Entries, x.Entry)) && (len(s.Matters) == 0 || slices.Contains(s.Matters, x.Matter))
}

// Used counts an act that [Acting] has allowed with the same arguments: a mandate for a
// number of uses ends with the last one, and what operators have approved is spent. Its
// principal sees each use as an event of his own account.
func Used(a *act.Act, m *mandatev1.Mandate, x AgentAct) {
	if m.Kind == operator {
		useLimit(a, m, x)
	}
	m.Uses++
	if m.MaxUses != 0 && m.Uses >= m.MaxUses {
		finish(a, "mandate/exhausted", m, exhausted)
		return
	}
	keep(a, "mandate/used", m)
}

// Self refuses what a principal does himself while he has a guardian who is there for it, or
// is a minor by his proofing and needs one: MinorWithoutGuardian, PrincipalIncapable. A minor
// whose guardian's mandate says so (from 14 on) acts himself.
func Self(v state.View, principal string, timeMs int64) error {
	let := false
	for _, m := range standing(v, principal) {
		let = let || m.Kind == guardianMinor && m.SelfActs && m.State == active && timeMs >= m.FromMs && timeMs < m.UntilMs
		switch guards := (m.State == active || m.State == suspended) && timeMs >= m.FromMs && timeMs < m.UntilMs; {
		case guards && m.Kind == guardianMinor && !m.SelfActs:
			return act.Refuse(fault.MinorWithoutGuardian, acting, "a guardian acts for %s", principal)
		case guards && m.Kind == guardianAdult:
			return act.Refuse(fault.PrincipalIncapable, acting, "a guardian acts for %s", principal)
		}
	}
	if !let && identity.Minor(v, principal, timeMs) {
		return act.Refuse(fault.MinorWithoutGuardian, acting, "%s is a minor, and no guardian has signed", principal)
	}
	return nil
}

// limit finds what a firm says of the act: the limit of its entry, else of its matter, else
// that of everything.
func limit(p *mandatev1.OperatorPolicy, x AgentAct) *mandatev1.OperatorLimit {
	var found *mandatev1.OperatorLimit
	for _, l := range p.GetLimits() {
		switch {
		case l.Entry != "" && l.Entry == x.Entry:
			return l
		case l.Entry == "" && (l.Matter != "" && l.Matter == x.Matter || l.Matter == "" && found == nil):
			found = l
		}
	}
	return found
}

func approvalKey(firm string, digest []byte) string { return firm + "/" + hex.EncodeToString(digest) }

func useKey(firm string, l *mandatev1.OperatorLimit) string { return firm + "/" + l.Entry + l.Matter }

// together refuses an operator's act that its firm has given no limit (MandateScope), for
// which too few operators have come (QuorumShort), or too many acts (DailyLimit).
func together(v state.View, m *mandatev1.Mandate, x AgentAct, timeMs int64) error {
	policy, _ := operators.Get(v, m.Principal)
	l := limit(policy, x)
	if l == nil {
		return act.Refuse(fault.MandateScope, acting, "%s has not said how its operators act on this", m.Principal)
	}
	agreed := uint32(1) // who acts
	if p, ok := approvals.Get(v, approvalKey(m.Principal, x.Digest)); ok && !p.Spent && timeMs < p.EndsMs {
		for _, other := range p.Agents {
			if other != m.Agent && operates(v, other, m.Principal, timeMs) {
				agreed++
			}
		}
	}
	if agreed < l.Threshold {
		return act.Refuse(fault.QuorumShort, acting, "%d of %d operators of %s have agreed to this act", agreed, l.Threshold, m.Principal)
	}
	if u, ok := uses.Get(v, useKey(m.Principal, l)); ok && l.UsesADay != 0 && timeMs < u.SinceMs+dayMs && u.Uses >= l.UsesADay {
		return act.Refuse(fault.DailyLimit, acting, "%s has done this %d times since %d", m.Principal, u.Uses, u.SinceMs)
	}
	return nil
}

// operates reports whether the account is an operator of the firm at that moment.
func operates(v state.View, account, firm string, timeMs int64) bool {
	return slices.ContainsFunc(between(v, account, firm), func(m *mandatev1.Mandate) bool { return m.Kind == operator && counts(v, m, timeMs) })
}

// useLimit counts an act of operators.
func useLimit(a *act.Act, m *mandatev1.Mandate, x AgentAct) {
	if p, ok := approvals.Get(a.Tx, approvalKey(m.Principal, x.Digest)); ok {
		p.Spent = true
		approvals.Put(a.Tx, approvalKey(m.Principal, x.Digest), p)
	}
	policy, _ := operators.Get(a.Tx, m.Principal)
	l := limit(policy, x)
	if l == nil || l.UsesADay == 0 {
		return
	}
	u, ok := uses.Get(a.Tx, useKey(m.Principal, l))
	if !ok || a.TimeMs >= u.SinceMs+dayMs {
		u = &mandatev1.OperatorUse{Firm: m.Principal, Key: l.Entry + l.Matter, SinceMs: a.TimeMs}
	}
	u.Uses++
	uses.Put(a.Tx, useKey(m.Principal, l), u)
}
