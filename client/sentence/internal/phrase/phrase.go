// Package phrase holds the words of the sentences: one entry for each verb of the
// ledger. It is only a table; package sentence speaks.
package phrase

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
)

// Phrase is one thing said in both languages.
type Phrase struct{ Chinese, English string }

func say(zh, en string, args ...any) Phrase {
	return Phrase{fmt.Sprintf(zh, args...), fmt.Sprintf(en, args...)}
}

// Of returns the phrase of a message; name shows an id to people.
func Of(m *txv1.Message, name func(string) string) Phrase {
	if p, ok := ofIdentity(m, name); ok {
		return p
	}
	if p, ok := ofHolder(m, name); ok {
		return p
	}
	if p, ok := ofGrant(m, name); ok {
		return p
	}
	if p, ok := ofCatalogue(m, name); ok {
		return p
	}
	if p, ok := ofShare(m, name); ok {
		return p
	}
	switch k := m.GetKind().(type) {
	case *txv1.Message_Propose:
		return Proposed(k.Propose, OfChange(k.Propose.GetChange(), name))
	case *txv1.Message_CastVote:
		if k.CastVote.GetYes() {
			return say("对表决 %s 投赞成票%s", "vote yes on proposal %s%s", k.CastVote.GetProposal(), why(k.CastVote.GetReason()))
		}
		return say("对表决 %s 投反对票%s", "vote no on proposal %s%s", k.CastVote.GetProposal(), why(k.CastVote.GetReason()))
	case *txv1.Message_WithdrawProposal:
		return say("撤回表决 %s", "withdraw proposal %s", k.WithdrawProposal.GetProposal())
	case *txv1.Message_AnchorHead:
		return ofAnchor(k.AnchorHead)
	case *txv1.Message_OrderSecrecy:
		return ofOrder(k.OrderSecrecy, name)
	case *txv1.Message_LiftSecrecy:
		return say("解除协议 %s 的侦查保密（第 %d 号决定），原因：%s", "lift the secrecy of accesses under agreement %s (order %d), because: %s", k.LiftSecrecy.GetAgreement(), k.LiftSecrecy.GetOrder(), k.LiftSecrecy.GetReason())
	case *txv1.Message_AnchorEvidence:
		return ofEvidence(k.AnchorEvidence, name)
	}
	if p, ok := ofSafebox(m, name); ok {
		return p
	}
	if p, ok := ofForeign(m); ok {
		return p
	}
	if p, ok := ofRecovery(m, name); ok {
		return p
	}
	if p, ok := ofMandate(m, name); ok {
		return p
	}
	if p, ok := ofCustody(m, name); ok {
		return p
	}
	if p, ok := ofReceipt(m, name); ok {
		return p
	}
	if p, ok := ofCredential(m, name); ok {
		return p
	}
	return say("（本程序不认识的操作，请勿签名）", "(an act that this program does not know: do not sign)")
}

func ofAnchor(a *tracev1.AnchorHead) Phrase {
	return say("锚定网关 %s 的访问日志，共 %d 条", "anchor the access log of gateway %s, %d records", a.GetGateway(), a.GetSize())
}

func ofOrder(o *tracev1.OrderSecrecy, name func(string) string) Phrase {
	p := say("决定对 %s 在协议 %s 下的访问侦查保密至 %s，%s 必须解封；依据：%s；%s 可阅", "order that accesses by %s under agreement %s are secret until %s and open on %s; basis: %s; %s can read them",
		name(o.GetEntitled()), o.GetAgreement(), day(o.GetUntilMs()), day(o.GetUnsealMs()), o.GetLegalBasis(), name(o.GetReader()))
	if o.GetSubjectOpen() {
		p.Chinese, p.English = p.Chinese+"；数据主体可知有一次访问", p.English+"; the data owner sees that there was an access"
	}
	if o.GetExtends() != 0 {
		p.Chinese, p.English = p.Chinese+fmt.Sprintf("；延长第 %d 号决定", o.GetExtends()), p.English+fmt.Sprintf("; this extends order %d", o.GetExtends())
	}
	return p
}

