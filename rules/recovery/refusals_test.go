package recovery_test

import (
	"bytes"
	"testing"

	identityv1 "mulian/gen/mulian/identity/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules/recovery"
	"mulian/rules/rulestest"
	"mulian/rules/safebox"
)

// TestRefusalsOfTheSpec: each name of spec/safebox.md 4.4 is refused with its code. Two of its
// names are no refusal here (docs/decisions/0048): veto_by_lost_key, because such a veto is taken and
// leads to a review, and enrol_orphan, because the device resumes by sending its key again.
// attestation_policy is not raised: the consortium demands no attestation.
func TestRefusalsOfTheSpec(t *testing.T) {
	for name, tt := range map[string]struct {
		want    fault.Code
		provoke func(h *hall) fault.Code
	}{
		"already_recovering": {fault.AlreadyRecovering, func(h *hall) fault.Code {
			h.begun("a")
			return h.Do(h.desks[2], h.open(counter, "b"))
		}},
		"quorum_short": {fault.QuorumShort, func(h *hall) fault.Code {
			p := h.policy(0)
			p.Threshold = 4
			return h.Do(h.holder, p)
		}},
		"quorum_short, nobody named": {fault.QuorumShort, func(h *hall) fault.Code { return h.Do(h.friends[0], h.open(guardians, "a")) }},
		"guardian_self": {fault.GuardianSelf, func(h *hall) fault.Code {
			h.Must(h.holder, h.policy(0))
			return h.Do(h.holder, h.open(guardians, "a"))
		}},
		"roster_changed_during_lock": {fault.RosterChangedDuringLock, func(h *hall) fault.Code {
			h.begun("a")
			return h.Do(h.holder, h.policy(0))
		}},
		"veto_by_lost_key": {fault.VetoByLostKey, func(h *hall) fault.Code {
			lost := h.Named(h.holder, machine, "second")
			id := h.begun("a")
			h.Must(h.holder, &recoveryv1.ReportKey{Account: h.holder, Key: lost.Public().ID()})
			if got := h.DoWith(h.holder, lost, &recoveryv1.VetoRecovery{Recovery: id}); got != fault.OK {
				return got
			}
			if h.Do(h.holder, &recoveryv1.KeepRoster{}) != fault.Suspended {
				h.TB.Error("the account signs while it is reviewed")
			}
			return fault.Code(h.want(id, review).Code)
		}},
		"proofing_expired": {fault.ProofingExpired, func(h *hall) fault.Code {
			h.Wait(366 * rulestest.Day)
			return h.Do(h.desks[0], h.open(counter, "a"))
		}},
		"proofing_expired, never proofed": {fault.NotProofed, func(h *hall) fault.Code {
			h.holder = h.Person(50)
			return h.Do(h.desks[0], h.open(counter, "a"))
		}},
		"face_mismatch": {fault.FaceMismatch, func(h *hall) fault.Code {
			id := h.Must(h.desks[0], h.open(counter, "a"))[0]
			return h.Do(h.desks[1], &recoveryv1.ApproveRecovery{Recovery: id, Evidence: bytes.Repeat([]byte{2}, 32), Face: recoveryv1.FaceResult_FACE_RESULT_MISMATCHED})
		}},
		"deceased": {fault.Deceased, func(h *hall) fault.Code {
			h.Must(h.desks[0], &recoveryv1.RecordDeath{Account: h.holder, Evidence: bytes.Repeat([]byte{3}, 32)})
			return h.Do(h.desks[1], h.open(counter, "a"))
		}},
		"last_key_remove_refused": {fault.IllegalTransition, func(h *hall) fault.Code {
			return h.Do(h.holder, &identityv1.RevokeKey{Account: h.holder, Key: h.Key(h.holder, root).Public().ID(), Cause: "x"})
		}},
		"enrol_duplicate_key": {fault.AlreadyExists, func(h *hall) fault.Code {
			return h.Do(h.holder, &identityv1.AddKey{Account: h.holder, Key: rulestest.PublicKey(h.Named(h.holder, machine, "second").Public(), machine)})
		}},
		"enrol_duplicate_key, one that was revoked": {fault.AlreadyExists, func(h *hall) fault.Code {
			old := h.Named(h.holder, machine, "second")
			h.Must(h.holder, &identityv1.RevokeKey{Account: h.holder, Key: old.Public().ID(), Cause: "x"})
			return h.Do(h.holder, &identityv1.AddKey{Account: h.holder, Key: rulestest.PublicKey(old.Public(), machine)})
		}},
		"enrol_orphan": {fault.OK, func(h *hall) fault.Code { // the envelope was lost: the same key goes again
			orphan := h.Named(h.holder, officer, "orphan")
			return h.Do(h.holder, &identityv1.AddKey{Account: h.holder, Key: rulestest.PublicKey(orphan.Public(), officer)})
		}},
		"enrol_orphan of a recovery": {fault.OK, func(h *hall) fault.Code { // a request that expired is opened again with the key that was made for it
			id := h.Must(h.desks[0], h.open(counter, "a"))[0]
			h.until(id, recoveryv1.RecoveryState_RECOVERY_STATE_OPEN)
			h.want(id, expired)
			return h.Do(h.desks[0], h.open(counter, "a"))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHall(t)
			if got := tt.provoke(h); got != tt.want {
				t.Errorf("%s (%s), want %s", got, h.Text, tt.want)
			}
		})
	}
}

