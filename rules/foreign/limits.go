package foreign

// Bounds of what one message or text may be. They are part of the chain: what was
// accepted once must be accepted by every later version.
const (
	// MaxChains that are followed at a time. Our own choice: a capital circle has a dozen.
	MaxChains = 64
	// MaxHeaders of one message, and MaxSignatures of all its headers together: some
	// 10 ms of work.
	MaxHeaders    = 8
	MaxSignatures = 200
	// MaxKept is how many headers of a chain stay: whoever has a proof under an older one
	// makes a new proof.
	MaxKept = 128
	// MaxKeyBytes bounds a key of another chain; with the table's name and the chain's id
	// it stays below state.MaxKeyBytes.
	MaxKeyBytes = 300
	// MaxProofBytes bounds a state proof: 256 siblings of 34 bytes, and some.
	MaxProofBytes = 12 << 10
	// MaxValueBytes bounds an object that is shown. The largest of ours, an entry with
	// all its items, stays below it.
	MaxValueBytes = 512 << 10

	maxName    = 100  // characters
	minAge     = 3600 // seconds
	maxAge     = 366 * 86_400
	minDrift   = 1
	maxDrift   = 3600
	maxActor   = 100 // characters of an organisation in an object of another chain
	minChainID = 3
	maxChainID = 50
	hashBytes  = 32
	secondMs   = 1000
	maxTimeMs  = 253_402_300_799_999 // end of the year 9999, as in rules/evidence
)
