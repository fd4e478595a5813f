package deliver

import (
	"testing"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// TestHolds goes through every state that the schema has, within the term and after
// it: one that is added later is found here, and holds nothing until somebody decides.
func TestHolds(t *testing.T) {
	const ends = 1000
	want := map[string][2]fault.Code{ // before, after its term
		"ACTIVE": {fault.OK, fault.OK}, "AMENDING": {fault.OK, fault.OK}, "RENEWING": {fault.OK, fault.OK}, "ENDING": {fault.OK, fault.OK},
		"OFFERED": {fault.AgreementSuspended, fault.AgreementSuspended}, "SUSPENDED": {fault.AgreementSuspended, fault.AgreementSuspended},
		"RECTIFYING": {fault.AgreementSuspended, fault.AgreementSuspended}, "UNSPECIFIED": {fault.AgreementSuspended, fault.AgreementSuspended},
		"ENDED": {fault.AgreementSuspended, fault.Expired}, "DISPOSING": {fault.AgreementSuspended, fault.Expired}, "DISPOSED": {fault.AgreementSuspended, fault.Expired},
	}
	values := sharev1.AgreementState(0).Descriptor().Values()
	for i := range values.Len() {
		name := string(values.Get(i).Name())[len("AGREEMENT_STATE_"):]
		codes, ok := want[name]
		if !ok {
			t.Errorf("%s: nobody has said whether it holds", name)
		}
		g := &sharev1.Agreement{Id: "g", State: sharev1.AgreementState(values.Get(i).Number()), EndsMs: ends}
		for n, now := range []int64{ends - 1, ends} {
			if got := fault.CodeOf(holds(g, now)); got != codes[n] {
				t.Errorf("%s at %d: %s, want %s", name, now, got, codes[n])
			}
		}
	}
	if got := fault.CodeOf(holds(&sharev1.Agreement{State: 99}, 0)); got != fault.AgreementSuspended {
		t.Errorf("a state of the future: %s", got)
	}
}
