package drift

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"mulian/gateway/connect"
)

// Zero values of Config. Our own choices: 5 s is well below what a person
// notices; a look at 200 tables of 20 columns takes 25 ms on PostgreSQL and 40 ms
// on SQLite (connecttest's BenchmarkInspect, on a busy machine of two cores).
const (
	defaultInterval       = 5 * time.Second
	defaultConfirm        = time.Second
	defaultFreshnessEvery = 5 * time.Minute
	// lookTimeout bounds one look; a server that needs longer counts as unreachable.
	lookTimeout = 30 * time.Second
	// A refused report is offered again after firstPatience, then twice as long each time.
	firstPatience = time.Second
	lastPatience  = time.Minute
	// maxPending bounds the events that wait for acceptance. When it is reached the baseline
	// stays where it is: later changes are reported as one, none is lost.
	maxPending = 100
)

// Config says what a Watcher watches and whom it tells.
type Config struct {
	// Source is the database. Required. The Watcher does not close it. One that is a
	// connect.Feeder is looked at as soon as it tells a DDL event.
	Source connect.Source
	// Path is the file of the Watcher's memory, in a folder that exists. Required.
	// No two Watchers may share one.
	Path string
	// Report tells the catalogue; nil means accepted and durable there. It may block, its
	// ctx ends with Run. It is called by one goroutine at a time, in the order of the
	// events, each again and again until it is accepted. Required.
	Report func(ctx context.Context, e Event) error
	// Interval between looks; 0: 5 s.
	Interval time.Duration
	// Confirm is how long after a first different or failed look the second comes; 0: 1 s.
	Confirm time.Duration
	// Pinned is the structure that the catalogue knows, for the first run; nil: what
	// the first look finds.
	Pinned *connect.Schema
	// Tables are watched, no others; empty: all that the account may read.
	Tables []connect.TableName
	// Freshness lists the tables whose watermark is watched.
	Freshness []FreshnessRule
	// Rules, if set, gives the rules anew before the watermarks are looked at: entries
	// change. With an error those of before stay. Freshness is for the time until it first answered.
	Rules func(ctx context.Context) ([]FreshnessRule, error)
	// FreshnessEvery is the time between looks at watermarks; 0: 5 min.
	FreshnessEvery time.Duration
	// Log gets a line for each event, and why a look failed; nil: slog.Default.
	Log *slog.Logger
}

// A Watcher watches one database. Make it with New.
type Watcher struct {
	cfg    Config
	memory memory // owned by Run

	// What Run knows of the looks so far; lost with a restart, which asks again.
	candidate string    // hash of a structure that was seen once
	told      bool      // the database itself said that its structure changed, before this look
	failures  int       // looks that failed in a row
	watermark time.Time // when the watermarks were last looked at

	hidden map[connect.TableName]string // tables that could not be read at the last look, and why
}

// New makes a Watcher and reads its memory. An error means that Config lacks
// something, or that the memory is there and cannot be read: then a person must
// decide, because without it changes since its last use go unseen.
func New(cfg Config) (*Watcher, error) {
	if cfg.Source == nil || cfg.Report == nil || cfg.Path == "" {
		return nil, errors.New("drift: Config needs Source, Report and Path")
	}
	if err := checkRules(cfg.Freshness); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	cfg.Interval = orDefault(cfg.Interval, defaultInterval)
	cfg.Confirm = orDefault(cfg.Confirm, defaultConfirm)
	cfg.FreshnessEvery = orDefault(cfg.FreshnessEvery, defaultFreshnessEvery)
	w := &Watcher{cfg: cfg}
	found, err := w.memory.read(cfg.Path)
	if err != nil {
		return nil, err
	}
	if !found && cfg.Pinned != nil {
		w.memory.Baseline = w.watched(cfg.Pinned)
	}
	return w, nil
}

