package rules_test

import (
	"encoding/hex"
	"fmt"
	"slices"

	credentialv1 "mulian/gen/mulian/credential/v1"
	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/fiscal"
	"mulian/internal/sm"
	"mulian/rules/credential"
	"mulian/rules/mandate"
	"mulian/rules/rulestest"
)

// mandate

func (o *owners) firm() string { return o.account(identityv1.AccountKind_ACCOUNT_KIND_FIRM, nil) }

func (o *owners) proposeMandate() *wish {
	principal, agent, firm := o.person(nil), o.person(nil), o.firm()
	if principal == "" || principal == agent || firm == "" || of(o, "mandate/mandate", func(m *mandatev1.Mandate) bool { return m.State <= mandatev1.MandateState_MANDATE_STATE_SUSPENDED }) >= 12 {
		return nil
	}
	m := &mandatev1.ProposeMandate{
		Principal: principal, Agent: agent, Kind: mandatev1.MandateKind_MANDATE_KIND_AGENT, MaxLevel: officer, UntilMs: o.w.Now + rulestest.Day + o.rand.Int64N(20*rulestest.Day),
		Basis: &mandatev1.MandateBasis{Document: o.digest("paper")},
		Scope: &mandatev1.MandateScope{Entries: []string{o.w.EntryID}, Acts: []mandatev1.MandateAct{mandatev1.MandateAct_MANDATE_ACT_VIEW, mandatev1.MandateAct_MANDATE_ACT_GRANT}},
	}
	switch o.rand.IntN(5) {
	case 0: // at a counter
		m.Basis.Presence = o.digest("presence")
		return o.by(o.desk(nil), m)
	case 1, 2: // as a register has it
		m.Principal, m.Kind, m.MaxLevel = firm, mandatev1.MandateKind_MANDATE_KIND_LEGAL_REP, root
		m.Basis.Entry, m.Basis.Record = o.w.EntryID, o.digest("record")
		m.Scope.Entries, m.Scope.Everything = nil, true
		return o.by(o.w.Provider, m)
	case 3:
		m.Principal, m.Kind = firm, mandatev1.MandateKind_MANDATE_KIND_OPERATOR
		return o.by(firm, m)
	}
	return o.by(principal, m)
}

// mandated is one that fits, or nil.
func (o *owners) mandated(state mandatev1.MandateState, fits func(*mandatev1.Mandate) bool) *mandatev1.Mandate {
	return one(o, "mandate/mandate", func(m *mandatev1.Mandate) bool { return m.State == state && fits(m) })
}

func atCounter(m *mandatev1.Mandate) bool { return m.OfficeDesk != "" && m.WitnessBy == "" }

func ofRegister(m *mandatev1.Mandate) bool { return m.Basis.GetEntry() != "" }

func (o *owners) witnessMandate() *wish {
	m := o.mandated(mandatev1.MandateState_MANDATE_STATE_PROPOSED, atCounter)
	if m == nil {
		return nil
	}
	return o.by(o.desk([]string{m.OfficeDesk}), &mandatev1.WitnessMandate{Mandate: m.Id})
}

func (o *owners) answerMandate() *wish {
	m := o.mandated(mandatev1.MandateState_MANDATE_STATE_PROPOSED, func(m *mandatev1.Mandate) bool { return !atCounter(m) && !o.dead(m.Agent) })
	if m == nil {
		return nil
	}
	return o.by(m.Agent, &mandatev1.AnswerMandate{Mandate: m.Id, Accept: o.rand.IntN(6) > 0})
}

func (o *owners) revokeMandate() *wish {
	m := o.mandated(mandatev1.MandateState_MANDATE_STATE_ACTIVE, func(m *mandatev1.Mandate) bool { return !o.dead(m.Principal) })
	if m == nil || o.seldom() {
		return nil
	}
	if ofRegister(m) {
		return o.by(o.w.Provider, &mandatev1.RevokeMandate{Mandate: m.Id, Cause: "变更登记"})
	}
	return o.by(m.Principal, &mandatev1.RevokeMandate{Mandate: m.Id, Cause: "不再需要"})
}

func (o *owners) suspendMandate() *wish {
	m := o.mandated(mandatev1.MandateState_MANDATE_STATE_ACTIVE, ofRegister)
	if m == nil {
		return nil
	}
	return o.by(o.w.ProviderGateway, &mandatev1.SuspendMandate{Mandate: m.Id, Cause: "登记变更"})
}

