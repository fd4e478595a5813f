package mandate

import (
	"slices"

	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
)

// SetOperatorPolicy says how a firm's operators act together.
//
// Forbidden (no firm's account; level); Empty, TooLong; Malformed, OutOfRange, CodeInconsistent
// (a limit); VersionConflict.
func SetOperatorPolicy(a *act.Act, p *mandatev1.SetOperatorPolicy) error {
	const rule = "mandate/set_operator_policy"
	if a.Account.GetKind() != identityv1.AccountKind_ACCOUNT_KIND_FIRM {
		return act.Refuse(fault.Forbidden, rule, "%s is no firm's account", a.Signer())
	}
	if err := act.First(a.Need(root), act.Count(rule, len(p.Limits), MaxLimits)); err != nil {
		return err
	}
	for i, l := range p.Limits {
		switch {
		case l.GetEntry() != "" && l.Matter != "":
			return act.RefuseItem(fault.CodeInconsistent, rule, i, "an entry or a matter, not both")
		case len(l.GetEntry()) > maxID || len(l.GetMatter()) > maxID:
			return act.RefuseItem(fault.TooLong, rule, i, "at most %d bytes", maxID)
		case l.GetThreshold() < 1 || l.Threshold > MaxThreshold:
			return act.RefuseItem(fault.OutOfRange, rule, i, "threshold: 1 to %d", MaxThreshold)
		case i > 0 && (p.Limits[i-1].Entry > l.Entry || p.Limits[i-1].Entry == l.Entry && p.Limits[i-1].Matter >= l.Matter):
			return act.RefuseItem(fault.Malformed, rule, i, "limits have to ascend by entry and matter, each once")
		}
	}
	old, _ := operators.Get(a.Tx, a.Signer())
	if p.Version != old.GetVersion() {
		return act.Refuse(fault.VersionConflict, rule, "the policy has version %d, not %d", old.GetVersion(), p.Version)
	}
	operators.Put(a.Tx, a.Signer(), &mandatev1.OperatorPolicy{Firm: a.Signer(), Limits: p.Limits, Version: p.Version + 1, ChangedMs: a.TimeMs})
	a.Emit(rule, "", operators.Name()+"/"+a.Signer(), accountKey(a.Signer()))
	return nil
}

// ApproveAct is an operator's yes to one act of his firm, before another operator carries
// it out.
//
// Malformed, Missing (digest); Forbidden (level); ActorNoMandate (no operator of the firm);
// AlreadyVoted; IllegalTransition (it was acted); TooLong.
func ApproveAct(a *act.Act, p *mandatev1.ApproveAct) error {
	const rule = "mandate/approve_act"
	if err := act.First(act.Hash(rule, "digest", p.Digest, true), a.Need(officer)); err != nil {
		return err
	}
	if !operates(a.Tx, a.Signer(), p.Firm, a.TimeMs) {
		return act.Refuse(fault.ActorNoMandate, rule, "%s is no operator of %.100q", a.Signer(), p.Firm)
	}
	key := approvalKey(p.Firm, p.Digest)
	x, ok := approvals.Get(a.Tx, key)
	if !ok || a.TimeMs >= x.EndsMs && !x.Spent {
		x = &mandatev1.OperatorApproval{Firm: p.Firm, Digest: p.Digest, EndsMs: a.TimeMs + approvalHours*hourMs}
	}
	at, has := slices.BinarySearch(x.Agents, a.Signer())
	switch {
	case has:
		return act.Refuse(fault.AlreadyVoted, rule, "%s has agreed already", a.Signer())
	case x.Spent:
		return act.Refuse(fault.IllegalTransition, rule, "this act was carried out")
	case len(x.Agents) >= MaxThreshold:
		return act.Refuse(fault.TooLong, rule, "%d operators have agreed: no act needs more", len(x.Agents))
	}
	x.Agents = slices.Insert(x.Agents, at, a.Signer())
	approvals.Put(a.Tx, key, x)
	a.Emit(rule, "", approvals.Name()+"/"+key, accountKey(p.Firm))
	return nil
}
