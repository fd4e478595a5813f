package issue

import (
	"context"
	"os"
	"slices"
	"sync"
	"time"

	"mulian/gateway/connect"
	credentialv1 "mulian/gen/mulian/credential/v1"
	"mulian/internal/fault"
)

// Rows that credentials rest on are watched in two ways:
//
//	source with a feed of changes ──row changed──▶ Touched ──▶ its records are looked at now
//	any source ──every few seconds──▶ sweep ──▶ all records, but those that a feed tells
//	                                              (these once a minute: a feed that lies is found)
//	             either ──the row is another one──▶ ReportSourceChange ──▶ SUSPENDED in that block

// feedGuard is how often rows are swept that a feed tells. Our own choice.
const feedGuard = time.Minute

// place is a table of a source.
type place struct {
	source string
	table  connect.TableName
}

// resting is what is in memory of the records: another process may add some, which shows in
// the folder's time.
type resting struct {
	mu      sync.Mutex
	changed time.Time           // of the folder, when it was read
	rows    map[string][]Record // by row key; mu
	places  map[string]place    // by type and version; mu
	touched map[string]Record   // by id: a feed said that their row changed; mu
	wake    chan struct{}       // holds one; made by rest
}

// rest reads the records again if there are others, and gives those that are watched.
func (o *Office) rest(ctx context.Context) ([]Record, error) {
	r := &o.resting
	info, err := os.Stat(o.Records.Dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "records of issued credentials")
	}
	r.mu.Lock()
	fresh := r.rows != nil && info.ModTime().Equal(r.changed)
	r.mu.Unlock()
	if !fresh {
		all, err := o.Records.All()
		if err != nil {
			return nil, err
		}
		rows := map[string][]Record{}
		for _, x := range all {
			if x.Source != "" {
				rows[x.RowKey] = append(rows[x.RowKey], x)
				if err := o.locatePlace(ctx, x); err != nil {
					return nil, err
				}
			}
		}
		r.mu.Lock()
		r.rows, r.changed = rows, info.ModTime()
		r.mu.Unlock()
	}
	return o.watched(), nil
}

// noted takes a record that this process has made: the others need not be read again.
func (o *Office) noted(x Record, p *plan) {
	r := &o.resting
	info, err := os.Stat(o.Records.Dir)
	r.mu.Lock()
	defer r.mu.Unlock()
	if x.Source == "" {
		return
	}
	r.stir()
	if r.rows == nil || err != nil {
		return // all are read when they are asked for
	}
	r.rows[x.RowKey] = append(r.rows[x.RowKey], x)
	r.changed = info.ModTime()
	if r.places == nil {
		r.places = map[string]place{}
	}
	r.places[kindOf(x)] = place{p.table.GetSource(), tableName(p.table.GetName())}
}

// settled notes that a record was reported.
func (o *Office) settled(x Record) {
	info, err := os.Stat(o.Records.Dir)
	o.resting.mu.Lock()
	defer o.resting.mu.Unlock()
	for i, y := range o.resting.rows[x.RowKey] {
		if y.ID == x.ID && err == nil {
			o.resting.rows[x.RowKey][i].Reported = true
			o.resting.changed = info.ModTime()
		}
	}
}

// forget undoes noted.
func (o *Office) forget(x Record) {
	o.resting.mu.Lock()
	defer o.resting.mu.Unlock()
	if left := slices.DeleteFunc(o.resting.rows[x.RowKey], func(y Record) bool { return y.ID == x.ID }); len(left) > 0 {
		o.resting.rows[x.RowKey] = left
	} else {
		delete(o.resting.rows, x.RowKey)
	}
}

// stir wakes Watch; mu is held.
func (r *resting) stir() {
	select {
	case r.waking() <- struct{}{}:
	default:
	}
}

// watched are the records whose rows are watched now.
func (o *Office) watched() (out []Record) {
	now := o.now().UnixMilli()
	o.resting.mu.Lock()
	defer o.resting.mu.Unlock()
	for _, same := range o.resting.rows {
		for _, x := range same {
			if !x.Reported && (x.ExpiresMs == 0 || now < x.ExpiresMs) {
				out = append(out, x)
			}
		}
	}
	slices.SortFunc(out, func(a, b Record) int { return compareText(a.ID, b.ID) })
	return out
}

