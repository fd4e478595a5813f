package deliver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	rpc "connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/gateway/connect"
	"mulian/gateway/receipt"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/tracing"
)

// Under an owner's grant one row leaves for each use that the ledger counts:
//
//	decide ─▶ read one row ─▶ his? ─▶ seal ─▶ note (durable) ─▶ RecordGrantUse ─▶ proved in the state
//	                                            │                    │ refused: its code, nothing leaves
//	                                            │                    ▼
//	                                            └──────────▶ GRANTED and COMPLETED, durable ─▶ answer
//
// Where the power fails:
//
//	before the note      nothing has happened
//	after it             the same fetch looks whether the ledger has the use, sends the same
//	                     transaction again if not, and goes on; another fetch does that first, too
//	after the use        the same fetch gets the same sealed bytes; nobody else anything
//	after the log        likewise, with the same record
//
// The same fetch of the same content is the same use until it is acknowledged, or a day has
// passed. A revocation at a height above the use's does not take it back (spec safebox 4.2):
// it was counted before.

// Domains of what a grant's answer is bound to, and of what the ledger keeps of its result.
const (
	grantBodyDomain   = "mulian/gateway/grant-body/v1"
	grantedDomain     = "mulian/gateway/granted/v1"
	grantResultDomain = "mulian/gateway/grant-result/v1"
)

// grantDigest is what a fetch is: the ledger has it in the use, the record as its request
// hash. A repeated fetch has the same one.
func grantDigest(chain, provider, asker string, b *gatewayv1.GrantBody) ([]byte, error) {
	raw, err := canon.Marshal(b)
	if err != nil {
		return nil, fault.Wrap(fault.Malformed, err, "the request")
	}
	sum := canon.Digest(grantBodyDomain, []byte(chain), []byte(provider), []byte(asker), raw)
	return sum[:], nil
}

func grantedAAD(digest []byte) []byte { return canon.Frame(grantedDomain, digest) }

// ResultCommitment is what the ledger keeps of a result under a grant: whoever has the
// result can show later that it is the one.
func ResultCommitment(q *gatewayv1.QueryResult) ([]byte, error) {
	plain := proto.CloneOf(q)
	plain.Salt = nil
	raw, err := canon.Marshal(plain)
	if err != nil {
		return nil, err
	}
	sum := canon.Digest(grantResultDomain, q.GetSalt(), raw)
	return sum[:], nil
}

// ByGrant answers under an owner's grant. Beside the refusals of admit: Malformed, TooLong;
// ProviderMismatch, NotFound, NotWhitelisted (another grantee), Suspended; those of the
// grant's state (GrantRevoked, GrantNotActive, Expired, UsesExhausted, GrantPaused, TooEarly,
// TooSoon); PurposeMismatch; ItemVersionRetired, OverAsk, FieldMasked, EntryDrifted;
// RowScopeBreached (the row key, the owner, the scope), EmptyResult; StaleHeight;
// SourceUnreachable, Undecodable, TooLong; Idempotency (the same fetch, another content);
// LogNotIncluded (the ledger has not counted it, nobody knows whether it will); and whatever
// the ledger refuses the use with.
func (p *Provider) ByGrant(ctx context.Context, m *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.Answer], error) {
	r, err := p.admitInTurn(ctx, m.Msg)
	if err != nil {
		return nil, err
	}
	p.cfg.Anchor.Touch()
	answer, err := p.byGrant(ctx, r)
	if err != nil {
		return nil, p.failed(err)
	}
	return rpc.NewResponse(answer), nil
}

func (p *Provider) byGrant(ctx context.Context, r *request) (*gatewayv1.Answer, error) {
	b := r.body.GetGrant()
	if err := checkGrantBody(b); err != nil {
		return nil, err
	}
	digest, err := grantDigest(p.cfg.ChainID, p.cfg.Gateway, r.asker.GetId(), b)
	if err != nil {
		return nil, err
	}
	c := claim{agreement: b.GetGrant(), entry: b.GetEntry(), purpose: b.GetPurpose(), items: b.GetItems()}
	done, err := p.granted.turn(ctx, b.GetGrant())
	if err != nil {
		return nil, err
	}
	defer done()
	if n := p.granted.find(r.asker.GetId(), b.GetGrant(), b.GetFetch()); n != nil {
		if !bytes.Equal(n.Digest, digest) {
			return nil, p.refuse(ctx, r, c, nil, fault.Newf(fault.Idempotency, "fetch %s was made with another content", b.GetFetch()))
		}
		return p.answer(ctx, r, c, nil, n)
	}
	if err := p.settleGrant(ctx, b.GetGrant()); err != nil {
		return nil, err
	}
	_, step := tracing.Child(ctx, "gateway/decide")
	x, err := p.permit(ctx, r, b)
	step.End(err)
	if err != nil {
		return nil, p.refuse(ctx, r, x.claim(c), x.d, err)
	}
	c = x.claim(c)
	n, err := p.prepare(ctx, r, b, x, digest)
	if err != nil {
		return nil, p.refuse(ctx, r, c, x.d, err)
	}
	_, step = tracing.Child(ctx, "gateway/note")
	err = p.granted.put(n)
	step.End(err)
	if err != nil {
		return nil, err
	}
	return p.answer(ctx, r, c, x.d, n)
}

