package index

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// A batch takes events and writes what they changed in one transaction. An object
// that several events touch is written once, as the last of them left it; rows go to
// the file in the order of their keys. Rows of the table of words, above all: FTS5
// starts a new segment whenever a number is lower than the one before (measured:
// 100,000 entries in the order of their arrival take eight times as long).
type batch struct {
	tx   *sql.Tx
	feed Feed
	last uint32 // number of the object that was numbered last

	touched []touch
	told    []touch // those of touched that the object's surroundings tell, too
	acted   []touch // by account
	changed map[string]*change
	arrived []*change // the changed ones, in the order of their first event
	totals  map[string]int64
	codes   map[string]bool // written by this batch already
	flows   map[flowKey]*passed
	months  map[monthKey][]int64
	answers []answer
	pins    []pin

	statements
}

// touch says that an event names an object.
type touch struct {
	key string
	seq int64
}

// change is what a batch makes of one object.
type change struct {
	key   string
	kind  *kind
	value []byte        // nil = it is gone
	m     proto.Message // value, decoded
	had   bool          // it is in the file already
	at    int64         // height at which value was read
}

type statements struct {
	putEvent, putTouch, putTold, putActor       *sql.Stmt
	putObject, dropLinks, putLink               *sql.Stmt
	putVersion, hasObject, dropObject, addTotal *sql.Stmt
	getDoc, newDoc, putDoc, pinDoc, dropDoc     *sql.Stmt
	dropWords, putWords, putCode                *sql.Stmt
	getValue, addFlow, dropFlow, putBegan       *sql.Stmt
	addMonth, putMonth, putAnswer               *sql.Stmt
}

func newBatch(tx *sql.Tx, feed Feed, last uint32) (*batch, error) {
	b := &batch{tx: tx, feed: feed, last: last, changed: map[string]*change{}, totals: map[string]int64{}, codes: map[string]bool{}, flows: map[flowKey]*passed{}, months: map[monthKey][]int64{}}
	for _, s := range []struct {
		stmt **sql.Stmt
		sql  string
	}{
		{&b.putEvent, "INSERT INTO event VALUES(?,?,?,?,?)"},
		{&b.putTouch, "INSERT OR IGNORE INTO event_object VALUES(?,?)"},
		{&b.putTold, "INSERT OR IGNORE INTO event_told VALUES(?,?)"},
		{&b.putActor, "INSERT OR IGNORE INTO event_actor VALUES(?,?)"},
		{&b.putObject, `INSERT INTO object VALUES(?,?,?,?,?,?,?,?,?) ON CONFLICT(key) DO UPDATE SET org=excluded.org, peer=excluded.peer,
			state=excluded.state, class=excluded.class, flag=excluded.flag, ref=excluded.ref, value=excluded.value`},
		{&b.hasObject, "SELECT 1 FROM object WHERE key=?"},
		{&b.dropObject, "DELETE FROM object WHERE key=?"},
		{&b.addTotal, "INSERT INTO total VALUES(?,?) ON CONFLICT(kind) DO UPDATE SET n=n+excluded.n"},
		{&b.dropLinks, "DELETE FROM link WHERE child=?"},
		{&b.putLink, "INSERT OR IGNORE INTO link VALUES(?,?)"},
		{&b.putVersion, "INSERT OR IGNORE INTO entry_version VALUES(?,?,?,?,?,?)"},
		{&b.getDoc, "SELECT seq, text, traits, org, ids FROM doc WHERE key=?"},
		{&b.newDoc, "INSERT INTO doc VALUES(?,?,?,?,?,?)"},
		{&b.putDoc, "UPDATE doc SET text=?, traits=?, org=?, ids=? WHERE seq=?"},
		{&b.pinDoc, "UPDATE doc SET traits=?, org=? WHERE seq=?"},
		{&b.dropDoc, "DELETE FROM doc WHERE seq=?"},
		{&b.dropWords, "DELETE FROM words WHERE rowid=?"},
		{&b.putWords, "INSERT INTO words(rowid, exact, name, code, keyword, item, body, facet) VALUES(?,?,?,?,?,?,?,?)"},
		{&b.putCode, "INSERT OR IGNORE INTO code VALUES(?,?)"},
		{&b.getValue, "SELECT value FROM object WHERE key=?"},
		{&b.addFlow, "INSERT INTO flow VALUES(?,?,?,?,?) ON CONFLICT(hour, under, gateway) DO UPDATE SET granted=granted+excluded.granted, refused=refused+excluded.refused"},
		{&b.dropFlow, "DELETE FROM flow WHERE hour<?"},
		{&b.putBegan, "INSERT OR IGNORE INTO began VALUES(?,?)"},
		{&b.addMonth, "INSERT INTO month VALUES(?,?,?,?,?,?,?,?) ON CONFLICT(month, org, verb, note, peer, kind) DO UPDATE SET n=n+excluded.n RETURNING id"},
		{&b.putMonth, "INSERT INTO month_event VALUES(?,?)"},
		{&b.putAnswer, "INSERT OR IGNORE INTO answer VALUES(?,?,?,?)"},
	} {
		stmt, err := tx.Prepare(s.sql)
		if err != nil {
			return nil, fmt.Errorf("index: %s: %w", s.sql, err)
		}
		*s.stmt = stmt
	}
	return b, nil
}

