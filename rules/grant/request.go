package grant

import (
	"bytes"
	"encoding/hex"

	"google.golang.org/protobuf/proto"

	governancev1 "mulian/gen/mulian/governance/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	"mulian/internal/consent"
	"mulian/internal/fault"
	"mulian/internal/itemset"
	"mulian/internal/standard"
	"mulian/rules/act"
	"mulian/rules/governance"
)

// RequestData asks an owner, or whoever scans the code, for items of a registered use.
// Signed by the data user, OFFICER, or its gateway, MACHINE; basis DUTY always OFFICER, and
// that makes the grant at once and tells the owner (PIPL art. 34, 35).
//
// UseNotRegistered, Forbidden, Suspended; RequestReplayed; NoticeMismatch; OverAsk; the
// commitments (Missing, Malformed); LimitDuration, RequestExpired, OutOfRange; NotFound
// (owner, gateway), RecipientKeyExpired; ItemVersionRetired, FieldMasked.
func RequestData(a *act.Act, m *grantv1.RequestData) error {
	const rule = "grant/request_data"
	r := proto.CloneOf(m.GetRequest())
	if r == nil {
		return act.Refuse(fault.Missing, rule, "the request is missing")
	}
	u, err := useOf(a, rule, r.Use)
	if err != nil {
		return err
	}
	level := officer
	if u.Basis == byDuty {
		err = a.NeedOrg(u.Org, level)
	} else {
		err = needUser(a, u.Org, level)
	}
	if err != nil {
		return err
	}
	if err := begin(a, rule, r, u); err != nil {
		return err
	}
	for _, check := range []func(*act.Act, string, *grantv1.DataRequest, *grantv1.IntendedUse) error{checkAsked, checkCommitments, checkTerm, checkOf, checkWhom} {
		if err := check(a, rule, r, u); err != nil {
			return err
		}
	}
	if u.Basis == byDuty {
		return takeByDuty(a, r, u)
	}
	requests.Put(a.Tx, r.Id, r)
	queue(a, r.NotAfterMs, dueRequest, r.Id)
	a.Emit(rule, "requested", ofRequest(a, r)...)
	return nil
}

// useOf returns a registered use that is active, or UseNotRegistered.
func useOf(a *act.Act, rule, id string) (*grantv1.IntendedUse, error) {
	u, ok := registered.Get(a.Tx, id)
	switch {
	case !ok:
		return nil, act.Refuse(fault.UseNotRegistered, rule, "there is no registered use %.80q", id)
	case u.State != useActive:
		return nil, act.Refuse(fault.UseNotRegistered, rule, "use %s was retired", u.Id)
	}
	_, err := checkUser(a.Tx, rule, u.Org)
	return u, err
}

// begin gives the request its id, which its nonce makes, and what the ledger sets.
func begin(a *act.Act, rule string, r *grantv1.DataRequest, u *grantv1.IntendedUse) error {
	if len(r.Nonce) != consent.NonceBytes {
		return act.Refuse(fault.Malformed, rule, "nonce: %d bytes, has to be %d", len(r.Nonce), consent.NonceBytes)
	}
	r.Org, r.Id = u.Org, consent.RequestID(u.Org, r.Nonce)
	if requests.Has(a.Tx, r.Id) {
		return act.Refuse(fault.RequestReplayed, rule, "request %s was made with this nonce", r.Id)
	}
	r.State, r.CreatedMs, r.RequestedBy = requested, a.TimeMs, a.Signer()
	r.DecidedMs, r.DecidedBy, r.Cause, r.Grant = 0, "", 0, ""
	var err error
	if r.Hash, err = consent.RequestHash(r); err != nil {
		return act.Refuse(fault.Malformed, rule, "%v", err)
	}
	a.IDs = append(a.IDs, r.Id)
	return nil
}

