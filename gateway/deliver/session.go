package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/gateway/receipt"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

type sessionKey struct {
	agreement string
	number    uint64
}

// session is one open delivery at the provider:
//
//	named ──StartDelivery──▶ started ──GRANTED──▶ granted ──spool whole──▶ spooled ──COMPLETED──▶ completed ──acknowledged──▶ gone
//	   └────────────── not taken within spoolLife, too many rows, no such table ──▶ failed, gone
//
// Its folder holds offer.json (what is below) and pages (what is sealed).
type session struct {
	dir string

	opening             sync.Mutex  // one OpenDelivery at a time
	ending              sync.Mutex  // one end of pages at a time
	settling            sync.Mutex  // held while its end, COMPLETED or FAILED, is looked for in the log and written
	starting            atomic.Bool // who named it is putting it on the ledger
	pulls               atomic.Int32
	heldRows, heldBytes atomic.Uint64 // of the agreement's quota, until COMPLETED
	readRows, readBytes atomic.Uint64 // by the snapshot that is under way, or was taken
	given               *given

	mu    sync.Mutex // guards the fields below; not held on disk or network
	offer offer
	spool *spool             // nil until spooling began in this process
	stop  context.CancelFunc // of who fills it; nil if nobody does
	idle  chan struct{}      // closed when nobody fills it any more
}

// offer is what has to survive a restart.
type offer struct {
	Agreement    string   `json:"agreement"`
	Number       uint64   `json:"number"`
	Entry        string   `json:"entry"`
	Asker        string   `json:"asker"`
	RequestKey   string   `json:"request_key"`
	Purpose      string   `json:"purpose"`
	Items        []string `json:"items"`
	Names        []string `json:"names,omitempty"` // patterns, of METHOD_FILE
	Salt         []byte   `json:"salt"`
	CreatedMs    int64    `json:"created_ms"`
	Started      bool     `json:"started"`             // on the ledger
	Granted      uint64   `json:"granted,omitempty"`   // leaf of GRANTED, from 1; 0: not yet
	RowsEstimate int64    `json:"rows_estimate"`       // when it was opened
	Columns      [][]byte `json:"columns,omitempty"`   // gateway.v1.ResultColumn
	Shape        []byte   `json:"shape,omitempty"`     // of columns, row scope and masks, as granted
	Whole        *whole   `json:"whole,omitempty"`     // the spool is complete
	Completed    uint64   `json:"completed,omitempty"` // leaf of COMPLETED, from 1
	OnLedger     bool     `json:"on_ledger,omitempty"` // CompleteDelivery is committed
}

// whole is what a complete spool holds.
type whole struct {
	Pages  uint64 `json:"pages"`
	Rows   uint64 `json:"rows"`
	Bytes  uint64 `json:"bytes"`  // of the sealed pages
	Digest []byte `json:"digest"` // salted
	Hash   []byte `json:"hash"`   // SHA-256 over the seal header and the sealed pages
}

func (s *session) now() offer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offer
}

// change changes the offer and makes that durable.
func (s *session) change(fn func(*offer)) error {
	s.mu.Lock()
	next := s.offer
	s.mu.Unlock()
	fn(&next)
	raw, err := json.Marshal(next)
	if err != nil {
		return err
	}
	if err := durable.ReplaceFile(filepath.Join(s.dir, "offer.json"), raw, 0o600); err != nil {
		return err
	}
	s.mu.Lock()
	s.offer = next
	s.mu.Unlock()
	return nil
}

// close waits for who fills the spool; who does must have let go of it before.
func (s *session) close() error {
	s.mu.Lock()
	sp, stop, idle := s.spool, s.stop, s.idle
	s.mu.Unlock()
	if stop != nil {
		stop()
		<-idle
	}
	s.given.close()
	if sp == nil {
		return nil
	}
	return sp.close()
}

func (p *Provider) sessionDir(k sessionKey) string {
	return filepath.Join(p.cfg.Dir, fmt.Sprintf("%s-%d", k.agreement, k.number))
}

