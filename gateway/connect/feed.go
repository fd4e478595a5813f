package connect

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What a feed can fail with, beside the errors of errors.go, for errors.Is.
var (
	// ErrNoFeed: this source tells no changes, or not of these tables. It is always a
	// *NoFeedError, which knows why, of which tables, and what would help. Asking again does not.
	ErrNoFeed = errors.New("source tells no changes")
	// ErrPositionLost: the source no longer has what came after the position (the log was
	// dropped, the slot is gone, it is another server). Follow from "" and read a full
	// snapshot after its first Change.
	ErrPositionLost = errors.New("position is lost")
	// ErrFeedBusy: somebody else follows this feed, or our own connection of before a crash has not
	// been noticed as dead yet. Try again after some seconds.
	ErrFeedBusy = errors.New("feed is in use")
)

// A Feeder is a Source that tells which rows change, as they change. It is optional:
//
//	feeder, ok := source.(connect.Feeder)
//
// A source without it is polled (gateway/drift) and read whole.
//
//	Follow(tables, "") ──> empty Change: "here we stand", P0 ──> the caller keeps P0, reads a snapshot
//	   └─> piece, piece, piece with Last: one transaction ──> the caller keeps its position ──> Acknowledge
//	   └─> empty Change: "nothing for you up to here"
//	Follow(tables, P) after a restart ──> empty Change at P ──> everything that was committed after P
//
// What it promises:
//
//  1. Only what was committed is told, transaction by transaction, in the order of commits.
//  2. Nothing that was committed after a position is left out when that position is followed, unless
//     it says ErrPositionLost; but it may be told twice. Who must count once keeps the
//     position in the same transaction as what he made of it.
//  3. What is told can be seen: a Query or Scan that begins when fn has the Change sees it, or
//     something newer. (A database's log is often ahead of what other connections see: the
//     driver waits.)
//  4. No values but those of the primary key leave the source by it. The rows' content is read
//     afterwards with Query, by the agreed columns, under the rules; so a row may already be
//     newer than the Change, or gone.
//  5. Memory is bounded by MaxChangeRows and MaxChangeBytes, however large the transaction. While fn
//     works nothing more is read than one further piece: a slow receiver makes the source keep
//     its log, and what it keeps is the source's bound (its driver's document says which).
//
// A driver that leaves something with a name on the server (a slot, a server id) takes the name from the
// parameter mulian_feed of the source's URL: two gateways on one database need two.
//
// It may be used by many goroutines, but a source serves one Follow with tables at a time
// (ErrFeedBusy). Who has several readers follows once and fans out. A Follow without
// tables, for DDL alone, may run beside it.
type Feeder interface {
	// Follow tells fn the changes of the tables after from, until ctx ends, fn fails, or the
	// source does. It never returns nil; an error of fn is returned as it is, ctx's error when
	// ctx ends, ErrUnreachable when the connection is lost (follow again from the last position),
	// ErrPositionLost, ErrNoFeed, ErrFeedBusy, ErrDenied.
	//
	// from "" begins anew; positions of before may be lost by it. A beginning waits until every
	// transaction that was writing at that moment has ended.
	//
	// The first call of fn is an empty Change that says where the feed stands: from it on
	// nothing is missed. A snapshot that begins after that call has returned lacks nothing.
	//
	// tables are named as Inspect names them, at most MaxFeedTables. A table that was not followed
	// before begins with this call: it needs a snapshot, whatever from is. None: DDL events alone,
	// from now on (from must be "", and every Position is "").
	// DDL events come for all tables of the database, also for those that are not followed,
	// as far as the source tells them: their absence proves nothing (polling stays).
	//
	// fn is called by one goroutine at a time and owns the Change.
	Follow(ctx context.Context, tables []TableName, from Position, fn func(Change) error) error

	// Acknowledge says that nothing before the position will be asked for again: the source may
	// drop it. Positions only go forward; an older one than before does nothing. It may be
	// called from fn, or beside Follow. It is durable with the source soon after, not at once:
	// that is no loss, for what was not dropped is only told again.
	// A source that keeps its log by its own rules (binlog expiry) does nothing.
	Acknowledge(ctx context.Context, p Position) error

	// Followable tells what a Follow of the tables would be refused with; nil: it can begin. It
	// leaves nothing on the server, and may be called beside a Follow.
	Followable(ctx context.Context, tables []TableName) error

	// TableVersion is a text that is another one after rows of the table became others though no
	// row was changed: a column was converted or filled by ALTER TABLE, a partition came or went, a
	// name of an enumeration or a policy is another. It is also another one after what only
	// moves rows on the disk (VACUUM FULL, OPTIMIZE): then a snapshot is read that nobody needed.
	// What changes rows by rows (an UPDATE inside of a migration) is told by Follow alone.
	// ErrNoTable.
	TableVersion(ctx context.Context, table TableName) (string, error)
}

