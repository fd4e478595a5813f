package deliver

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	rpc "connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/gateway/connect"
	"mulian/gateway/receipt"
	"mulian/gateway/view"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/gen/mulian/gateway/v1/gatewayv1connect"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/seal"
	"mulian/internal/secrecy"
	"mulian/internal/sm"
	"mulian/internal/tracing"
	"mulian/internal/wire"
)

// AskerConfig is what an asker works with. All fields are required but Sink and the
// last.
type AskerConfig struct {
	ChainID string
	Gateway string        // account
	Key     sm.PrivateKey // MACHINE
	SealKey sm.PrivateKey // opens what is sealed to the gateway
	// MoreSealKeys open it, too: the one before SealKey, while something that was sealed to
	// it may still come, and the one that will follow.
	MoreSealKeys []sm.PrivateKey
	Dir          string // journal of open fetches, receipts; of this asker alone
	View         *view.View
	Chain        *client.Client
	Sink         connect.Sink // nil: this gateway takes no batches
	// Documents is the folder into which files are delivered; nil: this gateway takes none.
	Documents connect.Sink
	// RowKey finds the row key of a grant, sealed to that provider's gateway, where its owner has
	// laid it down. NotFound: not yet. Nil: whoever asks brings it.
	RowKey func(ctx context.Context, grant, provider string) ([]byte, error)
	// Patience is how long a provider may say nothing; 0: [DefaultPatience].
	Patience time.Duration
	Clock    func() time.Time // nil: time.Now; a test sets it
	Logger   *slog.Logger
}

// Asker asks other gateways, checks what they answer and keeps their receipts. It
// is safe for concurrent use.
type Asker struct {
	cfg      AskerConfig
	http     rpc.HTTPClient
	opener   *seal.SharedOpener
	receipts *receipt.Book
	hand     *countersigner
	eye      receipt.Verifier // checks providers' signatures
	acks     chan ack
	stop     context.CancelFunc
	writers  sync.WaitGroup

	mu    sync.Mutex // guards busy
	busy  map[string]bool
	peers sync.Map // URL -> *peer
}

// ack is a counter-signature on its way to the provider.
type ack struct {
	to   *provider
	body *gatewayv1.AcknowledgeBody
}

// provider is the gateway that is asked.
type provider struct {
	account *identityv1.Account
	client  gatewayv1connect.GatewayServiceClient
	line    *line
}

// Result is the answer of a query.
type Result struct {
	Columns []*gatewayv1.ResultColumn
	Rows    []connect.Row
	Receipt *tracev1.Receipt      // signed by both sides
	Record  *tracev1.AccessRecord // what it says
}

// maxAcks is how many acknowledgements wait; more are left out. They are a courtesy
// to the provider: our own book has the receipt.
const maxAcks = 1024

// NewAsker opens the receipts of an earlier one. Open fetches go on with [Asker.Resume].
func NewAsker(cfg AskerConfig) (*Asker, error) {
	cfg.Logger, cfg.Patience = cmp.Or(cfg.Logger, slog.Default()), cmp.Or(cfg.Patience, DefaultPatience)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if err := durable.MkdirPrivate(cfg.Dir); err != nil {
		return nil, err
	}
	book, err := receipt.OpenBook(filepath.Join(cfg.Dir, "receipts"))
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	a := &Asker{cfg: cfg, http: watchful{client.HTTPClient()}, opener: seal.NewSharedOpener(cfg.SealKey, cfg.MoreSealKeys...), receipts: book, hand: &countersigner{key: cfg.Key, book: book}, acks: make(chan ack, maxAcks), stop: stop, busy: map[string]bool{}}
	a.writers.Go(func() { a.sendAcks(ctx) })
	return a, nil
}

// Close waits for what is under way.
func (a *Asker) Close() error {
	a.stop()
	a.writers.Wait()
	return a.receipts.Close()
}

