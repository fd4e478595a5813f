// Package index is a projection of the ledger's events into SQLite: it answers
// lists, searches and traces fast. It is disposable: deleting its file loses
// nothing, the next start reads the ledger again from the first event.
//
// It is not an authority. The rules never ask it, nothing in it is proved, and
// whoever decides something reads the object again from the ledger.
//
//	ledger events ──Run──▶ object, link, event ─────────▶ List, Trace, Count
//	      (one SQLite          doc, words, code ─────────▶ Search
//	   transaction a batch)         └─▶ board: the facets, in memory
//
// Search is SQLite's FTS5 for finding, and the order of its rows for ranking: see
// [rowNumber] and docs/decisions/0009-search.md.
//
// # Invariants
//
//  1. After Run has taken event n, every object that events 0..n touch is here as
//     it was at their height or later.
//  2. The number of the next event stands in the same transaction as its effects:
//     a kill at any moment neither loses nor doubles one.
//  3. The same events give the same answers, whenever the file was made.
//  4. Nothing that a person types reaches FTS5 but letters and digits in quotation
//     marks, and no search does more work than its bounds allow (query.go).
//
// Sources: docs/decisions/0009-search.md for what was measured; internal/hanzi/variants.txt
// names where the table of characters is from.
//
// If this part lies, a list is wrong; no right, no access and no proof depends on
// it (docs/trust.md).
package index

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"mulian/internal/fault"
)

// version of the schema below and of what project.go files in it. A file of another version is made anew.
const version = 9

// The object table has the same few filter columns for every kind; project.go
// says what each means for which kind.
const schema = `
CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE object(
  key TEXT PRIMARY KEY, kind TEXT NOT NULL, org TEXT NOT NULL, peer TEXT NOT NULL, state INTEGER NOT NULL,
  class INTEGER NOT NULL, flag INTEGER NOT NULL, ref TEXT NOT NULL, value BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX object_kind ON object(kind, key);
CREATE INDEX object_org ON object(kind, org, key);
CREATE INDEX object_peer ON object(kind, peer, key);
CREATE INDEX object_state ON object(kind, state, key, class);
CREATE INDEX object_class ON object(kind, class, key, state);
CREATE INDEX object_flag ON object(kind, flag, key);
CREATE TABLE link(child TEXT NOT NULL, parent TEXT NOT NULL, PRIMARY KEY(child, parent)) WITHOUT ROWID;
CREATE INDEX link_parent ON link(parent, child);
CREATE TABLE event(seq INTEGER PRIMARY KEY, height INTEGER NOT NULL, tx BLOB, subject TEXT NOT NULL, raw BLOB NOT NULL);
CREATE INDEX event_tx ON event(tx) WHERE tx IS NOT NULL;
CREATE TABLE event_object(object TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(object, seq)) WITHOUT ROWID;
CREATE TABLE event_told(object TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(object, seq)) WITHOUT ROWID;
CREATE TABLE event_actor(actor TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(actor, seq)) WITHOUT ROWID;
CREATE TABLE entry_version(entry TEXT NOT NULL, version INTEGER NOT NULL, height INTEGER NOT NULL, at_ms INTEGER NOT NULL,
  actor TEXT NOT NULL, hash BLOB, PRIMARY KEY(entry, version)) WITHOUT ROWID;
CREATE TABLE total(kind TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE doc(seq INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, text INTEGER NOT NULL, traits INTEGER NOT NULL, org TEXT NOT NULL, ids BLOB NOT NULL);
CREATE VIRTUAL TABLE words USING fts5(exact, name, code, keyword, item, body, facet, content='', contentless_delete=1, detail=column, tokenize='porter ascii');
INSERT INTO words(words, rank) VALUES('hashsize', 16777216);
CREATE TABLE flow(hour INTEGER NOT NULL, under TEXT NOT NULL, gateway TEXT NOT NULL, granted INTEGER NOT NULL, refused INTEGER NOT NULL,
  PRIMARY KEY(hour, under, gateway)) WITHOUT ROWID;
CREATE TABLE began(agreement TEXT PRIMARY KEY, at_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX began_at ON began(at_ms);
CREATE TABLE month(id INTEGER PRIMARY KEY, month INTEGER NOT NULL, org TEXT NOT NULL, verb TEXT NOT NULL, note TEXT NOT NULL, peer TEXT NOT NULL, kind TEXT NOT NULL, n INTEGER NOT NULL,
  UNIQUE(month, org, verb, note, peer, kind));
CREATE TABLE month_event(month INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(month, seq)) WITHOUT ROWID;
CREATE TABLE answer(month INTEGER NOT NULL, org TEXT NOT NULL, request TEXT NOT NULL, ms INTEGER NOT NULL, PRIMARY KEY(month, org, request)) WITHOUT ROWID;
CREATE TABLE code(skeleton TEXT NOT NULL, code TEXT NOT NULL, PRIMARY KEY(skeleton, code)) WITHOUT ROWID;
`

