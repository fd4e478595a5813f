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
		CacheSize: cacheBytes,
		// A block writes about 3 KB per update, once more into the log until the table is
		// flushed. Of 64 MB the log took 1.7 KB of disk per transaction in a short run, of
		// 16 MB 0.9, and look-ups in the smaller table cost less.
		MemTableSize: 16 << 20,
	}
	for i := range opts.Levels {
		// One index for a file instead of an index of indexes: a look-up less on each read.
		opts.Levels[i].IndexBlockSize = 256 << 10
		// Ten bits for each key: a look-up of a new key reads no block in 99 of 100 cases.
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return opts
}
