package receipt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/client"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// AnchorConfig says how a log is anchored. All fields are required but the last three.
type AnchorConfig struct {
	Log    *Log
	Chain  *client.Client
	Proved *client.Verified
	Signer client.Signer // the gateway, MACHINE
	// Every is how soon a new record is on the ledger; 0: 3 s (Parameters.anchor_seconds).
	Every time.Duration
	// Marked is told of each anchor that is proved to be on the ledger.
	Marked func(Mark)
	Logger *slog.Logger // nil: slog.Default
}

// Mark says that the ledger's state after Height was made after Sent: it holds an
// anchor that we signed at that moment. Whatever is proved at that height or a
// later one is at least as new as Sent, by our own clock, whatever the server says.
type Mark struct {
	Height int64
	Sent   time.Time
}

// Anchor brings the heads of one log to the ledger: a new record within Every, and
// the same head again as a sign of life while the gateway serves.
//
//	idle ──record──▶ waiting (at most Every/3, others join) ──▶ sent ──proved──▶ marked ──▶ idle
//	  │ Now, or Touch within the last serving time ▲              │ no connection: again
//	  └────────────────────────────────────────────┘              │ LogRewritten, ReceiptGap: refused for good
type Anchor struct {
	cfg  AnchorConfig
	asks chan chan error // of Now; taken by Run
	done chan struct{}   // closed when Run has ended

	mu      sync.Mutex // guards the fields below
	touched time.Time
	last    *tracev1.Head // as proved; nil before the first look
	mark    Mark
	refused error
	failing error // why the latest try failed; nil after one that did not
}

// serving is how long after a request the signs of life go on: long enough that the
// calls of an office day do not wait for one, short enough that an idle gateway
// makes no blocks. Our own choice.
const serving = 30 * time.Second

// NewAnchor returns an anchor of the log. Nothing happens before Run.
func NewAnchor(cfg AnchorConfig) *Anchor {
	cfg.Every = cmp.Or(cfg.Every, 3*time.Second)
	cfg.Logger = cmp.Or(cfg.Logger, slog.Default())
	if cfg.Marked == nil {
		cfg.Marked = func(Mark) {}
	}
	return &Anchor{cfg: cfg, asks: make(chan chan error), done: make(chan struct{})}
}

// Touch says that a request was served: signs of life go on for a while.
func (a *Anchor) Touch() {
	a.mu.Lock()
	a.touched = time.Now()
	a.mu.Unlock()
}

// Refused tells why the ledger does not accept this log: rewritten, or with a gap.
// The gateway then releases nothing. nil while all is well.
func (a *Anchor) Refused() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused
}

// Status returns the head on the ledger (nil: not known yet), the latest mark, and
// why the latest try failed.
func (a *Anchor) Status() (head *tracev1.Head, mark Mark, failing error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last, a.mark, a.failing
}

// Now anchors at once and returns when that is proved. Calls that come together
// share one anchor.
func (a *Anchor) Now(ctx context.Context) error {
	answer := make(chan error, 1)
	select {
	case a.asks <- answer:
	case <-a.done:
		return fault.Newf(fault.Cancelled, "the anchor of the log is not running")
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-a.done:
		return fault.Newf(fault.Cancelled, "the anchor of the log is not running")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run anchors until ctx ends. One goroutine calls it, once.
func (a *Anchor) Run(ctx context.Context) error {
	defer close(a.done)
	timer := time.NewTimer(0) // the first look finds what a crash left behind
	defer timer.Stop()
	for {
		size, grown := a.cfg.Log.Integrated()
		if !a.level(size) {
			grown = nil // the timer is set
		}
		var asked []chan error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-grown:
			timer.Reset(a.cfg.Every / 3)
			continue
		case answer := <-a.asks:
			asked = a.others(answer)
		case <-timer.C:
		}
		err := a.once(ctx, asked != nil)
		for _, answer := range asked {
			answer <- err
		}
		timer.Reset(a.pause(err))
	}
}

// level tells whether all records of the tree are known to be on the ledger.
func (a *Anchor) level(size uint64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last != nil && size == a.last.GetSize()
}

// alive tells whether a request came lately.
func (a *Anchor) alive() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Since(a.touched) < serving
}

// others collects who asked in the same moment.
func (a *Anchor) others(first chan error) []chan error {
	asked := []chan error{first}
	for {
		select {
		case answer := <-a.asks:
			asked = append(asked, answer)
		default:
			return asked
		}
	}
}

// idlePause is how often an idle anchor looks whether it still has nothing to do.
const idlePause = time.Minute

func (a *Anchor) pause(err error) time.Duration {
	size, _ := a.cfg.Log.Integrated()
	if err != nil || !a.level(size) {
		return a.cfg.Every / 3
	}
	if a.alive() {
		// A sign of life well before the last one is as old as a view may be.
		return a.cfg.Every * 2 / 3
	}
	return idlePause
}