// checkAsked: the items are within the registered ones, and so is all else that bounds.
func checkAsked(_ *act.Act, rule string, r *grantv1.DataRequest, u *grantv1.IntendedUse) error {
	if err := itemset.Check(r.Items, maxItems); err != nil {
		return act.Refuse(fault.OverAsk, rule, "items: %v", err)
	}
	switch {
	case len(r.Items) == 0:
		return act.Refuse(fault.Empty, rule, "no item is asked for")
	case !itemset.Within(r.Items, u.Items):
		return act.Refuse(fault.OverAsk, rule, "items %x are asked for, registered are %x", r.Items, u.Items)
	case itemset.Check(r.OptionalItems, maxItems) != nil || !itemset.Within(r.OptionalItems, r.Items) || !itemset.Within(r.OptionalItems, u.OptionalItems):
		return act.Refuse(fault.OverAsk, rule, "optional_items are not within items and the registered optional ones")
	case !bytes.Equal(r.NoticeHash, u.NoticeHash):
		return act.Refuse(fault.NoticeMismatch, rule, "the notice of use %s is %x", u.Id, u.NoticeHash)
	case u.Kind == once && r.MaxUses != 1, u.MaxUses != 0 && (r.MaxUses == 0 || r.MaxUses > u.MaxUses), r.MaxUses > maxUsesBound:
		return act.Refuse(fault.OverAsk, rule, "max_uses is %d, registered are %d", r.MaxUses, u.MaxUses)
	case r.MinIntervalSeconds < u.MinIntervalSeconds, r.MinIntervalSeconds > maxIntervalSeconds:
		return act.Refuse(fault.OverAsk, rule, "min_interval_seconds is %d, registered are %d", r.MinIntervalSeconds, u.MinIntervalSeconds)
	case r.DataLifeDays > u.DataLifeDays, u.Mode == deliver && r.DataLifeDays == 0:
		return act.Refuse(fault.OverAsk, rule, "data_life_days is %d, registered are %d", r.DataLifeDays, u.DataLifeDays)
	}
	return nil
}

// checkCommitments: the business reference is needed (真实背景), of each single access.
func checkCommitments(_ *act.Act, rule string, r *grantv1.DataRequest, u *grantv1.IntendedUse) error {
	if err := act.First(
		act.Hash(rule, "business_reference", r.BusinessReference, true),
		act.Hash(rule, "scope_commitment", r.ScopeCommitment, false),
		act.Hash(rule, "match_commitment", r.MatchCommitment, false),
		act.Hash(rule, "content_hash", r.ContentHash, false),
		act.Hash(rule, "row_key_commitment", r.RowKeyCommitment, u.Basis == byDuty),
		act.Line(rule, "case_note", r.CaseNote, maxCaseNote, false),
	); err != nil {
		return err
	}
	if u.Basis != byDuty && (len(r.RowKeyCommitment) != 0 || r.CaseNote != "") {
		return act.Refuse(fault.OutOfRange, rule, "row_key_commitment and case_note are of basis DUTY only: the owner names his row himself")
	}
	return nil
}

// checkTerm: the term is within the registered days and the bounds of the purpose as they
// are now, and the request can be answered for a while.
func checkTerm(a *act.Act, rule string, r *grantv1.DataRequest, u *grantv1.IntendedUse) error {
	p, ok := standard.Purpose(governance.Parameters(a.Tx), u.Purpose)
	if !ok {
		return act.Refuse(fault.PurposeUnknown, rule, "there is no purpose %.60q any more", u.Purpose)
	}
	days := min(longestDays(p, u), u.MaxDays)
	wait := int64(maxBoundMs)
	if r.Owner == "" {
		wait = maxOpenMs
	}
	start := max(a.TimeMs, r.FromMs)
	switch {
	case days == 0:
		return act.Refuse(fault.LimitStanding, rule, "for %s no standing grant of such items may be asked for", p.Code)
	case r.FromMs < 0 || start-a.TimeMs > int64(days)*dayMs:
		return act.Refuse(fault.LimitDuration, rule, "from_ms is %d: it may begin within %d days", r.FromMs, days)
	case r.ToMs <= start:
		return act.Refuse(fault.OutOfRange, rule, "to_ms is %d: it would end before it begins", r.ToMs)
	case r.ToMs-start > int64(days)*dayMs:
		return act.Refuse(fault.LimitDuration, rule, "the term has %d days, at most %d", (r.ToMs-start)/dayMs, days)
	case r.NotAfterMs <= a.TimeMs:
		return act.Refuse(fault.RequestExpired, rule, "not_after_ms is %d, and it is %d", r.NotAfterMs, a.TimeMs)
	case r.NotAfterMs-a.TimeMs > wait || r.NotAfterMs > r.ToMs:
		return act.Refuse(fault.OutOfRange, rule, "not_after_ms is %d: at most %d ms from now, and not after the term", r.NotAfterMs, wait)
	}
	return nil
}

