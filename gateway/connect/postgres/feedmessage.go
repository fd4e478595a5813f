package postgres

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"mulian/gateway/connect"
)

// ddlName is the channel and the prefix under which the event trigger tells DDL.
const ddlName = "mulian_ddl"

// A lsn is a place in the server's log, in bytes.
type lsn uint64

// position is what others see of a place: the server's system identifier and the place,
// both of a fixed width, so that positions have the order of the log.
func position(system uint64, at lsn) connect.Position {
	return connect.Position(fmt.Sprintf("%016x-%016x", system, uint64(at)))
}

// placeOf is the reverse; ok is false for a position of another server or of our own invention.
func placeOf(system uint64, p connect.Position) (at lsn, ok bool) {
	var s, n uint64
	if _, err := fmt.Sscanf(string(p), "%016x-%016x", &s, &n); err != nil || s != system || position(s, lsn(n)) != p {
		return 0, false
	}
	return lsn(n), true
}

// followed is a table whose changes are wanted.
type followed struct {
	name connect.TableName
	key  []string       // columns of the primary key
	kind []connect.Kind // of them
	// owned: the account owns it, and so may publish it.
	owned bool
}

// relation is what the server says a table looks like, before the first row of it.
type relation struct {
	name    connect.TableName
	table   *followed // nil: not wanted
	columns []relationColumn
	key     []int // where the columns of table.key are among them
}

type relationColumn struct {
	name     string
	inKey    bool
	typeOID  uint32
	modifier uint32
}

// An assembly makes Changes of pgoutput's messages (protocol version 1: whole transactions,
// after their commit). It holds one piece at a time.
type assembly struct {
	system    uint64
	tables    map[connect.TableName]*followed
	relations map[uint32]*relation
	emit      func(connect.Change) error
	await     func(xid uint32) error // until a transaction is visible; called before its first piece is told

	told      lsn // everything before has been told
	said      lsn // the position of the last Change
	within    bool
	committed time.Time
	xid       uint32 // of the transaction
	any       bool   // something of this transaction was told
	rows      []connect.RowChange
	size      int
	quiet     time.Time // when the last empty Change was told
}

func newAssembly(system uint64, tables []*followed, from lsn, await func(xid uint32) error, emit func(connect.Change) error) *assembly {
	a := &assembly{system: system, tables: map[connect.TableName]*followed{}, relations: map[uint32]*relation{}, told: from, said: from, await: await, emit: emit}
	for _, t := range tables {
		a.tables[t.name] = t
	}
	return a
}

// cursor reads a message. What is not there reads as zero, and damaged tells of it.
type cursor struct {
	b       []byte
	damaged bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.damaged, c.b = true, nil
		return nil
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) number(size int) (n uint64) {
	for _, b := range c.take(size) {
		n = n<<8 | uint64(b)
	}
	return n
}

func (c *cursor) text() string {
	i := bytes.IndexByte(c.b, 0)
	if i < 0 {
		c.damaged, c.b = true, nil
		return ""
	}
	return string(c.take(i + 1)[:i])
}

// y2k is where PostgreSQL's clock begins.
var y2k = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// maxMicros keeps a server's clock within the years 2000 to 2292.
const maxMicros = 1 << 53

func (c *cursor) moment() time.Time {
	micros := c.number(8)
	if micros > maxMicros {
		return time.Time{}
	}
	return y2k.Add(time.Duration(micros) * time.Microsecond)
}

// message takes one message of pgoutput.
func (a *assembly) message(b []byte) error {
	if len(b) == 0 {
		return fmt.Errorf("postgres: feed: empty message")
	}
	c := &cursor{b: b[1:]}
	var err error
	switch b[0] {
	case 'B':
		c.take(8)
		a.committed = c.moment()
		a.xid = uint32(c.number(4))
		a.within, a.any = true, false
	case 'C':
		c.take(9)
		end := lsn(c.number(8))
		if !c.damaged {
			err = a.commit(end)
		}
	case 'R':
		err = a.relation(c)
	case 'I', 'U', 'D':
		err = a.row(b[0], c)
	case 'T':
		err = a.truncate(c)
	case 'M':
		err = a.ddl(c)
	case 'O', 'Y': // where a row was first written, and names of types: nothing to us
	default:
		return fmt.Errorf("postgres: feed: message of kind %q is not of protocol version 1", b[0])
	}
	if err == nil && c.damaged {
		err = fmt.Errorf("postgres: feed: message of kind %q is damaged", b[0])
	}
	return err
}

