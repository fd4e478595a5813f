package deliver

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"sync/atomic"
	"time"

	rpc "connectrpc.com/connect"

	"mulian/client"
	"mulian/gateway/connect"
	"mulian/gateway/connect/documents"
	"mulian/gateway/receipt"
	"mulian/gateway/view"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

func newSalt() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}

func (p *Provider) signer() client.Signer {
	return client.Signer{Account: p.cfg.Gateway, Key: p.cfg.Key}
}

// OpenDelivery starts a batch: the delivery is on the ledger and its grant in the
// log when it answers, the snapshot has been begun. The same request_key again is
// the same delivery.
func (p *Provider) OpenDelivery(ctx context.Context, m *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.Answer], error) {
	done, err := p.turn(ctx)
	if err != nil {
		return nil, wire.Error(err)
	}
	defer done()
	r, err := p.admit(ctx, m.Msg)
	if err != nil {
		return nil, p.strange(err)
	}
	p.cfg.Anchor.Touch()
	answer, err := p.open(ctx, r)
	if err != nil {
		return nil, p.failed(err)
	}
	return rpc.NewResponse(answer), nil
}

func (p *Provider) open(ctx context.Context, r *request) (*gatewayv1.Answer, error) {
	b := r.body.GetDelivery()
	if b == nil {
		return nil, fault.Newf(fault.Malformed, "the request opens no delivery")
	}
	c := claim{agreement: b.GetAgreement(), entry: b.GetEntry(), purpose: b.GetPurpose(), method: methodBatch, files: true}
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := documents.CheckPatterns(b.GetNames()); err != nil {
		return nil, &fault.Fault{Code: fault.Malformed, Text: "names: patterns that are none", Err: err}
	}
	if n := len(b.GetRequestKey()); n < minRequestID || n > maxRequestID || !printable(b.GetRequestKey()) {
		return nil, fault.Newf(fault.Malformed, "request_key: %d to %d printable characters", minRequestID, maxRequestID)
	}
	d, err := p.decide(ctx, r, c)
	if err == nil {
		err = p.offersFiles(d, b.GetNames())
	}
	if err != nil {
		return nil, p.refuse(ctx, r, c, d, err)
	}
	// What begins here does not end because the asker has: its next process asks for the
	// same delivery, and the ledger may have its start already.
	ctx, cancel := p.own(ctx)
	defer cancel()
	s := p.findByKey(c, r.asker.GetId(), b.GetRequestKey())
	if s != nil {
		if s, err = p.reopen(ctx, s, c); err != nil {
			return nil, err
		}
	}
	if s == nil {
		if err := p.failedBefore(c, r.asker.GetId(), b.GetRequestKey()); err != nil {
			return nil, p.refuse(ctx, r, c, d, err)
		}
		give, err := p.quotas.take(d.agreement, time.Now().UnixMilli())
		if err != nil {
			return nil, p.refuse(ctx, r, c, d, err)
		}
		if s, err = p.start(ctx, r, c, d, b); err != nil {
			give()
			return nil, err
		}
	}
	s.opening.Lock()
	defer s.opening.Unlock()
	granted, err := p.grantDelivery(ctx, s, r, c, d)
	if err != nil {
		return nil, err
	}
	if err := p.startSpool(ctx, s, d); err != nil {
		return nil, err
	}
	return p.offerOf(s, r, d, granted)
}

// offersFiles refuses files of what is a table, and a choice among a table's rows:
// FormatMethodMismatch.
func (p *Provider) offersFiles(d *decision, names []string) error {
	if d.agreement.GetTerms().GetMethod() != methodFile {
		if len(names) > 0 {
			return fault.Newf(fault.FormatMethodMismatch, "agreement %s is for a table; only files can be chosen by name", d.agreement.GetId())
		}
		return nil
	}
	source, _, err := p.cfg.Table(d.table.GetSource(), d.table.GetName())
	if err != nil {
		return err
	}
	if _, err := documents.Choose(source, names); err != nil {
		return &fault.Fault{Code: fault.FormatMethodMismatch, Text: "entry " + d.entry.GetId() + " is no folder of documents: it cannot be handed over as files", Err: err}
	}
	return nil
}

// reopen looks whether a delivery that was named is on the ledger: the power may
// have failed meanwhile. It returns nil if it is not, and Busy while another request
// puts it there: of two at once, one would end up with the other's folder.
func (p *Provider) reopen(ctx context.Context, s *session, c claim) (*session, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	switch {
	case s.starting.Load() || !p.holds(s):
		return nil, fault.Newf(fault.Busy, "delivery %d of agreement %s is being opened", s.now().Number, c.agreement)
	case s.now().Started:
		return s, nil
	case p.startedByUs(ctx, c, s.now().Number):
		return s, s.change(func(o *offer) { o.Started = true })
	}
	return nil, p.drop(s)
}

