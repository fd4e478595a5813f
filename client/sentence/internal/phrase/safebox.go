package phrase

import (
	"fmt"
	"strings"

	safeboxv1 "mulian/gen/mulian/safebox/v1"
	txv1 "mulian/gen/mulian/tx/v1"
)

// ofSafebox says what a message does with a box. What an item is stands in no message: a
// client that has opened its card shows that beside the sentence.
func ofSafebox(m *txv1.Message, name func(string) string) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_RegisterVault:
		v := k.RegisterVault
		return unlockedBy(say("开通保险箱，%d 把公钥，", "open a safe box with %d public keys, ", len(v.GetKeys())), v.GetUnlockers(), v.GetUnlockersHash()), true
	case *txv1.Message_ChangeVault:
		v := k.ChangeVault
		p := Phrase{fmt.Sprintf("更改保险箱（第 %d 版之后），", v.GetVersion()), fmt.Sprintf("change the safe box (after version %d), ", v.GetVersion())}
		if n := len(v.GetKeys()); n > 0 {
			p = Phrase{p.Chinese + fmt.Sprintf("更换 %d 把公钥，", n), p.English + fmt.Sprintf("with %d new public keys, ", n)}
		}
		return unlockedBy(p, v.GetUnlockers(), v.GetUnlockersHash()), true
	case *txv1.Message_Deposit:
		list := k.Deposit.GetItems()
		return say("向保险箱归集 %d 份资料%s", "deposit %d items in safe boxes%s", len(list), first(len(list), func(i int) string {
			return name(list[i].GetOwner()) + " " + short(list[i].GetCommitment())
		})), true
	case *txv1.Message_SelfDeposit:
		list := k.SelfDeposit.GetItems()
		return say("向自己的保险箱存入 %d 份资料%s", "put %d items in the own safe box%s", len(list), first(len(list), func(i int) string { return short(list[i].GetCommitment()) })), true
	case *txv1.Message_EraseItems:
		zh, en := basis(k.EraseItems.GetBasis())
		list := firstOf(k.EraseItems.GetItems())
		return Phrase{
			fmt.Sprintf("永久擦除 %d 份资料%s，依据：%s", len(k.EraseItems.GetItems()), list, zh),
			fmt.Sprintf("erase for good %d items%s, basis: %s", len(k.EraseItems.GetItems()), list, en),
		}, true
	}
	return ofTransfer(m, name)
}

func ofTransfer(m *txv1.Message, name func(string) string) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_OfferTransfer:
		o := k.OfferTransfer
		if o.GetKind() == safeboxv1.TransferKind_TRANSFER_KIND_HAND_OVER {
			return say("把资料 %s 本身转交给 %s（%s 前有效）：对方接受后即归对方", "hand over item %s itself to %s (until %s): it is theirs when they accept", o.GetItem(), name(o.GetTo()), day(o.GetExpiresMs())), true
		}
		return say("把资料 %s 的加注副本 %s 给 %s（%s 前有效），约定 %s", "give an annotated copy %[2]s of item %[1]s to %[3]s (until %[4]s), terms %[5]s",
			o.GetItem(), short(o.GetCopyCommitment()), name(o.GetTo()), day(o.GetExpiresMs()), short(o.GetTermsCommitment())), true
	case *txv1.Message_AcceptTransfer:
		return say("接受转交 %s", "accept the transfer %s", k.AcceptTransfer.GetTransfer()), true
	case *txv1.Message_DeclineTransfer:
		return say("谢绝转交 %s", "decline the transfer %s", k.DeclineTransfer.GetTransfer()), true
	case *txv1.Message_CancelTransfer:
		return say("取消转交 %s", "cancel the transfer %s", k.CancelTransfer.GetTransfer()), true
	}
	return Phrase{}, false
}

// unlockedBy puts the kinds of unlockers behind what is done to a vault.
func unlockedBy(p Phrase, kinds []safeboxv1.UnlockerKind, hash []byte) Phrase {
	zh, en := make([]string, len(kinds)), make([]string, len(kinds))
	for i, k := range kinds {
		zh[i], en[i] = unlocker(k)
	}
	return Phrase{
		p.Chinese + fmt.Sprintf("解锁方式：%s（%s）", strings.Join(zh, "、"), short(hash)),
		p.English + fmt.Sprintf("opened by %s (%s)", strings.Join(en, ", "), short(hash)),
	}
}

func unlocker(k safeboxv1.UnlockerKind) (zh, en string) {
	switch k {
	case safeboxv1.UnlockerKind_UNLOCKER_KIND_PASSKEY:
		return "通行密钥", "a passkey"
	case safeboxv1.UnlockerKind_UNLOCKER_KIND_RECOVERY_CODE:
		return "恢复码", "a recovery code"
	case safeboxv1.UnlockerKind_UNLOCKER_KIND_SHARES:
		return "三取二分片", "two of three shares"
	case safeboxv1.UnlockerKind_UNLOCKER_KIND_CUSTODY:
		return "托管", "a custodian"
	case safeboxv1.UnlockerKind_UNLOCKER_KIND_PASSPHRASE:
		return "口令密钥文件", "a key file under a passphrase"
	}
	return "方式不明", "something unknown"
}

func basis(b safeboxv1.ErasureBasis) (zh, en string) {
	switch b {
	case safeboxv1.ErasureBasis_ERASURE_BASIS_OWNER:
		return "本人要求", "its owner wants it"
	case safeboxv1.ErasureBasis_ERASURE_BASIS_RETENTION_ENDED:
		return "保存期限届满", "its period of retention is over"
	case safeboxv1.ErasureBasis_ERASURE_BASIS_UNLAWFUL:
		return "处理不合法", "it should not have been processed"
	case safeboxv1.ErasureBasis_ERASURE_BASIS_MISDIRECTED:
		return "归集对象错误", "it was in the wrong box"
	}
	return "不明", "unknown"
}