// MaxVersionBytes is the longest text of TableVersion.
const MaxVersionBytes = 64

// A Position is a place in the log of one source: an opaque text, durable across restarts of
// both sides. "" is "now". Of one source, positions are in the order of their bytes: the later one is
// the greater string, so Position compares with < and max.
type Position string

// MaxPositionBytes is the longest Position: room for a server's id, a file name and a number.
const MaxPositionBytes = 128

// Check tells whether p can be a position at all. It is used for what comes from a disk.
func (p Position) Check() error {
	if len(p) > MaxPositionBytes {
		return fmt.Errorf("%w: position of %d bytes", ErrInvalid, len(p))
	}
	for i := range len(p) {
		if p[i] <= ' ' || p[i] > '~' {
			return fmt.Errorf("%w: position with a byte that is no printable ASCII", ErrInvalid)
		}
	}
	return nil
}

// The bounds of a feed; our own choice, with batches of the same order as Scan's.
const (
	// MaxFeedTables is the most tables of one Follow.
	MaxFeedTables = 1_000
	// MaxChangeRows and MaxChangeBytes (of keys) end a piece, whichever comes first.
	MaxChangeRows  = 1_000
	MaxChangeBytes = 1 << 20
	// MaxDDLTables is the most names that one DDL event carries; with more it carries none,
	// which means all.
	MaxDDLTables = 100
	// FeedEvery is how often an empty Change tells that there was nothing, at most. FeedAlive is how
	// long a feed that lives may be silent: without any Change for longer its source has gone.
	FeedEvery = time.Second
	FeedAlive = 30 * time.Second
)

// A Change is a piece of one transaction: either a DDL event, or row changes, or (empty)
// only the news that everything up to Position has been told.
type Change struct {
	// Position is where to go on after this piece: behind the transaction if Last, else before
	// it, for a transaction that was told in part is told again as a whole. It is never less than that of
	// the Change before, and safe to keep with any piece.
	Position Position
	// Committed is when the transaction was, by the source's clock; zero where it is not known.
	Committed time.Time
	// DDL is set if the piece is a DDL event; Rows is empty then.
	DDL *DDL
	// Rows are in the order in which they were changed, at most MaxChangeRows.
	Rows []RowChange
	// Last marks the end of the transaction. It may come with a piece that has nothing else.
	Last bool
}

// Empty tells whether the piece holds neither rows nor a DDL event.
func (c Change) Empty() bool { return c.DDL == nil && len(c.Rows) == 0 }

// A DDL event says that somebody changed the structure. What became of it only Inspect knows.
type DDL struct {
	// Tag is the kind of statement, as "ALTER TABLE"; never its text, which can hold values.
	Tag string
	// Tables are those that it touched, as far as known; empty: look at all.
	Tables []TableName
}

// A RowChange says which row of a table changed, and how.
type RowChange struct {
	Table TableName
	Op    RowOp
	// Key is the row's primary key after the change (before it for RowDelete), in the order of
	// Table.PrimaryKey, canonical as Scan gives it; nil for RowTruncate.
	Key Row
	// OldKey is the key before a RowUpdate that changed it; else nil.
	OldKey Row
}

// RowOp is what became of a row.
type RowOp uint8

// The changes of a row.
const (
	RowInsert   RowOp = iota + 1
	RowUpdate         // also where the source cannot tell it from an insert
	RowDelete         //
	RowTruncate       // all rows of the table are gone
)

var rowOpNames = [...]string{1: "insert", "update", "delete", "truncate"}

// String is the change's stable name.
func (o RowOp) String() string {
	if int(o) < len(rowOpNames) && o > 0 {
		return rowOpNames[o]
	}
	return fmt.Sprintf("unknown(%d)", uint8(o))
}

