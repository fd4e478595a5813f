package receipt

import "time"

const (
	// MaxRecordBytes bounds one record: 1,000 item codes of 64 bytes are the most
	// that a request may name. Tessera's own bound is 65,535.
	MaxRecordBytes = 60 << 10
	// maxFrame is a record with its signatures, as a [Book] keeps it.
	maxFrame = MaxRecordBytes + 4<<10
	// maxPut bounds one write of a [Book]: no more than that can a power failure cut off.
	maxPut = frameHead + maxFrame
	// maxWaiting is how many records may wait for the disk; more callers wait
	// themselves. maxBatch is how many share one fsync.
	maxWaiting = 1024
	maxBatch   = 1024
	// treeBatch and treeAge are Tessera's batching: what is given to it is a batch
	// already. treeQueue is how many writes the tree may be behind before Append waits
	// for it.
	treeBatch = 4096
	treeAge   = 20 * time.Millisecond
	treeQueue = 1024
	// treeEvery is the least time between two growths of the tree: each writes some
	// eight files, whatever it adds. Measured at 800 queries a second without it: 150 µs
	// of processor time for each query (docs/performance.md). At 100 ms it grew for a
	// third of the time at 2,000 queries a second, and who waited for the disk then waited
	// longer: p99 22 ms instead of 12 to 15. Half of the pace of the anchors is soon enough.
	treeEvery = 500 * time.Millisecond
	// checkpointEvery is how soon a grown tree has a signed checkpoint; Tessera's
	// least is 100 ms.
	checkpointEvery = 500 * time.Millisecond
	// MaxRanges is how many agreements one anchor may bring (trace.v1.AnchorHead).
	MaxRanges = 1000
	// maxAnchorRecords bounds the records of one anchor, and so its making.
	maxAnchorRecords = 50_000
)
