package index

import (
	"encoding/hex"
	"strings"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	credentialv1 "mulian/gen/mulian/credential/v1"
	custodyv1 "mulian/gen/mulian/custody/v1"
	ereceiptv1 "mulian/gen/mulian/ereceipt/v1"
	evidencev1 "mulian/gen/mulian/evidence/v1"
	foreignv1 "mulian/gen/mulian/foreign/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	recoveryv1 "mulian/gen/mulian/recovery/v1"
	safeboxv1 "mulian/gen/mulian/safebox/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
)

// Keys of the ledger's tables: "<noun>/<table>/". They are the rules' own; a
// table that is not here is not projected.
const (
	Account        = "identity/account/"
	Member         = "governance/member/"
	Role           = "governance/role/"
	Parameters     = "governance/parameters"
	Clocks         = "governance/clocks/"
	Calendar       = "governance/calendar/"
	Validator      = "governance/validator/"
	Proposal       = "governance/proposal/"
	Misbehaved     = "governance/misbehaviour/"
	Suspended      = "governance/suspension/"
	Protocol       = "governance/protocol"
	Duty           = "catalogue/duty/"
	System         = "catalogue/system/"
	Table          = "catalogue/table/"
	Entry          = "catalogue/entry/"
	Pending        = "catalogue/pending/"
	Drift          = "catalogue/drift/"
	Matter         = "catalogue/matter/"
	CodeTable      = "catalogue/codetable/"
	Code           = "catalogue/code/"
	Evidence       = "evidence/item/"
	Vault          = "safebox/vault/"
	BoxItem        = "safebox/item/"
	Transfer       = "safebox/transfer/"
	Request        = "share/request/"
	Agreement      = "share/agreement/"
	Delivery       = "share/delivery/"
	Use            = "share/use/"
	Amendment      = "share/amendment/"
	Violation      = "share/violation/"
	Disposal       = "share/disposal/"
	Feedback       = "share/feedback/"
	Correction     = "share/correction/"
	Holder         = "share/holder/"
	Objection      = "share/objection/"
	Dispute        = "share/dispute/"
	Standing       = "share/standing/"
	Head           = "trace/head/"
	Sequence       = "trace/sequence/"
	Recovery       = "recovery/recovery/"
	Custody        = "custody/custody/"
	CustodyUse     = "custody/use/"
	Unwrap         = "custody/unwrap/"
	RecoveryPolicy = "recovery/policy/"
	Recovered      = "recovery/executed/"
	Death          = "recovery/death/"
	Mandate        = "mandate/mandate/"
	Operators      = "mandate/operators/"
	Foreign        = "foreign/chain/"
	Reference      = "foreign/reference/"
	CodeRange      = "ereceipt/range/"
	EReceipt       = "ereceipt/receipt/"
	CredType       = "credential/type/"
	Issuer         = "credential/issuer/"
	Credential     = "credential/item/"
	StatusList     = "credential/list/"
	StatusPage     = "credential/page/"
	AnnotatedCopy  = "credential/copy/"
)

// Keys of what owners grant.
const (
	IntendedUse   = "grant/register/"
	DataRequest   = "grant/request/"
	Grant         = "grant/grant/"
	GrantUse      = "grant/use/"
	DeletionDuty  = "grant/duty/"
	GrantFeed     = "grant/feed/" // the counters of owners' feeds; events name numbers in them, never the counter, so that the index keeps none: [Index.Notified]
	GrantStanding = "grant/standing/"
)

// row is what the index keeps of one object beside its value.
type row struct {
	org, peer string // whose it is; the other side
	state     int32  // the noun's state
	class     int32  // share type, account kind, power type
	flag      bool   // open, overdue, locked
	ref       string // table, gateway, system
	parents   []string
}

type kind struct {
	prefix string
	empty  func() proto.Message
	file   func(proto.Message) row
}

func of[M any, P Message[M]](prefix string, file func(P) row) kind {
	return kind{prefix: prefix, empty: func() proto.Message { return P(new(M)) }, file: func(m proto.Message) row { return file(m.(P)) }}
}

