package view

import (
	"context"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	"mulian/gateway/receipt"
	"mulian/internal/fault"
)

const (
	// maxObjects bounds the cache; the one that was not read for longest goes.
	maxObjects = 10_000
	// maxMarks is how many anchors are remembered: more than are made in the longest
	// useful staleness at the default pace. An object older than the oldest of them
	// counts as having no age.
	maxMarks = 256
	// warmFor is how long an object that was used more than once is kept fresh ahead of time,
	// and maxWarm how many. What is used once, an owner's grant, is not read again for nothing.
	warmFor = 20 * time.Second
	maxWarm = 200
	// readWait bounds one proved read, refreshWait the making of a mark on demand; after
	// one that failed none is tried for refreshRest.
	readWait    = 5 * time.Second
	refreshWait = 3 * time.Second
	refreshRest = time.Second
	// lostWait bounds both while the ledger does not answer: whoever asks meanwhile is told
	// so soon, and not after one readWait for each object.
	lostWait = 500 * time.Millisecond
	// hearWait is how long after a mark the event of its own anchor may take. A connection
	// that does not bring it is there, and says nothing.
	hearWait = 3 * time.Second
)

// View reads and keeps objects. It is safe for concurrent use.
type View struct {
	chain   *client.Client
	proved  *client.Verified
	refresh func(context.Context) error
	marked  chan struct{} // a new mark; taken by Run

	mu      sync.Mutex // guards the fields below; not held on the network
	marks   []receipt.Mark
	objects map[string]*object
	tired   time.Time // no refresh before
	heard   time.Time // when the latest event came
	deaf    func()    // makes Run listen anew; nil while it does not listen
	lost    bool      // the latest try got no answer
	away    time.Time // and no read before this
}

type object struct {
	value   proto.Message // nil: there is none
	height  int64         // of the state that proved it
	touched bool          // an event named it, and it was not read since
	during  bool          // an event named it while it is being read
	used    time.Time
	again   bool    // asked for more than once: worth being read ahead
	flight  *flight // a read under way; nil if none
}

// touch notes that the object is not what we have of it any more.
func (o *object) touch() { o.touched, o.during = true, true }

// read takes what a read gave. What an event has named stays touched until a read that
// began after it succeeds.
func (o *object) read(value proto.Message, height int64, err error) {
	o.flight = nil
	switch {
	case err != nil:
		o.touched = true
	case height >= o.height: // never back to an older state
		o.height, o.value, o.touched = height, value, o.during
	}
}

// flight is one read that several callers wait for.
type flight struct {
	done chan struct{}
	err  error
}

// Sight is how an object was seen.
type Sight struct {
	Found  bool
	Height int64         // of the state that proved it
	Age    time.Duration // at most; [NoAge] if nothing tells
}

// NoAge is the age of what no anchor of ours vouches for.
const NoAge = time.Duration(1<<63 - 1)

// New returns an empty view. refresh makes a new mark (receipt.Anchor.Now).
func New(chain *client.Client, proved *client.Verified, refresh func(context.Context) error) *View {
	return &View{chain: chain, proved: proved, refresh: refresh, marked: make(chan struct{}, 1), objects: map[string]*object{}}
}

// Mark takes a proved anchor of ours (receipt.AnchorConfig.Marked).
func (v *View) Mark(m receipt.Mark) {
	v.mu.Lock()
	v.lost, v.away, v.tired = false, time.Time{}, time.Time{}
	v.marks = append(v.marks, m)
	if len(v.marks) > maxMarks {
		v.marks = v.marks[1:]
	}
	v.mu.Unlock()
	time.AfterFunc(hearWait, func() { v.listens(m.Sent) })
	select {
	case v.marked <- struct{}{}:
	default:
	}
}

// listens makes Run listen anew if no event came since an anchor of ours was sent that is
// on the ledger.
func (v *View) listens(since time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.deaf != nil && v.heard.Before(since) {
		v.deaf()
	}
}

// Age is how old a state of that height can be at most.
func (v *View) Age(height int64) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.age(height)
}

func (v *View) age(height int64) time.Duration {
	for i := len(v.marks) - 1; i >= 0; i-- {
		if v.marks[i].Height <= height {
			return time.Since(v.marks[i].Sent)
		}
	}
	return NoAge
}