// answer is goOn that logs the ledger's refusal.
func (p *Provider) answer(ctx context.Context, r *request, c claim, d *decision, n *useNote) (*gatewayv1.Answer, error) {
	answer, err := p.goOn(ctx, n)
	p.cfg.View.Forget(grantKey(n.Grant)) // its sequence has moved on
	if err != nil && p.granted.find(n.Asker, n.Grant, n.Fetch) == nil {
		if d == nil { // what the first request was decided on is gone
			d = &decision{ours: true}
		}
		return nil, p.refuse(ctx, r, c, d, err)
	}
	return answer, err
}

// prepare reads, seals and signs what the ledger gets: all that a release needs but the
// ledger's word. Nothing of it has left.
func (p *Provider) prepare(ctx context.Context, r *request, b *gatewayv1.GrantBody, x *permit, digest []byte) (*useNote, error) {
	row, err := p.readGranted(ctx, x)
	if err != nil {
		return nil, err
	}
	result, rows, err := x.result(row)
	if err != nil {
		return nil, err
	}
	commitment, err := ResultCommitment(result)
	if err != nil {
		return nil, err
	}
	raw, err := canon.Marshal(result)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxAnswer {
		return nil, fault.Newf(fault.TooLong, "an answer of %d bytes, at most %d", len(raw), maxAnswer)
	}
	header, sealed, err := sealOne(x.d.seal, grantedAAD(digest), raw)
	if err != nil {
		return nil, fault.Wrap(fault.SealFailed, err, "the answer")
	}
	n := &useNote{
		Grant: b.GetGrant(), Number: x.grant.GetSequence() + 1, Asker: r.asker.GetId(), Fetch: b.GetFetch(), Digest: digest,
		Header: header, Sealed: sealed, CreatedMs: p.now().UnixMilli(),
	}
	sum := sha256.Sum256(sealed)
	wrap := sha256.Sum256(header)
	rec := r.record()
	rec.RequestId, rec.RequestHash = b.GetFetch(), digest
	rec.Agreement, rec.Entry, rec.EntryVersion, rec.Items, rec.Purpose = n.Grant, x.d.entry.GetId(), x.d.entry.GetVersion(), x.d.codes(), b.GetPurpose()
	rec.ViewHeight, rec.Use, rec.Subject = x.d.height, n.Number, SubjectOf(p.UsageKey(x.d.entry.GetId(), x.key.GetWhere()))
	rec.Rows, rec.Bytes, rec.ResponseHash = rows, uint64(len(sealed)), sum[:]
	if n.Record, err = canon.Marshal(rec); err != nil {
		return nil, err
	}
	return n, p.signUse(n, x, commitment, wrap[:])
}

// readGranted reads the one row and refuses one that is not the owner's: EmptyResult,
// RowScopeBreached, and what a source fails with.
func (p *Provider) readGranted(ctx context.Context, x *permit) (connect.Row, error) {
	source, name, err := p.cfg.Table(x.d.table.GetSource(), x.d.table.GetName())
	if err != nil {
		return nil, err
	}
	x.selection.Table = name
	ctx, cancel := context.WithTimeout(ctx, p.sourceWait())
	defer cancel()
	_, step := tracing.Child(ctx, "gateway/read")
	rows, err := source.Query(ctx, x.selection)
	step.End(err)
	if err != nil {
		return nil, sourceFault(err)
	}
	switch len(rows) {
	case 0:
		return nil, fault.Newf(fault.EmptyResult, "entry %s has no row of the granted key", x.d.entry.GetId())
	case 1:
	default:
		return nil, ruled("row-key", fault.RowScopeBreached, "the granted key is that of more than one row of entry %s", x.d.entry.GetId())
	}
	if rows[0][x.ownerAt].Text != x.key.GetOwner() || x.key.GetOwner() == "" {
		return nil, ruled("row-owner", fault.RowScopeBreached, "the row of the granted key is another's")
	}
	kept, err := x.d.form.apply(rows, time.Now())
	if err != nil {
		return nil, err
	}
	if len(kept) == 0 {
		return nil, ruled("scope", fault.RowScopeBreached, "the row of the granted key is outside of the granted scope")
	}
	return kept[0], nil
}

