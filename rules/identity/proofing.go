package identity

import (
	"mulian/internal/fault"
	"mulian/state"

	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/rules/act"
)

// proofings holds the newest proofing of each account.
var proofings = state.NewTable[identityv1.Proofing]("identity/proofing")

// proofed is the state key of an account's proofing, as events name it.
func proofed(account string) string { return "identity/proofing/" + account }

// RecordProofing keeps that an identity authority has identified the holder of an account.
// The signer holds the role IDENTITY, OFFICER.
//
// It returns, in this order: Forbidden; NotFound; OutOfRange if the account is no person's
// or firm's; what is wrong with commitment, method and level; OutOfRange for an end that
// is past or more than [MaxProofingDays] ahead; OutOfRange for the end of a minority that is
// past, more than [MaxMinorDays] ahead, or of a firm.
func RecordProofing(a *act.Act, m *identityv1.RecordProofing) error {
	const rule = "identity/record_proofing"
	if err := a.NeedRole(governancev1.Role_ROLE_IDENTITY, officerLevel); err != nil {
		return err
	}
	acc, err := owned(a, rule, m.Account)
	if err != nil {
		return err
	}
	if err := act.First(
		act.Hash(rule, "commitment", m.Commitment, true),
		act.Listed(rule, "method", m.Method),
		act.Listed(rule, "level", m.Level),
	); err != nil {
		return err
	}
	switch ahead := m.ExpiresMs - a.TimeMs; {
	case m.Method == 0 || m.Level == 0:
		return act.Refuse(fault.Missing, rule, "method and level have to be stated")
	case ahead <= 0 || ahead > MaxProofingDays*dayMs:
		return act.Refuse(fault.OutOfRange, rule, "expires_ms %d: within %d days from now, %d", m.ExpiresMs, MaxProofingDays, a.TimeMs)
	}
	if left := m.MinorUntilMs - a.TimeMs; m.MinorUntilMs != 0 && (left <= 0 || left > MaxMinorDays*dayMs || acc.Kind != identityv1.AccountKind_ACCOUNT_KIND_PERSON) {
		return act.Refuse(fault.OutOfRange, rule, "minor_until_ms %d: of a person, within %d days from now, %d", m.MinorUntilMs, MaxMinorDays, a.TimeMs)
	}
	before, _ := proofings.Get(a.Tx, acc.Id)
	minor := m.MinorUntilMs
	if minor == 0 && before.GetMinorUntilMs() > a.TimeMs { // who says nothing of it makes nobody of age
		minor = before.GetMinorUntilMs()
	}
	proofings.Put(a.Tx, acc.Id, &identityv1.Proofing{
		Account: acc.Id, Authority: a.Org(), RecordedBy: a.Signer(), Commitment: m.Commitment, Method: m.Method, Level: m.Level,
		State: identityv1.ProofingState_PROOFING_STATE_VALID, RecordedMs: a.TimeMs, ExpiresMs: m.ExpiresMs, Seq: before.GetSeq() + 1,
		MinorUntilMs: minor,
	})
	a.Emit(rule, m.Level.String(), proofed(acc.Id), subject(acc.Id))
	return nil
}

// RevokeProofing ends a proofing: a mistake, a forged document, a death. The signer holds
// the role IDENTITY, OFFICER.
//
// It returns, in this order: Forbidden; NotFound if there is no proofing; what is wrong
// with the cause; IllegalTransition if it is revoked.
func RevokeProofing(a *act.Act, m *identityv1.RevokeProofing) error {
	const rule = "identity/revoke_proofing"
	if err := a.NeedRole(governancev1.Role_ROLE_IDENTITY, officerLevel); err != nil {
		return err
	}
	p, ok := Proofing(a.Tx, m.Account)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no proofing of %.100q", m.Account)
	}
	if err := act.Text(rule, "cause", m.Cause, MaxCause, true); err != nil {
		return err
	}
	if p.State != identityv1.ProofingState_PROOFING_STATE_VALID {
		return act.Refuse(fault.IllegalTransition, rule, "the proofing of %s is revoked already", p.Account)
	}
	p.State, p.Cause, p.RevokedMs = identityv1.ProofingState_PROOFING_STATE_REVOKED, m.Cause, a.TimeMs
	proofings.Put(a.Tx, p.Account, p)
	a.Emit(rule, "", proofed(p.Account), subject(p.Account))
	return nil
}

// Proofing returns the newest proofing of an account, valid or not, and whether there is
// one. The caller may change what it gets.
func Proofing(v state.View, account string) (*identityv1.Proofing, bool) {
	if len(account) > maxAccountID {
		return nil, false
	}
	return proofings.Get(v, account)
}

// Proofed returns the proofing of an account that counts at that block time, of at least
// the level. NotProofed if there never was one or its level is lower, ProofingExpired if it
// has ended or was revoked.
func Proofed(v state.View, account string, level identityv1.ProofingLevel, timeMs int64) (*identityv1.Proofing, error) {
	p, ok := Proofing(v, account)
	switch {
	case !ok || p.Level < level:
		return nil, fault.Newf(fault.NotProofed, "the holder of %.100q is not identified at the level %s", account, level)
	case p.State != identityv1.ProofingState_PROOFING_STATE_VALID || timeMs >= p.ExpiresMs:
		return nil, fault.Newf(fault.ProofingExpired, "the proofing of %s has ended or was revoked", account)
	}
	return p, nil
}

// Minor reports whether an identity authority has said of the account's holder that he is a
// minor at that block time. A proofing that has ended or was revoked says so, too: nobody comes
// of age by a paper that runs out.
func Minor(v state.View, account string, timeMs int64) bool {
	p, ok := Proofing(v, account)
	return ok && timeMs < p.MinorUntilMs
}

// owned returns the account of a person or firm: NotFound, then OutOfRange for another's.
func owned(a *act.Act, rule, id string) (*identityv1.Account, error) {
	acc, ok := accounts.Get(a.Tx, id)
	if !ok {
		return nil, act.Refuse(fault.NotFound, rule, "there is no account %.100q", id)
	}
	if !Owner(acc.Kind) {
		return nil, act.Refuse(fault.OutOfRange, rule, "%s is no person's or firm's account", acc.Id)
	}
	return acc, nil
}
