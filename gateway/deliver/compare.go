package deliver

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"time"

	"mulian/gateway/connect"
	"mulian/internal/fault"
)

// compareStep is how long a step of a comparison reads. It ends with the batch in which this
// is over, and the next one goes on there, after a restart too; a table without a key is
// read in one step. Our own choice: less than a person waits, much more than a batch takes.
const compareStep = 5 * time.Second

// comparison is a reading of a whole table for its digest, as far as it has come. It may take
// hours, so it is no one state of the table; but a row that is another than at the
// time of the first reading is seen, unless it is as it was again by then.
//
//	begin ──▶ step ──▶ step … end: the first one is what the others are compared with, and the subscription is ready
//	                             a later one is equal, or the whole has to be taken again
type comparison struct {
	sum     hash.Hash // over the rows, each as a page of its own
	rows    int64
	reached connect.Row // key of the last of them; nil: none
	beganMs int64
}

const comparisonSchema = `CREATE TABLE IF NOT EXISTS comparison (no INTEGER PRIMARY KEY, sum BLOB NOT NULL, rows INTEGER NOT NULL, reached BLOB NOT NULL, began_ms INTEGER NOT NULL);`

// comparison reads how far a comparison has come; a new one if there is none.
func (b *book) comparison(ctx context.Context, no int64) (*comparison, error) {
	c := &comparison{sum: sha256.New(), beganMs: time.Now().UnixMilli()}
	var sum, reached []byte
	err := b.db.QueryRowContext(ctx, "SELECT sum, rows, reached, began_ms FROM comparison WHERE no = ?", no).Scan(&sum, &c.rows, &reached, &c.beganMs)
	if errors.Is(err, sql.ErrNoRows) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("subscriptions: %w", err)
	}
	_, at, err := connect.DecodeRows(reached)
	if err == nil && len(at) != 1 {
		err = errors.New("no key")
	}
	if err == nil {
		err = c.sum.(encoding.BinaryUnmarshaler).UnmarshalBinary(sum)
	}
	if err != nil { // of another program, or damaged: it is read from the beginning
		return &comparison{sum: sha256.New(), beganMs: time.Now().UnixMilli()}, nil
	}
	c.reached = at[0]
	return c, nil
}

// keepComparison makes durable how far a comparison has come.
func (b *book) keepComparison(ctx context.Context, no int64, c *comparison) error {
	sum, err := c.sum.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return err
	}
	reached, err := connect.EncodeRows(len(c.reached), []connect.Row{c.reached})
	if err != nil {
		return err
	}
	_, err = b.db.ExecContext(ctx, "INSERT OR REPLACE INTO comparison SELECT no, ?, ?, ?, ? FROM subscription WHERE no = ?", sum, c.rows, reached, c.beganMs, no)
	if err != nil {
		return fmt.Errorf("subscriptions: %w", err)
	}
	return nil
}

// endComparison notes what came of one: the first makes the subscription ready, another
// sum than the first one's means that the whole has to be taken again.
func (b *book) endComparison(ctx context.Context, s *subscription, sum []byte) (equal bool, err error) {
	equal = !s.Ready || string(sum) == string(s.Digest)
	return equal, b.within(ctx, func(tx *sql.Tx) error {
		if _, err := tx.Exec("DELETE FROM comparison WHERE no = ?", s.no); err != nil {
			return err
		}
		switch {
		case !s.Ready:
			_, err := tx.Exec("UPDATE subscription SET digest = ?, ready = 1 WHERE no = ?", sum, s.no)
			return err
		case !equal:
			return again(tx, "no = ?", s.no)
		}
		return nil
	})
}

// errStepOver ends the scan of a step.
var errStepOver = errors.New("the step is over")

// compare reads on, and tells at the end whether the table is what it was.
func (n *sensor) compare(ctx context.Context, s *subscription) (wait time.Duration, err error) {
	began := time.Now()
	// A first reading is waited for.
	pause := func() time.Duration {
		if !s.Ready {
			return 0
		}
		return lookShare * time.Since(began)
	}
	c, err := n.subs.book.comparison(ctx, s.no)
	if err != nil {
		return compareEvery, err
	}
	err = n.readOn(ctx, s, c)
	switch {
	case errors.Is(err, errStepOver):
		return pause(), n.subs.book.keepComparison(ctx, s.no, c)
	case err != nil:
		return max(lookEvery, pause()), fmt.Errorf("compare %s: %w", s.Table, err)
	}
	equal, err := n.subs.book.endComparison(ctx, s, c.sum.Sum(nil))
	if err != nil {
		return lookEvery, err
	}
	n.saw(s.no, time.UnixMilli(c.beganMs))
	if !equal || !s.Ready {
		n.subs.stirred()
	}
	return max(compareEvery, lookShare*time.Since(began)), nil
}

// readOn is one step.
func (n *sensor) readOn(ctx context.Context, s *subscription, c *comparison) error {
	until := time.Now().Add(n.subs.step)
	// A database that is held by a lock, or behind a cut, must not hold the sensor for ever.
	wait := newPatience(ctx, databasePatience*n.subs.cfg.Patience)
	defer wait.end()
	wait.begin()
	sel := connect.Selection{Table: s.Table, Columns: s.Reading.Columns, OrderBy: s.Reading.Order, After: c.reached}
	err := n.source.Scan(wait, sel, func(b connect.Batch) error {
		wait.done()
		defer wait.begin()
		for _, row := range b.Rows {
			raw, err := connect.EncodeRows(len(row), []connect.Row{row})
			if err != nil {
				return err
			}
			c.sum.Write(raw)
		}
		c.rows += int64(len(b.Rows))
		if b.Last == nil {
			return nil
		}
		c.reached = b.Last
		if time.Now().Before(until) {
			return nil
		}
		return errStepOver
	})
	return wait.fault(fault.SourceUnreachable, err, "the department's database")
}
