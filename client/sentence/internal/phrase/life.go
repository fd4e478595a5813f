package phrase

import (
	"fmt"
	"strings"
	"time"

	sharev1 "mulian/gen/mulian/share/v1"
	txv1 "mulian/gen/mulian/tx/v1"
)

// ofLife speaks of what becomes of an agreement after both have signed it.
func ofLife(m *txv1.Message) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_ProposeAmendment:
		return amend(k.ProposeAmendment), true
	case *txv1.Message_ProposeRenewal:
		x := k.ProposeRenewal
		return say("提议协议 %s 续期 %d 天；理由：%s", "propose that agreement %s holds for %d days more; because: %s", x.GetAgreement(), x.GetDays(), x.GetReason()), true
	case *txv1.Message_SignAmendment:
		x := k.SignAmendment
		return say("签署协议 %s 的第 %d 号变更，立即生效", "sign amendment %[2]d of agreement %[1]s; it is in force at once", x.GetAgreement(), x.GetNumber()), true
	case *txv1.Message_DropAmendment:
		x := k.DropAmendment
		return say("不再进行协议 %s 的第 %d 号变更：%s", "drop amendment %[2]d of agreement %[1]s: %[3]s", x.GetAgreement(), x.GetNumber(), x.GetReason()), true
	case *txv1.Message_RecordViolation:
		x := k.RecordViolation
		return say("认定协议 %s 使用违规，停止供数，限 %d 个工作日整改：%s", "record a violation of agreement %s: nothing is released, %d working days to make it good: %s", x.GetAgreement(), x.GetDays(), x.GetFinding()), true
	case *txv1.Message_RectifyViolation:
		x := k.RectifyViolation
		return say("报告协议 %s 第 %d 号违规已整改：%s", "report that violation %[2]d of agreement %[1]s is made good: %[3]s", x.GetAgreement(), x.GetNumber(), x.GetMeasures()), true
	case *txv1.Message_SettleViolation:
		return settleViolation(k.SettleViolation), true
	case *txv1.Message_FileDisposal:
		x := k.FileDisposal
		return say("证明协议 %s 的数据已销毁（第 %d 次交付及以前，%d 份，证明 %s）：%s",
			"certify that the data of agreement %s is destroyed (deliveries up to %d, %d copies, certificate %s): %s",
			x.GetAgreement(), x.GetUpToDelivery(), x.GetCopies(), short(x.GetCertificateHash()), x.GetReason()), true
	case *txv1.Message_FileFeedback:
		x := k.FileFeedback
		p := say("反馈协议 %s 的使用成效：%s", "give feedback on agreement %s: %s", x.GetAgreement(), x.GetEffect())
		return p.also(x.GetScore() > 0, "，评 %d 分", ", score %d", x.GetScore()), true
	}
	return ofDispute(m)
}

func settleViolation(x *sharev1.SettleViolation) Phrase {
	if x.GetAccept() {
		p := say("认可协议 %s 第 %d 号违规的整改，恢复履行", "accept that violation %[2]d of agreement %[1]s is made good; the agreement goes on", x.GetAgreement(), x.GetNumber())
		return p.also(x.GetDecision() != "", "：%s", ": %s", x.GetDecision()).filed(x.GetFiling())
	}
	p := say("因第 %[2]d 号违规终止协议 %[1]s：%[3]s", "end agreement %s for violation %d: %s", x.GetAgreement(), x.GetNumber(), x.GetDecision())
	return p.filed(x.GetFiling())
}

func (p Phrase) filed(number string) Phrase {
	return p.also(number != "", "，协商备案号 %s", ", filed as %s", number)
}

// ofDispute speaks of corrections, objections and disputes.
func ofDispute(m *txv1.Message) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_FileCorrection:
		x := k.FileCorrection
		p := say("对目录 %s 提出校核：%s", "say that a value of entry %s is wrong: %s", x.GetEntry(), x.GetStatement())
		p = p.also(x.GetItem() != "", "，信息项 %s", ", item %s", x.GetItem())
		return p.also(len(x.GetRow()) > 0, "，记录 %s", ", row %s", short(x.GetRow())), true
	case *txv1.Message_AnswerCorrection:
		return answerCorrection(k.AnswerCorrection), true
	case *txv1.Message_CompleteCorrection:
		x := k.CompleteCorrection
		return say("校核 %s 已在数据源更正，请通知各持有方：%s", "correction %s is made at the source; tell every holder: %s", x.GetCorrection(), x.GetNote()), true
	case *txv1.Message_ApplyCorrection:
		x := k.ApplyCorrection
		p := say("已按校核 %s 更正协议 %s 名下的数据", "correction %s is made in the copy under agreement %s", x.GetCorrection(), x.GetAgreement())
		return p.also(x.GetNote() != "", "：%s", ": %s", x.GetNote()), true
	case *txv1.Message_CloseCorrection:
		x := k.CloseCorrection
		return solved(say("办结校核 %s", "close correction %s", x.GetCorrection()), x.GetSolved(), x.GetScore(), x.GetFeedback()), true
	case *txv1.Message_FileObjection:
		x := k.FileObjection
		return say("对 %s 提出异议：%s", "object to %s: %s", x.GetSubject(), x.GetStatement()), true
	case *txv1.Message_AnswerObjection:
		x := k.AnswerObjection
		return say("答复异议 %s：%s", "answer objection %s: %s", x.GetObjection(), x.GetAnswer()), true
	case *txv1.Message_CloseObjection:
		x := k.CloseObjection
		return solved(say("办结异议 %s", "close objection %s", x.GetObjection()), x.GetSolved(), x.GetScore(), x.GetComment()), true
	case *txv1.Message_RaiseDispute:
		x := k.RaiseDispute
		return say("就 %s 提起争议，先行协商：%s", "raise a dispute about %s, to negotiate first: %s", x.GetSubject(), x.GetStatement()), true
	case *txv1.Message_DecideDispute:
		return decideDispute(k.DecideDispute), true
	case *txv1.Message_EscalateDispute:
		x := k.EscalateDispute
		return say("将争议 %s 提请上一级处理：%s", "take dispute %s to the next level: %s", x.GetDispute(), x.GetCause()), true
	case *txv1.Message_SettleDispute:
		x := k.SettleDispute
		p := say("接受争议 %s 的处理意见", "accept the decision on dispute %s", x.GetDispute())
		if x.GetWithdraw() {
			p = say("撤回争议 %s", "withdraw dispute %s", x.GetDispute())
		}
		return p.also(x.GetCause() != "", "：%s", ": %s", x.GetCause()), true
	}
	return Phrase{}, false
}

