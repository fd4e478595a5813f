package share

// Bounds of what one message, object or text may be. They are part of the chain:
// what was accepted once must be accepted by every later version.
const (
	// MaxParts, MaxItems and MaxMissing, from the schema.
	MaxParts   = 50
	MaxItems   = 1000
	MaxMissing = 50
	// MaxTermsBytes bounds the terms as a message: they are stored in the request and
	// in the agreement, each of which has to fit in a value (state.MaxValueBytes, 1
	// MiB) with room for what the ledger adds. 256 KB are 4000 items with codes of 64
	// bytes.
	MaxTermsBytes = 256 << 10
	// MaxDuePerBlock bounds the clocks that one block looks at; the rest waits for
	// the next block. Each may write one object.
	MaxDuePerBlock = 200

	// MaxToldPerBlock bounds the holders that one block tells of corrections: each is
	// one object.
	MaxToldPerBlock = 200
	// MaxGateways bounds the gateways that ever took part in an agreement: each part
	// has one, and amendments bring others.
	MaxGateways = 2 * MaxParts
	// maxUrgings bounds the organisations whose urging a request keeps: the requester's
	// and those of the authorities, of which a city has one or two.
	maxUrgings = 16
	// From the schema: predicates and windows of terms, parameters of a predicate,
	// answers about one subject in a day, characters that a mask keeps.
	maxPredicates = 32
	maxWindows    = 20
	maxParameters = 16
	maxPerSubject = 1000
	maxKept       = 100
	maxUnit       = 1_000_000_000_000
	dayMinutes    = 24 * 60

	// Characters of texts, from the schema.
	maxPurpose    = 500
	maxMatter     = 200
	maxLegalBasis = 1000
	maxAppSystem  = 200
	maxScope      = 500
	maxMissing    = 500
	maxReason     = 1000
	maxCause      = 500
	maxFiling     = 100
	maxCase       = 100
	maxEffect     = 1000
	maxStatement  = 1000
	maxDispute    = 2000
	maxBody       = 200

	maxDataLifeDays = 36_500 // 100 years: longer is "for ever", and that is not a life
)
