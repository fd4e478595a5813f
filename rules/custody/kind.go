package custody

import (
	custodyv1 "mulian/gen/mulian/custody/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/rules/grant"
	"mulian/state"
)

// kindOf says how long a message waits. What is not named here stands: a verb that is new one
// day waits until somebody has thought about it.
//
// At once goes what gives one use, says no, stops something, or opens the own box: waiting a
// day would harm nobody but the person. The end of a mandate waits: who acts for the person may
// undo what waits, and must not lose that right within the day. A vault waits: from its first
// day on everybody seals to its keys, and the person has seen none of them. docs/decisions/0043.
func kindOf(v state.View, m *txv1.Message) custodyv1.CustodyActKind {
	switch k := m.GetKind().(type) {
	case *txv1.Message_GiveGrant:
		return kindOfGrant(v, k.GiveGrant.GetRequest())
	case *txv1.Message_DeclineRequest, *txv1.Message_PauseGrant, *txv1.Message_RevokeGrant,
		*txv1.Message_KeepRoster, *txv1.Message_VetoRecovery, *txv1.Message_FreezeAccount,
		*txv1.Message_DeclineTransfer, *txv1.Message_CancelTransfer,
		*txv1.Message_SelfDeposit, *txv1.Message_UnwrapVault:
		return once
	}
	return standing
}

// kindOfGrant: a grant of one use is used or ends; a standing one goes on.
func kindOfGrant(v state.View, request string) custodyv1.CustodyActKind {
	if len(request) > maxAccount {
		return standing
	}
	r, ok := grant.FindRequest(v, request)
	if !ok {
		return standing
	}
	if u, ok := grant.FindUseOf(v, r.Use); ok && u.Kind == grantv1.GrantKind_GRANT_KIND_ONCE {
		return once
	}
	return standing
}