// goOn takes a use from wherever it is to its answer. The caller has the grant's turn.
func (p *Provider) goOn(ctx context.Context, n *useNote) (*gatewayv1.Answer, error) {
	e, found, err := p.releasedUse(n)
	if err != nil {
		return nil, err
	}
	if !found {
		_, step := tracing.Child(ctx, "gateway/count")
		err := p.counted(ctx, n)
		step.End(err)
		if err != nil {
			return nil, err
		}
		_, step = tracing.Child(ctx, "gateway/log")
		e, err = p.logUse(ctx, n)
		step.End(err)
		if err != nil {
			return nil, fmt.Errorf("nothing is released: %w", err)
		}
		p.count.Granted.Add(1)
		p.count.Rows.Add(e.Record.GetRows())
		p.count.Bytes.Add(e.Record.GetBytes())
	}
	rcpt, err := p.sign(e)
	if err != nil {
		return nil, fmt.Errorf("nothing is released: %w", err)
	}
	return &gatewayv1.Answer{SealHeader: n.Header, Sealed: n.Sealed, Receipt: rcpt}, nil
}

// releasedUse finds the record of a use that was released before.
func (p *Provider) releasedUse(n *useNote) (e receipt.Entry, found bool, err error) {
	err = p.cfg.Log.Of(n.Grant, func(x receipt.Entry) bool {
		if x.Record.GetUse() == n.Number && x.Record.GetOutcome() == tracev1.Outcome_OUTCOME_COMPLETED {
			e, found = x, true
		}
		return !found
	})
	return e, found, err
}

// logUse writes decision and end of a use; the end alone if a crash has left the decision.
func (p *Provider) logUse(ctx context.Context, n *useNote) (receipt.Entry, error) {
	end := &tracev1.AccessRecord{}
	if err := canon.Check(n.Record, end); err != nil {
		return receipt.Entry{}, fault.Wrap(fault.Damaged, err, "note of a use")
	}
	end.Outcome = tracev1.Outcome_OUTCOME_COMPLETED
	if err := p.cfg.Log.Of(n.Grant, func(x receipt.Entry) bool {
		if x.Record.GetUse() == n.Number && x.Record.GetOutcome() == tracev1.Outcome_OUTCOME_GRANTED {
			end.Seq = x.Record.GetSeq()
		}
		return true
	}); err != nil {
		return receipt.Entry{}, err
	}
	if end.Seq != 0 {
		return p.cfg.Log.Append(ctx, end)
	}
	decision := proto.CloneOf(end)
	decision.Outcome, decision.Rows, decision.Bytes, decision.ResponseHash = tracev1.Outcome_OUTCOME_GRANTED, 0, 0, nil
	_, e, err := p.cfg.Log.AppendWhole(ctx, decision, end)
	return e, err
}

// checkGrantBody refuses what can be no request under a grant: Malformed, TooLong, Missing.
func checkGrantBody(b *gatewayv1.GrantBody) error {
	switch {
	case b == nil:
		return fault.Newf(fault.Malformed, "the request names no grant")
	case b.GetGrant() == "":
		return fault.Newf(fault.Missing, "the grant is not named")
	case len(b.GetGrant()) > maxID || len(b.GetEntry()) > maxID || len(b.GetPurpose()) > maxPurpose || len(b.GetScope()) > maxScope:
		return fault.Newf(fault.TooLong, "an id, purpose or scope over its bound")
	case len(b.GetFetch()) < minRequestID || len(b.GetFetch()) > maxRequestID || !printable(b.GetFetch()):
		return fault.Newf(fault.Malformed, "fetch: %d to %d printable characters", minRequestID, maxRequestID)
	case len(b.GetScopeSalt()) > maxSalt || len(b.GetEntrySalt()) > maxSalt:
		return fault.Newf(fault.Malformed, "a salt of more than %d bytes", maxSalt)
	case len(b.GetItems()) > maxItems || len(b.GetClaims()) > maxWhere:
		return fault.Newf(fault.TooLong, "%d items and %d claims", len(b.GetItems()), len(b.GetClaims()))
	}
	for _, it := range b.GetItems() {
		if it == "" || len(it) > maxItemCode {
			return fault.Newf(fault.Malformed, "an item code of %d bytes", len(it))
		}
	}
	for _, v := range b.GetClaims() {
		if v.GetItem() == "" || len(v.GetItem()) > maxItemCode || len(v.GetValue()) > maxValue {
			return fault.Newf(fault.Malformed, "a claim of %d and %d bytes", len(v.GetItem()), len(v.GetValue()))
		}
	}
	return nil
}

// result is what goes into the seal, and how many rows it gives.
func (x *permit) result(row connect.Row) (*gatewayv1.QueryResult, uint64, error) {
	out := &gatewayv1.QueryResult{Salt: resultSalt()}
	if x.claims != nil {
		out.Verdict = gatewayv1.Verdict_VERDICT_YES
		for i, want := range x.claims {
			if row[i].IsNull() || row[i].Text != want {
				out.Verdict = gatewayv1.Verdict_VERDICT_NO
			}
		}
		return out, 0, nil
	}
	page, err := connect.EncodeRows(len(x.d.items), []connect.Row{row})
	if err != nil {
		return nil, 0, errors.Join(fault.Newf(fault.Undecodable, "the row cannot be carried"), err)
	}
	out.Columns, out.Rows, out.Count = x.d.resultColumns(), page, 1
	return out, 1, nil
}
