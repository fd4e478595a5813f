package register

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"mulian/gateway/connect"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	mandatev1 "mulian/gen/mulian/mandate/v1"
	"mulian/internal/fault"
)

// Bounds. Our own choices.
const (
	// MaxRegisters bounds the registers of one gateway, maxKeys the rows of one question.
	MaxRegisters = 32
	maxKeys      = 200
	// maxPages bounds the pages of mandates that one sweep reads to find those of new rows.
	maxPages  = 100
	saltBytes = 32
	// idle is how long a row waits for its mandate: a proposal waits 30 days for its agent.
	idle = 45 * 24 * time.Hour
)

// Watched is a register of the gateway's configuration.
type Watched struct {
	// Entry is the catalogue entry of the register. It has a primary key, by which a row is named. Required.
	Entry string `yaml:"entry"`
	// Items are the codes of those items that a mandate hangs on: the representative, the state of
	// the registration. Empty: every item with a column, so that a new telephone number
	// suspends, too.
	Items []string `yaml:"items"`
}

// Register watches for one organisation.
type Register struct {
	Org       string
	Registers []Watched
	Kept      Kept
	// Get reads an object of the ledger by its key, as client.Client and client.Verified do.
	Get func(ctx context.Context, key string, m proto.Message) (bool, error)
	// List lists mandates that the organisation has signed, from after on.
	List func(ctx context.Context, after string) (page []*mandatev1.Mandate, next string, err error)
	// Send signs with a key MACHINE of the organisation, sends and waits for the block.
	Send func(ctx context.Context, messages ...proto.Message) error
	// Source opens the database that the gateway calls so.
	Source func(ctx context.Context, name string) (connect.Source, error)
	Now    func() time.Time // nil: time.Now

	// Of the one goroutine that sweeps.
	absent map[string]bool // rows that were not there at the last look
	after  string          // where the search for the mandates of new rows goes on
}

// Check tells what is wrong with the registers of a configuration: Usage.
func Check(all []Watched) error {
	if len(all) > MaxRegisters {
		return fault.Newf(fault.Usage, "registers: %d, at most %d", len(all), MaxRegisters)
	}
	seen := map[string]bool{}
	for i, w := range all {
		if w.Entry == "" || seen[w.Entry] {
			return fault.Newf(fault.Usage, "registers[%d].entry %q is missing, or stands twice", i, w.Entry)
		}
		seen[w.Entry] = true
	}
	return nil
}

func (g *Register) now() time.Time {
	if g.Now != nil {
		return g.Now()
	}
	return time.Now()
}

// table is where the rows of a register stand.
type table struct {
	source  connect.Source
	name    connect.TableName
	key     cataloguev1.Column // of the primary key
	items   []string           // codes, in the order of the columns
	columns []string           // the key's first
}

// locate finds where the rows of a register stand. Usage if the configuration does not have
// it; SourceMissing (entry, table, primary key), ItemUnmapped.
func (g *Register) locate(ctx context.Context, id string) (*table, error) {
	var w *Watched
	for i := range g.Registers {
		if g.Registers[i].Entry == id {
			w = &g.Registers[i]
		}
	}
	if w == nil {
		return nil, fault.Newf(fault.Usage, "%s stands not under registers in this gateway's configuration: nobody would watch the row", id)
	}
	e, on := &cataloguev1.Entry{}, &cataloguev1.Table{}
	if ok, err := g.Get(ctx, "catalogue/entry/"+id, e); err != nil || !ok {
		return nil, missing(err, "there is no entry %s", id)
	}
	if ok, err := g.Get(ctx, "catalogue/table/"+e.GetTable(), on); err != nil || !ok {
		return nil, missing(err, "entry %s has no table", id)
	}
	t := &table{name: tableName(on.GetName())}
	column := map[string]string{}
	for _, it := range e.GetItems() {
		column[it.GetCode()] = it.GetColumn()
		if it.GetPrimaryKey() && t.columns == nil && it.GetColumn() != "" {
			t.columns = []string{it.GetColumn()}
		}
		if len(w.Items) == 0 && it.GetColumn() != "" {
			t.items = append(t.items, it.GetCode())
		}
	}
	if t.columns == nil {
		return nil, missing(nil, "entry %s has no primary key: no row of it can be named", id)
	}
	t.items = append(t.items, w.Items...)
	for _, code := range t.items {
		if column[code] == "" {
			return nil, fault.Newf(fault.ItemUnmapped, "item %s of %s has no column", code, id)
		}
		t.columns = append(t.columns, column[code])
	}
	for _, c := range on.GetColumns() {
		if c.GetName() == t.columns[0] {
			t.key.Name, t.key.Type = c.GetName(), c.GetType()
		}
	}
	var err error
	t.source, err = g.Source(ctx, on.GetSource())
	return t, err
}