// relation learns what a table looks like. One that looks different than before is told
// as DDL: an event trigger may not be there.
func (a *assembly) relation(c *cursor) error {
	id := uint32(c.number(4))
	r := &relation{name: connect.TableName{Schema: c.text(), Name: c.text()}}
	if r.name.Schema == "" {
		r.name.Schema = "pg_catalog"
	}
	identity := byte(c.number(1))
	n := int(c.number(2))
	if n > connect.MaxColumns {
		return fmt.Errorf("%w: table %s has %d columns", connect.ErrTooLarge, r.name, n)
	}
	for range n {
		r.columns = append(r.columns, relationColumn{inKey: c.number(1)&1 != 0, name: c.text(), typeOID: uint32(c.number(4)), modifier: uint32(c.number(4))})
		if c.damaged {
			return nil
		}
	}
	before := a.relations[id]
	if before == nil && len(a.relations) >= connect.MaxTables {
		return fmt.Errorf("%w: more than %d tables in the feed", connect.ErrTooLarge, connect.MaxTables)
	}
	a.relations[id] = r
	if r.table = a.tables[r.name]; r.table != nil {
		if err := r.keys(identity); err != nil {
			return err
		}
	}
	if before != nil && !before.same(r) {
		return a.tell(&connect.DDL{Tag: "RELATION", Tables: []connect.TableName{r.name}})
	}
	return nil
}

func (r *relation) same(s *relation) bool {
	if r.name != s.name || len(r.columns) != len(s.columns) {
		return false
	}
	for i := range r.columns {
		if r.columns[i] != s.columns[i] {
			return false
		}
	}
	return true
}

// keys finds the primary key's columns. If the key is another than when the feed began,
// keys of then and now do not compare: the table cannot be followed from there.
func (r *relation) keys(identity byte) error {
	marked := 0
	for _, col := range r.columns {
		if col.inKey {
			marked++
		}
	}
	for _, name := range r.table.key {
		at := -1
		for i, col := range r.columns {
			if col.name == name && col.inKey {
				at = i
			}
		}
		if at < 0 || identity != 'f' && marked != len(r.table.key) {
			return &connect.NoFeedError{Cause: fmt.Sprintf("table %s: its key is another than in its changes so far", r.name), Tables: []connect.TableName{r.name}}
		}
		r.key = append(r.key, at)
	}
	return nil
}

// tuple is the texts of a row's columns; nil is NULL, and unchanged a value that the
// server did not repeat.
type tuple []field

type field struct {
	text      []byte
	unchanged bool
}

func (c *cursor) tuple(columns int) tuple {
	if int(c.number(2)) != columns {
		c.damaged, c.b = true, nil
		return nil
	}
	out := make(tuple, columns)
	for i := range out {
		switch kind := c.number(1); kind {
		case 'n':
		case 'u':
			out[i].unchanged = true
		case 't':
			out[i].text = c.take(int(c.number(4)))
		default:
			c.damaged, c.b = true, nil
			return nil
		}
	}
	return out
}

// row takes an insert, update or delete.
func (a *assembly) row(kind byte, c *cursor) error {
	id := uint32(c.number(4))
	r := a.relations[id]
	if r == nil {
		c.damaged = true
		return nil
	}
	if r.table == nil {
		return nil
	}
	change := connect.RowChange{Table: r.table.name, Op: map[byte]connect.RowOp{'I': connect.RowInsert, 'U': connect.RowUpdate, 'D': connect.RowDelete}[kind]}
	var before, after tuple
	part := byte(c.number(1))
	if kind != 'I' && (part == 'K' || part == 'O') {
		before = c.tuple(len(r.columns))
		if kind == 'U' {
			part = byte(c.number(1))
		}
	}
	if kind != 'D' {
		if part != 'N' {
			c.damaged = true
			return nil
		}
		after = c.tuple(len(r.columns))
	}
	if c.damaged || kind == 'D' && before == nil {
		c.damaged = true
		return nil
	}
	var err error
	if before != nil {
		if change.OldKey, err = r.keyOf(before, nil); err != nil {
			return err
		}
	}
	if after == nil {
		change.Key, change.OldKey = change.OldKey, nil
	} else if change.Key, err = r.keyOf(after, before); err != nil {
		return err
	}
	if sameKey(change.Key, change.OldKey) {
		change.OldKey = nil
	}
	return a.add(change)
}

// keyOf is the canonical key of a row. A long value that did not change is only in the
// tuple before.
func (r *relation) keyOf(t, before tuple) (connect.Row, error) {
	out := make(connect.Row, len(r.key))
	for i, at := range r.key {
		cell, reason := t[at], ""
		if cell.unchanged && before != nil {
			cell = before[at]
		}
		if cell.unchanged || cell.text == nil {
			reason = "the server did not send this column of the key"
		} else {
			out[i], reason = readAs(r.table.kind[i], cell.text)
		}
		if reason != "" {
			return nil, &connect.ValueError{Table: r.table.name, Column: r.table.key[i], Reason: reason}
		}
	}
	return out, nil
}

