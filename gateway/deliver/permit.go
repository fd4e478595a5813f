package deliver

import (
	"bytes"
	"context"
	"crypto/rand"
	"slices"

	"mulian/gateway/connect"
	"mulian/gateway/view"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/consent"
	"mulian/internal/fault"
	"mulian/internal/itemset"
	"mulian/internal/rowkey"
)

const (
	maxScope = 2000 // bytes of a scope's opening
	maxSalt  = 32
	saltSize = 32 // of a result's commitment
)

func resultSalt() []byte {
	b := make([]byte, saltSize)
	rand.Read(b) // never fails: crypto/rand ends the process instead
	return b
}

// permit is what an owner's grant says of a request, and the one row that it is about.
type permit struct {
	grant     *grantv1.Grant
	d         *decision // entry, table, items, form; no agreement
	key       *gatewayv1.RowKey
	claims    []string // of a grant to verify, by item; nil: rows are given
	selection connect.Selection
	ownerAt   int // where the owner's number is in a row as read
}

// claim is what the log says of the request.
func (x *permit) claim(c claim) claim {
	if x.d.entry != nil {
		c.entry = x.d.entry.GetId()
	}
	if len(x.d.items) > 0 {
		c.items = x.d.codes()
	}
	return c
}

// permit judges a request under a grant, and judges it again on state read anew before it
// refuses. The order of the checks is part of the protocol; see [Provider.ByGrant].
func (p *Provider) permit(ctx context.Context, r *request, b *gatewayv1.GrantBody) (*permit, error) {
	x, err := p.permitOnce(ctx, r, b)
	if err == nil || !p.looks.allow("grant "+r.asker.GetId()+b.GetGrant()) {
		return x, err
	}
	for _, key := range []string{"identity/account/" + r.asker.GetId(), grantKey(b.GetGrant()), "identity/proofing/" + x.grant.GetOwner(), "catalogue/entry/" + x.d.entry.GetId(), "catalogue/table/" + x.d.entry.GetTable()} {
		p.cfg.View.Forget(key)
	}
	return p.permitOnce(ctx, r, b)
}

func grantKey(id string) string { return "grant/grant/" + id }

func (p *Provider) permitOnce(ctx context.Context, r *request, b *gatewayv1.GrantBody) (*permit, error) {
	x := &permit{d: &decision{height: r.sight.Height, limit: p.staleness(ctx, nil), at: p.now()}}
	if err := p.cfg.Anchor.Refused(); err != nil {
		return x, err
	}
	for _, step := range []func(context.Context, *request, *gatewayv1.GrantBody) error{
		func(ctx context.Context, r *request, b *gatewayv1.GrantBody) error {
			return p.grantParties(ctx, x, r, b)
		},
		func(_ context.Context, _ *request, b *gatewayv1.GrantBody) error { return p.grantHolds(x, b) },
		func(ctx context.Context, _ *request, b *gatewayv1.GrantBody) error { return p.grantEntry(ctx, x, b) },
		func(_ context.Context, _ *request, b *gatewayv1.GrantBody) error { return p.grantItems(x, b) },
		func(ctx context.Context, _ *request, b *gatewayv1.GrantBody) error { return p.grantRow(ctx, x, b) },
		func(_ context.Context, _ *request, b *gatewayv1.GrantBody) error { return p.grantScope(x, b) },
	} {
		if err := step(ctx, r, b); err != nil {
			return x, err
		}
	}
	if x.d.age > x.d.limit {
		return x, fault.Newf(fault.StaleHeight, "this gateway has not seen the ledger for %s, at most %s are allowed%s", age(x.d.age), x.d.limit, p.clockOff())
	}
	return x, nil
}

