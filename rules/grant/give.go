package grant

import (
	"bytes"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/consent"
	"mulian/internal/fault"
	"mulian/internal/standard"
	"mulian/rules/act"
	"mulian/rules/catalogue"
	"mulian/rules/governance"
	"mulian/state"
)

// GiveGrant says yes. Signed by the owner that the request names, of an open one by any
// person or firm: OFFICER (L2), ROOT (L3) for a standing grant or sensitive items.
//
// A grant of kind ONCE is active at once; a standing one after the cooling time, in which
// it can be taken back before anything was used.
//
// NotFound, RequestExpired, IllegalTransition; Forbidden (another's request, level);
// UseNotRegistered, Suspended; VersionConflict (the request is another than he saw);
// MatchWrong; OverAsk, LimitDuration, LimitStanding; ItemVersionRetired, FieldMasked;
// RecipientKeyExpired; TextMismatch; Missing, Malformed (commitments); IllegalTransition
// (replaces a grant that is not revoked).
func GiveGrant(a *act.Act, m *grantv1.GiveGrant) error {
	const rule = "grant/give_grant"
	r, err := findRequest(a, rule, m.GetRequest())
	if err != nil {
		return err
	}
	owner := m.Owner
	if owner == "" {
		owner = a.Signer()
	}
	if err := checkOwner(a.Tx, rule, owner); err != nil {
		return err
	}
	if r.Owner != "" && r.Owner != owner {
		return act.Refuse(fault.Forbidden, rule, "request %s asks another account", r.Id)
	}
	u, err := useOf(a, rule, r.Use)
	if err != nil {
		return err
	}
	if err := acting(a, said{rule: rule, owner: owner, mandate: m.Mandate, entry: u.Entry, asker: r.Org, level: levelOf(u), gives: true, message: m}); err != nil {
		return err
	}
	if err := checkAnswer(rule, r, m); err != nil {
		return err
	}
	g, err := draft(a, rule, r, u, consent.Of(m))
	if err != nil {
		return err
	}
	g.Owner, g.Actor, g.Mandate, g.RowKeyCommitment, g.Replaces = owner, a.Signer(), m.Mandate, m.RowKeyCommitment, m.Replaces
	if len(m.ContentHash) != 0 {
		g.ContentHash = m.ContentHash
	}
	if err := checkGiven(a, rule, g, r, u, m); err != nil {
		return err
	}
	start(a, g, r)
	if g.NotBeforeMs >= g.NotAfterMs {
		return act.Refuse(fault.LimitDuration, rule, "it would end before it begins at %d", g.NotBeforeMs)
	}
	store(a, r, g)
	a.Emit(rule, "given", ofGrant(a, g)...)
	return nil
}

// levelOf is the level of key that gives such a grant (spec/safebox.md 3.1).
func levelOf(u *grantv1.IntendedUse) identityv1.KeyLevel {
	if u.Kind == standing || u.Sensitive {
		return root
	}
	return officer
}

// checkAnswer: the owner answers this request, with the number that the data user shows.
//
// The ledger only tells a wrong number from the right one: a refused transaction leaves no
// trace, so the three tries are counted by the owner's device, which then declines. See
// docs/decisions/0035.
func checkAnswer(rule string, r *grantv1.DataRequest, m *grantv1.GiveGrant) error {
	if !bytes.Equal(r.Hash, m.RequestHash) {
		return act.Refuse(fault.VersionConflict, rule, "request %s has the hash %s, not %s", r.Id, short(r.Hash), short(m.RequestHash))
	}
	if err := act.First(
		act.Hash(rule, "ui_text_hash", m.UiTextHash, true),
		act.Hash(rule, "row_key_commitment", m.RowKeyCommitment, true),
		act.Hash(rule, "content_hash", m.ContentHash, false),
	); err != nil {
		return err
	}
	if m.Language != consent.Chinese && m.Language != consent.English {
		return act.Refuse(fault.OutOfRange, rule, "language %.8q: %s and %s are possible", m.Language, consent.Chinese, consent.English)
	}
	if len(r.MatchCommitment) == 0 {
		if len(m.MatchSalt) != 0 || m.MatchNumber != "" {
			return act.Refuse(fault.OutOfRange, rule, "request %s shows no match number", r.Id)
		}
		return nil
	}
	if sum, err := consent.Match(m.MatchSalt, m.MatchNumber); err != nil || len(m.MatchNumber) != 2 || !bytes.Equal(sum, r.MatchCommitment) {
		return act.Refuse(fault.MatchWrong, rule, "%.4q is not the number that the data user shows", m.MatchNumber)
	}
	return nil
}

