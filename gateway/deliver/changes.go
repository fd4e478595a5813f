package deliver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	rpc "connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"mulian/gateway/connect"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
)

// Changes gives the page after the one that the asker has applied, waits for one, or says
// that the whole has to be taken again. Each page with rows or keys is a call of the
// agreement: judged, counted and logged like any other.
func (x *Subscriptions) Changes(ctx context.Context, m *rpc.Request[gatewayv1.SignedRequest]) (*rpc.Response[gatewayv1.Answer], error) {
	r, err := x.admit(ctx, m.Msg)
	if err != nil {
		return nil, x.strange(err)
	}
	x.cfg.Anchor.Touch()
	answer, err := x.changes(ctx, r)
	if err != nil {
		return nil, x.failed(err)
	}
	return rpc.NewResponse(answer), nil
}

func (x *Subscriptions) changes(ctx context.Context, r *request) (*gatewayv1.Answer, error) {
	b := r.body.GetChanges()
	if b == nil {
		return nil, fault.Newf(fault.Malformed, "the request asks for no changes")
	}
	c := claim{agreement: b.GetAgreement(), entry: b.GetEntry(), purpose: b.GetPurpose(), method: methodBatch}
	if err := c.check(); err != nil {
		return nil, err
	}
	if n := len(b.GetSubscription()); n < minRequestID || n > maxRequestID || !printable(b.GetSubscription()) {
		return nil, fault.Newf(fault.Malformed, "subscription: %d to %d printable characters", minRequestID, maxRequestID)
	}
	d, err := x.decide(ctx, r, c)
	if err != nil {
		return nil, x.refuse(ctx, r, c, d, err)
	}
	s, err := x.subscribed(ctx, r, c, d, b)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return x.nothing(r, d, nil, sight{}, b.GetSubscription(), !b.GetEnd())
	}
	if b.GetBegin() {
		return x.nothing(r, d, s, x.sightOf(s), b.GetSubscription(), false)
	}
	if s, err = x.waitFor(ctx, r, c, d, s, b); err != nil {
		return nil, err
	}
	if s == nil || s.Again {
		return x.nothing(r, d, nil, sight{}, b.GetSubscription(), true)
	}
	// The wait may have been long.
	if d, err = x.decide(ctx, r, c); err != nil {
		return nil, x.refuse(ctx, r, c, d, err)
	}
	if string(s.Columns) != string(shapeOf(d)) {
		return x.nothing(r, d, nil, sight{}, b.GetSubscription(), true)
	}
	return x.page(ctx, r, c, d, s, b.GetAfter())
}

// subscribed finds the subscription, or begins or ends it; nil if there is none, or
// if it is of another time.
func (x *Subscriptions) subscribed(ctx context.Context, r *request, c claim, d *decision, b *gatewayv1.ChangesBody) (*subscription, error) {
	s, err := x.book.find(ctx, b.GetSubscription())
	if b.GetEnd() {
		if err == nil && s != nil && s.Asker == r.asker.GetId() {
			x.giveUp([]*subscription{s})
			err = x.book.end(ctx, "no = ?", s.no)
		}
		return nil, err
	}
	switch {
	case err != nil:
		return nil, err
	case s != nil && (s.Asker != r.asker.GetId() || s.Agreement != c.agreement || s.Entry != c.entry):
		return nil, fault.Newf(fault.Idempotency, "subscription %s is of another agreement, entry or asker", b.GetSubscription())
	case s == nil && !b.GetBegin():
		return nil, nil
	case s == nil:
		if _, err = x.begin(ctx, r, c, d, b); err != nil {
			return nil, err
		}
	case s.Again || string(s.Columns) != string(shapeOf(d)):
		return nil, nil
	}
	if s, err = x.whenReady(ctx, b.GetSubscription()); err != nil || s == nil {
		return nil, err
	}
	x.messages.heard(s.no)
	return s, x.book.seen(ctx, s, b.GetNotify())
}

