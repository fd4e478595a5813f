package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"strings"
	"time"

	rpc "connectrpc.com/connect"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"mulian/gateway/connect"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/seal"
)

// Fetch says what to fetch and where to put it.
type Fetch struct {
	Agreement string
	Entry     string
	Into      connect.TableName
	Mode      connect.Mode // 0: Replace
	// Progress is told how many rows are loaded, and how many are expected; may be nil.
	Progress func(rows, expected int64) `json:"-"`
}

// Loaded is a delivery that is in the own database and confirmed on the ledger.
type Loaded struct {
	Agreement string
	Delivery  uint64
	Table     connect.TableName
	Rows      int64
	Bytes     uint64 // sealed, as they came
	Digest    string // on the ledger, hex
	Height    int64  // of the confirmation
	Receipt   *tracev1.Receipt
	Took      time.Duration
}

// fetch is what has to survive a restart; a file of its own in the asker's folder
// until it is confirmed.
//
//	named ──OpenDelivery──▶ offered ──pages, PageEnd──▶ arrived ──commit──▶ (in the table) ──confirm──▶ gone
type fetch struct {
	RequestKey string            `json:"request_key"`
	Agreement  string            `json:"agreement"`
	Entry      string            `json:"entry"`
	Into       connect.TableName `json:"into"`
	Mode       connect.Mode      `json:"mode"`
	Delivery   uint64            `json:"delivery,omitempty"`
	Salt       []byte            `json:"salt,omitempty"`
	Arrived    []byte            `json:"arrived,omitempty"` // gateway.v1.PageEnd, checked; the load commits after this
	path       string
}

func (f *fetch) save() error {
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return durable.ReplaceFile(f.path, raw, 0o600)
}

// id is the delivery's name in the own database.
func (f *fetch) id() string { return fmt.Sprintf("%s/%d", f.Agreement, f.Delivery) }

func (f *fetch) same(w Fetch) bool {
	return f.Agreement == w.Agreement && f.Entry == w.Entry && f.Into == w.Into && f.Mode == w.Mode
}

// Fetch takes a whole entry into the own database: one transaction, exactly once,
// confirmed on the ledger when it returns. It goes on over broken connections until
// ctx ends; an earlier fetch of the same into the same table that was interrupted
// is finished first, and is the result.
func (a *Asker) Fetch(ctx context.Context, w Fetch) (*Loaded, error) {
	if w.Mode == 0 {
		w.Mode = connect.Replace
	}
	if a.cfg.Sink == nil {
		return nil, fault.Newf(fault.Usage, "this gateway has no database to load into (sink)")
	}
	release, err := a.claim(w.Into.String())
	if err != nil {
		return nil, err
	}
	defer release()
	open, err := a.openFetch(w)
	if err != nil {
		return nil, err
	}
	return a.finish(ctx, open, w.Progress)
}

// claim makes sure that one fetch at a time loads a table.
func (a *Asker) claim(table string) (release func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.busy[table] {
		return nil, fault.Newf(fault.Busy, "table %s is being loaded", table)
	}
	a.busy[table] = true
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.busy, table)
	}, nil
}

// openFetch finds the interrupted fetch, or writes down a new one.
func (a *Asker) openFetch(w Fetch) (*fetch, error) {
	all, err := a.interrupted()
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		if f.same(w) {
			return f, nil
		}
	}
	f := &fetch{RequestKey: newID(), Agreement: w.Agreement, Entry: w.Entry, Into: w.Into, Mode: w.Mode}
	f.path = filepath.Join(a.cfg.Dir, f.RequestKey+".fetch")
	return f, f.save()
}

// interrupted reads the fetches that have not ended.
func (a *Asker) interrupted() ([]*fetch, error) {
	files, err := os.ReadDir(a.cfg.Dir)
	if err != nil {
		return nil, err
	}
	var out []*fetch
	for _, e := range files {
		if !strings.HasSuffix(e.Name(), ".fetch") {
			continue
		}
		f := &fetch{path: filepath.Join(a.cfg.Dir, e.Name())}
		raw, err := os.ReadFile(f.path)
		if err == nil {
			err = json.Unmarshal(raw, f)
		}
		if err != nil {
			return nil, fault.Wrap(fault.Damaged, err, "%s", f.path)
		}
		out = append(out, f)
	}
	return out, nil
}

