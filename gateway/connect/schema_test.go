package connect

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func sample() Schema {
	return Schema{Tables: []Table{
		{TableName: TableName{Name: "b"}, View: true, Columns: []Column{{Name: "x", Kind: Text, Type: "text", Nullable: true, Position: 1}}},
		{
			TableName: TableName{Name: "a"}, Comment: "<企业>", PrimaryKey: []string{"id"},
			Columns: []Column{{Name: "name", Kind: Text, Type: "varchar(18)", Position: 2}, {Name: "id", Kind: Integer, Type: "bigint", Position: 1}},
			Indexes: []Index{{Name: "z", Columns: []string{"name"}}, {Name: "k", Unique: true, Columns: []string{"name"}}},
		},
	}}
}

// TestGoldenSchema holds the canonical bytes and the hash: catalogue entries on
// chain depend on them. The hash was computed with another SM3 (openssl dgst -sm3).
func TestGoldenSchema(t *testing.T) {
	s := sample()
	const want = `{"tables":[{"name":"a","comment":"<企业>","columns":[{"name":"id","kind":"integer","type":"bigint","position":1},` +
		`{"name":"name","kind":"text","type":"varchar(18)","position":2}],"primaryKey":["id"],` +
		`"indexes":[{"name":"k","unique":true,"columns":["name"]},{"name":"z","columns":["name"]}]},` +
		`{"name":"b","view":true,"columns":[{"name":"x","kind":"text","type":"text","nullable":true,"position":1}]}]}`
	if got := string(s.Canonical()); got != want {
		t.Errorf("canonical bytes\n%s\nwant\n%s", got, want)
	}
	if got, want := s.Hash(), "a1e7bdec642da33be5d8ca9078c1eb38fa10315f82bd9fd37f2ad4d87ae9df7b"; got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
}

func TestHashSeesStructureOnly(t *testing.T) {
	s, shuffled := sample(), sample()
	slices.Reverse(shuffled.Tables)
	slices.Reverse(shuffled.Tables[0].Columns)
	slices.Reverse(shuffled.Tables[0].Indexes)
	if s.Hash() != shuffled.Hash() {
		t.Error("hash depends on the order of reading")
	}
	if s.Tables[0].Name != "b" {
		t.Error("Hash sorted the caller's document")
	}
	var back Schema
	if err := json.Unmarshal(s.Canonical(), &back); err != nil || back.Hash() != s.Hash() {
		t.Errorf("document does not survive JSON: %v", err)
	}
	for name, change := range map[string]func(*Table){
		"type":    func(t *Table) { t.Columns[0].Type = "varchar(20)" },
		"null":    func(t *Table) { t.Columns[0].Nullable = true },
		"key":     func(t *Table) { t.PrimaryKey = nil },
		"unique":  func(t *Table) { t.Indexes[0].Unique = true },
		"comment": func(t *Table) { t.Columns[0].Comment = "x" },
	} {
		other := sample()
		before := other.Tables[1].Hash()
		change(&other.Tables[1])
		if other.Hash() == s.Hash() || other.Tables[1].Hash() == before {
			t.Errorf("hash does not see a change of %s", name)
		}
	}
}

func TestSchemaFromOutsideIsBounded(t *testing.T) {
	for name, change := range map[string]func(*Schema){
		"two tables of one name":  func(s *Schema) { s.Tables[0].Name = "a" },
		"two columns of one name": func(s *Schema) { s.Tables[1].Columns[0].Name = "id" },
		"no kind":                 func(s *Schema) { s.Tables[1].Columns[0].Kind = 0 },
		"empty name":              func(s *Schema) { s.Tables[1].Columns[0].Name = "" },
		"NUL in a name":           func(s *Schema) { s.Tables[1].Columns[0].Name = "a\x00" },
		"long name":               func(s *Schema) { s.Tables[1].Name = strings.Repeat("a", MaxNameBytes+1) },
		"wide table":              func(s *Schema) { s.Tables[1].Columns = make([]Column, MaxColumns+1) },
		"many tables":             func(s *Schema) { s.Tables = make([]Table, MaxTables+1) },
	} {
		s := sample()
		change(&s)
		if err := s.Check(); !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: Check = %v", name, err)
		}
	}
	long := sample()
	long.Tables[0].Comment = strings.Repeat("企", MaxCommentBytes)
	long.Normalise()
	if c := long.Tables[1].Comment; len(c) > MaxCommentBytes || !strings.HasPrefix(strings.Repeat("企", MaxCommentBytes), c) {
		t.Errorf("comment of %d bytes", len(c))
	}
}

func TestPasswordInURLIsRefusedAndNotRepeated(t *testing.T) {
	Register(Driver{}, "known")
	for _, url := range []string{"known://u:geheim@h/d", "known://u@h/d?password=geheim", "unknown://u:geheim@h", "geheim"} {
		_, err := Open(t.Context(), url)
		if !errors.Is(err, ErrInvalid) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("Open = %v", err)
		}
	}
}