func kindOf(key string) *kind {
	for i := range kinds {
		if strings.HasPrefix(key, kinds[i].prefix) {
			return &kinds[i]
		}
	}
	return nil
}

var kinds = []kind{
	of(Account, func(a *identityv1.Account) row {
		return row{org: a.GetOrg(), state: int32(a.GetState()), class: int32(a.GetKind()), ref: a.GetProfile().GetParent()}
	}),
	of(Member, func(m *governancev1.Member) row { return row{org: m.GetOrg()} }),
	of(Role, func(r *governancev1.RoleGrant) row { return row{org: r.GetAccount(), class: int32(r.GetRole())} }),
	of(Parameters, func(*governancev1.Parameters) row { return row{} }),
	of(Clocks, func(*governancev1.ClockProfile) row { return row{} }),
	of(Calendar, func(*governancev1.CalendarYear) row { return row{} }),
	of(Validator, func(v *governancev1.Validator) row { return row{org: v.GetOrg()} }),
	of(Misbehaved, func(m *governancev1.Misbehaviour) row {
		return row{org: m.GetOrg(), state: int32(m.GetConsequence()), class: int32(m.GetWrong())}
	}),
	of(Suspended, func(s *governancev1.Suspension) row { return row{flag: s.GetEndedMs() == 0} }),
	of(Protocol, func(*governancev1.Protocol) row { return row{} }),
	of(Proposal, func(p *governancev1.Proposal) row {
		return row{org: p.GetProposer(), state: int32(p.GetState()), flag: p.GetState() == governancev1.ProposalState_PROPOSAL_STATE_OPEN}
	}),
	of(Duty, func(d *cataloguev1.Duty) row {
		return row{org: d.GetOrg(), class: int32(d.GetPowerType()), flag: d.GetRetired()}
	}),
	of(System, func(s *cataloguev1.System) row {
		return row{org: s.GetOrg(), class: int32(s.GetLevel())}
	}),
	of(Table, func(t *cataloguev1.Table) row {
		return row{
			org: t.GetOrg(), peer: t.GetGateway(), class: int32(t.GetKind()), flag: t.GetGone(), ref: t.GetSystem(),
			parents: some(System, t.GetSystem()),
		}
	}),
	of(Entry, fileEntry),
	of(Pending, func(p *cataloguev1.PendingChange) row {
		r := row{org: strings.SplitN(p.GetEntry(), ":", 2)[0], flag: p.GetNeedsReview(), ref: p.GetEntry(), parents: some(Entry, p.GetEntry())}
		for _, org := range p.GetNeeded() {
			r.parents = append(r.parents, needs+org)
		}
		return r
	}),
	of(Drift, func(d *cataloguev1.Drift) row {
		return row{
			org: d.GetOrg(), state: int32(d.GetSettlement()), class: int32(d.GetClass()), flag: d.GetSettlement() == cataloguev1.Settlement_SETTLEMENT_UNSPECIFIED,
			ref: d.GetTable(), parents: append(each(Entry, d.GetEntries()), Table+d.GetTable()),
		}
	}),
	of(Matter, func(m *cataloguev1.Matter) row {
		return row{org: m.GetOrg(), class: int32(m.GetPowerType()), flag: m.GetRetired(), ref: m.GetCode(), parents: each(Duty, m.GetDuties())}
	}),
	of(CodeTable, func(t *cataloguev1.CodeTable) row { return row{org: t.GetOrg()} }),
	of(Code, func(c *cataloguev1.Code) row {
		return row{peer: c.GetParent(), flag: c.GetRetired(), ref: c.GetTable()}
	}),
	of(Evidence, func(e *evidencev1.Evidence) row {
		return row{org: e.GetAccount(), class: int32(e.GetProvenance().GetCapture()), ref: e.GetSupersedes()}
	}),
	of(Vault, func(v *safeboxv1.Vault) row { return row{org: v.GetAccount()} }),
	of(BoxItem, func(i *safeboxv1.BoxItem) row {
		return row{org: i.GetOwner(), peer: i.GetDepositor(), state: int32(i.GetState()), class: int32(i.GetOrigin()), flag: len(i.GetOffers()) > 0, ref: i.GetCopyOf()}
	}),
	of(Transfer, func(t *safeboxv1.Transfer) row {
		return row{
			org: t.GetFrom(), peer: t.GetTo(), state: int32(t.GetState()), class: int32(t.GetKind()),
			flag: t.GetState() == safeboxv1.TransferState_TRANSFER_STATE_OFFERED, parents: some(BoxItem, t.GetItem()),
		}
	}),
	of(Request, func(r *sharev1.Request) row {
		out := row{
			org: r.GetProvider(), peer: r.GetRequester(), state: int32(r.GetState()), flag: r.GetClock().GetOverdue(), ref: r.GetGateway(),
			parents: some(Duty, r.GetTerms().GetDuty()),
		}
		out.parents = append(out.parents, parts(r.GetTerms())...)
		return out
	}),
	of(Agreement, func(a *sharev1.Agreement) row {
		return row{
			org: a.GetProvider(), peer: a.GetConsumer(), state: int32(a.GetState()), flag: late(a), ref: a.GetConsumerGateway(),
			parents: append(append(parts(a.GetTerms()), Request+a.GetRequest()), gateways(a)...),
		}
	}),
	of(Delivery, func(d *sharev1.Delivery) row {
		org, _, _ := strings.Cut(d.GetGateway(), "/") // the provider
		return row{org: org, peer: d.GetGateway(), state: int32(d.GetState()), ref: d.GetEntry(), parents: some(Agreement, d.GetAgreement())}
	}),
	of(Use, func(u *sharev1.Use) row {
		return row{org: u.GetBy(), parents: some(Agreement, u.GetAgreement())}
	}),
	of(Amendment, func(m *sharev1.Amendment) row {
		return row{org: m.GetProposedBy(), state: int32(m.GetState()), class: int32(m.GetKind()), parents: some(Agreement, m.GetAgreement())}
	}),
	of(Violation, func(x *sharev1.Violation) row {
		return row{org: x.GetFoundBy(), state: int32(x.GetState()), flag: x.GetClock().GetOverdue(), parents: some(Agreement, x.GetAgreement())}
	}),
	of(Disposal, func(d *sharev1.Disposal) row {
		return row{org: d.GetBy(), flag: d.GetLate(), parents: some(Agreement, d.GetAgreement())}
	}),
	of(Feedback, func(f *sharev1.Feedback) row {
		return row{org: f.GetBy(), parents: some(Agreement, f.GetAgreement())}
	}),
	of(Correction, func(c *sharev1.Correction) row {
		return row{
			org: c.GetProvider(), peer: c.GetFiledBy(), state: int32(c.GetState()), flag: c.GetClock().GetOverdue(), ref: c.GetItem(),
			parents: some(Entry, c.GetEntry()),
		}
	}),
	of(Holder, func(h *sharev1.Holder) row {
		return row{
			org: h.GetConsumer(), flag: h.GetClock().GetOverdue() && !h.GetApplied(), ref: h.GetAgreement(),
			parents: append(some(Correction, h.GetCorrection()), Agreement+h.GetAgreement()),
		}
	}),
	of(Objection, func(o *sharev1.Objection) row {
		return row{org: o.GetAgainst(), peer: o.GetFiledBy(), state: int32(o.GetState()), class: int32(o.GetKind()), flag: o.GetClock().GetOverdue(), ref: o.GetSubject(), parents: []string{o.GetSubject()}}
	}),
	of(Dispute, func(d *sharev1.Dispute) row {
		return row{org: d.GetRespondent(), peer: d.GetClaimant(), state: int32(d.GetState()), class: int32(d.GetLevel()), flag: d.GetClock().GetOverdue(), ref: d.GetSubject(), parents: []string{d.GetSubject()}}
	}),
	of(IntendedUse, func(u *grantv1.IntendedUse) row {
		return row{org: u.GetOrg(), state: int32(u.GetState()), flag: u.GetSensitive(), ref: u.GetEntry(), parents: some(Entry, u.GetEntry())}
	}),
	of(DataRequest, func(r *grantv1.DataRequest) row {
		return row{org: r.GetOrg(), peer: r.GetOwner(), state: int32(r.GetState()), ref: hex.EncodeToString(r.GetBusinessReference()), parents: some(IntendedUse, r.GetUse())}
	}),
	of(Grant, func(g *grantv1.Grant) row {
		return row{
			org: g.GetGrantee(), peer: g.GetOwner(), state: int32(g.GetState()), class: int32(g.GetKind()), flag: g.GetState() < grantv1.GrantState_GRANT_STATE_EXHAUSTED,
			ref: g.GetGateway(), parents: append(append(some(Entry, g.GetEntry()), DataRequest+g.GetRequest()), each(Account, append(g.GetProviders(), g.GetGateway()))...),
		}
	}),
	of(GrantUse, func(u *grantv1.Use) row {
		return row{org: u.GetProvider(), peer: u.GetOwner(), state: int32(u.GetOutcome()), parents: some(Grant, u.GetGrant())}
	}),
	of(DeletionDuty, func(d *grantv1.DeletionDuty) row {
		return row{
			org: d.GetGrantee(), peer: d.GetOwner(), state: int32(d.GetState()), parents: some(Grant, d.GetGrant()),
			flag: d.GetState() == grantv1.DeletionDutyState_DELETION_DUTY_STATE_OVERDUE || d.GetState() == grantv1.DeletionDutyState_DELETION_DUTY_STATE_REPORTED,
		}
	}),
	of(GrantStanding, func(s *grantv1.GranteeStanding) row { return row{org: s.GetOrg()} }),
	of(Standing, func(s *sharev1.Standing) row { return row{org: s.GetOrg()} }),
	of(Head, func(h *tracev1.Head) row { return row{peer: h.GetGateway()} }),
	of(Sequence, func(s *tracev1.Sequence) row {
		return row{peer: s.GetGateway(), parents: some(Agreement, s.GetAgreement())}
	}),
	of(CodeRange, func(r *ereceiptv1.CodeRange) row {
		return row{org: r.GetUnit(), flag: r.GetEndedMs() != 0}
	}),
	of(EReceipt, func(r *ereceiptv1.EReceipt) row {
		return row{org: r.GetUnit(), peer: r.GetLock().GetOrg(), state: int32(r.GetState()), flag: r.GetLock() != nil, parents: some(CodeRange, r.GetRange())}
	}),
	of(Recovery, func(r *recoveryv1.Recovery) row {
		return row{org: r.GetAccount(), state: int32(r.GetState()), class: int32(r.GetPath()), flag: r.GetDueMs() != 0, parents: some(Account, r.GetAccount())}
	}),
	of(Custody, func(c *custodyv1.Custody) row {
		return row{org: c.GetCustodian(), peer: c.GetAccount(), state: int32(c.GetState()), flag: c.GetWaiting() > 0, parents: some(Account, c.GetAccount())}
	}),
	of(CustodyUse, func(u *custodyv1.CustodyUse) row {
		return row{org: u.GetCustodian(), peer: u.GetAccount(), state: int32(u.GetState()), class: int32(u.GetKind()), flag: u.GetEndedMs() == 0, parents: some(Custody, u.GetAccount())}
	}),
	of(Unwrap, func(w *custodyv1.Unwrap) row {
		return row{org: w.GetCustodian(), peer: w.GetAccount(), state: int32(w.GetState()), flag: w.GetEndedMs() == 0, parents: some(Custody, w.GetAccount())}
	}),
	of(RecoveryPolicy, func(p *recoveryv1.RecoveryPolicy) row { return row{org: p.GetAccount(), flag: p.GetPending() != nil} }),
	of(Recovered, func(l *recoveryv1.LastRecovery) row { return row{org: l.GetAccount()} }),
	of(Death, func(d *recoveryv1.Death) row { return row{org: d.GetAccount(), flag: !d.GetWithdrawn()} }),
	of(Mandate, func(m *mandatev1.Mandate) row {
		return row{org: m.GetPrincipal(), peer: m.GetAgent(), state: int32(m.GetState()), class: int32(m.GetKind()), flag: m.GetDueMs() != 0, ref: m.GetOffice(), parents: each(Account, []string{m.GetPrincipal(), m.GetAgent()})}
	}),
	of(Operators, func(p *mandatev1.OperatorPolicy) row { return row{org: p.GetFirm()} }),
	of(Foreign, func(c *foreignv1.ForeignChain) row {
		return row{state: int32(c.GetState()), flag: c.GetState() == foreignv1.ForeignState_FOREIGN_STATE_FROZEN}
	}),
	of(Reference, func(r *foreignv1.ForeignReference) row {
		return row{org: r.GetOrg(), peer: r.GetPeer(), state: r.GetState(), class: int32(r.GetKind()), flag: r.GetAbsent(), ref: r.GetChainId(), parents: some(Foreign, r.GetChainId())}
	}),
	of(CredType, func(t *credentialv1.CredentialType) row {
		return row{org: t.GetOwner(), flag: t.GetRetired(), ref: t.GetId(), parents: some(Entry, t.GetEntry())}
	}),
	of(Issuer, func(i *credentialv1.Issuer) row { return row{org: i.GetOrg()} }),
	of(Credential, func(c *credentialv1.Credential) row {
		return row{org: c.GetIssuer(), state: int32(c.GetState()), class: int32(c.GetCause()), flag: c.GetDueMs() != 0, ref: c.GetType()}
	}),
	of(StatusList, func(l *credentialv1.StatusList) row { return row{org: l.GetIssuer()} }),
	of(StatusPage, func(p *credentialv1.StatusPage) row { return row{org: p.GetIssuer()} }),
	of(AnnotatedCopy, func(c *credentialv1.AnnotatedCopy) row { return row{org: c.GetMaker(), state: int32(c.GetState())} }),
}

