package ereceipt

import "mulian/internal/fiscal"

// Bounds; part of the chain.
const (
	// MaxBatch is how many receipts one message can have: one signature check each, some
	// 10 ms in all.
	MaxBatch = 50
	// MaxLockMs is how long a lock can hold: an insurer has 30 days to decide after it has
	// all papers (Insurance Law art. 23).
	MaxLockMs = 30 * dayMs
	// MaxTermMs is how far ahead a range may end and a receipt may close: five years, as
	// long as units keep the stubs of receipts (财政票据管理办法).
	MaxTermMs = 5 * 366 * dayMs
	// MaxParts is how many reimbursements and flushes a receipt can have together.
	MaxParts = fiscal.MaxParts
	// MaxRangesOfCode is how many ranges one code can have: each allotment compares with all.
	// Our own choice: a unit asks for a year's numbers at once.
	MaxRangesOfCode = 2000
	// MaxDuePerBlock is how many locks a block's end opens, the oldest first. A lock that
	// waits for it counts as open already.
	MaxDuePerBlock = 500

	codeDigits   = 8
	numberDigits = 10
	maxReason    = 500
	dayMs        = 24 * 60 * 60 * 1000
)
