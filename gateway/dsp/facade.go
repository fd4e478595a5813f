package dsp

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mulian/client"
	"mulian/client/keyring"
	"mulian/gateway/deliver"
	"mulian/gateway/view"
	identityv1 "mulian/gen/mulian/identity/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Options are what the facade works with. All are required but the last.
type Options struct {
	Config  Config
	ChainID string
	Org     string // whose entries are offered: the gateway's organisation
	Dir     string // journal and receipts; of this facade alone
	Chain   *client.Client
	Proved  *client.Verified
	View    *view.View
	Ring    keyring.Ring
	// Keys returns the machine and the sealing key of a gateway account whose keys are
	// in the ring and on the ledger.
	Keys   func(a *identityv1.Account) (machine, seal sm.PrivateKey, err error)
	Logger *slog.Logger
}

// Facade is one open facade. It is safe for concurrent use.
type Facade struct {
	opts          Options
	base          string // URL without a slash at its end
	participantID string
	log           *slog.Logger
	caller        *http.Client
	journal       *journal
	participants  map[string]*participant
	turns         turns
	flying        sync.Map // pid -> state that a message on its way tells
	calls         chan struct{}
	awake         chan struct{}
	schedule      schedule
}

// participant is one connector that is served.
type participant struct {
	Participant
	token  secret
	shown  string // token that we show; empty: none
	signer client.Signer
	asker  *deliver.Asker
	calls  chan struct{} // as many as it may make at once
}

// Open reads tokens, keys and journal, and checks with the ledger that each connector's
// gateway is its organisation's. NotFound, Forbidden, Inaccessible, NotWhitelisted.
func Open(ctx context.Context, opts Options) (_ *Facade, err error) {
	f := &Facade{
		opts: opts, base: strings.TrimSuffix(opts.Config.URL, "/"), log: cmp.Or(opts.Logger, slog.Default()), caller: newCaller(),
		participantID: cmp.Or(opts.Config.Participant, orgURN+opts.Org), participants: map[string]*participant{},
		calls: make(chan struct{}, maxCalls), awake: make(chan struct{}, 1),
	}
	if f.base == "" {
		return nil, fault.Newf(fault.Usage, "gateway configuration: dsp.url is missing, and there is no url")
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := durable.MkdirPrivate(opts.Dir); err != nil {
		return nil, err
	}
	for i := range opts.Config.Connectors {
		p, err := f.openParticipant(ctx, opts.Config.Connectors[i], i)
		if err != nil {
			return nil, err
		}
		f.participants[p.ID] = p
	}
	f.journal, err = openJournal(filepath.Join(opts.Dir, "journal"), time.Now())
	return f, err
}

func (f *Facade) openParticipant(ctx context.Context, c Participant, i int) (p *participant, err error) {
	p = &participant{Participant: c, calls: make(chan struct{}, maxEach)}
	token, err := readToken(c.TokenFile)
	if err != nil {
		return nil, err
	}
	p.token = newSecret(token)
	for id, other := range f.participants {
		if other.token == p.token {
			return nil, fault.Newf(fault.Usage, "gateway configuration: dsp.connectors[%d] has the token of %s", i, id)
		}
	}
	if c.CallbackTokenFile != "" {
		if p.shown, err = readToken(c.CallbackTokenFile); err != nil {
			return nil, err
		}
	}
	if p.signer, err = f.opts.Ring.Signer(c.Org, p.key()); err != nil {
		return nil, err
	}
	a := &identityv1.Account{}
	found, _, err := f.opts.Proved.Get(ctx, "identity/account/"+c.Gateway, a)
	switch {
	case err != nil:
		return nil, err
	case !found || a.GetGateway() == nil || a.GetOrg() != c.Org:
		return nil, fault.Newf(fault.NotFound, "the ledger has no gateway %s of %s", c.Gateway, c.Org)
	}
	machine, seal, err := f.opts.Keys(a)
	if err != nil {
		return nil, err
	}
	p.asker, err = deliver.NewAsker(deliver.AskerConfig{
		ChainID: f.opts.ChainID, Gateway: c.Gateway, Key: machine, SealKey: seal, View: f.opts.View, Chain: f.opts.Chain, Logger: f.log,
		Dir: filepath.Join(f.opts.Dir, strings.ReplaceAll(c.Gateway, "/", "~")),
	})
	return p, err
}

// Close closes what Open opened. Run has returned before.
func (f *Facade) Close() error {
	var errs []error
	for _, p := range f.participants {
		errs = append(errs, p.asker.Close())
	}
	if f.journal != nil && f.journal.file != nil {
		errs = append(errs, f.journal.close())
	}
	return errors.Join(errs...)
}

// Run files, signs and tells what waits, until ctx ends. What fails is tried again,
// each time later.
func (f *Facade) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	free := make(chan struct{}, maxWorkers)
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		negotiations, transfers := f.journal.open()
		f.schedule.keep(negotiations, transfers)
		for _, kind := range []struct {
			pids []string
			do   func(context.Context, string) error
		}{{negotiations, f.negotiating().tell(f)}, {transfers, f.transferring().tell(f)}} {
			for _, pid := range kind.pids {
				if !f.schedule.begin(pid, time.Now()) {
					continue
				}
				select {
				case free <- struct{}{}:
				case <-ctx.Done():
					return nil
				}
				workers.Go(func() {
					err := kind.do(ctx, pid)
					if f.schedule.end(pid, time.Now(), err) && ctx.Err() == nil {
						f.log.Warn("a negotiation or transfer cannot go on", "pid", pid, "code", fault.CodeOf(err).String(), "err", err)
					}
					<-free
				})
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-f.awake:
		}
	}
}