// day is a moment in Beijing time.
func day(ms int64) string {
	return time.UnixMilli(ms).In(time.FixedZone("UTC+8", 8*3600)).Format("2006-01-02 15:04")
}

func ofIdentity(m *txv1.Message, name func(string) string) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_RegisterOrg:
		return say("登记机构 %s（%s），%d 把密钥", "register organisation %s (%s) with %d keys", k.RegisterOrg.GetProfile().GetName(), k.RegisterOrg.GetCode(), len(k.RegisterOrg.GetKeys())), true
	case *txv1.Message_UpdateOrg:
		return say("更新本机构资料：%s", "update the own profile: %s", k.UpdateOrg.GetProfile().GetName()), true
	case *txv1.Message_RegisterUnit:
		zh, en := "内设部门", "department"
		if k.RegisterUnit.GetKind() == identityv1.AccountKind_ACCOUNT_KIND_POST {
			zh, en = "岗位", "post"
		}
		return Phrase{fmt.Sprintf("新设%s %s", zh, k.RegisterUnit.GetName()), fmt.Sprintf("add the %s %s", en, k.RegisterUnit.GetName())}, true
	case *txv1.Message_RegisterGateway:
		return say("登记网关 %s，地址 %s", "register the gateway %s at %s", k.RegisterGateway.GetLocalId(), k.RegisterGateway.GetProfile().GetUrl()), true
	case *txv1.Message_UpdateGateway:
		return say("更新网关 %s，地址 %s", "update the gateway %s, at %s", k.UpdateGateway.GetGateway(), k.UpdateGateway.GetProfile().GetUrl()), true
	case *txv1.Message_OpenAccount:
		return say("开立账户 %s", "open the account %s", k.OpenAccount.GetId()), true
	case *txv1.Message_AddKey:
		return say("为 %s 增加密钥 %s", "add to %s the key %s", name(k.AddKey.GetAccount()), k.AddKey.GetKey().GetId()), true
	case *txv1.Message_RotateKey:
		return say("更换 %s 的密钥：%s 作废，启用 %s", "rotate a key of %s: %s ends, %s begins", name(k.RotateKey.GetAccount()), k.RotateKey.GetOldKey(), k.RotateKey.GetNewKey().GetId()), true
	case *txv1.Message_RevokeKey:
		return say("永久吊销 %s 的密钥 %s，原因：%s", "revoke for good of %s the key %s, because: %s", name(k.RevokeKey.GetAccount()), k.RevokeKey.GetKey(), k.RevokeKey.GetCause()), true
	case *txv1.Message_SuspendAccount:
		return say("停用账户 %s，原因：%s", "suspend the account %s, because: %s", name(k.SuspendAccount.GetAccount()), k.SuspendAccount.GetCause()), true
	case *txv1.Message_ResumeAccount:
		return say("恢复账户 %s", "resume the account %s", name(k.ResumeAccount.GetAccount())), true
	}
	return Phrase{}, false
}