// Time is that of the newest block that was proved: by the ledger's clock it is later.
func (v *View) Time() time.Time { return v.proved.Head().Time }

// Height is that of the newest mark; 0 if there is none.
func (v *View) Height() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.marks) == 0 {
		return 0
	}
	return v.marks[len(v.marks)-1].Height
}

// Get returns the object at key, no older than maxAge where that can be had, and
// otherwise as it was last seen: the caller looks at Sight.Age. StaleHeight if it was
// never seen and cannot be now. The message is shared: nobody changes it.
func Get[T proto.Message](ctx context.Context, v *View, key string, make func() T, maxAge time.Duration) (T, Sight, error) {
	value, sight, err := v.get(ctx, key, func() proto.Message { return make() }, maxAge)
	if err != nil || value == nil {
		var none T
		return none, sight, err
	}
	return value.(T), sight, nil
}

// Last returns the object at key as it was last seen, however old, without asking anybody;
// false if it was never seen. The message is shared: nobody changes it.
func Last[T proto.Message](v *View, key string) (T, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	o := v.objects[key]
	if o == nil || o.height == 0 {
		var none T
		return none, false
	}
	value, _ := o.value.(T)
	return value, true
}

func (v *View) get(ctx context.Context, key string, make func() proto.Message, maxAge time.Duration) (proto.Message, Sight, error) {
	if value, sight, ok := v.cached(key, maxAge); ok {
		return value, sight, nil
	}
	err := v.fetch(ctx, key, make)
	// That read may be one that began before an event that we know.
	if err == nil && v.named(key) {
		err = v.fetch(ctx, key, make)
	}
	if err == nil && v.ageOf(key) > maxAge {
		// What we read is proved, but nothing says that it is new: ask for a mark.
		err = v.renew(ctx)
		// Twice: the first may join a read that began before the mark.
		for i := 0; i < 2 && err == nil && v.ageOf(key) > maxAge; i++ {
			err = v.fetch(ctx, key, make)
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	o := v.objects[key]
	if o == nil || o.height == 0 {
		if fault.Is(err, fault.VerificationFailed) || fault.Is(err, fault.Forbidden) { // it lies, or this gateway is no party
			return nil, Sight{Age: NoAge}, err
		}
		return nil, Sight{Age: NoAge}, &fault.Fault{Code: fault.StaleHeight, Text: "the gateway cannot see the ledger", Err: err}
	}
	age := v.age(o.height)
	if err != nil && o.touched { // an event named it, and what it is now could not be read
		age = NoAge
	}
	return o.value, Sight{Found: o.value != nil, Height: o.height, Age: age}, nil
}

// renew makes a mark.
func (v *View) renew(ctx context.Context) error {
	v.mu.Lock()
	tired, most := time.Now().Before(v.tired), v.within(refreshWait)
	v.mu.Unlock()
	if tired {
		return fault.Newf(fault.StaleHeight, "no anchor of ours was committed a moment ago")
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	err := v.refresh(ctx)
	if err != nil {
		v.mu.Lock()
		v.tired = time.Now().Add(refreshRest)
		v.mu.Unlock()
	}
	return err
}

// within is a wait while the ledger answers, and a short one while it does not. The
// caller holds mu.
func (v *View) within(wait time.Duration) time.Duration {
	if v.lost {
		return lostWait
	}
	return wait
}

func (v *View) cached(key string, maxAge time.Duration) (proto.Message, Sight, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	o := v.objects[key]
	if o == nil || o.height == 0 {
		return nil, Sight{}, false
	}
	o.used, o.again = time.Now(), true
	s := Sight{Found: o.value != nil, Height: o.height, Age: v.age(o.height)}
	return o.value, s, !o.touched && s.Age <= maxAge
}

// named tells whether an event named the object while it was last read.
func (v *View) named(key string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	o := v.objects[key]
	return o != nil && o.touched
}

func (v *View) ageOf(key string) time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	if o := v.objects[key]; o != nil && o.height > 0 {
		return v.age(o.height)
	}
	return NoAge
}

// fetch reads the object with proof into the cache. Callers that come together
// share one read.
func (v *View) fetch(ctx context.Context, key string, make func() proto.Message) error {
	v.mu.Lock()
	o := v.objects[key]
	if o == nil {
		v.makeRoom()
		o = &object{used: time.Now()}
		v.objects[key] = o
	}
	if f := o.flight; f != nil {
		v.mu.Unlock()
		select {
		case <-f.done:
			return f.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if time.Now().Before(v.away) {
		v.mu.Unlock()
		return fault.Newf(fault.StaleHeight, "the ledger did not answer a moment ago")
	}
	most := v.within(readWait)
	f := &flight{done: makeDone()}
	o.flight = f
	o.during = false // an event from here on counts against what is being read, too
	v.mu.Unlock()

	value := make()
	// Not the caller's end alone: others wait for this read too.
	readCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), most)
	defer cancel()
	found, at, err := v.proved.Get(readCtx, key, value)

	v.mu.Lock()
	defer v.mu.Unlock()
	if v.lost = fault.Is(err, fault.Timeout) || fault.Is(err, fault.Unreachable); v.lost {
		v.away = time.Now().Add(refreshRest)
	}
	if !found {
		value = nil
	}
	o.read(value, at.Height-1, err)
	f.err = err
	close(f.done)
	return err
}

func makeDone() chan struct{} { return make(chan struct{}) }

// makeRoom drops what was not used for longest when the cache is full.
func (v *View) makeRoom() {
	if len(v.objects) < maxObjects {
		return
	}
	var oldest string
	for k, o := range v.objects {
		if o.flight == nil && (oldest == "" || o.used.Before(v.objects[oldest].used)) {
			oldest = k
		}
	}
	delete(v.objects, oldest)
}

// Forget makes the next Get of key go to the ledger.
func (v *View) Forget(key string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if o := v.objects[key]; o != nil {
		o.touch()
	}
}

// Holds tells whether an object that [Get] gave is still what this view has of key, and no
// event has named it since. It asks nobody.
func (v *View) Holds(key string, value proto.Message) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	o := v.objects[key]
	return o != nil && !o.touched && o.value == value
}

// Run follows the ledger's events, and keeps what is in use fresh after each mark,
// until ctx ends.
func (v *View) Run(ctx context.Context) error {
	var warm sync.WaitGroup
	defer warm.Wait()
	warm.Go(func() { v.keepWarm(ctx) })
	for from := int64(-1); ; {
		err := v.listen(ctx, &from)
		if ctx.Err() != nil || !fault.Is(err, fault.Cancelled) {
			return err
		}
	}
}

// listen follows the events until ctx ends or they stop coming. What was missed if the
// first never came is not known: all is looked at anew.
func (v *View) listen(ctx context.Context, from *int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v.mu.Lock()
	v.deaf, v.heard = cancel, time.Now()
	for _, o := range v.objects {
		if *from < 0 {
			o.touch()
		}
	}
	v.mu.Unlock()
	return v.chain.Watch(ctx, *from, nil, func(u client.Update) error {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.heard, *from = time.Now(), u.Next
		for _, e := range u.Events {
			for _, key := range e.GetObjects() {
				if o := v.objects[key]; o != nil && changes(e.GetVerb(), key) {
					o.touch()
				}
			}
		}
		return nil
	})
}

// changes reports whether an event may have changed an object that it names. What owners grant
// names the entry that it is about and changes nothing of the catalogue (rules/grant has a test):
// without this each use of a grant would have its entry, and a proof of it, read anew.
func changes(verb, key string) bool {
	return !strings.HasPrefix(verb, "grant/") || strings.HasPrefix(key, "grant/")
}

func (v *View) keepWarm(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-v.marked:
		}
		for key, make := range v.inUse() {
			if ctx.Err() != nil || v.fetch(ctx, key, make) != nil {
				break // the next mark tries again
			}
		}
	}
}

// inUse returns what was used lately, with how to make one.
func (v *View) inUse() map[string]func() proto.Message {
	v.mu.Lock()
	defer v.mu.Unlock()
	out := map[string]func() proto.Message{}
	for key, o := range v.objects {
		if o.value != nil && len(out) < maxWarm && o.again && time.Since(o.used) < warmFor {
			t := o.value.ProtoReflect().Type()
			out[key] = func() proto.Message { return t.New().Interface() }
		}
	}
	return out
}
