package deliver

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	rpc "connectrpc.com/connect"
	"github.com/klauspost/compress/zstd"

	"mulian/gateway/connect"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// run keeps a table equal until ctx ends. Nothing ends it but that: a refusal is waited
// out.
func (x *Followings) run(ctx context.Context, f *following) {
	for wait := followRetry; ctx.Err() == nil; {
		was := x.agreed(ctx, f) // before: what changes while it is refused counts too
		err := x.step(ctx, f)
		if err == nil {
			wait = followRetry
			continue
		}
		if ctx.Err() != nil {
			return
		}
		most := followRetryMost
		if passing(err) {
			most = followRetryBusy
		} else {
			x.asker.cfg.Logger.Warn("a table is not kept equal", "agreement", f.Agreement, "entry", f.Entry, "code", fault.CodeOf(err).String(), "err", err)
		}
		f.move(func(now *gatewayv1.Following) {
			now.State, now.Problem = stateWaiting, fmt.Sprintf("%s %s", fault.CodeOf(err), err)
		})
		wait = min(2*wait, most)
		x.waitOut(ctx, f, x.pauseFor(ctx, f, err, wait, time.Now()), was)
	}
}

// rest waits, or until the provider tells, or what is agreed was changed.
func (x *Followings) rest(ctx context.Context, f *following, wait time.Duration) {
	timer, tick := time.NewTimer(wait), time.NewTicker(pauseLook)
	defer timer.Stop()
	defer tick.Stop()
	for was := x.agreed(ctx, f); was.same(x.agreed(ctx, f)); {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
			return
		case <-timer.C:
			return
		case <-tick.C:
		}
	}
}

// step takes the whole, or the next page, or waits for one.
func (x *Followings) step(ctx context.Context, f *following) error {
	if !f.Whole {
		return x.takeWhole(ctx, f)
	}
	sink := x.asker.cfg.Sink.(connect.Follower)
	at, err := sink.Applied(ctx, f.Into.Schema, f.Subscription)
	if err != nil {
		return sinkFault(err)
	}
	f.move(func(now *gatewayv1.Following) { now.Number = at.Number })
	b := &gatewayv1.ChangesBody{After: at.Number, Notify: true}
	f.mu.Lock()
	state := f.now.GetState()
	// A message proves nothing about what the provider does not notice.
	pushed := time.Since(f.told) < toldFor && state != stateStale
	f.mu.Unlock()
	if !pushed && (state == stateFollowing || state == stateStale) { // else it is not known how it is
		b.WaitMs = uint32(pollWait.Milliseconds())
	}
	page, k, err := x.ask(ctx, f, b)
	switch {
	case err != nil:
		return err
	case page.GetAgain():
		return x.anew(f)
	case page.GetNumber() == 0:
		f.move(func(now *gatewayv1.Following) { seen(now, page, true) })
		if pushed {
			x.rest(ctx, f, askEvery)
		}
		return nil
	case page.GetNumber() != at.Number+1:
		return fault.Newf(fault.VerificationFailed, "page %d of the changes came, %d is the next one", page.GetNumber(), at.Number+1)
	}
	return x.apply(ctx, f, sink, page, k)
}

// staleAfter is how old a provider's knowledge of its own changes may be before a table is
// called stale, staleCompared where it has to read the whole for it. Our own choice: twice
// what a feed may be silent that lives.
const (
	staleAfter    = 2 * connect.FeedAlive
	staleCompared = time.Hour
)

// seen notes how well the provider notices changes. all: there are no more than these.
func seen(now *gatewayv1.Following, page *gatewayv1.ChangePage, all bool) {
	age, code, most := time.Duration(page.GetSensingAgeMs())*time.Millisecond, fault.Code(page.GetSensingCode()), staleAfter
	if page.GetSensing() == sensingCompare {
		most = staleCompared
	}
	now.State, now.Problem, now.UntilMs, now.Sensing = stateFollowing, "", 0, page.GetSensing()
	// By our clock: the provider's tells only how long ago it was.
	if at := time.Now().Add(-age).UnixMilli(); all && age >= 0 && at > now.GetAtMs() {
		now.AtMs = at
	}
	switch {
	case code == fault.Busy && age < 0:
		now.State, now.Problem = stateStale, "the provider has not looked for changes since its start"
	case code != fault.OK:
		now.State, now.Problem = stateStale, fmt.Sprintf("%s the provider does not notice changes now", code)
	case age < 0 || age > most:
		now.State, now.Problem = stateStale, fmt.Sprintf("the provider has looked for changes %s ago", age.Round(time.Second))
	}
}