// Receipts is the book of what was received.
func (a *Asker) Receipts() *receipt.Book { return a.receipts }

// sendAcks sends what waits: all that comes within ackEvery to one provider in one
// request.
func (a *Asker) sendAcks(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case k := <-a.acks:
			for _, batch := range a.together(ctx, k) {
				if err := a.acknowledge(ctx, batch); err != nil && ctx.Err() == nil {
					a.cfg.Logger.Info("receipts could not be acknowledged", "provider", batch.to.account.GetId(), "receipts", 1+len(batch.body.GetMore()), "code", fault.CodeOf(err).String())
				}
			}
		}
	}
}

// together collects acknowledgements by provider.
func (a *Asker) together(ctx context.Context, first ack) []ack {
	timer := time.NewTimer(ackEvery)
	defer timer.Stop()
	all := []ack{first}
	for len(all) < maxAcknowledged {
		select {
		case k := <-a.acks:
			all = append(all, k)
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		break
	}
	var out []ack
	at := map[string]int{} // by provider: where in out
	for _, k := range all {
		id := k.to.account.GetId()
		if i, has := at[id]; has {
			out[i].body.More = append(out[i].body.More, k.body)
			continue
		}
		at[id] = len(out)
		out = append(out, k)
	}
	return out
}

func (a *Asker) acknowledge(ctx context.Context, k ack) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	m, err := a.request(k.to, &gatewayv1.RequestBody{Kind: &gatewayv1.RequestBody_Acknowledge{Acknowledge: k.body}})
	if err != nil {
		return err
	}
	_, err = k.to.client.Acknowledge(ctx, rpc.NewRequest(m))
	return answered(err)
}

func (a *Asker) request(to *provider, body *gatewayv1.RequestBody) (*gatewayv1.SignedRequest, error) {
	body.ChainId, body.To, body.From = a.cfg.ChainID, to.account.GetId(), a.cfg.Gateway
	return signRequest(a.cfg.Key, a.cfg.Clock(), body)
}

// right finds the agreement and the gateway at which the entry's table lies.
func (a *Asker) right(ctx context.Context, agreement, entry string) (*sharev1.Agreement, *provider, error) {
	g, s, err := view.Get(ctx, a.cfg.View, "share/agreement/"+agreement, newAgreement, view.NoAge)
	if err != nil {
		return nil, nil, err
	}
	if !s.Found {
		return nil, nil, fault.Newf(fault.NotFound, "there is no agreement %s", agreement)
	}
	e, s, err := view.Get(ctx, a.cfg.View, "catalogue/entry/"+entry, newEntry, view.NoAge)
	if err != nil {
		return nil, nil, err
	}
	if !s.Found || e.GetTable() == "" {
		return nil, nil, fault.Newf(fault.NotFound, "entry %s has no table", entry)
	}
	t, _, err := view.Get(ctx, a.cfg.View, "catalogue/table/"+e.GetTable(), newTable, view.NoAge)
	if err != nil {
		return nil, nil, err
	}
	p, err := a.provider(ctx, t)
	return g, p, err
}

func (a *Asker) provider(ctx context.Context, t *cataloguev1.Table) (*provider, error) {
	return a.at(ctx, t.GetGateway())
}

// at is the way to a gateway.
func (a *Asker) at(ctx context.Context, gateway string) (*provider, error) {
	acc, s, err := view.Get(ctx, a.cfg.View, "identity/account/"+gateway, newAccount, view.NoAge)
	if err != nil {
		return nil, err
	}
	url := acc.GetGateway().GetUrl()
	if !s.Found || url == "" {
		return nil, fault.Newf(fault.NotFound, "gateway %q has no address", gateway)
	}
	x, ok := a.peers.Load(url)
	if !ok {
		x, _ = a.peers.LoadOrStore(url, &peer{line: line{asker: a}, client: gatewayv1connect.NewGatewayServiceClient(a.http, url,
			rpc.WithReadMaxBytes(wire.MaxMessageBytes), rpc.WithSendMaxBytes(wire.MaxMessageBytes),
			rpc.WithInterceptors((*tracing.Tracer)(nil).Interceptor()), // who traces is followed
			rpc.WithAcceptCompression("gzip", nil, nil))})              // what is sealed does not get smaller
	}
	c := x.(*peer)
	return &provider{account: acc, client: c.client, line: &c.line}, nil
}

