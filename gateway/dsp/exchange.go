package dsp

import (
	"context"
	"net/http"
	"time"

	"mulian/internal/fault"
)

// exchange is what a negotiation and a transfer have in common: between whom it is, and
// what the connector was told of it.
type exchange struct {
	Pid         string `json:"pid"` // providerPid
	ConsumerPid string `json:"consumer_pid"`
	Participant string `json:"participant"`
	Callback    string `json:"callback"`
	Entry       string `json:"entry"`
	Told        string `json:"told,omitempty"` // the last state that was delivered
	Code        string `json:"code,omitempty"` // why it ended or rests
	Cause       string `json:"cause,omitempty"`
	AtMs        int64  `json:"at_ms"`
}

func (x *exchange) head() *exchange { return x }

// record is a negotiation or a transfer.
type record[T any] interface {
	*T
	head() *exchange
	over() bool // nothing happens to it any more
	line() line
}

// kind is how one of the two is kept, shown and moved on.
type kind[T any, R record[T]] struct {
	name  string // for people
	shown string // @type of the message that shows one
	path  string // of its messages, below a callback address
	kept  func(*journal) map[string]T
	state func(context.Context, R) (string, error)
	// next moves one as far as the ledger lets it, and keeps that; then it returns the
	// message that the connector has to get and the state that it tells, nil if none.
	// Called with the turn at the record.
	next func(context.Context, *participant, R) (m *Message, path, state string, err error)
}

func (f *Facade) negotiating() kind[negotiation, *negotiation] {
	return kind[negotiation, *negotiation]{
		"negotiation", "ContractNegotiation", "/negotiations/",
		func(j *journal) map[string]negotiation { return j.negotiations },
		func(ctx context.Context, n *negotiation) (string, error) {
			state, _, err := f.state(ctx, n)
			return state, err
		},
		f.next,
	}
}

func (f *Facade) transferring() kind[transfer, *transfer] {
	return kind[transfer, *transfer]{
		"transfer", "TransferProcess", "/transfers/",
		func(j *journal) map[string]transfer { return j.transfers },
		func(_ context.Context, t *transfer) (string, error) { return t.State, nil },
		f.nextTransfer,
	}
}

func (k kind[T, R]) message(x *exchange, state string) *Message {
	m := message(k.shown, x.Pid, x.ConsumerPid)
	m.State = state
	return m
}

// own finds the record of a path, which the message in it has to name as well. The
// records of other participants are not there.
func (k kind[T, R]) own(f *Facade, r *http.Request, p *participant, m *Message) (T, error) {
	pid := r.PathValue("pid")
	t, ok := recall(f.journal, k.kept, pid)
	x := R(&t).head()
	if !ok || x.Participant != p.ID {
		return t, fault.Newf(fault.NotFound, "there is no %s %.100q", k.name, pid)
	}
	if m != nil && (m.ProviderPid == nil || *m.ProviderPid != x.Pid || *m.ConsumerPid != x.ConsumerPid) {
		return t, pidError{x.Pid, x.ConsumerPid, fault.Newf(fault.CodeInconsistent, "the message is for another %s than its address", k.name)}
	}
	return t, nil
}

// show answers GET.
func (k kind[T, R]) show(f *Facade) call {
	return func(w http.ResponseWriter, r *http.Request, p *participant) error {
		t, err := k.own(f, r, p, nil)
		if err != nil {
			return err
		}
		x := R(&t).head()
		state, err := k.state(r.Context(), &t)
		if err != nil {
			return pidError{x.Pid, x.ConsumerPid, err}
		}
		return write(w, http.StatusOK, k.message(x, state))
	}
}

