package catalogue

import (
	"bytes"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
	"mulian/rules/act"
	"mulian/rules/identity"
	"mulian/state"
)

// PutTables records what a gateway sees. Signed by the gateway itself, MACHINE, or
// by its organisation, OFFICER. All or nothing.
//
// A report by the gateway moves seen_ms; a report without anything else new is no
// event. Rows, watermark and system may always change. The schema (columns, hash,
// kind, gone) may change this way only while nobody relies on it: EntryDrifted if a
// drift of the table is open, LockHeld if a locked entry lies on it, ItemUnmapped if
// an entry maps a column that is no longer there. The gateway then sends
// [ReportDrift].
//
// In this order, element by element: Empty, TooLong (the list), Malformed, TooLong
// (id), Forbidden, NotFound, CodeInconsistent (gateway), fields, NotFound (system),
// AlreadyExists (the id is that of another source and name), EntryDrifted, LockHeld, ItemUnmapped.
func PutTables(a *act.Act, m *cataloguev1.PutTables) error {
	const rule = "catalogue/put_tables"
	if err := act.Count(rule, len(m.GetTables()), MaxTables); err != nil {
		return err
	}
	for i, t := range m.GetTables() {
		if err := act.In(rule, i, putTable(a, rule, t)); err != nil {
			return err
		}
	}
	return nil
}

func putTable(a *act.Act, rule string, t *cataloguev1.Table) error {
	if err := checkTable(a, rule, t); err != nil {
		return err
	}
	next := proto.CloneOf(t)
	next.Version, next.SeenMs = 1, a.TimeMs
	was, ok := tables.Get(a.Tx, t.Id)
	if !ok {
		tables.Put(a.Tx, t.Id, next)
		a.Emit(rule, note(next.Version), tableKey(t.Id))
		return nil
	}
	if was.Source != next.Source || was.Name != next.Name {
		// "a.b" and "c" make the id that "a" and "b.c" make.
		return act.Refuse(fault.AlreadyExists, rule, "table %s is %q of source %q", t.Id, was.Name, was.Source)
	}
	next.Version = was.Version
	if a.Signer() != t.Gateway {
		next.SeenMs = was.SeenMs // what an officer types is not what the gateway saw
	}
	if !sameSchema(was, next) {
		if err := mayReplace(a.Tx, rule, next); err != nil {
			return err
		}
		next.Version++
	}
	tables.Put(a.Tx, t.Id, next)
	was.SeenMs, was.RowsEstimate = next.SeenMs, next.RowsEstimate
	if !proto.Equal(was, next) {
		a.Emit(rule, note(next.Version), tableKey(t.Id))
	}
	return nil
}

func checkTable(a *act.Act, rule string, t *cataloguev1.Table) error {
	if err := checkID(rule, t.GetId(), t.GetGateway(), maxTableIDBytes); err != nil {
		return err
	}
	if t.Id != t.Gateway+":"+t.Source+"."+t.Name {
		return act.Refuse(fault.Malformed, rule, "table %s is not gateway, source %q and name %q", t.Id, t.Source, t.Name)
	}
	if a.Signer() == t.Gateway {
		if err := a.Need(machine); err != nil {
			return err
		}
	} else if err := a.NeedOrg(t.Org, officer); err != nil {
		return err
	}
	g, ok := identity.Gateway(a.Tx, t.Gateway)
	switch {
	case !ok:
		return act.Refuse(fault.NotFound, rule, "gateway %s is not on board", t.Gateway)
	case g.GetOrg() != t.Org:
		return act.Refuse(fault.CodeInconsistent, rule, "gateway %s belongs to %s, not to %q", t.Gateway, g.GetOrg(), t.Org)
	}
	err := act.First(
		act.Line(rule, "source", t.Source, maxSourceName, true),
		act.Line(rule, "name", t.Name, maxName, true),
		act.Listed(rule, "kind", t.Kind),
		checkColumns(rule, t.Columns),
		act.Hash(rule, "schema_hash", t.SchemaHash, true),
	)
	switch {
	case err != nil:
		return err
	case proto.Size(t) > MaxTableBytes:
		return act.Refuse(fault.TooLong, rule, "table %s: %d bytes, at most %d", t.Id, proto.Size(t), MaxTableBytes)
	case t.RowsEstimate < 0:
		return act.Refuse(fault.OutOfRange, rule, "table %s: %d rows", t.Id, t.RowsEstimate)
	case t.WatermarkColumn != "" && !hasColumn(t.Columns, t.WatermarkColumn):
		return act.Refuse(fault.CodeInconsistent, rule, "table %s: its watermark %.80q is no column of it", t.Id, t.WatermarkColumn)
	case t.System != "" && !systems.Has(a.Tx, t.System):
		return act.Refuse(fault.NotFound, rule, "table %s: there is no system %.80q", t.Id, t.System)
	}
	return nil
}

func checkColumns(rule string, columns []*cataloguev1.Column) error {
	if err := act.AtMost(rule, "columns", len(columns), MaxColumns); err != nil {
		return err
	}
	names := make(map[string]bool, len(columns))
	for _, c := range columns {
		err := act.First(
			act.Line(rule, "column name", c.Name, maxColumnName, true),
			act.Line(rule, "column type", c.Type, maxTypeName, false),
			act.Line(rule, "physical type", c.PhysicalType, maxTypeName, false),
			act.Text(rule, "column comment", c.Comment, maxComment, false),
		)
		if err != nil {
			return err
		}
		if names[c.Name] {
			return act.Refuse(fault.Duplicate, rule, "column %q stands twice", c.Name)
		}
		names[c.Name] = true
	}
	return nil
}

// mayReplace refuses a schema that would change under somebody who relies on it.
func mayReplace(v state.View, rule string, next *cataloguev1.Table) error {
	if len(openDrifts(v, next.Id)) > 0 {
		return act.Refuse(fault.EntryDrifted, rule, "table %s has a drift that is not settled", next.Id)
	}
	var unmapped error
	for _, id := range entriesOf(v, next.Id) {
		e, _ := entries.Get(v, id)
		if e.GetLock() != nil {
			return act.Refuse(fault.LockHeld, rule, "table %s: entry %s is locked on its schema; report a drift", next.Id, id)
		}
		for _, it := range e.GetItems() {
			if unmapped == nil && it.Column != "" && (next.Gone || !hasColumn(next.Columns, it.Column)) {
				unmapped = act.Refuse(fault.ItemUnmapped, rule, "table %s: item %s of entry %s lies on column %q, which is gone; report a drift", next.Id, it.Code, id, it.Column)
			}
		}
	}
	return unmapped
}

// sameSchema reports whether two reports of a table say the same about its shape.
func sameSchema(x, y *cataloguev1.Table) bool {
	return bytes.Equal(x.SchemaHash, y.SchemaHash) && x.Kind == y.Kind && x.Gone == y.Gone &&
		slices.EqualFunc(x.Columns, y.Columns, func(c, d *cataloguev1.Column) bool { return proto.Equal(c, d) })
}

func hasColumn(columns []*cataloguev1.Column, name string) bool {
	return slices.ContainsFunc(columns, func(c *cataloguev1.Column) bool { return c.Name == name })
}

// entriesOf returns the ids of the entries on a table, ascending, at most
// MaxEntriesOfTable.
func entriesOf(v state.View, table string) []string {
	var ids []string
	tableIndex.Range(v, table+"\x00", "", func(k, _ string) bool {
		_, id, _ := strings.Cut(k, "\x00")
		ids = append(ids, id)
		return true
	})
	return ids
}