// peer is the way to another gateway.
type peer struct {
	client gatewayv1connect.GatewayServiceClient
	line   line
}

// Query asks for the rows of one key. where is item = value; no items means all
// that are agreed; limit 0 means 1. The purpose is the agreed one.
//
// Any refusal of the provider comes as its fault; VerificationFailed if the answer
// or its receipt is not what it should be.
func (a *Asker) Query(ctx context.Context, agreement, entry string, items []string, limit uint32, where ...*gatewayv1.KeyValue) (*Result, error) {
	out, q, err := a.query(ctx, agreement, entry, &gatewayv1.QueryBody{Items: items, Where: where, Limit: limit})
	if err == nil && (q.GetVerdict() != 0 || out.Record.GetPredicate() != "") {
		return nil, fault.Newf(fault.VerificationFailed, "an answer to a predicate that was not asked")
	}
	return out, err
}

// query asks, checks the answer, counter-signs its receipt and keeps that.
func (a *Asker) query(ctx context.Context, agreement, entry string, body *gatewayv1.QueryBody) (*Result, *gatewayv1.QueryResult, error) {
	g, to, err := a.right(ctx, agreement, entry)
	if err != nil {
		return nil, nil, err
	}
	body.Agreement, body.Entry, body.Purpose = agreement, entry, g.GetTerms().GetPurpose()
	ask := &question{to: to, query: body}
	err = to.line.ask(ctx, ask)
	// Connections break when their gateway opens anew, all that are kept at once: again,
	// as another request.
	for wait := firstAgain; fault.Is(err, fault.Unreachable) && wait <= lastAgain && ctx.Err() == nil; wait *= 4 {
		time.Sleep(wait)
		ask = &question{to: to, query: body}
		err = to.line.ask(ctx, ask)
	}
	if err != nil {
		return nil, nil, err
	}
	ans := ask.answer
	rec, err := a.check(to, ans.GetReceipt(), &tracev1.AccessRecord{
		Agreement: agreement, Entry: entry, RequestId: ask.requestID, Outcome: tracev1.Outcome_OUTCOME_COMPLETED,
	})
	if err != nil {
		return nil, nil, err
	}
	sum := sha256.Sum256(ans.GetSealed())
	if string(rec.GetResponseHash()) != string(sum[:]) || string(rec.GetRequestHash()) != string(ask.hash[:]) {
		return nil, nil, fault.Newf(fault.VerificationFailed, "the receipt is for another answer")
	}
	q := &gatewayv1.QueryResult{}
	if err := a.open(ask.aad, ans, q); err != nil {
		return nil, nil, err
	}
	if err := withinAgreement(g, entry, body.GetItems(), q, rec); err != nil {
		// It may have been amended a moment ago.
		a.cfg.View.Forget("share/agreement/" + agreement)
		if g, _, lookErr := a.right(ctx, agreement, entry); lookErr != nil || withinAgreement(g, entry, body.GetItems(), q, rec) != nil {
			return nil, nil, err
		}
	}
	out := &Result{Columns: q.GetColumns(), Receipt: ans.GetReceipt(), Record: rec}
	if out.Rows, err = rowsOf(q, rec); err != nil {
		return nil, nil, err
	}
	k, err := a.countersign(to, out.Receipt)
	if err != nil {
		return nil, nil, err
	}
	select {
	case a.acks <- k:
	default:
	}
	return out, q, nil
}

