package dsp

import "time"

// Bounds of what comes from outside. Our own choice where no source is named.
const (
	maxBody    = 256 << 10 // bytes of a message
	maxDepth   = 32        // of its JSON
	maxText    = 2000      // bytes of a pid, address, id or reason
	maxReasons = 20
	maxContext = 8  // entries of @context
	maxFilter  = 4  // texts of a catalogue filter
	pageSize   = 50 // datasets of one answer
	maxToken   = 4 << 10
	minToken   = 16 // characters of a bearer token
	maxCalls   = 32 // requests at once
	maxOpen    = 1000
	maxKnown   = 10_000 // negotiations and transfers of one participant
	maxEach    = 8      // requests of one participant at once
	maxLine    = 1 << 20
	maxHistory = 10_000 // lines of the journal that only say what was
	maxLogged  = 200    // bytes of a path in the log
	maxWhere   = 16     // conditions of one reading (package deliver)
	maxRows    = 1000   // of one reading (package deliver)

	// keepEnded is how long what has ended stays in the journal.
	keepEnded = 90 * 24 * time.Hour
	// tokenLife bounds a transfer's token; the agreement's end may be before.
	tokenLife = 24 * time.Hour

	callWait     = 15 * time.Second // for a callback's answer
	ledgerWait   = 45 * time.Second // for a transaction
	firstRetry   = time.Second      // doubles, up to
	lastRetry    = 10 * time.Minute
	maxAttempts  = 60 // about eight hours; then the connector has to ask
	lookEvery    = 500 * time.Millisecond
	lookSlowest  = 15 * time.Second
	maxWorkers   = 8
	callbackRead = 64 << 10
)
