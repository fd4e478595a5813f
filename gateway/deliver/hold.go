package deliver

import (
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// holds refuses what an agreement does not allow at that moment, as rules/share says
// it: data is released while it is ACTIVE, AMENDING, RENEWING (the terms that both
// signed last hold) or ENDING (until its day). Expired if the end of its term made it
// over, else AgreementSuspended. A state that this program does not know holds nothing.
func holds(g *sharev1.Agreement, nowMs int64) error {
	switch g.GetState() {
	case sharev1.AgreementState_AGREEMENT_STATE_ACTIVE, sharev1.AgreementState_AGREEMENT_STATE_AMENDING,
		sharev1.AgreementState_AGREEMENT_STATE_RENEWING, sharev1.AgreementState_AGREEMENT_STATE_ENDING:
		return nil
	case sharev1.AgreementState_AGREEMENT_STATE_ENDED, sharev1.AgreementState_AGREEMENT_STATE_DISPOSING,
		sharev1.AgreementState_AGREEMENT_STATE_DISPOSED:
		if g.GetEndsMs() != 0 && nowMs >= g.GetEndsMs() {
			return fault.Newf(fault.Expired, "agreement %s is over", g.GetId())
		}
	}
	return fault.Newf(fault.AgreementSuspended, "agreement %s is not active", g.GetId())
}
