package recovery

// Bounds; part of the chain. The hours are those of parameters that are 0.
const (
	// MaxGuardians bounds a roster: more people than somebody has close friends. Our own choice.
	MaxGuardians = 9
	// MinThreshold: one guardian alone is nobody's recovery.
	MinThreshold = 2
	// MaxLockHours bounds what a holder adds to a lock: a month. Longer, and he is locked
	// out himself.
	MaxLockHours = 720
	// MaxDuePerBlock bounds what [End] does in a block.
	MaxDuePerBlock = 200

	// The locks of spec/safebox.md 4.4.
	counterHours  = 24
	guardianHours = 72
	codeHours     = 168
	// openHours is how long an attempt waits for those who have to vouch, too; reviewHours
	// how long for reviewers. Our own choice.
	openHours   = 168
	reviewHours = 720

	saltBytes = 32
	maxCause  = 500
	hourMs    = 60 * 60 * 1000
)
