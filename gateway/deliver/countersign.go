package deliver

import (
	"runtime"
	"sync"

	"mulian/gateway/receipt"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/sm"
)

// A countersigner signs receipts as the consumer and keeps them: those that come while it
// works share the next signature and the next write.
type countersigner struct {
	key  sm.PrivateKey
	book *receipt.Book

	mu      sync.Mutex // guards the two below
	waiting []*unsigned
	working bool
}

// unsigned is a receipt that waits.
type unsigned struct {
	receipt *tracev1.Receipt
	err     error
	done    chan struct{}
}

// sign sets the receipt's consumer key and signature. It is durable in the book when sign
// returns nil.
func (c *countersigner) sign(r *tracev1.Receipt) error {
	u := &unsigned{receipt: r, done: make(chan struct{})}
	c.mu.Lock()
	c.waiting = append(c.waiting, u)
	first := !c.working
	c.working = true
	c.mu.Unlock()
	if first {
		go c.work()
	}
	<-u.done
	return u.err
}

func (c *countersigner) work() {
	for {
		runtime.Gosched() // an fsync costs more than the turn of those who are about to come
		c.mu.Lock()
		n := min(len(c.waiting), receipt.MaxBatch)
		batch := c.waiting[:n:n]
		c.waiting = c.waiting[n:]
		if n == 0 {
			c.waiting, c.working = nil, false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		err := c.signAll(batch)
		for _, u := range batch {
			u.err = err
			close(u.done)
		}
	}
}

func (c *countersigner) signAll(batch []*unsigned) error {
	records := make([][]byte, len(batch))
	for i, u := range batch {
		records[i] = u.receipt.GetRecord()
	}
	sigs, err := receipt.SignBatch(c.key, records...)
	if err != nil {
		return err
	}
	receipts := make([]*tracev1.Receipt, len(batch))
	for i, u := range batch {
		u.receipt.ConsumerKey, u.receipt.ConsumerSignature = c.key.Public().ID(), sigs[i]
		receipts[i] = u.receipt
	}
	return c.book.Put(receipts...)
}
