package state

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// StoreOptions returns the options of Pebble under which the figures of this
// package were measured, with a cache of that many bytes for blocks of its files.
// The caller may change them: none is needed for correctness.
func StoreOptions(cacheBytes int64) *pebble.Options {
	opts := &pebble.Options{
		CacheSize:    cacheBytes,
		MemTableSize: 64 << 20, // a block writes about 3 KB per update
	}
	for i := range opts.Levels {
		// One index for a file instead of an index of indexes: a look-up less on each read.
		opts.Levels[i].IndexBlockSize = 256 << 10
		// Ten bits for each key: a look-up of a new key reads no block in 99 of 100 cases.
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return opts
}