func compareText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func kindOf(x Record) string { return typeKey(x.Type, x.Version) }

// InForce returns the id of a credential of that type that is in force for a row, as far as
// this gateway issued it; "" if there is none.
func (o *Office) InForce(ctx context.Context, kind, rowKey string) (string, error) {
	if _, err := o.rest(ctx); err != nil {
		return "", err
	}
	o.resting.mu.Lock()
	of := slices.Clone(o.resting.rows[rowKey])
	o.resting.mu.Unlock()
	for _, x := range of {
		c := &credentialv1.Credential{}
		if x.Type != kind {
			continue
		}
		ok, err := o.Get(ctx, "credential/item/"+x.ID, c)
		if err != nil {
			return "", err
		}
		if ok && (c.GetState() == credentialv1.CredentialState_CREDENTIAL_STATE_VALID || c.GetState() == credentialv1.CredentialState_CREDENTIAL_STATE_SUSPENDED) {
			return x.ID, nil
		}
	}
	return "", nil
}

// locatePlace finds the table of a record's type, once.
func (o *Office) locatePlace(ctx context.Context, x Record) error {
	o.resting.mu.Lock()
	_, known := o.resting.places[kindOf(x)]
	o.resting.mu.Unlock()
	if known {
		return nil
	}
	p, err := o.plan(ctx, Order{Type: x.Type, Version: x.Version, RowKey: x.RowKey})
	if fault.Is(err, fault.SourceMissing) || fault.Is(err, fault.ItemUnmapped) {
		return nil // the sweep tells of it
	}
	if err != nil || p.table == nil {
		return err
	}
	o.resting.mu.Lock()
	defer o.resting.mu.Unlock()
	if o.resting.places == nil {
		o.resting.places = map[string]place{}
	}
	o.resting.places[kindOf(x)] = place{p.table.GetSource(), tableName(p.table.GetName())}
	return nil
}

// Tables are those of a source on whose rows credentials rest that hold.
func (o *Office) Tables(source string) (out []connect.TableName) {
	for _, x := range o.watched() {
		o.resting.mu.Lock()
		at, ok := o.resting.places[kindOf(x)]
		o.resting.mu.Unlock()
		if ok && at.source == source && !slices.Contains(out, at.table) {
			out = append(out, at.table)
		}
	}
	return out
}

// Touched is told by the feed of a source which rows have changed; no rows: the feed begins
// here, and what was before it is not known. It does not wait.
func (o *Office) Touched(ctx context.Context, source string, rows []connect.RowChange) {
	if _, err := o.rest(ctx); err != nil {
		rows = nil // look at all
	}
	r := &o.resting
	r.mu.Lock()
	defer r.mu.Unlock()
	take := func(xs []Record, table *connect.TableName) {
		for _, x := range xs {
			if at := r.places[kindOf(x)]; !x.Reported && at.source == source && (table == nil || at.table == *table) {
				if r.touched == nil {
					r.touched = map[string]Record{}
				}
				r.touched[x.ID] = x
			}
		}
	}
	all := func(table *connect.TableName) {
		for _, xs := range r.rows {
			take(xs, table)
		}
	}
	if len(rows) == 0 {
		all(nil)
	}
	for _, c := range rows {
		if c.Op == connect.RowTruncate {
			all(&c.Table)
			continue
		}
		for _, v := range slices.Concat(c.Key, c.OldKey) { // of a key of several columns one is the row's
			take(r.rows[v.Text], &c.Table)
		}
	}
	if len(r.touched) > 0 {
		r.stir()
	}
}

// waking is the channel on which Watch waits; mu is held.
func (r *resting) waking() chan struct{} {
	if r.wake == nil {
		r.wake = make(chan struct{}, 1)
	}
	return r.wake
}

