package deliver

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"modernc.org/sqlite" // and the driver "sqlite" of database/sql
	sqlite3 "modernc.org/sqlite/lib"

	"mulian/gateway/connect"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	"mulian/internal/fault"
)

// A subscription is what a provider keeps of one, in a row of its book.
type subscription struct {
	no        int64 // of the row
	ID        string
	Agreement string
	Entry     string
	Asker     string
	Source    string            // the gateway's name of the database
	Table     connect.TableName // in it
	Reading   reading
	Columns   []byte // hash of what is delivered: other columns are another subscription
	Sensing   gatewayv1.Sensing
	Mark      connect.Value // watermark up to which was looked; of SENSING_WATERMARK
	Digest    []byte        // of the rows as they were; of SENSING_COMPARE
	Number    uint64        // last page given
	Until     int64         // turn of the last key in it
	Ready     bool          // from here on no change is missed
	Again     bool          // something was missed, or is too much: it has to be taken whole
	Touched   int64         // keys that wait
	Notify    bool
	SeenMs    int64
}

// reading is how a subscription's table is read.
type reading struct {
	Key       []string `json:"key,omitempty"`       // the table's key columns, as a feed gives them
	Watermark string   `json:"watermark,omitempty"` // of SENSING_WATERMARK
	Columns   []string `json:"columns,omitempty"`   // of SENSING_COMPARE
	Order     []string `json:"order,omitempty"`
	Version   string   `json:"version,omitempty"`  // of the table, connect.Feeder.TableVersion
	Fallback  bool     `json:"fallback,omitempty"` // by the feed it would be, if that told of the table
}

// touched is a key that changed, and when it was noticed.
type touched struct {
	key  connect.Row
	turn int64
	ms   int64
}

// book is what a provider's gateway has to remember of subscriptions, in one SQLite
// file: who follows which table, how far each feed was read, and the keys that were
// touched and not given yet. A piece of a feed, with its position, is one
// transaction; so is the giving of a page.
//
//	feed ──▶ touch (keys, position) ──▶ peek ──▶ give (number, until) ──▶ given (the asker has applied it: keys go)
//
// Keys are values of the department's own table: the file is its owner's alone.
type book struct {
	db   *sql.DB
	turn int64 // greatest that was used; of the goroutine that holds the one connection
}

const bookSchema = `
CREATE TABLE IF NOT EXISTS feed (source TEXT PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS subscription (
	no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, agreement TEXT NOT NULL, entry TEXT NOT NULL, asker TEXT NOT NULL,
	source TEXT NOT NULL, scheme TEXT NOT NULL, name TEXT NOT NULL, reading TEXT NOT NULL, columns BLOB NOT NULL, sensing INTEGER NOT NULL,
	mark_kind INTEGER NOT NULL, mark TEXT NOT NULL, digest BLOB, number INTEGER NOT NULL, until INTEGER NOT NULL, ready INTEGER NOT NULL,
	again INTEGER NOT NULL, touched INTEGER NOT NULL, notify INTEGER NOT NULL, seen_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS touched (no INTEGER NOT NULL, key BLOB NOT NULL, turn INTEGER NOT NULL, ms INTEGER NOT NULL, PRIMARY KEY (no, key)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS touched_turn ON touched (no, turn);
` + comparisonSchema

func openBook(path string) (*book, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite would make it readable by others
	if err != nil {
		return nil, fmt.Errorf("subscriptions: %w", err)
	}
	f.Close()
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(5000)&_txlock=immediate"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("subscriptions: %w", err)
	}
	db.SetMaxOpenConns(1)
	b := &book{db: db}
	if _, err = db.Exec(bookSchema); err == nil {
		// A turn that was given away must not come again: pages are cut by them.
		err = db.QueryRow(`SELECT max(ifnull((SELECT max(turn) FROM touched), 0), ifnull((SELECT max(until) FROM subscription), 0))`).Scan(&b.turn)
	}
	if err != nil {
		return nil, errors.Join(fault.Wrap(fault.Damaged, err, "%s", path), db.Close())
	}
	return b, nil
}

// openBookAnew is openBook, and sets a file aside that is no book any more (a backup that was
// torn): then nobody is known here, and each asker takes the whole again.
func openBookAnew(path string, log *slog.Logger) (*book, error) {
	b, err := openBook(path)
	var torn *sqlite.Error
	if err == nil || !errors.As(err, &torn) || torn.Code()&0xff != sqlite3.SQLITE_CORRUPT && torn.Code()&0xff != sqlite3.SQLITE_NOTADB {
		return b, err
	}
	aside := fmt.Sprintf("%s.damaged-%d", path, time.Now().Unix())
	log.Warn("the book of subscriptions is damaged and set aside; who follows takes the whole again", "file", aside, "err", err)
	if err := os.Rename(path, aside); err != nil {
		return nil, err
	}
	for _, left := range []string{"-wal", "-shm"} { // of the damaged one
		if err := os.Remove(path + left); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	return openBook(path)
}

func (b *book) close() error { return b.db.Close() }

// within runs do in one durable transaction.
func (b *book) within(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := b.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("subscriptions: %w", err)
	}
	defer tx.Rollback()
	if err := do(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("subscriptions: %w", err)
	}
	return nil
}