// needs is the parent of pending changes that wait for an organisation.
const needs = "needs/"

// Needs is the parent of the pending changes that wait for an organisation, for
// [Filter].Parent.
func Needs(org string) string { return needs + org }

func fileEntry(e *cataloguev1.Entry) row {
	return row{
		org: e.GetProvider(), peer: e.GetSourceOrg(), state: int32(e.GetState()), class: int32(e.GetShareType()), flag: e.GetLock() != nil,
		ref:     e.GetTable(),
		parents: append(append(append(each(Duty, e.GetDuties()), some(Table, e.GetTable())...), some(System, e.GetSystem())...), fromSource(e.GetOrigin())...),
	}
}

// late says that a clock of the agreement ran out and what it was for has not
// happened.
func late(a *sharev1.Agreement) bool {
	return a.GetClock().GetOverdue() || a.GetCopyOverdue() > a.GetDisposed() ||
		a.GetDisposal().GetOverdue() && a.GetState() == sharev1.AgreementState_AGREEMENT_STATE_DISPOSING
}

func parts(t *sharev1.Terms) []string {
	var out []string
	for _, p := range t.GetParts() {
		out = append(out, Entry+p.GetEntry())
	}
	return out
}

func gateways(a *sharev1.Agreement) []string {
	out := each(Account, a.GetProviderGateways())
	return append(out, some(Account, a.GetConsumerGateway())...)
}

func some(prefix, id string) []string {
	if id == "" {
		return nil
	}
	return []string{prefix + id}
}

func each(prefix string, ids []string) []string {
	out := make([]string, 0, len(ids)+2)
	for _, id := range ids {
		out = append(out, prefix+id)
	}
	return out
}