// grantParties: is there a grant, and is it for these two gateways.
func (p *Provider) grantParties(ctx context.Context, x *permit, r *request, b *gatewayv1.GrantBody) error {
	g, s, err := view.Get(ctx, p.cfg.View, grantKey(b.GetGrant()), func() *grantv1.Grant { return &grantv1.Grant{} }, x.d.limit)
	if err != nil {
		return err
	}
	x.grant = g
	x.d.saw(s)
	switch {
	case !s.Found:
		return fault.Newf(fault.NotFound, "there is no grant %.40q", b.GetGrant())
	case !slices.Contains(g.GetProviders(), p.cfg.Gateway):
		return ruled("parties", fault.ProviderMismatch, "%s is no gateway of grant %s", p.cfg.Gateway, g.GetId())
	}
	x.d.ours = true
	if err := p.again(ctx, x.d, r); err != nil {
		return err
	}
	switch {
	case g.GetGateway() != r.asker.GetId():
		return ruled("parties", fault.NotWhitelisted, "%s is not the receiver of grant %s", r.asker.GetId(), g.GetId())
	case r.asker.GetState() != identityv1.AccountState_ACCOUNT_STATE_ACTIVE:
		return fault.Newf(fault.Suspended, "%s is not active", r.asker.GetId())
	}
	if _, err := activeKey(r.asker, r.key, p.latest()); err != nil {
		return err
	}
	org, s, err := view.Get(ctx, p.cfg.View, "identity/account/"+r.asker.GetOrg(), newAccount, x.d.limit)
	if err != nil {
		return err
	}
	x.d.saw(s)
	if org.GetState() != identityv1.AccountState_ACCOUNT_STATE_ACTIVE {
		return fault.Newf(fault.Suspended, "%s is not active", r.asker.GetOrg())
	}
	x.d.seal, err = sealingKey(r.asker)
	return err
}

// grantHolds: state, days and purpose. The ledger says the last word on the first two when
// the use is recorded; here a request that cannot succeed costs no transaction.
func (p *Provider) grantHolds(x *permit, b *gatewayv1.GrantBody) error {
	g, now := x.grant, p.latest().UnixMilli()
	refuse := func(c fault.Code, text string) error { return ruled("grant", c, "grant %s %s", g.GetId(), text) }
	switch {
	case g.GetState() == grantv1.GrantState_GRANT_STATE_REVOKED:
		return ruled("grant", fault.GrantRevoked, "grant %s was revoked at height %d", g.GetId(), g.GetEndedHeight())
	case g.GetState() == grantv1.GrantState_GRANT_STATE_VOIDED:
		return refuse(fault.GrantNotActive, "was voided")
	case g.GetState() == grantv1.GrantState_GRANT_STATE_EXPIRED || now >= g.GetNotAfterMs():
		return refuse(fault.Expired, "has ended")
	case g.GetState() == grantv1.GrantState_GRANT_STATE_EXHAUSTED:
		return refuse(fault.UsesExhausted, "is used up")
	case g.GetState() == grantv1.GrantState_GRANT_STATE_PAUSED:
		return refuse(fault.GrantPaused, "is paused")
	case g.GetState() == grantv1.GrantState_GRANT_STATE_COOLING && now < g.GetCoolingUntilMs():
		return refuse(fault.GrantNotActive, "is cooling")
	case now < g.GetNotBeforeMs():
		return refuse(fault.TooEarly, "has not begun")
	case g.GetLastUseMs() != 0 && now-g.GetLastUseMs() < int64(g.GetMinIntervalSeconds())*1000:
		return refuse(fault.TooSoon, "was used a moment ago")
	case b.GetPurpose() != g.GetPurpose():
		return refuse(fault.PurposeMismatch, "is for another purpose")
	}
	return nil
}

// EntryText is what a confidential grant's commitment is of (internal/consent.Private).
func EntryText(entry string, version uint64) string { return entry + "@" + uintText(version) }

