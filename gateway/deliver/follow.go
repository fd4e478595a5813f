package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/gateway/connect"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// Bounds of following; our own choice.
const (
	maxFollowings = 500
	// pollWait is how long an asker lets the provider wait for changes, pollMore how much
	// longer the network, and reading the page (sourceWait, busyWait), may take.
	pollWait = 25 * time.Second
	pollMore = 30 * time.Second
	// toldFor is how long a message proves that this gateway can be reached; while it does,
	// nothing is polled but once in askEvery, in case that a message was lost.
	toldFor  = 10 * time.Minute
	askEvery = 30 * time.Second
	// followRetry and followRetryMost are between attempts that failed. A refusal is tried
	// again too: an agreement that is suspended may be resumed.
	followRetry     = 200 * time.Millisecond
	followRetryBusy = 5 * time.Second
	followRetryMost = 10 * time.Minute
)

// Followings is what this gateway follows: tables of its own database that are kept equal
// with entries of others. Each has a goroutine, until it is stopped.
//
//	Follow ──▶ taking ──▶ following ──▶ following …          (goes on after a restart)
//	              ▲            │ again: a new subscription
//	              └────────────┘            Stop ──▶ gone; the table stays
//
// The own database says which page was applied last, in the transaction that applied it;
// the file beside says only which subscription, and whether its whole was taken.
type Followings struct {
	asker   *Asker
	ctx     context.Context // of the goroutines; ends with Close
	end     context.CancelFunc
	working sync.WaitGroup

	mu  sync.Mutex // guards the map
	all map[string]*following
}

// following is one table that is kept equal.
type following struct {
	kept
	path  string
	wake  chan struct{}      // the provider told; holds one
	stop  context.CancelFunc // nil until it is started; guarded by the followings' lock
	ended chan struct{}
	again time.Time // when the own table was last found not to fit; of its goroutine
	begun time.Time // when it was begun anew; of its goroutine

	mu       sync.Mutex           // guards the rest, and kept's Subscription and Whole against its goroutine
	told     time.Time            // when the provider told last
	now      *gatewayv1.Following // replaced, never changed
	rows     int64                // while the whole is taken
	expected int64
	moved    chan struct{} // closed at each change
}

// kept is what has to survive a restart.
type kept struct {
	Subscription string            `json:"subscription"`
	Agreement    string            `json:"agreement"`
	Entry        string            `json:"entry"`
	Into         connect.TableName `json:"into"`
	Whole        bool              `json:"whole"` // the whole is there, as of after the subscription's beginning
}

// NewFollowings reads what an earlier one followed. The asker is closed after it.
func NewFollowings(a *Asker) (*Followings, error) {
	x := &Followings{asker: a, all: map[string]*following{}}
	x.ctx, x.end = context.WithCancel(context.Background())
	files, err := os.ReadDir(a.cfg.Dir)
	if err != nil {
		return nil, err
	}
	for _, e := range files {
		if !strings.HasSuffix(e.Name(), ".follow") {
			continue
		}
		f := &following{path: filepath.Join(a.cfg.Dir, e.Name())}
		raw, err := os.ReadFile(f.path)
		if err == nil {
			err = json.Unmarshal(raw, &f.kept)
		}
		if err != nil {
			return nil, fault.Wrap(fault.Damaged, err, "%s", f.path)
		}
		x.all[f.path] = f
		f.prepare()
	}
	return x, nil
}

// Resume goes on with what is kept. It is called once.
func (x *Followings) Resume() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, f := range x.all {
		if f.stop == nil {
			x.startLocked(f)
		}
	}
}

// Close ends the goroutines; what they do goes on with the next start.
func (x *Followings) Close() error {
	x.end()
	x.working.Wait()
	return nil
}

// save is called by the goroutine alone, or before it.
func (f *following) save() error {
	raw, err := json.Marshal(f.kept)
	if err != nil {
		return err
	}
	return durable.ReplaceFile(f.path, raw, 0o600)
}