// event takes one event: what it names is read as it was at its height.
func (b *batch) event(ctx context.Context, seq int64, ev *tracev1.Event) error {
	raw, err := proto.Marshal(ev)
	if err != nil {
		return fmt.Errorf("index: event %d: %w", seq, err)
	}
	subject := ""
	if len(ev.GetObjects()) > 0 {
		subject = ev.GetObjects()[0]
	}
	if _, err := b.putEvent.Exec(seq, ev.GetHeight(), ev.GetTxId(), subject, raw); err != nil {
		return fmt.Errorf("index: event %d: %w", seq, err)
	}
	b.acted = append(b.acted, touch{ev.GetActor(), seq})
	for _, key := range ev.GetObjects() {
		b.touched = append(b.touched, touch{key, seq})
		if told(key, subject) {
			b.told = append(b.told, touch{key, seq})
		}
		if err := b.object(ctx, key, ev); err != nil {
			return err
		}
	}
	b.countMonth(seq, ev)
	return nil
}

func (b *batch) object(ctx context.Context, key string, ev *tracev1.Event) error {
	k := kindOf(key)
	if k == nil {
		return nil
	}
	c := b.changed[key]
	if c != nil && c.at == ev.GetHeight() {
		return nil // a duty that every entry of a block rests on is read once
	}
	res, err := b.feed.Object(ctx, key, ev.GetHeight(), false)
	if fault.Is(err, fault.Pruned) {
		res, err = b.feed.Object(ctx, key, 0, false)
	}
	if fault.Is(err, fault.Forbidden) {
		res, err = &ledgerv1.GetObjectResponse{}, nil // of a reading server that may not read grants: it knows none
	}
	if err != nil {
		return fmt.Errorf("index: %s at %d: %w", key, ev.GetHeight(), err)
	}
	if c == nil {
		c = &change{key: key, kind: k}
		b.changed[key], b.arrived = c, append(b.arrived, c)
	}
	was := c.m
	c.value, c.m, c.at = nil, nil, ev.GetHeight()
	if res.GetFound() {
		c.value, c.m = res.GetValue(), k.empty()
		if err := proto.Unmarshal(c.value, c.m); err != nil {
			return fmt.Errorf("index: %s: %w", key, err)
		}
	}
	if err := b.measure(c, was, ev); err != nil {
		return err
	}
	if e, ok := c.m.(*cataloguev1.Entry); ok {
		_, err := b.putVersion.Exec(e.GetId(), int64(e.GetVersion()), ev.GetHeight(), ev.GetTimeMs(), ev.GetActor(), e.GetContentHash())
		if err != nil {
			return fmt.Errorf("index: %s: %w", key, err)
		}
	}
	return nil
}

