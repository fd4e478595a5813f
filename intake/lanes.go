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
func (a *apply) send(ctx context.Context, w *waiting) error {
	for len(w.parts) > 0 {
		if ctx.Err() != nil {
			return fault.Wrap(fault.CodeOf(ctx.Err()), ctx.Err(), "import stopped")
		}
		err := a.sender.Send(ctx, w.batch())
		if err == nil {
			// The power fails here: the batch is committed and not in the journal. It
			// is sent again, and the ledger finds nothing changed.
			if err := a.journal.add(w.parts); err != nil {
				return fault.Wrap(fault.DiskFull, err, "import journal")
			}
			break
		}
		f, ok := errors.AsType[*fault.Fault](err)
		if !ok || f.Code < 11000 || f.Code >= 12000 && f.Code < 13000 || f.Code >= 14000 {
			return err
		}
		if f.Item < 1 || int(f.Item) > len(w.parts) {
			for _, x := range w.parts {
				a.refuse(x.draft, f)
			}
			w.parts = nil
			break
		}
		a.refuse(w.parts[f.Item-1].draft, f)
		w.parts = append(w.parts[:f.Item-1:f.Item-1], w.parts[f.Item:]...)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, x := range w.parts {
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