func missing(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return fault.Newf(fault.SourceMissing, format, args...)
}

func tableName(name string) connect.TableName {
	if schema, table, ok := strings.Cut(name, "."); ok {
		return connect.TableName{Schema: schema, Name: table}
	}
	return connect.TableName{Name: name}
}

// value is a key as its column has it.
func (t *table) value(text string) connect.Value {
	if t.key.GetType() == connect.Integer.String() {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return connect.IntegerValue(n)
		}
	}
	return connect.TextValue(text)
}

// rows reads the rows of some keys, at most maxKeys, by key. A key that has two rows names none.
func (t *table) rows(ctx context.Context, keys []string) (map[string]connect.Row, error) {
	where := connect.Condition{Column: t.columns[0], Op: connect.OpIn}
	for _, k := range keys {
		where.Values = append(where.Values, t.value(k))
	}
	rows, err := t.source.Query(ctx, connect.Selection{Table: t.name, Columns: t.columns, Where: []connect.Condition{where}, Limit: 2 * maxKeys})
	if err != nil {
		return nil, fault.Wrap(fault.SourceUnreachable, err, "read the register")
	}
	out, twice := map[string]connect.Row{}, map[string]bool{}
	for _, r := range rows {
		k := r[0].Text
		_, again := out[k]
		twice[k] = twice[k] || again
		out[k] = r[1:]
	}
	for k, is := range twice {
		if is {
			delete(out, k)
		}
	}
	return out, nil
}

// fingerprint is a salted hash of what a row says; of no row, of nothing.
func fingerprint(salt []byte, items []string, r connect.Row) []byte {
	h := sha256.New()
	put := func(s string) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	put("mulian-register-v1")
	put(string(salt))
	for i, v := range r {
		put(items[i])
		put(v.Kind.String())
		put(v.Text)
	}
	return h.Sum(nil)
}

// Read reads the row of a register that a mandate shall rest on. The row is not watched before
// it is remembered.
//
// Usage (the gateway does not watch this register), SourceMissing (entry, table, row),
// ItemUnmapped, SourceUnreachable.
func (g *Register) Read(ctx context.Context, entry, key string) (*Row, error) {
	t, err := g.locate(ctx, entry)
	if err != nil {
		return nil, err
	}
	rows, err := t.rows(ctx, []string{key})
	if err != nil {
		return nil, err
	}
	r, ok := rows[t.value(key).Text]
	if !ok {
		return nil, fault.Newf(fault.SourceMissing, "the register %s has no row of this key, or more than one", entry)
	}
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(rand.Reader, salt); err != nil {
		return nil, fmt.Errorf("draw a salt: %w", err)
	}
	sum := hex.EncodeToString(fingerprint(salt, t.items, r))
	return &Row{ID: sum, Entry: entry, Key: t.value(key).Text, Items: t.items, Salt: hex.EncodeToString(salt), Seen: sum, SinceMs: g.now().UnixMilli()}, nil
}

// same reports whether a row is what was last judged or what the mandate was signed on, and
// what it is now.
func (x *Row) same(items []string, r connect.Row) (is bool, now string, err error) {
	salt, err := hex.DecodeString(x.Salt)
	if err != nil {
		return false, "", fault.Wrap(fault.Damaged, err, "kept row %s", x.ID)
	}
	sum := fingerprint(salt, items, r)
	now = hex.EncodeToString(sum)
	return now == x.Seen || now == x.ID, now, nil
}
