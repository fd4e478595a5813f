package deliver

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	rpc "connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/gateway/connect"
	"mulian/gateway/receipt"
	"mulian/gateway/view"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/seal"
	"mulian/internal/sm"
	"mulian/internal/tracing"
	"mulian/internal/wire"
)

// ProviderConfig is what a provider works with. All fields are required but the
// last two.
type ProviderConfig struct {
	ChainID  string
	Gateway  string          // account
	Key      sm.PrivateKey   // MACHINE, signs receipts and transactions
	SealKeys []sm.PrivateKey // open what owners have sealed to this gateway, the one of now first
	Dir      string          // spools and secrets; of this provider alone
	Log      *receipt.Log
	Anchor   *receipt.Anchor
	View     *view.View
	Chain    *client.Client
	// Table finds the database behind a catalogue table's source and name.
	Table func(source, name string) (connect.Source, connect.TableName, error)
	// Drifted tells whether a breaking change of a column is known here that the
	// ledger may not know yet.
	Drifted func(table, column string) bool
	// Patience is what of a database is bounded by; 0: [DefaultPatience].
	Patience time.Duration
	Clock    func() time.Time // nil: time.Now; a test sets it
	Version  string
	Logger   *slog.Logger
}

// Provider answers other gateways. It is the handler of gateway.v1.GatewayService
// and safe for concurrent use.
type Provider struct {
	cfg    ProviderConfig
	seen   replays
	looks  looks
	quotas quotas
	rules  rules  // conditions that were checked
	salt   []byte // of subjects; a secret of this gateway
	turns  chan struct{}
	acks   *receipt.Book
	hand   *receipt.Signer   // signs receipts
	eye    *receipt.Verifier // checks counter-signatures
	count  Counts

	mu       sync.Mutex // guards the five below
	sessions map[sessionKey]*session
	over     map[sessionKey]over           // deliveries that failed lately
	acked    []uint64                      // a bit for each leaf whose receipt is counter-signed
	sealers  map[string]*seal.SharedSealer // by the receiver's key
	signed   map[uint64]signed             // late receipts, by leaf, until they are acknowledged
	spooling sync.WaitGroup
	stop     context.CancelFunc
	running  context.Context // of the spoolers; ends with Close

	comparisons comparisons
	granted     *uses // under owners' grants, on their way

	late      sync.Mutex // guards unsettled
	unsettled unsettled
}

// Counts are since the start, for metrics.
type Counts struct {
	Granted, Refused, Failed, Unknown, Rows, Bytes atomic.Uint64

	mu     sync.Mutex            // guards byCode
	byCode map[fault.Code]uint64 // what was refused or not admitted; as many as there are codes
}

func (c *Counts) refusedFor(code fault.Code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byCode == nil {
		c.byCode = map[fault.Code]uint64{}
	}
	c.byCode[code]++
}

// ByCode returns how often was refused, or not admitted, by code.
func (c *Counts) ByCode() map[fault.Code]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.byCode)
}

// Running returns how many requests are being answered, and how many can be at once.
func (p *Provider) Running() (now, most int) { return len(p.turns), cap(p.turns) }

// NewProvider opens what an earlier one left behind: deliveries that were not
// taken, counts, request ids.
func NewProvider(cfg ProviderConfig) (*Provider, error) {
	cfg.Logger, cfg.Patience = cmp.Or(cfg.Logger, slog.Default()), cmp.Or(cfg.Patience, DefaultPatience)
	p := &Provider{
		cfg: cfg, seen: replays{until: map[string]time.Time{}}, looks: looks{last: map[string]time.Time{}},
		quotas: quotas{of: map[string]used{}}, turns: make(chan struct{}, maxQueries), sessions: map[sessionKey]*session{},
		sealers: map[string]*seal.SharedSealer{}, signed: map[uint64]signed{},
		hand: receipt.NewSigner(cfg.Key), eye: &receipt.Verifier{},
	}
	p.running, p.stop = context.WithCancel(context.Background())
	if err := durable.MkdirPrivate(cfg.Dir); err != nil {
		return nil, err
	}
	var err error
	if p.salt, err = secret(filepath.Join(cfg.Dir, "subject.salt")); err != nil {
		return nil, err
	}
	if err := errors.Join(p.seen.restore(cfg.Log, time.Now()), p.quotas.restore(cfg.Log)); err != nil {
		return nil, err
	}
	if err := p.restoreSessions(); err != nil {
		return nil, err
	}
	if p.granted, err = openUses(filepath.Join(cfg.Dir, usesFolder)); err != nil {
		return nil, err
	}
	if p.acks, err = receipt.OpenBook(filepath.Join(cfg.Dir, "acknowledged")); err != nil {
		return nil, err
	}
	return p, p.acks.Each(0, func(_ int, r *tracev1.Receipt) bool {
		if r.GetLeafIndex() < cfg.Log.Size() {
			p.acknowledged(r.GetLeafIndex())
		}
		return true
	})
}

