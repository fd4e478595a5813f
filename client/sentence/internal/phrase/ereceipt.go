package phrase

import (
	"encoding/hex"

	txv1 "mulian/gen/mulian/tx/v1"
)

// ofReceipt says what a message does with fiscal e-receipts. Nobody signs amounts here that
// he could not check: they are on the ledger in a scale that only the document gives.
func ofReceipt(m *txv1.Message, name func(string) string) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_AllotRange:
		r := k.AllotRange
		return say("把票据代码 %s 的号码 %s 至 %s 分配给 %s，%s 前有效", "allot numbers %[2]s to %[3]s of receipt code %[1]s to %[4]s until %[5]s", r.GetCode(), r.GetFirst(), r.GetLast(), name(r.GetUnit()), day(r.GetUntilMs())), true
	case *txv1.Message_EndRange:
		return say("收回票段 %s 的剩余号码，原因：%s", "take back what is left of code range %s, because: %s", k.EndRange.GetRange(), k.EndRange.GetReason()), true
	case *txv1.Message_IssueReceipts:
		r := k.IssueReceipts
		return say("在票段 %s 开具 %d 张财政电子票据：%s", "issue %[2]d e-receipts from code range %[1]s: %[3]s", r.GetRange(), len(r.GetReceipts()), handles(r.GetReceipts())), true
	case *txv1.Message_SuperviseReceipts:
		return say("对 %d 张财政电子票据作财政监制签名：%s", "put the finance bureau's signature under %d e-receipts: %s", len(k.SuperviseReceipts.GetReceipts()), handles(k.SuperviseReceipts.GetReceipts())), true
	case *txv1.Message_DeliverReceipts:
		return say("登记 %d 张财政电子票据已交付：%s", "record that %d e-receipts were delivered: %s", len(k.DeliverReceipts.GetHandles()), listed(k.DeliverReceipts.GetHandles())), true
	}
	return ofClaim(m)
}

// ofClaim says what a message does about the reimbursement of receipts.
func ofClaim(m *txv1.Message) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_LockReceipts:
		l := k.LockReceipts.GetLocks()
		until := int64(0)
		for _, x := range l {
			until = max(until, x.GetUntilMs())
		}
		return say("锁定 %d 张财政电子票据以便报销，最迟至 %s：%s", "lock %d e-receipts for reimbursement, at the latest until %s: %s", len(l), day(until), handles(l)), true
	case *txv1.Message_ReleaseReceipts:
		return say("释放 %d 张财政电子票据的报销锁定：%s", "release the locks of %d e-receipts: %s", len(k.ReleaseReceipts.GetHandles()), listed(k.ReleaseReceipts.GetHandles())), true
	case *txv1.Message_ReimburseReceipts:
		l, rest := k.ReimburseReceipts.GetReimbursements(), 0
		for _, x := range l {
			if x.GetOpenRest() {
				rest++
			}
		}
		return say("登记 %d 张财政电子票据已报销（其中 %d 张留出余额给其他机构）：%s", "record that %d e-receipts were reimbursed (the rest of %d stays open to others): %s", len(l), rest, handles(l)), true
	case *txv1.Message_FlushReceipt:
		f := k.FlushReceipt
		red := f.GetRed().GetHandle()
		if f.GetScaled() != 0 {
			return say("部分冲红票据 %s，红票 %s 出自票段 %s，原因：%s", "flush a part of e-receipt %s with the red receipt %s of code range %s, because: %s", short(f.GetHandle()), short(red), f.GetRange(), f.GetReason()), true
		}
		return say("全额冲红票据 %s，红票 %s 出自票段 %s，原因：%s", "flush all of e-receipt %s with the red receipt %s of code range %s, because: %s", short(f.GetHandle()), short(red), f.GetRange(), f.GetReason()), true
	case *txv1.Message_ReturnReimbursement:
		return say("登记已冲红票据 %s 的报销款已退回", "record that the money paid for the cancelled e-receipt %s came back", short(k.ReturnReimbursement.GetHandle())), true
	}
	return Phrase{}, false
}

// handles names the receipts of a list.
func handles[T interface{ GetHandle() []byte }](list []T) string {
	all := make([][]byte, len(list))
	for i, x := range list {
		all[i] = x.GetHandle()
	}
	return listed(all)
}

// listed names the first receipts of many: who signs compares them with his own list.
func listed(all [][]byte) string {
	const shown = 3
	text := ""
	for i, h := range all {
		if i == shown {
			return text + ", …"
		}
		if i > 0 {
			text += ", "
		}
		text += hex.EncodeToString(h)
	}
	return text
}