func sameKey(a, b connect.Row) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func (a *assembly) truncate(c *cursor) error {
	n := int(c.number(4))
	c.take(1)
	if n > len(c.b)/4 {
		c.damaged = true
		return nil
	}
	for range n {
		r := a.relations[uint32(c.number(4))]
		if r == nil || r.table == nil {
			continue
		}
		if err := a.add(connect.RowChange{Table: r.table.name, Op: connect.RowTruncate}); err != nil {
			return err
		}
	}
	return nil
}

// ddl takes a message that the event trigger wrote into the log. Others may write
// messages too: those of our name that do not read are told as "look at all".
func (a *assembly) ddl(c *cursor) error {
	transactional := c.number(1)&1 != 0
	c.take(8)
	prefix := c.text()
	text := c.take(int(c.number(4)))
	if c.damaged || prefix != ddlName || !transactional || !a.within {
		return nil
	}
	return a.tell(readDDL(text))
}

// readDDL reads what the event trigger told.
func readDDL(text []byte) *connect.DDL {
	var told struct {
		Tag    string      `json:"tag"`
		Tables [][2]string `json:"tables"`
	}
	const most = 1 << 20 // a message in the log; a notification has 8,000 bytes
	if len(text) > most || json.Unmarshal(text, &told) != nil || len(told.Tag) > connect.MaxNameBytes {
		return &connect.DDL{Tag: "DDL"}
	}
	d := &connect.DDL{Tag: told.Tag}
	if len(told.Tables) > connect.MaxDDLTables {
		return d
	}
	for _, t := range told.Tables {
		d.Tables = append(d.Tables, connect.TableName{Schema: t[0], Name: t[1]})
	}
	return d
}

func (a *assembly) add(r connect.RowChange) error {
	if !a.within {
		return fmt.Errorf("postgres: feed: a row outside a transaction")
	}
	a.rows = append(a.rows, r)
	a.size += 32
	for _, v := range r.Key {
		a.size += len(v.Text)
	}
	for _, v := range r.OldKey {
		a.size += len(v.Text)
	}
	if len(a.rows) >= connect.MaxChangeRows || a.size >= connect.MaxChangeBytes {
		return a.flush(false)
	}
	return nil
}

// flush tells the rows so far.
func (a *assembly) flush(last bool) error {
	if len(a.rows) == 0 && !(last && a.any) {
		return nil
	}
	c := connect.Change{Position: position(a.system, a.told), Committed: a.committed, Rows: a.rows, Last: last}
	a.rows, a.size, a.said = nil, 0, a.told
	return a.piece(c)
}

// piece tells a piece of a transaction that can be seen.
func (a *assembly) piece(c connect.Change) error {
	if !a.any {
		if err := a.await(a.xid); err != nil {
			return err
		}
	}
	a.any = true
	return a.emit(c)
}

func (a *assembly) tell(d *connect.DDL) error {
	if err := a.flush(false); err != nil {
		return err
	}
	return a.piece(connect.Change{Position: position(a.system, a.told), Committed: a.committed, DDL: d})
}

func (a *assembly) commit(end lsn) error {
	a.told = max(a.told, end)
	a.within = false
	if !a.any && len(a.rows) == 0 {
		return a.reached(end) // of tables that are not wanted
	}
	return a.flush(true)
}

// reached takes the news that the server has told everything before at.
func (a *assembly) reached(at lsn) error {
	if a.within {
		return nil
	}
	a.told = max(a.told, at)
	now := time.Now()
	// Of a database in which nothing happens, too: who follows has to know that the feed lives.
	every := connect.FeedEvery
	if a.told == a.said {
		every = statusEvery / 2
	}
	if now.Sub(a.quiet) < every {
		return nil
	}
	a.said, a.quiet = a.told, now
	return a.emit(connect.Change{Position: position(a.system, a.told)})
}

// status is the message by which the receiver says how far it is.
func status(acknowledged lsn, answer bool, now time.Time) []byte {
	out := []byte{'r'}
	for range 3 { // written, flushed, applied: for us one thing
		out = binary.BigEndian.AppendUint64(out, uint64(acknowledged))
	}
	out = binary.BigEndian.AppendUint64(out, uint64(now.Sub(y2k).Microseconds()))
	if answer {
		return append(out, 1)
	}
	return append(out, 0)
}