// secret reads 32 random bytes, or makes them.
func secret(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err == nil && len(b) == 32 {
		return b, nil
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.Damaged, cmp.Or(err, errors.New("it has not 32 bytes")), "%s", path)
	}
	b = make([]byte, 32)
	rand.Read(b)
	return b, durable.CreateFile(path, b, 0o600)
}

func (p *Provider) now() time.Time {
	if p.cfg.Clock == nil {
		return time.Now()
	}
	return p.cfg.Clock()
}

// latest is our time, or the ledger's if that is later: what is over there is over,
// whatever our clock says.
func (p *Provider) latest() time.Time {
	now := p.now()
	if p.cfg.View != nil && p.cfg.View.Time().After(now) {
		return p.cfg.View.Time()
	}
	return now
}

// Counts returns the counters.
func (p *Provider) Counts() *Counts { return &p.count }

// Close ends the spoolers. Deliveries that were open can be taken after the next start.
func (p *Provider) Close() error {
	p.stop()
	p.spooling.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for _, s := range p.sessions {
		errs = append(errs, s.close())
	}
	return errors.Join(append(errs, p.acks.Close())...)
}

// Describe tells who this is.
func (p *Provider) Describe(context.Context, *rpc.Request[gatewayv1.DescribeRequest]) (*rpc.Response[gatewayv1.DescribeResponse], error) {
	_, mark, _ := p.cfg.Anchor.Status()
	out := &gatewayv1.DescribeResponse{
		Gateway: p.cfg.Gateway, Version: p.cfg.Version,
		ViewHeight: mark.Height, LogSize: p.cfg.Log.Size(), Org: orgOf(p.cfg.Gateway),
	}
	if !mark.Sent.IsZero() {
		out.ViewTimeMs = mark.Sent.UnixMilli()
	}
	return rpc.NewResponse(out), nil
}

// orgOf is the organisation's part of a gateway's account.
func orgOf(gateway string) string {
	for i := range len(gateway) {
		if gateway[i] == '/' {
			return gateway[:i]
		}
	}
	return gateway
}