// restoreSessions reads the open deliveries. A folder without a whole offer is what
// a crash left of one that nobody was told of, or that has ended. What cannot be read for
// another reason (no file handles left, a disk that fails) is no such folder: with it what
// had left would be forgotten, so that nothing is opened.
func (p *Provider) restoreSessions() error {
	entries, err := os.ReadDir(p.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || e.Name() == usesFolder {
			continue
		}
		dir := filepath.Join(p.cfg.Dir, e.Name())
		s, err := readSession(dir)
		var torn *json.SyntaxError
		if errors.Is(err, fs.ErrNotExist) || errors.As(err, &torn) {
			p.cfg.Logger.Warn("an open delivery has no whole offer and is dropped", "folder", e.Name(), "err", err)
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("open delivery %s: %w", e.Name(), err)
		}
		// The power may have failed after the record of its end and before our note of it.
		failed, err := p.settledBefore(s)
		if err != nil {
			return err
		}
		if failed {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			continue
		}
		if s.offer.Whole != nil {
			if s.spool, err = reopenSpool(filepath.Join(dir, "pages"), s.offer.Whole); err != nil {
				p.cfg.Logger.Warn("the pages of an open delivery are damaged", "agreement", s.offer.Agreement, "delivery", s.offer.Number, "completed", s.offer.Completed != 0, "err", err)
				if s.offer.Completed == 0 {
					s.offer.Whole = nil // they are read again
				}
			}
		}
		if s.offer.Completed == 0 {
			all := s.given.sum()
			if w := s.offer.Whole; w != nil {
				all = all.atLeast(amount{w.Rows, w.Bytes})
			}
			s.heldRows.Store(all.rows)
			s.heldBytes.Store(all.bytes)
			p.quotas.keep(s.offer.Agreement, all.rows, all.bytes)
		}
		p.sessions[sessionKey{s.offer.Agreement, s.offer.Number}] = s
	}
	return nil
}

// readSession reads what has to survive a restart of the delivery in a folder.
func readSession(dir string) (*session, error) {
	s := &session{dir: dir}
	raw, err := os.ReadFile(filepath.Join(dir, "offer.json"))
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &s.offer); err != nil {
		return nil, err
	}
	s.given, err = openGiven(dir)
	return s, err
}

// settledBefore looks whether the log has the end of a delivery whose offer names none yet.
func (p *Provider) settledBefore(s *session) (failed bool, err error) {
	if s.offer.Granted == 0 || s.offer.Completed != 0 {
		return false, nil
	}
	e, found, err := p.endOf(s.offer.Agreement, s.offer.Number)
	if err != nil || !found {
		return false, err
	}
	if e.Record.GetOutcome() == tracev1.Outcome_OUTCOME_FAILED {
		return true, nil
	}
	s.offer.Completed = e.Index + 1
	return false, nil
}

func (p *Provider) find(k sessionKey, asker string) (*session, error) {
	p.mu.Lock()
	s := p.sessions[k]
	p.mu.Unlock()
	if s == nil || s.now().Asker != asker {
		return nil, p.why(k, asker)
	}
	return s, nil
}

// findByKey finds an open delivery that the same request has opened before.
func (p *Provider) findByKey(c claim, asker, requestKey string) *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sessions {
		if o := s.now(); o.Agreement == c.agreement && o.Entry == c.entry && o.Asker == asker && o.RequestKey == requestKey {
			return s
		}
	}
	return nil
}

// name makes a session with the number that the ledger will give the delivery.
func (p *Provider) name(number uint64, r *request, c claim, d *decision, b *gatewayv1.DeliveryBody) (*session, error) {
	k := sessionKey{c.agreement, number}
	s := &session{dir: p.sessionDir(k), given: &given{path: filepath.Join(p.sessionDir(k), "given")}, offer: offer{
		Agreement: c.agreement, Number: number, Entry: c.entry, Asker: r.asker.GetId(), RequestKey: b.GetRequestKey(), Names: b.GetNames(),
		Purpose: c.purpose, Items: d.codes(), Salt: newSalt(), CreatedMs: time.Now().UnixMilli(), Shape: shapeOf(d),
	}}
	for _, col := range d.resultColumns() {
		raw, err := proto.Marshal(col)
		if err != nil {
			return nil, err
		}
		s.offer.Columns = append(s.offer.Columns, raw)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sessions) >= maxDeliveries {
		return nil, fault.Newf(fault.Busy, "%d deliveries are open here", len(p.sessions))
	}
	each := 0
	for _, other := range p.sessions {
		if other.now().Asker == s.offer.Asker {
			each++
		}
	}
	if each >= maxOpenEach {
		return nil, fault.Newf(fault.Busy, "%d deliveries for %s are open here and have to be taken first", each, s.offer.Asker)
	}
	if p.sessions[k] != nil {
		return nil, fault.Newf(fault.Busy, "delivery %d of agreement %s is being opened", number, c.agreement)
	}
	if err := durable.MkdirPrivate(s.dir); err != nil {
		return nil, err
	}
	s.starting.Store(true)
	p.sessions[k] = s
	return s, nil
}