func checkRules(rules []FreshnessRule) error {
	for _, r := range rules {
		if r.Cycle <= 0 || r.Tolerance < 0 || r.Watermark == "" {
			return fmt.Errorf("drift: freshness rule of %s needs a watermark column and a cycle", r.Table)
		}
	}
	return nil
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

// Run watches until ctx ends, and returns ctx's error; or earlier, with the
// error, if the memory cannot be written. It is called once.
func (w *Watcher) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var reporting sync.WaitGroup // and listening
	defer reporting.Wait()
	defer cancel()

	accepted := make(chan struct{})
	telling := false
	next := time.NewTimer(0)
	defer next.Stop()
	var events stir
	began, stirred := make(chan struct{}, 1), make(chan struct{}, 1)
	reporting.Go(func() { w.listen(ctx, began, stirred) })
	for {
		if !telling && len(w.memory.Pending) > 0 {
			telling = true
			e := w.memory.Pending[0]
			reporting.Go(func() { w.tell(ctx, e, accepted) })
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-accepted:
			// Power fails here: the event is offered once more, with the same ID.
			telling = false
			w.memory.Pending = w.memory.Pending[1:]
			if err := w.memory.write(w.cfg.Path); err != nil {
				return err
			}
		case <-began:
			next.Reset(0)
		case <-stirred:
			events.event(time.Now())
			next.Reset(time.Until(events.due))
		case <-next.C:
			w.told = !events.first.IsZero()
			events = stir{}
			wait, err := w.look(ctx)
			if err != nil {
				return err
			}
			next.Reset(wait)
		}
	}
}

// tell offers e until it is accepted or ctx ends.
func (w *Watcher) tell(ctx context.Context, e Event, accepted chan<- struct{}) {
	patience := firstPatience
	for w.cfg.Report(ctx, e) != nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(patience):
		}
		patience = min(2*patience, lastPatience)
	}
	select {
	case accepted <- struct{}{}:
	case <-ctx.Done():
	}
}

// look looks once, remembers what is to be told, and says when to look again.
func (w *Watcher) look(ctx context.Context) (wait time.Duration, err error) {
	short, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	events, sure, moved := w.structure(short)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if sure && w.failures == 0 && time.Since(w.watermark) >= w.cfg.FreshnessEvery {
		w.watermark = time.Now()
		events = append(events, w.freshness(short)...)
	}
	w.memory.Pending = append(w.memory.Pending, events...)
	for _, e := range events {
		w.cfg.Log.Info("drift event", "id", e.ID, "kind", e.Kind.String(), "class", e.Class.String(), "table", e.Table, "reason", e.Reason, "changes", len(e.Changes))
	}
	if len(events) > 0 || moved {
		if err := w.memory.write(w.cfg.Path); err != nil {
			return 0, err
		}
	}
	if !sure {
		return w.cfg.Confirm, nil
	}
	return w.cfg.Interval, nil
}

// structure inspects. It is not sure of what was seen for the first time, and asks for
// a second look; moved tells that the memory changed.
func (w *Watcher) structure(ctx context.Context) (events []Event, sure, moved bool) {
	schema, err := w.cfg.Source.Inspect(ctx)
	if err != nil {
		return w.failed(err)
	}
	w.failures = 0
	if w.memory.Unreachable {
		w.memory.Unreachable = false
		events = append(events, Event{Kind: Reachable, At: time.Now().UTC()}.sealed())
	}
	schema = w.unread(w.watched(schema), schema.Unread)
	if w.memory.Baseline == nil {
		w.memory.Baseline = schema
		return events, true, true
	}
	was, is := w.memory.Baseline.Hash(), schema.Hash()
	switch {
	case was == is:
		w.candidate = ""
		return events, true, false
	case len(w.memory.Pending) >= maxPending:
		return events, true, false
	case w.candidate != is && !w.told:
		w.candidate = is
		return events, false, false
	}
	changes := CompareSchemas(w.memory.Baseline, schema)
	w.memory.Baseline, w.candidate = schema, ""
	e := Event{Kind: Drifted, At: time.Now().UTC(), Class: Worst(changes), Was: was, Is: is, Changes: changes}
	return append(events, e.sealed()), true, true
}

