package deliver

import (
	"time"

	"mulian/internal/wire"
)

// Bounds of what comes from outside. Our own choice where no source is named.
const (
	maxBody      = 256 << 10        // bytes of a request: 1,000 item codes of 64 bytes and room
	maxLife      = 60 * time.Second // of a request (proto gateway.v1)
	skew         = 5 * time.Second  // by which the two clocks may differ
	minRequestID = 16
	maxRequestID = 64
	maxID        = 400 // bytes of an agreement's, entry's or gateway's id
	maxPurpose   = 2000
	maxItems     = 1000
	maxItemCode  = 256 // bytes; 64 characters
	maxWhere     = 16
	maxValue     = 64 << 10
	maxLimit     = 1000 // rows of a query (proto gateway.v1)

	maxReplays    = 200_000 // request ids remembered: 3,000 per second for a minute
	maxQueries    = 64      // at once; more wait, then Busy
	maxDeliveries = 32      // open at once
	maxOpenEach   = 8       // of them for one asker: its tables would fill our disk, and others wait
	maxPulls      = 16      // of one delivery at once: one that works, and broken ones that nobody has noticed

	maxTogether = 64 // queries of one signature (proto gateway.v1)
	// maxFlying is how many requests to one provider may be on their way before others
	// wait for company, lineWait for how long they do, maxWaiting how many.
	maxFlying  = 3
	lineWait   = time.Millisecond / 2
	maxWaiting = 10_000

	maxAcknowledged = 64 // records of one Acknowledge (proto gateway.v1)
	// ackEvery is how long an acknowledgement of a query may wait for others.
	ackEvery = 100 * time.Millisecond

	pageBytes = 1 << 20 // of encoded rows before compression
	pageRows  = 65_536  // connect.MaxPageRows
	maxBox    = wire.MaxMessageBytes - 64<<10
	maxAnswer = 6 << 20 // bytes of a query's result

	// spoolLife is how long a delivery that is not taken stays; then it has failed.
	spoolLife = 24 * time.Hour
	// sweepEvery is how often it is looked whether a delivery is still wanted.
	sweepEvery = 20 * time.Second
	// sourceWait bounds one query at the database, busyWait the waiting for a turn.
	sourceWait = 15 * time.Second
	busyWait   = 2 * time.Second
	// openWait bounds the opening of a delivery, which goes on without its asker: a
	// transaction that waits for its block.
	openWait = time.Minute
	// firstAgain is how long an asker whose connection broke waits before it asks again,
	// then four times as long, at most lastAgain: a reload takes 0.1 to 0.3 s.
	firstAgain = 20 * time.Millisecond
	lastAgain  = 320 * time.Millisecond
	// redecide is how often a running Pull looks whether it may still go on.
	redecide = 2 * time.Second
)
