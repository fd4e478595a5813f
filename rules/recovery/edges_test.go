package recovery_test

import (
	"bytes"
	"testing"

	identityv1 "mulian/gen/mulian/identity/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/internal/fault"
	"mulian/rules/recovery"
	"mulian/rules/rulestest"
)

// TestLateSecondOfficer: who comes in the last hour of the gathering begins a lock in full; the
// end of the gathering, which stands in the index of what is due, ends nothing any more.
func TestLateSecondOfficer(t *testing.T) {
	h := newHall(t)
	id := h.Must(h.desks[0], h.open(counter, "a"))[0]
	gathering := h.get(id).DueMs
	h.Wait(gathering - h.Now - rulestest.Hour)
	h.Must(h.desks[1], &recoveryv1.ApproveRecovery{Recovery: id, Evidence: bytes.Repeat([]byte{2}, 32), Face: matched})
	h.Wait(2 * rulestest.Hour) // over the old end
	if r := h.want(id, locked); r.DueMs != gathering-rulestest.Hour+24*rulestest.Hour {
		t.Fatalf("locked until %d", r.DueMs)
	}
	h.until(id, locked)
	h.want(id, executed)
}

// TestRosterOfOldKeysDies: a change of the roster that was made with the old keys, and still waits
// at the execution, takes effect never; one by the new key waits its own time.
func TestRosterOfOldKeysDies(t *testing.T) {
	h := newHall(t)
	h.Must(h.holder, h.policy(0))
	h.Wait(rulestest.Hour)
	h.Must(h.holder, &recoveryv1.SetRecoveryPolicy{Version: 1}) // the thief's: nobody
	id := h.begun("a")
	h.until(id, locked)
	h.want(id, executed)
	for range 4 {
		h.Wait(24 * rulestest.Hour)
	}
	p, _ := recovery.FindPolicy(h.View(), h.holder)
	if len(p.GetGuardians()) != 3 || p.GetPending() != nil || len(p.GetCodeKey()) == 0 {
		t.Errorf("%d guardians, pending %v", len(p.GetGuardians()), p.GetPending())
	}
}

// TestRosterWaitsAsLongAsItsOwnLock: a holder who has asked for a longer lock than the parameters
// have has it before a change of his guardians, too, and a thief cannot first make it shorter.
func TestRosterWaitsAsLongAsItsOwnLock(t *testing.T) {
	h := newHall(t)
	long := h.policy(0)
	long.LockHours = 200
	h.Must(h.holder, long)
	h.Must(h.holder, &recoveryv1.SetRecoveryPolicy{Version: 1})
	if p, _ := recovery.FindPolicy(h.View(), h.holder); p.GetPendingMs() != h.Now+200*rulestest.Hour {
		t.Fatalf("the change waits %d ms", p.GetPendingMs()-h.Now)
	}
	for _, hours := range []int64{100, 99} {
		h.Wait(hours * rulestest.Hour)
		if p, _ := recovery.FindPolicy(h.View(), h.holder); len(p.GetGuardians()) != 3 {
			t.Fatal("it took effect before its time")
		}
	}
	h.Wait(rulestest.Hour)
	if p, _ := recovery.FindPolicy(h.View(), h.holder); len(p.GetGuardians()) != 0 {
		t.Error("it did not take effect")
	}
}

// TestDropOnceOnly: what KeepRoster has dropped stays dropped when its day comes.
func TestDropOnceOnly(t *testing.T) {
	h := newHall(t)
	h.Must(h.holder, h.policy(0))
	h.Must(h.holder, &recoveryv1.SetRecoveryPolicy{Version: 1})
	h.Must(h.holder, &recoveryv1.KeepRoster{})
	h.Must(h.holder, &recoveryv1.SetRecoveryPolicy{Version: policyVersion(h), LockHours: 30})
	h.Wait(71 * rulestest.Hour)
	if p, _ := recovery.FindPolicy(h.View(), h.holder); p.GetLockHours() != 0 || len(p.GetGuardians()) != 3 {
		t.Errorf("before its day: %v", p)
	}
	h.Wait(rulestest.Hour)
	if p, _ := recovery.FindPolicy(h.View(), h.holder); p.GetLockHours() != 30 || p.GetPending() != nil {
		t.Errorf("on its day: %v", p)
	}
}

// TestLostKeyIsNoSecondOpinion: a lost key neither vouches with a code nor finds itself; another
// key of the account, ROOT, finds it.
func TestLostKeyIsNoSecondOpinion(t *testing.T) {
	h := newHall(t)
	h.Must(h.holder, h.policy(0))
	k := h.second2(officer)
	h.Must(h.desks[0], &recoveryv1.ReportKey{Account: h.holder, Key: k})
	low := h.Named(h.holder, officer, "third")
	for _, m := range []*recoveryv1.ReportKey{{Account: h.holder, Key: k, Found: true}} {
		if got := h.DoWith(h.holder, low, m); got != fault.KeyRevoked {
			t.Errorf("a lost key finds itself: %s", got)
		}
	}
	if got := h.DoWith(h.holder, low, h.open(byCode, "c")); got != fault.KeyRevoked {
		t.Errorf("a code with a lost key: %s", got)
	}
	if got := h.DoWith(h.holder, h.Named(h.holder, machine, "second"), &recoveryv1.ReportKey{Account: h.holder, Key: k, Found: true}); got != fault.Forbidden {
		t.Errorf("a key MACHINE finds another: %s", got)
	}
	h.Must(h.holder, &recoveryv1.ReportKey{Account: h.holder, Key: k, Found: true})
}

// second2 gives the holder a third key and returns its id.
func (h *hall) second2(level identityv1.KeyLevel) string {
	k := h.Named(h.holder, level, "third").Public()
	h.Must(h.holder, &identityv1.AddKey{Account: h.holder, Key: rulestest.PublicKey(k, level)})
	return k.ID()
}