// Follow keeps a table equal with an entry from now on. The same again changes nothing.
// AlreadyExists: the table follows something else. Usage: the own database applies no changes.
func (x *Followings) Follow(w Fetch) error {
	if _, ok := x.asker.cfg.Sink.(connect.Follower); !ok {
		return fault.Newf(fault.Usage, "this gateway's own database (sink) cannot apply changes")
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, f := range x.all {
		same := f.Agreement == w.Agreement && f.Entry == w.Entry
		switch {
		case same && f.Into == w.Into:
			return nil
		case same:
			return fault.Newf(fault.AlreadyExists, "entry %s is followed already, into table %s", w.Entry, f.Into)
		case f.Into == w.Into:
			return fault.Newf(fault.AlreadyExists, "table %s follows entry %s already", w.Into, f.Entry)
		}
	}
	if len(x.all) >= maxFollowings {
		return fault.Newf(fault.Busy, "%d tables are followed here", len(x.all))
	}
	f := &following{kept: kept{Subscription: newID(), Agreement: w.Agreement, Entry: w.Entry, Into: w.Into}}
	f.path = filepath.Join(x.asker.cfg.Dir, f.Subscription+".follow")
	if err := f.save(); err != nil {
		return err
	}
	f.prepare()
	x.startLocked(f)
	return nil
}

// prepare makes what a following needs before it is known to others.
func (f *following) prepare() {
	f.ended, f.wake, f.moved = make(chan struct{}), make(chan struct{}, 1), make(chan struct{})
	f.now = &gatewayv1.Following{Agreement: f.Agreement, Entry: f.Entry, Table: f.Into.String(), State: stateWaiting, Subscription: f.Subscription}
}

func (x *Followings) startLocked(f *following) {
	var ctx context.Context
	ctx, f.stop = context.WithCancel(x.ctx)
	x.all[f.path] = f
	x.working.Go(func() {
		defer close(f.ended)
		x.run(ctx, f)
	})
}

// Stop ends it, here and, if he can be reached, at the provider. NotFound. The
// table stays as it is.
func (x *Followings) Stop(ctx context.Context, agreement, entry string) error {
	f := x.find(agreement, entry)
	if f == nil {
		return fault.Newf(fault.NotFound, "entry %s of agreement %s is not followed here", entry, agreement)
	}
	x.mu.Lock()
	stop := f.stop
	delete(x.all, f.path)
	x.mu.Unlock()
	if stop != nil {
		stop()
		<-f.ended
	}
	if _, _, err := x.ask(ctx, f, &gatewayv1.ChangesBody{End: true}); err != nil {
		x.asker.cfg.Logger.Info("the provider does not know yet that a subscription has ended", "agreement", agreement, "entry", entry, "code", fault.CodeOf(err).String())
	}
	return errors.Join(x.leave(ctx, f), os.Remove(f.path))
}

// leave gives up the fetch of the whole, if one is open.
func (x *Followings) leave(ctx context.Context, f *following) error {
	raw, err := os.ReadFile(x.taking(f))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	open := &fetch{path: x.taking(f)}
	if err != nil || json.Unmarshal(raw, open) != nil {
		return os.Remove(x.taking(f))
	}
	return x.asker.abandon(ctx, open, fault.Newf(fault.Cancelled, "the subscription has ended"))
}

func (x *Followings) find(agreement, entry string) *following {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, f := range x.all {
		if f.Agreement == agreement && f.Entry == entry {
			return f
		}
	}
	return nil
}

// Told takes a provider's message that there is something; false if the subscription is
// none of ours, or another's.
func (x *Followings) Told(ctx context.Context, from, subscription string) bool {
	x.mu.Lock()
	var f *following
	for _, g := range x.all {
		g.mu.Lock()
		if g.now.GetSubscription() == subscription {
			f = g
		}
		g.mu.Unlock()
	}
	x.mu.Unlock()
	if f == nil {
		return false
	}
	_, to, err := x.asker.right(ctx, f.Agreement, f.Entry)
	if err != nil || to.account.GetId() != from {
		return false
	}
	f.mu.Lock()
	f.told = time.Now()
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
	return true
}

// Watch tells how a table's following is, and again at each change, until fn returns
// false or ctx ends. NotFound.
func (x *Followings) Watch(ctx context.Context, agreement, entry string, fn func(now *gatewayv1.Following, rows, expected int64) bool) error {
	f := x.find(agreement, entry)
	if f == nil {
		return fault.Newf(fault.NotFound, "entry %s of agreement %s is not followed here", entry, agreement)
	}
	for {
		f.mu.Lock()
		now, rows, expected, moved := f.now, f.rows, f.expected, f.moved
		f.mu.Unlock()
		if !fn(lagging(now), rows, expected) {
			return nil
		}
		select {
		case <-moved:
		case <-f.ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// List tells how all are, by agreement and entry.
func (x *Followings) List() []*gatewayv1.Following {
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []*gatewayv1.Following
	for _, f := range x.all {
		f.mu.Lock()
		out = append(out, lagging(f.now))
		f.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b *gatewayv1.Following) int {
		return strings.Compare(a.GetAgreement()+" "+a.GetEntry(), b.GetAgreement()+" "+b.GetEntry())
	})
	return out
}

// lagging is a following with its lag as of now.
func lagging(now *gatewayv1.Following) *gatewayv1.Following {
	now = proto.CloneOf(now)
	now.LagMs = -1
	if at := now.GetAtMs(); at != 0 {
		now.LagMs = max(0, time.Now().UnixMilli()-at)
	}
	return now
}

// The states of a following (proto gateway.v1, Following).
const (
	stateTaking    = "taking"
	stateFollowing = "following"
	stateStale     = "stale"  // the provider does not notice changes now
	stateQuota     = "quota"  // what is agreed is used up, for today or for good
	stateWindow    = "window" // nothing is given at this time of day
	stateWaiting   = "waiting"
)

// move changes what is told of a following.
func (f *following) move(fn func(now *gatewayv1.Following)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := proto.CloneOf(f.now)
	fn(next)
	f.now = next
	close(f.moved)
	f.moved = make(chan struct{})
}
