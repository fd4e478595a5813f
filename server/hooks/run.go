package hooks

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	consolev1 "mulian/gen/mulian/console/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// hook is one hook with its goroutine.
type hook struct {
	h    *Hooks
	wake chan struct{} // there may be something to do
	stop context.CancelFunc

	sending chan struct{} // has one place, taken while something is posted
	made    record        // as it was made: of it account, organisation and URL, which never change, are read without mu

	mu     sync.Mutex // guards the rest
	is     record
	list   []*attempt // the oldest first
	lines  int        // of the file of the list
	turn   int        // counts what people did: what was under way before does not move the place
	saved  time.Time
	dirty  bool      // the place has moved over what was not posted
	looked time.Time // when the account was looked at
	gone   bool      // deleted
}

func (h *Hooks) newHook(r *record) *hook {
	list := h.store.attempts(r.ID)
	return &hook{h: h, wake: make(chan struct{}, 1), sending: make(chan struct{}, 1), made: *r, is: *r, list: list, lines: keepAttempt * 2}
}

// nudge has the hook look again.
func (x *hook) nudge() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// run posts until ctx ends.
func (x *hook) run(ctx context.Context) {
	for ctx.Err() == nil {
		wait := x.step(ctx)
		if wait == 0 {
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-x.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.dirty && !x.gone {
		_ = x.save() // else some events of others are looked at again
	}
}

const idle = time.Minute // somebody nudges when there is something

// step does what is next, and tells how long nothing is to be done; 0 = go on.
func (x *hook) step(ctx context.Context) time.Duration {
	now := x.h.cfg.Now()
	x.mu.Lock()
	r, turn, look := x.is, x.turn, now.Sub(x.looked) >= lookAgain
	if x.dirty && now.Sub(x.saved) >= saveEvery {
		_ = x.save() // as above
	}
	x.mu.Unlock()
	switch left := time.UnixMilli(r.AgainMs).Sub(now); {
	case r.State != consolev1.HookState_HOOK_STATE_ACTIVE:
		return idle
	case left > 0:
		return left
	}
	seq, e, err := x.find(ctx, &r, turn)
	switch {
	case err != nil:
		return time.Second // the ledger or the index does not answer: nothing of the receiver's doing
	case e == nil:
		return idle
	}
	if look && !x.mayAct(ctx, r.Account) {
		return lookAgain
	}
	body, err := x.h.body(ctx, r.Org, seq, e)
	if err != nil {
		return time.Second
	}
	if !x.take(ctx) {
		return idle
	}
	defer x.give()
	a := &attempt{ID: idOf(r.ID, seq), Event: seq, Height: e.GetHeight(), Type: typeOf(e.GetVerb()), AtMs: now.UnixMilli(), Body: body}
	x.settle(ctx, turn, a, x.h.post(ctx, r.URL, x.secrets(), a.ID, body))
	return 0
}

// take waits for the place of the one that posts; false: ctx has ended.
func (x *hook) take(ctx context.Context) bool {
	select {
	case x.sending <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (x *hook) give() { <-x.sending }

// idOf is the id of an event for a hook: the same each time.
func idOf(hook string, seq int64) string { return fmt.Sprintf("msg_%s_%d", hook, seq) }

// find looks for the next event that the hook brings, and moves the place to it; nil: there is
// none yet.
func (x *hook) find(ctx context.Context, r *record, turn int) (int64, *tracev1.Event, error) {
	for at := r.Next; ; {
		known, _ := x.h.cfg.Index.Next()
		if at >= known {
			return 0, nil, nil
		}
		res, err := x.h.cfg.Chain.Events(ctx, at, int(min(batchEvents, known-at)))
		if err != nil || len(res.GetEvents()) == 0 {
			return 0, nil, err
		}
		for _, e := range res.GetEvents() {
			ours, err := x.h.brings(ctx, r, e)
			if err != nil {
				return 0, nil, err
			}
			if ours {
				x.move(at, turn)
				return at, e, nil
			}
			at++
		}
		x.move(at, turn)
	}
}

// brings reports whether a hook brings an event.
func (h *Hooks) brings(ctx context.Context, r *record, e *tracev1.Event) (bool, error) {
	if !wants(r.Types, typeOf(e.GetVerb())) {
		return false, nil
	}
	return h.concerns(ctx, r.Org, e)
}

// move sets the place, unless a person has set it in the meantime.
func (x *hook) move(next int64, turn int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.turn == turn && x.is.Next != next {
		x.is.Next, x.dirty = next, true
	}
}

// mayAct looks at the account, and turns the hook off if it may not ask any more.
func (x *hook) mayAct(ctx context.Context, account string) bool {
	err := x.h.cfg.Account(ctx, account)
	x.mu.Lock()
	defer x.mu.Unlock()
	switch fault.CodeOf(err) {
	case fault.OK:
		x.looked = x.h.cfg.Now()
	case fault.NotWhitelisted, fault.AccountFrozen, fault.Suspended:
		x.off(consolev1.HookEnd_HOOK_END_ACCOUNT, err.Error())
	}
	return err == nil
}

// off turns the hook off; x.mu is held.
func (x *hook) off(why consolev1.HookEnd, text string) {
	x.is.State, x.is.End, x.is.Error, x.is.AgainMs = consolev1.HookState_HOOK_STATE_OFF, why, text, 0
	x.h.cfg.Logger.Warn("hook turned off", "hook", x.is.ID, "account", x.is.Account, "why", why.String())
	if err := x.save(); err != nil {
		x.h.cfg.Logger.Error("hook", "hook", x.is.ID, "err", err)
	}
}

// secrets are those that sign now.
func (x *hook) secrets() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.is.Old != "" && x.h.cfg.Now().UnixMilli() < x.is.OldMs {
		return []string{x.is.Secret, x.is.Old}
	}
	return []string{x.is.Secret}
}

// settle keeps what became of the post of the next event: the place moves on, or it is tried
// again later.
func (x *hook) settle(ctx context.Context, turn int, a *attempt, got answer) {
	if got.err != "" && ctx.Err() != nil {
		return // the node ends: nothing is known of the receiver
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.note(a, got)
	if x.gone || x.turn != turn {
		return
	}
	now := x.h.cfg.Now()
	if got.err == "" {
		if x.is.Failures > 0 {
			x.h.cfg.Logger.Info("hook is taken again", "hook", x.is.ID, "failures", x.is.Failures)
		}
		x.is.Next, x.is.Height, x.is.TakenMs = a.Event+1, a.Height, now.UnixMilli()
		x.is.Failures, x.is.FailingMs, x.is.AgainMs, x.is.Error = 0, 0, 0, ""
		if err := x.save(); err != nil {
			// Posted and not noted: after a kill it is posted again, with the same id. Nothing
			// more is posted until the disk takes it.
			x.h.cfg.Logger.Error("hook", "hook", x.is.ID, "err", err)
			x.is.Next, x.is.AgainMs, x.is.Error = a.Event, now.Add(x.h.cfg.Times.Most).UnixMilli(), "the place cannot be written: "+err.Error()
		}
		return
	}
	x.is.Failures, x.is.Error = x.is.Failures+1, got.err
	if x.is.FailingMs == 0 {
		x.is.FailingMs = now.UnixMilli()
		x.h.cfg.Logger.Warn("hook fails", "hook", x.is.ID, "account", x.is.Account, "err", got.err)
	}
	switch {
	case got.status == 410:
		x.off(consolev1.HookEnd_HOOK_END_GONE, got.err)
		return
	case now.Sub(time.UnixMilli(x.is.FailingMs)) >= x.h.cfg.Times.GiveUp:
		x.off(consolev1.HookEnd_HOOK_END_FAILED, got.err)
		return
	}
	x.is.AgainMs = now.Add(max(x.h.backOff(x.is.Failures), got.after)).UnixMilli()
	if err := x.save(); err != nil {
		x.h.cfg.Logger.Error("hook", "hook", x.is.ID, "err", err)
	}
}

// backOff is how long to wait after so many failures: doubled each time, three quarters to five
// quarters of it, so that the hooks of one receiver do not come back together.
func (h *Hooks) backOff(failures uint32) time.Duration {
	d := h.cfg.Times.First
	for i := uint32(1); i < failures && d < h.cfg.Times.Most; i++ {
		d *= 2
	}
	d = min(d, h.cfg.Times.Most)
	return d*3/4 + rand.N(d/2+1)
}

// note adds to the list; x.mu is held.
func (x *hook) note(a *attempt, got answer) {
	a.Status, a.Error, a.TookMs = got.status, got.err, int64((got.took+time.Millisecond-1)/time.Millisecond)
	result := "taken"
	if got.err != "" {
		result = "failed"
	}
	x.h.attempts.WithLabelValues(result).Inc()
	if x.gone {
		return
	}
	x.list = append(x.list, a)
	x.list = slices.Clone(x.list[max(0, len(x.list)-keepAttempt):])
	lines, err := x.h.store.note(x.is.ID, a, x.list, x.lines)
	if x.lines = lines; err != nil {
		x.h.cfg.Logger.Warn("list of a hook's attempts", "hook", x.is.ID, "err", err)
	}
}

// save makes what the hook is durable; x.mu is held.
func (x *hook) save() error {
	if x.gone {
		return nil
	}
	err := x.h.store.save(&x.is)
	if err == nil {
		x.saved, x.dirty = x.h.cfg.Now(), false
	}
	return err
}

// show is the hook as people see it; events is how many the ledger has.
func (x *hook) show(events int64) *consolev1.Hook {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := &x.is
	out := &consolev1.Hook{
		Id: r.ID, Account: r.Account, Url: r.URL, Label: r.Label, Types: slices.Clone(r.Types), State: r.State, End: r.End, CreatedMs: r.CreatedMs,
		Next: r.Next, Lag: max(0, events-r.Next), Height: r.Height, TakenMs: r.TakenMs, Failures: r.Failures, FailingMs: r.FailingMs, AgainMs: r.AgainMs, Error: r.Error,
	}
	if r.State == consolev1.HookState_HOOK_STATE_ACTIVE && r.Failures > 0 {
		out.State = consolev1.HookState_HOOK_STATE_FAILING
	}
	if r.Old != "" && x.h.cfg.Now().UnixMilli() < r.OldMs {
		out.OldSecretMs = r.OldMs
	}
	return out
}
