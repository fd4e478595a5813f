package index

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// Feed is where events and objects come from: a node, or any server's API.
type Feed interface {
	// Events returns up to limit events from a sequence number on.
	Events(ctx context.Context, from int64, limit int) (*ledgerv1.ListEventsResponse, error)
	// Object returns an object as it was after a height; height 0 = now.
	Object(ctx context.Context, key string, height int64, prove bool) (*ledgerv1.GetObjectResponse, error)
	// Watch calls fn when there is something new from a sequence number on, and
	// at least every few seconds, until fn fails or ctx ends.
	Watch(ctx context.Context, from int64, fn func(*ledgerv1.WatchResponse) error) error
}

// batch is how many events one transaction takes: large enough that its cost is
// spread, small enough that lists follow within a second. Our own choice.
const batch = 500

// Run takes events until ctx ends, and then returns nil. It returns an error only
// if the file cannot be written; a feed that fails is asked again.
func (x *Index) Run(ctx context.Context, feed Feed) error {
	for ctx.Err() == nil {
		moved, err := x.step(ctx, feed)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case moved:
			continue
		}
		next, _ := x.Next()
		_ = feed.Watch(ctx, next, func(u *ledgerv1.WatchResponse) error {
			if u.GetNext() > next || len(u.GetEvents()) > 0 {
				return errMoved
			}
			return nil
		})
	}
	return nil
}

var errMoved = fault.Newf(fault.Cancelled, "there is something new")