// Resume finishes the fetches that a stop interrupted.
func (a *Asker) Resume(ctx context.Context) error {
	all, err := a.interrupted()
	if err != nil || a.cfg.Sink == nil {
		return err
	}
	for _, f := range all {
		release, err := a.claim(f.Into.String())
		if err != nil {
			continue // somebody is at it
		}
		l, err := a.finish(ctx, f, nil)
		release()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			a.cfg.Logger.Warn("an interrupted fetch could not be finished", "agreement", f.Agreement, "entry", f.Entry, "code", fault.CodeOf(err).String(), "err", err)
			continue
		}
		a.cfg.Logger.Info("an interrupted fetch is finished", "agreement", f.Agreement, "delivery", l.Delivery, "rows", l.Rows)
	}
	return nil
}

// passing tells whether a fault goes away by itself.
func passing(err error) bool {
	switch fault.CodeOf(err) {
	case fault.Unreachable, fault.Timeout, fault.Busy, fault.StaleHeight, fault.SourceUnreachable:
		return true
	}
	return false
}

// finish brings a fetch to its end. What does not go away by itself ends it, on the
// ledger too.
func (a *Asker) finish(ctx context.Context, f *fetch, progress func(int64, int64)) (*Loaded, error) {
	began := time.Now()
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		l, err := a.once(ctx, f, progress)
		if err == nil {
			l.Took = time.Since(began)
			return l, os.Remove(f.path)
		}
		if ctx.Err() != nil {
			return nil, err // it stays open: the next Fetch or Resume goes on
		}
		if !passing(err) {
			return nil, errors.Join(err, a.abandon(ctx, f, err))
		}
		a.cfg.Logger.Info("fetch interrupted, going on", "agreement", f.Agreement, "entry", f.Entry, "code", fault.CodeOf(err).String(), "err", err)
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait):
		}
	}
}

// abandon gives a fetch up.
func (a *Asker) abandon(ctx context.Context, f *fetch, cause error) error {
	if f.Delivery != 0 {
		m := &sharev1.FailDelivery{Agreement: f.Agreement, Number: f.Delivery, Cause: fault.CodeOf(cause).String()}
		if _, err := a.cfg.Chain.Send(ctx, a.signer(), m); err != nil {
			a.cfg.Logger.Info("the ledger does not take that a delivery failed", "agreement", f.Agreement, "delivery", f.Delivery, "code", fault.CodeOf(err).String())
		}
	}
	return os.Remove(f.path)
}

func (a *Asker) once(ctx context.Context, f *fetch, progress func(int64, int64)) (*Loaded, error) {
	if f.Delivery != 0 && f.Arrived != nil {
		// The power failed at or after the commit: the database knows.
		got, found, err := a.cfg.Sink.Loaded(ctx, f.Into.Schema, f.id())
		if err != nil {
			return nil, sourceFault(err)
		}
		if found {
			_, to, err := a.right(ctx, f.Agreement, f.Entry)
			if err != nil {
				return nil, err
			}
			return a.confirm(ctx, f, to, got)
		}
	}
	g, to, err := a.right(ctx, f.Agreement, f.Entry)
	if err != nil {
		return nil, err
	}
	offer, err := a.offer(ctx, f, g, to)
	if err != nil {
		return nil, err
	}
	got, err := a.load(ctx, f, to, offer, progress)
	if err != nil {
		return nil, err
	}
	return a.confirm(ctx, f, to, got)
}

// offer opens the delivery, or opens it again.
func (a *Asker) offer(ctx context.Context, f *fetch, g *sharev1.Agreement, to *provider) (*gatewayv1.DeliveryOffer, error) {
	m, err := a.request(to, &gatewayv1.RequestBody{Kind: &gatewayv1.RequestBody_Delivery{Delivery: &gatewayv1.DeliveryBody{
		Agreement: f.Agreement, Entry: f.Entry, Purpose: g.GetTerms().GetPurpose(), RequestKey: f.RequestKey,
	}}})
	if err != nil {
		return nil, err
	}
	short, cancel := context.WithTimeout(ctx, a.cfg.Patience)
	defer cancel()
	res, err := to.client.OpenDelivery(short, rpc.NewRequest(m))
	if err != nil {
		return nil, answered(err)
	}
	offer := &gatewayv1.DeliveryOffer{}
	if err := a.open(answerAAD(m.GetBody()), res.Msg, offer); err != nil {
		return nil, err
	}
	rec, err := a.check(to, res.Msg.GetReceipt(), &tracev1.AccessRecord{
		Agreement: f.Agreement, Entry: f.Entry, Outcome: tracev1.Outcome_OUTCOME_GRANTED, Delivery: offer.GetDelivery(),
	})
	if err == nil {
		err = a.heldTo(ctx, f.Agreement, f.Entry, offer.GetColumns(), rec)
	}
	if err != nil {
		return nil, err
	}
	if offer.GetDelivery() == 0 || len(offer.GetSalt()) < 16 {
		return nil, fault.Newf(fault.VerificationFailed, "the offer has no number or no salt")
	}
	if f.Delivery != offer.GetDelivery() || string(f.Salt) != string(offer.GetSalt()) {
		f.Delivery, f.Salt, f.Arrived = offer.GetDelivery(), offer.GetSalt(), nil
		if err := f.save(); err != nil {
			return nil, err
		}
	}
	return offer, nil
}