// Sweep reads the row of every credential that is remembered, and reports those that are
// another one or gone: the ledger suspends what rests on them in that block. It returns how
// many rows it looked at, and the ids of what it reported. A row that cannot be read now is
// an error at the end, when all others have been looked at.
func (o *Office) Sweep(ctx context.Context) (looked int, reported []string, err error) {
	all, err := o.rest(ctx)
	if err != nil {
		return 0, nil, err
	}
	return o.look(ctx, all)
}

// look is Sweep of some records.
func (o *Office) look(ctx context.Context, all []Record) (looked int, reported []string, err error) {
	var changed []Record
	var trouble error
	for _, x := range all {
		looked++
		same, err := o.same(ctx, x)
		if err != nil {
			trouble = err
		} else if !same {
			changed = append(changed, x)
		}
	}
	for part := range slices.Chunk(changed, 200) {
		if err := o.report(ctx, part); err != nil {
			return looked, reported, err
		}
		for _, x := range part {
			reported = append(reported, x.ID)
		}
	}
	return looked, reported, trouble
}

// Watching is how Watch works.
type Watching struct {
	Every time.Duration // between two sweeps
	// Fed tells whether a feed tells the changes of a table: then it is swept once a minute
	// only. Nil: none is.
	Fed func(source string, table connect.TableName) bool
	// Tables is called when other tables than before are watched. Nil: nobody is told.
	Tables func()
	// Told is called with what was reported, and with trouble, which is tried again.
	Told func(reported []string, err error)
}

// Watch looks at rows again and again until ctx ends.
func (o *Office) Watch(ctx context.Context, w Watching) error {
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	o.resting.mu.Lock()
	wake := o.resting.waking()
	o.resting.mu.Unlock()
	told := func(reported []string, err error) {
		if len(reported) > 0 || err != nil && ctx.Err() == nil {
			w.Told(reported, err)
		}
	}
	var before []place
	places := func(all []Record) {
		if now := o.placesOf(all); w.Tables != nil && !slices.Equal(now, before) {
			before = now
			w.Tables()
		}
	}
	for guard := (time.Time{}); ; {
		whole := time.Since(guard) >= feedGuard
		if whole { // what another process has added and the folder's time did not show
			guard = time.Now()
			o.anew()
		}
		all, err := o.rest(ctx)
		if err != nil {
			told(nil, err)
		} else {
			places(all)
			if !whole {
				all = slices.DeleteFunc(all, func(x Record) bool { return o.fed(x, w.Fed) })
			}
			_, reported, err := o.look(ctx, all)
			told(reported, err)
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				waiting = false
			case <-wake:
				all, err := o.rest(ctx) // the first credential of a gateway may be what woke it
				if err != nil {
					told(nil, err)
					continue
				}
				places(all)
				_, reported, err := o.look(ctx, o.takeTouched())
				told(reported, err)
			}
		}
	}
}

// anew has the records read again the next time.
func (o *Office) anew() {
	o.resting.mu.Lock()
	defer o.resting.mu.Unlock()
	o.resting.changed = time.Time{}
}

func (o *Office) fed(x Record, fed func(string, connect.TableName) bool) bool {
	o.resting.mu.Lock()
	at, ok := o.resting.places[kindOf(x)]
	o.resting.mu.Unlock()
	return ok && fed != nil && fed(at.source, at.table)
}

// takeTouched are those that a feed named, but for those that were reported since.
func (o *Office) takeTouched() (out []Record) {
	o.resting.mu.Lock()
	defer o.resting.mu.Unlock()
	for _, x := range o.resting.touched {
		reported := func(y Record) bool { return y.ID == x.ID && y.Reported }
		if !slices.ContainsFunc(o.resting.rows[x.RowKey], reported) {
			out = append(out, x)
		}
	}
	o.resting.touched = nil
	return out
}

// placesOf are the tables of records, in one order.
func (o *Office) placesOf(all []Record) (out []place) {
	o.resting.mu.Lock()
	defer o.resting.mu.Unlock()
	for _, x := range all {
		if at, ok := o.resting.places[kindOf(x)]; ok && !slices.Contains(out, at) {
			out = append(out, at)
		}
	}
	slices.SortFunc(out, func(a, b place) int { return compareText(a.source+"/"+a.table.String(), b.source+"/"+b.table.String()) })
	return out
}
