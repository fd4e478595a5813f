package mandate

// Bounds; part of the chain.
const (
	// MaxStanding bounds the mandates of a principal that are proposed, active or
	// suspended: a firm of 50 operators is large. Our own choice.
	MaxStanding = 64
	// MaxGuardians bounds the guardians of one person: two parents, and two more where a
	// court has named them (Civil Code art. 27, 31).
	MaxGuardians = 4
	// MaxScope bounds entries and matters each, MaxRevocable those who may revoke beside
	// the parties, MaxLimits the limits of a firm, MaxThreshold its operators of one act.
	MaxScope     = 64
	MaxRevocable = 4
	MaxLimits    = 32
	MaxThreshold = 9
	// MaxDuePerBlock and MaxMarkedPerBlock bound what [End] does in a block.
	MaxDuePerBlock    = 200
	MaxMarkedPerBlock = 200

	// maxDays is the longest term: five years, that of an agreement; a minor's guardianship
	// lasts until he is 18.
	maxDays, maxMinorDays = 1826, 6575
	// proposalDays is how long a mandate waits for its agent. undoHours is how long one that
	// was given at a counter waits before it counts (spec/safebox.md 3.6).
	proposalDays = 30
	undoHours    = 24
	// approvalHours is how long operators have to come together; limits of a day count from
	// the first use on.
	approvalHours = 24

	maxID    = 200 // of an entry or matter, in bytes: theirs are shorter
	maxCause = 500
	hourMs   = 60 * 60 * 1000
	dayMs    = 24 * hourMs
)
