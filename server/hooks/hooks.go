// Package hooks posts events of the ledger to the endpoints of an organisation's programs, as the
// Standard Webhooks specification has it: docs/spec/hooks.md is what a receiver reads.
//
// It is no queue and no archive: the ledger is both. A hook is a place in the ledger's log, with
// where to, what and a secret; all of it is this node's own and on no ledger.
//
//	            ┌──────────── Replay: the place is set ───────────┐
//	            ▼                                                 │
//	Create ─▶ active ──event of ours──▶ post ──2xx──▶ place + 1 ──┤
//	            ▲                        │                        │
//	            │                        └─else─▶ failing: again, later and later
//	          resume                                   │ 410, three days, account gone
//	            └────────────── paused ◀─pause─┐  off ◀┘
//
// # Invariants
//
//  1. The place moves on only after the receiver has said 2xx, and is durable before the next
//     event is posted: a kill at any moment, of either side, skips nothing.
//  2. Of one hook one event is under way at a time, in the ledger's order.
//  3. The same event has the same webhook-id and the same body each time.
//  4. An event is posted only to the hooks of an organisation that it concerns, and names objects,
//     never values or who acted.
//  5. A connection goes only to an address that was looked at after its name was resolved: see [Guard].
//  6. No hook waits for another: each has a goroutine of its own, and there are at most [MaxHooks].
//
// Sources: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md 1.0.0;
// docs/decisions/0070-hooks.md.
//
// If this part lies, a program hears too much, too little or too late; it reads what happened from
// the ledger, with proof, all the same (docs/trust.md).
package hooks

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	consolev1 "mulian/gen/mulian/console/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/durable"
	"mulian/internal/fault"
)

// Bounds; our own choices unless a source is named.
const (
	MaxHooks    = 200 // of a node: as many posts may be under way at once
	maxAccount  = 10  // hooks of an account
	maxTypes    = 64
	maxURL      = 2048
	maxLabel    = 64
	keepAttempt = 200      // attempts that are listed
	maxAnswer   = 4 << 10  // bytes that are read of a receiver's answer, and thrown away
	maxHeaders  = 16 << 10 // of its headers
	batchEvents = 200      // read at once

	secretBytes = 32 // the specification wants 24 to 64

	// The times of the zero value of [Times].
	defaultTimeout = 15 * time.Second // the specification: 15 to 30 s
	defaultFirst   = time.Second
	defaultMost    = 10 * time.Minute // events wait in order behind the first: a receiver that is back waits no longer
	defaultGiveUp  = 72 * time.Hour   // a long weekend
	defaultOverlap = 24 * time.Hour

	maxRetryAfter = time.Hour       // of what a receiver asks for
	lookAgain     = time.Minute     // how long an account counts as looked at
	saveEvery     = 5 * time.Second // a place that moved over events of others; after a kill they are looked at again
)

// Chain is what hooks read of the ledger: a node.
type Chain interface {
	Events(ctx context.Context, from int64, limit int) (*ledgerv1.ListEventsResponse, error)
	Tx(ctx context.Context, id []byte) (*ledgerv1.GetTxResponse, error)
	Status(ctx context.Context) (*ledgerv1.GetStatusResponse, error)
}

// Index is the projection by which it is told whom an event concerns.
type Index interface {
	// Concerns reports whether one of the objects is an organisation's.
	Concerns(ctx context.Context, org string, objects []string) (bool, error)
	// Await returns when so many events are taken.
	Await(ctx context.Context, n int64) error
	Next() (next, height int64)
}

// Times are how patient hooks are; a zero field is the default above.
type Times struct {
	Timeout time.Duration // of one post
	First   time.Duration // wait after the first failure; it doubles
	Most    time.Duration // longest wait
	GiveUp  time.Duration // without a success, until a hook is turned off
	Overlap time.Duration // that an old secret signs beside the new one
}

// Config of a node's hooks. Dir, ChainID, Chain, Index and Account must be set.
type Config struct {
	Dir     string // of the hooks' files, for their owner alone
	ChainID string
	Chain   Chain
	Index   Index
	// Account refuses an account that may not ask any more: NotWhitelisted, AccountFrozen,
	// Suspended. Another error says nothing about it.
	Account func(ctx context.Context, id string) error
	Guard   *Guard // nil allows nothing
	Times   Times
	Version string // of the program, for User-Agent
	Now     func() time.Time
	Logger  *slog.Logger
	Metrics prometheus.Registerer // nil = none
}