// own is a context that does not end with the asker's, but with this provider or after a
// minute.
func (p *Provider) own(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), openWait)
	unlink := context.AfterFunc(p.running, cancel)
	return ctx, func() { unlink(); cancel() }
}

// start puts the delivery on the ledger under the next number; or takes up one that it has
// and nobody here knows any more.
func (p *Provider) start(ctx context.Context, r *request, c claim, d *decision, b *gatewayv1.DeliveryBody) (*session, error) {
	for try := 0; ; try++ {
		number, found := p.orphan(ctx, c, d.agreement.GetDeliveries())
		if !found {
			number = d.agreement.GetDeliveries() + 1
		}
		s, err := p.name(number, r, c, d, b)
		if err != nil {
			return nil, err
		}
		defer s.starting.Store(false)
		// Power fails between here and the next change: the session is read again at the next
		// start, and reopen asks the ledger.
		if err = s.change(func(o *offer) { o.Started = found }); err == nil && !found {
			_, err = p.cfg.Chain.Send(ctx, p.signer(), &sharev1.StartDelivery{Agreement: c.agreement, Number: number, Entry: c.entry})
		}
		taken := fault.Is(err, fault.AlreadyExists) || fault.Is(err, fault.ReceiptGap)
		if err == nil || !taken && p.startedByUs(ctx, c, number) { // the answer may have been lost
			return s, s.change(func(o *offer) { o.Started = true })
		}
		if dropErr := p.drop(s); dropErr != nil {
			return nil, dropErr
		}
		if !taken || try == 3 {
			return nil, err
		}
		p.cfg.View.Forget("share/agreement/" + c.agreement) // another delivery was faster
		if d.agreement, _, err = view.Get(ctx, p.cfg.View, "share/agreement/"+c.agreement, newAgreement, d.limit); err != nil {
			return nil, err
		}
	}
}

// orphan finds a delivery of the claim that the ledger has as begun by us, and of which
// nothing is known here: the answer to its start was lost. Of the last ones only.
func (p *Provider) orphan(ctx context.Context, c claim, last uint64) (number uint64, found bool) {
	const reach = 8
	for n := last; n > 0 && n+reach > last; n-- {
		p.mu.Lock()
		open := p.sessions[sessionKey{c.agreement, n}] != nil
		p.mu.Unlock()
		if open || !p.startedByUs(ctx, c, n) {
			continue
		}
		known := false // what the log knows had an end here
		err := p.cfg.Log.Of(c.agreement, func(e receipt.Entry) bool {
			known = known || e.Record.GetDelivery() == n
			return !known
		})
		if err == nil && !known {
			return n, true
		}
	}
	return 0, false
}

// startedByUs tells whether the ledger has the delivery as one of ours.
func (p *Provider) startedByUs(ctx context.Context, c claim, number uint64) bool {
	d := &sharev1.Delivery{}
	found, err := p.cfg.Chain.Get(ctx, deliveryKey(c.agreement, number), d)
	return err == nil && found && d.GetGateway() == p.cfg.Gateway && d.GetEntry() == c.entry && d.GetState() == sharev1.DeliveryState_DELIVERY_STATE_STARTED
}

// grantDelivery logs the grant, once.
func (p *Provider) grantDelivery(ctx context.Context, s *session, r *request, c claim, d *decision) (receipt.Entry, error) {
	o := s.now()
	if o.Granted != 0 {
		return p.cfg.Log.Record(o.Granted - 1)
	}
	e, found, err := p.logged(o.Agreement, o.Number, tracev1.Outcome_OUTCOME_GRANTED)
	if err != nil {
		return e, err
	}
	if !found {
		rec := p.grant(r, c, d)
		rec.Delivery = o.Number
		if e, err = p.cfg.Log.Append(ctx, rec); err != nil {
			return e, err
		}
		p.count.Granted.Add(1)
	}
	return e, s.change(func(o *offer) { o.Granted = e.Index + 1 })
}