// arrival is one load under way.
type arrival struct {
	asker   *Asker
	f       *fetch
	to      *provider
	load    connect.Load
	own     *patience // with the own database
	columns int
	opener  *seal.Opener
	header  []byte
	unpack  *zstd.Decoder
	raw     []byte // of the latest page; used again
	hash    hash.Hash
	bytes   uint64
	next    uint64
	// disorders is how often a page came that was not the next one: twice, or too early.
	disorders int
	end       *gatewayv1.PageEnd
	told      func(int64)
}

// errDisorder is of pages that do not come one after the other. They are asked for again,
// maxDisorders times in a load: more is no accident.
var errDisorder = errors.New("pages out of order")

const maxDisorders = 2

// maxPageContent bounds a page after unpacking (connect.MaxPageBytes).
const maxPageContent = connect.MaxPageBytes

// maxSharedPage bounds a page of more than one row: twice what a provider puts into
// one. A value in memory is up to 40 times its shortest encoding, so that a page of
// 64 MB of nothing would need gigabytes.
const maxSharedPage = 2 * pageBytes

// overfull reads the head of a large page (gateway/connect codec.go: a version, the
// numbers of columns and of rows) and tells whether it is not one row alone.
func overfull(page []byte) bool {
	if len(page) <= maxSharedPage {
		return false
	}
	_, n := binary.Uvarint(page[1:])
	if n <= 0 {
		return true
	}
	rows, _ := binary.Uvarint(page[1+n:])
	return rows != 1
}

func (a *Asker) load(ctx context.Context, f *fetch, to *provider, offer *gatewayv1.DeliveryOffer, progress func(int64, int64)) (connect.Receipt, error) {
	cols, key, err := targetColumns(offer.GetColumns())
	if err != nil {
		return connect.Receipt{}, err
	}
	own := newPatience(ctx, databasePatience*a.cfg.Patience)
	defer own.end()
	own.begin()
	load, err := a.cfg.Sink.Begin(own, connect.Target{Table: f.Into, Columns: cols, PrimaryKey: key, Mode: f.Mode, Delivery: f.id()})
	own.done()
	if err != nil {
		return connect.Receipt{}, own.fault(fault.SourceUnreachable, sinkFault(err), "the own database")
	}
	defer load.Rollback()
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPageContent))
	if err != nil {
		return connect.Receipt{}, err
	}
	defer unpack.Close()
	in := &arrival{asker: a, f: f, to: to, load: load, own: own, columns: len(cols), unpack: unpack, hash: sha256.New(), told: func(int64) {}}
	if progress != nil {
		in.told = func(rows int64) { progress(rows, offer.GetRowsEstimate()) }
	}
	if err := in.all(ctx); err != nil {
		return connect.Receipt{}, err
	}
	raw, err := canon.Marshal(in.end)
	if err != nil {
		return connect.Receipt{}, err
	}
	f.Arrived = raw
	if err := f.save(); err != nil {
		return connect.Receipt{}, err
	}
	// Power fails here: the database decides whether the delivery is in the table.
	own.begin()
	got, err := load.Commit(own)
	own.done()
	return got, own.fault(fault.SourceUnreachable, sinkFault(err), "the own database")
}

// all pulls until the end has come, over broken connections too, as long as each
// brings something.
func (in *arrival) all(ctx context.Context) error {
	for tries := 0; in.end == nil; tries++ {
		before := in.next
		err := in.pull(ctx)
		if err == nil && in.end == nil {
			err = fault.Newf(fault.Unreachable, "the pages ended before the last one")
		}
		if err == nil {
			break
		}
		if in.next > before {
			tries = 0
		}
		if errors.Is(err, errDisorder) && in.disorders < maxDisorders {
			in.disorders++
			continue
		}
		// Busy, SourceUnreachable: the provider has to begin anew, and so have we.
		if ctx.Err() != nil || !passing(err) || fault.Is(err, fault.Busy) || fault.Is(err, fault.SourceUnreachable) || tries >= 5 {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond << tries):
		}
	}
	return in.compare()
}

