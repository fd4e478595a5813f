package e2e_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	"mulian/gateway"
	"mulian/gateway/deliver"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/consent"
	"mulian/internal/fault"
	"mulian/internal/itemset"
	"mulian/internal/rowkey"
)

// registers is registersUse with the registration as edit makes it.
func (w *transfers) registers(local string, edit func(*grantv1.IntendedUse), items ...string) string {
	w.Helper()
	set, err := itemset.OfCodes(w.entry, items...)
	w.ok(err)
	notice := sha256.Sum256([]byte("告知书"))
	u := &grantv1.IntendedUse{
		Title: "会诊", Purpose: "medical", Entry: w.entry.Id, EntryVersion: w.entry.Version, Items: set, Basis: grantv1.GrantBasis_GRANT_BASIS_CONSENT,
		ConsentKind: grantv1.ConsentKind_CONSENT_KIND_SEPARATE, Mode: grantv1.GrantMode_GRANT_MODE_VIEW, Kind: grantv1.GrantKind_GRANT_KIND_ONCE, MaxDays: 30, MaxUses: 1,
		NoticeHash: notice[:], Contact: "12320",
	}
	edit(u)
	w.as(w.power.Signer, &grantv1.RegisterUse{LocalId: local, Use: u})
	return w.power.Account + ":" + local
}

// agrees has an owner say yes to a confidential request: its text is known to the two alone.
func (w *transfers) agrees(o *owner, request string, k *gatewayv1.RowKey) given {
	w.Helper()
	r := &grantv1.DataRequest{}
	w.get("grant/request/"+request, r)
	text, err := consent.Private(random(consent.SaltBytes), "会诊，病历")
	w.ok(err)
	_, err = o.send(&grantv1.GiveGrant{Request: request, RequestHash: r.Hash, UiTextHash: text, Language: consent.Chinese, RowKeyCommitment: rowkey.Commitment(k)})
	w.ok(err)
	g := given{id: consent.GrantID(request, o.account)}
	g.rowKey = o.seals(g.id, w.registry, k)
	return g
}

// TestConfidentialUse: of a confidential use the ledger names no entry, and its events neither;
// the provider's gateway gives what was granted to whoever opens the commitment, and refuses
// another entry, another version, another salt, and a version that is no longer the entry's.
func TestConfidentialUse(t *testing.T) {
	w := newTransfers(t)
	salt := random(consent.SaltBytes)
	sum, err := consent.Private(salt, deliver.EntryText(w.entry.Id, w.entry.Version))
	w.ok(err)
	use := w.registers("consult", func(u *grantv1.IntendedUse) {
		u.Entry, u.EntryVersion, u.EntryCommitment, u.ItemCount, u.Providers = "", 0, sum, uint32(len(w.entry.Items)), []string{w.registry.gateway}
	}, "address", "registered")
	ask := func() given {
		request := w.asksOwner(w.power, use, w.ann, w.entry, []string{"address"}, nil)
		k, err := rowkey.New(caseNo("1"), w.ann.number, w.ann.salt)
		w.ok(err)
		return w.agrees(w.ann, request, k)
	}
	g := ask()
	open := func(f *deliver.GrantedFetch) {
		f.Entry, f.EntryVersion, f.EntrySalt = w.entry.Id, w.entry.Version, salt
	}
	for name, c := range map[string]struct {
		edit func(*deliver.GrantedFetch)
		want fault.Code
	}{
		"not opened":      {func(f *deliver.GrantedFetch) { f.Entry, f.EntrySalt = "", nil }, fault.VerificationFailed},
		"another entry":   {func(f *deliver.GrantedFetch) { f.Entry += "x" }, fault.VerificationFailed},
		"another version": {func(f *deliver.GrantedFetch) { f.EntryVersion++ }, fault.VerificationFailed},
		"another salt":    {func(f *deliver.GrantedFetch) { f.EntrySalt = random(consent.SaltBytes) }, fault.VerificationFailed},
		"another field":   {func(f *deliver.GrantedFetch) { f.Items = []string{"registered"} }, fault.OverAsk},
	} {
		if _, err := w.fetch(g, func(f *deliver.GrantedFetch) { open(f); c.edit(f) }); !fault.Is(err, c.want) {
			t.Errorf("%s: %s (%v), want %s", name, fault.CodeOf(err), err, c.want)
		}
	}
	got, err := w.fetch(g, open)
	w.ok(err)
	if len(got.Rows) != 1 || got.Rows[0][0].Text != "和平里 1 号" || len(got.Columns) != 1 {
		t.Errorf("got %v", got.Rows)
	}
	grant := &grantv1.Grant{}
	w.get("grant/grant/"+g.id, grant)
	if grant.Entry != "" || len(grant.ItemCodes) > 0 || !grant.Sensitive || grant.Sequence != 1 {
		t.Errorf("the grant says %v", grant)
	}
	events, err := w.chain.Grant.ListNotifications(t.Context(), connect.NewRequest(&grantv1.ListNotificationsRequest{Owner: w.ann.account}))
	w.ok(err)
	for _, n := range events.Msg.GetNotifications() {
		if strings.Contains(n.String(), w.entry.Id) {
			t.Errorf("an event names the entry: %s", n)
		}
	}
	// A new version of the entry has other positions: what was granted by position is over.
	g = ask()
	e := &cataloguev1.Entry{}
	w.get("catalogue/entry/"+w.entry.Id, e)
	e.Abstract += "（修订）"
	w.as(w.registry.Signer, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}})
	w.eventually("the entry has a new version", func() bool { return w.get("catalogue/entry/"+w.entry.Id, e) && e.Version > w.entry.Version })
	_, err = w.fetch(g, open)
	w.refused(fault.ItemVersionRetired, err)
}