// write puts all that was taken into the transaction.
func (b *batch) write() error {
	for _, put := range []struct {
		rows []touch
		stmt *sql.Stmt
	}{{b.touched, b.putTouch}, {b.told, b.putTold}, {b.acted, b.putActor}} {
		slices.SortFunc(put.rows, func(p, q touch) int { return cmp.Or(cmp.Compare(p.key, q.key), cmp.Compare(p.seq, q.seq)) })
		for _, t := range put.rows {
			if _, err := put.stmt.Exec(t.key, t.seq); err != nil {
				return fmt.Errorf("index: event %d: %w", t.seq, err)
			}
		}
	}
	changes := slices.Clone(b.arrived)
	slices.SortFunc(changes, func(p, q *change) int { return cmp.Compare(p.key, q.key) })
	for _, c := range changes {
		if err := b.writeObject(c); err != nil {
			return err
		}
	}
	for kind, n := range b.totals {
		if _, err := b.addTotal.Exec(kind, n); err != nil {
			return fmt.Errorf("index: totals: %w", err)
		}
	}
	if err := b.writeFlows(); err != nil {
		return err
	}
	if err := b.writeMonths(); err != nil {
		return err
	}
	return b.writeWords()
}

func (b *batch) writeObject(c *change) error {
	var one int
	switch err := b.hasObject.QueryRow(c.key).Scan(&one); err {
	case nil:
		c.had = true
	case sql.ErrNoRows:
	default:
		return fmt.Errorf("index: %s: %w", c.key, err)
	}
	if c.had {
		if _, err := b.dropLinks.Exec(c.key); err != nil {
			return fmt.Errorf("index: %s: %w", c.key, err)
		}
	}
	if c.m == nil {
		if c.had {
			b.totals[c.kind.prefix]--
			if _, err := b.dropObject.Exec(c.key); err != nil {
				return fmt.Errorf("index: %s: %w", c.key, err)
			}
		}
		return nil
	}
	if !c.had {
		b.totals[c.kind.prefix]++
	}
	r := c.kind.file(c.m)
	if _, err := b.putObject.Exec(c.key, c.kind.prefix, r.org, r.peer, r.state, r.class, r.flag, r.ref, c.value); err != nil {
		return fmt.Errorf("index: %s: %w", c.key, err)
	}
	for _, p := range r.parents {
		if _, err := b.putLink.Exec(c.key, p); err != nil {
			return fmt.Errorf("index: %s: %w", c.key, err)
		}
	}
	return nil
}

// wordsRow is one row of the table of words.
type wordsRow struct {
	number  rowNumber
	columns [fields]string
}

// writeWords writes the rows of the objects whose texts are others than before. New
// objects get their numbers in the order of the events, so that it does not matter
// where one batch ended and the next began.
func (b *batch) writeWords() error {
	var rows []wordsRow
	var gone []rowNumber
	for _, c := range b.arrived {
		fresh, old, err := b.document(c)
		if err != nil {
			return fmt.Errorf("index: words of %s: %w", c.key, err)
		}
		rows, gone = append(rows, fresh...), append(gone, old...)
	}
	slices.Sort(gone)
	for _, n := range gone {
		if _, err := b.dropWords.Exec(int64(n)); err != nil {
			return fmt.Errorf("index: words: %w", err)
		}
	}
	slices.SortFunc(rows, func(p, q wordsRow) int { return cmp.Compare(p.number, q.number) })
	for _, r := range rows {
		// One row a statement: several would make FTS5 write a segment for each statement.
		c := &r.columns
		if _, err := b.putWords.Exec(int64(r.number), c[0], c[1], c[2], c[3], c[4], c[5], c[6]); err != nil {
			return fmt.Errorf("index: words: %w", err)
		}
	}
	return nil
}