// anchorWait bounds one anchor: sending, commit, proof.
const anchorWait = 10 * time.Second

func (a *Anchor) once(ctx context.Context, asked bool) error {
	ctx, cancel := context.WithTimeout(ctx, anchorWait)
	defer cancel()
	err := a.Refused()
	if err == nil {
		err = a.try(ctx, asked)
	}
	if fault.Is(err, fault.Expired) || fault.Is(err, fault.OutOfRange) {
		err = a.clock(ctx, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err != nil && a.failing == nil && ctx.Err() == nil {
		a.cfg.Logger.Warn("the access log's head is not anchored", "code", fault.CodeOf(err), "err", err)
	}
	a.failing = err
	return err
}

// ClockError says that our clock is why the ledger does not take an anchor.
type ClockError struct {
	Off time.Duration // by which it is ahead of the server's; behind: negative
}

func (e *ClockError) Error() string {
	way := "ahead of"
	if e.Off < 0 {
		way = "behind"
	}
	unit := time.Second
	if e.Off.Abs() > 2*time.Minute {
		unit = time.Minute
	}
	return fmt.Sprintf("this gateway's clock is %s %s that of the ledger's server (set it: timedatectl set-ntp true)", e.Off.Abs().Round(unit), way)
}

// clockDiffers is from when on a refused envelope is the clock's fault.
const clockDiffers = 30 * time.Second

// clock tells why an envelope of ours has ended, or counts for too long.
func (a *Anchor) clock(ctx context.Context, cause error) error {
	off, err := a.cfg.Chain.ClockOff(ctx)
	if err != nil || off.Abs() < clockDiffers {
		return cause
	}
	return &fault.Fault{Code: fault.CodeOf(cause), Text: "nothing can be anchored", Err: &ClockError{off}}
}

func (a *Anchor) try(ctx context.Context, asked bool) error {
	head, _, _ := a.Status()
	if head == nil {
		var err error
		if head, _, err = a.look(ctx); err != nil {
			return err
		}
	}
	size, _ := a.cfg.Log.Integrated()
	if size == head.GetSize() && !asked && !a.alive() {
		return nil // idle: no block for nothing
	}
	m, err := a.message(ctx, head, size)
	if err != nil {
		return err
	}
	sent, before := time.Now(), a.cfg.Proved.Head().Height
	_, err = a.cfg.Chain.Send(ctx, a.cfg.Signer, m)
	if err == nil {
		return a.prove(ctx, head, m, sent)
	}
	// What was refused, or has an unknown outcome, may rest on a head that is no longer
	// the ledger's: an earlier anchor of ours that we took for lost. Look again.
	now, at, lookErr := a.look(ctx)
	if lookErr != nil {
		return err
	}
	if !proto.Equal(now, head) {
		return err // try again from there
	}
	// A refusal is in a block of its own. A server that stands still, or lies, proves the
	// head that was before it: from that nothing follows for this log.
	if at <= before {
		return err
	}
	if fault.Is(err, fault.LogRewritten) || fault.Is(err, fault.ReceiptGap) {
		return a.refuse(err)
	}
	return err
}

func (a *Anchor) refuse(err error) error {
	a.mu.Lock()
	a.refused = err
	a.mu.Unlock()
	a.cfg.Logger.Error("the ledger does not accept the access log: nothing is released any more", "code", fault.CodeOf(err), "err", err)
	return err
}

// look reads the head that the ledger has, with proof, and compares it with the log. height
// is that of the header that proves it.
func (a *Anchor) look(ctx context.Context) (head *tracev1.Head, height int64, err error) {
	head = &tracev1.Head{}
	_, at, err := a.cfg.Proved.Get(ctx, HeadKey(a.cfg.Signer.Account), head)
	if err != nil {
		return nil, 0, err
	}
	if size := head.GetSize(); size > 0 {
		if have, _ := a.cfg.Log.Integrated(); size > have {
			return nil, 0, a.refuse(fault.Newf(fault.LogRewritten, "the ledger has seen %d records of this log, here are %d: was an old copy put back?", size, have))
		}
		root, err := a.cfg.Log.Root(ctx, size)
		if err != nil {
			return nil, 0, err
		}
		if !bytes.Equal(root, head.GetRoot()) {
			return nil, 0, a.refuse(fault.Newf(fault.LogRewritten, "the first %d records are not those that the ledger has seen", size))
		}
	}
	a.mu.Lock()
	a.last = head
	a.mu.Unlock()
	return head, at.Height, nil
}

// HeadKey is where the ledger keeps the head of a gateway's log.
func HeadKey(gateway string) string { return "trace/head/" + gateway }

// message makes the anchor from the head on the ledger to size, or to a smaller one
// where its bounds end.
func (a *Anchor) message(ctx context.Context, head *tracev1.Head, size uint64) (*tracev1.AnchorHead, error) {
	ranges, secrets, size, err := a.cfg.Log.ranges(head.GetSize(), size)
	if err != nil {
		return nil, err
	}
	m := &tracev1.AnchorHead{Gateway: a.cfg.Signer.Account, Size: size, Ranges: ranges, Secrecy: secrets}
	if m.Root, err = a.cfg.Log.Root(ctx, size); err != nil {
		return nil, err
	}
	m.Consistency, err = a.cfg.Log.Consistency(ctx, head.GetSize(), size)
	return m, err
}

// prove reads the new head with proof: only that makes the mark.
func (a *Anchor) prove(ctx context.Context, before *tracev1.Head, m *tracev1.AnchorHead, sent time.Time) error {
	head := &tracev1.Head{}
	_, at, err := a.cfg.Proved.Get(ctx, HeadKey(m.Gateway), head)
	if err != nil {
		return err
	}
	if head.GetSize() != m.Size || !bytes.Equal(head.GetRoot(), m.Root) || head.GetAnchors() <= before.GetAnchors() {
		return fault.Newf(fault.VerificationFailed, "the server says that the anchor is committed, and its own proof shows another head")
	}
	a.mu.Lock()
	a.last, a.mark = head, Mark{Height: at.Height - 1, Sent: sent}
	mark := a.mark
	a.mu.Unlock()
	a.cfg.Marked(mark)
	return nil
}

// errFull says that one anchor has no room for more agreements.
var errFull = errors.New("full")

// sums is what one anchor says of its records, by agreement, and by order of secrecy.
type sums struct {
	ranges  map[string]*tracev1.Range
	secrecy map[Secret]*tracev1.SecrecyCount
}

// ranges sums the records from to end by agreement, ascending, and returns where the
// bounds of one anchor end.
func (l *Log) ranges(from, end uint64) ([]*tracev1.Range, []*tracev1.SecrecyCount, uint64, error) {
	end = min(end, from+maxAnchorRecords)
	by := sums{ranges: map[string]*tracev1.Range{}, secrecy: map[Secret]*tracev1.SecrecyCount{}}
	lately, first := l.lately(from, end)
	for i := from; i < end; i++ {
		var what said
		var err error
		if i >= first {
			what = lately[i-first]
		} else {
			var e Entry
			e, err = l.leaf(i)
			what = saidOf(e.Record)
		}
		if err == nil {
			err = by.add(what)
		}
		if err == errFull {
			end = i
			break
		}
		if err != nil {
			return nil, nil, 0, fmt.Errorf("anchor: %w", err)
		}
	}
	var out []*tracev1.Range
	for _, r := range by.ranges {
		out = append(out, r)
	}
	slices.SortFunc(out, func(x, y *tracev1.Range) int { return cmp.Compare(x.Agreement, y.Agreement) })
	var secret []*tracev1.SecrecyCount
	for _, c := range by.secrecy {
		secret = append(secret, c)
	}
	slices.SortFunc(secret, func(x, y *tracev1.SecrecyCount) int {
		return cmp.Or(cmp.Compare(x.Agreement, y.Agreement), cmp.Compare(x.Order, y.Order))
	})
	return out, secret, end, nil
}

// add counts a record; errFull leaves the sums as they were.
func (by *sums) add(rec said) error {
	if rec.agreement == "" {
		return nil
	}
	which := Secret{Agreement: rec.agreement, Order: rec.order}
	r, c := by.ranges[rec.agreement], by.secrecy[which]
	needsRange, needsCount := decides(rec.outcome), which.Order != 0
	if needsRange && r == nil && len(by.ranges) == MaxRanges || needsCount && c == nil && len(by.secrecy) == MaxRanges {
		return errFull
	}
	if needsRange {
		if r == nil {
			r = &tracev1.Range{Agreement: rec.agreement, First: rec.seq}
			by.ranges[rec.agreement] = r
		}
		if r.Last != 0 && rec.seq != r.Last+1 {
			return fault.Newf(fault.ReceiptGap, "record %d of agreement %s follows %d", rec.seq, r.Agreement, r.Last)
		}
		r.Last = rec.seq
		if rec.outcome == tracev1.Outcome_OUTCOME_GRANTED {
			r.Granted++
		} else {
			r.Refused++
		}
	}
	if needsCount {
		if c == nil {
			c = &tracev1.SecrecyCount{Agreement: rec.agreement, Order: which.Order}
			by.secrecy[which] = c
		}
		if rec.outcome == opened {
			c.Opened++
		} else {
			c.Sealed++
		}
	}
	return nil
}
