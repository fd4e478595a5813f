package consent

import (
	"fmt"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/itemset"
)

// ReceiptNames are what a receipt calls things by: of a confidential use none are known.
type ReceiptNames struct {
	Grantee, Provider string // names of organisations
	Entry             *cataloguev1.Entry
	Purpose           *governancev1.GrantPurpose
}

// Receipt is the content of a consent receipt 授权回执 for the last thing that happened to a
// grant, as the ledger has it (fields after ISO/IEC TS 27560). Where it stands on the ledger
// is added by who has looked.
func Receipt(language string, x *grantv1.Grant, u *grantv1.IntendedUse, n ReceiptNames) *grantv1.ConsentReceipt {
	if language != English {
		language = Chinese
	}
	withdrawal := "mulian grant revoke " + x.GetId()
	if x.GetBasis() == grantv1.GrantBasis_GRANT_BASIS_DUTY {
		withdrawal = ""
	}
	out := &grantv1.ConsentReceipt{
		Version: "1", Language: language, Principal: Principal(x.GetOwner(), x.GetGrantee()), Purpose: x.GetPurpose(), ConsentKind: x.GetConsentKind(),
		Basis: x.GetBasis(), Collection: "source-pull", NoticeHash: x.GetNoticeHash(), NoticeUrl: u.GetNoticeUrl(), NotBeforeMs: x.GetNotBeforeMs(),
		NotAfterMs: x.GetNotAfterMs(), MaxUses: x.GetMaxUses(), Uses: x.GetUses(), DataLifeDays: x.GetDataLifeDays(), Withdrawal: withdrawal,
		Complaint: u.GetContact(), Grant: x.GetId(), Controllers: []*grantv1.ReceiptController{{Org: x.GetGrantee(), Name: n.Grantee, Contact: u.GetContact()}},
	}
	out.Event, out.AtMs = newest(x)
	out.Id = fmt.Sprintf("%s-%d-%d", x.GetId(), out.Event, x.GetSequence())
	if n.Entry == nil {
		return out
	}
	out.Controllers = append(out.Controllers, &grantv1.ReceiptController{Org: n.Entry.GetProvider(), Name: n.Provider})
	out.PurposeText, out.Entry = n.Purpose.GetName(), n.Entry.GetName()
	if language == English && n.Purpose.GetNameEn() != "" {
		out.PurposeText = n.Purpose.GetNameEn()
	}
	for _, it := range itemset.Items(n.Entry, x.GetItems()) {
		out.Items = append(out.Items, it.GetName())
	}
	return out
}

// newest is the last thing that happened to a grant.
func newest(x *grantv1.Grant) (grantv1.ReceiptEvent, int64) {
	switch x.GetState() {
	case grantv1.GrantState_GRANT_STATE_REVOKED, grantv1.GrantState_GRANT_STATE_VOIDED:
		if x.GetDeleteByMs() != 0 && x.GetDutiesOpen() == 0 {
			return grantv1.ReceiptEvent_RECEIPT_EVENT_DELETED, x.GetEndedMs()
		}
		return grantv1.ReceiptEvent_RECEIPT_EVENT_REVOKED, x.GetEndedMs()
	case grantv1.GrantState_GRANT_STATE_EXPIRED, grantv1.GrantState_GRANT_STATE_EXHAUSTED:
		return grantv1.ReceiptEvent_RECEIPT_EVENT_EXPIRED, x.GetEndedMs()
	case grantv1.GrantState_GRANT_STATE_PAUSED:
		return grantv1.ReceiptEvent_RECEIPT_EVENT_CHANGED, x.GetPausedMs()
	}
	if x.GetSequence() > 0 {
		return grantv1.ReceiptEvent_RECEIPT_EVENT_USED, x.GetLastUseMs()
	}
	return grantv1.ReceiptEvent_RECEIPT_EVENT_GIVEN, x.GetGivenMs()
}