// Index is the projection. Reads are safe for concurrent use; Run is called once.
type Index struct {
	write *sql.DB // one connection, Run's
	read  *sql.DB
	check checker // see check.go

	mu     sync.Mutex
	next   int64 // events taken
	height int64
	moved  chan struct{} // closed and renewed when next moves

	board *board
	last  uint32 // number of the object that was numbered last; Run's
}

// Open opens the projection at path, making it anew if there is none, if it has
// another schema, or if it is damaged: it can be thrown away. DiskFull, Inaccessible.
func Open(path string) (*Index, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	x, err := open(path)
	if err == nil {
		return x, nil
	}
	if cause := unwritten(err); fault.CodeOf(cause) != fault.Internal {
		return nil, cause // the file is good
	}
	if err := Remove(path); err != nil {
		return nil, err
	}
	x, err = open(path)
	if err = unwritten(err); err != nil {
		return nil, fault.Wrap(fault.Damaged, err, "index %s", path)
	}
	return x, nil
}

// Remove deletes a closed projection; the next Open makes it anew.
func Remove(path string) error {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("index: %w", err)
		}
	}
	return nil
}

func open(path string) (*Index, error) {
	// synchronous=OFF: after a power failure the file may be damaged, and is then
	// read again from the ledger.
	dsn := "file:" + path + "?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=busy_timeout(5000)&_pragma=cache_size(-32000)&_pragma=wal_autocheckpoint(8000)&_pragma=temp_store(MEMORY)"
	write, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("index: %w", err)
	}
	write.SetMaxOpenConns(1)
	x := &Index{write: write, moved: make(chan struct{}), board: newBoard()}
	if err := x.prepare(); err != nil {
		write.Close()
		return nil, err
	}
	x.read, err = sql.Open("sqlite", dsn+"&_pragma=query_only(1)")
	if err != nil {
		write.Close()
		return nil, fmt.Errorf("index: %w", err)
	}
	x.read.SetMaxOpenConns(4)
	return x, nil
}

func (x *Index) prepare() error {
	var have int
	if err := x.write.QueryRow("PRAGMA user_version").Scan(&have); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	switch have {
	case version:
	case 0:
		if _, err := x.write.Exec(schema + fmt.Sprintf("PRAGMA user_version=%d;", version)); err != nil {
			return fmt.Errorf("index: schema: %w", err)
		}
	default:
		return fmt.Errorf("index: schema %d, this program has %d", have, version)
	}
	rows, err := x.write.Query("SELECT name, value FROM meta")
	if err != nil {
		return fmt.Errorf("index: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var value int64
		if err := rows.Scan(&name, &value); err != nil {
			return fmt.Errorf("index: %w", err)
		}
		switch name {
		case "next":
			x.next = value
		case "height":
			x.height = value
		case "last":
			x.last = uint32(value)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	return x.board.load(x.write)
}

// Close ends the projection. Run has to have returned.
func (x *Index) Close() error {
	return errors.Join(x.read.Close(), x.write.Close())
}

// Next returns how many events are taken, and the height of the last of them.
func (x *Index) Next() (next, height int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.next, x.height
}

// Await returns when the first n events are taken, or with the context's error:
// so that whoever has just written reads what he wrote.
func (x *Index) Await(ctx context.Context, n int64) error {
	for {
		x.mu.Lock()
		next, moved := x.next, x.moved
		x.mu.Unlock()
		if next >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

func (x *Index) advance(next, height int64) {
	x.mu.Lock()
	x.next, x.height = next, height
	close(x.moved)
	x.moved = make(chan struct{})
	x.mu.Unlock()
}