// rowsOf reads the rows of an answer; that of a predicate has none. VerificationFailed.
func rowsOf(q *gatewayv1.QueryResult, rec *tracev1.AccessRecord) ([]connect.Row, error) {
	if q.GetVerdict() != 0 {
		if len(q.GetRows())+len(q.GetColumns()) > 0 || rec.GetRows() != 0 {
			return nil, fault.Newf(fault.VerificationFailed, "the answer of a predicate with rows")
		}
		return nil, nil
	}
	cols, rows, err := connect.DecodeRows(q.GetRows())
	if err != nil || cols != len(q.GetColumns()) || uint64(len(rows)) != rec.GetRows() || uint64(len(rows)) != q.GetCount() {
		return nil, &fault.Fault{Code: fault.VerificationFailed, Text: "the answer's rows are not what its receipt says", Err: err}
	}
	return rows, nil
}

// open opens an answer's seal and reads what is in it.
func (a *Asker) open(aad []byte, ans *gatewayv1.Answer, into proto.Message) error {
	raw, err := openOne(a.opener, aad, ans.GetSealHeader(), ans.GetSealed())
	if err != nil {
		return err
	}
	return fault.Wrap(fault.Malformed, canon.Limits{Bytes: len(raw) + 1}.Check(raw, into), "the answer")
}

// check reads a receipt's record and refuses it unless the provider signed it and it
// says what it should.
func (a *Asker) check(from *provider, r *tracev1.Receipt, want *tracev1.AccessRecord) (*tracev1.AccessRecord, error) {
	rec := &tracev1.AccessRecord{}
	if err := canon.Check(r.GetRecord(), rec); err != nil {
		return nil, fault.Wrap(fault.VerificationFailed, err, "the receipt")
	}
	// A receipt is signed when it is handed out, so an earlier key has no part in it.
	pub, err := activeKey(from.account, r.GetProviderKey(), time.Now())
	if err != nil {
		return nil, &fault.Fault{Code: fault.VerificationFailed, Text: "the receipt", Err: err}
	}
	if err := a.eye.Verify(pub, r.GetRecord(), r.GetProviderSignature()); err != nil {
		return nil, err
	}
	if rec.GetSealed() != nil { // secret for others; we have to know what we sign
		if rec, err = secrecy.Open(rec, r.GetOpening()); err != nil {
			return nil, err
		}
	}
	switch {
	case rec.GetGateway() != from.account.GetId(), rec.GetAsker() != a.cfg.Gateway,
		rec.GetAgreement() != want.GetAgreement(), rec.GetEntry() != want.GetEntry(),
		rec.GetOutcome() != want.GetOutcome(), rec.GetSeq() == 0,
		want.GetRequestId() != "" && rec.GetRequestId() != want.GetRequestId(),
		rec.GetDelivery() != want.GetDelivery():
		return nil, fault.Newf(fault.VerificationFailed, "the receipt is for another access")
	}
	return rec, nil
}

// countersign signs a receipt, keeps it durably, and returns what the provider gets.
func (a *Asker) countersign(to *provider, r *tracev1.Receipt) (ack, error) {
	if err := a.hand.sign(r); err != nil {
		return ack{}, err
	}
	sum := sha256.Sum256(r.GetRecord())
	return ack{to: to, body: &gatewayv1.AcknowledgeBody{LeafIndex: r.GetLeafIndex(), RecordHash: sum[:], Signature: r.GetConsumerSignature(), Key: r.GetConsumerKey()}}, nil
}

func (a *Asker) signer() client.Signer {
	return client.Signer{Account: a.cfg.Gateway, Key: a.cfg.Key}
}

// answered turns the error of a call into a fault. A connection that broke within a
// message is one that broke, not a message that is wrong.
func answered(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &fault.Fault{Code: fault.Unreachable, Text: "the connection broke", Err: err}
	}
	return wire.Fault(err)
}
