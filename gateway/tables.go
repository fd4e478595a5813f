package gateway

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"mulian/gateway/connect"
	"mulian/gateway/drift"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// Bounds of one PutTables: far below a transaction's megabyte.
const (
	maxTablesPerTx = 50
	maxBytesPerTx  = 400 << 10
	maxComment     = 500 // characters of a column's comment on the ledger
	maxTypeName    = 200
)

// TableID is a table's id on the ledger.
func (g *Gateway) TableID(source string, name connect.TableName) string {
	return g.cfg.Account + ":" + source + "." + name.String()
}

// RegisterTables puts the tables of all sources on the ledger and returns their ids.
// What the ledger has already is not sent again. A table that others rely on is not
// changed by this: the difference is reported as a drift.
func (g *Gateway) RegisterTables(ctx context.Context) (ids []string, err error) {
	g.registering.Lock()
	defer g.registering.Unlock()
	for _, cfg := range g.cfg.Sources {
		s := g.sources[cfg.Name]
		schema, err := s.db.Inspect(ctx)
		if err != nil {
			return nil, fault.Wrap(fault.SourceUnreachable, err, "source %s", cfg.Name)
		}
		s.saw(schema)
		var batch []*cataloguev1.Table
		size := 0
		for _, t := range schema.Tables {
			if !s.cfg.wants(t.TableName) {
				continue
			}
			m, changed, err := g.compare(ctx, s, t)
			if err != nil {
				return nil, err
			}
			ids = append(ids, m.Id)
			if !changed {
				continue
			}
			if n := proto.Size(m); len(batch) == maxTablesPerTx || size+n > maxBytesPerTx {
				if err := g.put(ctx, batch); err != nil {
					return nil, err
				}
				batch, size = nil, 0
			}
			batch, size = append(batch, m), size+proto.Size(m)
		}
		if err := g.put(ctx, batch); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

func (g *Gateway) put(ctx context.Context, tables []*cataloguev1.Table) error {
	if len(tables) == 0 {
		return nil
	}
	_, err := g.chain.Send(ctx, g.signer(), &cataloguev1.PutTables{Tables: tables})
	return err
}

// compare makes the ledger's form of a table and tells whether it has to be put. One
// that is there with another structure, and may not be put, is reported as a drift.
func (g *Gateway) compare(ctx context.Context, s *source, t connect.Table) (m *cataloguev1.Table, changed bool, err error) {
	m = g.tableMessage(s, t)
	was := &cataloguev1.Table{}
	found, _, err := g.proved.Get(ctx, "catalogue/table/"+m.Id, was)
	if err != nil {
		return nil, false, err
	}
	if !found {
		if f, err := s.db.Freshness(ctx, t.TableName, ""); err == nil {
			m.RowsEstimate = f.Rows
		}
		return m, true, nil
	}
	if string(was.SchemaHash) == string(m.SchemaHash) && !was.Gone {
		return m, false, nil
	}
	m.RowsEstimate, m.System, m.WatermarkColumn = was.RowsEstimate, was.System, was.WatermarkColumn
	err = g.put(ctx, []*cataloguev1.Table{m})
	switch fault.CodeOf(err) {
	case fault.OK:
		return m, false, nil
	case fault.LockHeld, fault.EntryDrifted, fault.ItemUnmapped, fault.CodeInconsistent:
		changes := drift.Compare(fromLedger(was, t.TableName), t)
		return m, false, g.reportTable(ctx, s, t.TableName, &t, changes)
	}
	return m, false, err
}

// fromLedger is what the ledger knows of a table's structure.
func fromLedger(was *cataloguev1.Table, name connect.TableName) connect.Table {
	t := connect.Table{TableName: name, View: was.GetKind() == cataloguev1.TableKind_TABLE_KIND_VIEW}
	for i, c := range was.GetColumns() {
		col := connect.Column{Name: c.GetName(), Type: c.GetPhysicalType(), Nullable: c.GetNullable(), Position: i + 1, Comment: c.GetComment()}
		_ = col.Kind.UnmarshalText([]byte(c.GetType())) // another kind is a change, and shown as one
		if c.GetPrimaryKey() {
			t.PrimaryKey = append(t.PrimaryKey, c.GetName())
		}
		t.Columns = append(t.Columns, col)
	}
	return t
}

func (g *Gateway) tableMessage(s *source, t connect.Table) *cataloguev1.Table {
	m := &cataloguev1.Table{
		Id: g.TableID(s.cfg.Name, t.TableName), Org: g.org, Gateway: g.cfg.Account, Kind: cataloguev1.TableKind_TABLE_KIND_TABLE,
		Source: s.cfg.Name, Name: t.TableName.String(), Columns: columnMessages(t), SchemaHash: schemaHash(t),
	}
	if t.View {
		m.Kind = cataloguev1.TableKind_TABLE_KIND_VIEW
	}
	return m
}

func columnMessages(t connect.Table) []*cataloguev1.Column {
	key := map[string]bool{}
	for _, k := range t.PrimaryKey {
		key[k] = true
	}
	var out []*cataloguev1.Column
	for _, c := range t.Columns {
		out = append(out, &cataloguev1.Column{
			Name: c.Name, Type: c.Kind.String(), PhysicalType: short(line(c.Type), maxTypeName), Nullable: c.Nullable, PrimaryKey: key[c.Name],
			Comment: short(c.Comment, maxComment),
		})
	}
	return out
}

// schemaHash is the SM3 of the table's canonical document.
func schemaHash(t connect.Table) []byte {
	b, err := hex.DecodeString(t.Hash())
	if err != nil {
		panic(fmt.Sprintf("gateway: the hash of a schema is no hex: %v", err)) // of our own making
	}
	return b
}

// noTable stands for the structure of a table that is gone.
func noTable() []byte {
	sum := sm.SM3(nil)
	return sum[:]
}

func short(s string, characters int) string {
	if utf8.RuneCountInString(s) <= characters {
		return s
	}
	return string([]rune(s)[:characters])
}

func line(s string) string { return strings.Join(strings.Fields(s), " ") }
