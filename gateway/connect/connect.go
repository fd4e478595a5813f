package connect

import (
	"context"
	"time"
)

// A Source is one open database of a department, read only. It may be used by
// many goroutines at once. A lost connection is opened again on the next call;
// the call that noticed fails with ErrUnreachable.
//
// Every method ends with ctx's error when ctx ends, and with an error that
// wraps one of the sentinels in errors.go, or a *ValueError.
type Source interface {
	// Inspect reads the structure of every table and view that the account may
	// read, system tables excepted. Two calls without a DDL statement between
	// them return equal documents, also over a reconnection or a restart.
	// It returns an error or the whole document, never a part of it.
	Inspect(ctx context.Context) (*Schema, error)

	// Query returns the rows that fulfil s.Where, at most s.Limit (at least 1,
	// at most MaxQueryRows), in the order of s.OrderBy, else the database's own.
	// It needs one OpIn condition at least: a whole table is what Scan is for.
	// Values of each row are in the order of s.Columns. No row is no error.
	Query(ctx context.Context, s Selection) ([]Row, error)

	// Scan hands every row that fulfils s.Where to fn, in the order of the key
	// (s.OrderBy, else the primary key), in batches of at most BatchRows rows
	// and about BatchBytes. All batches of one Scan belong to one state of the
	// database: a writer that commits meanwhile is not seen. fn owns the batch.
	// An error of fn ends the scan and is returned as it is.
	//
	// Text keys are ordered by their UTF-8 bytes in every database, so that two
	// databases with the same rows give the same Digest.
	//
	// To go on after an interruption set s.After to the last Batch's Last: rows
	// up to that key are passed over. The rest is then read from a newer state; who
	// needs one state throughout begins again. Without a key, rows come in the
	// database's own order and After is refused with ErrNoKey.
	Scan(ctx context.Context, s Selection, fn func(Batch) error) error

	// Freshness tells how many rows the table has and the largest value of the
	// watermark column; with watermark == "" only the rows.
	Freshness(ctx context.Context, table TableName, watermark string) (Freshness, error)

	// Close ends all connections. Calls that are under way may fail.
	Close() error
}

// TableName names a table or view inside one database.
type TableName struct {
	Schema string `json:"schema,omitempty"` // empty: the database's default (PostgreSQL "public", SQLite "main")
	Name   string `json:"name"`
}

// String is the name as a person writes it: schema.name, or name.
func (n TableName) String() string {
	if n.Schema == "" {
		return n.Name
	}
	return n.Schema + "." + n.Name
}

// A Selection says which columns of which rows are wanted. What it does not name is
// not read: the column list reaches the database as it is here.
type Selection struct {
	Table   TableName
	Columns []string    // the agreed columns, at least one; never "all"
	Where   []Condition // all of them must hold
	OrderBy []string    // the key, where the database declares none (views); its values must not be NULL
	After   Row         // Scan only: go on after this key
	Limit   int         // Query: required; Scan: 0 is no limit
}

// A Condition compares one column with given values. NULL fulfils none.
type Condition struct {
	Column string
	Op     Op
	Values []Value // none NULL
}

// Op is how a Condition compares.
type Op uint8

// The comparisons.
const (
	OpIn    Op = iota + 1 // equals one of Values (1 to MaxConditionValues of them)
	OpAfter               // greater than the one value, for a watermark column
)

// A Batch is a piece of a Scan.
type Batch struct {
	Rows []Row
	// Last is the key of the last row, for Selection.After; nil where the table
	// has no key. It may hold columns that are not agreed: it stays on this side.
	Last Row
}

// Freshness is how much and how new a table's content is.
type Freshness struct {
	Rows      int64 // number of rows
	Estimated bool  // Rows comes from the database's statistics
	Watermark Value // largest value of the watermark column, NULL if there is none
}

// A Sink is the asker's own database, where deliveries are loaded. The account
// needs to create tables in the target's schema, and to read and write its own.
type Sink interface {
	// Begin starts the load of one delivery. It creates the table, if it is absent,
	// in the same transaction as the rows; and beside it, once and for good, the
	// control table mulian_delivery. ErrTargetDiffers: the table is there and cannot take these columns.
	// ErrInvalid: the target is out of bounds.
	//
	// While another load into the same table is under way Begin waits for its end.
	Begin(ctx context.Context, t Target) (Load, error)

	// Loaded tells whether a delivery was loaded before, and its receipt.
	Loaded(ctx context.Context, schema, delivery string) (Receipt, bool, error)

	// Close ends all connections. Every Load must have ended before.
	Close() error
}

// A Load is one delivery on its way into one table, in one transaction. It
// belongs to one goroutine. It must end with Commit or Rollback.
type Load interface {
	// Repeated is true if this delivery was loaded before. Appended rows are then
	// only digested and compared, and the table is left alone.
	Repeated() bool

	// Append adds a page's rows; its columns are Target.Columns. It may return while
	// the database still takes them: what the database has against a row may come from
	// a later Append or from Commit. After an error only Rollback is possible.
	// *ValueError: a value does not fit its column.
	Append(ctx context.Context, p *Page) error

	// Sum tells how many rows were appended, and their digest.
	Sum() (rows int64, digest [32]byte)

	// Commit makes all rows and the delivery id visible at once, durable when
	// it returns nil. On an error the state is decided by the database alone
	// (power may have failed after it wrote): ask Sink.Loaded, or load again.
	// ErrDeliveryDiffers: Repeated, and rows other than the first time's were
	// appended. A Repeated load to which nothing was appended just commits.
	Commit(ctx context.Context) (Receipt, error)

	// Rollback leaves nothing of this load behind. After Commit it does nothing.
	Rollback() error
}

// Resumable is a Load that another process can go on with.
type Resumable interface {
	Load

	// Resumed is the note of the last checkpoint of the same delivery, if the load goes on from
	// there: all that was appended until then is there. nil: it begins.
	Resumed() []byte

	// Checkpoint makes durable what was appended so far, and a note of the caller's, of at
	// most MaxNoteBytes.
	Checkpoint(ctx context.Context, note []byte) error

	// Leave ends the load here without an end of it: the next Begin of the same delivery goes
	// on from the last checkpoint.
	Leave() error
}

// Target says where a delivery goes.
type Target struct {
	Table      TableName
	Columns    []Column // Name, Kind and Nullable count; Type belongs to the other database
	PrimaryKey []string // columns of the key when the table is created; may be empty
	Mode       Mode
	Delivery   string // the delivery's id, unique for the asker, 1 to MaxDeliveryBytes printable bytes
}

// Mode is what becomes of the rows that are there already.
type Mode uint8

// The modes.
const (
	Replace Mode = iota + 1 // they go; readers see them until the commit
	Append                  // they stay; an equal key is an error
	Merge                   // they stay; an equal key is overwritten (needs PrimaryKey); within a delivery the later row counts
)

// ControlTable is the table beside the targets that holds one row for each
// delivery that was loaded. Inspect leaves it out.
const ControlTable = "mulian_delivery"

// Receipt is what the asker's database holds about one delivery.
type Receipt struct {
	Delivery string    `json:"delivery"`
	Table    TableName `json:"table"`
	Rows     int64     `json:"rows"`
	Digest   string    `json:"digest"` // hex of Digest.Sum over the rows as appended
	At       time.Time `json:"at"`     // clock of the asker's database
	Repeated bool      `json:"repeated,omitempty"`
}
