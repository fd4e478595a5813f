package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"mulian/gateway/connect"
)

// schemaPoll is how often the file's schema version is read while a Follow listens for DDL:
// one number of the first page, some 30 µs. Our own choice.
const schemaPoll = 250 * time.Millisecond

// Follow is connect.Feeder's, for DDL alone: SQLite counts changes of the structure in the
// head of the file (PRAGMA schema_version). Which rows other programs change it tells nobody (its
// update hook sees only its own connection), and triggers would be a right to write: ErrNoFeed.
func (s *source) Follow(ctx context.Context, tables []connect.TableName, from connect.Position, fn func(connect.Change) error) error {
	if err := connect.CheckFollow(tables, from); err != nil {
		return err
	}
	if len(tables) > 0 {
		return errNoRows
	}
	before, err := s.schemaVersion(ctx)
	if err != nil {
		return err
	}
	if err := fn(connect.Change{}); err != nil {
		return err
	}
	tick := time.NewTicker(schemaPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		is, err := s.schemaVersion(ctx)
		if err != nil {
			return err
		}
		if is == before {
			continue
		}
		before = is
		if err := fn(connect.Change{DDL: &connect.DDL{Tag: "SCHEMA"}, Last: true}); err != nil {
			return err
		}
	}
}

// Acknowledge does nothing: the file keeps nothing for us.
func (s *source) Acknowledge(context.Context, connect.Position) error { return nil }

func (s *source) schemaVersion(ctx context.Context) (n int64, err error) {
	err = s.read(ctx, func(tx *sql.Tx) error {
		return failure(ctx, tx.QueryRowContext(ctx, "PRAGMA schema_version").Scan(&n))
	})
	return n, err
}

// Followable is connect.Feeder's.
func (s *source) Followable(ctx context.Context, tables []connect.TableName) error {
	if err := connect.CheckFollow(tables, ""); err != nil || len(tables) == 0 {
		return err
	}
	return errNoRows
}

// errNoRows is why there is no feed of rows.
var errNoRows = &connect.NoFeedError{Cause: "SQLite tells nobody which rows other programs change"}

// TableVersion is connect.Feeder's. SQLite has no statement that writes a table anew but VACUUM:
// who wants that makes another table and gives it the name, which then begins on another page.
func (s *source) TableVersion(ctx context.Context, table connect.TableName) (version string, err error) {
	err = s.read(ctx, func(tx *sql.Tx) error {
		var text string
		var page int64
		err := tx.QueryRowContext(ctx, "SELECT coalesce(sql, ''), rootpage FROM main.sqlite_master WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')", table.Name).Scan(&text, &page)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("%w: %s", connect.ErrNoTable, table)
		}
		sum := sha256.Sum256([]byte(text))
		version = fmt.Sprintf("%x.%d", sum[:12], page)
		return failure(ctx, err)
	})
	return version, err
}