// failed counts a look without an answer; the second in a row is told. What was seen before
// is forgotten: a database that restarts in the middle of a change is asked twice again.
func (w *Watcher) failed(err error) (events []Event, sure, moved bool) {
	w.failures++
	w.candidate = ""
	if w.failures == 1 {
		return nil, false, false
	}
	if w.memory.Unreachable || len(w.memory.Pending) >= maxPending {
		return nil, true, false
	}
	w.memory.Unreachable = true
	w.cfg.Log.Warn("database cannot be watched", "error", err)
	return []Event{Event{Kind: Unreachable, At: time.Now().UTC(), Reason: reasonOf(err)}.sealed()}, true, true
}

// reasonOf is what others may know of a failure: the error's own text names
// addresses inside the department.
func reasonOf(err error) string {
	for _, known := range []error{connect.ErrUnreachable, connect.ErrDenied, connect.ErrTooLarge} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	return "structure cannot be read"
}

// unread puts in what was known before of tables that are there and cannot be read now:
// nothing is known to have changed. What cannot be read is told when that changes.
func (w *Watcher) unread(s *connect.Schema, hidden []connect.Unread) *connect.Schema {
	told := map[connect.TableName]string{}
	for _, u := range hidden {
		told[u.Name] = u.Reason
		if w.hidden[u.Name] != u.Reason {
			w.cfg.Log.Warn("a table cannot be read; what was known of it stays", "table", u.Name.String(), "reason", u.Reason)
		}
	}
	w.hidden = told
	out := &connect.Schema{Tables: slices.Clone(s.Tables)}
	if w.memory.Baseline == nil {
		return out
	}
	all := connect.Schema{Unread: hidden}
	for _, was := range w.memory.Baseline.Tables {
		if _, there := s.Table(was.TableName); !there && all.Hidden(was.TableName) != "" {
			out.Tables = append(out.Tables, was)
		}
	}
	out.Normalise()
	return out
}

// watched is the part of a document that is watched.
func (w *Watcher) watched(s *connect.Schema) *connect.Schema {
	if len(w.cfg.Tables) == 0 {
		return s
	}
	out := &connect.Schema{Tables: []connect.Table{}}
	for _, t := range s.Tables {
		if slices.Contains(w.cfg.Tables, t.TableName) {
			out.Tables = append(out.Tables, t)
		}
	}
	return out
}

// freshness looks at all watermarks. What cannot be read is passed over: a
// table or column that is gone is drift, a lost connection shows at the next look.
func (w *Watcher) freshness(ctx context.Context) (events []Event) {
	if w.cfg.Rules != nil {
		rules, err := w.cfg.Rules(ctx)
		if err == nil {
			err = checkRules(rules)
		}
		if err != nil {
			w.cfg.Log.Warn("update cycles cannot be read; those of before stay", "error", err)
		} else {
			w.cfg.Freshness = rules
		}
	}
	for _, r := range w.cfg.Freshness {
		f, err := w.cfg.Source.Freshness(ctx, r.Table, r.Watermark)
		if err != nil || len(w.memory.Pending)+len(events) >= maxPending {
			continue
		}
		now := time.Now().UTC()
		age, late, err := r.Lateness(f.Watermark, now)
		told := slices.Index(w.memory.Stale, r.Table)
		switch {
		case (late || err != nil) && told < 0:
			reason := fmt.Sprintf("%s old, the cycle is %s", age.Truncate(time.Second), r.Cycle)
			if err != nil {
				reason = err.Error()
			}
			w.memory.Stale = append(w.memory.Stale, r.Table)
			events = append(events, Event{Kind: Stale, At: now, Table: r.Table, Column: r.Watermark, Reason: reason}.sealed())
		case !late && err == nil && told >= 0:
			w.memory.Stale = slices.Delete(w.memory.Stale, told, told+1)
			events = append(events, Event{Kind: Fresh, At: now, Table: r.Table, Column: r.Watermark}.sealed())
		}
	}
	return events
}
