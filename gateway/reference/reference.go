package reference

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"math/big"
	"sync"
	"time"

	"mulian/internal/fault"
	"mulian/internal/qr"
)

// Lives and bounds. spec/safebox.md, 3.5, except where it says otherwise.
const (
	MaxLife    = 2 * time.Minute
	ShowLife   = time.Minute
	Tries      = 3       // of 90 match numbers
	MaxContent = 4 << 10 // bytes that a code leads to: a link, a grant's id. Our own choice
	MaxOpen    = 20_000  // codes of a gateway at a time: 80 MB at most. Our own choice
	MaxSession = 8       // of these for one session. Our own choice
	maxName    = 128     // bytes of a session's or bearer's name
)

// State is how far a code has come.
type State int

// The states of a code; the last four are ends.
const (
	Open    State = iota + 1 // on the screen
	Seen                     // a device has it and shows what is asked
	Matched                  // the person typed the number of the screen
	NotMe                    // the person says that he did not start this
	Closed                   // three wrong numbers
	Ended                    // its time is over
)

// Report says that a person was asked something that he did not start: somebody tried to
// have him approve a stranger's request.
type Report struct {
	Asker string // whoever opened the code
	At    time.Time
}

// Codes keeps codes. Safe for concurrent use.
type Codes struct {
	// Reported is called for each NotMe, outside of all locks. Nil: nobody is told.
	Reported func(context.Context, Report)
	// Now is the clock. Nil: time.Now.
	Now func() time.Time

	mu       sync.Mutex
	codes    map[qr.Short]*entry // mu
	sessions map[string]int      // mu: codes of each session
}

// entry is one code through its life; Codes.mu guards it.
type entry struct {
	kind           qr.Kind
	asker, session string
	content        []byte
	number         string // match number, empty for a code to show
	bearer         string
	wrong          int
	state          State
	ends           time.Time
}

func (c *Codes) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// Opened is a code for a screen.
type Opened struct {
	Payload qr.Payload // its text goes into the QR code
	Number  string     // two digits that the same screen shows; empty for a code to show
	Expires time.Time
}

// Ask opens a code of kind qr.Request that leads to content, for the session of an asker,
// for life (0 or over MaxLife: MaxLife). Busy when too many are open, Malformed over a
// bound.
func (c *Codes) Ask(asker, session string, content []byte, life time.Duration) (Opened, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(90))
	if err != nil {
		return Opened{}, fault.Wrap(fault.Internal, err, "draw a match number")
	}
	if life <= 0 || life > MaxLife {
		life = MaxLife
	}
	return c.open(&entry{kind: qr.Request, asker: asker, session: session, content: content, number: fmt.Sprint(n.Int64() + 10), state: Open}, life)
}

// Show opens a code of kind qr.Show by which the owner of a session shows something (亮证)
// for ShowLife; the verifier who resolves it needs no number, for both stand together.
func (c *Codes) Show(owner, session string, content []byte) (Opened, error) {
	return c.open(&entry{kind: qr.Show, asker: owner, session: session, content: content, state: Open}, ShowLife)
}