func (in *arrival) pull(ctx context.Context) error {
	m, err := in.asker.request(in.to, &gatewayv1.RequestBody{Kind: &gatewayv1.RequestBody_Pull{Pull: &gatewayv1.PullBody{
		Agreement: in.f.Agreement, Delivery: in.f.Delivery, FromPage: in.next,
	}}})
	if err != nil {
		return err
	}
	// A network that is cut says nothing.
	wait := newPatience(ctx, in.asker.cfg.Patience)
	defer wait.end()
	wait.begin()
	stream, err := in.to.client.Pull(wait, rpc.NewRequest(m))
	if err != nil {
		return wait.fault(fault.Unreachable, answered(err), "the provider")
	}
	defer stream.Close()
	for in.end == nil && stream.Receive() {
		wait.done()
		if err := in.page(stream.Msg()); err != nil {
			return err
		}
		wait.begin()
	}
	if in.end != nil {
		return nil
	}
	if err = wait.fault(fault.Unreachable, answered(stream.Err()), "the provider"); fault.Is(err, fault.NotFound) {
		// It was open a moment ago, and has failed there since; why, the next offer says.
		return &fault.Fault{Code: fault.Busy, Text: fmt.Sprintf("the provider has given up delivery %d", in.f.Delivery), Err: err}
	}
	return err
}

// page takes the next page, or the end.
func (in *arrival) page(p *gatewayv1.Page) error {
	if p.GetNumber() != in.next {
		return &fault.Fault{Code: fault.VerificationFailed, Text: fmt.Sprintf("page %d came, %d is the next one", p.GetNumber(), in.next), Err: errDisorder}
	}
	if p.GetLast() {
		return in.last(p)
	}
	if len(p.GetSealHeader()) > 0 {
		if err := in.begin(p.GetSealHeader()); err != nil {
			return err
		}
	}
	if in.opener == nil {
		return fault.Newf(fault.VerificationFailed, "pages without a seal header")
	}
	packed, err := in.opener.Open(uint32(p.GetNumber()), p.GetSealed(), false)
	if err != nil {
		return fault.Wrap(fault.VerificationFailed, err, "page %d", p.GetNumber())
	}
	raw, err := in.unpack.DecodeAll(packed, in.raw[:0])
	if cap(raw) <= maxSharedPage {
		in.raw = raw
	}
	if err != nil || len(raw) > maxPageContent {
		return &fault.Fault{Code: fault.VerificationFailed, Text: fmt.Sprintf("page %d cannot be unpacked", p.GetNumber()), Err: err}
	}
	if overfull(raw) {
		return fault.Newf(fault.VerificationFailed, "page %d is too large", p.GetNumber())
	}
	page, err := connect.DecodePage(raw)
	if err != nil || page.Columns() != in.columns {
		return &fault.Fault{Code: fault.VerificationFailed, Text: fmt.Sprintf("page %d holds no rows of %d columns", p.GetNumber(), in.columns), Err: err}
	}
	in.own.begin()
	err = in.load.Append(in.own, page)
	in.own.done()
	if err != nil {
		return in.own.fault(fault.SourceUnreachable, sinkFault(err), "the own database")
	}
	in.hash.Write(p.GetSealed())
	in.bytes += uint64(len(p.GetSealed()))
	in.next++
	rows, _ := in.load.Sum()
	in.told(rows)
	return nil
}

// begin takes the seal header. Another one in the middle means that the provider had
// to read its table anew: what came so far is of the past.
func (in *arrival) begin(header []byte) error {
	if in.opener != nil {
		if string(in.header) == string(header) {
			return nil
		}
		return fault.Newf(fault.Busy, "the provider has begun the delivery anew")
	}
	aad := deliveryAAD(pagesDomain, in.asker.cfg.ChainID, in.to.account.GetId(), in.asker.cfg.Gateway, in.f.Agreement, in.f.Delivery)
	opener, err := seal.NewOpener(in.asker.cfg.SealKey, header, aad)
	if err != nil {
		return fault.Wrap(fault.VerificationFailed, err, "the delivery's seal")
	}
	in.opener, in.header = opener, header
	in.hash.Write(header)
	return nil
}

