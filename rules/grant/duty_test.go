package grant_test

import (
	"testing"

	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/fault"
	"mulian/rules/grant"
	"mulian/rules/rulestest"
)

const (
	dutyRunning  = grantv1.DeletionDutyState_DELETION_DUTY_STATE_RUNNING
	dutyDue      = grantv1.DeletionDutyState_DELETION_DUTY_STATE_DUE
	dutyOverdue  = grantv1.DeletionDutyState_DELETION_DUTY_STATE_OVERDUE
	dutyReported = grantv1.DeletionDutyState_DELETION_DUTY_STATE_REPORTED
	dutyAttested = grantv1.DeletionDutyState_DELETION_DUTY_STATE_ATTESTED
	dutyExempted = grantv1.DeletionDutyState_DELETION_DUTY_STATE_EXEMPTED
)

// used returns a scene with a standing grant that was used n times.
func used(t *testing.T, n int) (*scene, string) {
	s := newScene(t)
	s.register(func(u *grantv1.IntendedUse) { long(u); u.MaxUses, u.MinIntervalSeconds = 0, 0 })
	id := s.given(nil)
	s.Wait(600_000)
	for range n {
		s.Must(s.ProviderGateway, s.record(id, nil))
	}
	return s, id
}

// TestOverdue: due, overdue after a week, reported after three days more; late is late.
func TestOverdue(t *testing.T) {
	s, id := used(t, 1)
	is := func(want grantv1.DeletionDutyState) {
		t.Helper()
		if d := s.duty(id, 1); d.State != want {
			t.Fatalf("the duty is %s, want %s", d.State, want)
		}
	}
	is(dutyRunning)
	for _, step := range []struct {
		days int64
		want grantv1.DeletionDutyState
		verb string
	}{{20, dutyDue, "grant/deletion_due"}, {7, dutyOverdue, "grant/deletion_overdue"}, {3, dutyReported, "grant/deletion_reported"}} {
		s.Wait(step.days*rulestest.Day - 1)
		s.Wait(1)
		is(step.want)
		s.WantEvent(step.verb, map[grantv1.DeletionDutyState]string{dutyDue: "due", dutyOverdue: "overdue", dutyReported: "reported"}[step.want], "grant/duty/"+id+"/0000000001")
	}
	if x, _ := grant.FindStanding(s.View(), s.Consumer); x.GetOverdueDuties() != 1 {
		t.Errorf("%v", x)
	}
	s.Must(s.Consumer, &grantv1.AttestDeletion{Grant: id, First: 1, Last: 1, EvidenceHash: digest("late")})
	if d := s.duty(id, 1); d.State != dutyAttested || !d.Late {
		t.Errorf("%v", d)
	}
	s.sound(id)
}

// TestAttestRefusals: who attests, of what, and how much.
func TestAttestRefusals(t *testing.T) {
	s, id := used(t, 3)
	attest := func(first, last uint64, items ...byte) *grantv1.AttestDeletion {
		return &grantv1.AttestDeletion{Grant: id, First: first, Last: last, Items: items, EvidenceHash: digest("shredded")}
	}
	s.Want(fault.Forbidden, s.ProviderGateway, attest(1, 1))
	s.Want(fault.OutOfRange, s.Consumer, attest(0, 1))
	s.Want(fault.OutOfRange, s.Consumer, attest(2, 1))
	s.Want(fault.OutOfRange, s.Consumer, attest(1, 4))
	s.Want(fault.AttestScopePartial, s.Consumer, attest(1, 2, 1))
	bare := attest(1, 1)
	bare.EvidenceHash = nil
	s.Want(fault.Missing, s.Consumer, bare)
	s.Must(s.Consumer, attest(1, 2, 3))
	s.Want(fault.IllegalTransition, s.Consumer, attest(1, 2))
	s.Must(s.Consumer, attest(1, 3))
	if g := s.grant(id); g.DutiesOpen != 0 {
		t.Errorf("%v", g)
	}
	s.sound(id)
}

// TestExemption: only laws of the list, only for their years, and then it is due again.
func TestExemption(t *testing.T) {
	s, id := used(t, 1)
	keep := func(basis grantv1.ExemptionBasis, days int64) *grantv1.ExemptDeletion {
		return &grantv1.ExemptDeletion{Grant: id, First: 1, Last: 1, Basis: basis, Law: "反洗钱法第三十四条", UntilMs: s.Now + days*rulestest.Day}
	}
	s.Want(fault.ExemptionUnknown, s.Consumer, keep(0, 30))
	s.Want(fault.ExemptionUnknown, s.Consumer, keep(8, 30))
	s.Want(fault.OutOfRange, s.Consumer, keep(grantv1.ExemptionBasis_EXEMPTION_BASIS_COMMERCE, 4*366))
	s.Want(fault.OutOfRange, s.Consumer, keep(1, 0))
	s.Want(fault.Forbidden, s.ConsumerGateway, keep(1, 30))
	s.Must(s.Consumer, keep(1, 60))
	s.Wait(30 * rulestest.Day)
	if d, g := s.duty(id, 1), s.grant(id); d.State != dutyExempted || g.DutiesOpen != 0 {
		t.Errorf("while it is exempted: %v", d)
	}
	s.sound(id)
	s.Wait(30 * rulestest.Day)
	s.WantEvent("grant/deletion_due", "exemption over", "grant/duty/"+id+"/0000000001")
	s.sound(id)
	s.Wait(7 * rulestest.Day)
	if d := s.duty(id, 1); d.State != dutyOverdue {
		t.Errorf("%v", d)
	}
}

// TestManyDutiesAreBroughtForward: a revocation brings all forward, a share in each block.
func TestManyDutiesAreBroughtForward(t *testing.T) {
	n := grant.MaxShortenedPerBlock + 20
	s, id := used(t, n)
	s.Must(s.owner, &grantv1.RevokeGrant{Grant: id})
	by := s.grant(id).DeleteByMs
	moved := func() (k int) {
		for i := range n {
			if s.duty(id, uint64(i+1)).DueMs == by {
				k++
			}
		}
		return k
	}
	if k := moved(); k != grant.MaxShortenedPerBlock {
		t.Fatalf("%d in the first block, want %d", k, grant.MaxShortenedPerBlock)
	}
	s.Block()
	if k := moved(); k != n {
		t.Fatalf("%d after the second block, want %d", k, n)
	}
	s.sound(id)
}
