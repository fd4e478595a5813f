package drift

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mulian/gateway/connect"
)

// TestTypeChanges: which change of a type is which, by the words of both databases. What DDL
// does to a whole table is in connect/connecttest, on real databases.
func TestTypeChanges(t *testing.T) {
	for _, tt := range []struct {
		kind    connect.Kind
		was, is string
		want    Kind
	}{
		{connect.Text, "varchar(18)", "varchar(20)", TypeWidened},
		{connect.Text, "character varying(18)", "character varying(17)", TypeNarrowed},
		{connect.Text, "character varying(18)", "text", TypeWidened},
		{connect.Text, "character varying(18)", "character varying", TypeWidened},
		{connect.Text, "text", "character varying(18)", TypeNarrowed},
		{connect.Text, "character(4)", "character varying(4)", TypeWidened},
		{connect.Text, "character(4)", "character varying(3)", TypeNarrowed},
		{connect.Text, "VARCHAR( 18 )", "varchar(18)", TypeRespelled},
		{connect.Text, "varchar(18)", "character varying(18)", TypeRespelled},
		{connect.Text, "uuid", "text", TypeChanged},
		{connect.Text, "state", "kind", TypeChanged},
		{connect.Text, "integer[]", "bigint[]", TypeChanged},
		{connect.Integer, "integer", "bigint", TypeWidened},
		{connect.Integer, "bigint", "integer", TypeNarrowed},
		{connect.Integer, "INT", "integer", TypeRespelled},
		{connect.Decimal, "numeric(10,2)", "numeric(12,2)", TypeWidened},
		{connect.Decimal, "numeric(10,2)", "numeric(10,4)", TypeNarrowed}, // two digits less before the point
		{connect.Decimal, "numeric(10,2)", "numeric(12,4)", TypeWidened},
		{connect.Decimal, "numeric(10,2)", "numeric", TypeWidened},
		{connect.Decimal, "numeric", "numeric(38,10)", TypeNarrowed},
		{connect.Decimal, "numeric(10)", "numeric(10,0)", TypeRespelled},
		{connect.Decimal, "numeric(5,-2)", "numeric(5,-3)", TypeNarrowed},
		{connect.Float, "real", "double precision", TypeWidened},
		{connect.Float, "double precision", "real", TypeNarrowed},
		{connect.Timestamp, "timestamp(3) without time zone", "timestamp without time zone", TypeWidened},
		{connect.Timestamp, "timestamp without time zone", "timestamp(0) without time zone", TypeNarrowed},
		{connect.Bytes, "varbinary(10)", "blob", TypeWidened},
	} {
		class := map[Kind]Class{TypeRespelled: Compatible, TypeWidened: Review, TypeNarrowed: Breaking, TypeChanged: Breaking}[tt.want]
		column := func(text string) connect.Column { return connect.Column{Name: "c", Kind: tt.kind, Type: text} }
		if kind, got := compareTypes(column(tt.was), column(tt.is)); kind != tt.want || got != class {
			t.Errorf("%s to %s: %s, %s, want %s, %s", tt.was, tt.is, kind, got, tt.want, class)
		}
	}
	if kind, class := compareTypes(connect.Column{Kind: connect.Integer, Type: "integer"}, connect.Column{Kind: connect.Decimal, Type: "numeric"}); kind != TypeChanged || class != Breaking {
		t.Errorf("another kind: %s, %s", kind, class)
	}
}