// anew begins under another subscription: what comes next is the whole. Busy if that was so a
// moment ago: a provider that always says so is not to have us run in circles.
func (x *Followings) anew(f *following) error {
	if time.Since(f.begun) < followRetryBusy {
		return fault.Newf(fault.Busy, "the provider lets this table be taken whole again and again")
	}
	f.begun = time.Now()
	f.mu.Lock()
	f.Subscription, f.Whole = newID(), false
	f.mu.Unlock()
	if err := f.save(); err != nil {
		return err
	}
	f.move(func(now *gatewayv1.Following) { now.Subscription, now.Number = f.Subscription, 0 })
	return nil
}

// taking is where the fetch of the whole is kept; not where [Asker.Resume] looks.
func (x *Followings) taking(f *following) string { return f.path + ".whole" }

// takeWhole begins the subscription and, after that, takes the whole: what is changed
// between the two comes twice, and nothing is missed.
func (x *Followings) takeWhole(ctx context.Context, f *following) error {
	f.move(func(now *gatewayv1.Following) { now.State, now.Problem = stateTaking, "" })
	page, _, err := x.ask(ctx, f, &gatewayv1.ChangesBody{Begin: true, Notify: true})
	if err != nil {
		return err
	}
	if page.GetAgain() {
		return x.anew(f) // the provider has that one as of another time
	}
	f.move(func(now *gatewayv1.Following) { now.Sensing = page.GetSensing() })
	open, err := x.openWhole(ctx, f)
	if err != nil {
		return err
	}
	release, err := x.asker.claim(f.Into.String())
	if err != nil {
		return err
	}
	defer release()
	_, err = x.asker.finish(ctx, open, func(rows, expected int64) {
		f.mu.Lock()
		due := rows >= f.rows+progressRows || rows < f.rows
		if due {
			f.rows, f.expected = rows, expected
		}
		f.mu.Unlock()
		if due {
			f.move(func(*gatewayv1.Following) {})
		}
	})
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.Whole, f.rows, f.expected = true, 0, 0
	f.mu.Unlock()
	// Power fails here: it is taken once more, which is as good.
	if err := f.save(); err != nil {
		return err
	}
	// What was changed since the subscription's beginning may be missing: the next step asks.
	f.move(func(now *gatewayv1.Following) { now.Taken++ })
	return nil
}

// progressRows is how often progress is told.
const progressRows = 10_000