// checkOf: the items can be given as they were registered.
func checkOf(a *act.Act, rule string, r *grantv1.DataRequest, u *grantv1.IntendedUse) error {
	if u.Entry == "" {
		return nil
	}
	_, err := entryOf(a.Tx, rule, u, r.Items)
	return err
}

// checkWhom: who is asked, and who receives.
func checkWhom(a *act.Act, rule string, r *grantv1.DataRequest, u *grantv1.IntendedUse) error {
	if r.Owner == "" && u.Basis == byDuty {
		return act.Refuse(fault.Missing, rule, "the owner is missing: who takes by duty says of whom")
	}
	if r.Owner != "" {
		if err := checkOwner(a.Tx, rule, r.Owner); err != nil {
			return err
		}
	}
	return checkRecipient(a.Tx, rule, r.Org, r.Gateway, r.RecipientKey)
}

// WithdrawDataRequest takes back a request that is not answered. Signed as RequestData is.
//
// NotFound, RequestExpired, IllegalTransition, Forbidden.
func WithdrawDataRequest(a *act.Act, m *grantv1.WithdrawDataRequest) error {
	const rule = "grant/withdraw_data_request"
	r, err := findRequest(a, rule, m.GetRequest())
	if err != nil {
		return err
	}
	if err := needUser(a, r.Org, officer); err != nil {
		return err
	}
	decide(a, r, withdrawn)
	a.Emit(rule, "withdrawn", ofRequest(a, r)...)
	return nil
}

// DeclineRequest says no; "not me" and three wrong match numbers count in the standing of
// the data user. Signed by the owner, OFFICER; of an open request by any person or firm,
// who is not bound by it: only his saying so ends it.
//
// NotFound, RequestExpired, IllegalTransition, Forbidden, Missing, OutOfRange (cause).
func DeclineRequest(a *act.Act, m *grantv1.DeclineRequest) error {
	const rule = "grant/decline_request"
	r, err := findRequest(a, rule, m.GetRequest())
	if err != nil {
		return err
	}
	owner := r.Owner
	if owner == "" {
		owner = a.Signer()
		if err := checkOwner(a.Tx, rule, owner); err != nil {
			return err
		}
	}
	use, _ := registered.Get(a.Tx, r.Use)
	no := said{rule: rule, owner: owner, mandate: m.Mandate, entry: use.GetEntry(), asker: r.Org, level: officer, message: m}
	if err := act.First(acting(a, no), listed(rule, "cause", m.Cause)); err != nil {
		return err
	}
	r.Cause = m.Cause
	decide(a, r, declined)
	note(a, r.Org, func(s *grantv1.GranteeStanding) {
		s.Refusals++
		if m.Cause != grantv1.DeclineCause_DECLINE_CAUSE_REFUSED {
			s.NotMe++
		}
	})
	a.Emit(rule, word(m.Cause), ofRequest(a, r)...)
	return nil
}

// word is the note of a cause.
func word(c grantv1.DeclineCause) string {
	switch c {
	case grantv1.DeclineCause_DECLINE_CAUSE_NOT_ME:
		return "not_me"
	case grantv1.DeclineCause_DECLINE_CAUSE_MISMATCH:
		return "match_code_wrong"
	}
	return "refused"
}

// decide stores the end of a request.
func decide(a *act.Act, r *grantv1.DataRequest, s grantv1.DataRequestState) {
	r.State, r.DecidedMs, r.DecidedBy = s, a.TimeMs, a.Signer()
	requests.Put(a.Tx, r.Id, r)
}

// takeByDuty makes the grant of a request that asks for no consent, and tells the owner.
func takeByDuty(a *act.Act, r *grantv1.DataRequest, u *grantv1.IntendedUse) error {
	const rule = "grant/take_by_duty"
	g, err := draft(a, rule, r, u, consent.Choice{})
	if err != nil {
		return err
	}
	g.Owner, g.Actor, g.RowKeyCommitment = r.Owner, a.Signer(), r.RowKeyCommitment
	g.State, g.NotBeforeMs = active, max(a.TimeMs, r.FromMs)
	store(a, r, g)
	a.Emit(rule, "duty "+u.Duty, ofGrant(a, g)...)
	return nil
}