// Hooks are those of one node. Its methods may be called from any goroutine.
type Hooks struct {
	cfg      Config
	store    store
	client   *http.Client
	attempts *prometheus.CounterVec

	mu      sync.Mutex // guards the rest
	hooks   map[string]*hook
	running context.Context // nil before Run
	end     sync.WaitGroup
}

// Open reads the hooks of the folder, and makes it. Nothing is posted before [Hooks.Run].
// Damaged: a hook's file cannot be read; the error names it.
func Open(cfg Config) (*Hooks, error) {
	t := &cfg.Times
	for _, x := range []struct {
		of *time.Duration
		to time.Duration
	}{{&t.Timeout, defaultTimeout}, {&t.First, defaultFirst}, {&t.Most, defaultMost}, {&t.GiveUp, defaultGiveUp}, {&t.Overlap, defaultOverlap}} {
		if *x.of == 0 {
			*x.of = x.to
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Guard == nil {
		cfg.Guard = &Guard{}
	}
	if err := durable.MkdirPrivate(cfg.Dir); err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "the folder of the hooks")
	}
	h := &Hooks{cfg: cfg, store: store{dir: cfg.Dir}, client: newClient(cfg.Guard, cfg.Times.Timeout), hooks: map[string]*hook{}}
	h.attempts = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mulian_hook_attempts_total", Help: "Posts to hooks by what became of them: taken, failed."}, []string{"result"})
	list, err := h.store.load()
	if err != nil {
		return nil, err
	}
	for _, x := range list {
		h.hooks[x.ID] = h.newHook(x)
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(h.attempts, standing{h})
	}
	return h, nil
}

// Run posts until ctx ends, and returns when nothing is under way any more.
func (h *Hooks) Run(ctx context.Context) error {
	h.mu.Lock()
	h.running = ctx
	for _, x := range h.hooks {
		h.start(x)
	}
	h.mu.Unlock()
	// One goroutine watches the index for all hooks.
	for ctx.Err() == nil {
		next, _ := h.cfg.Index.Next()
		if h.cfg.Index.Await(ctx, next+1) == nil {
			h.each(func(x *hook) { x.nudge() })
		}
	}
	h.mu.Lock()
	h.running = nil // whoever comes now makes a hook for the next start
	h.mu.Unlock()
	h.end.Wait()
	h.client.CloseIdleConnections()
	return nil
}

// start is called with mu held.
func (h *Hooks) start(x *hook) {
	if ctx := h.running; ctx != nil {
		own, stop := context.WithCancel(ctx)
		x.stop = stop
		h.end.Go(func() { defer stop(); x.run(own) })
	}
}

func (h *Hooks) each(fn func(*hook)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, x := range h.hooks {
		fn(x)
	}
}

// Figures are how many hooks there are, how many fail or were turned off by the node, and since
// when the longest of these has failed.
type Figures struct {
	Hooks, Failing uint32
	SinceMs        int64
}

// Figures counts.
func (h *Hooks) Figures() (out Figures) {
	h.each(func(x *hook) {
		out.Hooks++
		s := x.show(0)
		if s.State != consolev1.HookState_HOOK_STATE_FAILING && s.State != consolev1.HookState_HOOK_STATE_OFF {
			return
		}
		out.Failing++
		if s.FailingMs > 0 && (out.SinceMs == 0 || s.FailingMs < out.SinceMs) {
			out.SinceMs = s.FailingMs
		}
	})
	return out
}

// standing shows the hooks by state.
type standing struct{ h *Hooks }

var hooksDesc = prometheus.NewDesc("mulian_hooks", "Hooks of this node by state.", []string{"state"}, nil)

// Describe implements prometheus.Collector.
func (s standing) Describe(ch chan<- *prometheus.Desc) { ch <- hooksDesc }

// Collect implements prometheus.Collector.
func (s standing) Collect(ch chan<- prometheus.Metric) {
	n := map[consolev1.HookState]int{}
	s.h.each(func(x *hook) { n[x.show(0).State]++ })
	for state, word := range map[consolev1.HookState]string{
		consolev1.HookState_HOOK_STATE_ACTIVE: "active", consolev1.HookState_HOOK_STATE_FAILING: "failing",
		consolev1.HookState_HOOK_STATE_PAUSED: "paused", consolev1.HookState_HOOK_STATE_OFF: "off",
	} {
		ch <- prometheus.MustNewConstMetric(hooksDesc, prometheus.GaugeValue, float64(n[state]), word)
	}
}
