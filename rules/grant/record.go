package grant

import (
	"slices"

	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/fault"
	"mulian/internal/itemset"
	"mulian/rules/act"
	"mulian/rules/catalogue"
)

// RecordGrantUse accounts for one release before it is made. Signed by a gateway that the
// grant names, MACHINE. Whoever releases without it leaves a gap between his own log and
// this record.
//
// NotFound, ProviderMismatch; DuplicateSeq; GrantRevoked, GrantNotActive (voided, cooling),
// Expired, GrantPaused, UsesExhausted, TooEarly, TooSoon; ReceiptGap; Suspended (data
// user); OverAsk; ItemVersionRetired, FieldMasked; RecipientKeyExpired; Malformed (hashes).
func RecordGrantUse(a *act.Act, m *grantv1.RecordGrantUse) error {
	const rule = "grant/record_grant_use"
	g, err := findGrant(a, rule, m.GetGrant())
	if err != nil {
		return err
	}
	if err := act.First(provider(a, rule, g), a.Need(machine)); err != nil {
		return err
	}
	if m.Number >= 1 && m.Number <= g.Sequence {
		return act.Refuse(fault.DuplicateSeq, rule, "use %d of grant %s is recorded", m.Number, g.Id)
	}
	if err := act.First(Usable(g, a.TimeMs), usable(rule, g, m.Number, m.Items)); err != nil {
		return act.In(rule, -1, err)
	}
	if _, err := checkUser(a.Tx, rule, g.Grantee); err != nil {
		return err
	}
	items := g.Items
	if len(m.Items) > 0 {
		items = m.Items
	}
	if err := act.First(
		giving(a, rule, g, items),
		checkRecipient(a.Tx, rule, g.Grantee, g.Gateway, m.RecipientKey),
		act.Hash(rule, "result_commitment", m.ResultCommitment, false),
		act.Hash(rule, "key_wrap_hash", m.KeyWrapHash, false),
		act.Hash(rule, "request_digest", m.RequestDigest, false),
	); err != nil {
		return err
	}
	record(a, rule, g, &grantv1.Use{
		Grant: g.Id, Number: g.Sequence + 1, Provider: a.Signer(), Items: items, ResultCommitment: m.ResultCommitment, KeyWrapHash: m.KeyWrapHash,
		RecipientKey: m.RecipientKey, RequestDigest: m.RequestDigest, Outcome: recorded, AtMs: a.TimeMs, Height: a.Height, Owner: g.Owner,
	})
	return nil
}

// provider refuses with ProviderMismatch who is no gateway of the grant.
func provider(a *act.Act, rule string, g *grantv1.Grant) error {
	if a.Account.GetKind() != identityv1.AccountKind_ACCOUNT_KIND_GATEWAY || !slices.Contains(g.Providers, a.Signer()) {
		return act.Refuse(fault.ProviderMismatch, rule, "%s is no gateway of grant %s", a.Signer(), g.Id)
	}
	return nil
}

// Usable reports why nothing can be used under the grant at that moment: GrantRevoked,
// GrantNotActive (voided or cooling), Expired, UsesExhausted, GrantPaused, TooEarly,
// TooSoon; nil if it can be.
func Usable(g *grantv1.Grant, atMs int64) error {
	switch {
	case g.State == revoked:
		return fault.Newf(fault.GrantRevoked, "grant %s was revoked at height %d", g.Id, g.EndedHeight)
	case g.State == voided:
		return fault.Newf(fault.GrantNotActive, "grant %s was voided at height %d", g.Id, g.EndedHeight)
	case g.State == expired || atMs >= g.NotAfterMs:
		return fault.Newf(fault.Expired, "grant %s ended at %d", g.Id, g.NotAfterMs)
	case g.State == exhausted:
		return fault.Newf(fault.UsesExhausted, "all %d uses of grant %s are used", g.MaxUses, g.Id)
	case g.State == paused:
		return fault.Newf(fault.GrantPaused, "grant %s is paused since %d", g.Id, g.PausedMs)
	case g.State == cooling && atMs < g.CoolingUntilMs:
		return fault.Newf(fault.GrantNotActive, "grant %s is cooling until %d", g.Id, g.CoolingUntilMs)
	case atMs < g.NotBeforeMs:
		return fault.Newf(fault.TooEarly, "grant %s begins at %d", g.Id, g.NotBeforeMs)
	case g.LastUseMs != 0 && atMs-g.LastUseMs < int64(g.MinIntervalSeconds)*secondMs:
		return fault.Newf(fault.TooSoon, "grant %s was used at %d: %d seconds have to lie between", g.Id, g.LastUseMs, g.MinIntervalSeconds)
	}
	return nil
}

// usable checks number and items of a use that is to be recorded: ReceiptGap, OverAsk.
func usable(rule string, g *grantv1.Grant, number uint64, items []byte) error {
	switch {
	case number != g.Sequence+1:
		return act.Refuse(fault.ReceiptGap, rule, "number %d: the next use of grant %s is %d", number, g.Id, g.Sequence+1)
	case itemset.Check(items, maxItems) != nil || !itemset.Within(items, g.Items):
		return act.Refuse(fault.OverAsk, rule, "items %x, granted are %x", items, g.Items)
	}
	return nil
}