func ofCatalogue(m *txv1.Message, name func(string) string) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_PutDuties:
		d := k.PutDuties.GetDuties()
		return say("登记 %d 条职责%s", "file %d duties%s", len(d), first(len(d), func(i int) string { return d[i].GetTitle() })), true
	case *txv1.Message_PutSystems:
		s := k.PutSystems.GetSystems()
		return say("登记 %d 个信息系统%s", "file %d information systems%s", len(s), first(len(s), func(i int) string { return s[i].GetName() })), true
	case *txv1.Message_PutTables:
		t := k.PutTables.GetTables()
		return say("登记 %d 张库表%s", "file %d tables%s", len(t), first(len(t), func(i int) string { return t[i].GetName() })), true
	case *txv1.Message_SubmitEntries:
		e := k.SubmitEntries.GetEntries()
		return say("提交 %d 条目录%s", "submit %d catalogue entries%s", len(e), first(len(e), func(i int) string { return e[i].GetName() })), true
	case *txv1.Message_ReviewEntries:
		if k.ReviewEntries.GetPublish() {
			return say("审核通过并发布 %d 条目录%s", "publish %d reviewed entries%s", len(k.ReviewEntries.GetEntries()), firstOf(k.ReviewEntries.GetEntries())), true
		}
		return say("退回 %d 条目录%s，理由：%s", "return %d entries%s, because: %s", len(k.ReviewEntries.GetEntries()), firstOf(k.ReviewEntries.GetEntries()), k.ReviewEntries.GetReason()), true
	case *txv1.Message_LockEntries:
		return say("锁定 %d 条目录%s，变更须由 %s 会签", "lock %d entries%s; a change needs the counter-signature of %s", len(k.LockEntries.GetEntries()), firstOf(k.LockEntries.GetEntries()), names(k.LockEntries.GetCounterSigners(), name)), true
	case *txv1.Message_UnlockEntry:
		return say("申请解锁目录 %s", "ask to unlock the entry %s", k.UnlockEntry.GetEntry()), true
	case *txv1.Message_CounterSign:
		if k.CounterSign.GetRefuse() {
			return say("不同意目录 %s 的变更：%s", "refuse the change of entry %s: %s", k.CounterSign.GetEntry(), k.CounterSign.GetReason()), true
		}
		return say("会签目录 %s 的变更（内容 %.4x…）", "counter-sign the change of entry %s (content %.4x…)", k.CounterSign.GetEntry(), k.CounterSign.GetContentHash()), true
	case *txv1.Message_WithdrawEntry:
		return say("撤销目录 %s，原因：%s", "withdraw the entry %s, because: %s", k.WithdrawEntry.GetEntry(), k.WithdrawEntry.GetReason()), true
	case *txv1.Message_SuspendEntry:
		if k.SuspendEntry.GetResume() {
			return say("恢复目录 %s", "resume the entry %s", k.SuspendEntry.GetEntry()), true
		}
		return say("暂停目录 %s，原因：%s", "suspend the entry %s, because: %s", k.SuspendEntry.GetEntry(), k.SuspendEntry.GetCause()), true
	case *txv1.Message_ReportDrift:
		return say("报告库表 %s 有 %d 处结构变化", "report %[2]d changes of the table %[1]s", k.ReportDrift.GetTable(), len(k.ReportDrift.GetChanges())), true
	case *txv1.Message_SettleDrift:
		zh, en := settlement(k.SettleDrift.GetSettlement())
		return Phrase{fmt.Sprintf("处理漂移 %s：%s", k.SettleDrift.GetDrift(), zh), fmt.Sprintf("settle the drift %s: %s", k.SettleDrift.GetDrift(), en)}, true
	case *txv1.Message_PutMatters:
		return ofMatters(k.PutMatters.GetMatters()), true
	case *txv1.Message_PutCodes:
		return ofCodes(k.PutCodes, name), true
	}
	return Phrase{}, false
}