func (o *owners) resumeMandate() *wish {
	m := o.mandated(mandatev1.MandateState_MANDATE_STATE_SUSPENDED, func(m *mandatev1.Mandate) bool { return !o.dead(m.Principal) && !o.dead(m.Agent) })
	if m == nil {
		return nil
	}
	cause := m.Suspensions[0]
	who := map[mandatev1.SuspensionKind]string{
		mandatev1.SuspensionKind_SUSPENSION_KIND_SOURCE: o.w.Provider, mandatev1.SuspensionKind_SUSPENSION_KIND_PRINCIPAL: m.Principal, mandatev1.SuspensionKind_SUSPENSION_KIND_AGENT: m.Agent,
	}[cause]
	return o.by(who, &mandatev1.ResumeMandate{Mandate: m.Id, Cause: cause})
}

func (o *owners) setOperatorPolicy() *wish {
	firm := o.firm()
	if firm == "" {
		return nil
	}
	p, _ := mandate.FindPolicy(o.view, firm)
	return o.by(firm, &mandatev1.SetOperatorPolicy{Version: p.GetVersion(), Limits: []*mandatev1.OperatorLimit{{Threshold: 1 + o.rand.Uint32N(3)}, {Entry: o.w.EntryID, Threshold: 2, UsesADay: 1}}})
}

func (o *owners) approveAct() *wish {
	m := o.mandated(mandatev1.MandateState_MANDATE_STATE_ACTIVE, func(m *mandatev1.Mandate) bool {
		return m.Kind == mandatev1.MandateKind_MANDATE_KIND_OPERATOR && !o.dead(m.Agent)
	})
	if m == nil {
		return nil
	}
	return o.by(m.Agent, &mandatev1.ApproveAct{Firm: m.Principal, Digest: o.digest("act")})
}

// ereceipt

// handleOf writes a receipt's name as its table has it.
func handleOf(handle []byte) string { return hex.EncodeToString(handle) }

func (o *owners) secret(r *ereceiptv1.EReceipt) fiscal.Secret {
	return o.secrets[handleOf(r.GetHandle())]
}

const receiptCode, rangeSize = "11010126", 40

var receiptKey = fiscal.RangeKey{1, 2, 3}

func (o *owners) openRange(r *ereceiptv1.CodeRange) bool {
	return r.EndedMs == 0 && r.UntilMs > o.w.Now && r.Issued < rangeSize-8
}

func (o *owners) allotRange() *wish {
	if of(o, "ereceipt/range", o.openRange) >= 4 {
		return nil
	}
	commitment, first := receiptKey.Commitment(), 1+rangeSize*o.next()
	return o.by(o.w.Authority, &ereceiptv1.AllotRange{
		Code: receiptCode, First: fmt.Sprintf("%010d", first), Last: fmt.Sprintf("%010d", first+rangeSize-1), Unit: o.w.Provider,
		UntilMs: o.w.Now + 300*rulestest.Day, KeyCommitment: commitment[:],
	})
}

func (o *owners) endRange() *wish {
	r := one(o, "ereceipt/range", o.openRange)
	if r == nil || of(o, "ereceipt/range", o.openRange) < 3 {
		return nil
	}
	return o.by(o.w.Authority, &ereceiptv1.EndRange{Range: r.Id, Reason: "单位撤销"})
}

func (o *owners) sign(account string, statement []byte) []byte {
	sig, err := o.w.Key(account, root).Sign(statement)
	if err != nil {
		panic(err)
	}
	return sig
}

// receipt is a new one of a range.
func (o *owners) receipt(r *ereceiptv1.CodeRange) *ereceiptv1.NewReceipt {
	var first int
	if _, err := fmt.Sscanf(r.First, "%d", &first); err != nil {
		panic(err)
	}
	number := fmt.Sprintf("%010d", first+o.rand.IntN(rangeSize))
	s := receiptKey.Secret(receiptCode, number)
	handle, content, payer, check := s.Handle(receiptCode, number), sm.SM3([]byte("document "+number)), s.Payer("p"), s.Check("c")
	o.secrets[handleOf(handle[:])] = s
	holding, err := s.Holding()
	if err != nil {
		panic(err)
	}
	scaled, err := s.Amount(10000)
	if err != nil {
		panic(err)
	}
	return &ereceiptv1.NewReceipt{
		Handle: handle[:], HoldingKey: holding.Public().Bytes(), ContentHash: content[:], PayerCommitment: payer[:], CheckCommitment: check[:],
		ScaledAmount: scaled, ClosesMs: o.w.Now + 200*rulestest.Day, UnitKey: o.w.Key(o.w.Provider, root).Public().ID(), UnitSignature: o.sign(o.w.Provider, fiscal.UnitStatement(content[:])),
	}
}

func (o *owners) issueReceipts() *wish {
	r := one(o, "ereceipt/range", o.openRange)
	if r == nil {
		return nil
	}
	return o.by(o.w.Provider, &ereceiptv1.IssueReceipts{Range: r.Id, Receipts: []*ereceiptv1.NewReceipt{o.receipt(r)}})
}

