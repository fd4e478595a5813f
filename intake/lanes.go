package intake

import (
	"context"
	"errors"
	"sync"

	"mulian/internal/fault"
)

// lanes carry out work at once for different names and in order for one name. A
// name's goroutine lives as long as it has work; wait returns when all have ended.
type lanes struct {
	room chan struct{} // one token for each piece of work that is handed in and not done
	all  sync.WaitGroup

	mu    sync.Mutex
	queue map[string][]func() // present while the name's goroutine runs
}

func newLanes(atOnce int) *lanes {
	if atOnce <= 0 {
		atOnce = defaultAtOnce
	}
	return &lanes{room: make(chan struct{}, atOnce), queue: make(map[string][]func())}
}

// hand gives a piece of work to a name's lane, waiting for room.
func (l *lanes) hand(ctx context.Context, name string, work func()) error {
	select {
	case l.room <- struct{}{}:
	case <-ctx.Done():
		return fault.Wrap(fault.CodeOf(ctx.Err()), ctx.Err(), "import stopped")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	waiting, running := l.queue[name]
	l.queue[name] = append(waiting, work)
	if !running {
		l.all.Go(func() { l.run(name) })
	}
	return nil
}

// run does the work of one name until there is none.
func (l *lanes) run(name string) {
	for {
		l.mu.Lock()
		list := l.queue[name]
		if len(list) == 0 {
			delete(l.queue, name)
			l.mu.Unlock()
			return
		}
		work := list[0]
		l.queue[name] = list[1:]
		l.mu.Unlock()
		work()
		<-l.room
	}
}

func (l *lanes) wait() { l.all.Wait() }

// send brings w to the ledger, leaving out what the ledger refuses of it. The error
// ends the import.
//
// A refusal names the first element that is wrong, and stands in a block like any
// transaction. So that a list of which much is refused does not fill the blocks with the
// same elements again and again, what is sent at once is halved with each further refusal and
// doubled when it goes through: n elements travel some three times at most, not n²/2.
func (a *apply) send(ctx context.Context, w *waiting) error {
	rest, most, sure, refusals := w.parts, len(w.parts), 0, 0
	for len(rest) > 0 {
		if ctx.Err() != nil {
			return fault.Wrap(fault.CodeOf(ctx.Err()), ctx.Err(), "import stopped")
		}
		now := &waiting{org: w.org, parts: rest[:min(len(rest), max(most, sure))]}
		err := a.sender.Send(ctx, now.batch())
		if err == nil {
			if err := a.sent(now.parts); err != nil {
				return err
			}
			rest, most, sure = rest[len(now.parts):], 2*most, 0
			continue
		}
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok || f.Code < 11000 || f.Code >= 12000 && f.Code < 13000 || f.Code >= 14000 {
			return err
		}
		if f.Item < 1 || int(f.Item) > len(now.parts) { // it is of no element: of the rest no less
			for _, x := range rest {
				a.refuse(x.draft, f)
			}
			return nil
		}
		sure = int(f.Item) - 1 // what stands before it was taken, until then
		a.refuse(rest[sure].draft, f)
		rest = append(rest[:sure:sure], rest[sure+1:]...)
		if refusals++; refusals > 1 {
			most = max(1, len(now.parts)/2)
		}
	}
	return nil
}

// sent notes what the ledger has taken.
func (a *apply) sent(parts []part) error {
	// The power fails here: the batch is committed and not in the journal. It
	// is sent again, and the ledger finds nothing changed.
	if err := a.journal.add(parts); err != nil {
		return fault.Wrap(fault.DiskFull, err, "import journal")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range parts {
		a.done.Sent++
		if x.known {
			a.done.Changed++
		} else {
			a.done.New++
		}
		if x.waits {
			a.done.Waiting++
		}
	}
	a.done.Batches++
	if a.target.Progress != nil {
		a.target.Progress(a.done)
	}
	return nil
}
