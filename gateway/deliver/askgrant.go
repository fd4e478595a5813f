package deliver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"slices"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/gateway/view"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	grantv1 "mulian/gen/mulian/grant/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// GrantedFetch is what an asker wants under an owner's grant.
type GrantedFetch struct {
	Grant string
	Items []string // empty: all that are granted
	// RowKey is as it came from the owner: this side cannot open it. Empty: as he has laid it
	// down at the door of the boxes.
	RowKey []byte
	// Scope and its salt open the grant's scope, Entry, EntryVersion and EntrySalt that of a
	// confidential one; empty where it has none.
	Scope        string
	ScopeSalt    []byte
	Entry        string
	EntryVersion uint64
	EntrySalt    []byte
	Claims       []*gatewayv1.KeyValue // of a grant to verify
	Fetch        string                // the same again is the same use; empty: a new one
	Provider     string                // empty: the only one that the grant names
	// Purpose is the granted one where it is empty.
	Purpose string
}

// Granted is what came of it.
type Granted struct {
	Verdict gatewayv1.Verdict // of a grant to verify
	Fetch   string            // to ask for the same again
	*Result
}

// FetchByGrant asks under an owner's grant and checks the answer: that it is of this
// request, within the grant, that the ledger has counted the use for it, and that the
// result is the one to which the provider has committed there.
//
// NotFound (grant, or its row key: the owner's device has not laid it down yet), Missing (one of several providers), any refusal of the provider as its
// fault; VerificationFailed if the answer, its receipt or the use is not what it should be;
// PartialResult if it leaves out an item.
// The fetch's number is in the error's absence only: who wants to ask again after a broken
// connection sets it himself.
func (a *Asker) FetchByGrant(ctx context.Context, f GrantedFetch) (*Granted, error) {
	g, to, err := a.granted(ctx, f)
	if err != nil {
		return nil, err
	}
	if len(f.RowKey) == 0 {
		if f.RowKey, err = a.rowKey(ctx, f.Grant, to.account.GetId()); err != nil {
			return nil, err
		}
	}
	b := &gatewayv1.GrantBody{
		Grant: f.Grant, Fetch: f.Fetch, Purpose: f.Purpose, Items: f.Items, RowKey: f.RowKey, Scope: f.Scope, ScopeSalt: f.ScopeSalt,
		Entry: f.Entry, EntryVersion: f.EntryVersion, EntrySalt: f.EntrySalt, Claims: f.Claims,
	}
	if b.Fetch == "" {
		b.Fetch = newID()
	}
	if b.Purpose == "" {
		b.Purpose = g.GetPurpose()
	}
	digest, err := grantDigest(a.cfg.ChainID, to.account.GetId(), a.cfg.Gateway, b)
	if err != nil {
		return nil, err
	}
	ans, err := a.askByGrant(ctx, to, b)
	if err != nil {
		return nil, err
	}
	entry := g.GetEntry()
	if entry == "" {
		entry = f.Entry
	}
	rec, err := a.check(to, ans.GetReceipt(), &tracev1.AccessRecord{
		Agreement: f.Grant, Entry: entry, RequestId: b.GetFetch(), Outcome: tracev1.Outcome_OUTCOME_COMPLETED,
	})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(ans.GetSealed())
	if !bytes.Equal(rec.GetResponseHash(), sum[:]) || !bytes.Equal(rec.GetRequestHash(), digest) || rec.GetUse() == 0 || rec.GetPurpose() != b.GetPurpose() {
		return nil, fault.Newf(fault.VerificationFailed, "the receipt is for another answer")
	}
	q := &gatewayv1.QueryResult{}
	if err := a.open(grantedAAD(digest), ans, q); err != nil {
		return nil, err
	}
	if err := a.accounted(ctx, g, to, rec, digest, q); err != nil {
		return nil, err
	}
	out := &Granted{Verdict: q.GetVerdict(), Fetch: b.GetFetch(), Result: &Result{Columns: q.GetColumns(), Receipt: ans.GetReceipt(), Record: rec}}
	if err := withinGrant(g, b, q); err != nil {
		return nil, err
	}
	if out.Rows, err = rowsOf(q, rec); err != nil {
		return nil, err
	}
	k, err := a.countersign(to, out.Receipt)
	if err != nil {
		return nil, err
	}
	select {
	case a.acks <- k:
	default:
	}
	return out, nil
}

// granted reads the grant, with proof, and finds the gateway that is asked.
func (a *Asker) granted(ctx context.Context, f GrantedFetch) (*grantv1.Grant, *provider, error) {
	g, s, err := view.Get(ctx, a.cfg.View, grantKey(f.Grant), func() *grantv1.Grant { return &grantv1.Grant{} }, view.NoAge)
	if err != nil {
		return nil, nil, err
	}
	if !s.Found {
		a.cfg.View.Forget(grantKey(f.Grant)) // it may be given a moment later
		return nil, nil, fault.Newf(fault.NotFound, "there is no grant %.40q", f.Grant)
	}
	gateway := f.Provider
	if gateway == "" {
		if len(g.GetProviders()) != 1 {
			return nil, nil, fault.Newf(fault.Missing, "grant %s names %d gateways: say which one is asked", g.GetId(), len(g.GetProviders()))
		}
		gateway = g.GetProviders()[0]
	}
	to, err := a.at(ctx, gateway)
	return g, to, err
}

