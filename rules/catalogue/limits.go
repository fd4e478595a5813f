package catalogue

// Bounds of what one message, object or text may be. They are part of the chain:
// what was accepted once must be accepted by every later version.
const (
	// Elements of one message, from the schema: an import of a department's whole
	// catalogue is sent in several messages, each far below a block of 2 MiB.
	MaxDuties  = 500
	MaxSystems = 200
	MaxTables  = 200
	MaxEntries = 200
	MaxChanges = 2000
	MaxRemaps  = 1000
	// MaxPutMatters and MaxCodes likewise: the country's 41,352 streets come in 42
	// messages.
	MaxPutMatters = 500
	MaxCodes      = 1000

	// MaxColumns of a table: the most that PostgreSQL allows.
	MaxColumns = 1600
	// MaxItems of an entry. The longest of the Beijing and Guangxi catalogues that
	// we read has below 300; room for three times that.
	MaxItems = 1000
	// MaxAliases, MaxEntryDuties and MaxMatters of an entry, MaxPurposes of its
	// conditions and MaxRequesters of its standing order. Our own choice.
	MaxAliases     = 8
	MaxEntryDuties = 50
	MaxMatters     = 200
	MaxPurposes    = 50
	MaxRequesters  = 200
	MaxMethods     = 3 // there are three
	// MaxInputs of a matter, MaxKeywords, MaxResources and MaxLanguages of an entry,
	// from the schema. Our own choice.
	MaxInputs    = 200
	MaxKeywords  = 50
	MaxResources = 200
	MaxLanguages = 20
	// MaxCounterSigners of a lock: a change waits for all of them.
	MaxCounterSigners = 8

	// MaxEntriesOfTable bounds what one drift of a table has to freeze in its block.
	MaxEntriesOfTable = 100
	// MaxOpenDrifts of one table. A gateway that sees more changes than that without
	// anybody settling one is itself out of order; what is frozen stays frozen.
	MaxOpenDrifts = 16
	// MaxEntryBytes, MaxTableBytes and MaxDriftBytes bound an object as a message, so
	// that what the ledger adds to it still fits in a value (state.MaxValueBytes, 1
	// MiB) and one block can read all that hangs on a table. The longest entry that we
	// read has 60 KB.
	MaxEntryBytes = 256 << 10
	MaxTableBytes = 256 << 10
	MaxDriftBytes = 256 << 10
	// MaxDuePerBlock bounds the deadlines that one block looks at; the rest waits
	// for the next block.
	MaxDuePerBlock = 200

	// Characters of texts, from the schema. Ids are bounded in bytes, because the
	// key of a record is (state.MaxKeyBytes).
	maxLocalBytes   = 64
	maxTableIDBytes = 300
	maxTitle        = 500
	maxSource       = 500
	maxArticle      = 200
	maxMatterCode   = 100
	maxName         = 200
	maxSourceName   = 64
	maxColumnName   = 200
	maxTypeName     = 200
	maxComment      = 500
	maxAlias        = 100
	maxAbstract     = 4000
	maxCategory     = 300
	maxCondition    = 1000
	maxPurpose      = 500
	maxBasis        = 500
	maxBasisText    = 2000
	maxCoverage     = 100
	maxTechnical    = 100
	maxCodeTable    = 200
	maxCause        = 500
	maxReason       = 1000
	maxNote         = 2000
	maxKind         = 32

	// Of matters, codes and what portals publish. A URL of 2,000 characters is what
	// every browser takes; a language tag has at most 35 (RFC 5646, section 4.4.1).
	maxInput          = 200
	maxMatterCategory = 200
	maxCodeTableID    = 100 // bytes, likewise maxCode: they are keys
	maxCode           = 64
	maxURL            = 2000
	maxKeyword        = 100
	maxResourceFormat = 100
	maxMediaType      = 200
	maxLicence        = 500
	maxDate           = 40
	maxLanguage       = 35
	maxOrigin         = 500
	// codesPerEvent keeps an event small: a page of the log has up to 256 of them.
	codesPerEvent = 100

	maxRetentionDays    = 36_500 // 100 years: longer is "for ever", and that is 0
	maxStalenessSeconds = 86_400 // an answer to a withdrawal that takes longer than a day is none
	maxOrderDays        = 1826   // 5 years, as Parameters.max_agreement_days
	maxSensitivity      = 4      // 敏感级别 1-4

)
