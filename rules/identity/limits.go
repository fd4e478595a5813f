package identity

// Bounds of what an account may hold. They are part of the chain: a limit may be
// raised by a new version, never lowered.
const (
	// MaxKeys is how many keys an account record holds. An account with a key for
	// each of 16 machines is large; more would make each signature check read more
	// than 2 KB. Our own choice.
	MaxKeys = 16
	// MaxLabel bounds a key's label, in characters.
	MaxLabel = 64
	// MaxOrgName bounds the full and the English name, in characters. The longest
	// of the 53 municipal organisations of Beijing has 27.
	MaxOrgName = 200
	// MaxShortName bounds the short name, in characters.
	MaxShortName = 50
	// MaxName bounds the name of a department, post or gateway, in characters.
	MaxName = 100
	// MaxLocalID bounds the part of an id after /d/, /p/ or /g/, in bytes.
	MaxLocalID = 32
	// MaxURL bounds the address of a gateway, in bytes.
	MaxURL = 500
	// MaxOrigin bounds the origin line of a log, in bytes. Our own choice: it
	// stands in a key of the state, which has at most 512.
	MaxOrigin = 200
	// MaxOpened bounds how many accounts persons and firms open in a minute, all
	// together: they are strangers until then, and each leaves a record for good.
	// 864,000 a day let a city of 20 million on board in a month. Our own choice.
	MaxOpened = 600
	// MaxProofingDays bounds how long a proofing counts: the longest term of an identity
	// card that ends is 20 years (Resident Identity Card Law, art. 5); faces change sooner.
	// 10 years and their leap days. Our own choice.
	MaxProofingDays = 3653
	// MaxMinorDays bounds how far ahead the end of a minority is: 18 years with their leap
	// days, and to the first day of the next month (proto RecordProofing).
	MaxMinorDays = 6606
	// maxAccountID bounds the id of an account that is looked up, in bytes: longer ones are
	// no key of the state.
	maxAccountID = 100
	// MaxCause bounds the cause of a suspension or revocation, in characters.
	MaxCause = 500
)

const dayMs = 86_400_000
