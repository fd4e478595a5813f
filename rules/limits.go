package rules

// Bounds of an envelope beside those of the parameters and of internal/canon. They
// are part of the chain.
const (
	// minSalt and maxSalt bound a body's salt, in bytes: 64 bits keep equal
	// messages of one account apart; more than 128 would be a place to hide text.
	minSalt, maxSalt = 8, 16
	// minuteMs is the window of an account's quota.
	minuteMs = 60_000
)