const subscriptionColumns = `no, id, agreement, entry, asker, source, scheme, name, reading, columns, sensing, mark_kind, mark, digest, number, until, ready, again, touched, notify, seen_ms`

// list reads the subscriptions that fulfil a condition.
func (b *book) list(ctx context.Context, where string, args ...any) (out []*subscription, err error) {
	rows, err := b.db.QueryContext(ctx, "SELECT "+subscriptionColumns+" FROM subscription WHERE "+where+" ORDER BY no", args...)
	if err != nil {
		return nil, fmt.Errorf("subscriptions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		s := &subscription{}
		var reading string
		if err := rows.Scan(&s.no, &s.ID, &s.Agreement, &s.Entry, &s.Asker, &s.Source, &s.Table.Schema, &s.Table.Name, &reading, &s.Columns, &s.Sensing,
			&s.Mark.Kind, &s.Mark.Text, &s.Digest, &s.Number, &s.Until, &s.Ready, &s.Again, &s.Touched, &s.Notify, &s.SeenMs); err != nil {
			return nil, fmt.Errorf("subscriptions: %w", err)
		}
		if err := json.Unmarshal([]byte(reading), &s.Reading); err != nil {
			return nil, fault.Wrap(fault.Damaged, err, "subscription %s", s.ID)
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

func (b *book) find(ctx context.Context, id string) (*subscription, error) {
	found, err := b.list(ctx, "id = ?", id)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// add begins a subscription. Others of the same asker for the same entry of the
// same agreement end: it has begun anew.
func (b *book) add(ctx context.Context, s *subscription) error {
	how, err := json.Marshal(s.Reading)
	if err != nil {
		return err
	}
	return b.within(ctx, func(tx *sql.Tx) error {
		var most int
		if err := tx.QueryRow(`SELECT count(*) FROM subscription WHERE NOT (agreement = ? AND entry = ? AND asker = ?)`, s.Agreement, s.Entry, s.Asker).Scan(&most); err != nil {
			return err
		}
		if most >= maxSubscriptions {
			return fault.Newf(fault.Busy, "%d subscriptions are open here", most)
		}
		if err := drop(tx, "agreement = ? AND entry = ? AND asker = ?", s.Agreement, s.Entry, s.Asker); err != nil {
			return err
		}
		// A number never comes again: a sensor that has read the list may still have the old one.
		var no int64
		if err := tx.QueryRow(`SELECT max(?, ifnull((SELECT max(no) FROM subscription), 0) + 1)`, time.Now().UnixMicro()).Scan(&no); err != nil {
			return err
		}
		_, err = tx.Exec("INSERT INTO subscription ("+subscriptionColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, 0, 0, ?, ?)",
			no, s.ID, s.Agreement, s.Entry, s.Asker, s.Source, s.Table.Schema, s.Table.Name, string(how), s.Columns, s.Sensing, s.Mark.Kind, s.Mark.Text, s.Digest,
			s.Ready, s.Notify, time.Now().UnixMilli())
		return err
	})
}

// drop ends subscriptions.
func drop(tx *sql.Tx, where string, args ...any) error {
	if err := empty(tx, where, args...); err != nil {
		return err
	}
	_, err := tx.Exec("DELETE FROM subscription WHERE "+where, args...)
	return err
}

// empty forgets what was noticed for subscriptions.
func empty(tx *sql.Tx, where string, args ...any) error {
	for _, table := range []string{"touched", "comparison"} {
		if _, err := tx.Exec("DELETE FROM "+table+" WHERE no IN (SELECT no FROM subscription WHERE "+where+")", args...); err != nil {
			return err
		}
	}
	return nil
}

func (b *book) end(ctx context.Context, where string, args ...any) error {
	return b.within(ctx, func(tx *sql.Tx) error { return drop(tx, where, args...) })
}

// set changes columns of a subscription.
func (b *book) set(ctx context.Context, no int64, what string, args ...any) error {
	_, err := b.db.ExecContext(ctx, "UPDATE subscription SET "+what+" WHERE no = ?", append(args, no)...)
	if err != nil {
		return fmt.Errorf("subscriptions: %w", err)
	}
	return nil
}

// seenEvery is how exactly it is kept when an asker last asked.
const seenEvery = time.Minute

func (b *book) seen(ctx context.Context, s *subscription, notify bool) error {
	now := time.Now().UnixMilli()
	if now-s.SeenMs < seenEvery.Milliseconds() && notify == s.Notify {
		return nil
	}
	return b.set(ctx, s.no, "seen_ms = ?, notify = ?", now, notify)
}

// position is how far a source's feed was read; "" before the first time.
func (b *book) position(ctx context.Context, source string) (p connect.Position, err error) {
	err = b.db.QueryRowContext(ctx, "SELECT position FROM feed WHERE source = ?", source).Scan(&p)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err == nil {
		err = p.Check()
	}
	return p, err
}

func (b *book) stand(tx *sql.Tx, source string, p connect.Position) error {
	_, err := tx.Exec("INSERT INTO feed VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET position = excluded.position", source, string(p))
	return err
}

// again marks that subscriptions have missed something.
func again(tx *sql.Tx, where string, args ...any) error {
	if err := empty(tx, where, args...); err != nil {
		return err
	}
	_, err := tx.Exec("UPDATE subscription SET again = 1, touched = 0 WHERE "+where, args...)
	return err
}

// touch notes keys of one subscription, each under a new turn. More than maxTouched
// collapse: the whole has to be taken again.
func (b *book) touch(tx *sql.Tx, s *subscription, keys []connect.Row, ms int64) error {
	if s.Again || len(keys) == 0 {
		return nil
	}
	insert, err := tx.Prepare("INSERT OR IGNORE INTO touched VALUES (?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	fresh := int64(0)
	for _, k := range keys {
		raw, err := connect.EncodeRows(len(k), []connect.Row{k})
		if err != nil {
			return err
		}
		b.turn++
		res, err := insert.Exec(s.no, raw, b.turn, ms)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 1 {
			fresh++
			continue
		}
		// It is in a page that was given perhaps: it has to come once more.
		if _, err := tx.Exec("UPDATE touched SET turn = ? WHERE no = ? AND key = ?", b.turn, s.no, raw); err != nil {
			return err
		}
	}
	if s.Touched += fresh; s.Touched > maxTouched {
		return again(tx, "no = ?", s.no)
	}
	res, err := tx.Exec("UPDATE subscription SET touched = touched + ? WHERE no = ?", fresh, s.no)
	if err != nil {
		return err
	}
	if there, err := res.RowsAffected(); err != nil || there > 0 {
		return err
	}
	_, err = tx.Exec("DELETE FROM touched WHERE no = ?", s.no) // it has ended meanwhile
	return err
}

// peek returns the number of the page after one, and the keys that it may have, at
// most so many, oldest first. A page that was given and not applied has no other keys
// than it had. The number is 0 if there is none; gap says that the asker is not where
// this book is.
func (b *book) peek(ctx context.Context, s *subscription, after uint64, most int) (number uint64, keys []touched, gap bool, err error) {
	until := int64(1) << 62
	switch {
	case after == s.Number:
		number = s.Number + 1
	case after+1 == s.Number && s.Until != 0:
		number, until = s.Number, s.Until
	default:
		return 0, nil, true, nil
	}
	rows, err := b.db.QueryContext(ctx, "SELECT key, turn, ms FROM touched WHERE no = ? AND turn <= ? ORDER BY turn LIMIT ?", s.no, until, most)
	if err != nil {
		return 0, nil, false, fmt.Errorf("subscriptions: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var t touched
		var raw []byte
		if err := rows.Scan(&raw, &t.turn, &t.ms); err != nil {
			return 0, nil, false, fmt.Errorf("subscriptions: %w", err)
		}
		_, one, err := connect.DecodeRows(raw)
		if err != nil || len(one) != 1 {
			return 0, nil, false, fault.Newf(fault.Damaged, "a key of subscription %s", s.ID)
		}
		t.key = one[0]
		keys = append(keys, t)
	}
	if len(keys) == 0 && number > s.Number {
		number = 0
	}
	return number, keys, false, rows.Err()
}

// oldest is when the change was noticed that waits longest; now if none does.
func (b *book) oldest(ctx context.Context, no int64) (ms int64, err error) {
	err = b.db.QueryRowContext(ctx, "SELECT ms FROM touched WHERE no = ? ORDER BY turn LIMIT 1", no).Scan(&ms)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Now().UnixMilli(), nil
	}
	return ms, err
}

// given drops the keys of the page that the asker has applied.
func (b *book) given(ctx context.Context, s *subscription) error {
	if s.Until == 0 {
		return nil
	}
	err := b.within(ctx, func(tx *sql.Tx) error {
		var until int64
		// Another request may have got the next page since s was read: its keys stay.
		if err := tx.QueryRow("SELECT until FROM subscription WHERE no = ?", s.no).Scan(&until); errors.Is(err, sql.ErrNoRows) || err == nil && until != s.Until {
			return errElsewhere
		} else if err != nil {
			return err
		}
		res, err := tx.Exec("DELETE FROM touched WHERE no = ? AND turn <= ?", s.no, s.Until)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		s.Touched -= n
		_, err = tx.Exec("UPDATE subscription SET until = 0, touched = touched - ? WHERE no = ?", n, s.no)
		return err
	})
	if errors.Is(err, errElsewhere) {
		return nil
	}
	if err == nil {
		s.Until = 0
	}
	return err
}

// errElsewhere: the subscription is further than who asks knows.
var errElsewhere = errors.New("the subscription has gone on")

// give notes that a page goes out. From here on its number is used up.
func (b *book) give(ctx context.Context, s *subscription, number uint64, until int64) error {
	return b.set(ctx, s.no, "number = ?, until = ?", int64(number), until)
}
