package grant

// Bounds of what one message, object or text may be. They are part of the chain.
const (
	// MaxDuePerBlock bounds the clocks that one block looks at; the rest waits for the
	// next block.
	MaxDuePerBlock = 200
	// MaxShortenedPerBlock bounds the deletion duties that one block brings forward after
	// a revocation: each is one object.
	MaxShortenedPerBlock = 100
	// MaxStanding bounds an owner's standing grants that are not over: what nobody can
	// look through is no consent. Our own choice.
	MaxStanding = 200
	// MaxFailures bounds the uses of a grant that are given back because nothing was
	// released: a provider whose source is down, not a way to read without end.
	MaxFailures = 10
	// MaxDutiesPerMessage, from the schema.
	MaxDutiesPerMessage = 100

	// From the schema.
	maxLocalID   = 40
	maxTitle     = 100
	maxLaw       = 500
	maxURL       = 500
	maxContact   = 200
	maxProviders = 8
	maxItems     = 1000
	maxCause     = 500
	maxCaseNote  = 200
	maxExemption = 200

	// An open request waits for a person who stands before the code; a bound one lies in
	// an owner's box. Our own choice, within spec/safebox.md 3.5 (a code on a screen is
	// shown anew each 120 s at most).
	maxOpenMs  = 15 * 60 * 1000
	maxBoundMs = 30 * dayMs

	maxIntervalSeconds = 31 * 24 * 3600
	maxUsesBound       = 1_000_000

	closeMs   = dayMs     // a use is closed within
	graceMs   = 7 * dayMs // from due to overdue; our own choice
	reportMs  = 3 * dayMs // from overdue to reported; our own choice
	secondMs  = 1000
	dayMs     = 24 * 60 * 60 * 1000
	yearMs    = 366 * dayMs
	saltBytes = 16
)
