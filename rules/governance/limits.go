package governance

// Bounds of what the consortium may decide. They are part of the chain: one may be
// raised by a new version, never lowered. Where no source is named it is our own
// choice.
const (
	// MaxMembers bounds members, founders included: each count of votes reads all.
	MaxMembers = 100
	// MaxWeight bounds one member's votes.
	MaxWeight = 100
	// MaxValidators bounds the nodes of consensus: beyond it CometBFT's rounds
	// get slow (its own advice is some hundred).
	MaxValidators = 100
	// MaxPower bounds one validator's power: 100 of them stay far below the
	// engine's bound of 2^60.
	MaxPower = 1_000_000
	// MaxRoles bounds the role grants of a genesis.
	MaxRoles = 1000
	// MaxProfiles and MaxYears bound clock profiles and calendar years of a genesis.
	MaxProfiles = 50
	MaxYears    = 50

	// MaxOpenEach bounds a member's open proposals, and so [MaxOpen] those of all.
	MaxOpenEach = 5
	// MaxOpen bounds what is counted again at the end of one block.
	MaxOpen = MaxOpenEach * MaxMembers
	// MaxExpired bounds how many proposals run out at the end of one block; the rest
	// follow in the next ones. No vote counts for them any more.
	MaxExpired = 100
	// MaxMisbehaviours bounds what one block brings to the record of proofs. The engine
	// takes at most 64 KiB of evidence in a block, some hundred proofs; the rest of such
	// a block is of no validator that is not removed by then.
	MaxMisbehaviours = 100
	// MaxBallots bounds the ballots of a proposal: members change while it is open,
	// and its record stays below the 1 MiB of the state with 500 characters each.
	MaxBallots = 3 * MaxMembers

	// MaxTitle, MaxReason, MaxBallotReason and MaxSource bound texts, in characters;
	// MaxProfileName in bytes.
	MaxTitle        = 200
	MaxReason       = 2000
	MaxBallotReason = 500
	MaxSource       = 500
	MaxNodeName     = 100
	MaxProfileName  = 40

	// MaxDays bounds a period and an extension: a year has some 250 working days.
	MaxDays = 250
	// MaxWorkingDays bounds what [AddWorkingDays] counts: two periods of MaxDays,
	// doubled.
	MaxWorkingDays = 4 * MaxDays
	// MaxExceptions bounds holidays and worked weekends of a year; there are some
	// twenty and six.
	MaxExceptions = 120
	// MinAhead and MaxAhead bound how many blocks ahead an upgrade is, when it is
	// proposed and when it is decided: there is time to cancel it, and its height
	// is one that comes.
	MinAhead = 10
	MaxAhead = 100_000_000
	// MaxProtocol bounds the number of a protocol.
	MaxProtocol = 1_000_000
	// MaxAccount bounds an account's id in a suspension, in bytes: identity's own ids
	// are shorter, and it keeps the record's key within the state's bound.
	MaxAccount = 200
	// MaxRPIDs, MaxOrigins and MaxHost bound where passkeys sign: one site for the city and
	// some districts, each with a few pages; a host name has at most 253 bytes (RFC 1035).
	MaxRPIDs   = 8
	MaxOrigins = 16
	MaxHost    = 253
	// FirstYear and LastYear bound calendar years.
	FirstYear, LastYear = 2020, 2199
)

// Bounds of parameters. A lower bound keeps the consortium able to vote: no
// transaction lives shorter than some blocks or is too small for a proposal.
const (
	minVotePercent, maxVotePercent = 51, 100
	minVoteDays, maxVoteDays       = 1, 365
	minTxLifetime, maxTxLifetime   = 30, 600 // seconds
	minTxBytes, maxTxBytes         = 64 << 10, 1 << 20
	minMessages, maxMessages       = 1, 1000
	minStaleness, maxStaleness     = 1, 86_400 // seconds
	minAnchor, maxAnchor           = 1, 3600   // seconds
	minAgreement, maxAgreement     = 1, 1826   // days
	minQuota, maxQuota             = 10, 1_000_000

	// A fifth is what two of ten equal members hold; a week less or a month more makes
	// no emergency; and nobody is absent who was away for a holiday.
	minSuspensionPercent                 = 20
	minSuspensionDays, maxSuspensionDays = 1, 30
	minAbsenceDays, maxAbsenceDays       = 30, 365
	minRecoveryHours, maxRecoveryHours   = 1, 720 // a month: longer, and the holder is locked out
)
