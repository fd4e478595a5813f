package sm

import (
	"sync"
	"sync/atomic"
)

// keyCache saves parsing (5 µs for an SM2 key) of keys that come again and again:
// a gateway signs hundreds of transactions a second with one key.
var keyCache cache

// cache keeps two generations: when the younger is full it becomes the older, and
// the older is forgotten. So it is bounded, and a key in use stays.
type cache struct {
	mu           sync.RWMutex
	young, older map[string]*parsed // by algorithm || bytes
}

func (c *cache) get(name string) *parsed {
	c.mu.RLock()
	k, ok := c.young[name]
	if !ok {
		k = c.older[name]
	}
	c.mu.RUnlock()
	if !ok && k != nil {
		c.put(name, k)
	}
	return k
}

func (c *cache) put(name string, k *parsed) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young == nil || len(c.young) >= parsedKeys {
		c.young, c.older = make(map[string]*parsed), c.young
	}
	c.young[name] = k
}

// frequent holds the multiples of a key that comes again and again.
type frequent struct {
	checks atomic.Uint32 // signatures since the key was parsed or its multiples were dropped
	table  atomic.Pointer[multiples]
}

// multiples returns the multiples of an SM2 key, nil while it is not worth it.
func (k *parsed) multiples() *multiples {
	n := k.often.checks.Add(1)
	if m := k.often.table.Load(); m != nil {
		return m
	}
	if n != manyChecks { // only one of many goroutines makes them
		return nil
	}
	m := newMultiples(pointOf(k.raw))
	k.often.table.Store(m)
	busyKeys.join(k)
	return m
}

// busyKeys are the keys that have multiples.
var busyKeys ring

// ring bounds how many keys have multiples. One that joins takes the place of the first
// that has had few checks since it was looked at last, going round.
type ring struct {
	mu   sync.Mutex
	keys []*parsed // guarded by mu
	next int       // guarded by mu
}

func (r *ring) join(k *parsed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.keys) < keysWithMultiples {
		r.keys = append(r.keys, k)
		return
	}
	for {
		old := r.keys[r.next]
		few := old.often.checks.Swap(manyChecks+1) <= 2*manyChecks // the second time round it has had none
		if few {
			old.often.table.Store(nil)
			old.often.checks.Store(0)
			r.keys[r.next] = k
		}
		r.next = (r.next + 1) % len(r.keys)
		if few {
			return
		}
	}
}