// grantEntry reads the granted entry and its table.
func (p *Provider) grantEntry(ctx context.Context, x *permit, b *gatewayv1.GrantBody) error {
	g, id, version := x.grant, x.grant.GetEntry(), x.grant.GetEntryVersion()
	if id == "" {
		if sum, err := consent.Private(b.GetEntrySalt(), EntryText(b.GetEntry(), b.GetEntryVersion())); err != nil || !bytes.Equal(sum, g.GetEntryCommitment()) {
			return ruled("entry", fault.VerificationFailed, "the opened entry is not that of grant %s", g.GetId())
		}
		id, version = b.GetEntry(), b.GetEntryVersion()
	} else if b.GetEntry() != "" && b.GetEntry() != id {
		return ruled("entry", fault.OverAsk, "grant %s is about another entry", g.GetId())
	}
	var s view.Sight
	var err error
	if x.d.entry, s, err = view.Get(ctx, p.cfg.View, "catalogue/entry/"+id, newEntry, x.d.limit); err != nil {
		return err
	}
	x.d.saw(s)
	e := x.d.entry
	switch {
	case !s.Found || e.GetVersion() < version:
		return fault.Newf(fault.ItemVersionRetired, "there is no entry %.80q of version %d", id, version)
	case e.GetState() == cataloguev1.EntryState_ENTRY_STATE_SUSPENDED || e.GetState() == cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN || e.GetTable() == "":
		return fault.Newf(fault.FieldMasked, "entry %s is suspended, withdrawn or without a table", id)
	case len(g.GetItemCodes()) == 0 && e.GetVersion() != version:
		return fault.Newf(fault.ItemVersionRetired, "entry %s is of version %d now", id, e.GetVersion())
	}
	if x.d.table, s, err = view.Get(ctx, p.cfg.View, "catalogue/table/"+e.GetTable(), newTable, x.d.limit); err != nil {
		return err
	}
	x.d.saw(s)
	if x.d.table.GetGateway() != p.cfg.Gateway {
		return ruled("entry", fault.ProviderMismatch, "the table of entry %s is not at this gateway", id)
	}
	return nil
}

// grantItems: what is asked for is granted, there, and in order.
func (p *Provider) grantItems(x *permit, b *gatewayv1.GrantBody) error {
	given := x.grant.GetItemCodes()
	if len(given) == 0 {
		given = itemset.Codes(x.d.entry, x.grant.GetItems())
	}
	asked := b.GetItems()
	if x.grant.GetMode() == grantv1.GrantMode_GRANT_MODE_COMPUTE {
		return ruled("mode", fault.OverAsk, "grant %s is for a computed result, and this gateway computes none: a row is more than was granted", x.grant.GetId())
	}
	if x.grant.GetMode() == grantv1.GrantMode_GRANT_MODE_VERIFY {
		if len(asked) > 0 || len(b.GetClaims()) == 0 {
			return ruled("verify", fault.Malformed, "grant %s is to verify: claims are asked, and no items", x.grant.GetId())
		}
		x.claims = []string{}
		for _, c := range b.GetClaims() {
			asked, x.claims = append(asked, c.GetItem()), append(x.claims, c.GetValue())
		}
	} else if len(b.GetClaims()) > 0 {
		return ruled("verify", fault.Malformed, "grant %s is not to verify", x.grant.GetId())
	} else if len(asked) == 0 {
		asked = given
	}
	seen := map[string]bool{}
	for _, code := range asked {
		it := item(x.d.entry, code)
		switch {
		case !slices.Contains(given, code):
			return ruled("items", fault.OverAsk, "item %.64q is not granted", code)
		case seen[code]:
			return fault.Newf(fault.Duplicate, "item %s is asked for twice", code)
		case it == nil:
			return fault.Newf(fault.ItemVersionRetired, "entry %s has no item %s any more", x.d.entry.GetId(), code)
		case denied(x.d.entry, it):
			return fault.Newf(fault.FieldMasked, "item %s is not shared any more", code)
		}
		seen[code] = true
		x.d.items, x.d.columns = append(x.d.items, it), append(x.d.columns, column(x.d.table, it.GetColumn()))
	}
	return p.sound(x.d, x.d.items...)
}

// sound refuses with EntryDrifted items that are not what the catalogue says.
func (p *Provider) sound(d *decision, items ...*cataloguev1.Item) error {
	for _, it := range items {
		if d.table.GetGone() || it.GetState() == itemFrozen || column(d.table, it.GetColumn()) == nil || p.cfg.Drifted(d.table.GetId(), it.GetColumn()) {
			return fault.Newf(fault.EntryDrifted, "entry %s is not what the catalogue says (item %q); it is not delivered until that is settled", d.entry.GetId(), it.GetCode())
		}
	}
	return nil
}