func answerCorrection(x *sharev1.AnswerCorrection) Phrase {
	p := say("（不认识的答复）校核 %s", "(an answer that this program does not know) to correction %s", x.GetCorrection())
	switch x.GetAnswer() {
	case sharev1.CorrectionState_CORRECTION_STATE_ACKNOWLEDGED:
		p = say("受理校核 %s", "acknowledge correction %s", x.GetCorrection())
	case sharev1.CorrectionState_CORRECTION_STATE_CONFIRMED:
		p = say("确认校核 %s 属实，数据有误", "confirm by correction %s that the value is wrong", x.GetCorrection())
	case sharev1.CorrectionState_CORRECTION_STATE_REJECTED:
		p = say("不予采纳校核 %s", "reject correction %s", x.GetCorrection())
	}
	return p.also(x.GetReason() != "", "：%s", ": %s", x.GetReason())
}

// solved says whether somebody got what he wanted.
func solved(p Phrase, yes bool, score uint32, text string) Phrase {
	zh, en := "，未解决", ", not solved"
	if yes {
		zh, en = "，已解决", ", solved"
	}
	p = Phrase{p.Chinese + zh, p.English + en}
	p = p.also(score > 0, "，评 %d 分", ", score %d", score)
	return p.also(text != "", "：%s", ": %s", text)
}

func decideDispute(x *sharev1.DecideDispute) Phrase {
	zh, en := "不支持", "not upheld"
	if x.GetUpheld() {
		zh, en = "支持", "upheld"
	}
	levelZh, levelEn := level(x.GetLevel())
	p := Phrase{
		fmt.Sprintf("就争议 %s 作出%s处理意见（%s提出方）：%s", x.GetDispute(), levelZh, zh, x.GetText()),
		fmt.Sprintf("decide dispute %s by %s (the claimant is %s): %s", x.GetDispute(), levelEn, en, x.GetText()),
	}
	p = p.also(x.GetBody() != "", "，处理机关 %s", ", body %s", x.GetBody())
	return p.also(x.GetDocument() != "", "，文号 %s", ", document %s", x.GetDocument())
}

func level(l sharev1.DisputeLevel) (zh, en string) {
	switch l {
	case sharev1.DisputeLevel_DISPUTE_LEVEL_NEGOTIATE:
		return "协商", "negotiation"
	case sharev1.DisputeLevel_DISPUTE_LEVEL_AUTHORITY:
		return "主管部门", "the authority"
	case sharev1.DisputeLevel_DISPUTE_LEVEL_COMMON_SUPERIOR:
		return "共同上级主管部门", "the common superior"
	case sharev1.DisputeLevel_DISPUTE_LEVEL_GOVERNMENT:
		return "人民政府", "the government"
	}
	return "？", "?"
}

// endAgreement speaks of an end, now or by notice.
func endAgreement(x *sharev1.EndAgreement) Phrase {
	p := say("终止共享协议 %s，原因：%s", "end agreement %s, because: %s", x.GetAgreement(), x.GetReason())
	if x.GetEndsMs() != 0 {
		day := time.UnixMilli(x.GetEndsMs()).In(time.FixedZone("UTC+8", 8*3600)).Format("2006-01-02 15:04")
		p = say("通知于 %[3]s 终止共享协议 %[1]s，原因：%[2]s", "give notice that agreement %s ends, because: %s, on %s", x.GetAgreement(), x.GetReason(), day)
	}
	return p.filed(x.GetFiling())
}

// amend speaks of an amendment; the new terms stand in it in the reader's language.
func amend(x *sharev1.ProposeAmendment) Phrase {
	t := terms("", "", x.GetTerms())
	return Phrase{
		fmt.Sprintf("提议变更协议 %s，改为%s；理由：%s", x.GetAgreement(), strings.TrimSpace(t.Chinese), x.GetReason()),
		fmt.Sprintf("propose to amend agreement %s to %s; because: %s", x.GetAgreement(), strings.TrimSpace(t.English), x.GetReason()),
	}
}