// checkGiven: bounds of the owner, the receiver's key, what is replaced, and the text.
func checkGiven(a *act.Act, rule string, g *grantv1.Grant, r *grantv1.DataRequest, u *grantv1.IntendedUse, m *grantv1.GiveGrant) error {
	if n := feedOf(a.Tx, g.Owner).Standing; g.Kind == standing && n >= MaxStanding {
		return act.Refuse(fault.LimitStanding, rule, "%d standing grants are not over, at most %d", n, MaxStanding)
	}
	if err := act.First(
		checkTermNow(a, rule, g, u),
		checkRecipient(a.Tx, rule, g.Grantee, g.Gateway, g.RecipientKey),
		checkReplaced(a, rule, g),
	); err != nil {
		return err
	}
	return checkText(a, rule, g, r, u, m)
}

// checkTermNow holds the term against the bounds of the purpose as they are now: a vote
// may have narrowed them since the request.
func checkTermNow(a *act.Act, rule string, g *grantv1.Grant, u *grantv1.IntendedUse) error {
	if days := longestDays(purposeOf(a, u), u); g.NotAfterMs-a.TimeMs > 2*int64(days)*dayMs {
		return act.Refuse(fault.LimitDuration, rule, "for %s a grant has at most %d days", u.Purpose, days)
	}
	return nil
}

// checkReplaced: an amendment is a revocation and a new grant, in one transaction or two.
func checkReplaced(a *act.Act, rule string, g *grantv1.Grant) error {
	if g.Replaces == "" {
		return nil
	}
	old, err := findGrant(a, rule, g.Replaces)
	switch {
	case err != nil:
		return err
	case old.Owner != g.Owner || old.Grantee != g.Grantee:
		return act.Refuse(fault.Forbidden, rule, "grant %s is between others", old.Id)
	case old.State != revoked:
		return act.Refuse(fault.IllegalTransition, rule, "grant %s is %s: revoke it in the same transaction", old.Id, old.State)
	}
	return nil
}

// checkText renders the text of what is about to be granted and refuses another one. Of a
// confidential use the ledger does not know the text; its hash takes a salt there.
func checkText(a *act.Act, rule string, g *grantv1.Grant, r *grantv1.DataRequest, u *grantv1.IntendedUse, m *grantv1.GiveGrant) error {
	g.UiTextHash = m.UiTextHash
	if u.Entry == "" {
		return nil
	}
	f, ok := FactsOf(a.Tx, r, u)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no entry %.80q", u.Entry)
	}
	if want := consent.TextHash(consent.Text(m.Language, f, consent.Of(m))); !bytes.Equal(want, m.UiTextHash) {
		return act.Refuse(fault.TextMismatch, rule, "the text of this grant has the hash %x, shown was %s", want, short(m.UiTextHash))
	}
	return nil
}

// FactsOf returns what the text of a request is made of as it stands in v; false if the
// entry is gone or confidential.
func FactsOf(v state.View, r *grantv1.DataRequest, u *grantv1.IntendedUse) (consent.Facts, bool) {
	e, ok := catalogue.FindEntry(v, u.GetEntry())
	if !ok {
		return consent.Facts{}, false
	}
	p := governance.Parameters(v)
	purpose, _ := standard.Purpose(p, u.Purpose)
	return consent.Facts{
		Request: r, Use: u, Entry: e, Purpose: purpose, OrgName: nameOf(v, u.Org), CoolingSecs: standard.GrantCooling(p),
	}, true
}

// start sets state and beginning.
func start(a *act.Act, g *grantv1.Grant, r *grantv1.DataRequest) {
	g.State, g.NotBeforeMs = active, max(a.TimeMs, r.FromMs)
	if g.Kind != standing {
		return
	}
	g.State = cooling
	g.CoolingUntilMs = a.TimeMs + int64(standard.GrantCooling(governance.Parameters(a.Tx)))*secondMs
	g.NotBeforeMs = max(g.NotBeforeMs, g.CoolingUntilMs)
}

// gatewayOf returns the gateway that reads the entry's table: FieldMasked without one.
func gatewayOf(v state.View, rule string, e *cataloguev1.Entry) (string, error) {
	t, ok := catalogue.FindTable(v, e.Table)
	if !ok || t.Gone {
		return "", act.Refuse(fault.FieldMasked, rule, "the table of entry %s is gone", e.Id)
	}
	return t.Gateway, nil
}
