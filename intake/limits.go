package intake

// The bounds of an import. Those of the file itself are in intake/sheet; those of
// an entry are the ledger's (proto/mulian/catalogue/v1), repeated here because
// an import without a node must foresee its refusals.
const (
	maxName     = 200  // characters of a name of an entry
	maxTitle    = 500  // characters of a duty's title
	maxAbstract = 4000 // characters
	maxItems    = 1000 // items of one entry
	maxItemName = 200  // characters
	maxDuties   = 50   // duties of one entry
	maxAlias    = 100  // characters of another code of an entry
	maxAliases  = 8    // other codes of an entry

	maxCodeTable = 200 // characters of a code table's name
	maxMatters   = 200 // matters of one entry
	maxLocal     = 64  // characters of the local part of an id, our own choice
	maxCategory  = 300 // characters

	// maxHeader bounds, in bytes, what can be the name of a field: some 60
	// characters. Our own choice.
	maxHeader = 200

	// maxProblems is how many problems a report holds; the others are counted.
	// Our own choice: ten for each of the 1,000 entries that a person can go through.
	maxProblems = 10_000

	// maxOwners is how many spellings of owners are told apart. Taiwan's portal,
	// the largest list we know of, has 1,100.
	maxOwners = 1 << 16

	// batchBytes keeps a transaction below the 1 MiB of internal/canon with room for
	// its envelope.
	batchBytes = 512 << 10

	// maxWaiting is how many drafts wait for their provider's batch to fill. A
	// list that is sorted by date and not by provider has every provider open.
	maxWaiting = 8000

	// defaultAtOnce is how many batches are under way at once. Our own choice: one
	// waits for a block of the ledger, and a block takes more than one.
	defaultAtOnce = 16

	maxKeywords  = 50
	maxKeyword   = 100 // characters
	maxResources = 200
	maxLicence   = 500 // characters
	maxLanguages = 20
	maxURL       = 2000 // characters

	maxMatterCode     = 100
	maxMatterCategory = 200 // characters
	maxInputs         = 200 // of a matter
	maxInput          = 200 // characters

	// maxResourceBytes keeps an entry with many files well below the bytes of a batch.
	maxResourceBytes = 256 << 10
	maxOrigin        = 500 // characters of an entry's origin
	maxRevivals      = 100 // times that an entry is withdrawn and comes back

	// A list that lacks more than partialPercent of what its source (or one owner in
	// it) had before, and more than partialCount, is held for confirmation; of short
	// lists one that lacks more than half, and at least partialFew. Our own choice: a
	// list that is kept loses a few entries from one version to the next (none of the
	// eleven versions of federal lists that we test with loses any), an answer of one
	// page lacks nine in ten.
	partialPercent = 10
	partialCount   = 10
	partialFew     = 3

	// maxKeys is how many different headers and keys are remembered with their
	// meaning, and maxUnused how many unused columns are told one by one.
	maxKeys   = 4096
	maxUnused = 40

	// maxKeysTold is how many columns or keys a refusal lists.
	maxKeysTold = 20

	// progressRows is after how many rows a person is told how far it is: some
	// 40,000 are read in a second.
	progressRows = 1000

	// surveyRecords is how many JSON records are looked at for the kind of the file.
	surveyRecords = 200
)

// batchOf is the ledger's bound on the elements of one message, by kind.
var batchOf = map[Kind]int{EntryList: 200, DutyList: 500, OrgList: 200, MatterList: 500, CodeList: 1000}
