package phrase

import (
	"fmt"
	"strings"

	credentialv1 "mulian/gen/mulian/credential/v1"
	txv1 "mulian/gen/mulian/tx/v1"
)

// ofCredential says what a message does about credentials.
func ofCredential(m *txv1.Message, name func(string) string) (Phrase, bool) {
	switch k := m.GetKind().(type) {
	case *txv1.Message_PutCredentialType:
		return ofType(k.PutCredentialType, name), true
	case *txv1.Message_RetireCredentialType:
		r := k.RetireCredentialType
		return say("停用凭证类型 %s 第 %d 版", "retire version %[2]d of the credential type %[1]s", r.GetId(), r.GetVersion()), true
	case *txv1.Message_PutIssuer:
		i := k.PutIssuer.GetIssuer()
		return say("登记签发机构 %s：网址 %s，签发网关 %s，状态表 %s", "make %s known as issuer: %s, signing gateways %s, status lists at %s",
			name(i.GetOrg()), i.GetUrl(), strings.Join(i.GetAccounts(), ", "), i.GetStatusUrl()), true
	case *txv1.Message_IssueCredentials:
		return ofIssue(k.IssueCredentials), true
	case *txv1.Message_SetCredentialStatus:
		return ofStatus(k.SetCredentialStatus), true
	case *txv1.Message_ReportSourceChange:
		r := k.ReportSourceChange
		return say("报告 %d 行来源数据已变化，暂停依据它们的凭证%s", "report that %d source rows have changed, and suspend the credentials that rest on them%s", len(r.GetSources()), why(r.GetNote())), true
	case *txv1.Message_RecordCopies:
		return ofCopies(k.RecordCopies), true
	case *txv1.Message_EndCopies:
		return say("作废加注件 %s", "end the annotated copies %s", strings.Join(k.EndCopies.GetIds(), ", ")), true
	}
	return Phrase{}, false
}

func ofCopies(m *credentialv1.RecordCopies) Phrase {
	var zh, en []string
	for _, c := range m.GetCopies() {
		until := day(c.GetExpiresMs())
		zh, en = append(zh, c.GetId()+"（有效期截至 "+until+"）"), append(en, c.GetId()+" (until "+until+", Beijing time)")
	}
	return Phrase{"登记加注件 " + strings.Join(zh, "，"), "record the annotated copies " + strings.Join(en, ", ")}
}

func ofType(m *credentialv1.PutCredentialType, name func(string) string) Phrase {
	t := m.GetType()
	var fields, issuers []string
	for _, f := range t.GetFields() {
		fields = append(fields, f.GetTitle())
	}
	for _, org := range t.GetIssuers() {
		issuers = append(issuers, name(org))
	}
	p := say("设立凭证类型 %s “%s” 第 %d 版，字段：%s；可签发：%s", "file the credential type %s “%s”, version %d, fields: %s; issued by: %s",
		t.GetId(), t.GetName(), t.GetVersion(), strings.Join(fields, ", "), strings.Join(issuers, ", "))
	if t.GetMaxDays() > 0 {
		p.Chinese, p.English = p.Chinese+fmt.Sprintf("；最长 %d 天", t.GetMaxDays()), p.English+fmt.Sprintf("; at most %d days", t.GetMaxDays())
	}
	if m.GetRetire() {
		p.Chinese, p.English = p.Chinese+"；停用上一版", p.English+"; the version before is retired"
	}
	return p
}

func ofIssue(m *credentialv1.IssueCredentials) Phrase {
	var kinds []string
	replaces := 0
	for _, c := range m.GetCredentials() {
		if kind := fmt.Sprintf("%s/%d", c.GetType(), c.GetVersion()); len(kinds) == 0 || kinds[len(kinds)-1] != kind {
			kinds = append(kinds, kind)
		}
		if c.GetSupersedes() != "" {
			replaces++
		}
	}
	p := say("签发 %d 份凭证（%s）", "issue %d credentials (%s)", len(m.GetCredentials()), strings.Join(kinds, ", "))
	if replaces > 0 {
		p.Chinese, p.English = p.Chinese+fmt.Sprintf("，其中 %d 份取代旧证", replaces), p.English+fmt.Sprintf(", %d of them in the place of older ones", replaces)
	}
	return p
}

// states and causes in words.
var (
	states = map[credentialv1.CredentialState]Phrase{
		credentialv1.CredentialState_CREDENTIAL_STATE_VALID:     {"恢复", "resume"},
		credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED: {"暂停", "suspend"},
		credentialv1.CredentialState_CREDENTIAL_STATE_REVOKED:   {"吊销", "revoke"},
	}
	causes = map[credentialv1.StatusCause]Phrase{
		credentialv1.StatusCause_STATUS_CAUSE_SOURCE_CHANGED: {"来源数据已变化", "its source has changed"},
		credentialv1.StatusCause_STATUS_CAUSE_HOLDER_ASKED:   {"持有人申请", "its holder asked for it"},
		credentialv1.StatusCause_STATUS_CAUSE_MISTAKE:        {"签发有误", "it was issued by mistake"},
		credentialv1.StatusCause_STATUS_CAUSE_KEY_LOST:       {"持有人密钥遗失", "its holder's key is lost"},
		credentialv1.StatusCause_STATUS_CAUSE_LAW:            {"依法决定", "a court or authority decided it"},
		credentialv1.StatusCause_STATUS_CAUSE_SETTLED:        {"事由已消除", "the reason has gone"},
	}
)

func ofStatus(m *credentialv1.SetCredentialStatus) Phrase {
	var zh, en []string
	for _, x := range m.GetChanges() {
		s, ok := states[x.GetState()]
		if !ok {
			s = Phrase{"变更", "change"}
		}
		chinese, english := s.Chinese+"凭证 "+x.GetId(), s.English+" the credential "+x.GetId()
		if c, ok := causes[x.GetCause()]; ok {
			chinese, english = chinese+"（"+c.Chinese+"）", english+" ("+c.English+")"
		}
		if x.GetNote() != "" {
			chinese, english = chinese+"，说明："+x.GetNote(), english+", note: "+x.GetNote()
		}
		zh, en = append(zh, chinese), append(en, english)
	}
	return Phrase{strings.Join(zh, "；"), strings.Join(en, "; ")}
}
