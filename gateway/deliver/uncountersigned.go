package deliver

import (
	"time"

	"mulian/gateway/receipt"
	tracev1 "mulian/gen/mulian/trace/v1"
)

// CountersignWithin is how soon an asker's counter-signature has to be there. Our own
// choice: an asker sends it within ackEvery, and again after an interruption.
const CountersignWithin = time.Minute

// unsettled are the releases that nobody has counter-signed yet. It looks at each record of the
// log once.
type unsettled struct {
	next uint64           // record at which to go on
	at   map[uint64]int64 // ms of those that are open, by leaf
}

// maxUnsettled bounds what is remembered: then the looking waits until some are settled.
const maxUnsettled = 200_000

// Uncountersigned calls fn with the releases that ended at least within ago and that their
// askers have not counter-signed, from leaf from on, in the log's order, until it returns
// false. Each is a receipt signed by this gateway alone.
func (p *Provider) Uncountersigned(from uint64, within time.Duration, fn func(*tracev1.Receipt) bool) error {
	for i, end := from, p.cfg.Log.Size(); i < end; i++ {
		if p.countersignedAlready(i) {
			continue
		}
		e, err := p.cfg.Log.Record(i)
		if err != nil {
			return err
		}
		if !owed(e, within) {
			continue
		}
		r, err := p.sign(e)
		if err != nil {
			return err
		}
		p.forget(i)
		if !fn(r) {
			return nil
		}
	}
	return nil
}

// owed tells whether a record is of a release whose counter-signature is late.
func owed(e receipt.Entry, within time.Duration) bool {
	return e.Record.GetOutcome() == tracev1.Outcome_OUTCOME_COMPLETED && e.Record.GetAsker() != "" && time.Since(time.UnixMilli(e.Record.GetAtMs())) > within
}

func (p *Provider) countersignedAlready(leaf uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	word := int(leaf / 64)
	return word < len(p.acked) && p.acked[word]&(1<<(leaf%64)) != 0
}

// Unsettled counts the releases whose counter-signature is late, and tells when the oldest
// of them ended; 0: none.
func (p *Provider) Unsettled() (count int, sinceMs int64, err error) {
	p.late.Lock()
	defer p.late.Unlock()
	u := &p.unsettled
	if u.at == nil {
		u.at = map[uint64]int64{}
	}
	for leaf := range u.at {
		if p.countersignedAlready(leaf) {
			delete(u.at, leaf)
		}
	}
	for end := p.cfg.Log.Size(); u.next < end && len(u.at) < maxUnsettled; u.next++ {
		if p.countersignedAlready(u.next) {
			continue
		}
		e, err := p.cfg.Log.Record(u.next)
		if err != nil {
			return 0, 0, err
		}
		if owed(e, 0) {
			u.at[u.next] = e.Record.GetAtMs()
		}
	}
	bound := time.Now().Add(-CountersignWithin).UnixMilli()
	for _, at := range u.at {
		if at <= bound {
			count++
			if sinceMs == 0 || at < sinceMs {
				sinceMs = at
			}
		}
	}
	return count, sinceMs, nil
}

// Countersigned is the book of the receipts that askers have signed.
func (p *Provider) Countersigned() *receipt.Book { return p.acks }
