package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"time"

	rpc "connectrpc.com/connect"
	"github.com/klauspost/compress/zstd"

	"mulian/gateway/connect"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/seal"
)

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

	// Of checkpoints.
	noted uint64    // next, at the last one
	rest  time.Time // before which there is none
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
	sink, err := a.sinkOf(f)
	if err != nil {
		return connect.Receipt{}, err
	}
	into, mode := f.Into, f.Mode
	if f.Files {
		into, mode = connect.TableName{Name: f.Into.String()}, connect.Merge
	}
	own := newPatience(ctx, databasePatience*a.cfg.Patience)
	defer own.end()
	target := connect.Target{Table: into, Columns: cols, PrimaryKey: key, Mode: mode, Delivery: f.id()}
	begin := func() (connect.Load, error) {
		own.begin()
		defer own.done()
		load, err := sink.Begin(own, target)
		return load, own.fault(fault.SourceUnreachable, sinkFault(err), "the own database")
	}
	load, err := begin()
	if err != nil {
		return connect.Receipt{}, err
	}
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPageContent))
	if err != nil {
		return connect.Receipt{}, errors.Join(err, load.Rollback())
	}
	defer unpack.Close()
	in := &arrival{asker: a, f: f, to: to, load: load, own: own, columns: len(cols), unpack: unpack, hash: sha256.New(), told: func(int64) {}}
	if progress != nil {
		in.told = func(rows int64) { progress(rows, offer.GetRowsEstimate()) }
	}
	defer func() { in.load.Rollback() }()
	if !in.resumes() {
		if err := load.Rollback(); err != nil {
			return connect.Receipt{}, sinkFault(err)
		}
		if in.load, err = begin(); err != nil {
			in.load = load // which has ended
			return connect.Receipt{}, err
		}
	}
	if err := in.all(ctx); err != nil {
		in.leave(ctx, err)
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
	got, err := in.load.Commit(own)
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
	return in.checkpoint()
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
	opener, err := seal.NewOpenerOf(in.asker.sealKeys(), header, aad)
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
