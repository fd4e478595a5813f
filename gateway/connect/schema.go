package connect

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"mulian/internal/sm"
)

// A Schema describes all tables and views of a database that an account may
// read. Its canonical bytes depend on the structure alone: not on the time, the
// server's version, the rows or the order in which the catalogue was read.
type Schema struct {
	Tables []Table `json:"tables"` // sorted by schema and name
	// Unread are tables that are there, and of which nothing can be said now. They are no
	// part of the canonical bytes: a table that cannot be read has not changed.
	Unread []Unread `json:"unread,omitempty"`
}

// Unread is a table that cannot be read, or a file that holds some, while the others of
// the source can.
type Unread struct {
	Name   TableName `json:"name"`
	Reason string    `json:"reason"`
}

// Holds tells whether the table is in what cannot be read: it is that, or a sheet of it.
func (u Unread) Holds(n TableName) bool {
	return n == u.Name || n.Schema == u.Name.Schema && strings.HasPrefix(n.Name, u.Name.Name+"!")
}

// Hidden tells why a table cannot be read that is there; "" if it can, or is not there.
func (s *Schema) Hidden(n TableName) string {
	for _, u := range s.Unread {
		if u.Holds(n) {
			return u.Reason
		}
	}
	return ""
}

// A Table describes one table or view.
type Table struct {
	TableName
	View       bool     `json:"view,omitempty"`
	Comment    string   `json:"comment,omitempty"`
	Columns    []Column `json:"columns"`              // by position
	PrimaryKey []string `json:"primaryKey,omitempty"` // in key order
	Indexes    []Index  `json:"indexes,omitempty"`    // sorted by name; without the primary key's own
}

// A Column describes one column.
type Column struct {
	Name       string `json:"name"`
	Kind       Kind   `json:"kind"`
	Type       string `json:"type"` // as the database prints it: "character varying(18)", "varchar(18)"
	Nullable   bool   `json:"nullable,omitempty"`
	HasDefault bool   `json:"hasDefault,omitempty"`
	Position   int    `json:"position"` // from 1, without gaps
	Comment    string `json:"comment,omitempty"`
}

// An Index is a secondary index or unique constraint.
type Index struct {
	Name    string   `json:"name"`
	Unique  bool     `json:"unique,omitempty"`
	Columns []string `json:"columns"` // in order; an expression counts as "(expression)"
	Partial bool     `json:"partial,omitempty"`
}

// Column returns the column of that name.
func (t *Table) Column(name string) (Column, bool) {
	for _, c := range t.Columns {
		if c.Name == name {
			return c, true
		}
	}
	return Column{}, false
}

// Table returns the table of that name.
func (s *Schema) Table(n TableName) (Table, bool) {
	for _, t := range s.Tables {
		if t.TableName == n {
			return t, true
		}
	}
	return Table{}, false
}

// Hash is the SM3 of the table's canonical bytes, in hex: what the catalogue
// pins as 库表 "canonical schema hash".
func (t *Table) Hash() string {
	norm := Schema{Tables: []Table{*t}}
	norm.Normalise()
	return hashJSON(norm.Tables[0])
}

// Hash is the SM3 of the whole document's canonical bytes, in hex.
func (s *Schema) Hash() string {
	sum := sm.SM3(s.Canonical())
	return hex.EncodeToString(sum[:])
}

// Canonical returns the document's canonical bytes: JSON without white space,
// fields in the order of the types above, absent where zero, lists sorted as
// documented, no HTML escaping.
func (s *Schema) Canonical() []byte {
	norm := Schema{Tables: slices.Clone(s.Tables)}
	norm.Normalise()
	return canonicalJSON(norm)
}

// Normalise sorts what has no order of its own and cuts comments to their
// bound. Drivers call it before they return a Schema.
func (s *Schema) Normalise() {
	if s.Tables == nil {
		s.Tables = []Table{}
	}
	slices.SortFunc(s.Tables, func(a, b Table) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Name, b.Name))
	})
	for i := range s.Tables {
		t := &s.Tables[i]
		t.Comment = cut(t.Comment)
		t.Columns = slices.Clone(t.Columns)
		slices.SortFunc(t.Columns, func(a, b Column) int { return cmp.Compare(a.Position, b.Position) })
		for j := range t.Columns {
			t.Columns[j].Comment = cut(t.Columns[j].Comment)
		}
		t.Indexes = slices.Clone(t.Indexes)
		slices.SortFunc(t.Indexes, func(a, b Index) int { return cmp.Compare(a.Name, b.Name) })
	}
}

// Check tells whether a document that came from outside keeps the bounds of
// limits.go and names nothing twice.
func (s *Schema) Check() error {
	if len(s.Tables) > MaxTables {
		return fmt.Errorf("%w: %d tables, at most %d", ErrTooLarge, len(s.Tables), MaxTables)
	}
	seen := map[TableName]bool{}
	for i := range s.Tables {
		t := &s.Tables[i]
		if seen[t.TableName] {
			return fmt.Errorf("%w: table %s twice", ErrInvalid, t.TableName)
		}
		seen[t.TableName] = true
		if err := t.check(); err != nil {
			return err
		}
	}
	return nil
}

func (t *Table) check() error {
	if len(t.Columns) > MaxColumns {
		return fmt.Errorf("%w: table %s has %d columns, at most %d", ErrTooLarge, t.TableName, len(t.Columns), MaxColumns)
	}
	if err := checkName(t.Name); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, c := range t.Columns {
		if err := checkName(c.Name); err != nil {
			return fmt.Errorf("table %s: %w", t.TableName, err)
		}
		if seen[c.Name] {
			return fmt.Errorf("%w: table %s, column %q twice", ErrInvalid, t.TableName, c.Name)
		}
		seen[c.Name] = true
		if !c.Kind.valid() {
			return fmt.Errorf("%w: table %s, column %q has no kind", ErrInvalid, t.TableName, c.Name)
		}
	}
	return nil
}

func checkName(name string) error {
	if name == "" || len(name) > MaxNameBytes || !utf8.ValidString(name) || strings.IndexByte(name, 0) >= 0 {
		return fmt.Errorf("%w: name %.40q (1 to %d bytes of UTF-8 without NUL)", ErrInvalid, name, MaxNameBytes)
	}
	return nil
}

func cut(s string) string {
	if len(s) <= MaxCommentBytes {
		return s
	}
	return strings.ToValidUTF8(s[:MaxCommentBytes], "")
}

func canonicalJSON(v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // strings, numbers and bools always encode
	}
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}

func hashJSON(v any) string {
	sum := sm.SM3(canonicalJSON(v))
	return hex.EncodeToString(sum[:])
}