// receiptIn is a blue one in one of the states, or nil.
func (o *owners) receiptIn(states ...ereceiptv1.EReceiptState) *ereceiptv1.EReceipt {
	return one(o, "ereceipt/receipt", func(r *ereceiptv1.EReceipt) bool {
		return slices.Contains(states, r.State) && len(r.FlushesHandle) == 0 && o.secret(r) != fiscal.Secret{}
	})
}

func (o *owners) superviseReceipts() *wish {
	r := one(o, "ereceipt/receipt", func(r *ereceiptv1.EReceipt) bool { return r.State == ereceiptv1.EReceiptState_E_RECEIPT_STATE_ISSUED })
	if r == nil {
		return nil
	}
	return o.by(o.w.Authority, &ereceiptv1.SuperviseReceipts{Receipts: []*ereceiptv1.Supervision{{
		Handle: r.Handle, Key: o.w.Key(o.w.Authority, root).Public().ID(), Signature: o.sign(o.w.Authority, fiscal.SuperviseStatement(r.ContentHash, r.UnitSignature)),
	}}})
}

func (o *owners) deliverReceipts() *wish {
	r := o.receiptIn(ereceiptv1.EReceiptState_E_RECEIPT_STATE_SUPERVISED)
	if r == nil {
		return nil
	}
	return o.by(o.w.Provider, &ereceiptv1.DeliverReceipts{Handles: [][]byte{r.Handle}})
}

// lockReceipts is by any insurer, mostly of a receipt that nobody holds.
func (o *owners) lockReceipts() *wish {
	states := []ereceiptv1.EReceiptState{
		ereceiptv1.EReceiptState_E_RECEIPT_STATE_SUPERVISED, ereceiptv1.EReceiptState_E_RECEIPT_STATE_DELIVERED, ereceiptv1.EReceiptState_E_RECEIPT_STATE_PARTLY_REIMBURSED,
	}
	if o.rand.IntN(4) == 0 {
		states = append(states, ereceiptv1.EReceiptState_E_RECEIPT_STATE_LOCKED)
	}
	r := o.receiptIn(states...)
	if r == nil {
		return nil
	}
	org, claim, until := o.insurers[o.rand.IntN(2)], o.digest("claim"), o.in([]int64{5 * rulestest.Minute, rulestest.Day}[o.rand.IntN(2)])
	holding, err := o.secret(r).Holding()
	if err != nil {
		panic(err)
	}
	held, err := holding.Sign(fiscal.HoldStatement(rulestest.ChainID, org, r.Handle, claim, until))
	if err != nil {
		panic(err)
	}
	return o.by(org, &ereceiptv1.LockReceipts{Locks: []*ereceiptv1.NewLock{{
		Handle: r.Handle, ClaimCommitment: claim, UntilMs: until, PayerCommitment: r.PayerCommitment, CheckCommitment: r.CheckCommitment, ScaledAmount: r.ScaledAmount, HoldingSignature: held,
	}}})
}

func (o *owners) releaseReceipts() *wish {
	r := o.receiptIn(ereceiptv1.EReceiptState_E_RECEIPT_STATE_LOCKED)
	if r == nil || o.rand.IntN(2) == 0 {
		return nil
	}
	return o.by(r.Lock.Org, &ereceiptv1.ReleaseReceipts{Handles: [][]byte{r.Handle}})
}

func (o *owners) reimburseReceipts() *wish {
	r := o.receiptIn(ereceiptv1.EReceiptState_E_RECEIPT_STATE_LOCKED)
	if r == nil {
		return nil
	}
	left := o.secret(r).Fen(r.ScaledRest)
	scaled, err := o.secret(r).Part(1+o.rand.Int64N(max(left/2, 1)), len(r.Reimbursements)+len(r.Flushes))
	if err != nil {
		return nil
	}
	return o.by(r.Lock.Org, &ereceiptv1.ReimburseReceipts{Reimbursements: []*ereceiptv1.NewReimbursement{{
		Handle: r.Handle, ClaimCommitment: r.Lock.ClaimCommitment, Scaled: scaled, OpenRest: o.rand.IntN(2) == 0,
	}}})
}

func (o *owners) flushReceipt() *wish {
	r := o.receiptIn(
		ereceiptv1.EReceiptState_E_RECEIPT_STATE_DELIVERED, ereceiptv1.EReceiptState_E_RECEIPT_STATE_PARTLY_REIMBURSED, ereceiptv1.EReceiptState_E_RECEIPT_STATE_REIMBURSED,
	)
	of := one(o, "ereceipt/range", o.openRange)
	if r == nil || of == nil {
		return nil
	}
	m := &ereceiptv1.FlushReceipt{Handle: r.Handle, Range: of.Id, Red: o.receipt(of), Reason: "开票有误"}
	if left := o.secret(r).Fen(r.ScaledRest); left > 1 && o.rand.IntN(3) == 0 {
		if scaled, err := o.secret(r).Part(1+o.rand.Int64N(left/2), len(r.Reimbursements)+len(r.Flushes)); err == nil {
			m.Scaled = scaled
		}
	}
	return o.by(o.w.Provider, m)
}

