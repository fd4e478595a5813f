package recovery_test

import (
	"bytes"
	"testing"

	recoveryv1 "mulian/gen/mulian/recovery/v1"
	"mulian/rules/rulestest"
)

// TestGolden pins the state after a fixed history that uses every verb. A change of it is a
// change of the chain: it needs a new state version and a note in docs/decisions.
func TestGolden(t *testing.T) {
	h := newHall(t)
	lost := h.Named(h.holder, machine, "second")
	h.Must(h.holder, h.policy(0))
	h.Must(h.holder, &recoveryv1.SetRecoveryPolicy{Version: 1})
	h.Must(h.holder, &recoveryv1.KeepRoster{})
	id := h.Must(h.friends[0], h.open(guardians, "a"))[0]
	h.Must(h.friends[1], &recoveryv1.ApproveRecovery{Recovery: id, Salt: salt(h.friends[1])})
	h.Must(h.holder, &recoveryv1.ReportKey{Account: h.holder, Key: lost.Public().ID(), Cause: "手机被盗"})
	h.DoWith(h.holder, lost, &recoveryv1.VetoRecovery{Recovery: id, Cause: "不是我"})
	h.Must(h.desks[0], &recoveryv1.ReviewRecovery{Recovery: id, Proceed: true, Cause: "核对"})
	h.Must(h.desks[1], &recoveryv1.ReviewRecovery{Recovery: id, Proceed: true, Cause: "核对"})
	h.Wait(73 * rulestest.Hour)
	h.want(id, executed)
	id = h.begun("b")
	h.Must(h.desks[0], &recoveryv1.CancelRecovery{Recovery: id, Cause: "误办"})
	h.Must(h.desks[0], &recoveryv1.RecordDeath{Account: h.holder, Evidence: bytes.Repeat([]byte{3}, 32)})
	const want = "3abea93affef65fd922ac4613075dc7db75755d217041cbced7028e62d794206"
	if got := h.AppHash(); got != want {
		t.Errorf("app hash %s, want %s", got, want)
	}
}
