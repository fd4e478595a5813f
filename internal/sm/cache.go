package sm

import "sync"

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