func ofShare(m *txv1.Message, name func(string) string) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_FileRequest:
		return terms("申请共享", "ask for", k.FileRequest.GetTerms()), true
	case *txv1.Message_AskMore:
		return say("要求补正申请 %s：%s", "ask for what is missing in request %s: %s", k.AskMore.GetRequest(), strings.Join(k.AskMore.GetMissing(), "; ")), true
	case *txv1.Message_Supplement:
		p := terms("", "", k.Supplement.GetTerms())
		id := k.Supplement.GetRequest()
		return Phrase{fmt.Sprintf("补正申请 %s，改为%s", id, p.Chinese), fmt.Sprintf("supplement request %s: now%s", id, p.English)}, true
	case *txv1.Message_Answer:
		if !k.Answer.GetAccept() {
			return say("拒绝申请 %s，理由：%s", "refuse request %s, because: %s", k.Answer.GetRequest(), k.Answer.GetReason()), true
		}
		if t := k.Answer.GetTerms(); t != nil {
			p := terms("", "", t)
			id := k.Answer.GetRequest()
			return Phrase{fmt.Sprintf("同意申请 %s，但收窄为%s", id, p.Chinese), fmt.Sprintf("accept request %s, narrowed to%s", id, p.English)}, true
		}
		return say("同意申请 %s 的全部内容，并签署共享协议", "accept request %s as it is and sign the agreement", k.Answer.GetRequest()), true
	case *txv1.Message_AskExtension:
		return say("就申请 %s 请求延期 %d 个工作日：%s", "ask for %[2]d more working days for request %[1]s: %[3]s", k.AskExtension.GetRequest(), k.AskExtension.GetDays(), k.AskExtension.GetReason()), true
	case *txv1.Message_DecideExtension:
		if k.DecideExtension.GetApprove() {
			return say("批准申请 %s 延期", "approve the extension of request %s", k.DecideExtension.GetRequest()), true
		}
		return say("不批准申请 %s 延期：%s", "refuse the extension of request %s: %s", k.DecideExtension.GetRequest(), k.DecideExtension.GetReason()), true
	case *txv1.Message_WithdrawRequest:
		return say("撤回申请 %s%s", "withdraw request %s%s", k.WithdrawRequest.GetRequest(), why(k.WithdrawRequest.GetReason())), true
	case *txv1.Message_UrgeRequest:
		return say("催办逾期未答复的申请 %s%s", "urge an answer to the overdue request %s%s", k.UrgeRequest.GetRequest(), why(k.UrgeRequest.GetNote())), true
	case *txv1.Message_ConfirmAgreement:
		return say("确认并签署共享协议 %s", "confirm and sign agreement %s", k.ConfirmAgreement.GetAgreement()), true
	case *txv1.Message_SuspendAgreement:
		return say("中止共享协议 %s，原因：%s", "suspend agreement %s, because: %s", k.SuspendAgreement.GetAgreement(), k.SuspendAgreement.GetCause()), true
	case *txv1.Message_ResumeAgreement:
		return say("恢复共享协议 %s", "resume agreement %s", k.ResumeAgreement.GetAgreement()), true
	case *txv1.Message_EndAgreement:
		return endAgreement(k.EndAgreement), true
	case *txv1.Message_StartDelivery:
		return say("开始按协议 %s 第 %d 次交付 %s", "start delivery %[2]d of %[3]s under agreement %[1]s", k.StartDelivery.GetAgreement(), k.StartDelivery.GetNumber(), k.StartDelivery.GetEntry()), true
	case *txv1.Message_CompleteDelivery:
		return say("协议 %s 第 %d 次交付完成，%d 行", "delivery %[2]d under agreement %[1]s is complete: %[3]d rows", k.CompleteDelivery.GetAgreement(), k.CompleteDelivery.GetNumber(), k.CompleteDelivery.GetRows()), true
	case *txv1.Message_FailDelivery:
		return say("协议 %s 第 %d 次交付失败：%s", "delivery %[2]d under agreement %[1]s failed: %[3]s", k.FailDelivery.GetAgreement(), k.FailDelivery.GetNumber(), k.FailDelivery.GetCause()), true
	case *txv1.Message_ConfirmDelivery:
		return say("确认收到协议 %s 第 %d 次交付，%d 行", "confirm delivery %[2]d under agreement %[1]s: %[3]d rows received", k.ConfirmDelivery.GetAgreement(), k.ConfirmDelivery.GetNumber(), k.ConfirmDelivery.GetRows()), true
	case *txv1.Message_RecordUse:
		u := k.RecordUse
		p := say("登记一次使用：协议 %s，用途 %s，%d 行", "account for a use under agreement %s: %s, %d rows", u.GetAgreement(), u.GetPurpose(), u.GetRows())
		if c := u.GetMatterCase(); c != "" {
			p.Chinese, p.English = p.Chinese+"，办件 "+c, p.English+", case "+c
		}
		return p, true
	}
	return ofLife(m)
}

