package phrase

import (
	"strings"

	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	txv1 "mulian/gen/mulian/tx/v1"
)

var paths = map[recoveryv1.RecoveryPath]Phrase{
	recoveryv1.RecoveryPath_RECOVERY_PATH_COUNTER:   {"窗口核验", "an identity authority's counter"},
	recoveryv1.RecoveryPath_RECOVERY_PATH_GUARDIANS: {"亲友", "friends"},
	recoveryv1.RecoveryPath_RECOVERY_PATH_CODE:      {"恢复码", "the recovery code"},
}

var faces = map[recoveryv1.FaceResult]Phrase{
	recoveryv1.FaceResult_FACE_RESULT_MATCHED:    {"，人脸一致", ", the face matched"},
	recoveryv1.FaceResult_FACE_RESULT_NOT_TAKEN:  {"，未采集人脸", ", no face was taken"},
	recoveryv1.FaceResult_FACE_RESULT_MISMATCHED: {"，人脸不符", ", the face did not match"},
}

// join puts phrases together.
func join(parts ...Phrase) (out Phrase) {
	for _, p := range parts {
		out.Chinese, out.English = out.Chinese+p.Chinese, out.English+p.English
	}
	return out
}

// ofRecovery says what a message does about lost keys.
func ofRecovery(m *txv1.Message, name func(string) string) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_SetRecoveryPolicy:
		p := k.SetRecoveryPolicy
		out := say("登记本账户的恢复方案：%d 位亲友中 %d 位认可即可恢复", "arrange how this account is recovered: %[2]d of %[1]d friends can do it", len(p.GetGuardians()), p.GetThreshold())
		if len(p.GetCodeKey()) > 0 {
			out = join(out, Phrase{"；有恢复码", "; there is a recovery code"})
		} else {
			out = join(out, Phrase{"；没有恢复码", "; there is no recovery code"})
		}
		if h := p.GetLockHours(); h > 0 {
			out = join(out, say("；锁定至少 %d 小时", "; locked for at least %d hours", h))
		}
		return out, true
	case *txv1.Message_KeepRoster:
		return say("撤回本账户待生效的恢复方案变更", "drop the change that waits of this account's recovery policy"), true
	case *txv1.Message_OpenRecovery:
		o := k.OpenRecovery
		return join(
			say("发起恢复账户 %s，途径：", "open the recovery of %s by ", name(o.GetAccount())), paths[o.GetPath()], faces[o.GetFace()],
			say("；锁定期满无人否决，其全部旧密钥作废，只启用新密钥 %s", "; if nobody vetoes, all its old keys end and the new key %s is the only one", o.GetNewKey().GetId()),
		), true
	case *txv1.Message_ApproveRecovery:
		return join(say("认可恢复 %s", "vouch for the recovery %s", k.ApproveRecovery.GetRecovery()), faces[k.ApproveRecovery.GetFace()]), true
	case *txv1.Message_VetoRecovery:
		return say("否决恢复 %s%s", "veto the recovery %s%s", k.VetoRecovery.GetRecovery(), why(k.VetoRecovery.GetCause())), true
	case *txv1.Message_CancelRecovery:
		return say("取消恢复 %s%s", "cancel the recovery %s%s", k.CancelRecovery.GetRecovery(), why(k.CancelRecovery.GetCause())), true
	case *txv1.Message_ReviewRecovery:
		if k.ReviewRecovery.GetProceed() {
			return say("复核后同意恢复 %s 继续（重新锁定）%s", "review the recovery %s: it goes on with a new lock%s", k.ReviewRecovery.GetRecovery(), why(k.ReviewRecovery.GetCause())), true
		}
		return say("复核后终止恢复 %s%s", "review the recovery %s: it ends%s", k.ReviewRecovery.GetRecovery(), why(k.ReviewRecovery.GetCause())), true
	case *txv1.Message_ReportKey:
		r := k.ReportKey
		if r.GetFound() {
			return say("账户 %s 的密钥 %s 已找回%s", "of %s the key %s was found%s", name(r.GetAccount()), r.GetKey(), why(r.GetCause())), true
		}
		return say("报失账户 %s 的密钥 %s：此后它只能否决恢复%s", "report lost of %s the key %s: it can veto a recovery and nothing else%s", name(r.GetAccount()), r.GetKey(), why(r.GetCause())), true
	case *txv1.Message_RecordDeath:
		if k.RecordDeath.GetWithdrawn() {
			return say("更正账户 %s 的死亡登记", "withdraw that the holder of %s has died", name(k.RecordDeath.GetAccount())), true
		}
		return say("登记账户 %s 的持有人死亡并冻结账户", "record that the holder of %s has died, and freeze it", name(k.RecordDeath.GetAccount())), true
	}
	return Phrase{}, false
}

var mandateKinds = map[mandatev1.MandateKind]Phrase{
	mandatev1.MandateKind_MANDATE_KIND_AGENT:          {"委托代理人", "agent"},
	mandatev1.MandateKind_MANDATE_KIND_LEGAL_REP:      {"法定代表人", "legal representative"},
	mandatev1.MandateKind_MANDATE_KIND_OPERATOR:       {"经办人", "operator"},
	mandatev1.MandateKind_MANDATE_KIND_GUARDIAN_MINOR: {"未成年人的监护人", "guardian of a minor"},
	mandatev1.MandateKind_MANDATE_KIND_GUARDIAN_ADULT: {"成年人的监护人", "guardian of an adult"},
	mandatev1.MandateKind_MANDATE_KIND_HEIR:           {"继承人", "heir"},
}