// step takes one batch. A failing feed is no error of ours: it is tried again.
func (x *Index) step(ctx context.Context, feed Feed) (moved bool, err error) {
	from, height := x.Next()
	res, err := feed.Events(ctx, from, batch)
	if err != nil {
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
		return true, nil
	}
	if len(res.GetEvents()) == 0 {
		return false, nil
	}
	tx, err := x.write.BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("index: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // after Commit it does nothing
	w, err := newWriter(tx)
	if err != nil {
		return false, err
	}
	for i, ev := range res.GetEvents() {
		if err := w.event(ctx, feed, from+int64(i), ev); err != nil {
			return false, err
		}
		height = ev.GetHeight()
	}
	next := from + int64(len(res.GetEvents()))
	for name, v := range map[string]int64{"next": next, "height": height} {
		if _, err := tx.Exec("INSERT INTO meta VALUES(?,?) ON CONFLICT(name) DO UPDATE SET value=excluded.value", name, v); err != nil {
			return false, fmt.Errorf("index: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return false, fmt.Errorf("index: %w", err)
	}
	x.advance(next, height)
	return true, nil
}

// writer holds the prepared statements of one batch.
type writer struct {
	tx                                                *sql.Tx
	putEvent, putTouch, putObject, dropLinks, putLink *sql.Stmt
	putVersion, wordsRow, dropWords, putWords, putRow *sql.Stmt
	hasObject, dropObject, addTotal                   *sql.Stmt
}

func newWriter(tx *sql.Tx) (*writer, error) {
	w := &writer{tx: tx}
	for _, s := range []struct {
		stmt **sql.Stmt
		sql  string
	}{
		{&w.putEvent, "INSERT INTO event VALUES(?,?,?,?,?)"},
		{&w.putTouch, "INSERT OR IGNORE INTO event_object VALUES(?,?)"},
		{&w.putObject, `INSERT INTO object VALUES(?,?,?,?,?,?,?,?,?) ON CONFLICT(key) DO UPDATE SET org=excluded.org, peer=excluded.peer,
			state=excluded.state, class=excluded.class, flag=excluded.flag, ref=excluded.ref, value=excluded.value`},
		{&w.hasObject, "SELECT 1 FROM object WHERE key=?"},
		{&w.dropObject, "DELETE FROM object WHERE key=?"},
		{&w.addTotal, "INSERT INTO total VALUES(?,?) ON CONFLICT(kind) DO UPDATE SET n=n+excluded.n"},
		{&w.dropLinks, "DELETE FROM link WHERE child=?"},
		{&w.putLink, "INSERT OR IGNORE INTO link VALUES(?,?)"},
		{&w.putVersion, "INSERT OR IGNORE INTO entry_version VALUES(?,?,?,?,?,?)"},
		{&w.wordsRow, "SELECT id FROM words_row WHERE key=?"},
		{&w.dropWords, "DELETE FROM words WHERE rowid=?"},
		{&w.putWords, "INSERT INTO words(rowid, name, body, key) VALUES(?,?,?,?)"},
		{&w.putRow, "INSERT INTO words_row(key, id) SELECT ?, COALESCE(MAX(rowid),0)+1 FROM words RETURNING id"},
	} {
		stmt, err := tx.Prepare(s.sql)
		if err != nil {
			return nil, fmt.Errorf("index: %s: %w", s.sql, err)
		}
		*s.stmt = stmt
	}
	return w, nil
}

func (w *writer) event(ctx context.Context, feed Feed, seq int64, ev *tracev1.Event) error {
	raw, err := proto.Marshal(ev)
	if err != nil {
		return fmt.Errorf("index: event %d: %w", seq, err)
	}
	subject := ""
	if len(ev.GetObjects()) > 0 {
		subject = ev.GetObjects()[0]
	}
	if _, err := w.putEvent.Exec(seq, ev.GetHeight(), ev.GetTxId(), subject, raw); err != nil {
		return fmt.Errorf("index: event %d: %w", seq, err)
	}
	for _, key := range ev.GetObjects() {
		if _, err := w.putTouch.Exec(key, seq); err != nil {
			return fmt.Errorf("index: event %d: %w", seq, err)
		}
		res, err := feed.Object(ctx, key, ev.GetHeight(), false)
		if fault.Is(err, fault.Pruned) {
			res, err = feed.Object(ctx, key, 0, false)
		}
		if err != nil {
			return fmt.Errorf("index: %s at %d: %w", key, ev.GetHeight(), err)
		}
		if err := w.object(key, res, ev); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) object(key string, res *ledgerv1.GetObjectResponse, ev *tracev1.Event) error {
	k := kindOf(key)
	if k == nil {
		return nil
	}
	var one int
	had := w.hasObject.QueryRow(key).Scan(&one) == nil
	if _, err := w.dropLinks.Exec(key); err != nil {
		return fmt.Errorf("index: %s: %w", key, err)
	}
	if !res.GetFound() {
		if !had {
			return nil
		}
		if _, err := w.dropObject.Exec(key); err != nil {
			return fmt.Errorf("index: %s: %w", key, err)
		}
		_, err := w.addTotal.Exec(k.prefix, -1)
		return err
	}
	r, _, err := project(key, res.GetValue())
	if err != nil {
		return err
	}
	if _, err := w.putObject.Exec(key, k.prefix, r.org, r.peer, r.state, r.class, r.flag, r.ref, res.GetValue()); err != nil {
		return fmt.Errorf("index: %s: %w", key, err)
	}
	if !had {
		if _, err := w.addTotal.Exec(k.prefix, 1); err != nil {
			return fmt.Errorf("index: %s: %w", key, err)
		}
	}
	for _, p := range r.parents {
		if _, err := w.putLink.Exec(key, p); err != nil {
			return fmt.Errorf("index: %s: %w", key, err)
		}
	}
	if k.prefix == Entry {
		if err := w.version(key, res.GetValue(), ev); err != nil {
			return err
		}
	}
	return w.words(key, r)
}

func (w *writer) version(key string, value []byte, ev *tracev1.Event) error {
	var e cataloguev1.Entry
	if err := proto.Unmarshal(value, &e); err != nil {
		return fmt.Errorf("index: %s: %w", key, err)
	}
	_, err := w.putVersion.Exec(e.GetId(), int64(e.GetVersion()), ev.GetHeight(), ev.GetTimeMs(), ev.GetActor(), e.GetContentHash())
	if err != nil {
		return fmt.Errorf("index: %s: %w", key, err)
	}
	return nil
}

func (w *writer) words(key string, r row) error {
	if r.name == "" && r.body == "" {
		return nil
	}
	var id int64
	err := w.wordsRow.QueryRow(key).Scan(&id)
	switch {
	case err == nil:
		if _, err := w.dropWords.Exec(id); err != nil {
			return fmt.Errorf("index: words of %s: %w", key, err)
		}
	case err == sql.ErrNoRows:
		if err := w.putRow.QueryRow(key).Scan(&id); err != nil {
			return fmt.Errorf("index: words of %s: %w", key, err)
		}
	default:
		return fmt.Errorf("index: words of %s: %w", key, err)
	}
	if _, err := w.putWords.Exec(id, Grams(r.name), Grams(r.body), key); err != nil {
		return fmt.Errorf("index: words of %s: %w", key, err)
	}
	return nil
}