// openWhole finds the interrupted fetch of this subscription, or writes down a new one.
// One of an earlier subscription is no use: its rows may be of before this one.
func (x *Followings) openWhole(ctx context.Context, f *following) (*fetch, error) {
	path := x.taking(f)
	raw, err := os.ReadFile(path)
	if err == nil {
		open := &fetch{path: path}
		if err := json.Unmarshal(raw, open); err != nil {
			return nil, fault.Wrap(fault.Damaged, err, "%s", path)
		}
		if open.RequestKey == f.Subscription {
			return open, nil
		}
		// Nobody would take it any more: the provider keeps it open for a day, and what it holds of
		// the quota.
		if err := x.asker.abandon(ctx, open, fault.Newf(fault.Cancelled, "the subscription has begun anew")); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	open := &fetch{RequestKey: f.Subscription, Agreement: f.Agreement, Entry: f.Entry, Into: f.Into, Mode: connect.Replace, path: path}
	return open, open.save()
}

// ask asks for changes, and checks what comes. A page with a number has a receipt, which
// is kept when this returns.
func (x *Followings) ask(ctx context.Context, f *following, b *gatewayv1.ChangesBody) (*gatewayv1.ChangePage, *ack, error) {
	a := x.asker
	g, to, err := a.right(ctx, f.Agreement, f.Entry)
	if err != nil {
		return nil, nil, err
	}
	b.Agreement, b.Entry, b.Purpose, b.Subscription = f.Agreement, f.Entry, g.GetTerms().GetPurpose(), f.Subscription
	body := &gatewayv1.RequestBody{Kind: &gatewayv1.RequestBody_Changes{Changes: b}}
	m, err := a.request(to, body)
	if err != nil {
		return nil, nil, err
	}
	// A network that is cut says nothing.
	askCtx, cancel := context.WithTimeout(ctx, time.Duration(b.GetWaitMs())*time.Millisecond+min(pollMore, a.cfg.Patience))
	defer cancel()
	res, err := to.client.Changes(askCtx, rpc.NewRequest(m))
	if err != nil {
		if ctx.Err() == nil && askCtx.Err() != nil {
			return nil, nil, fault.Wrap(fault.Unreachable, err, "no answer")
		}
		return nil, nil, answered(err)
	}
	page := &gatewayv1.ChangePage{}
	if err := a.open(answerAAD(m.GetBody()), res.Msg, page); err != nil {
		return nil, nil, err
	}
	switch {
	case page.GetSubscription() != f.Subscription:
		return nil, nil, fault.Newf(fault.VerificationFailed, "the changes are of another subscription")
	case page.GetNumber() == 0 && (len(page.GetUpserts()) > 0 || len(page.GetDeletes()) > 0):
		return nil, nil, fault.Newf(fault.VerificationFailed, "changes without a number")
	case page.GetNumber() == 0:
		return page, nil, nil
	}
	rec, err := a.check(to, res.Msg.GetReceipt(), &tracev1.AccessRecord{
		Agreement: f.Agreement, Entry: f.Entry, RequestId: body.RequestId, Outcome: tracev1.Outcome_OUTCOME_COMPLETED,
	})
	if err != nil {
		return nil, nil, err
	}
	sum, asked := sha256.Sum256(res.Msg.GetSealed()), sha256.Sum256(m.GetBody())
	if string(rec.GetResponseHash()) != string(sum[:]) || string(rec.GetRequestHash()) != string(asked[:]) || rec.GetRows() != page.GetUpserted()+page.GetDeleted() {
		return nil, nil, fault.Newf(fault.VerificationFailed, "the receipt is for other changes")
	}
	if err := x.asker.heldTo(ctx, f.Agreement, f.Entry, page.GetColumns(), rec); err != nil {
		return nil, nil, err
	}
	// Before they are applied: what is in the table has its receipt, whenever the power fails.
	k, err := a.countersign(to, res.Msg.GetReceipt())
	return page, &k, err
}

// apply brings a page into the table.
func (x *Followings) apply(ctx context.Context, f *following, sink connect.Follower, page *gatewayv1.ChangePage, k *ack) error {
	cols, key, err := targetColumns(page.GetColumns())
	if err != nil {
		return err
	}
	c := connect.Changes{Table: f.Into, Columns: cols, PrimaryKey: key, Subscription: f.Subscription, Number: page.GetNumber()}
	if c.Upserts, err = unpackRows(page.GetUpserts(), len(cols), page.GetUpserted()); err != nil {
		return err
	}
	if c.Deletes, err = unpackRows(page.GetDeletes(), len(key), page.GetDeleted()); err != nil {
		return err
	}
	release, err := x.asker.claim(f.Into.String())
	if err != nil {
		return err
	}
	defer release()
	_, err = sink.Apply(ctx, c)
	switch {
	case errors.Is(err, connect.ErrOutOfTurn), errors.Is(err, connect.ErrConflict):
		// The own table is not what it should be. The whole puts it right, unless that was
		// tried a moment ago.
		if time.Since(f.again) < followRetryMost {
			return &fault.Fault{Code: fault.Malformed, Text: "changes do not fit the own table", Err: err}
		}
		f.again = time.Now()
		x.asker.cfg.Logger.Warn("changes do not fit the own table; it is taken whole again", "agreement", f.Agreement, "entry", f.Entry, "err", err)
		return x.anew(f)
	case err != nil:
		return sinkFault(err)
	}
	f.move(func(now *gatewayv1.Following) {
		now.Number, now.Upserted, now.Deleted = page.GetNumber(), now.Upserted+page.GetUpserted(), now.Deleted+page.GetDeleted()
		seen(now, page, !page.GetMore())
	})
	select {
	case x.asker.acks <- *k:
	default: // a courtesy; our own book has the receipt
	}
	return nil
}

// unpackRows reads rows that came packed; nil if there are none.
func unpackRows(packed []byte, columns int, rows uint64) (*connect.Page, error) {
	if len(packed) == 0 && rows == 0 {
		return nil, nil
	}
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPageContent))
	if err != nil {
		return nil, err
	}
	defer unpack.Close()
	raw, err := unpack.DecodeAll(packed, nil)
	if err != nil || overfull(raw) {
		return nil, &fault.Fault{Code: fault.VerificationFailed, Text: "changes cannot be unpacked, or are too large", Err: err}
	}
	page, err := connect.DecodePage(raw)
	if err != nil || page.Columns() != columns || uint64(page.Rows()) != rows {
		return nil, &fault.Fault{Code: fault.VerificationFailed, Text: fmt.Sprintf("the changes are not %d rows of %d columns", rows, columns), Err: err}
	}
	return page, nil
}