// TestRenameIsAskedOnlyWhereItCanBe: same kind and type, between the same neighbours.
func TestRenameIsAskedOnlyWhereItCanBe(t *testing.T) {
	table := func(pairs ...string) connect.Table {
		out := connect.Table{TableName: connect.TableName{Name: "t"}}
		for i := 0; i < len(pairs); i += 2 {
			out.Columns = append(out.Columns, connect.Column{Name: pairs[i], Kind: connect.Text, Type: pairs[i+1], Nullable: true, Position: i/2 + 1})
		}
		return out
	}
	before := table("a", "text", "b", "text", "c", "uuid")
	for name, tt := range map[string]struct {
		after connect.Table
		want  map[string]string
	}{
		"renamed":                  {table("a", "text", "x", "text", "c", "uuid"), map[string]string{"b": "x"}},
		"two renamed":              {table("x", "text", "y", "text", "c", "uuid"), map[string]string{"a": "x", "b": "y"}},
		"another type":             {table("a", "text", "x", "uuid", "c", "uuid"), map[string]string{}},
		"at another place":         {table("a", "text", "c", "uuid", "x", "text"), map[string]string{}},
		"last one, dropped, added": {table("a", "text", "b", "text", "x", "uuid"), map[string]string{"c": "x"}},
		"renamed, one more":        {table("a", "text", "x", "text", "new", "text", "c", "uuid"), map[string]string{"b": "x"}},
		"only dropped":             {table("a", "text", "c", "uuid"), map[string]string{}},
	} {
		got := map[string]string{}
		for _, c := range Compare(before, tt.after) {
			if c.Question == RenameCandidate {
				got[c.Columns[0]] = c.Candidate
				if c.Class != Breaking {
					t.Errorf("%s: a rename that nobody confirmed is %s", name, c.Class)
				}
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func genSchema() *rapid.Generator[*connect.Schema] {
	word := rapid.SampledFrom([]string{"a", "b", "c", "d"})
	return rapid.Custom(func(t *rapid.T) *connect.Schema {
		s := &connect.Schema{}
		for _, name := range rapid.SliceOfNDistinct(word, 0, 3, rapid.ID[string]).Draw(t, "tables") {
			table := connect.Table{TableName: connect.TableName{Name: name}, View: rapid.Bool().Draw(t, "view"), Comment: rapid.SampledFrom([]string{"", "x"}).Draw(t, "comment")}
			for i, col := range rapid.SliceOfNDistinct(word, 0, 4, rapid.ID[string]).Draw(t, "columns") {
				table.Columns = append(table.Columns, connect.Column{
					Name: col, Kind: rapid.SampledFrom([]connect.Kind{connect.Text, connect.Integer}).Draw(t, "kind"),
					Type: rapid.SampledFrom([]string{"text", "varchar(1)", "VARCHAR(1)", "(", ""}).Draw(t, "type"), Nullable: rapid.Bool().Draw(t, "nullable"),
					HasDefault: rapid.Bool().Draw(t, "default"), Position: i + 1, Comment: rapid.SampledFrom([]string{"", "y"}).Draw(t, "columnComment"),
				})
			}
			table.PrimaryKey = rapid.SliceOfN(word, 0, 2).Draw(t, "key")
			for _, ix := range rapid.SliceOfNDistinct(word, 0, 2, rapid.ID[string]).Draw(t, "indexes") {
				table.Indexes = append(table.Indexes, connect.Index{Name: ix, Unique: rapid.Bool().Draw(t, "unique"), Partial: rapid.Bool().Draw(t, "partial"), Columns: rapid.SliceOfN(word, 1, 2).Draw(t, "of")})
			}
			s.Tables = append(s.Tables, table)
		}
		s.Normalise()
		return s
	})
}

// TestNoSilentDriftAndNoNoise: the hash differs exactly if there is a change.
func TestNoSilentDriftAndNoNoise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genSchema().Draw(t, "before"), genSchema().Draw(t, "after")
		if rapid.Bool().Draw(t, "near") { // random pairs are far apart: change one thing
			text, _ := json.Marshal(a)
			b = &connect.Schema{}
			if err := json.Unmarshal(text, b); err != nil {
				t.Fatal(err)
			}
			if n := len(b.Tables); n > 0 && len(b.Tables[n-1].Columns) > 0 {
				c := &b.Tables[n-1].Columns[0]
				switch rapid.IntRange(0, 4).Draw(t, "what") {
				case 0:
					c.Type += "x"
				case 1:
					c.Nullable = !c.Nullable
				case 2:
					c.Position = 9
				case 3:
					b.Tables[n-1].PrimaryKey = append(b.Tables[n-1].PrimaryKey, "z")
				}
			}
		}
		changes := CompareSchemas(a, b)
		if (a.Hash() == b.Hash()) != (len(changes) == 0) {
			t.Fatalf("hashes equal: %v, changes %v", a.Hash() == b.Hash(), changes)
		}
		for _, c := range changes {
			if c.Class < Compatible || c.Class > Breaking || c.Kind == 0 || c.Class > Worst(changes) {
				t.Fatalf("change without class or kind: %+v", c)
			}
		}
		again, err := json.Marshal(CompareSchemas(a, b))
		first, err2 := json.Marshal(changes)
		if err != nil || err2 != nil || string(again) != string(first) {
			t.Fatalf("two comparisons differ: %v %v", err, err2)
		}
	})
}

func TestLateness(t *testing.T) {
	now := time.Date(2024, 1, 10, 4, 0, 0, 0, time.UTC) // noon in Beijing
	daily := FreshnessRule{Cycle: 24 * time.Hour}
	for _, tt := range []struct {
		value connect.Value
		rule  FreshnessRule
		want  string
	}{
		{connect.Value{}, daily, "0s false <nil>"},
		{connect.Value{Kind: connect.Date, Text: "2024-01-08"}, daily, "36h0m0s false <nil>"},
		{connect.Value{Kind: connect.Date, Text: "2024-01-07"}, daily, "60h0m0s true <nil>"},
		{connect.Value{Kind: connect.Date, Text: "2024-01-08"}, FreshnessRule{Cycle: 24 * time.Hour, Tolerance: 100}, "36h0m0s true <nil>"},
		{connect.Value{Kind: connect.Timestamp, Text: "2024-01-10T11:00:00"}, daily, "1h0m0s false <nil>"},
		{connect.Value{Kind: connect.Instant, Text: "2024-01-08T11:00:00Z"}, daily, "41h0m0s true <nil>"},
		{connect.Value{Kind: connect.Text, Text: "2024-01-10 11:00:00"}, daily, "1h0m0s false <nil>"},
		{connect.Value{Kind: connect.Date, Text: "2024-02-01"}, daily, "0s false <nil>"}, // the future is not late
		{connect.Value{Kind: connect.Date, Text: "infinity"}, daily, "0s false watermark of kind date is no time"},
		{connect.Value{Kind: connect.Integer, Text: "7"}, daily, "0s false watermark of kind integer is no time"},
		{connect.Value{Kind: connect.Text, Text: "昨天"}, daily, "0s false watermark of kind text is no time"},
	} {
		age, late, err := tt.rule.Lateness(tt.value, now)
		if got := fmt.Sprint(age, late, err); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.value.Text, got, tt.want)
		}
	}
}