// TestLockIsTheLongest: of the path's hours and the holder's own the longer ones count, for
// every path, and a vote changes the path's.
func TestLockIsTheLongest(t *testing.T) {
	for _, hours := range []uint32{0, 1, 23, 24, 25, 720} {
		h := newHall(t)
		m := h.policy(0)
		m.LockHours = hours
		h.Must(h.holder, m)
		id := h.begun("a")
		if r := h.want(id, locked); r.DueMs-h.Now != int64(max(24, hours))*rulestest.Hour {
			t.Errorf("lock_hours %d: locked for %d h", hours, (r.DueMs-h.Now)/rulestest.Hour)
		}
	}
	h := newHall(t)
	m := h.policy(0)
	m.LockHours = 721
	h.Want(fault.OutOfRange, h.holder, m)
}

// TestFrozenAccountIsRecovered: a holder who has frozen his account is recovered at a counter,
// and the account signs again, with the new key; one that an authority has suspended is not.
func TestFrozenAccountIsRecovered(t *testing.T) {
	h := newHall(t)
	h.Must(h.holder, &identityv1.FreezeAccount{Account: h.holder, Cause: "手机丢失"})
	id := h.begun("a")
	h.until(id, locked)
	h.want(id, executed)
	if s := h.Account(h.holder).State; s != identityv1.AccountState_ACCOUNT_STATE_ACTIVE {
		t.Errorf("the account is %s", s)
	}
	h.alone(h.newKey("a"))
}

// TestVaultAsksToBeWrappedAnew: from the execution on the vault says that its key has to be
// wrapped for the new key, until its holder has done so.
func TestVaultAsksToBeWrappedAnew(t *testing.T) {
	h := newHall(t)
	k, err := sm.FromSeed(sm.P256, [32]byte{9})
	if err != nil {
		t.Fatal(err)
	}
	h.Must(h.holder, &safeboxv1.RegisterVault{
		Keys:      []*safeboxv1.VaultKey{{Suite: safeboxv1.SealSuite_SEAL_SUITE_P256, PublicKey: k.Public().Bytes()}},
		Unlockers: []safeboxv1.UnlockerKind{safeboxv1.UnlockerKind_UNLOCKER_KIND_PASSKEY, safeboxv1.UnlockerKind_UNLOCKER_KIND_RECOVERY_CODE}, UnlockersHash: bytes.Repeat([]byte{4}, 32),
	})
	id := h.begun("a")
	h.until(id, locked)
	h.want(id, executed)
	v, _ := safebox.FindVault(h.View(), h.holder)
	if v.GetRewrapMs() != h.Now || v.GetRewrapMs() != recovery.ExecutedAt(h.View(), h.holder) {
		t.Fatalf("rewrap since %d, executed at %d", v.GetRewrapMs(), h.Now)
	}
	again := &safeboxv1.ChangeVault{Unlockers: v.Unlockers, UnlockersHash: bytes.Repeat([]byte{5}, 32), Version: v.Version}
	if got := h.DoWith(h.holder, h.newKey("a"), again); got != fault.OK {
		t.Fatalf("%s (%s)", got, h.Text)
	}
	if v, _ = safebox.FindVault(h.View(), h.holder); v.GetRewrapMs() != 0 {
		t.Error("the task stays though the vault was wrapped anew")
	}
}
