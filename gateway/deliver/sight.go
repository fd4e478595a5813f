package deliver

import (
	"maps"
	"time"

	"mulian/internal/fault"
)

// sight is how well a sensor sees one table, or a whole source by its feed. A sensor that
// fails knows nothing of what changes meanwhile, and who follows has to be told: "no
// changes" would be a lie.
type sight struct {
	at   time.Time  // what had changed by then is known; zero: not since the start
	code fault.Code // why nothing is seen now; OK: it is
}

// bySource is the place of the feed among the sights of a sensor: rows of the book begin
// with 1.
const bySource int64 = 0

// saw notes that everything is known that had changed by a moment.
func (n *sensor) saw(no int64, at time.Time) {
	n.mu.Lock()
	was := n.sights[no]
	n.sights[no] = sight{at: at}
	n.mu.Unlock()
	if was.code != fault.OK || was.at.IsZero() {
		n.subs.stirred() // who waits is told that it is seen again
	}
}

// blind notes that nothing is seen, and why.
func (n *sensor) blind(no int64, cause error) {
	code := fault.CodeOf(sourceFault(cause))
	n.mu.Lock()
	was := n.sights[no]
	n.sights[no] = sight{at: was.at, code: code}
	n.mu.Unlock()
	if was.code != code {
		n.subs.stirred()
	}
}

// forgetOthers drops what is remembered of subscriptions that are not there any more.
func (n *sensor) forgetOthers(all []*subscription, due map[int64]time.Time) {
	there := map[int64]bool{bySource: true}
	for _, s := range all {
		there[s.no] = true
	}
	maps.DeleteFunc(due, func(no int64, _ time.Time) bool { return !there[no] })
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.DeleteFunc(n.sights, func(no int64, _ sight) bool { return !there[no] })
	maps.DeleteFunc(n.marks, func(no int64, _ map[string]string) bool { return !there[no] })
}

// sightOf tells how well the table of a subscription is seen. Of one that nobody has looked at
// since the start the code is Busy.
func (x *Subscriptions) sightOf(s *subscription) sight {
	x.mu.Lock()
	n := x.sensors[s.Source]
	x.mu.Unlock()
	if n == nil {
		return sight{code: fault.SourceUnreachable}
	}
	no := s.no
	if s.Sensing == sensingFeed {
		no = bySource
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	out := n.sights[no]
	if out.at.IsZero() && out.code == fault.OK {
		out.code = fault.Busy
	}
	return out
}

// ageMs is how long ago it was last known what had changed; -1: not since the start.
func (s sight) ageMs() int64 {
	if s.at.IsZero() {
		return -1
	}
	return max(0, time.Since(s.at).Milliseconds())
}