func (o *owners) returnReimbursement() *wish {
	r := o.receiptIn(ereceiptv1.EReceiptState_E_RECEIPT_STATE_RED_FLUSH_PENDING)
	for _, paid := range r.GetReimbursements() {
		if paid.ReturnedMs == 0 {
			return o.by(paid.Org, &ereceiptv1.ReturnReimbursement{Handle: r.Handle, ClaimCommitment: paid.ClaimCommitment})
		}
	}
	return nil
}

// credential

func (o *owners) putCredentialType() *wish {
	id, version := o.w.Provider+":estate", uint64(1)
	for _, t := range all[credentialv1.CredentialType](o.view, "credential/type") {
		version = max(version, t.Version+1)
	}
	return o.by(o.w.Provider, &credentialv1.PutCredentialType{Retire: version > 1 && o.rand.IntN(2) == 0, Type: &credentialv1.CredentialType{
		Id: id, Version: version, Name: "不动产权证书", Vct: fmt.Sprintf("https://mulian.example/vct/estate/%d", version), SchemaHash: o.digest("schema"),
		Fields:  []*credentialv1.Field{{Name: "cert_no", Title: "证书号", Item: "no", Required: true}, {Name: "kind", Title: "类别", Visible: true}},
		Issuers: []string{o.w.Provider}, MaxDays: 365, Entry: o.w.EntryID, LicenceCode: "BDC",
	}})
}

func inForce(t *credentialv1.CredentialType) bool { return !t.Retired }

func (o *owners) retireCredentialType() *wish {
	t := one(o, "credential/type", inForce)
	if t == nil || of(o, "credential/type", inForce) < 2 {
		return nil
	}
	return o.by(o.w.Provider, &credentialv1.RetireCredentialType{Id: t.Id, Version: t.Version})
}

func (o *owners) putIssuer() *wish {
	return o.by(o.w.Provider, &credentialv1.PutIssuer{Issuer: &credentialv1.Issuer{
		Org: o.w.Provider, Url: "https://estate.gov.example", StatusUrl: fmt.Sprintf("https://chain.gov.example/st%d", o.rand.IntN(3)), Accounts: []string{o.w.ProviderGateway},
	}})
}

func (o *owners) issueCredentials() *wish {
	t := one(o, "credential/type", inForce)
	if t == nil {
		return nil
	}
	m := &credentialv1.IssueCredentials{}
	for range 1 + o.rand.IntN(3) {
		c := &credentialv1.Credential{
			Commitment: o.digest("credential"), Type: t.Id, Version: t.Version, Index: o.rand.Uint64N(credential.ListEntries),
			Licence: o.digest("licence"), Source: o.digest("row"), ExpiresMs: o.in(30 * rulestest.Day),
		}
		m.Credentials = append(m.Credentials, c)
	}
	if old := o.credential(credentialv1.CredentialState_CREDENTIAL_STATE_VALID, credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED); old != nil && o.rand.IntN(3) == 0 {
		m.Credentials[0].Supersedes, m.Credentials[0].Licence = old.Id, old.Licence
	}
	return o.by(o.w.ProviderGateway, m)
}

// credential is one in one of the states that has not run out, or nil.
func (o *owners) credential(states ...credentialv1.CredentialState) *credentialv1.Credential {
	return one(o, "credential/item", func(c *credentialv1.Credential) bool {
		return slices.Contains(states, c.State) && c.ExpiresMs > o.w.Now
	})
}

func (o *owners) setCredentialStatus() *wish {
	c := o.credential(credentialv1.CredentialState_CREDENTIAL_STATE_VALID, credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED)
	if c == nil {
		return nil
	}
	change := &credentialv1.StatusChange{Id: c.Id, State: credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED, Cause: credentialv1.StatusCause_STATUS_CAUSE_HOLDER_ASKED}
	switch {
	case o.rand.IntN(3) == 0:
		change.State = credentialv1.CredentialState_CREDENTIAL_STATE_REVOKED
	case c.State == credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED:
		change.State, change.Cause = credentialv1.CredentialState_CREDENTIAL_STATE_VALID, credentialv1.StatusCause_STATUS_CAUSE_SETTLED
	}
	return o.by(o.w.Provider, &credentialv1.SetCredentialStatus{Changes: []*credentialv1.StatusChange{change}})
}

func (o *owners) reportSourceChange() *wish {
	c := o.credential(credentialv1.CredentialState_CREDENTIAL_STATE_VALID)
	if c == nil {
		return nil
	}
	return o.by(o.w.ProviderGateway, &credentialv1.ReportSourceChange{Sources: [][]byte{c.Source}, Note: "变更登记"})
}