// whenReady waits until the feed stands.
func (x *Subscriptions) whenReady(ctx context.Context, id string) (*subscription, error) {
	timer := time.NewTimer(readyWait)
	defer timer.Stop()
	for {
		stir := x.stirring()
		s, err := x.book.find(ctx, id)
		if err != nil || s == nil || s.Ready {
			return s, err
		}
		select {
		case <-stir:
		case <-timer.C:
			return nil, x.notReady(ctx, s)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// notReady tells how far a beginning is.
func (x *Subscriptions) notReady(ctx context.Context, s *subscription) error {
	if seen := x.sightOf(s); seen.code != fault.OK && seen.code != fault.Busy {
		return fault.Newf(fault.Busy, "the changes of the table are not followed yet: %s; it is tried again", seen.code)
	}
	if s.Sensing == sensingCompare {
		if c, err := x.book.comparison(ctx, s.no); err == nil && c.rows > 0 {
			return fault.Newf(fault.Busy, "the table is read for the first time, to compare: %d rows so far; ask again", c.rows)
		}
	}
	return fault.Newf(fault.Busy, "the changes of the table are not followed yet; ask again")
}

// waitFor returns when there is something for the asker, or its wait is over, or changes
// began or ceased to be noticed, or nothing may be given any more.
func (x *Subscriptions) waitFor(ctx context.Context, r *request, c claim, d *decision, s *subscription, b *gatewayv1.ChangesBody) (*subscription, error) {
	wait := min(time.Duration(b.GetWaitMs())*time.Millisecond, maxPoll)
	if wait <= 0 || !x.poll(s.no, 1) {
		return s, nil
	}
	defer x.poll(s.no, -1)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	seen := x.sightOf(s).code
	tick := time.NewTicker(redecide)
	defer tick.Stop()
	for {
		stir := x.stirring()
		s, err := x.book.find(ctx, s.ID)
		if err != nil || s == nil || s.Again || b.GetAfter() != s.Number || s.Touched > 0 && !x.onlyGiven(ctx, s) || x.sightOf(s).code != seen {
			return s, err
		}
		select {
		case <-stir:
		case <-tick.C:
			if x.untouched(r, c, d) {
				continue
			}
			if d, err = x.judge(ctx, r, c); err != nil {
				return s, nil // who waits is refused at once, and in the log
			}
		case <-timer.C:
			return s, nil
		case <-x.ctx.Done():
			return nil, fault.Newf(fault.Busy, "the gateway stops")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// onlyGiven tells whether what waits is the page that the asker says it has applied.
func (x *Subscriptions) onlyGiven(ctx context.Context, s *subscription) bool {
	return x.book.given(ctx, s) == nil && s.Touched <= 0
}

// poll counts who waits; false: too many do.
func (x *Subscriptions) poll(no int64, by int) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if by > 0 && x.polling >= maxPolls {
		return false
	}
	x.polling += by
	if x.polls[no] += by; x.polls[no] <= 0 {
		delete(x.polls, no)
	}
	return true
}

// alone gives the lock of a subscription's pages.
func (x *Subscriptions) alone(no int64) *sync.Mutex {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.serial[no] == nil {
		if len(x.serial) > 4*maxSubscriptions {
			clear(x.serial) // two pages at once are an asker's own mistake, and harm nobody
		}
		x.serial[no] = &sync.Mutex{}
	}
	return x.serial[no]
}

// nothing is an answer without changes: no record of it is kept, for no data leaves.
func (x *Subscriptions) nothing(r *request, d *decision, s *subscription, seen sight, id string, again bool) (*gatewayv1.Answer, error) {
	page := &gatewayv1.ChangePage{Subscription: id, Again: again}
	if s != nil {
		x.tellSight(page, s, seen)
	}
	if !again {
		page.Columns = d.resultColumns()
	}
	_, answer, err := x.sealPage(r, d, page)
	return answer, err
}

// tellSight says how well changes are noticed. seen is as of before the page's keys were
// looked for: what had changed by then is in this page, or one that follows it.
func (x *Subscriptions) tellSight(p *gatewayv1.ChangePage, s *subscription, seen sight) {
	p.Sensing, p.SensingAgeMs, p.SensingCode = s.Sensing, seen.ageMs(), uint32(seen.code)
}

func (x *Subscriptions) sealPage(r *request, d *decision, page *gatewayv1.ChangePage) (hash []byte, a *gatewayv1.Answer, err error) {
	raw, err := canon.Marshal(page)
	if err != nil {
		return nil, nil, err
	}
	header, sealed, err := x.sealTo(d.seal, answerAAD(r.raw), raw)
	if err != nil {
		return nil, nil, err
	}
	if len(sealed) > maxBox {
		return nil, nil, fault.Newf(fault.TooLong, "a row of %d bytes cannot be carried", len(raw))
	}
	sum := sha256.Sum256(sealed)
	return sum[:], &gatewayv1.Answer{SealHeader: header, Sealed: sealed}, nil
}

// page gives what comes after a page.
func (x *Subscriptions) page(ctx context.Context, r *request, c claim, d *decision, s *subscription, after uint64) (*gatewayv1.Answer, error) {
	done, err := x.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	lock := x.alone(s.no)
	if !lock.TryLock() {
		return nil, fault.Newf(fault.Busy, "subscription %s is asked for twice at once", s.ID)
	}
	defer lock.Unlock()
	seen := x.sightOf(s)
	if s, err = x.book.find(ctx, s.ID); err != nil {
		return nil, err
	}
	if s == nil {
		return nil, fault.Newf(fault.Busy, "the subscription has ended meanwhile")
	}
	if after == s.Number {
		if err := x.book.given(ctx, s); err != nil {
			return nil, err
		}
	}
	number, keys, gap, err := x.book.peek(ctx, s, after, x.mostKeys(d))
	switch {
	case err != nil:
		return nil, err
	case gap:
		return x.nothing(r, d, nil, sight{}, s.ID, true)
	case number == 0:
		return x.nothing(r, d, s, seen, s.ID, false)
	}
	give, err := x.quotas.take(d.agreement, time.Now().UnixMilli())
	if err != nil {
		return nil, x.refuse(ctx, r, c, d, err)
	}
	answer, counts, err := x.logPage(ctx, r, c, d, s, seen, number, keys)
	if !counts {
		give()
	}
	return answer, err
}

// mostKeys is how many keys a page may have: those that the agreement allows in one call, and
// that are left of today and of all. One at least: of none left the quota says so.
func (x *Subscriptions) mostKeys(d *decision) int {
	most := uint64(changesKeys)
	if n := d.agreement.GetTerms().GetMaxRowsPerCall(); n != 0 {
		most = min(most, n)
	}
	return int(max(1, min(most, x.quotas.left(d.agreement, time.Now().UnixMilli()))))
}

// logPage reads, seals, judges once more, notes the page's number and logs it; only then, and
// if it is still agreed, it goes out. counts tells whether the access log has the call.
func (x *Subscriptions) logPage(ctx context.Context, r *request, c claim, d *decision, s *subscription, seen sight, number uint64, keys []touched) (_ *gatewayv1.Answer, counts bool, _ error) {
	p, hash, answer, until, cause := x.readPage(ctx, r, d, s, seen, number, keys)
	rows, bytes := p.GetUpserted()+p.GetDeleted(), uint64(len(answer.GetSealed()))
	if quota(cause) { // the call is not used up by what nobody got
		return nil, false, x.refuse(ctx, r, c, d, cause)
	}
	rec := x.grant(r, c, d)
	end := proto.CloneOf(rec)
	if cause = sourceFault(cause); cause != nil {
		end.Outcome, end.Code = tracev1.Outcome_OUTCOME_FAILED, uint32(fault.CodeOf(cause))
		x.count.Failed.Add(1)
		// The record of an end must not depend on whether the asker still waits.
		if _, _, err := x.cfg.Log.AppendWhole(context.WithoutCancel(ctx), rec, end); err != nil {
			return nil, false, errors.Join(cause, err)
		}
		return nil, true, cause
	}
	// The database may have been slow: what was agreed then may not be agreed any more.
	if now, err := x.lastLook(ctx, r, c, d); err != nil {
		x.quotas.drop(c.agreement, rows, bytes)
		return nil, false, x.refuse(ctx, r, c, now, err)
	}
	// Power fails after this: the number is used, the asker asks for it again and gets the
	// same keys.
	if err := x.book.give(ctx, s, number, max(until, 1)); err != nil {
		x.quotas.drop(c.agreement, rows, bytes)
		return nil, false, err
	}
	end.Outcome, end.Rows, end.Bytes, end.ResponseHash = tracev1.Outcome_OUTCOME_COMPLETED, rows, bytes, hash
	_, e, err := x.cfg.Log.AppendWhole(ctx, rec, end)
	if err != nil {
		x.quotas.drop(c.agreement, rows, bytes)
		return nil, false, fmt.Errorf("nothing is released: %w", err)
	}
	x.quotas.spend(c.agreement, rows, bytes, e.Record.GetAtMs())
	x.count.Granted.Add(1)
	// The disk may have been slow, too. What is logged counts; it does not leave.
	if now, err := x.lastLook(ctx, r, c, d); err != nil {
		return nil, true, x.refuse(ctx, r, c, now, err)
	}
	if answer.Receipt, err = x.sign(e); err != nil {
		return nil, true, fmt.Errorf("nothing is released: %w", err)
	}
	x.count.Rows.Add(end.Rows)
	x.count.Bytes.Add(end.Bytes)
	return answer, true, nil
}

// readPage reads and seals a page, and holds its rows and bytes of the quota: with fewer keys
// where they would be too much. until is the turn of the last key in it.
func (x *Subscriptions) readPage(ctx context.Context, r *request, d *decision, s *subscription, seen sight, number uint64, keys []touched) (p *gatewayv1.ChangePage, hash []byte, answer *gatewayv1.Answer, until int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, sourceWait)
	defer cancel()
	for ; ; keys = keys[:(len(keys)+1)/2] {
		if p, until, err = x.rows(ctx, d, s, keys); err != nil {
			return p, nil, nil, 0, err
		}
		p.Subscription, p.Number, p.Columns = s.ID, number, d.resultColumns()
		x.tellSight(p, s, seen)
		p.More = s.Touched > int64(p.GetUpserted()+p.GetDeleted())
		if hash, answer, err = x.sealPage(r, d, p); err != nil {
			return p, nil, nil, 0, err
		}
		err = x.quotas.hold(d.agreement, p.GetUpserted()+p.GetDeleted(), uint64(len(answer.GetSealed())), time.Now().UnixMilli())
		if err == nil || len(keys) <= 1 {
			return p, hash, answer, until, err
		}
	}
}

// errOverfull: the rows of so many keys are more than a page.
var errOverfull = errors.New("more than a page")

// rows reads the rows of the keys as they are now, fewer keys if they are too large, and
// makes the page's content. until is the turn of the last key in it.
func (x *Subscriptions) rows(ctx context.Context, d *decision, s *subscription, keys []touched) (p *gatewayv1.ChangePage, until int64, err error) {
	source, _, err := x.cfg.Table(s.Source, d.table.GetName())
	if err != nil {
		return nil, 0, err
	}
	for {
		p, err = x.rowsOf(ctx, source, d, s, keys)
		if !errors.Is(err, errOverfull) {
			break
		}
		keys = keys[:(len(keys)+1)/2]
	}
	if err != nil || len(keys) == 0 {
		return p, s.Until, err
	}
	return p, keys[len(keys)-1].turn, nil
}

func (x *Subscriptions) rowsOf(ctx context.Context, source connect.Source, d *decision, s *subscription, keys []touched) (*gatewayv1.ChangePage, error) {
	names := d.names()
	at := make([]int, len(s.Reading.Key)) // where the key is in a row
	for i, k := range s.Reading.Key {
		at[i] = slices.Index(names, k)
	}
	wanted := map[string]bool{} // key as encoded -> it is there
	p := &gatewayv1.ChangePage{}
	for _, t := range keys {
		raw, err := connect.EncodeRows(len(at), []connect.Row{t.key})
		if err != nil {
			return nil, err
		}
		wanted[string(raw)] = false
		if p.SinceMs == 0 || t.ms < p.SinceMs {
			p.SinceMs = t.ms
		}
	}
	rows, err := connect.NewPacker(len(names))
	if err != nil {
		return nil, err
	}
	for _, sel := range selections(s, names, keys) {
		err := source.Scan(ctx, sel, func(b connect.Batch) error {
			for _, row := range b.Rows {
				raw, err := connect.EncodeRows(len(at), []connect.Row{picked(row, at)})
				if err != nil {
					return err
				}
				if there, asked := wanted[string(raw)]; !asked || there {
					continue // equal for the database, and another key for us
				}
				wanted[string(raw)] = true
				if len(keys) > 1 && rows.Bytes()+connect.RowBytes(row) > pageBytes {
					return errOverfull
				}
				if err := rows.Add(row); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return p, x.fillPage(p, rows, keys, wanted, at)
}

// fillPage packs the rows, and the keys of those that are not there.
func (x *Subscriptions) fillPage(p *gatewayv1.ChangePage, rows *connect.Packer, keys []touched, there map[string]bool, at []int) error {
	gone, err := connect.NewPacker(len(at))
	if err != nil {
		return err
	}
	order := make([]int, len(at)) // of the key's columns among the delivered ones
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return at[a] - at[b] })
	for _, t := range keys {
		raw, err := connect.EncodeRows(len(at), []connect.Row{t.key})
		if err != nil {
			return err
		}
		if there[string(raw)] {
			continue
		}
		if err := gone.Add(picked(t.key, order)); err != nil {
			return err
		}
	}
	p.Upserted, p.Deleted = uint64(rows.Rows()), uint64(gone.Rows())
	if p.Upserted > 0 {
		p.Upserts = x.pack.EncodeAll(rows.Take(), nil)
	}
	if p.Deleted > 0 {
		p.Deletes = x.pack.EncodeAll(gone.Take(), nil)
	}
	return nil
}

func picked(row connect.Row, at []int) connect.Row {
	out := make(connect.Row, len(at))
	for i, j := range at {
		out[i] = row[j]
	}
	return out
}

// selections read keys with one statement for those that differ in the last column
// alone.
func selections(s *subscription, names []string, keys []touched) []connect.Selection {
	last := len(s.Reading.Key) - 1
	var out []connect.Selection
	by := map[string]int{} // all but the last column -> where in out
	for _, t := range keys {
		group := ""
		for _, v := range t.key[:last] {
			group += fmt.Sprintf("%d:%s\x00", len(v.Text), v.Text)
		}
		i, has := by[group]
		if !has {
			sel := connect.Selection{Table: s.Table, Columns: names, OrderBy: s.Reading.Key}
			for j, k := range s.Reading.Key {
				sel.Where = append(sel.Where, connect.Condition{Column: k, Op: connect.OpIn})
				if j < last {
					sel.Where[j].Values = []connect.Value{t.key[j]}
				}
			}
			i = len(out)
			by[group], out = i, append(out, sel)
		}
		out[i].Where[last].Values = append(out[i].Where[last].Values, t.key[last])
	}
	return out
}
