package city

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mulian/city/content"
	"mulian/gateway/connect"
	"mulian/internal/code"
)

// digest is over all rows of a table in the order of their keys.
func digest(t *testing.T, path, table string) (sum [32]byte, rows int) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	list, err := db.Query("SELECT * FROM " + table + " ORDER BY 1, 2")
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	columns, err := list.Columns()
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for list.Next() {
		if err := list.Scan(into...); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(h, values...)
		rows++
	}
	if err := list.Err(); err != nil {
		t.Fatal(err)
	}
	return [32]byte(h.Sum(nil)), rows
}

func TestDatabasesAreWholeAndAlwaysTheSame(t *testing.T) {
	one, two := filepath.Join(t.TempDir(), "databases"), filepath.Join(t.TempDir(), "databases")
	made, err := makeDatabases(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(two, 0o700); err != nil {
		t.Fatal(err)
	}
	// What a killed start has left behind is no database.
	if err := os.WriteFile(filepath.Join(two, "planning.db.part"), []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := makeDatabases(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, d := range databases {
		for _, tab := range d.tables {
			x, n := digest(t, d.path(one), tab.name)
			y, _ := digest(t, d.path(two), tab.name)
			if x != y || n != tab.rows {
				t.Errorf("%s.%s: %d rows of %d, equal %v", d.source, tab.name, n, tab.rows, x == y)
			}
			total += n
		}
	}
	if total != made || LandPermits+BuildingPermits != 100_000 {
		t.Errorf("made %d, found %d", made, total)
	}
	if again, err := makeDatabases(t.Context(), one); err != nil || again != 0 {
		t.Errorf("a second start made %d rows, %v", again, err)
	}
	itemsAreTypedAsTheirColumns(t, one)
}

func TestEveryDatabaseIsThatOfItsCatalogue(t *testing.T) {
	for _, d := range databases {
		dep := content.Find(d.owner)
		for _, tab := range d.tables {
			found := false
			for _, e := range dep.Entries {
				if e.Source != tab.name {
					continue
				}
				found = true
				for _, it := range e.Items {
					if !strings.Contains(", "+tab.columns, ", "+it.Column+" ") {
						t.Errorf("%s: item %s lies on column %q, which %s does not have", d.owner, it.Name, it.Column, tab.name)
					}
				}
			}
			if !found {
				t.Errorf("%s: no entry lies on %s", d.owner, tab.name)
			}
		}
		for _, e := range dep.Entries {
			if e.Source != "" && !slices.ContainsFunc(d.tables, func(x table) bool { return x.name == e.Source }) {
				t.Errorf("%s: %s lies on %s, which nobody makes", d.owner, e.Name, e.Source)
			}
		}
	}
}

func TestFirmsAreInventedAndDiffer(t *testing.T) {
	codes, names := map[string]bool{}, map[string]bool{}
	for _, f := range inventFirms() {
		if err := code.CheckUSCC(f.code); err != nil || f.code[8:11] != "MUL" {
			t.Fatalf("%s: %v", f.code, err)
		}
		codes[f.code], names[f.name] = true, true
	}
	if len(codes) != firmCount || len(names) < firmCount*95/100 {
		t.Errorf("%d codes, %d names of %d firms", len(codes), len(names), firmCount)
	}
}

// itemsAreTypedAsTheirColumns: what the catalogue says of a table is what a gateway
// would see.
func itemsAreTypedAsTheirColumns(t *testing.T, dir string) {
	t.Helper()
	for _, d := range databases {
		db, err := connect.Open(t.Context(), "sqlite:"+d.path(dir))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		schema, err := db.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range content.Find(d.owner).Entries {
			if e.Source == "" {
				continue
			}
			tab, ok := schema.Table(connect.TableName{Name: e.Source})
			if !ok || len(tab.Columns) != len(e.Items) {
				t.Fatalf("%s: %s has %d columns for %d items", d.owner, e.Source, len(tab.Columns), len(e.Items))
			}
			for i, it := range e.Items {
				c := tab.Columns[i]
				if c.Name != it.Column || c.Kind.String() != it.Type || slices.Contains(tab.PrimaryKey, c.Name) != it.PrimaryKey {
					t.Errorf("%s: item %s (%s, %s, key %v) lies on %s (%s)", d.owner, it.Name, it.Column, it.Type, it.PrimaryKey, c.Name, c.Kind)
				}
			}
		}
	}
}
