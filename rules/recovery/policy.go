package recovery

import (
	"bytes"
	"cmp"

	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/act"
	"mulian/rules/governance"
)

// SetRecoveryPolicy arranges how the signer's account is recovered; ROOT. The first policy
// counts at once; each later one waits as long as a lock of guardians, so that who has the
// keys for a moment does not choose who gets the account.
//
// In this order: OutOfRange (no person's or firm's account); Forbidden (level); TooLong,
// Malformed, Duplicate (guardians); QuorumShort (threshold); Malformed (code key);
// OutOfRange (lock); RosterChangedDuringLock while an attempt runs; VersionConflict.
func SetRecoveryPolicy(a *act.Act, m *recoveryv1.SetRecoveryPolicy) error {
	const rule = "recovery/set_recovery_policy"
	if _, err := holder(a.Tx, rule, a.Signer()); err != nil {
		return err
	}
	if err := a.Need(root); err != nil {
		return err
	}
	if err := checkPolicy(rule, m); err != nil {
		return err
	}
	if id, ok := running.Get(a.Tx, a.Signer()); ok {
		return act.Refuse(fault.RosterChangedDuringLock, rule, "recovery %s of this account runs: nothing is arranged anew until it is over", id)
	}
	old, ok := policies.Get(a.Tx, a.Signer())
	if m.Version != old.GetVersion() {
		return act.Refuse(fault.VersionConflict, rule, "the policy has version %d, not %d", old.GetVersion(), m.Version)
	}
	p := &recoveryv1.RecoveryPolicy{
		Account: a.Signer(), Guardians: m.Guardians, Threshold: m.Threshold, CodeKey: m.CodeKey, LockHours: m.LockHours,
		Version: m.Version + 1, ChangedMs: a.TimeMs,
	}
	note := "set"
	if ok {
		wait := max(int64(cmp.Or(governance.Parameters(a.Tx).RecoveryGuardianHours, guardianHours)), int64(old.LockHours))
		p.Account = ""
		old.Pending, old.PendingMs, old.Version = p, a.TimeMs+wait*hourMs, old.Version+1
		due(a, old.PendingMs, duePolicy, a.Signer())
		p, note = old, "waits"
	}
	policies.Put(a.Tx, a.Signer(), p)
	a.Emit(rule, note, policyKey(a.Signer()), accountKey(a.Signer()))
	return nil
}

func policyKey(account string) string { return policies.Name() + "/" + account }

func checkPolicy(rule string, m *recoveryv1.SetRecoveryPolicy) error {
	if err := act.AtMost(rule, "guardians", len(m.Guardians), MaxGuardians); err != nil {
		return err
	}
	for i, g := range m.Guardians {
		switch {
		case len(g) != act.HashBytes:
			return act.RefuseItem(fault.Malformed, rule, i, "guardians: a commitment has %d bytes", act.HashBytes)
		case i > 0 && bytes.Compare(m.Guardians[i-1], g) > 0:
			return act.RefuseItem(fault.Malformed, rule, i, "guardians have to ascend")
		case i > 0 && bytes.Equal(m.Guardians[i-1], g):
			return act.RefuseItem(fault.Duplicate, rule, i, "guardians: one stands there twice")
		}
	}
	switch n := uint32(len(m.Guardians)); {
	case n == 0 && m.Threshold != 0, n > 0 && m.Threshold < MinThreshold, m.Threshold > n:
		return act.Refuse(fault.QuorumShort, rule, "%d of %d guardians: at least %d of them have to vouch, and there have to be as many", m.Threshold, n, MinThreshold)
	case m.LockHours > MaxLockHours:
		return act.Refuse(fault.OutOfRange, rule, "lock_hours: at most %d", MaxLockHours)
	}
	if len(m.CodeKey) > 0 {
		if _, err := sm.ParsePublic(sm.Ed25519, m.CodeKey); err != nil {
			return act.Refuse(fault.Malformed, rule, "code_key: %v", err)
		}
	}
	return nil
}

// KeepRoster drops the change of the signer's policy that waits; any key.
//
// NotFound if there is none.
func KeepRoster(a *act.Act, _ *recoveryv1.KeepRoster) error {
	const rule = "recovery/keep_roster"
	p, ok := policies.Get(a.Tx, a.Signer())
	if !ok || p.Pending == nil {
		return act.Refuse(fault.NotFound, rule, "no change of the policy of %s waits", a.Signer())
	}
	p.Pending, p.PendingMs, p.Version = nil, 0, p.Version+1
	policies.Put(a.Tx, p.Account, p)
	a.Emit(rule, "", policyKey(p.Account), accountKey(p.Account))
	return nil
}

// changeRoster lets the change that has waited long enough take effect, unless an attempt
// runs; then the end of the attempt does it.
func changeRoster(a *act.Act, account string) {
	p, ok := policies.Get(a.Tx, account)
	if !ok || p.Pending == nil || a.TimeMs < p.PendingMs || running.Has(a.Tx, account) {
		return
	}
	next := p.Pending
	next.Account, next.Version, next.ChangedMs = account, p.Version+1, a.TimeMs
	policies.Put(a.Tx, account, next)
	a.Emit("recovery/roster_changed", "", policyKey(account), accountKey(account))
}
