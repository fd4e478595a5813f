// Package replay lets each signed call count once while it counts.
//
//	Guard.Take ──▶ nil, once; Replayed until the call has run out; Busy when too many count at once
//
// It keeps nothing on disk: calls run out within minutes, and a door that starts anew refuses
// those that were made before it by their times.
package replay

import (
	"sync"

	"mulian/internal/fault"
)

// Max is how many calls may count at once. Our own choice: some 10 MiB.
const Max = 100_000

// Guard remembers which calls came. The zero value is ready; many goroutines may use it.
type Guard struct {
	mu   sync.Mutex // guards seen
	seen map[string]int64
}

// Take refuses a call of this id that came before and still counts: Replayed. Times in
// milliseconds since 1970. Busy beyond Max.
func (g *Guard) Take(id string, untilMs, nowMs int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.seen == nil {
		g.seen = map[string]int64{}
	}
	if until, ok := g.seen[id]; ok && until > nowMs {
		return fault.Newf(fault.Replayed, "this call was made before")
	}
	if len(g.seen) >= Max {
		for k, until := range g.seen {
			if until <= nowMs {
				delete(g.seen, k)
			}
		}
		if len(g.seen) >= Max {
			return fault.Newf(fault.Busy, "too many calls at once")
		}
	}
	g.seen[id] = untilMs
	return nil
}