// document compares an object's texts with those that are in the file, and returns
// the rows to write and those to delete.
func (b *batch) document(c *change) (fresh []wordsRow, gone []rowNumber, err error) {
	if orders[c.kind.prefix] == 0 {
		return nil, nil, nil
	}
	if !c.had {
		return b.newDocument(c)
	}
	var object uint32
	var was struct {
		text   int64
		traits traits
		org    string
		ids    []byte
	}
	if err := b.getDoc.QueryRow(c.key).Scan(&object, &was.text, &was.traits, &was.org, &was.ids); err != nil {
		return nil, nil, err
	}
	if c.m == nil {
		b.pins = append(b.pins, pin{object: object})
		_, err := b.dropDoc.Exec(object)
		return nil, numbers(was.ids), err
	}
	d, _ := documentOf(c.m)
	t, org := traitsOf(c.m, &d)
	fresh, text := rowsOf(c.m, d, t, org, object)
	if text == was.text {
		if t == was.traits && org == was.org {
			return nil, nil, nil
		}
		b.pins = append(b.pins, pin{object, t, org})
		_, err := b.pinDoc.Exec(int64(t), org, object)
		return nil, nil, err
	}
	b.pins = append(b.pins, pin{object, t, org})
	if _, err := b.putDoc.Exec(text, int64(t), org, idsOf(fresh), object); err != nil {
		return nil, nil, err
	}
	return fresh, numbers(was.ids), b.writeCodes(c.m, d)
}

// newDocument numbers an object that is not in the file.
func (b *batch) newDocument(c *change) (fresh []wordsRow, gone []rowNumber, err error) {
	if c.m == nil {
		return nil, nil, nil
	}
	b.last++
	d, _ := documentOf(c.m)
	t, org := traitsOf(c.m, &d)
	fresh, text := rowsOf(c.m, d, t, org, b.last)
	b.pins = append(b.pins, pin{b.last, t, org})
	if _, err := b.newDoc.Exec(b.last, c.key, text, int64(t), org, idsOf(fresh)); err != nil {
		return nil, nil, err
	}
	return fresh, nil, b.writeCodes(c.m, d)
}

func idsOf(rows []wordsRow) []byte {
	ids := make([]byte, 0, 8*len(rows))
	for _, r := range rows {
		ids = binary.BigEndian.AppendUint64(ids, uint64(r.number))
	}
	return ids
}

// rowsOf makes the rows of an object, and the hash of all that is in them.
func rowsOf(m proto.Message, d document, t traits, org string, object uint32) (rows []wordsRow, text int64) {
	add := func(d document) {
		r := wordsRow{number: newRowNumber(&d, object)}
		d.columns(d.tokens(t, org), &r.columns)
		text = text*1099511628211 + int64(r.number)
		for _, c := range r.columns {
			text = text*1099511628211 + int64(hash(c))
		}
		rows = append(rows, r)
	}
	add(d)
	if e, ok := m.(*cataloguev1.Entry); ok {
		for i := range min(len(e.GetItems()), maxItems) {
			add(itemDocument(e, i))
		}
	}
	return rows, text
}

func numbers(ids []byte) []rowNumber {
	out := make([]rowNumber, 0, len(ids)/8)
	for ; len(ids) >= 8; ids = ids[8:] {
		out = append(out, rowNumber(binary.BigEndian.Uint64(ids)))
	}
	return out
}

// writeCodes remembers the codes of an object and its items, for those who mistype
// them. A code stays when its object goes: whoever is led to it finds nothing there.
func (b *batch) writeCodes(m proto.Message, d document) (err error) {
	put := func(code string, _ bool) {
		if err != nil || b.codes[code] {
			return
		}
		b.codes[code] = true
		if s := skeleton(code); len(s) >= minCode && len(s) <= maxCode {
			_, err = b.putCode.Exec(s, code)
		}
	}
	d.codes(put)
	if e, ok := m.(*cataloguev1.Entry); ok {
		for _, it := range e.GetItems() {
			put(it.GetCode(), true)
		}
	}
	return err
}
