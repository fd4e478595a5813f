package rules

import (
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/rules/act"
	"mulian/rules/grant"
)

// grantVerb carries out a message of the owner's side, or passes it on.
func grantVerb(a *act.Act, m *txv1.Message) error {
	switch k := m.GetKind().(type) {
	case *txv1.Message_RegisterUse:
		return grant.RegisterUse(a, k.RegisterUse)
	case *txv1.Message_RetireUse:
		return grant.RetireUse(a, k.RetireUse)
	case *txv1.Message_RequestData:
		return grant.RequestData(a, k.RequestData)
	case *txv1.Message_WithdrawDataRequest:
		return grant.WithdrawDataRequest(a, k.WithdrawDataRequest)
	case *txv1.Message_GiveGrant:
		return grant.GiveGrant(a, k.GiveGrant)
	case *txv1.Message_DeclineRequest:
		return grant.DeclineRequest(a, k.DeclineRequest)
	case *txv1.Message_PauseGrant:
		return grant.PauseGrant(a, k.PauseGrant)
	case *txv1.Message_ResumeGrant:
		return grant.ResumeGrant(a, k.ResumeGrant)
	case *txv1.Message_RevokeGrant:
		return grant.RevokeGrant(a, k.RevokeGrant)
	case *txv1.Message_VoidGrant:
		return grant.VoidGrant(a, k.VoidGrant)
	case *txv1.Message_RecordGrantUse:
		return grant.RecordGrantUse(a, k.RecordGrantUse)
	case *txv1.Message_RecordBoxUse:
		return grant.RecordBoxUse(a, k.RecordBoxUse)
	case *txv1.Message_CloseGrantUse:
		return grant.CloseGrantUse(a, k.CloseGrantUse)
	case *txv1.Message_AttestDeletion:
		return grant.AttestDeletion(a, k.AttestDeletion)
	case *txv1.Message_ExemptDeletion:
		return grant.ExemptDeletion(a, k.ExemptDeletion)
	}
	return catalogueVerb(a, m)
}