// holds tells whether the session is open: a later one may have its number.
func (p *Provider) holds(s *session) bool {
	o := s.now()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sessions[sessionKey{o.Agreement, o.Number}] == s
}

// drop ends a session and removes its folder, once.
func (p *Provider) drop(s *session) error {
	o := s.now()
	k := sessionKey{o.Agreement, o.Number}
	p.mu.Lock()
	ours := p.sessions[k] == s
	if ours {
		delete(p.sessions, k)
	}
	p.mu.Unlock()
	if !ours {
		return nil
	}
	p.unhold(s)
	return errors.Join(s.close(), os.RemoveAll(s.dir))
}

// fail ends a session that cannot be delivered: in the log, and on the ledger.
func (p *Provider) fail(ctx context.Context, s *session, cause error) {
	ctx, cancel := p.own(ctx)
	defer cancel()
	o := s.now()
	if o.Started || p.startedByUs(ctx, claim{agreement: o.Agreement, entry: o.Entry}, o.Number) {
		m := &sharev1.FailDelivery{Agreement: o.Agreement, Number: o.Number, Cause: fault.CodeOf(cause).String()}
		if _, err := p.cfg.Chain.Send(ctx, p.signer(), m); err != nil {
			p.cfg.Logger.Warn("the ledger could not be told that a delivery failed", "agreement", o.Agreement, "delivery", o.Number, "err", err)
		}
	}
	p.ended(ctx, s, cause)
}

// ended logs that a session ended without being delivered, with what of it had left, and
// drops it.
func (p *Provider) ended(ctx context.Context, s *session, cause error) {
	p.remember(s.now(), cause)
	if err := p.broke(ctx, s, cause); err != nil {
		// What has left would be forgotten with the folder: the next sweep tries again.
		p.cfg.Logger.Error("the end of a delivery could not be logged", "delivery", s.now().Number, "err", err)
		return
	}
	o := s.now()
	if err := p.drop(s); err != nil {
		p.cfg.Logger.Warn("the folder of a delivery could not be removed", "err", err)
	}
	p.cfg.Logger.Warn("delivery failed", "agreement", o.Agreement, "delivery", o.Number, "code", fault.CodeOf(cause).String(), "err", cause)
}

// broke logs that a granted delivery did not end, once, and counts what had left.
func (p *Provider) broke(ctx context.Context, s *session, cause error) error {
	out := s.given.end()
	if o := s.now(); o.Granted == 0 || o.Completed != 0 {
		return nil
	}
	_, first, err := p.settle(ctx, s, func(rec *tracev1.AccessRecord) {
		rec.Outcome, rec.Code = tracev1.Outcome_OUTCOME_FAILED, uint32(fault.CodeOf(cause))
		rec.Rows, rec.Bytes = out.rows, out.bytes
	})
	if first {
		p.count.Failed.Add(1)
	}
	return err
}

// settle logs how a granted delivery ended and counts it, once: pages that come to their end
// may meet a failure, and the power may have failed after the record. The record that it
// returns is the one that is in the log; first tells that it is this one.
func (p *Provider) settle(ctx context.Context, s *session, how func(*tracev1.AccessRecord)) (e receipt.Entry, first bool, err error) {
	s.settling.Lock()
	defer s.settling.Unlock()
	o := s.now()
	e, found, err := p.endOf(o.Agreement, o.Number)
	if err != nil {
		return e, false, err
	}
	if found { // it is counted: here, or when the log was read
		p.unhold(s)
		return e, false, nil
	}
	granted, err := p.cfg.Log.Record(o.Granted - 1)
	if err != nil {
		return e, false, err
	}
	rec := proto.CloneOf(granted.Record)
	rec.AtMs = 0
	how(rec)
	// The record of an end must not depend on whether the asker still waits.
	if e, err = p.cfg.Log.Append(context.WithoutCancel(ctx), rec); err != nil {
		return e, false, err
	}
	p.unhold(s)
	p.quotas.count(o.Agreement, rec.GetRows(), rec.GetBytes(), e.Record.GetAtMs())
	p.count.Rows.Add(rec.GetRows())
	p.count.Bytes.Add(rec.GetBytes())
	return e, true, nil
}