// A NoFeedError says why there is no feed, and what the database's administrator can do.
type NoFeedError struct {
	Cause string // one sentence, without values
	// Tables are those that cannot be followed, or not from that position on: the others of that
	// Follow can, without them and from the same position. Empty: none can.
	Tables []TableName
	// Statements would make the feed possible, each one complete. Empty: nothing would.
	// A line that begins with "--" is a remark.
	Statements []string
}

// Error is the cause. The statements are for a terminal, not for a line of a log.
func (e *NoFeedError) Error() string {
	text := ErrNoFeed.Error() + ": " + e.Cause
	if len(e.Statements) > 0 {
		text += fmt.Sprintf(" (an administrator of the database can change that, %d lines)", len(e.Statements))
	}
	return text
}

// Unwrap makes it an ErrNoFeed.
func (e *NoFeedError) Unwrap() error { return ErrNoFeed }

// CheckFollow holds the arguments of a Follow to their bounds. Drivers call it first.
func CheckFollow(tables []TableName, from Position) error {
	if len(tables) > MaxFeedTables {
		return fmt.Errorf("%w: %d tables in one feed, more than %d", ErrInvalid, len(tables), MaxFeedTables)
	}
	seen := map[TableName]bool{}
	for _, t := range tables {
		if t.Name == "" || len(t.Name) > MaxNameBytes || len(t.Schema) > MaxNameBytes {
			return fmt.Errorf("%w: table name of a feed", ErrInvalid)
		}
		if seen[t] {
			return fmt.Errorf("%w: table %s twice in one feed", ErrInvalid, t)
		}
		seen[t] = true
	}
	if len(tables) == 0 && from != "" {
		return fmt.Errorf("%w: a feed of DDL events alone has no position", ErrInvalid)
	}
	return from.Check()
}

// FeedKeeper is what some Feeders have beside: those that leave something on the server. It is
// for the gateway's health checks and for the one who installs it.
type FeedKeeper interface {
	// FeedLag tells how much the source keeps for the feed.
	FeedLag(ctx context.Context) (FeedLag, error)
	// DropFeed removes what the feed left on the server, when a source is given up or will not
	// be followed for long: else the server keeps its log up to FeedLag.Limit. ErrFeedBusy while a Follow runs.
	// Positions of before are lost by it. Nothing there is no error. If the account may not,
	// it is a *NoFeedError with the statements of DropSQL.
	DropFeed(ctx context.Context) error
	// DropSQL prints what an administrator runs to remove it, where DropFeed cannot.
	DropSQL() []string
	// FeedSQL prints what an administrator has to run once so that the tables can be
	// followed: what is missing for rows, and all of what DDL events need.
	FeedSQL(ctx context.Context, tables []TableName) ([]string, error)
}

// FeedLag is how much of its log a source keeps for a feed.
type FeedLag struct {
	There  bool  `json:"there"`  // the feed has left something on the server
	Active bool  `json:"active"` // somebody follows it
	Lost   bool  `json:"lost"`   // the bound was reached: the next Follow says ErrPositionLost
	Bytes  int64 `json:"bytes"`  // kept for it
	Limit  int64 `json:"limit"`  // what the server keeps at most; 0: no bound
	// IdleSince is since when nobody has followed; zero: not known, or somebody does.
	IdleSince time.Time `json:"idle_since,omitzero"`
}

// The bounds of Warn; our own choice.
const (
	// idleTooLong is a night and a weekend's morning: a gateway that is being mended is back by then.
	idleTooLong = 24 * time.Hour
	// idleTooMuch is for servers that do not tell since when: more than some minutes of a busy one.
	idleTooMuch = 1 << 30
)

// Warn tells whether an administrator should look: half of the bound is used, or all of it, or
// the log is kept for nobody for long.
func (l FeedLag) Warn(now time.Time) bool {
	switch {
	case !l.There:
		return false
	case l.Lost, l.Limit > 0 && l.Bytes > l.Limit/2:
		return true
	case l.Active:
		return false
	}
	return !l.IdleSince.IsZero() && now.Sub(l.IdleSince) > idleTooLong || l.IdleSince.IsZero() && l.Bytes > idleTooMuch
}
