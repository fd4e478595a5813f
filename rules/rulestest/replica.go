package rulestest

import (
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	governancev1 "mulian/gen/mulian/governance/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/sm"
	"mulian/rules"
	"mulian/rules/governance"
	"mulian/state"
	"mulian/state/machine"
)

// replica is one validator's state.
type replica struct {
	tb      testing.TB
	db      *state.DB
	machine machine.Machine
	block   *state.Block // open, or nil
	events  []*tracev1.Event
}

func newReplica(t testing.TB) *replica {
	t.Helper()
	kv, err := pebble.Open("", &pebble.Options{FS: vfs.NewMem(), Logger: silent{}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kv.Close() })
	db, err := state.Open(kv, []byte("s/"), state.Options{Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	return &replica{tb: t, db: db, machine: rules.New()}
}

// silent keeps Pebble's notes out of the tests' output.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	panic(format)
}

func environment(height, timeMs int64) machine.Env {
	return machine.Env{
		ChainID: ChainID, Height: height, TimeMs: timeMs,
		Verify: func(public sm.PublicKey, message, signature []byte) bool { return public.Verify(message, signature) },
	}
}

func (r *replica) found(timeMs int64, file []byte) ([]machine.Validator, error) {
	b := r.db.Begin(0, timeMs)
	defer b.Discard()
	tx := b.Tx()
	defer tx.Drop()
	first, err := r.machine.Genesis(tx, environment(0, timeMs), file)
	if err != nil {
		return nil, err
	}
	tx.Keep()
	return first, b.Commit()
}

// apply carries out one transaction in the block that is open, or in a new one.
func (r *replica) apply(timeMs int64, raw []byte) machine.Result {
	if r.block == nil {
		r.block = r.db.Begin(r.db.Height()+1, timeMs)
	}
	tx := r.block.Tx()
	res := r.machine.Apply(tx, environment(r.block.Height(), timeMs), raw)
	if res.Code == fault.OK {
		tx.Keep()
	} else {
		tx.Drop()
	}
	return res
}

// cut ends the block. An empty one is made if none is open.
func (r *replica) cut(timeMs int64, proved []machine.Misbehaviour) []machine.Validator {
	r.tb.Helper()
	if r.block == nil {
		r.block = r.db.Begin(r.db.Height()+1, timeMs)
	}
	tx := r.block.Tx()
	env := environment(r.block.Height(), timeMs)
	env.Misbehaviours = proved
	changes := r.machine.End(tx, env)
	tx.Keep()
	size := r.db.Head().LogSize
	if err := r.block.Commit(); err != nil {
		r.tb.Fatal(err)
	}
	r.block = nil
	r.events = r.read(size)
	return changes
}

// read returns the events of the log from the place on.
func (r *replica) read(from int64) (out []*tracev1.Event) {
	r.tb.Helper()
	for seq := from; seq < r.db.Head().LogSize; seq++ {
		raw, err := r.db.Event(seq)
		if err != nil {
			r.tb.Fatal(err)
		}
		ev := new(tracev1.Event)
		if err := canon.Check(raw.Bytes, ev); err != nil {
			r.tb.Fatalf("event %d: %v", seq, err)
		}
		out = append(out, ev)
	}
	return out
}

// Send makes a block of one envelope on both replicas and returns the code. The
// result is in w.Outcome and w.Text. It also asks Check beforehand, which must
// say what Apply says as long as no message was reached.
func (w *World) Send(raw []byte) fault.Code {
	w.TB.Helper()
	w.Sent = append(w.Sent, Sent{w.Now, raw})
	checked := w.Check(raw)
	first := w.replicas[0].apply(w.Now, raw)
	if !first.Remember && fault.CodeOf(checked) != first.Code || first.Remember && checked != nil {
		w.TB.Fatalf("Check says %v, Apply %s (%s)", checked, first.Code, first.Text)
	}
	second := w.replicas[1].apply(w.Now, raw)
	w.Outcome, w.Text, w.Remembered = w.parse(first), first.Text, first.Remember
	if o := w.parse(second); o.Code != w.Outcome.Code || o.Rule != w.Outcome.Rule || o.Item != w.Outcome.Item || o.Message != w.Outcome.Message || first.Remember != second.Remember {
		w.TB.Fatalf("two replicas disagree: %v and %v", w.Outcome, o)
	}
	w.cut()
	return first.Code
}

// Check asks the state machine whether it would admit the envelope now.
func (w *World) Check(raw []byte) error {
	v := w.replicas[0].db.View()
	defer v.Close()
	return w.replicas[0].machine.Check(v, environment(v.Height()+1, w.Now), raw)
}

func (w *World) parse(r machine.Result) *txv1.Outcome {
	w.TB.Helper()
	o := new(txv1.Outcome)
	if err := canon.Check(r.Data, o); err != nil {
		w.TB.Fatalf("the result is not canonical: %v", err)
	}
	if o.Code != uint32(r.Code) {
		w.TB.Fatalf("the result says %d, its bytes %d", r.Code, o.Code)
	}
	return o
}

// cut ends the block on both replicas and compares them. A second replica that
// lags ends it only each w.lag times.
func (w *World) cut() {
	w.TB.Helper()
	proved := w.Proved
	w.Proved = nil
	w.Validators = w.replicas[0].cut(w.Now, proved)
	if w.waiting++; w.waiting < w.lag {
		return
	}
	w.waiting = 0
	changes := w.replicas[1].cut(w.Now, proved)
	a, b := w.replicas[0].db.Head(), w.replicas[1].db.Head()
	if a.TreeRoot != b.TreeRoot || w.lag == 1 && a.AppHash() != b.AppHash() {
		w.TB.Fatalf("two replicas disagree after block %d: trees %x and %x", a.Height, a.TreeRoot, b.TreeRoot)
	}
	if w.lag == 1 && len(changes) != len(w.Validators) {
		w.TB.Fatalf("two replicas disagree about validators: %v and %v", changes, w.Validators)
	}
}

// Lag lets the second replica put n blocks of the first into one, from now on. Time
// must then pass by [World.Wait] only, which ends both blocks.
func (w *World) Lag(n int) {
	w.settle()
	w.lag = n
}

// settle ends the open block of a second replica that lags.
func (w *World) settle() {
	if w.waiting > 0 {
		w.waiting = w.lag - 1
		w.cut()
	}
}

// Wait lets time pass and makes an empty block then, in which clocks run out.
func (w *World) Wait(ms int64) {
	w.TB.Helper()
	w.settle()
	w.Now += ms
	w.Sent = append(w.Sent, Sent{w.Now, nil})
	w.waiting = w.lag - 1
	w.cut()
}

// Block makes an empty block at the same time.
func (w *World) Block() { w.Wait(0) }

// Height is that of the last block.
func (w *World) Height() int64 { return w.replicas[0].db.Height() }

func (w *World) stateOf(proposal string) governancev1.ProposalState {
	p, _ := governance.Lookup(w.View(), proposal)
	return p.GetState()
}
