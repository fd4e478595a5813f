package credential

// Bounds of one message or text. They are part of the chain: what was accepted once must
// be accepted by every later version.
const (
	// MaxItems of one message: credentials, changes, sources.
	MaxItems = 200
	// MaxFields of a type, MaxIssuers that may issue it, MaxAccounts that sign for one.
	MaxFields   = 64
	MaxIssuers  = 100
	MaxAccounts = 8
	// PageEntries of a status list stand in one record: 1 KiB of statuses, so that a
	// change writes little.
	PageEntries = 4096
	// Pages of a list, which has ListEntries indexes: who asks for a list shows only that
	// he checks one of so many. 32 KiB raw.
	Pages       = 32
	ListEntries = Pages * PageEntries
	// MaxTaken: above three quarters, drawing a free index takes too many trials.
	MaxTaken = ListEntries / 4 * 3
	// ReadyAt is when an issuer may open the next list: not before, so that lists are not
	// thin, which would name their few holders.
	ReadyAt = ListEntries / 2
	// MaxLists of an issuer.
	MaxLists = 1 << 20
	// MaxDuePerBlock bounds what End tells of in one block.
	MaxDuePerBlock = 500
	// MaxPerSource bounds the credentials that rest on one row; all are suspended in one block.
	MaxPerSource = 50

	maxLocal     = 40
	maxName      = 100
	maxFieldName = 64
	maxURL       = 200
	maxItem      = 64
	maxCode      = 32 // of a licence type: our own choice
	maxDays      = 36_600
	maxNote      = 200
	dayMs        = 86_400_000
	settleMs     = dayMs // ARF: issued anew or revoked within 24 hours
	idLength     = 32
	maxCopyDays  = 366 // of an annotated copy: our own choice; a longer need is a new copy
	// copyKeptMs is how long after its end a copy's record says so; then it is gone.
	copyKeptMs = 30 * dayMs
)
