package evidence

// Bounds of what one message or text may be. They are part of the chain: what was
// accepted once must be accepted by every later version.
const (
	// MaxItems of one message, from the schema.
	MaxItems = 200

	maxSoftware    = 200 // characters, from the schema; likewise the two below
	maxSource      = 200
	maxClockSource = 100
	idLength       = 32 // of an id: 16 bytes in hex
	// maxBytes keeps sizes within signed numbers.
	maxBytes = 1 << 62
	// maxTimeMs is the end of the year 9999: the last one that RFC 3339 writes.
	maxTimeMs = 253_402_300_799_999
	// maxOffsetMs bounds what a clock may be wrong by: ten years. Machines whose
	// battery is flat begin in 1970, and that is no measurement.
	maxOffsetMs = 10 * 366 * 86_400_000
)
