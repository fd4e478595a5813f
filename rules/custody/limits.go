package custody

// Bounds; part of the chain.
const (
	// MaxBody bounds the body of a use, in bytes: it is in the state until the use is over.
	// A grant has 500. Our own choice.
	MaxBody = 8192
	// MaxWaiting bounds the uses of one account that are Open or Confirmed. Our own choice.
	MaxWaiting = 20
	// MaxDuePerBlock bounds what [End] does in a block.
	MaxDuePerBlock = 200

	// UndoMs is how long an act that stands can be undone: spec/safebox.md 3.6.
	UndoMs = 24 * hourMs
	// MaxTermMs is how long after that a use may wait to be carried out: a weekend on which
	// the custodian's hardware stands still. Our own choice.
	MaxTermMs = 72 * hourMs
	// UnwrapMs is how long the custodian has to answer: the person sits at the counter.
	UnwrapMs = hourMs
	// openMs is how long an opening waits for the second officer, and then for the custodian.
	openMs = 7 * 24 * hourMs

	maxCause = 500
	// minSalt and maxSalt are those of every body: rules/limits.go.
	minSalt, maxSalt = 8, 16
	hourMs           = 60 * 60 * 1000
)
