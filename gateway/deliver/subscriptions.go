package deliver

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"mulian/gateway/connect"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
)

// Bounds of subscriptions; our own choice.
const (
	maxSubscriptions = 1_000
	// maxTouched is how many keys wait for one subscription; with more the whole is taken
	// again. Some 100 MB in the book.
	maxTouched = 1_000_000
	// maxPolls is how many askers wait for changes at once; more are answered at once.
	maxPolls = 512
	// maxPoll is the longest wait (proto gateway.v1).
	maxPoll = 30 * time.Second
	// changesKeys is how many keys a page has at most.
	changesKeys = connect.MaxConditionValues
	// readyWait bounds how long a beginning waits until nothing is missed any more. Less than
	// an asker waits for the answer (pollMore).
	readyWait = 10 * time.Second
	// subscriptionLife is how long one is kept that nobody asks for.
	subscriptionLife = 7 * 24 * time.Hour

	feedRetry     = 500 * time.Millisecond
	feedRetryMost = 30 * time.Second
	// lookEvery is how often a watermark is looked at, compareEvery how often a whole table
	// is; and neither takes more than one lookShare-th of the time.
	lookEvery    = time.Second
	compareEvery = 10 * time.Second
	lookShare    = 20
	// lookWait bounds one look at a watermark, maxLooks how many are under way in one source.
	lookWait = 10 * time.Minute
	maxLooks = 4
	// How far behind the greatest watermark a transaction may commit and be found.
	lookBackNumber = 1_000
	lookBackTime   = 10 * time.Second
	// lookAhead is how far in the future a watermark may lie to count: a table's time may be of
	// another zone, and one row of the year 9999 must not hide those that come.
	lookAhead = 26 * time.Hour
)

// Subscriptions is a provider that gives changes too: a subscription is taken whole
// once, as any batch, and then page by page what changed. It is the handler of
// gateway.v1.GatewayService.
//
//	asker                                       provider
//	Changes{begin} ────────────────────────────▶ the feed stands: nothing is missed from here on
//	OpenDelivery, Pull, load, confirm            (the whole, as of later)
//	Changes{after 0, wait} ────────────────────▶ keys that were touched ─▶ decide ─▶ read their rows as they are now
//	check, keep receipt ◀── page 1, sealed, logged ─┘                      gone, or not shared any more: a delete
//	apply, with the number: one transaction
//	Changes{after 1} ──────────────────────────▶ the keys of page 1 go; page 2 …
//	                    ◀── again: taken whole once more (a truncated table, too many keys, other columns, a lost log)
//
// A page says what rows are, not what was done to them: it may be given twice, and may
// hold what a later one holds again, and the table is right after the last one.
// Between two pages the receiver's table may mix states of the source that never were at
// the same time.
type Subscriptions struct {
	*Provider
	book     *book
	told     func(ctx context.Context, from, subscription string) bool
	pack     *zstd.Encoder
	ctx      context.Context // of the sensors and messengers; ends with Close
	end      context.CancelFunc
	working  sync.WaitGroup
	messages messenger
	step     time.Duration // compareStep

	mu      sync.Mutex // guards the rest
	stir    chan struct{}
	sensors map[string]*sensor
	serial  map[int64]*sync.Mutex // one page of a subscription at a time
	polls   map[int64]int
	polling int
}

// NewSubscriptions opens what an earlier one knew and goes on with it. told passes on
// that a provider has something for a subscription of this gateway, and tells whether
// there is such a one; may be nil.
func NewSubscriptions(p *Provider, told func(ctx context.Context, from, subscription string) bool) (*Subscriptions, error) {
	b, err := openBookAnew(filepath.Join(p.cfg.Dir, "subscriptions.db"), p.cfg.Logger)
	if err != nil {
		return nil, err
	}
	x := &Subscriptions{Provider: p, book: b, told: told, stir: make(chan struct{}), sensors: map[string]*sensor{}, serial: map[int64]*sync.Mutex{}, polls: map[int64]int{}, step: compareStep}
	x.ctx, x.end = context.WithCancel(context.Background())
	x.messages.sent = map[int64]message{}
	if x.pack, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1)); err != nil {
		return nil, errors.Join(err, b.close())
	}
	all, err := b.list(x.ctx, "1")
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	for _, s := range all {
		if _, err := x.sensor(s.Source); err != nil {
			p.cfg.Logger.Warn("a source with subscriptions is not there any more", "source", s.Source, "err", err)
		}
	}
	x.working.Go(func() { x.messages.run(x.ctx, x) })
	x.working.Go(x.sweepSubscriptions)
	return x, nil
}

