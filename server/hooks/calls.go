package hooks

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	consolev1 "mulian/gen/mulian/console/v1"
	"mulian/internal/fault"
)

// Asker is who asks: an account of an organisation, as a reading pass has shown.
type Asker struct{ Account, Org string }

// may reports whether a hook is the asker's, or of one of the asker's accounts.
func (a Asker) may(r *record) bool {
	return r.Account == a.Account || a.Account == a.Org && r.Org == a.Org
}

// find returns a hook of the asker's. NotFound.
func (h *Hooks) find(a Asker, id string) (*hook, error) {
	h.mu.Lock()
	x := h.hooks[id]
	h.mu.Unlock()
	if x == nil || !a.may(&x.made) {
		return nil, fault.Newf(fault.NotFound, "%s has no hook %.40q", a.Account, id)
	}
	return x, nil
}

// typeForm is a type as the specification has it, or all of an area.
var typeForm = regexp.MustCompile(`^[a-z]+\.(\*|[a-z0-9_]+)$`)

func checkTypes(types, known []string) error {
	if len(types) > maxTypes {
		return fault.Newf(fault.TooLong, "types: %d, at most %d", len(types), maxTypes)
	}
	for _, t := range types {
		area, all := strings.CutSuffix(t, "*")
		if !typeForm.MatchString(t) || all && !slices.ContainsFunc(known, func(k string) bool { return strings.HasPrefix(k, area) }) || !all && !slices.Contains(known, t) {
			return fault.Newf(fault.Malformed, "types: there is no type %.60q; mulian hook types lists them", t)
		}
	}
	return nil
}

