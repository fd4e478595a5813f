package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/mempool"

	"mulian/internal/fault"
	"mulian/internal/tracing"
)

// waiting is who waits for which transaction.
type waiting struct {
	mu   sync.Mutex
	byID map[[32]byte][]*waiter // guarded by mu
}

type waiter struct {
	raw    [32]byte
	answer chan Committed // one place, so that answering never waits
}

func newWaiting() waiting { return waiting{byID: map[[32]byte][]*waiter{}} }

func (w *waiting) join(id, raw [32]byte) *waiter {
	one := &waiter{raw: raw, answer: make(chan Committed, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.byID[id] = append(w.byID[id], one)
	return one
}

func (w *waiting) leave(id [32]byte, one *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := w.byID[id][:0]
	for _, x := range w.byID[id] {
		if x != one {
			rest = append(rest, x)
		}
	}
	if len(rest) == 0 {
		delete(w.byID, id)
	} else {
		w.byID[id] = rest
	}
}

// answer tells those who wait for a transaction of the block. A forged envelope does
// not answer for the true one of the same id. A replay tells them to look up the first.
func (w *waiting) answer(done []doneTx) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range done {
		d := &done[i]
		for _, one := range w.byID[d.ID] {
			if d.Code != fault.Replayed && !d.spent && one.raw != d.raw {
				continue
			}
			select {
			case one.answer <- d.Committed:
			default: // answered already
			}
		}
	}
}

// Submit checks a signed envelope in the caller's goroutine, puts it before the
// consensus and waits until it is in a block. A refusal in the block is a Committed
// with a Code, not an error. A transaction that is on the chain already is answered
// with its own result: sending again is safe. One that this node has not admitted
// lately is not looked up first (of each transaction that would cost a twelfth); the
// block refuses it as a replay, and then it is.
//
// Faults: what [machine.Machine.Check] refuses; TooLong; Busy when too many wait;
// Timeout when ctx ends or the node stops: the outcome is then unknown, and Tx
// tells it later; the cause when the node has failed.
func (l *Ledger) Submit(ctx context.Context, raw []byte) (*Committed, error) {
	if err := l.enter(); err != nil {
		return nil, err
	}
	if len(raw) > MaxTxBytes {
		l.leave()
		return nil, fault.Newf(fault.TooLong, "a transaction of %d bytes; the bound is %d", len(raw), MaxTxBytes)
	}
	sum := sha256.Sum256(raw)
	again := l.app.admitted.has(sum)
	full := !again && l.full(len(raw))
	l.leave()
	if full { // those who must come again must not take the time of those who are in
		return nil, busy()
	}
	id, err := l.machine.ID(raw)
	if err != nil {
		return nil, err
	}
	me := l.waiting.join(id, sum) // before looking, so that no block slips between
	defer l.waiting.leave(id, me)
	if again { // and perhaps in a block since
		if c, known, err := l.Tx(id); known || err != nil {
			return c, err
		}
	}
	if err := l.enter(); err != nil {
		return nil, err
	}
	cached, err := l.offer(ctx, raw, sum, id)
	l.leave()
	var queued time.Time
	span := tracing.Of(ctx)
	if span.On() {
		queued = time.Now()
		span.Text("mulian.tx", hexID(id))
	}
	if cached { // it waits already, or a block brought it before this node had admitted it
		if c, known, err := l.Tx(id); known || err != nil {
			l.app.shares.give(sum) // it does not wait
			return c, err
		}
	}
	if fault.Is(err, fault.Busy) {
		return nil, err
	}
	if err != nil {
		// A block may have carried it since: then the refusal is only that of a replay.
		if c, known, err := l.Tx(id); known && err == nil {
			return c, nil
		}
		return nil, err
	}
	select {
	case c := <-me.answer:
		if span.On() {
			l.app.pace.tell(span, c.Height, queued)
		}
		if c.Code == fault.Replayed { // it was carried out before: that is the answer
			if first, known, err := l.Tx(id); known || err != nil {
				return first, err
			}
		}
		return &c, nil
	case <-ctx.Done():
		return nil, &fault.Fault{Code: fault.Timeout, Text: "no answer in time, the outcome is unknown; ask for transaction " + hexID(id) + " later, or send it again", Err: ctx.Err()}
	case <-l.closing:
		return nil, fault.Newf(fault.Timeout, "the node is stopping, the outcome is unknown; ask for transaction %s later, or send it again", hexID(id))
	case <-l.failure.done:
		return nil, l.failure.cause()
	}
}

// offer checks the transaction and gives it to the engine's mempool. cached: the engine
// has seen it before.
func (l *Ledger) offer(ctx context.Context, raw []byte, sum, id [32]byte) (cached bool, err error) {
	if l.full(len(raw)) { // before the signature costs anything
		return false, busy()
	}
	if !l.app.admitted.has(sum) {
		_, step := tracing.Child(ctx, "ledger/check") // rules and signature
		err := l.app.admit(raw, sum, id, l.app.verdicts.checkGated, accountShare)
		step.End(err)
		if err != nil {
			return false, err
		}
	}
	_, step := tracing.Child(ctx, "ledger/queue")
	var it *item
	if l.gossip != nil {
		it = l.gossip.hold(raw, sum, l.gossip.with(nil))
	}
	answer, err := l.queue(raw)
	step.End(nil)
	switch in := err == nil && (answer == nil || answer.Code == 0); {
	case in && it != nil:
		l.gossip.pass(it, nil)
	case !in && it != nil:
		l.gossip.drop(it)
	}
	if err != nil && !errors.Is(err, mempool.ErrTxInCache) || answer != nil && answer.Code != 0 {
		l.app.shares.give(sum)
	}
	var full mempool.ErrMempoolIsFull
	var large mempool.ErrTxTooLarge
	switch {
	case errors.Is(err, mempool.ErrTxInCache):
		return true, nil
	case errors.As(err, &full), errors.Is(err, mempool.ErrRecheckFull):
		return false, busy()
	case errors.As(err, &large):
		return false, fault.Newf(fault.TooLong, "a transaction of %d bytes; the bound is %d", large.Actual, large.Max)
	case fault.Is(err, fault.Busy):
		return false, err
	case err != nil:
		return false, fault.Wrap(fault.Internal, err, "the transaction could not be queued")
	case answer != nil && answer.Code != 0:
		return false, fault.Newf(fault.Code(answer.Code), "%s", answer.Log)
	}
	return false, nil
}

// full reports whether so much waits that a transaction of that size must not be added.
func (l *Ledger) full(size int) bool {
	pool := l.node.Mempool()
	return pool.Size() >= l.cfg.pending || pool.SizeBytes()+int64(size) > maxPendingBytes
}

// queue puts the transaction into the engine's mempool, one after the other. The engine
// itself looks twice whether there is room, and a transaction that finds none at the
// second look is dropped and reported as taken: its sender would wait for ever. So its
// bounds are twice ours, and we look where nobody else can come in between but peers.
func (l *Ledger) queue(raw []byte) (answer *abci.ResponseCheckTx, err error) {
	l.queueing.Lock()
	defer l.queueing.Unlock()
	if l.full(len(raw)) {
		return nil, busy()
	}
	// answer is set before CheckTx returns: the app is in this process.
	err = l.node.Mempool().CheckTx(raw, func(r *abci.ResponseCheckTx) { answer = r }, mempool.TxInfo{})
	return answer, err
}

func busy() error {
	return fault.Newf(fault.Busy, "too many transactions wait already; send again in a second")
}
