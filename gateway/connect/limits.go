package connect

// Every bound of this package, each with its reason.
const (
	// MaxTables bounds one Inspect. The largest system catalogue that we read
	// (53 Beijing departments together) has fewer; our own choice.
	MaxTables = 10_000
	// MaxColumns of one table: PostgreSQL's own limit (MaxHeapAttributeNumber);
	// SQLite's default is 2,000, tables beyond 1,600 are refused.
	MaxColumns = 1_600
	// MaxNameBytes of a table or column name. PostgreSQL cuts at 63; SQLite and
	// Chinese names need more; our own choice.
	MaxNameBytes = 256
	// MaxCommentBytes of a table's or column's comment in the Schema: longer ones are cut
	// at a character before hashing, so the hash does not see the rest.
	MaxCommentBytes = 4 << 10
	// MaxValueBytes is the longest single value that is carried; longer values
	// (scans, pictures) are files, not columns. Our own choice.
	MaxValueBytes = 16 << 20
	// MaxRowBytes is the longest encoded row: one longest value, and room beside it.
	MaxRowBytes = 24 << 20
	// MaxPageRows is the most rows in one encoded page.
	MaxPageRows = 65_536
	// MaxPageBytes is the longest encoded page: two of the longest rows and more.
	MaxPageBytes = 64 << 20
	// BatchRows and BatchBytes end a Scan's batch, whichever comes first. Their
	// product with the two ends of a delivery is the memory of a scan.
	BatchRows  = 1_000
	BatchBytes = 4 << 20
	// MaxQueryRows is the most rows that one Query returns.
	MaxQueryRows = 10_000
	// MaxConditions and MaxConditionValues bound one Selection.
	MaxConditions      = 16
	MaxConditionValues = 1_000
	// MaxDeliveryBytes is the longest delivery id.
	MaxDeliveryBytes = 128
	// MaxNoteBytes bounds the note of a Checkpoint: a seal's header, and a digest's state.
	MaxNoteBytes = 16 << 10
)