// startSpool begins the snapshot if there is none.
func (p *Provider) startSpool(ctx context.Context, s *session, d *decision) error {
	s.mu.Lock()
	has := s.spool != nil
	s.mu.Unlock()
	if has {
		return nil
	}
	if o := s.now(); o.Completed != 0 { // its digest is signed: no other pages can take their place
		err := fault.Newf(fault.Damaged, "the pages of delivery %d are damaged here", o.Number)
		p.fail(ctx, s, err)
		return err
	}
	// The power failed after the grant: what was offered must still be what is read.
	if err := s.now().holds(d); err != nil {
		p.fail(ctx, s, err)
		return err
	}
	source, name, err := p.cfg.Table(d.table.GetSource(), d.table.GetName())
	if err != nil {
		return err
	}
	if len(s.now().Names) > 0 {
		if source, err = documents.Choose(source, s.now().Names); err != nil {
			return sourceFault(err)
		}
	}
	short, cancel := context.WithTimeout(ctx, p.sourceWait())
	defer cancel()
	fresh, err := source.Freshness(short, name, "")
	if err != nil {
		return sourceFault(err)
	}
	sp, err := createSpool(filepath.Join(s.dir, "pages"))
	if err != nil {
		return err
	}
	if err := s.change(func(o *offer) { o.RowsEstimate = fresh.Rows }); err != nil {
		return err
	}
	o := s.now()
	aad := deliveryAAD(pagesDomain, p.cfg.ChainID, p.cfg.Gateway, o.Asker, o.Agreement, o.Number)
	w, err := newSpooler(sp, d.seal, aad, len(d.items), d.agreement.GetTerms().GetMaxRowsPerCall())
	if err != nil {
		return err
	}
	fillCtx, stop := context.WithCancel(p.running)
	s.mu.Lock()
	s.spool, s.stop, s.idle = sp, stop, make(chan struct{})
	s.mu.Unlock()
	s.readRows.Store(0)
	s.readBytes.Store(0)
	w.hold = func(bytes uint64) error { return p.holdFor(s, d.agreement, 0, bytes) }
	take := func(b connect.Batch) error {
		if err := p.holdFor(s, d.agreement, uint64(len(b.Rows)), 0); err != nil {
			return err
		}
		return w.take(b)
	}
	sel := connect.Selection{Table: name, Columns: d.names(), Where: d.form.conditions(), OrderBy: d.order()}
	p.spooling.Go(func() {
		defer stop()
		if err := p.fill(fillCtx, s, w, source, sel, d.form.scan(take)); err != nil {
			p.fail(p.running, s, err)
		}
	})
	return nil
}

// fill runs beside the pulls that already take its pages. It returns why the delivery
// has failed; a stop is no failure.
func (p *Provider) fill(ctx context.Context, s *session, w *spooler, source connect.Source, sel connect.Selection, take func(connect.Batch) error) error {
	defer close(s.idle)
	defer w.stop() // whatever follows is the scan's error
	// A database that is held by a lock, or behind a cut, must not hold the delivery.
	wait := newPatience(ctx, databasePatience*p.cfg.Patience)
	defer wait.end()
	wait.begin()
	err := source.Scan(wait, sel, func(b connect.Batch) error {
		wait.done()
		defer wait.begin()
		return take(b)
	})
	err = wait.fault(fault.SourceUnreachable, err, "the department's database")
	var all *whole
	if err == nil {
		all, err = w.finish(s.now().Salt)
	}
	if err == nil {
		err = s.change(func(o *offer) { o.Whole = all })
	}
	if err != nil && ctx.Err() != nil {
		w.spool.end(fault.Newf(fault.Busy, "the gateway stops; the pages are read anew")) // at the next start
		return nil
	}
	err = sourceFault(err)
	w.spool.end(err)
	return err
}

// holdFor keeps rows and bytes of the agreement's quota for an open delivery, until it is
// completed or gone. What an earlier snapshot of it holds already is not held twice.
func (p *Provider) holdFor(s *session, g *sharev1.Agreement, rows, bytes uint64) error {
	more := func(n uint64, read, held *atomic.Uint64) uint64 {
		if n == 0 {
			return 0
		}
		all, has := read.Add(n), held.Load()
		return all - min(all, has)
	}
	rows, bytes = more(rows, &s.readRows, &s.heldRows), more(bytes, &s.readBytes, &s.heldBytes)
	if err := p.quotas.hold(g, rows, bytes, time.Now().UnixMilli()); err != nil {
		return err
	}
	s.heldRows.Add(rows)
	s.heldBytes.Add(bytes)
	return nil
}

// unhold ends that, and says how much it was.
func (p *Provider) unhold(s *session) {
	p.quotas.drop(s.now().Agreement, s.heldRows.Swap(0), s.heldBytes.Swap(0))
}

func (p *Provider) offerOf(s *session, r *request, d *decision, granted receipt.Entry) (*gatewayv1.Answer, error) {
	o := s.now()
	cols, err := o.columns()
	if err != nil {
		return nil, err
	}
	raw, err := canon.Marshal(&gatewayv1.DeliveryOffer{Delivery: o.Number, Columns: cols, RowsEstimate: o.RowsEstimate, Salt: o.Salt})
	if err != nil {
		return nil, err
	}
	header, sealed, err := sealOne(d.seal, answerAAD(r.raw), raw)
	if err != nil {
		return nil, err
	}
	rcpt, err := p.sign(granted)
	if err != nil {
		return nil, err
	}
	return &gatewayv1.Answer{SealHeader: header, Sealed: sealed, Receipt: rcpt}, nil
}

// deliveryKey is where the ledger keeps a delivery.
func deliveryKey(agreement string, number uint64) string {
	digits := []byte("0000000000")
	for i := len(digits) - 1; number > 0 && i >= 0; i-- {
		digits[i] = byte('0' + number%10)
		number /= 10
	}
	return "share/delivery/" + agreement + "/" + string(digits)
}