var mandateActs = map[mandatev1.MandateAct]Phrase{
	mandatev1.MandateAct_MANDATE_ACT_VIEW:    {"查看", "view"},
	mandatev1.MandateAct_MANDATE_ACT_GRANT:   {"授权", "grant"},
	mandatev1.MandateAct_MANDATE_ACT_APPLY:   {"申办", "apply"},
	mandatev1.MandateAct_MANDATE_ACT_RECEIVE: {"领取", "receive"},
}

// reach is what the highest level of key that a mandate reaches to means for the acts under it.
var reach = map[identityv1.KeyLevel]Phrase{
	identityv1.KeyLevel_KEY_LEVEL_MACHINE: {"；只限设备密钥可签的", "; only what a device's own key may sign"},
	identityv1.KeyLevel_KEY_LEVEL_OFFICER: {"；不含长期和敏感的", "; without what is standing or sensitive"},
	identityv1.KeyLevel_KEY_LEVEL_ROOT:    {"；包括长期和敏感的", "; what is standing or sensitive, too"},
}

var suspensionKinds = map[mandatev1.SuspensionKind]Phrase{
	mandatev1.SuspensionKind_SUSPENSION_KIND_SOURCE:    {"登记变更", "the change of its register"},
	mandatev1.SuspensionKind_SUSPENSION_KIND_PRINCIPAL: {"被代理人账户恢复", "the recovery of the principal's account"},
	mandatev1.SuspensionKind_SUSPENSION_KIND_AGENT:     {"代理人账户恢复", "the recovery of the agent's account"},
}

// ofMandate says what a message does about acting for another.
func ofMandate(m *txv1.Message, name func(string) string) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_ProposeMandate:
		return ofProposal(k.ProposeMandate, name), true
	case *txv1.Message_WitnessMandate:
		return say("见证窗口办理的委托 %s（24 小时后方可生效）", "witness the mandate %s given at a counter; it counts 24 hours later", k.WitnessMandate.GetMandate()), true
	case *txv1.Message_AnswerMandate:
		if k.AnswerMandate.GetAccept() {
			return say("接受委托 %s%s", "accept the mandate %s%s", k.AnswerMandate.GetMandate(), why(k.AnswerMandate.GetCause())), true
		}
		return say("拒绝委托 %s%s", "decline the mandate %s%s", k.AnswerMandate.GetMandate(), why(k.AnswerMandate.GetCause())), true
	case *txv1.Message_RevokeMandate:
		return say("撤销委托 %s%s", "revoke the mandate %s%s", k.RevokeMandate.GetMandate(), why(k.RevokeMandate.GetCause())), true
	case *txv1.Message_SuspendMandate:
		return say("登记已变更，中止委托 %s%s", "suspend the mandate %s, whose register has changed%s", k.SuspendMandate.GetMandate(), why(k.SuspendMandate.GetCause())), true
	case *txv1.Message_ResumeMandate:
		return join(say("解除委托 %s 的中止，原中止原因：", "resume the mandate %s, suspended for ", k.ResumeMandate.GetMandate()), suspensionKinds[k.ResumeMandate.GetCause()]), true
	case *txv1.Message_SetOperatorPolicy:
		out := Phrase{"登记本企业的经办规则", "set how this firm's operators act together"}
		for _, l := range k.SetOperatorPolicy.GetLimits() {
			of := join(Phrase{"其他一切", "everything else"})
			if what := l.GetEntry() + l.GetMatter(); what != "" {
				of = Phrase{what, what}
			}
			out = join(out, Phrase{"；" + of.Chinese, "; " + of.English}, say("须 %d 人认可", ": %d of them", l.GetThreshold()))
			if n := l.GetUsesADay(); n > 0 {
				out = join(out, say("，每 24 小时至多 %d 次", ", %d times in 24 hours", n))
			}
		}
		return out, true
	case *txv1.Message_ApproveAct:
		return say("作为经办人认可企业 %s 的一项操作，摘要 %x", "agree as an operator of %s to the act with the hash %x", name(k.ApproveAct.GetFirm()), k.ApproveAct.GetDigest()), true
	}
	return Phrase{}, false
}

func ofProposal(p *mandatev1.ProposeMandate, name func(string) string) Phrase {
	out := join(say("由 %s 为 %s 办理，身份：", "%s shall act for %s as ", name(p.GetAgent()), name(p.GetPrincipal())), mandateKinds[p.GetKind()], Phrase{"，可以", ", to "})
	for i, x := range p.GetScope().GetActs() {
		if i > 0 {
			out = join(out, Phrase{"、", ", "})
		}
		out = join(out, mandateActs[x])
	}
	of := Phrase{"全部数据和事项", "every entry and matter"}
	if !p.GetScope().GetEverything() {
		list := append(append([]string{}, p.GetScope().GetEntries()...), p.GetScope().GetMatters()...)
		of = Phrase{strings.Join(list, "、"), strings.Join(list, ", ")}
	}
	out = join(out, Phrase{"，范围：" + of.Chinese, ", of " + of.English}, reach[p.GetMaxLevel()], say("，至 %s", ", until %s", day(p.GetUntilMs())))
	if p.GetFromMs() != 0 {
		out = join(out, say("，自 %s 起", ", from %s on", day(p.GetFromMs())))
	}
	if p.GetMaxUses() != 0 {
		out = join(out, say("，至多 %d 次", ", %d times at most", p.GetMaxUses()))
	}
	if p.GetSelfActs() {
		out = join(out, Phrase{"；本人也可自行办理", "; the minor may act himself, too"})
	}
	for _, id := range p.GetRevocableBy() {
		out = join(out, say("；%s 也可撤销", "; %s may revoke it, too", name(id)))
	}
	if e := p.GetBasis().GetEntry(); e != "" {
		out = join(out, say("；依据登记 %s", "; as the register %s says", e))
	}
	return join(out, Phrase{"；不得转委托", "; it cannot be handed on"})
}
