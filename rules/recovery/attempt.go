package recovery

import (
	"bytes"
	"slices"

	identityv1 "mulian/gen/mulian/identity/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/fault"
	"mulian/internal/recovery"
	"mulian/internal/sm"
	"mulian/rules/act"
	"mulian/rules/identity"
)

// OpenRecovery begins an attempt.
//
// In this order: OutOfRange (path); NotFound, OutOfRange (account); what the path asks of
// the signer, see vouch; Deceased; Suspended (by somebody else than its holder);
// AlreadyRecovering; what is wrong with the new key; AlreadyExists (it is or was in the
// account); BadAuthorisation (nobody shows to have it).
func OpenRecovery(a *act.Act, m *recoveryv1.OpenRecovery) error {
	const rule = "recovery/open_recovery"
	if err := act.Listed(rule, "path", m.Path); err != nil || m.Path == 0 {
		return act.First(err, act.Refuse(fault.OutOfRange, rule, "path is not stated"))
	}
	acc, err := holder(a.Tx, rule, m.Account)
	if err != nil {
		return err
	}
	policy, _ := policies.Get(a.Tx, m.Account)
	r := &recoveryv1.Recovery{Account: m.Account, Path: m.Path, State: open, NewKey: m.NewKey, PolicyVersion: policy.GetVersion(), OpenedMs: a.TimeMs}
	if err := vouch(a, rule, r, policy, m.Evidence, m.Face, m.Salt); err != nil {
		return err
	}
	switch id, busy := running.Get(a.Tx, m.Account); {
	case Deceased(a.Tx, m.Account):
		return act.Refuse(fault.Deceased, rule, "the holder of %s has died: heirs act under a mandate", m.Account)
	case acc.State == identityv1.AccountState_ACCOUNT_STATE_SUSPENDED || acc.State == identityv1.AccountState_ACCOUNT_STATE_CLOSED:
		return act.Refuse(fault.Suspended, rule, "%s is suspended or closed", m.Account)
	case busy:
		return act.Refuse(fault.AlreadyRecovering, rule, "recovery %s of this account runs", id)
	}
	if err := checkNewKey(a, rule, acc, m); err != nil {
		return err
	}
	r.NewKey = &identityv1.Key{Id: m.NewKey.Id, Algorithm: m.NewKey.Algorithm, PublicKey: m.NewKey.PublicKey, Level: m.NewKey.Level, Label: m.NewKey.Label, Passkey: m.NewKey.Passkey}
	r.Id = a.NewID()
	for recoveries.Has(a.Tx, r.Id) {
		r.Id = a.NewID()
	}
	running.Put(a.Tx, r.Account, r.Id)
	proceed(a, r)
	keep(a, rule, r)
	return nil
}

// checkNewKey takes a key that is new to the account and that somebody shows to have; by
// code, one that the code's key names, too.
func checkNewKey(a *act.Act, rule string, acc *identityv1.Account, m *recoveryv1.OpenRecovery) error {
	if err := identity.CheckRecoveryKey(rule, acc, m.NewKey, a.TimeMs); err != nil {
		return err
	}
	if _, known := identity.FindKey(a.Tx, acc, m.NewKey.Id); known {
		return act.Refuse(fault.AlreadyExists, rule, "%s has or had the key %s", acc.Id, m.NewKey.Id)
	}
	said := recovery.KeyMessage(a.ChainID, m.Account, m.NewKey.Id)
	if !possessed(a, m.NewKey, said, m.Possession) {
		return act.Refuse(fault.BadAuthorisation, rule, "possession: the signature is not that of the new key %s over this account", m.NewKey.Id)
	}
	if m.Path != byCode {
		return nil
	}
	policy, _ := policies.Get(a.Tx, m.Account) // vouch has seen that it has a code
	code, err := sm.ParsePublic(sm.Ed25519, policy.GetCodeKey())
	if err != nil || !code.Verify(said, m.CodeSignature) {
		return act.Refuse(fault.BadAuthorisation, rule, "code_signature: this is not the recovery code of %s", m.Account)
	}
	return nil
}