// grantRow opens the row key and makes of it a selection of one row, which has to be the
// owner's own: his number, as it was proofed, stands in the entry's owner item.
func (p *Provider) grantRow(ctx context.Context, x *permit, b *gatewayv1.GrantBody) (err error) {
	g := x.grant
	at := rowkey.Context{Grant: g.GetId(), Provider: p.cfg.Gateway, Subject: g.GetOwner()}
	if x.key, err = rowkey.Open(p.cfg.SealKeys, at, g.GetRowKeyCommitment(), b.GetRowKey()); err != nil {
		return &fault.Fault{Code: fault.RowScopeBreached, Rule: "gateway/row-key", Text: "the row key is not the one that the owner has granted", Err: err}
	}
	if err := p.grantOwner(ctx, x); err != nil {
		return err
	}
	owner := item(x.d.entry, x.d.entry.GetOwnerItem())
	if owner == nil {
		return ruled("row-owner", fault.RowScopeBreached, "entry %s names no item that says whose a row is", x.d.entry.GetId())
	}
	if err := p.sound(x.d, owner); err != nil {
		return err
	}
	x.d.form = &form{given: len(x.d.items), column: map[string]int{}}
	x.ownerAt = x.d.form.reads(x.d, owner.GetColumn())
	for _, w := range x.key.GetWhere() {
		it := item(x.d.entry, w.GetItem())
		if it == nil {
			return ruled("row-key", fault.RowScopeBreached, "the row key names no item of entry %s", x.d.entry.GetId())
		}
		if err := p.sound(x.d, it); err != nil {
			return err
		}
		v := connect.Value{Text: w.GetValue()}
		if err := v.Kind.UnmarshalText([]byte(column(x.d.table, it.GetColumn()).GetType())); err != nil || v.Check() != nil {
			return ruled("row-key", fault.RowScopeBreached, "the row key's item %s cannot be asked by", it.GetCode())
		}
		x.selection.Where = append(x.selection.Where, connect.Condition{Column: it.GetColumn(), Op: connect.OpIn, Values: []connect.Value{v}})
	}
	return nil
}

// grantOwner compares the number in the row key with the owner's proofing on the ledger.
func (p *Provider) grantOwner(ctx context.Context, x *permit) error {
	proofing, s, err := view.Get(ctx, p.cfg.View, "identity/proofing/"+x.grant.GetOwner(), func() *identityv1.Proofing { return &identityv1.Proofing{} }, x.d.limit)
	if err != nil {
		return err
	}
	x.d.saw(s)
	sum := rowkey.Proofing(x.key.GetOwnerSalt(), x.key.GetOwner())
	switch {
	case !s.Found || proofing.GetState() != identityv1.ProofingState_PROOFING_STATE_VALID || p.latest().UnixMilli() >= proofing.GetExpiresMs():
		return ruled("row-owner", fault.RowScopeBreached, "nobody has identified the owner of grant %s, or it has ended", x.grant.GetId())
	case !bytes.Equal(sum[:], proofing.GetCommitment()):
		return ruled("row-owner", fault.RowScopeBreached, "the row key's owner is not the one who was identified")
	}
	return nil
}

// grantScope opens the scope, a condition in the language of row scopes, and completes the
// selection. RowScopeBreached, EntryDrifted.
func (p *Provider) grantScope(x *permit, b *gatewayv1.GrantBody) (err error) {
	switch want := x.grant.GetScopeCommitment(); {
	case len(want) == 0 && b.GetScope() != "":
		return ruled("scope", fault.RowScopeBreached, "grant %s has no scope", x.grant.GetId())
	case len(want) > 0:
		sum, err := consent.Private(b.GetScopeSalt(), b.GetScope())
		if err != nil || !bytes.Equal(sum, want) {
			return ruled("scope", fault.RowScopeBreached, "the opened scope is not that of grant %s", x.grant.GetId())
		}
		f := x.d.form
		if f.scope, err = p.rules.rule(x.d, "scope", b.GetScope(), nil, nil); err != nil {
			return err
		}
		for _, field := range f.scope.Fields() {
			it := x.d.named(field.Name)
			if it == nil {
				return ruled("scope", fault.EntryDrifted, "the granted scope rests on %s, which the entry does not have", field.Name)
			}
			if err := p.sound(x.d, it); err != nil {
				return err
			}
			f.column[field.Name] = f.reads(x.d, it.GetColumn())
		}
	}
	x.selection.Columns, x.selection.Limit = x.d.names(), 2
	return nil
}