// TestNamesAreStable: they are on the chain.
func TestNamesAreStable(t *testing.T) {
	text, err := json.Marshal(Event{ID: "x", Kind: Drifted, Class: Breaking, Changes: []Change{{Kind: ColumnDropped, Class: Breaking, Table: connect.TableName{Schema: "public", Name: "t"}, Columns: []string{"a"}, Question: RenameCandidate, Candidate: "b"}}})
	want := `{"id":"x","kind":"drifted","at":"0001-01-01T00:00:00Z","class":"breaking","changes":[{"kind":"column_dropped","class":"breaking",` +
		`"table":{"schema":"public","name":"t"},"columns":["a"],"question":"rename_candidate","candidate":"b"}]}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v\nwant %s", text, err, want)
	}
	for k := TableAdded; k <= IndexChanged; k++ {
		text, err := k.MarshalText()
		var back Kind
		if err != nil || back.UnmarshalText(text) != nil || back != k {
			t.Errorf("%v does not come back from %s", k, text)
		}
	}
}

// FuzzTypes: however a database spells types, each is its own equal, what loses nothing one
// way and the other way is equal, and a type that only becomes wider becomes narrower on the
// way back.
func FuzzTypes(f *testing.F) {
	f.Add("varchar(40)", "character varying(20)")
	f.Add("numeric(12,-2)", "decimal")
	f.Add("timestamp(3) without time zone", "int unsigned")
	f.Fuzz(func(t *testing.T, a, b string) {
		column := func(text string) connect.Column { return connect.Column{Kind: connect.Text, Type: text} }
		if kind, class := compareTypes(column(a), column(a)); kind != TypeRespelled || class != Compatible {
			t.Fatalf("%q is not itself: %v, %v", a, kind, class)
		}
		there, is := compareTypes(column(a), column(b))
		back, was := compareTypes(column(b), column(a))
		if (is == Compatible) != (was == Compatible) {
			t.Fatalf("%q and %q: %v one way, %v the other", a, b, is, was)
		}
		fixed := parseType(a).fixed != parseType(b).fixed
		if there == TypeWidened && back != TypeNarrowed && !fixed {
			t.Fatalf("%q becomes %q: %v, and back: %v", a, b, there, back)
		}
	})
}