// Run ends deliveries that nobody takes any more, until ctx ends.
func (p *Provider) Run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	p.sweep(ctx) // of what came to its end while this was away
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			p.sweep(ctx)
		}
	}
}

// sweep looks at each open delivery: is it too old, or has the asker ended it on the
// ledger without telling us.
func (p *Provider) sweep(ctx context.Context) {
	p.sweepUses(ctx)
	p.mu.Lock()
	var open []*session
	for _, s := range p.sessions {
		open = append(open, s)
	}
	p.mu.Unlock()
	for _, s := range open {
		o := s.now()
		if time.Since(time.UnixMilli(o.CreatedMs)) > spoolLife {
			p.fail(ctx, s, fault.Newf(fault.Expired, "not taken within %s", spoolLife))
			continue
		}
		d := &sharev1.Delivery{}
		found, err := p.cfg.Chain.Get(ctx, deliveryKey(o.Agreement, o.Number), d)
		switch {
		case err != nil || !found:
		case d.GetState() == sharev1.DeliveryState_DELIVERY_STATE_FAILED:
			p.ended(ctx, s, fault.Newf(fault.Cancelled, "given up by the asker: %s", d.GetCause()))
		case d.GetState() == sharev1.DeliveryState_DELIVERY_STATE_CONFIRMED:
			if err := p.drop(s); err != nil {
				p.cfg.Logger.Warn("the folder of a delivery could not be removed", "err", err)
			}
		}
	}
}

// logged finds the first record of a delivery in the log that has one of these outcomes:
// the power may have failed before the offer named it.
func (p *Provider) logged(agreement string, number uint64, of ...tracev1.Outcome) (e receipt.Entry, found bool, err error) {
	err = p.cfg.Log.Of(agreement, func(x receipt.Entry) bool {
		if x.Record.GetDelivery() == number && slices.Contains(of, x.Record.GetOutcome()) {
			e, found = x, true
		}
		return !found
	})
	return e, found, err
}

// endOf finds how a delivery ended.
func (p *Provider) endOf(agreement string, number uint64) (receipt.Entry, bool, error) {
	return p.logged(agreement, number, tracev1.Outcome_OUTCOME_COMPLETED, tracev1.Outcome_OUTCOME_FAILED)
}

// holds tells whether a decision of now is on what was offered: EntryDrifted if the
// entry has changed since in what the receiver's table is made of, or the terms in
// which rows and masks are agreed.
func (o offer) holds(d *decision) error {
	was, err := o.columns()
	if err != nil {
		return err
	}
	same := func(a, b *gatewayv1.ResultColumn) bool {
		return a.GetItem() == b.GetItem() && a.GetColumn() == b.GetColumn() && a.GetType() == b.GetType() && a.GetPrimaryKey() == b.GetPrimaryKey()
	}
	if !slices.EqualFunc(was, d.resultColumns(), same) || len(o.Shape) > 0 && !bytes.Equal(o.Shape, shapeOf(d)) {
		return fault.Newf(fault.EntryDrifted, "entry %s, or what is agreed of it, was changed after delivery %d was granted; it has to be asked for again", o.Entry, o.Number)
	}
	return nil
}

func (o *offer) columns() ([]*gatewayv1.ResultColumn, error) {
	var out []*gatewayv1.ResultColumn
	for _, raw := range o.Columns {
		c := &gatewayv1.ResultColumn{}
		if err := proto.Unmarshal(raw, c); err != nil {
			return nil, fault.Wrap(fault.Damaged, err, "offer of delivery %d", o.Number)
		}
		out = append(out, c)
	}
	return out, nil
}
