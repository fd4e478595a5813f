package connecttest

import (
	"cmp"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"mulian/gateway/connect"
	"mulian/gateway/drift"
)

func testInspect(t *testing.T, db Database) {
	url := db.New(t)
	source := Source(t, url)
	empty, err := source.Inspect(t.Context())
	if err != nil || len(empty.Tables) != 0 {
		t.Fatalf("empty database: %v, %v", empty, err)
	}
	db.Exec(t, url, db.DDL["setup"]...)
	first, err := source.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if first.Hash() == empty.Hash() {
		t.Error("the hash does not see new tables")
	}
	db.Exec(t, url, cmp.Or(db.Insert, "INSERT INTO firm (code) VALUES ('91110108A')"))
	second, err := Source(t, url).Inspect(t.Context())
	if err != nil || first.Hash() != second.Hash() {
		t.Errorf("another connection, one more row: %v\n%s", err, gocmp.Diff(first, second))
	}
	var got []string
	for _, table := range first.Tables {
		got = append(got, table.Name)
	}
	want := []string{"extra", "firm", "firm_view"}
	if db.NoViews {
		want = want[:2]
	}
	if !slices.Equal(got, want) {
		t.Fatalf("tables %v, want %v", got, want)
	}
	firm := first.Tables[1]
	if !slices.Equal(firm.PrimaryKey, []string{"code"}) || !slices.Equal(Names(firm.Columns), []string{"code", "name", "opened", "n"}) {
		t.Errorf("firm: %+v", firm)
	}
	if c := firm.Columns[0]; c.Nullable || c.Kind != connect.Text || c.Position != 1 {
		t.Errorf("firm.code: %+v", c)
	}
	view := firm
	if !db.NoViews {
		view = first.Tables[2]
	}
	if view.View == db.NoViews || !db.NoViews && !slices.Equal(Names(view.Columns), []string{"code", "n"}) {
		t.Errorf("firm_view: %+v", view)
	}
	rows := All(t, source, connect.Selection{Table: view.TableName, Columns: []string{"code"}, OrderBy: []string{"code"}})
	if diff := Diff([]connect.Row{R("text 91110108A")}, rows); diff != "" {
		t.Errorf("a view is read like a table: %s", diff)
	}
}

// wantDrift is what each change of Database.DDL must be called, on every database.
var wantDrift = map[string][]drift.Change{
	"rename": {
		{Kind: drift.ColumnDropped, Class: drift.Breaking, Columns: []string{"name"}, Question: drift.RenameCandidate, Candidate: "title"},
		{Kind: drift.ColumnAdded, Class: drift.Compatible, Columns: []string{"title"}},
	},
	"widen":         {{Kind: drift.TypeWidened, Class: drift.Review, Columns: []string{"name"}}},
	"narrow":        {{Kind: drift.TypeNarrowed, Class: drift.Breaking, Columns: []string{"name"}}},
	"type":          {{Kind: drift.TypeChanged, Class: drift.Breaking, Columns: []string{"n"}}},
	"drop column":   {{Kind: drift.ColumnDropped, Class: drift.Breaking, Columns: []string{"opened"}}},
	"drop table":    {{Kind: drift.TableDropped, Class: drift.Breaking, Columns: []string{"a"}}},
	"rename table":  {{Kind: drift.TableDropped, Class: drift.Breaking, Columns: []string{"a"}, Question: drift.RenameCandidate}, {Kind: drift.TableAdded, Class: drift.Compatible}},
	"add table":     {{Kind: drift.TableAdded, Class: drift.Compatible}},
	"add nullable":  {{Kind: drift.ColumnAdded, Class: drift.Compatible, Columns: []string{"phone"}}},
	"add not null":  {{Kind: drift.ColumnAdded, Class: drift.Review, Columns: []string{"phone"}}},
	"set not null":  {{Kind: drift.NotNullSet, Class: drift.Breaking, Columns: []string{"name"}}},
	"drop not null": {{Kind: drift.NotNullDropped, Class: drift.Review, Columns: []string{"a"}}},
	"comment": {
		{Kind: drift.TableComment, Class: drift.Compatible},
		{Kind: drift.ColumnComment, Class: drift.Compatible, Columns: []string{"name"}},
	},
	"index":   {{Kind: drift.IndexChanged, Class: drift.Compatible, Columns: []string{"name"}}},
	"unique":  {{Kind: drift.KeyChanged, Class: drift.Review, Columns: []string{"name"}}},
	"key":     {{Kind: drift.KeyChanged, Class: drift.Review, Columns: []string{"code"}}},
	"default": {{Kind: drift.DefaultChanged, Class: drift.Compatible, Columns: []string{"n"}}},
	"nothing": nil,
}

func testDrift(t *testing.T, db Database) {
	for name := range db.DDL {
		if _, ok := wantDrift[name]; !ok && name != "setup" {
			t.Errorf("no expectation for the change %q", name)
		}
	}
	for name, want := range wantDrift {
		statements, ok := db.DDL[name]
		if !ok && name != "nothing" {
			continue
		}
		url := db.New(t)
		db.Exec(t, url, db.DDL["setup"]...)
		source := Source(t, url)
		before, err := source.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		db.Exec(t, url, statements...)
		after, err := source.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := drift.CompareSchemas(before, after)
		if (before.Hash() == after.Hash()) != (len(got) == 0) {
			t.Errorf("%s: %d changes, hashes equal: %v", name, len(got), before.Hash() == after.Hash())
		}
		// The view follows its table in some databases.
		got = slices.DeleteFunc(got, func(c drift.Change) bool { return c.Table.Name == "firm_view" })
		for i := range got {
			got[i].Table, got[i].Was, got[i].Is = connect.TableName{}, "", ""
			if got[i].Kind == drift.TableDropped {
				got[i].Candidate = ""
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" && len(want)+len(got) > 0 {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