// Close ends the sensors. The provider is closed after it.
func (x *Subscriptions) Close() error {
	x.end()
	x.working.Wait()
	return errors.Join(x.pack.Close(), x.book.close())
}

// sensor gives the one of a source, and starts it.
func (x *Subscriptions) sensor(name string) (*sensor, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if n := x.sensors[name]; n != nil {
		return n, nil
	}
	source, _, err := x.cfg.Table(name, "")
	if err != nil {
		return nil, err
	}
	n := newSensor(x, name, source)
	x.sensors[name] = n
	x.working.Go(func() { n.run(x.ctx) })
	x.working.Go(func() { n.look(x.ctx) })
	x.working.Go(func() { n.guard(x.ctx) })
	return n, nil
}

// stirred wakes whoever waits for a change of the book.
func (x *Subscriptions) stirred() {
	x.mu.Lock()
	defer x.mu.Unlock()
	close(x.stir)
	x.stir = make(chan struct{})
}

func (x *Subscriptions) stirring() <-chan struct{} {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.stir
}

// sweepSubscriptions ends those that nobody asks for any more.
func (x *Subscriptions) sweepSubscriptions() {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		err := x.book.end(x.ctx, "seen_ms < ?", time.Now().Add(-subscriptionLife).UnixMilli())
		if err != nil && x.ctx.Err() == nil {
			x.cfg.Logger.Warn("old subscriptions could not be ended", "err", err)
		}
		select {
		case <-x.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Subscribers tells who follows this gateway's tables, and how far each is.
func (x *Subscriptions) Subscribers(ctx context.Context) ([]*gatewayv1.Subscriber, error) {
	all, err := x.book.list(ctx, "1")
	var out []*gatewayv1.Subscriber
	for _, s := range all {
		one := &gatewayv1.Subscriber{
			Subscription: s.ID, Agreement: s.Agreement, Entry: s.Entry, Asker: s.Asker, Number: s.Number, Waiting: uint64(max(s.Touched, 0)),
			Again: s.Again, SeenMs: s.SeenMs, Sensing: s.Sensing, State: "given",
		}
		seen := x.sightOf(s)
		if !seen.at.IsZero() {
			one.SensedMs = seen.at.UnixMilli()
		}
		if s.Touched > 0 {
			oldest, err := x.book.oldest(ctx, s.no)
			if err != nil {
				return nil, err
			}
			one.State, one.LagMs = "waiting", max(1, time.Now().UnixMilli()-oldest)
		}
		switch {
		case s.Again:
			one.State = "again"
		case !s.Ready:
			one.State = "beginning"
		case seen.code != fault.OK:
			one.State = "unsensed"
		}
		if seen.code != fault.OK {
			one.Problem = seen.code.String()
		}
		out = append(out, one)
	}
	return out, err
}

// begin writes a subscription down. It is not ready before the feed stands, or the table was
// looked at for the first time: both may take longer than the asker waits.
func (x *Subscriptions) begin(ctx context.Context, r *request, c claim, d *decision, b *gatewayv1.ChangesBody) (*subscription, error) {
	n, err := x.sensor(d.table.GetSource())
	if err != nil {
		return nil, err
	}
	source, name, err := x.cfg.Table(d.table.GetSource(), d.table.GetName())
	if err != nil {
		return nil, err
	}
	schema, err := source.Inspect(ctx)
	if err != nil {
		return nil, sourceFault(err)
	}
	table, ok := schema.Table(name)
	if why := schema.Hidden(name); !ok && why != "" {
		return nil, &fault.Fault{Code: fault.SourceUnreachable, Text: "the table of entry " + c.entry + " cannot be read now", Err: errors.New(why)}
	}
	if !ok {
		return nil, fault.Newf(fault.EntryDrifted, "the table of entry %s is not there", c.entry)
	}
	s := &subscription{
		ID: b.GetSubscription(), Agreement: c.agreement, Entry: c.entry, Asker: r.asker.GetId(), Source: d.table.GetSource(), Table: name,
		Columns: shapeOf(d), Notify: b.GetNotify(), Reading: reading{Key: table.PrimaryKey, Version: n.version(ctx, name)},
	}
	watermark := watermarkOf(d)
	// A deletion would tell the key of a row that is outside of the scope, or masked.
	switch byKey := wholeKey(d, table.PrimaryKey) && !d.form.reshapes(); {
	case byKey && n.followable(ctx, name):
		s.Sensing = sensingFeed
	case byKey && watermark != "":
		s.Sensing, s.Reading.Watermark = sensingWatermark, watermark
	default:
		s.Sensing = sensingCompare
		s.Reading.Columns, s.Reading.Order = d.names(), d.order()
	}
	before, err := x.book.list(ctx, "agreement = ? AND entry = ? AND asker = ?", s.Agreement, s.Entry, s.Asker)
	if err != nil {
		return nil, err
	}
	s.Reading.Fallback = s.Sensing != sensingFeed && !table.View && !d.form.reshapes() && (len(table.PrimaryKey) == 0 || wholeKey(d, table.PrimaryKey))
	if err := x.book.add(ctx, s); err != nil {
		return nil, err
	}
	x.giveUp(before)
	n.nudge()
	x.messages.probe(s.ID)
	x.stirred()
	return x.book.find(ctx, s.ID)
}

// giveUp ends the deliveries by which subscriptions that are over were taken whole: nobody takes
// them any more, and they hold rows of the quota.
func (x *Subscriptions) giveUp(over []*subscription) {
	for _, s := range over {
		if open := x.findByKey(claim{agreement: s.Agreement, entry: s.Entry}, s.Asker, s.ID); open != nil {
			x.working.Go(func() { x.fail(x.ctx, open, fault.Newf(fault.Cancelled, "its subscription is over")) })
		}
	}
}

// wholeKey tells whether the table's key is delivered: without it the receiver could not
// be told which rows are gone.
func wholeKey(d *decision, key []string) bool {
	for _, k := range key {
		if !slices.Contains(d.names(), k) {
			return false
		}
	}
	return len(key) > 0
}

// watermarkOf is the column that rises with each change, if the catalogue names one.
func watermarkOf(d *decision) string {
	if w := d.table.GetWatermarkColumn(); w != "" {
		return w
	}
	for _, it := range d.entry.GetItems() {
		if it.GetWatermark() && column(d.table, it.GetColumn()) != nil {
			return it.GetColumn()
		}
	}
	return ""
}

// shapeOf is a hash of what a row is delivered as, and of the rules that say which rows:
// after another shape everything has to be taken again.
func shapeOf(d *decision) []byte {
	parts := [][]byte{[]byte(d.agreement.GetTerms().GetRowScope())}
	for _, m := range d.agreement.GetTerms().GetMasks() {
		parts = append(parts, fmt.Appendf(nil, "%s\x00%s\x00%d\x00%d\x00%d\x00%d", m.GetEntry(), m.GetItem(), m.GetKind(), m.GetFirst(), m.GetLast(), m.GetUnit()))
	}
	for i, c := range d.resultColumns() {
		parts = append(parts, fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s\x00%t", c.GetItem(), c.GetColumn(), d.items[i].GetColumn(), c.GetType(), c.GetPrimaryKey()))
	}
	sum := sha256.Sum256(canon.Frame("mulian/gateway/shape/v1", parts...))
	return sum[:]
}