// Query answers for one key. Beside the refusals of admit and decide: Malformed (a
// condition), GrantedLimit, DailyLimit, TotalLimit; SourceUnreachable, Undecodable,
// TooLong after the grant.
func (p *Provider) Query(ctx context.Context, m *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.Answer], error) {
	done, err := p.turn(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	defer done()
	_, step := tracing.Child(ctx, "gateway/admit")
	r, err := p.admit(ctx, m.Msg)
	step.End(err)
	if err != nil {
		return nil, p.strange(err)
	}
	p.cfg.Anchor.Touch()
	answer, err := p.query(ctx, r, r.body.GetQuery())
	if err != nil {
		return nil, p.failed(err)
	}
	return rpc.NewResponse(answer), nil
}

// turn waits for one of the places. Busy if none gets free.
func (p *Provider) turn(ctx context.Context) (done func(), err error) {
	timer := time.NewTimer(busyWait)
	defer timer.Stop()
	select {
	case p.turns <- struct{}{}:
		return func() { <-p.turns }, nil
	case <-timer.C:
		return nil, fault.Newf(fault.Busy, "too many requests at once")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// strange counts a request of nobody and answers it.
func (p *Provider) strange(err error) error {
	p.count.Unknown.Add(1)
	p.count.refusedFor(fault.CodeOf(err))
	p.cfg.Logger.Warn("request not admitted", "code", fault.CodeOf(err).String(), "err", err)
	return wire.Error(err)
}

// failed answers an error; one of our own is logged with its cause.
func (p *Provider) failed(err error) error {
	out := wire.Error(err)
	if c := fault.CodeOf(err); c == fault.Internal || c == fault.Damaged {
		p.cfg.Logger.Error("request failed", "err", err, "reference", reference(out))
	}
	return out
}

func reference(err error) string {
	if e, ok := errors.AsType[*rpc.Error](err); ok {
		return e.Meta().Get("Mulian-Reference")
	}
	return ""
}

func (p *Provider) query(ctx context.Context, r *request, q *gatewayv1.QueryBody) (*gatewayv1.Answer, error) {
	if q == nil {
		return nil, fault.Newf(fault.Malformed, "the request is no query")
	}
	c := claim{agreement: q.GetAgreement(), entry: q.GetEntry(), purpose: q.GetPurpose(), items: q.GetItems(), method: methodQuery, query: q}
	if err := c.check(); err != nil {
		return nil, err
	}
	tracing.Of(ctx).Text("mulian.agreement", c.agreement)
	_, step := tracing.Child(ctx, "gateway/decide")
	d, err := p.decide(ctx, r, c)
	step.End(err)
	var s connect.Selection
	if err == nil {
		s, err = d.selection(q, p.cfg.Drifted)
	}
	subject := p.subject(q)
	give := func() {}
	if err == nil {
		give, err = p.call(d, subject, time.Now().UnixMilli())
	}
	if err != nil {
		return nil, p.refuse(ctx, r, c, d, err)
	}
	rec := p.grant(r, c, d)
	rec.Subject = subject
	return p.release(ctx, r, c, d, s, rec, give)
}

// call counts a query, and the answer if it is one of a predicate.
func (p *Provider) call(d *decision, subject []byte, nowMs int64) (give func(), err error) {
	give, err = p.quotas.take(d.agreement, nowMs)
	if err != nil || d.predicate == nil {
		return give, err
	}
	giveToo, err := p.quotas.answer(d.agreement, d.predicate.agreed, string(subject), nowMs)
	if err != nil {
		give()
		return nil, err
	}
	return func() { give(); giveToo() }, nil
}

// grant makes the record of a release that was decided.
func (p *Provider) grant(r *request, c claim, d *decision) *tracev1.AccessRecord {
	rec := r.record()
	rec.Outcome = tracev1.Outcome_OUTCOME_GRANTED
	rec.Agreement, rec.Entry, rec.EntryVersion, rec.Items, rec.Purpose = c.agreement, c.entry, d.entry.GetVersion(), d.codes(), c.purpose
	rec.ViewHeight = d.height
	if d.predicate != nil {
		rec.Predicate = d.predicate.agreed.GetName()
	}
	return rec
}

// subject is a pseudonym of the queried key: the same key gives the same, and only
// this gateway can compute it.
func (p *Provider) subject(q *gatewayv1.QueryBody) []byte {
	return SubjectOf(p.UsageKey(q.GetEntry(), q.GetWhere()))
}

// selection is the query's form for the database: conditions on agreed items only.
func (d *decision) selection(q *gatewayv1.QueryBody, drifted func(table, column string) bool) (connect.Selection, error) {
	s := connect.Selection{Columns: d.names(), Limit: int(max(q.GetLimit(), 1))}
	if s.Limit > maxLimit {
		return s, fault.Newf(fault.OutOfRange, "%d rows asked for, at most %d", s.Limit, maxLimit)
	}
	if most := d.agreement.GetTerms().GetMaxRowsPerCall(); most != 0 && uint64(s.Limit) > most {
		return s, fault.Newf(fault.GrantedLimit, "%d rows asked for, %d are agreed", s.Limit, most)
	}
	if n := len(q.GetWhere()); n == 0 || n > maxWhere {
		return s, fault.Newf(fault.Malformed, "%d conditions, 1 to %d are possible", n, maxWhere)
	}
	agreed := d.agreedItems()
	for _, w := range q.GetWhere() {
		it := item(d.entry, w.GetItem())
		if it == nil || !agreed[w.GetItem()] && !it.GetPrimaryKey() {
			return s, fault.Newf(fault.FieldNotGranted, "item %.100q may not be asked by", w.GetItem())
		}
		if d.agreedMask(w.GetItem()) != nil && !it.GetPrimaryKey() {
			return s, ruled("mask", fault.FieldNotGranted, "item %s is masked and may not be asked by", w.GetItem())
		}
		if denied(d.entry, it) {
			return s, fault.Newf(fault.NotShared, "item %s is not shared and may not be asked by", w.GetItem())
		}
		col := column(d.table, it.GetColumn())
		if col == nil || it.GetState() == itemFrozen || drifted(d.table.GetId(), it.GetColumn()) {
			return s, fault.Newf(fault.EntryDrifted, "item %s is not what the catalogue says", w.GetItem())
		}
		v := connect.Value{Text: w.GetValue()}
		if err := v.Kind.UnmarshalText([]byte(col.GetType())); err != nil || len(v.Text) > maxValue {
			return s, fault.Newf(fault.Malformed, "item %s cannot be asked by", w.GetItem())
		}
		if err := v.Check(); err != nil {
			return s, fault.Newf(fault.Malformed, "item %s: %s", w.GetItem(), err)
		}
		s.Where = append(s.Where, connect.Condition{Column: it.GetColumn(), Op: connect.OpIn, Values: []connect.Value{v}})
	}
	if d.predicate != nil {
		if err := d.predicate.byKey(d, q, &s); err != nil {
			return s, err
		}
	}
	s.Where = append(s.Where, d.form.conditions()...)
	return s, nil
}

func (d *decision) agreedItems() map[string]bool {
	out := map[string]bool{}
	for _, part := range d.agreement.GetTerms().GetParts() {
		if part.GetEntry() == d.entry.GetId() {
			for _, code := range part.GetItems() {
				out[code] = true
			}
		}
	}
	return out
}

// release reads and seals, logs the grant and how it ended with one write, and only
// when that is durable answers.
func (p *Provider) release(ctx context.Context, r *request, c claim, d *decision, s connect.Selection, rec *tracev1.AccessRecord, give func()) (*gatewayv1.Answer, error) {
	refuse := func(d *decision, cause error) error {
		give()
		return p.refuse(ctx, r, claim{agreement: rec.Agreement, entry: rec.Entry, purpose: rec.Purpose, items: rec.Items}, d, cause)
	}
	source, name, err := p.cfg.Table(d.table.GetSource(), d.table.GetName())
	if err != nil {
		return nil, refuse(d, err)
	}
	s.Table = name
	readCtx, cancel := context.WithTimeout(ctx, p.sourceWait())
	defer cancel()
	var header, sealed []byte
	_, step := tracing.Child(ctx, "gateway/read")
	rows, cause := p.readRows(readCtx, d, source, s)
	step.End(cause)
	_, step = tracing.Child(ctx, "gateway/seal")
	switch {
	case cause == nil && d.predicate != nil:
		header, sealed, cause = p.sealVerdict(d, r.aad, rows)
		rows = nil // none is given
	case cause == nil:
		header, sealed, cause = p.sealResult(d, r.aad, rows)
	}
	cause = sourceFault(cause)
	step.End(cause)
	if cause == nil {
		if d, err = p.lastLook(ctx, r, c, d); err == nil {
			rec.ViewHeight = d.height
			err = p.quotas.hold(d.agreement, uint64(len(rows)), uint64(len(sealed)), time.Now().UnixMilli())
		}
		if err != nil {
			return nil, refuse(d, err)
		}
	}
	end := proto.CloneOf(rec)
	if cause == nil {
		sum := sha256.Sum256(sealed)
		end.Outcome, end.Rows, end.Bytes, end.ResponseHash = tracev1.Outcome_OUTCOME_COMPLETED, uint64(len(rows)), uint64(len(sealed)), sum[:]
	} else {
		end.Outcome, end.Code = tracev1.Outcome_OUTCOME_FAILED, uint32(fault.CodeOf(cause))
		// The record of an end must not depend on whether the asker still waits.
		ctx = context.WithoutCancel(ctx)
	}
	_, step = tracing.Child(ctx, "gateway/log")
	_, e, err := p.cfg.Log.AppendWhole(ctx, rec, end)
	step.End(err)
	if err != nil {
		give()
		p.quotas.drop(rec.Agreement, end.Rows, end.Bytes)
		return nil, errors.Join(cause, fmt.Errorf("nothing is released: %w", err))
	}
	p.count.Granted.Add(1)
	if cause != nil {
		p.count.Failed.Add(1)
		return nil, cause
	}
	p.quotas.spend(rec.Agreement, end.Rows, end.Bytes, e.Record.GetAtMs())
	// The disk may have been slow, too. What is logged counts; it does not leave.
	if d, err = p.lastLook(ctx, r, c, d); err != nil {
		return nil, p.refuse(ctx, r, c, d, err)
	}
	rcpt, err := p.sign(e)
	if err != nil {
		return nil, fmt.Errorf("nothing is released: %w", err)
	}
	p.count.Rows.Add(end.Rows)
	p.count.Bytes.Add(end.Bytes)
	return &gatewayv1.Answer{SealHeader: header, Sealed: sealed, Receipt: rcpt}, nil
}

// sourceWait bounds one query at the database.
func (p *Provider) sourceWait() time.Duration { return min(sourceWait, p.cfg.Patience) }

// readRows reads what was asked for, of the row scope and masked; for a predicate as it is.
func (p *Provider) readRows(ctx context.Context, d *decision, source connect.Source, s connect.Selection) ([]connect.Row, error) {
	most := s.Limit
	if d.form != nil && d.form.scope != nil && !d.form.whole && d.predicate == nil {
		s.Limit = maxLimit // some of them may not be of the scope
	}
	rows, err := source.Query(ctx, s)
	if err != nil || d.predicate != nil {
		return rows, err
	}
	if rows, err = d.form.apply(rows, time.Now()); err != nil {
		return nil, err
	}
	return rows[:min(len(rows), most)], nil
}

func (p *Provider) sealResult(d *decision, aad []byte, rows []connect.Row) (header, sealed []byte, err error) {
	page, err := connect.EncodeRows(len(d.items), rows)
	if err != nil {
		return nil, nil, err
	}
	if len(page) > maxAnswer {
		return nil, nil, fault.Newf(fault.TooLong, "an answer of %d bytes, at most %d", len(page), maxAnswer)
	}
	raw, err := canon.Marshal(&gatewayv1.QueryResult{Columns: d.resultColumns(), Rows: page, Count: uint64(len(rows))})
	if err != nil {
		return nil, nil, err
	}
	return p.sealTo(d.seal, aad, raw)
}

// signed is a record with our signature of its receipt.
type signed struct {
	entry receipt.Entry
	sig   []byte
}

// maxSigned bounds what is remembered until the acknowledgement comes: some 5 MB.
const maxSigned = 4096

// sign makes the receipt of a record. A signature made a moment ago is given again.
func (p *Provider) sign(e receipt.Entry) (*tracev1.Receipt, error) {
	p.mu.Lock()
	s, has := p.signed[e.Index]
	p.mu.Unlock()
	if !has {
		sig, err := p.hand.Sign(e.Raw)
		if err != nil {
			return nil, err
		}
		s = signed{e, sig}
		p.mu.Lock()
		if len(p.signed) >= maxSigned {
			clear(p.signed)
		}
		p.signed[e.Index] = s
		p.mu.Unlock()
	}
	r := &tracev1.Receipt{Record: e.Raw, LeafIndex: e.Index, ProviderKey: p.cfg.Key.Public().ID(), ProviderSignature: s.sig}
	if o := e.Opening; o != nil { // the other side is no stranger to its own access
		r.Opening = &tracev1.Opening{Salt: o.Salt, Content: o.Content}
	}
	return r, nil
}

// record finds a record of the log, without the disk if it is a late one.
func (p *Provider) record(leaf uint64) (receipt.Entry, error) {
	p.mu.Lock()
	s, has := p.signed[leaf]
	p.mu.Unlock()
	if has {
		return s.entry, nil
	}
	return p.cfg.Log.Record(leaf)
}

// forget drops what is remembered of a receipt that both have signed.
func (p *Provider) forget(leaf uint64) {
	p.mu.Lock()
	delete(p.signed, leaf)
	p.mu.Unlock()
}
