package state

// Bounds of what one write may be. They are part of the chain: a value that was
// accepted once must be accepted by every later version. The rules above keep
// tighter ones; to pass one of these is a mistake of ours and panics.
const (
	// MaxKeyBytes is the longest key, table name included. Ids of ours are at most
	// 64 characters and a key holds at most five. Our own choice.
	MaxKeyBytes = 512
	// MaxValueBytes is the largest value. A block is at most 4 MiB (spec engine 7),
	// and no object may take more than a quarter of one.
	MaxValueBytes = 1 << 20
	// MaxEventBytes is the largest event, for the same reason.
	MaxEventBytes = 1 << 20
)

// Bounds of our own work. They may change from version to version.
const (
	// maxReadCacheBytes bounds what one block remembers of the values it has read,
	// so that a transaction that reads the whole state cannot fill the memory.
	maxReadCacheBytes = 64 << 20
	// maxEventsPerRead and maxEventBytesPerRead bound one answer of EventRange.
	maxEventsPerRead     = 4096
	maxEventBytesPerRead = 8 << 20
	// pruneKeysPerCall is how many versions one call of Prune drops, about 50 ms of
	// work. It ends on a whole height, so that a call may exceed it by one block.
	pruneKeysPerCall = 20_000
)
