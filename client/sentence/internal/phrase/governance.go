package phrase

import (
	"fmt"
	"strings"

	governancev1 "mulian/gen/mulian/governance/v1"
)

// OfChange says all that a proposal would do. What is not in the sentence would be voted
// on unseen.
func OfChange(c *governancev1.Change, name func(string) string) Phrase {
	switch k := c.GetKind().(type) {
	case *governancev1.Change_AdmitMember:
		return member(k.AdmitMember, name)
	case *governancev1.Change_RemoveMember:
		return say("移除成员 %s 及其验证节点", "remove the member %s and its validators", name(k.RemoveMember))
	case *governancev1.Change_GrantRole:
		return role("授予 %s 角色：%s", "give %s the role: %s", k.GrantRole, name)
	case *governancev1.Change_RevokeRole:
		return role("撤销 %s 的角色：%s", "take from %s the role: %s", k.RevokeRole, name)
	case *governancev1.Change_SetParameters:
		return list(Phrase{"设定参数：", "set the parameters: "}, Facts(k.SetParameters))
	case *governancev1.Change_SetClockProfile:
		return list(say("设定时限方案 %s：", "set the clock profile %s: ", k.SetClockProfile.GetName()), Facts(k.SetClockProfile))
	case *governancev1.Change_SetCalendar:
		return list(say("设定 %d 年工作日历：", "set the calendar of %d: ", k.SetCalendar.GetYear()), Facts(k.SetCalendar))
	case *governancev1.Change_SetValidator:
		return validator(k.SetValidator, name)
	case *governancev1.Change_Admit:
		return member(k.Admit.GetMember(), name).and(validator(k.Admit.GetValidator(), name))
	case *governancev1.Change_ReplaceValidatorKey:
		r := k.ReplaceValidatorKey
		p := say("更换验证节点密钥：%x 停用，%x 启用", "replace a validator's key: %x ends, %x begins", r.GetOldKey(), r.GetNewKey())
		if len(r.GetNewSm2Key()) == 0 {
			return p.and(Phrase{"SM2 密钥不变", "its SM2 key stays"})
		}
		return p.and(say("SM2 密钥改为 %s", "its SM2 key is %s then", sm2(r.GetNewSm2Key())))
	case *governancev1.Change_RemoveAbsent:
		return say("移除失联成员 %s：公示期内它始终没有表决，则按其余成员计票", "remove the absent member %s: if it says nothing until the end, the others are counted without it", name(k.RemoveAbsent))
	}
	return ofRarerChange(c, name)
}

func ofRarerChange(c *governancev1.Change, name func(string) string) Phrase {
	switch k := c.GetKind().(type) {
	case *governancev1.Change_Upgrade:
		u := k.Upgrade
		p := say("升级 %s：自高度 %d 起规则版本 %d 生效，版本过低的程序届时停止", "upgrade %s: from height %d on protocol %d is in force, and older programs stop", u.GetName(), u.GetHeight(), u.GetProtocol())
		if u.GetNotes() != "" {
			p = p.and(say("说明 %s（SHA-256 %x）", "notes %s (SHA-256 %x)", u.GetNotes(), u.GetNotesSha256()))
		}
		return p
	case *governancev1.Change_CancelUpgrade:
		return say("取消升级 %s", "cancel the upgrade %s", k.CancelUpgrade)
	case *governancev1.Change_Suspend:
		return suspended("紧急停用", "suspend in an emergency", k.Suspend, name).and(say("原因：%s", "because: %s", k.Suspend.GetCause()))
	case *governancev1.Change_ConfirmSuspension:
		return suspended("确认停用，直至表决解除：", "confirm, until a vote lifts it, the suspension of", k.ConfirmSuspension, name)
	case *governancev1.Change_LiftSuspension:
		return suspended("解除停用", "lift the suspension of", k.LiftSuspension, name)
	case nil:
		return Phrase{"（没有内容）", "(nothing)"}
	}
	if p, ok := ofForeignChange(c); ok {
		return p
	}
	// A kind that has no sentence yet: its name and all its fields, so that nothing is signed
	// unseen.
	r := c.ProtoReflect()
	f := r.WhichOneof(r.Descriptor().Oneofs().ByName("kind"))
	head := Phrase{string(f.Name()) + " ", string(f.Name()) + " "}
	if f.Message() == nil {
		return head.and(Phrase{r.Get(f).String(), r.Get(f).String()})
	}
	return list(head, Facts(r.Get(f).Message().Interface()))
}

func member(m *governancev1.Member, name func(string) string) Phrase {
	return say("成员 %s，表决权 %d", "member %s with %d votes", name(m.GetOrg()), m.GetWeight())
}

func role(zh, en string, r *governancev1.RoleGrant, name func(string) string) Phrase {
	what := enumWord(r.GetRole())
	return Phrase{fmt.Sprintf(zh, name(r.GetAccount()), what.Chinese), fmt.Sprintf(en, name(r.GetAccount()), what.English)}
}

func suspended(zh, en string, s *governancev1.Suspension, name func(string) string) Phrase {
	p := say("账户 %s", "the account %s", name(s.GetAccount()))
	if s.GetKey() != "" {
		p = Phrase{fmt.Sprintf("账户 %s 的密钥 %s", name(s.GetAccount()), s.GetKey()), fmt.Sprintf("the key %s of %s", s.GetKey(), name(s.GetAccount()))}
	}
	return Phrase{zh + p.Chinese, en + " " + p.English}
}

// validator says all that a change of one does: also the key that is pinned.
func validator(n *governancev1.Validator, name func(string) string) Phrase {
	if n.GetPower() == 0 {
		return say("移除验证节点 %x", "remove the validator %x", n.GetPublicKey())
	}
	p := say("验证节点 %s（%s），权重 %d，密钥 %x", "validator %s (%s) with power %d and key %x", n.GetName(), name(n.GetOrg()), n.GetPower(), n.GetPublicKey())
	if len(n.GetSm2Key()) > 0 {
		p = p.and(say("SM2 密钥 %s", "SM2 key %s", sm2(n.GetSm2Key())))
	}
	return p
}

// and joins two sentences.
func (p Phrase) and(q Phrase) Phrase {
	return Phrase{p.Chinese + "；" + q.Chinese, p.English + "; " + q.English}
}

// list writes facts behind a head.
func list(head Phrase, facts []Fact) Phrase {
	zh, en := make([]string, len(facts)), make([]string, len(facts))
	for i, f := range facts {
		zh[i], en[i] = f.Field.Chinese+" "+f.Value.Chinese, f.Field.English+" "+f.Value.English
	}
	return Phrase{head.Chinese + strings.Join(zh, "；"), head.English + strings.Join(en, "; ")}
}
