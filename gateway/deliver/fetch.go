package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	rpc "connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/gateway/connect"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// Fetch says what to fetch and where to put it.
type Fetch struct {
	Agreement string
	Entry     string
	Into      connect.TableName
	Mode      connect.Mode // 0: Replace; files are put beside those that are there
	// Names choose among files: only those that fit one of these patterns. Of an agreement
	// by METHOD_FILE only; Into is then a folder.
	Names []string
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
	Names      []string          `json:"names,omitempty"`
	Files      bool              `json:"files,omitempty"` // as the agreement said when it was offered
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
	return f.Agreement == w.Agreement && f.Entry == w.Entry && f.Into == w.Into && f.Mode == w.Mode && slices.Equal(f.Names, w.Names)
}

// Fetch takes a whole entry into the own database: one transaction, exactly once,
// confirmed on the ledger when it returns. It goes on over broken connections until
// ctx ends, and stays open if there is no room for it here (DiskFull); an earlier fetch of the same into the same table that was interrupted
// is finished first, and is the result.
func (a *Asker) Fetch(ctx context.Context, w Fetch) (*Loaded, error) {
	if w.Mode == 0 {
		w.Mode = connect.Replace
	}
	if a.cfg.Sink == nil && a.cfg.Documents == nil {
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
	f := &fetch{RequestKey: newID(), Agreement: w.Agreement, Entry: w.Entry, Into: w.Into, Mode: w.Mode, Names: w.Names}
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
	if err != nil || a.cfg.Sink == nil && a.cfg.Documents == nil {
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

// ownFull tells whether it is a disk of this gateway or of its own database that is full. The
// provider's has ended the delivery there.
func ownFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// finish brings a fetch to its end. What does not go away by itself ends it, on the
// ledger too; for want of room here it stays open, DiskFull, until the next Fetch or Resume.
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
		if ownFull(err) {
			return nil, err // so does it now: what came is kept at the provider, and room comes back
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
		sink, err := a.sinkOf(f)
		if err != nil {
			return nil, err
		}
		got, found, err := sink.Loaded(ctx, schemaOf(f), f.id())
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
	f.Files = g.GetTerms().GetMethod() == methodFile
	if _, err := a.sinkOf(f); err != nil {
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

// sinkOf is where a fetch goes: Usage if this gateway has no such place.
func (a *Asker) sinkOf(f *fetch) (connect.Sink, error) {
	switch {
	case f.Files && a.cfg.Documents == nil:
		return nil, fault.Newf(fault.Usage, "this gateway has no folder for files (documents)")
	case !f.Files && a.cfg.Sink == nil:
		return nil, fault.Newf(fault.Usage, "this gateway has no database to load into (sink)")
	case f.Files:
		return a.cfg.Documents, nil
	}
	return a.cfg.Sink, nil
}

// schemaOf is where in its sink a fetch goes; folders have none.
func schemaOf(f *fetch) string {
	if f.Files {
		return ""
	}
	return f.Into.Schema
}

// offer opens the delivery, or opens it again.
func (a *Asker) offer(ctx context.Context, f *fetch, g *sharev1.Agreement, to *provider) (*gatewayv1.DeliveryOffer, error) {
	m, err := a.request(to, &gatewayv1.RequestBody{Kind: &gatewayv1.RequestBody_Delivery{Delivery: &gatewayv1.DeliveryBody{
		Agreement: f.Agreement, Entry: f.Entry, Purpose: g.GetTerms().GetPurpose(), RequestKey: f.RequestKey, Names: f.Names,
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
	case ownFull(err):
		return &fault.Fault{Code: fault.DiskFull, Text: "the own database or folder has no room; the delivery stays open, and the next fetch of it goes on", Err: err}
	case errors.Is(err, connect.ErrTargetDiffers):
		return &fault.Fault{Code: fault.AlreadyExists, Text: "the own table is there and cannot take this delivery", Err: err}
	case errors.Is(err, connect.ErrDeliveryDiffers):
		return &fault.Fault{Code: fault.VerificationFailed, Text: "the delivery was loaded before with other rows", Err: err}
	case errors.Is(err, connect.ErrConflict), errors.As(err, &value):
		return &fault.Fault{Code: fault.Malformed, Text: "a row does not fit the own table", Err: err}
	}
	return sourceFault(err)
}
