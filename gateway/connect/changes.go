package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ErrOutOfTurn: a page of changes came before the one that it follows. Nothing was changed.
var ErrOutOfTurn = errors.New("page of changes out of turn")

// A Follower is a Sink that applies changes to a table that was loaded before. It is optional:
//
//	follower, ok := sink.(connect.Follower)
//
//	Begin, Commit (Replace) ──▶ Apply 1 ──▶ Apply 2 ──▶ …        Applied: where it stands
//
// What a page brings and that it was applied is one transaction, so that a page that comes
// twice, or late, or is broken by a power failure, counts once.
type Follower interface {
	Sink
	// Apply applies one page: its deletes, then its upserts, then the page's number, all or
	// nothing, durable when it returns nil. A number that was applied before changes
	// nothing (Repeated). ErrOutOfTurn: a number before it is missing. ErrTargetDiffers: the table
	// cannot take the columns; it is made if it is absent. ErrConflict: a row breaks a
	// constraint beside the key. *ValueError, ErrInvalid.
	//
	// While a load into the same table is under way Apply waits for its end.
	Apply(ctx context.Context, c Changes) (Applied, error)
	// Applied tells how far a subscription is; the zero value if nothing of it was applied.
	Applied(ctx context.Context, schema, subscription string) (Applied, error)
}

// SubscriptionTable is the table beside the targets that holds one row for each
// subscription: how far it is. Inspect leaves it out.
const SubscriptionTable = "mulian_subscription"

// Changes are one page of a subscription: bounded as pages are.
type Changes struct {
	Table        TableName
	Columns      []Column // as of [Target]
	PrimaryKey   []string // of the table; at least one column
	Subscription string   // its name, 1 to MaxDeliveryBytes printable bytes
	Number       uint64   // 1, 2, … without gaps
	Upserts      *Page    // rows as they are now, of all Columns; may be nil
	Deletes      *Page    // keys of rows that are gone, in the order of PrimaryKey; may be nil
}

// Applied is how far a subscription is in the own database.
type Applied struct {
	Number   uint64 // of the last page that was applied; 0: none
	Repeated bool   // the page was applied before, and nothing was changed
}

// Target is the table of the changes, in the form in which a load checks it.
func (c *Changes) Target() Target {
	return Target{Table: c.Table, Columns: c.Columns, PrimaryKey: c.PrimaryKey, Mode: Merge, Delivery: c.Subscription}
}

// Check tells whether a page of changes is within its bounds, and its rows fit its columns,
// before a database is asked: ErrInvalid, *ValueError.
func (c *Changes) Check() error {
	t := c.Target()
	if err := t.Check(); err != nil {
		return err
	}
	if c.Number < 1 || c.Number > 1<<62 {
		return fmt.Errorf("%w: page of changes %d", ErrInvalid, c.Number)
	}
	if c.Upserts != nil {
		n := int64(0)
		if err := c.Upserts.Each(func(row Row, _ string) error { n++; return t.CheckRow(n, row) }); err != nil {
			return err
		}
	}
	if c.Deletes == nil {
		return nil
	}
	keys, n := c.Keys(), int64(0)
	return c.Deletes.Each(func(row Row, _ string) error { n++; return keys.CheckRow(n, row) })
}

// Keys is a Target of the key's columns alone, by which the rows of Deletes are checked.
func (c *Changes) Keys() Target {
	t := Target{Table: c.Table, PrimaryKey: c.PrimaryKey}
	for _, name := range c.PrimaryKey {
		if i := slices.IndexFunc(c.Columns, func(x Column) bool { return x.Name == name }); i >= 0 {
			t.Columns = append(t.Columns, c.Columns[i])
		}
	}
	return t
}