// step is one message of the connector that may move a record; move keeps what it does.
func (k kind[T, R]) step(f *Facade, message string, move func(context.Context, *participant, R, *Message) error) call {
	return func(w http.ResponseWriter, r *http.Request, p *participant) error {
		m, err := Read(r.Body, message)
		if err != nil {
			return err
		}
		t, err := k.own(f, r, p, m)
		if err != nil {
			return err
		}
		pid, consumer := R(&t).head().Pid, R(&t).head().ConsumerPid
		free, err := f.turns.take(r.Context(), pid)
		if err != nil {
			return pidError{pid, consumer, err}
		}
		defer free()
		t, _ = recall(f.journal, k.kept, pid)
		if err := move(r.Context(), p, &t, m); err != nil {
			return pidError{pid, consumer, err}
		}
		f.wake(pid)
		w.WriteHeader(http.StatusOK)
		return nil
	}
}

// once begins a record, unless the participant's consumerPid has one already: then that
// is returned, if it is for the same thing. begin keeps what it makes.
func (k kind[T, R]) once(ctx context.Context, f *Facade, p *participant, m *Message, same func(R) bool, begin func(R) error) (t T, known bool, err error) {
	callback, err := callbackURL(p.Callback, m.CallbackAddress)
	if err != nil {
		return t, false, err
	}
	free, err := f.turns.take(ctx, k.name+"\x00"+p.ID+"\x00"+*m.ConsumerPid)
	if err != nil {
		return t, false, err
	}
	defer free()
	t, known = find[T, R](f.journal, k.kept, p.ID, func(t R) bool { return t.head().ConsumerPid == *m.ConsumerPid })
	x := R(&t).head()
	if known {
		if !same(&t) {
			err = fault.Newf(fault.Idempotency, "consumerPid %.100s is another %s", *m.ConsumerPid, k.name)
		}
		return t, true, err
	}
	if err := f.journal.room(p.ID); err != nil {
		return t, false, err
	}
	x.Pid, x.ConsumerPid, x.Participant, x.Callback, x.AtMs = newPid(), *m.ConsumerPid, p.ID, callback.String(), time.Now().UnixMilli()
	done, err := f.turns.take(ctx, x.Pid) // Run sees it as soon as it is kept
	if err != nil {
		return t, false, err
	}
	defer done()
	if err := begin(&t); err != nil {
		return t, false, pidError{x.Pid, x.ConsumerPid, err}
	}
	return t, false, nil
}

// tell does what a record waits for on our side and tells the connector. The turn is
// not held while it is told: the connector may answer with the next message before it
// answers the call.
func (k kind[T, R]) tell(f *Facade) func(context.Context, string) error {
	return func(ctx context.Context, pid string) error {
		p, to, m, state, err := k.prepare(ctx, f, pid)
		if err != nil || m == nil {
			return err
		}
		f.flying.Store(pid, state)
		defer f.flying.Delete(pid)
		if err := f.send(ctx, p, to, m); err != nil {
			return err
		}
		free, err := f.turns.take(ctx, pid)
		if err != nil {
			return err
		}
		defer free()
		t, _ := recall(f.journal, k.kept, pid)
		now, err := k.state(ctx, &t)
		if err != nil || now != state || R(&t).over() {
			return err // the connector or the ledger was faster
		}
		R(&t).head().Told = state
		return f.journal.put(R(&t).line())
	}
}

func (k kind[T, R]) prepare(ctx context.Context, f *Facade, pid string) (p *participant, to string, m *Message, state string, err error) {
	free, err := f.turns.take(ctx, pid)
	if err != nil {
		return nil, "", nil, "", err
	}
	defer free()
	t, ok := recall(f.journal, k.kept, pid)
	x := R(&t).head()
	if p = f.participants[x.Participant]; !ok || p == nil || R(&t).over() {
		return p, "", nil, "", nil
	}
	m, path, state, err := k.next(ctx, p, &t)
	return p, x.Callback + k.path + pathID(x.ConsumerPid) + path, m, state, err
}

func illegal(kind, state string) error {
	return fault.Newf(fault.IllegalTransition, "a %s does not fit the state %s", kind, state)
}
