package phrase

import (
	"fmt"

	grantv1 "mulian/gen/mulian/grant/v1"
	txv1 "mulian/gen/mulian/tx/v1"
)

// ofGrant says what a message does about what owners allow. What is granted in full is
// the text of internal/consent, whose hash is in the message.
func ofGrant(m *txv1.Message, name func(string) string) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_RegisterUse:
		return ofUse(k.RegisterUse), true
	case *txv1.Message_RetireUse:
		return say("停用使用登记 %s，原因：%s", "retire the intended use %s, because: %s", k.RetireUse.GetUse(), k.RetireUse.GetCause()), true
	case *txv1.Message_RequestData:
		return ofAsking(k.RequestData.GetRequest(), name), true
	case *txv1.Message_WithdrawDataRequest:
		return say("撤回用数请求 %s", "withdraw the data request %s", k.WithdrawDataRequest.GetRequest()), true
	case *txv1.Message_GiveGrant:
		return ofGiving(k.GiveGrant, name), true
	case *txv1.Message_DeclineRequest:
		x := k.DeclineRequest
		zh, en := declined(x.GetCause())
		return say("不同意用数请求 %s：%s", "decline the data request %s: %s", x.GetRequest(), zh).english("decline the data request %s: %s", x.GetRequest(), en).under(x.GetMandate()), true
	case *txv1.Message_PauseGrant:
		return say("暂停授权 %s", "pause the grant %s", k.PauseGrant.GetGrant()).under(k.PauseGrant.GetMandate()), true
	case *txv1.Message_ResumeGrant:
		return say("恢复授权 %s", "let the grant %s go on", k.ResumeGrant.GetGrant()).under(k.ResumeGrant.GetMandate()), true
	case *txv1.Message_RevokeGrant:
		x := k.RevokeGrant
		return say("撤回授权 %s，此后不得再用，已提供的限期删除%s", "revoke the grant %s: no use after this, and what was delivered has to be deleted%s", x.GetGrant(), why(x.GetCause())).under(x.GetMandate()), true
	case *txv1.Message_VoidGrant:
		return say("作废授权 %s，原因：%s", "void the grant %s, because: %s", k.VoidGrant.GetGrant(), k.VoidGrant.GetCause()), true
	}
	return ofGrantUse(m)
}

// ofGrantUse speaks of uses and of deletion.
func ofGrantUse(m *txv1.Message) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_RecordGrantUse:
		x := k.RecordGrantUse
		return say("登记授权 %s 的第 %d 次使用，密封给密钥 %s", "record use %[2]d of the grant %[1]s, sealed to the key %[3]s", x.GetGrant(), x.GetNumber(), x.GetRecipientKey()), true
	case *txv1.Message_RecordBoxUse:
		x := k.RecordBoxUse
		return say("登记授权 %s 的第 %d 次使用：把保险箱内的资料 %s 整件交对方取用", "record use %[2]d of the grant %[1]s: the other fetches the whole item %[3]s of the box", x.GetGrant(), x.GetNumber(), x.GetItem()), true
	case *txv1.Message_CloseGrantUse:
		x := k.CloseGrantUse
		w := enumWord(x.GetOutcome())
		return say("结束授权 %s 的第 %d 次使用：%s", "close use %[2]d of the grant %[1]s: %[3]s", x.GetGrant(), x.GetNumber(), w.Chinese).
			english("close use %[2]d of the grant %[1]s: %[3]s", x.GetGrant(), x.GetNumber(), w.English), true
	case *txv1.Message_AttestDeletion:
		x := k.AttestDeletion
		return say("证明授权 %s 第 %d 至 %d 次提供的数据已删除", "attest that what uses %[2]d to %[3]d of the grant %[1]s delivered is deleted", x.GetGrant(), x.GetFirst(), x.GetLast()), true
	case *txv1.Message_ExemptDeletion:
		x := k.ExemptDeletion
		return say("声明授权 %s 第 %d 至 %d 次提供的数据依法保留至 %s：%s", "state that what uses %[2]d to %[3]d of the grant %[1]s delivered is kept by law until %[4]s: %[5]s",
			x.GetGrant(), x.GetFirst(), x.GetLast(), day(x.GetUntilMs()), x.GetLaw()), true
	}
	return Phrase{}, false
}

func ofUse(x *grantv1.RegisterUse) Phrase {
	u := x.GetUse()
	entry := u.GetEntry()
	if entry == "" {
		entry = "?"
	}
	return say("登记使用 %s “%s”：目录 %s 的 %d 个信息项，用途 %s，至多 %d 天", "register the intended use %s “%s”: of %s %d items, for %s, for at most %d days",
		x.GetLocalId(), u.GetTitle(), entry, bits(u.GetItems()), u.GetPurpose(), u.GetMaxDays())
}

func ofAsking(r *grantv1.DataRequest, name func(string) string) Phrase {
	p := say("按使用登记 %s 请求 %d 个信息项，授权至 %s", "ask for %[2]d items under the intended use %[1]s, until %[3]s", r.GetUse(), bits(r.GetItems()), day(r.GetToMs()))
	if r.GetOwner() == "" {
		return Phrase{p.Chinese + "，由扫码人决定", p.English + ", of whoever scans the code"}
	}
	return p.also(true, "，数据主体 %s", ", of %s", name(r.GetOwner()))
}

func ofGiving(x *grantv1.GiveGrant, name func(string) string) Phrase {
	p := say("同意用数请求 %s，所见文本指纹 %x", "grant the data request %s; the text that was shown has the hash %x", x.GetRequest(), x.GetUiTextHash())
	p = p.also(x.GetOwner() != "", "，代 %s", ", for %s", name(x.GetOwner()))
	p = p.also(x.GetReplaces() != "", "，接替授权 %s", ", in place of the grant %s", x.GetReplaces())
	return p.under(x.GetMandate())
}

func declined(c grantv1.DeclineCause) (zh, en string) {
	switch c {
	case grantv1.DeclineCause_DECLINE_CAUSE_REFUSED:
		return "不同意", "refused"
	case grantv1.DeclineCause_DECLINE_CAUSE_NOT_ME:
		return "不是本人发起，请查", "not started by me; look into it"
	case grantv1.DeclineCause_DECLINE_CAUSE_MISMATCH:
		return "核对码三次不符，请查", "the match number was wrong three times; look into it"
	}
	return "？", "?"
}

// under adds the mandate under which the signer acts.
func (p Phrase) under(mandate string) Phrase {
	return p.also(mandate != "", "，依委托 %s", ", under the mandate %s", mandate)
}

// english replaces the English half, for arguments that differ by language.
func (p Phrase) english(format string, args ...any) Phrase {
	p.English = fmt.Sprintf(format, args...)
	return p
}

// bits counts the items of a bitmap.
func bits(set []byte) (n int) {
	for _, b := range set {
		for ; b != 0; b &= b - 1 {
			n++
		}
	}
	return n
}