// giving: the entry still has the granted items, and gives them. Versions may have come
// since; codes are never used twice, so a code that is there is the item that was granted.
func giving(a *act.Act, rule string, g *grantv1.Grant, items []byte) error {
	if g.Entry == "" {
		return nil
	}
	e, ok := catalogue.FindEntry(a.Tx, g.Entry)
	if !ok {
		return act.Refuse(fault.NotFound, rule, "there is no entry %.80q", g.Entry)
	}
	wanted := wantedCodes(g, items)
	now, err := itemset.OfCodes(e, wanted...)
	if err != nil {
		return act.Refuse(fault.ItemVersionRetired, rule, "%v", err)
	}
	return givable(a.Tx, rule, e, now)
}

// wantedCodes are the codes of those granted items that are in the set.
func wantedCodes(g *grantv1.Grant, items []byte) (out []string) {
	n := 0
	for i := range 8 * len(g.Items) {
		if !itemset.Has(g.Items, i) {
			continue
		}
		if itemset.Has(items, i) && n < len(g.ItemCodes) {
			out = append(out, g.ItemCodes[n])
		}
		n++
	}
	return out
}

// record stores a use and what follows from it.
func record(a *act.Act, rule string, g *grantv1.Grant, u *grantv1.Use) {
	g.Sequence++
	g.Uses++
	g.LastUseMs, g.LastUseHeight = a.TimeMs, a.Height
	if g.State == cooling {
		g.State = active // the clock of this block has not run yet
	}
	subject := []string{recordKey(g.Id, u.Number)}
	if g.Mode == deliver {
		oweDeletion(a, g, u)
		subject = append(subject, dutyKey(g.Id, u.Number))
	}
	if g.MaxUses != 0 && g.Uses >= g.MaxUses {
		finished(a, g)
		g.State, g.EndedMs, g.EndedHeight = exhausted, a.TimeMs, a.Height
	}
	grants.Put(a.Tx, g.Id, g)
	uses.Put(a.Tx, numbered(g.Id, u.Number), u)
	a.Emit(rule, "recorded", ofGrant(a, g, subject...)...)
}

// CloseGrantUse says how a recorded use ended. What released nothing is given back to the
// count, at most [MaxFailures] times for one grant, and owes no deletion. Signed by the
// account that recorded it, MACHINE, within a day.
//
// NotFound; ProviderMismatch; IllegalTransition (closed already); Expired (later than a
// day); OutOfRange (outcome, code); Malformed (hashes).
func CloseGrantUse(a *act.Act, m *grantv1.CloseGrantUse) error {
	const rule = "grant/close_grant_use"
	g, err := findGrant(a, rule, m.GetGrant())
	if err != nil {
		return err
	}
	u, ok := uses.Get(a.Tx, numbered(g.Id, m.Number))
	switch {
	case !ok:
		return act.Refuse(fault.NotFound, rule, "grant %s has no use %d", g.Id, m.Number)
	case u.Provider != a.Signer():
		return act.Refuse(fault.ProviderMismatch, rule, "use %d of grant %s was recorded by %s", u.Number, g.Id, u.Provider)
	case u.Outcome != recorded:
		return act.Refuse(fault.IllegalTransition, rule, "use %d of grant %s is %s", u.Number, g.Id, u.Outcome)
	case a.TimeMs-u.AtMs > closeMs:
		return act.Refuse(fault.Expired, rule, "use %d of grant %s could be closed for a day", u.Number, g.Id)
	case m.Outcome != released && m.Outcome != empty && m.Outcome != failed:
		return act.Refuse(fault.OutOfRange, rule, "outcome %d: released, empty and failed are possible", m.Outcome)
	case (m.Outcome == failed) != (m.Code != 0) || m.Code > maxCode:
		return act.Refuse(fault.OutOfRange, rule, "code %d with outcome %s", m.Code, m.Outcome)
	}
	if err := act.First(a.Need(machine), act.Hash(rule, "result_commitment", m.ResultCommitment, false), act.Hash(rule, "key_wrap_hash", m.KeyWrapHash, false)); err != nil {
		return err
	}
	u.Outcome, u.Code, u.ClosedMs = m.Outcome, m.Code, a.TimeMs
	if len(m.ResultCommitment) != 0 {
		u.ResultCommitment = m.ResultCommitment
	}
	if len(m.KeyWrapHash) != 0 {
		u.KeyWrapHash = m.KeyWrapHash
	}
	if m.Outcome != released {
		giveBack(a, g, u)
	}
	uses.Put(a.Tx, numbered(g.Id, u.Number), u)
	a.Emit(rule, closing(m.Outcome), ofGrant(a, g, recordKey(g.Id, u.Number))...)
	return nil
}

// maxCode is above every MUL code.
const maxCode = 99_999

func closing(o grantv1.GrantUseOutcome) string {
	switch o {
	case empty:
		return "empty"
	case failed:
		return "failed"
	}
	return "released"
}

// giveBack takes a use that released nothing out of the count, and its duty with it.
func giveBack(a *act.Act, g *grantv1.Grant, u *grantv1.Use) {
	if d, ok := duties.Get(a.Tx, numbered(g.Id, u.Number)); ok {
		if open(d.State) {
			g.DutiesOpen--
		}
		duties.Delete(a.Tx, numbered(g.Id, u.Number))
	}
	if g.Failures < MaxFailures {
		g.Failures++
		g.Uses--
		reopen(a, g)
	}
	grants.Put(a.Tx, g.Id, g)
}

// reopen lets an exhausted grant go on, or run out if its term is over meanwhile.
func reopen(a *act.Act, g *grantv1.Grant) {
	if g.State != exhausted {
		return
	}
	if a.TimeMs >= g.NotAfterMs {
		g.State, g.EndedMs, g.EndedHeight = expired, a.TimeMs, a.Height
		return
	}
	g.State, g.EndedMs, g.EndedHeight = active, 0, 0
	began(a, g)
}