// store writes a new grant, ends its request and starts its clocks.
func store(a *act.Act, r *grantv1.DataRequest, g *grantv1.Grant) {
	g.Id = consent.GrantID(r.Id, g.Owner)
	g.GivenMs, g.GivenHeight = a.TimeMs, a.Height
	r.Owner, r.Grant = g.Owner, g.Id
	decide(a, r, granted)
	grants.Put(a.Tx, g.Id, g)
	queue(a, g.NotAfterMs, dueTerm, g.Id)
	if g.State == cooling {
		queue(a, g.CoolingUntilMs, dueCooling, g.Id)
	}
	began(a, g)
	a.IDs = append(a.IDs, g.Id)
}

// draft is a grant of what the request asks for, narrowed by the owner's choice. State,
// owner and beginning are the caller's.
//
// OverAsk, LimitDuration, ItemVersionRetired, FieldMasked.
func draft(a *act.Act, rule string, r *grantv1.DataRequest, u *grantv1.IntendedUse, c consent.Choice) (*grantv1.Grant, error) {
	g := &grantv1.Grant{
		Request: r.Id, RequestHash: r.Hash, Use: u.Id, Grantee: r.Org, Gateway: r.Gateway, RecipientKey: r.RecipientKey,
		Entry: u.Entry, EntryVersion: u.EntryVersion, EntryCommitment: u.EntryCommitment, Items: r.Items, ScopeCommitment: r.ScopeCommitment,
		Purpose: u.Purpose, Basis: u.Basis, ConsentKind: u.ConsentKind, Mode: u.Mode, Kind: u.Kind, NotAfterMs: r.ToMs, MaxUses: r.MaxUses,
		MinIntervalSeconds: r.MinIntervalSeconds, DataLifeDays: r.DataLifeDays, NoticeHash: r.NoticeHash, BusinessReference: r.BusinessReference,
		Sensitive: u.Sensitive, ContentHash: r.ContentHash, Providers: u.Providers,
	}
	if len(c.Items) > 0 {
		if itemset.Check(c.Items, maxItems) != nil || !itemset.Within(c.Items, r.Items) || !itemset.Within(itemset.Minus(r.Items, r.OptionalItems), c.Items) {
			return nil, act.Refuse(fault.OverAsk, rule, "items %x: asked are %x, optional of them %x", c.Items, r.Items, r.OptionalItems)
		}
		g.Items = c.Items
	}
	if c.NotAfterMs != 0 {
		if c.NotAfterMs <= a.TimeMs || c.NotAfterMs > r.ToMs {
			return nil, act.Refuse(fault.LimitDuration, rule, "not_after_ms is %d: until %d was asked", c.NotAfterMs, r.ToMs)
		}
		g.NotAfterMs = c.NotAfterMs
	}
	if c.MaxUses != 0 {
		if r.MaxUses != 0 && c.MaxUses > r.MaxUses || c.MaxUses > maxUsesBound {
			return nil, act.Refuse(fault.OverAsk, rule, "max_uses is %d, %d were asked", c.MaxUses, r.MaxUses)
		}
		g.MaxUses = c.MaxUses
	}
	return g, fromEntry(a, rule, g, u)
}

// fromEntry adds what the entry says, of a use that names one: the codes of the items and
// the gateway of its table.
func fromEntry(a *act.Act, rule string, g *grantv1.Grant, u *grantv1.IntendedUse) error {
	if u.Entry == "" {
		return nil
	}
	e, err := entryOf(a.Tx, rule, u, g.Items)
	if err != nil {
		return err
	}
	gateway, err := gatewayOf(a.Tx, rule, e)
	if err != nil {
		return err
	}
	g.ItemCodes, g.Providers = itemset.Codes(e, g.Items), []string{gateway}
	return nil
}

// purposeOf returns the purpose of a use, which was there when it was registered; a vote
// may have taken it from the list.
func purposeOf(a *act.Act, u *grantv1.IntendedUse) *governancev1.GrantPurpose {
	p, ok := standard.Purpose(governance.Parameters(a.Tx), u.Purpose)
	if !ok {
		p = &governancev1.GrantPurpose{Code: u.Purpose}
	}
	return p
}

// short shows the beginning of a hash.
func short(b []byte) string { return hex.EncodeToString(b[:min(8, len(b))]) }