// wake makes Run look at one record now.
func (f *Facade) wake(pid string) {
	f.schedule.now(pid)
	select {
	case f.awake <- struct{}{}:
	default:
	}
}

// schedule says when each open record is looked at again.
type schedule struct {
	mu sync.Mutex // guards at
	at map[string]*look
}

// look is the next look at one record.
type look struct {
	due      time.Time
	wait     time.Duration
	attempts int
	running  bool
}

// keep forgets what is not open any more.
func (s *schedule) keep(lists ...[]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	open := make(map[string]*look, len(s.at))
	for _, pids := range lists {
		for _, pid := range pids {
			if l := s.at[pid]; l != nil {
				open[pid] = l
			} else {
				open[pid] = &look{}
			}
		}
	}
	for pid, l := range s.at {
		if l.running {
			open[pid] = l
		}
	}
	s.at = open
}

func (s *schedule) begin(pid string, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.at[pid]
	if l == nil || l.running || now.Before(l.due) || l.attempts > maxAttempts {
		return false
	}
	l.running = true
	return true
}

// end sets the next look, and tells whether the failure is worth a word.
func (s *schedule) end(pid string, now time.Time, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.at[pid]
	l.running = false
	if err == nil {
		l.attempts = 0
		l.wait = min(max(l.wait*5/4, lookEvery), lookSlowest)
	} else {
		l.attempts++
		l.wait = min(max(l.wait*2, firstRetry), lastRetry)
	}
	l.due = now.Add(l.wait)
	return err != nil
}

// now makes a record due, also one that was given up: the connector has said something.
func (s *schedule) now(pid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.at[pid]; l != nil {
		l.due, l.wait, l.attempts = time.Time{}, 0, 0
	}
}

// turns lets one at a time work at a record.
type turns struct {
	mu   sync.Mutex // guards busy; not held while waiting
	busy map[string]*turn
}

type turn struct {
	free  chan struct{} // has one element while nobody works
	users int
}

// take waits for the turn at a record; free gives it back.
func (t *turns) take(ctx context.Context, key string) (free func(), err error) {
	t.mu.Lock()
	if t.busy == nil {
		t.busy = map[string]*turn{}
	}
	x := t.busy[key]
	if x == nil {
		x = &turn{free: make(chan struct{}, 1)}
		x.free <- struct{}{}
		t.busy[key] = x
	}
	x.users++
	t.mu.Unlock()
	leave := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if x.users--; x.users == 0 {
			delete(t.busy, key)
		}
	}
	select {
	case <-x.free:
		return func() { x.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, fault.Wrap(fault.Busy, ctx.Err(), "another message is being worked at")
	}
}

// newPid makes a random id: urn:uuid, version 4.
func newPid() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