// Create makes a hook and returns its secret, the only time. known are the types that there are.
// Malformed, TooLong, Forbidden, Unreachable: see [Guard.Try]; OutOfRange: the account or the node
// has as many as it may.
func (h *Hooks) Create(ctx context.Context, a Asker, m *consolev1.CreateHookRequest, known []string) (*consolev1.Hook, string, error) {
	if err := checkTypes(m.GetTypes(), known); err != nil {
		return nil, "", err
	}
	label := strings.TrimSpace(m.GetLabel())
	if utf8.RuneCountInString(label) > maxLabel {
		return nil, "", fault.Newf(fault.TooLong, "label: %d characters, at most %d", utf8.RuneCountInString(label), maxLabel)
	}
	if err := h.cfg.Guard.Try(ctx, m.GetUrl()); err != nil {
		return nil, "", err
	}
	st, err := h.cfg.Chain.Status(ctx)
	if err != nil {
		return nil, "", err
	}
	next := st.GetEvents()
	if m.GetFromHeight() > 0 {
		if next, err = h.first(ctx, m.GetFromHeight(), next); err != nil {
			return nil, "", err
		}
	}
	id := make([]byte, 8)
	rand.Read(id)
	r := &record{
		ID: hex.EncodeToString(id), Account: a.Account, Org: a.Org, URL: m.GetUrl(), Label: label, Types: slices.Clone(m.GetTypes()), Secret: newSecret(),
		State: consolev1.HookState_HOOK_STATE_ACTIVE, CreatedMs: h.cfg.Now().UnixMilli(), Next: next,
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	own := 0
	for _, x := range h.hooks {
		if x.made.Account == a.Account {
			own++
		}
	}
	switch {
	case own >= maxAccount:
		return nil, "", fault.Newf(fault.OutOfRange, "%s has %d hooks, and no more are possible: remove one, or have one bring more types", a.Account, own)
	case len(h.hooks) >= MaxHooks:
		return nil, "", fault.Newf(fault.OutOfRange, "this node has %d hooks, and no more are possible", MaxHooks)
	}
	// Under the lock: as many as are made are counted, and it is rare.
	if err := h.store.save(r); err != nil {
		return nil, "", fault.Wrap(fault.Inaccessible, err, "the hook cannot be written")
	}
	x := h.newHook(r)
	h.hooks[r.ID] = x
	h.start(x)
	h.cfg.Logger.Info("hook made", "hook", r.ID, "account", r.Account)
	return x.show(st.GetEvents()), r.Secret, nil
}

// List returns the asker's hooks, the oldest first, with how many events the ledger has.
func (h *Hooks) List(ctx context.Context, a Asker) (*consolev1.ListHooksResponse, error) {
	st, err := h.cfg.Chain.Status(ctx)
	if err != nil {
		return nil, err
	}
	out := &consolev1.ListHooksResponse{Allow: h.cfg.Guard.Allow(), Events: st.GetEvents(), Height: st.GetHeight()}
	h.each(func(x *hook) {
		if a.may(&x.made) {
			out.Hooks = append(out.Hooks, x.show(st.GetEvents()))
		}
	})
	slices.SortFunc(out.Hooks, func(a, b *consolev1.Hook) int {
		return cmp.Or(cmp.Compare(a.GetCreatedMs(), b.GetCreatedMs()), cmp.Compare(a.GetId(), b.GetId()))
	})
	return out, nil
}

// change changes a hook durably; what is under way no longer moves its place. When it returns an
// error nothing has changed.
func (h *Hooks) change(ctx context.Context, x *hook, fn func(*record)) (*consolev1.Hook, error) {
	st, err := h.cfg.Chain.Status(ctx)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	before := x.is
	fn(&x.is)
	if err = x.save(); err != nil {
		x.is = before
	} else {
		x.turn++
	}
	x.mu.Unlock()
	if err != nil {
		return nil, fault.Wrap(fault.Inaccessible, err, "the hook cannot be written")
	}
	x.nudge()
	return x.show(st.GetEvents()), nil
}

// resume has a hook try at once, as if it had never failed.
func resume(r *record) {
	r.State, r.End, r.Failures, r.FailingMs, r.AgainMs, r.Error = consolev1.HookState_HOOK_STATE_ACTIVE, 0, 0, 0, 0, ""
}

// Update pauses or resumes a hook, or gives it other types. NotFound, Malformed.
func (h *Hooks) Update(ctx context.Context, a Asker, m *consolev1.UpdateHookRequest, known []string) (*consolev1.Hook, error) {
	x, err := h.find(a, m.GetId())
	if err != nil {
		return nil, err
	}
	if m.GetSetTypes() {
		if err := checkTypes(m.GetTypes(), known); err != nil {
			return nil, err
		}
	}
	switch m.GetState() {
	case consolev1.HookState_HOOK_STATE_UNSPECIFIED, consolev1.HookState_HOOK_STATE_PAUSED:
	case consolev1.HookState_HOOK_STATE_ACTIVE:
		if err := h.cfg.Guard.Try(ctx, x.made.URL); err != nil { // the operator may have changed his mind
			return nil, err
		}
	default:
		return nil, fault.Newf(fault.Malformed, "state: ACTIVE or PAUSED")
	}
	return h.change(ctx, x, func(r *record) {
		switch m.GetState() {
		case consolev1.HookState_HOOK_STATE_ACTIVE:
			resume(r)
		case consolev1.HookState_HOOK_STATE_PAUSED:
			r.State, r.End = m.GetState(), 0
		}
		if m.GetSetTypes() {
			r.Types = slices.Clone(m.GetTypes())
		}
	})
}

// Delete removes a hook and waits for nothing: what is under way may still arrive.
func (h *Hooks) Delete(a Asker, id string) error {
	x, err := h.find(a, id)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.gone {
		return fault.Newf(fault.NotFound, "%s has no hook %.40q", a.Account, id)
	}
	if err := h.store.remove(id); err != nil {
		return fault.Wrap(fault.Inaccessible, err, "the hook cannot be removed")
	}
	x.gone = true
	delete(h.hooks, id)
	if x.stop != nil {
		x.stop()
	}
	h.cfg.Logger.Info("hook removed", "hook", id, "account", a.Account)
	return nil
}

// Rotate makes a new secret; the one before signs beside it for a while, an older one no longer.
func (h *Hooks) Rotate(ctx context.Context, a Asker, id string) (*consolev1.Hook, string, error) {
	x, err := h.find(a, id)
	if err != nil {
		return nil, "", err
	}
	secret := newSecret()
	out, err := h.change(ctx, x, func(r *record) {
		r.Old, r.OldMs, r.Secret = r.Secret, h.cfg.Now().Add(h.cfg.Times.Overlap).UnixMilli(), secret
	})
	return out, secret, err
}

// Attempts returns the last posts, the newest first.
func (h *Hooks) Attempts(a Asker, id string, limit uint32) ([]*consolev1.HookAttempt, error) {
	x, err := h.find(a, id)
	if err != nil {
		return nil, err
	}
	n := int(min(cmp.Or(limit, 50), keepAttempt))
	x.mu.Lock()
	defer x.mu.Unlock()
	var out []*consolev1.HookAttempt
	for _, t := range slices.Backward(x.list) {
		if len(out) == n {
			break
		}
		out = append(out, t.show())
	}
	return out, nil
}

func (t *attempt) show() *consolev1.HookAttempt {
	return &consolev1.HookAttempt{
		Id: t.ID, Event: t.Event, Height: t.Height, Type: t.Type, AtMs: t.AtMs, Status: uint32(t.Status), TookMs: uint32(t.TookMs), Error: t.Error, Again: t.Again, Body: string(t.Body),
	}
}

// Replay sets the place, or posts one event. OutOfRange, NotFound: see the schema.
func (h *Hooks) Replay(ctx context.Context, a Asker, m *consolev1.ReplayHookRequest) (*consolev1.ReplayHookResponse, error) {
	x, err := h.find(a, m.GetId())
	if err != nil {
		return nil, err
	}
	st, err := h.cfg.Chain.Status(ctx)
	if err != nil {
		return nil, err
	}
	var next int64
	switch from := m.GetFrom().(type) {
	case *consolev1.ReplayHookRequest_Only:
		t, err := h.one(ctx, x, from.Only, st.GetEvents())
		if err != nil {
			return nil, err
		}
		return &consolev1.ReplayHookResponse{Hook: x.show(st.GetEvents()), Attempt: t}, nil
	case *consolev1.ReplayHookRequest_Height:
		if from.Height < 0 || from.Height > st.GetHeight() {
			return nil, fault.Newf(fault.OutOfRange, "height %d: the latest block is %d", from.Height, st.GetHeight())
		}
		if next, err = h.first(ctx, from.Height, st.GetEvents()); err != nil {
			return nil, err
		}
	case *consolev1.ReplayHookRequest_Event:
		if next = from.Event; next < 0 || next > st.GetEvents() {
			return nil, fault.Newf(fault.OutOfRange, "event %d: the ledger has those from 0 to %d", next, st.GetEvents()-1)
		}
	default:
		return nil, fault.Newf(fault.Missing, "from: a height, an event, or one event only")
	}
	out, err := h.change(ctx, x, func(r *record) {
		r.Next = next
		if r.State == consolev1.HookState_HOOK_STATE_ACTIVE {
			resume(r)
		}
	})
	return &consolev1.ReplayHookResponse{Hook: out}, err
}

// first is the number of the first event at a height or above; events if there is none.
func (h *Hooks) first(ctx context.Context, height, events int64) (int64, error) {
	var bad error
	n := sort.Search(int(events), func(i int) bool {
		res, err := h.cfg.Chain.Events(ctx, int64(i), 1)
		if err != nil {
			bad = err
		}
		return err != nil || len(res.GetEvents()) > 0 && res.GetEvents()[0].GetHeight() >= height
	})
	return int64(n), bad
}

// one posts an event of the hook's again, at once.
func (h *Hooks) one(ctx context.Context, x *hook, seq, events int64) (*consolev1.HookAttempt, error) {
	if seq < 0 || seq >= events {
		return nil, fault.Newf(fault.OutOfRange, "event %d: the ledger has those from 0 to %d", seq, events-1)
	}
	x.mu.Lock()
	r := x.is
	x.mu.Unlock()
	res, err := h.cfg.Chain.Events(ctx, seq, 1)
	if err != nil {
		return nil, err
	}
	if len(res.GetEvents()) == 0 {
		return nil, fault.Newf(fault.NotFound, "event %d", seq)
	}
	e := res.GetEvents()[0]
	ours, err := h.concerns(ctx, r.Org, e)
	if err == nil && !ours {
		err = fault.Newf(fault.NotFound, "event %d does not concern %s", seq, r.Org)
	}
	if err != nil {
		return nil, err
	}
	body, err := h.body(ctx, r.Org, seq, e)
	if err != nil {
		return nil, err
	}
	return h.now(ctx, x, &r, &attempt{ID: idOf(r.ID, seq), Event: seq, Height: e.GetHeight(), Type: typeOf(e.GetVerb()), Body: body})
}

// Test posts an event that is none.
func (h *Hooks) Test(ctx context.Context, a Asker, id string) (*consolev1.HookAttempt, error) {
	x, err := h.find(a, id)
	if err != nil {
		return nil, err
	}
	x.mu.Lock()
	r := x.is
	x.mu.Unlock()
	n := make([]byte, 8)
	rand.Read(n)
	body, err := json.Marshal(Payload{Type: TestType, Timestamp: h.cfg.Now().UTC(), Data: Place{Chain: h.cfg.ChainID, Event: -1, Organisation: r.Org}})
	if err != nil {
		return nil, err
	}
	return h.now(ctx, x, &r, &attempt{ID: "msg_" + r.ID + "_test_" + hex.EncodeToString(n), Event: -1, Type: TestType, Body: body})
}

// now posts what a person has asked for, once. It says nothing about the hook.
func (h *Hooks) now(ctx context.Context, x *hook, r *record, t *attempt) (*consolev1.HookAttempt, error) {
	if !x.take(ctx) {
		return nil, fault.Newf(fault.Busy, "the hook is posting something else right now: try again in a moment")
	}
	defer x.give()
	t.AtMs, t.Again = h.cfg.Now().UnixMilli(), true
	got := h.post(ctx, r.URL, x.secrets(), t.ID, t.Body)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.note(t, got)
	return t.show(), nil
}