func terms(zh, en string, t *sharev1.Terms) Phrase {
	var entries []string
	items := 0
	for _, p := range t.GetParts() {
		entries = append(entries, p.GetEntry())
		items += len(p.GetItems())
	}
	termZh, termEn := "默认期限", "the default term"
	if t.GetDays() > 0 {
		termZh, termEn = fmt.Sprintf("%d 天", t.GetDays()), fmt.Sprintf("%d days", t.GetDays())
	}
	p := Phrase{
		fmt.Sprintf("%s %s 的 %d 个信息项，用于“%s”，%s", zh, strings.Join(entries, "、"), items, t.GetPurpose(), termZh),
		fmt.Sprintf("%s %d items of %s, for “%s”, for %s", en, items, strings.Join(entries, ", "), t.GetPurpose(), termEn),
	}
	return p.conditions(t)
}

// conditions adds which rows are given, how and when: whoever signs has to see it.
func (p Phrase) conditions(t *sharev1.Terms) Phrase {
	add := func(zh, en string, args ...any) {
		p.Chinese, p.English = p.Chinese+fmt.Sprintf("；"+zh, args...), p.English+fmt.Sprintf("; "+en, args...)
	}
	for _, x := range t.GetPredicates() {
		add("只答是否 %s：%s", "only yes or no to %s: %s", x.GetName(), x.GetCondition())
	}
	if t.GetRowScope() != "" {
		add("仅限满足 %s 的行", "only rows of which %s", t.GetRowScope())
	}
	for _, m := range t.GetMasks() {
		add("%s 脱敏（%s）", "%s masked (%s)", m.GetItem(), strings.ToLower(strings.TrimPrefix(m.GetKind().String(), "MASK_KIND_")))
	}
	if n := len(t.GetWindows()); n > 0 {
		add("仅在约定时段（%d 个）", "only within %d agreed times", n)
	}
	return p
}

func settlement(s cataloguev1.Settlement) (zh, en string) {
	switch s {
	case cataloguev1.Settlement_SETTLEMENT_UPDATED:
		return "目录随库表更新并重新锁定", "the catalogue follows the table and is locked again"
	case cataloguev1.Settlement_SETTLEMENT_ROLLED_BACK:
		return "库表已回滚", "the table was put back"
	case cataloguev1.Settlement_SETTLEMENT_FALSE_ALARM:
		return "误报", "false alarm"
	}
	return "？", "?"
}

func first(n int, at func(int) string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ": " + at(0)
	}
	return ": " + at(0) + " …"
}

// firstOf names the first of a list of ids, and shows that there are more.
func firstOf(ids []string) string { return first(len(ids), func(i int) string { return ids[i] }) }

// why is a reason behind a sentence; nothing if none was given.
func why(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

func names(ids []string, name func(string) string) string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = name(id)
	}
	return strings.Join(out, ", ")
}

// OfVerb returns the phrase of an event's verb; the verb itself if it is not in
// the table.
func OfVerb(verb string) Phrase {
	if p, ok := verbs[verb]; ok {
		return p
	}
	return Phrase{verb, verb}
}

// Verbs are those of the table, in their order.
func Verbs() []string { return slices.Sorted(maps.Keys(verbs)) }

// Proposed says that a change is proposed, as what it would do has been put into words.
func Proposed(p *governancev1.Propose, c Phrase) Phrase {
	return Phrase{fmt.Sprintf("提出表决 “%s”：%s%s", p.GetTitle(), c.Chinese, why(p.GetReason())), fmt.Sprintf("propose “%s”: %s%s", p.GetTitle(), c.English, why(p.GetReason()))}
}