// vouch adds the signer's approval, and says how many are needed. By counter: Forbidden (no
// role, no desk, the desk of another), Missing, Malformed (evidence), OutOfRange,
// FaceMismatch, NotProofed, ProofingExpired. By guardians: QuorumShort (no roster), GuardianSelf,
// Forbidden (level; not in the roster), AlreadyVoted. By code: Forbidden (another account;
// level), NotFound (no code).
func vouch(a *act.Act, rule string, r *recoveryv1.Recovery, policy *recoveryv1.RecoveryPolicy, evidence []byte, face recoveryv1.FaceResult, salt []byte) error {
	said := &recoveryv1.RecoveryApproval{By: a.Signer(), AtMs: a.TimeMs}
	switch r.Path {
	case byCounter:
		desk, err := counter(a, rule, r, evidence, face)
		if err != nil {
			return err
		}
		said.Desk, said.Evidence, said.Face = desk, evidence, face
		r.Needed = 2
	case byGuardians:
		if err := guardian(a, rule, r, policy, salt); err != nil {
			return err
		}
		r.Needed = policy.Threshold
	default:
		if a.Signer() != r.Account {
			return act.Refuse(fault.Forbidden, rule, "a code is used with a key that is left of %s", r.Account)
		}
		if err := a.Need(officer); err != nil {
			return err
		}
		if len(policy.GetCodeKey()) == 0 {
			return act.Refuse(fault.NotFound, rule, "%s has no recovery code", r.Account)
		}
		r.Needed = 1
	}
	r.Approvals = append(r.Approvals, said)
	return nil
}

func counter(a *act.Act, rule string, r *recoveryv1.Recovery, evidence []byte, face recoveryv1.FaceResult) (string, error) {
	desk, err := NeedDesk(a, rule)
	if err != nil {
		return "", err
	}
	if slices.ContainsFunc(r.Approvals, func(x *recoveryv1.RecoveryApproval) bool { return x.Desk == desk }) {
		return "", act.Refuse(fault.Forbidden, rule, "the desk %s has vouched already: it takes an officer of another one", desk)
	}
	if err := act.Hash(rule, "evidence", evidence, true); err != nil {
		return "", err
	}
	if err := act.Listed(rule, "face", face); err != nil || face == 0 {
		return "", act.First(err, act.Refuse(fault.OutOfRange, rule, "face is not stated"))
	}
	if face == recoveryv1.FaceResult_FACE_RESULT_MISMATCHED {
		return "", act.Refuse(fault.FaceMismatch, rule, "the face is not that of the proofing: nothing was begun")
	}
	return desk, proofed(a, r.Account)
}

func guardian(a *act.Act, rule string, r *recoveryv1.Recovery, policy *recoveryv1.RecoveryPolicy, salt []byte) error {
	switch {
	case len(policy.GetGuardians()) == 0:
		return act.Refuse(fault.QuorumShort, rule, "%s has named no guardians", r.Account)
	case a.Signer() == r.Account:
		return act.Refuse(fault.GuardianSelf, rule, "nobody is his own guardian")
	}
	if err := a.Need(officer); err != nil {
		return err
	}
	commitment := recovery.Commitment(salt, a.Signer())
	if len(salt) != saltBytes || !slices.ContainsFunc(policy.Guardians, func(g []byte) bool { return bytes.Equal(g, commitment[:]) }) {
		return act.Refuse(fault.Forbidden, rule, "%s, with this salt, is no guardian of %s", a.Signer(), r.Account)
	}
	if slices.ContainsFunc(r.Approvals, func(x *recoveryv1.RecoveryApproval) bool { return x.By == a.Signer() }) {
		return act.Refuse(fault.AlreadyVoted, rule, "%s has vouched already", a.Signer())
	}
	return nil
}

// ApproveRecovery vouches, too; the last approval that is needed locks the attempt.
//
// NotFound; IllegalTransition (not Open, or nobody else is needed: a code); then as vouch.
func ApproveRecovery(a *act.Act, m *recoveryv1.ApproveRecovery) error {
	const rule = "recovery/approve_recovery"
	r, err := attempt(a.Tx, rule, m.Recovery)
	if err != nil {
		return err
	}
	if r.State != open {
		return wrongState(rule, r)
	}
	policy, _ := policies.Get(a.Tx, r.Account)
	if err := vouch(a, rule, r, policy, m.Evidence, m.Face, m.Salt); err != nil {
		return err
	}
	if len(r.Approvals) >= int(r.Needed) {
		lock(a, r)
	}
	keep(a, rule, r)
	return nil
}