func (in *arrival) last(p *gatewayv1.Page) error {
	aad := deliveryAAD(endDomain, in.asker.cfg.ChainID, in.to.account.GetId(), in.asker.cfg.Gateway, in.f.Agreement, in.f.Delivery)
	raw, err := openOne(in.asker.opener, aad, p.GetSealHeader(), p.GetSealed())
	if err != nil {
		return err
	}
	end := &gatewayv1.PageEnd{}
	if err := canon.Check(raw, end); err != nil {
		return fault.Wrap(fault.VerificationFailed, err, "the delivery's end")
	}
	in.end = end
	return nil
}

// compare holds what came against what the provider says, in its receipt and to the
// ledger, before anything is committed.
func (in *arrival) compare() error {
	rec, err := in.asker.check(in.to, in.end.GetReceipt(), &tracev1.AccessRecord{
		Agreement: in.f.Agreement, Entry: in.f.Entry, Outcome: tracev1.Outcome_OUTCOME_COMPLETED, Delivery: in.f.Delivery,
	})
	if err != nil {
		return err
	}
	loaded, sum := in.load.Sum()
	rows, digest := uint64(loaded), SaltedDigest(in.f.Salt, sum)
	switch {
	case in.end.GetRows() != rows || rec.GetRows() != rows:
		return fault.Newf(fault.VerificationFailed, "%d rows came, the provider says %d", rows, in.end.GetRows())
	case string(in.end.GetDigest()) != string(digest):
		return fault.Newf(fault.VerificationFailed, "the rows that came are not those that the provider read")
	case in.end.GetBytes() != in.bytes || in.opener != nil && string(rec.GetResponseHash()) != string(in.hash.Sum(nil)):
		return fault.Newf(fault.VerificationFailed, "the pages that came are not those that the receipt names")
	}
	return nil
}

// confirm tells the ledger and the provider. Only this is left after the commit.
func (a *Asker) confirm(ctx context.Context, f *fetch, to *provider, got connect.Receipt) (*Loaded, error) {
	end := &gatewayv1.PageEnd{}
	if err := proto.Unmarshal(f.Arrived, end); err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "%s", f.path)
	}
	sum, err := hex.DecodeString(got.Digest)
	if err != nil || len(sum) != sha256.Size {
		return nil, fault.Newf(fault.Damaged, "the database's note of delivery %s", f.id())
	}
	digest := SaltedDigest(f.Salt, [sha256.Size]byte(sum))
	m := &sharev1.ConfirmDelivery{Agreement: f.Agreement, Number: f.Delivery, Rows: uint64(got.Rows), Digest: digest}
	out := &Loaded{
		Agreement: f.Agreement, Delivery: f.Delivery, Table: f.Into, Rows: got.Rows, Bytes: end.GetBytes(),
		Digest: hex.EncodeToString(digest), Receipt: end.GetReceipt(),
	}
	res, err := a.cfg.Chain.Send(ctx, a.signer(), m)
	switch {
	case err == nil:
		out.Height = res.Height
	case fault.Is(err, fault.IllegalTransition) && a.confirmed(ctx, f, digest):
		// The power failed between the confirmation and our note of it.
	default:
		return nil, err
	}
	k, err := a.countersign(to, out.Receipt)
	if err != nil {
		return nil, err
	}
	if err := a.acknowledge(ctx, k); err != nil {
		a.cfg.Logger.Info("the end of a delivery could not be acknowledged", "agreement", f.Agreement, "delivery", f.Delivery, "code", fault.CodeOf(err).String())
	}
	return out, nil
}

func (a *Asker) confirmed(ctx context.Context, f *fetch, digest []byte) bool {
	d := &sharev1.Delivery{}
	found, err := a.cfg.Chain.Get(ctx, deliveryKey(f.Agreement, f.Delivery), d)
	return err == nil && found && d.GetState() == sharev1.DeliveryState_DELIVERY_STATE_CONFIRMED && string(d.GetDigest()) == string(digest)
}

// sinkFault turns an error of the own database into one for the caller.
func sinkFault(err error) error {
	var value *connect.ValueError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, connect.ErrTargetDiffers):
		return &fault.Fault{Code: fault.AlreadyExists, Text: "the own table is there and cannot take this delivery", Err: err}
	case errors.Is(err, connect.ErrDeliveryDiffers):
		return &fault.Fault{Code: fault.VerificationFailed, Text: "the delivery was loaded before with other rows", Err: err}
	case errors.Is(err, connect.ErrConflict), errors.As(err, &value):
		return &fault.Fault{Code: fault.Malformed, Text: "a row does not fit the own table", Err: err}
	}
	return sourceFault(err)
}