// rowKey is the row key that the owner has laid down for that provider. Missing: nobody was
// given to ask.
func (a *Asker) rowKey(ctx context.Context, grant, provider string) ([]byte, error) {
	if a.cfg.RowKey == nil {
		return nil, fault.Newf(fault.Missing, "row_key: the owner's sealed row key of grant %s, and this gateway asks no door for it", grant)
	}
	return a.cfg.RowKey(ctx, grant, provider)
}

// askByGrant asks, and again where a connection broke: the same fetch is the same use.
func (a *Asker) askByGrant(ctx context.Context, to *provider, b *gatewayv1.GrantBody) (*gatewayv1.Answer, error) {
	ask := func() (*gatewayv1.Answer, error) {
		m, err := a.request(to, &gatewayv1.RequestBody{Kind: &gatewayv1.RequestBody_Grant{Grant: b}})
		if err != nil {
			return nil, err
		}
		res, err := to.client.ByGrant(ctx, rpc.NewRequest(m))
		if err != nil {
			return nil, answered(err)
		}
		return res.Msg, nil
	}
	ans, err := ask()
	for wait := firstAgain; (fault.Is(err, fault.Unreachable) || fault.Is(err, fault.LogNotIncluded)) && wait <= lastAgain && ctx.Err() == nil; wait *= 4 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, err
		}
		ans, err = ask()
	}
	return ans, err
}

// accounted tells whether the ledger has counted this use, for this provider, request and
// result: a provider that gives without that is a provider that hides it from the owner.
func (a *Asker) accounted(ctx context.Context, g *grantv1.Grant, from *provider, rec *tracev1.AccessRecord, digest []byte, q *gatewayv1.QueryResult) error {
	key := useKey(g.GetId(), rec.GetUse())
	use, s, err := view.Get(ctx, a.cfg.View, key, func() *grantv1.Use { return &grantv1.Use{} }, view.NoAge)
	for end := time.Now().Add(provedWait); (err != nil || !s.Found) && time.Now().Before(end) && ctx.Err() == nil; {
		select {
		case <-ctx.Done():
		case <-time.After(provedEvery):
		}
		a.cfg.View.Forget(key)
		use, s, err = view.Get(ctx, a.cfg.View, key, func() *grantv1.Use { return &grantv1.Use{} }, view.NoAge)
	}
	if err != nil {
		return err
	}
	commitment, err := ResultCommitment(q)
	if err != nil {
		return err
	}
	switch {
	case !s.Found:
		return fault.Newf(fault.VerificationFailed, "%s has given what the ledger has not counted: use %d of grant %s", from.account.GetId(), rec.GetUse(), g.GetId())
	case use.GetProvider() != from.account.GetId() || !bytes.Equal(use.GetRequestDigest(), digest):
		return fault.Newf(fault.VerificationFailed, "use %d of grant %s was counted for another request", rec.GetUse(), g.GetId())
	case !bytes.Equal(use.GetResultCommitment(), commitment):
		return fault.Newf(fault.VerificationFailed, "the result is not the one to which %s has committed", from.account.GetId())
	}
	return nil
}

// withinGrant: VerificationFailed if the answer has what was not asked or not granted,
// PartialResult if it leaves out an item that was both.
func withinGrant(g *grantv1.Grant, b *gatewayv1.GrantBody, q *gatewayv1.QueryResult) error {
	verify := g.GetMode() == grantv1.GrantMode_GRANT_MODE_VERIFY
	if verify != (q.GetVerdict() != 0) || q.GetVerdict() > gatewayv1.Verdict_VERDICT_UNKNOWN {
		return fault.Newf(fault.VerificationFailed, "an answer of another kind than grant %s is for", g.GetId())
	}
	for _, c := range q.GetColumns() {
		if len(g.GetItemCodes()) > 0 && !slices.Contains(g.GetItemCodes(), c.GetItem()) || len(b.GetItems()) > 0 && !slices.Contains(b.GetItems(), c.GetItem()) {
			return fault.Newf(fault.VerificationFailed, "the answer has item %s, which was not asked for", c.GetItem())
		}
	}
	wanted := b.GetItems()
	if len(wanted) == 0 {
		wanted = g.GetItemCodes()
	}
	for _, code := range wanted {
		if !verify && !slices.ContainsFunc(q.GetColumns(), func(c *gatewayv1.ResultColumn) bool { return c.GetItem() == code }) {
			return fault.Newf(fault.PartialResult, "the answer leaves out item %s: the use is counted, ask the provider", code)
		}
	}
	return nil
}