// TestRowScope: a grant with a row scope gives the row only while it is within it, to who opens
// the scope; the ledger has a salted hash of it.
func TestRowScope(t *testing.T) {
	w := newTransfers(t)
	for _, c := range []struct {
		name, scope, opened string
		want                fault.Code
	}{
		{"within", `registered >= date("2026-11-01")`, "", fault.OK},
		{"outside", `registered >= date("2026-12-01")`, "", fault.RowScopeBreached},
		{"another scope", `registered >= date("2026-12-01")`, `registered >= date("2026-11-01")`, fault.RowScopeBreached},
		{"no condition", `registered is old`, "", fault.EntryDrifted},
		{"of no item", `colour == "red"`, "", fault.EntryDrifted},
	} {
		salt := random(consent.SaltBytes)
		sum, err := consent.Private(salt, c.scope)
		w.ok(err)
		g := w.ann.grants(w.asksOwner(w.power, w.use, w.ann, w.entry, []string{"address"}, func(r *grantv1.DataRequest) { r.ScopeCommitment = sum }), w.registry, caseNo("1"))
		if _, err := w.fetch(g, nil); !fault.Is(err, fault.RowScopeBreached) {
			t.Errorf("%s, not opened: %v", c.name, err)
		}
		opened := c.scope
		if c.opened != "" {
			opened = c.opened
		}
		got, err := w.fetch(g, func(f *deliver.GrantedFetch) { f.Scope, f.ScopeSalt = opened, salt })
		if fault.CodeOf(err) != c.want {
			t.Errorf("%s: %s (%v), want %s", c.name, fault.CodeOf(err), err, c.want)
		}
		if err == nil && (len(got.Rows) != 1 || len(got.Columns) != 1 || got.Columns[0].GetItem() != "address") {
			t.Errorf("%s: got %v %v", c.name, got.Columns, got.Rows)
		}
		grant := &grantv1.Grant{}
		if w.get("grant/grant/"+g.id, grant); (grant.Sequence == 1) != (c.want == fault.OK) {
			t.Errorf("%s: %d uses", c.name, grant.Sequence)
		}
	}
}