func (c *Codes) open(e *entry, life time.Duration) (Opened, error) {
	if e.session == "" || len(e.session) > maxName || len(e.asker) > maxName || len(e.content) == 0 || len(e.content) > MaxContent {
		return Opened{}, fault.Newf(fault.Malformed, "a code leads to 1 to %d bytes and belongs to a session", MaxContent)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.codes == nil {
		c.codes, c.sessions = map[qr.Short]*entry{}, map[string]int{}
	}
	now := c.now()
	if len(c.codes) >= MaxOpen || c.sessions[e.session] >= MaxSession {
		c.sweep(now)
	}
	if len(c.codes) >= MaxOpen || c.sessions[e.session] >= MaxSession {
		return Opened{}, fault.Newf(fault.Busy, "too many codes are open")
	}
	e.ends = now.Add(life)
	code := qr.NewShort()
	c.codes[code] = e
	c.sessions[e.session]++
	return Opened{Payload: qr.Payload{Kind: e.kind, Short: code}, Number: e.number, Expires: e.ends}, nil
}

// sweep forgets what ended a whole life ago: until then its session can ask what became of it.
func (c *Codes) sweep(now time.Time) {
	for code, e := range c.codes {
		if now.Before(e.ends.Add(MaxLife)) && (now.Before(e.ends) || len(c.codes) < MaxOpen && c.sessions[e.session] < MaxSession) {
			continue
		}
		delete(c.codes, code)
		if c.sessions[e.session]--; c.sessions[e.session] <= 0 {
			delete(c.sessions, e.session)
		}
	}
}

// find returns a code that is alive: NotFound, or Expired. The caller holds mu.
func (c *Codes) find(p qr.Payload) (*entry, error) {
	e, ok := c.codes[p.Short]
	if !ok || e.kind != p.Kind {
		return nil, fault.Newf(fault.NotFound, "no code of this gateway, or one from before its restart")
	}
	if e.state < NotMe && !c.now().Before(e.ends) {
		e.state = Ended
	}
	if e.state == Ended {
		return nil, fault.Newf(fault.Expired, "the code has ended")
	}
	return e, nil
}

// Resolved is what the first bearer of a code learns.
type Resolved struct {
	Asker   string
	Content []byte // of a code to show; that of a request comes with Match
	Number  bool   // a match number has to be typed
	Expires time.Time
}

// Resolve gives a code to the first bearer: a device's ticket, or a verifier's logged-in
// name, which the caller has checked. NotFound, Expired; Replayed for everybody after the
// first.
func (c *Codes) Resolve(p qr.Payload, bearer string) (Resolved, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, err := c.find(p)
	if err != nil {
		return Resolved{}, err
	}
	if bearer == "" || len(bearer) > maxName {
		return Resolved{}, fault.Newf(fault.Malformed, "a code is resolved by somebody")
	}
	if e.state != Open {
		return Resolved{}, fault.Newf(fault.Replayed, "the code was used already: ask for another one")
	}
	e.state, e.bearer = Seen, bearer
	r := Resolved{Asker: e.asker, Number: e.number != "", Expires: e.ends}
	if e.number == "" {
		e.state, r.Content = Matched, e.content
	}
	return r, nil
}

// Match compares the number that the bearer typed, and gives what the code leads to.
// BadAuthorisation for a wrong one, with how many tries are left; Forbidden when the code is
// closed or belongs to another bearer.
func (c *Codes) Match(p qr.Payload, bearer, number string) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, err := c.held(p, bearer)
	if err != nil {
		return nil, err
	}
	if e.state != Seen {
		return nil, fault.Newf(fault.Forbidden, "the code is closed")
	}
	if subtle.ConstantTimeCompare([]byte(e.number), []byte(number)) == 1 {
		e.state = Matched
		return e.content, nil
	}
	if e.wrong++; e.wrong >= Tries {
		e.state = Closed
		return nil, fault.Newf(fault.Forbidden, "the code is closed after %d wrong numbers", Tries)
	}
	return nil, fault.Newf(fault.BadAuthorisation, "not the number of the screen; %d tries are left", Tries-e.wrong)
}

// held is find for the bearer who resolved the code.
func (c *Codes) held(p qr.Payload, bearer string) (*entry, error) {
	e, err := c.find(p)
	if err != nil {
		return nil, err
	}
	if e.bearer == "" || e.bearer != bearer {
		return nil, fault.Newf(fault.Forbidden, "another device has this code")
	}
	return e, nil
}

// NotMe ends a code whose bearer says that he did not start this, and reports it. It ends a
// matched one as well: what follows asks State.
func (c *Codes) NotMe(ctx context.Context, p qr.Payload, bearer string) error {
	r, err := c.notMe(p, bearer)
	if err == nil && c.Reported != nil {
		c.Reported(ctx, r)
	}
	return err
}

func (c *Codes) notMe(p qr.Payload, bearer string) (Report, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, err := c.held(p, bearer)
	if err != nil {
		return Report{}, err
	}
	if e.state >= NotMe {
		return Report{}, fault.Newf(fault.Forbidden, "the code is closed")
	}
	e.state = NotMe
	return Report{Asker: e.asker, At: c.now()}, nil
}

// State tells the session that opened a code how far it has come: NotFound for all others.
func (c *Codes) State(p qr.Payload, session string) (State, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.codes[p.Short]
	if !ok || e.kind != p.Kind || subtle.ConstantTimeCompare([]byte(e.session), []byte(session)) != 1 {
		return 0, fault.Newf(fault.NotFound, "no code of this session")
	}
	if e.state < Matched && !c.now().Before(e.ends) {
		e.state = Ended
	}
	return e.state, nil
}