// TestByDutyIsToldToTheOwner: a state organ takes by its statutory duty, without a yes. The owner
// is told when it is allowed and each time it is used, finds the access at the provider, and
// cannot revoke it; what the duty does not cover is refused all the same.
func TestByDutyIsToldToTheOwner(t *testing.T) {
	w := newTransfers(t)
	use := w.registers("inquiry", func(u *grantv1.IntendedUse) {
		u.Basis, u.ConsentKind, u.Duty, u.LegalBasis, u.Purpose = grantv1.GrantBasis_GRANT_BASIS_DUTY, 0, w.power.duty, "行政处罚法第五十四条", "government"
	}, "address")
	k, err := rowkey.New(caseNo("1"), w.ann.number, w.ann.salt)
	w.ok(err)
	request := w.asksOwner(w.power, use, w.ann, w.entry, []string{"address"}, func(r *grantv1.DataRequest) {
		r.RowKeyCommitment, r.CaseNote = rowkey.Commitment(k), "案件 2026-7"
	})
	g := given{id: consent.GrantID(request, w.ann.account)}
	g.rowKey = w.ann.seals(g.id, w.registry, k)
	got, err := w.fetch(g, nil)
	w.ok(err)
	if len(got.Rows) != 1 || got.Rows[0][0].Text != "和平里 1 号" {
		t.Errorf("got %v", got.Rows)
	}
	_, err = w.fetch(g, nil)
	w.refused(fault.UsesExhausted, err)
	_, err = w.fetch(g, func(f *deliver.GrantedFetch) { f.Items = []string{"buyer"} })
	if !fault.Is(err, fault.UsesExhausted) && !fault.Is(err, fault.OverAsk) {
		t.Errorf("another field by duty: %v", err)
	}
	told, err := w.chain.Grant.ListNotifications(t.Context(), connect.NewRequest(&grantv1.ListNotificationsRequest{Owner: w.ann.account}))
	w.ok(err)
	var verbs []string
	for i, n := range told.Msg.GetNotifications() {
		verbs = append(verbs, n.GetEvent().GetVerb())
		if n.GetNumber() != uint64(i)+1 {
			t.Errorf("notification %d has the number %d", i+1, n.GetNumber())
		}
	}
	if !slices.Contains(verbs, "grant/take_by_duty") || !slices.Contains(verbs, "grant/record_grant_use") {
		t.Errorf("the owner was told %v", verbs)
	}
	uses, err := w.chain.Grant.FindUsage(t.Context(), connect.NewRequest(&grantv1.FindUsageRequest{Owner: w.ann.account}))
	w.ok(err)
	if len(uses.Msg.GetUses()) != 1 || uses.Msg.GetUses()[0].GetGrant() != g.id {
		t.Errorf("what was done with her data: %v", uses.Msg.GetUses())
	}
	mine, err := gateway.Control(w.path("gateway", w.registry.Account)).UsageKey(t.Context(), connect.NewRequest(&gatewayv1.UsageKeyRequest{Entry: w.entry.Id, Where: caseNo("1")}))
	w.ok(err)
	if !bytes.Equal(mine.Msg.GetSubject(), got.Record.Subject) {
		t.Error("the owner would not find this access at /usage/")
	}
	_, err = w.ann.send(&grantv1.RevokeGrant{Grant: g.id})
	w.refused(fault.Forbidden, err)
	// What is not hers is not to be had by naming her.
	other, err := rowkey.New(caseNo("2"), w.ann.number, w.ann.salt)
	w.ok(err)
	request = w.asksOwner(w.power, use, w.ann, w.entry, []string{"address"}, func(r *grantv1.DataRequest) { r.RowKeyCommitment = rowkey.Commitment(other) })
	g = given{id: consent.GrantID(request, w.ann.account)}
	g.rowKey = w.ann.seals(g.id, w.registry, other)
	_, err = w.fetch(g, nil)
	w.refused(fault.RowScopeBreached, err)
}

// TestPausesAndComputes: a grant for a computed result gives no row, and an account that is
// frozen stops its standing grants at the gateway.
func TestPausesAndComputes(t *testing.T) {
	w := newTransfers(t)
	use := w.registers("score", func(u *grantv1.IntendedUse) { u.Mode, u.Purpose = grantv1.GrantMode_GRANT_MODE_COMPUTE, "loan" }, "address")
	g := w.ann.grants(w.asksOwner(w.power, use, w.ann, w.entry, []string{"address"}, nil), w.registry, caseNo("1"))
	_, err := w.fetch(g, nil)
	w.refused(fault.OverAsk, err)
	use = w.registers("follow", func(u *grantv1.IntendedUse) {
		u.Kind, u.MaxUses, u.Purpose = grantv1.GrantKind_GRANT_KIND_STANDING, 9, "loan"
	}, "address")
	g = w.ann.grants(w.asksOwner(w.power, use, w.ann, w.entry, []string{"address"}, nil), w.registry, caseNo("1"))
	_, err = w.fetch(g, nil)
	w.refused(fault.GrantNotActive, err) // it cools
	w.as(w.staffing, &identityv1.FreezeAccount{Account: w.ann.account, Cause: "手机被盗"})
	w.eventually("the gateway has seen the freeze", func() bool {
		_, err := w.fetch(g, nil)
		return fault.Is(err, fault.GrantPaused)
	})
}
