package gateway_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/text/encoding/simplifiedchinese"

	"mulian/gateway"
	"mulian/gateway/connect"
	"mulian/gateway/deliver"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/internal/pgtest"
)

// realRows reads a table of the city's open data: GB18030 or UTF-8 with a mark.
func realRows(t *testing.T, name string) (header []string, rows [][]string) {
	t.Helper()
	dir := os.Getenv("MULIAN_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "data", "databases", "beijing", name))
	if err != nil {
		t.Skip("SKIP no shared data: no ../shared beside the repository and no MULIAN_SHARED")
	}
	if text, ok := bytes.CutPrefix(raw, []byte("\xef\xbb\xbf")); ok {
		raw = text
	} else if raw, err = simplifiedchinese.GB18030.NewDecoder().Bytes(raw); err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(raw))
	all, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[0], all[1:]
}

// fill makes a table with the header's columns and a number as its key.
func fill(t *testing.T, url, table string, header []string, rows [][]string) {
	t.Helper()
	if isMaria(url) {
		mariaFill(t, url, table, header, rows)
		return
	}
	ctx := context.Background()
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(ctx)
	cols := []string{"id"}
	defs := []string{"id integer PRIMARY KEY"}
	for _, h := range header {
		cols, defs = append(cols, h), append(defs, pgx.Identifier{h}.Sanitize()+" varchar(400)")
	}
	if _, err := db.Exec(ctx, "CREATE TABLE "+table+" ("+strings.Join(defs, ", ")+")"); err != nil {
		t.Fatal(err)
	}
	n, err := db.CopyFrom(ctx, pgx.Identifier{table}, cols, pgx.CopyFromSlice(len(rows), func(i int) ([]any, error) {
		out := []any{i + 1}
		for _, v := range rows[i] {
			out = append(out, v)
		}
		return out, nil
	}))
	if err != nil || n != int64(len(rows)) {
		t.Fatalf("copied %d rows: %v", n, err)
	}
}

// dump reads a whole table by its key, as text.
func dump(t *testing.T, url, table string, columns []string) []string {
	t.Helper()
	if isMaria(url) {
		return mariaDump(t, url, table, columns)
	}
	ctx := context.Background()
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(ctx)
	var names []string
	for _, c := range columns {
		names = append(names, pgx.Identifier{c}.Sanitize()+"::text")
	}
	rows, err := db.Query(ctx, "SELECT "+strings.Join(names, ", ")+" FROM "+table+" ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for rows.Next() {
		v, err := rows.Values()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%q", v))
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return out
}

// shareTable publishes an entry with all columns of a table of the source, locks it
// and makes an agreement on it.
func (w *town) shareTable(table, name string, columns []string, method cataloguev1.Method) (entry, agreement string) {
	w.t.Helper()
	entry = w.planning.Account + ":" + table
	items := []*cataloguev1.Item{{Code: "id", Name: "序号", Type: "integer", PrimaryKey: true, Column: "id"}}
	codes := []string{"id"}
	for i, c := range columns {
		code := fmt.Sprintf("c%d", i)
		items, codes = append(items, &cataloguev1.Item{Code: code, Name: c, Type: "text", Column: c}), append(codes, code)
	}
	w.must(w.planning, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{{
		Id: entry, Name: name, Abstract: name, Provider: w.planning.Account, Duties: []string{w.planning.Account + ":1"},
		Table: w.door + ":" + cmp.Or(w.schema, "plan.public.") + table, Category: "城乡建设/规划", Format: cataloguev1.Format_FORMAT_TABLE,
		ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, StandingOrder: &cataloguev1.StandingOrder{Automatic: true},
		OpenType: cataloguev1.OpenType_OPEN_TYPE_DENIED, UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY,
		Grade: cataloguev1.Grade_GRADE_GENERAL_1, Personal: cataloguev1.Personal_PERSONAL_NONE, CoverageRegion: "110000", Items: items,
	}}})
	w.must(w.planning, &cataloguev1.LockEntries{Entries: []string{entry}, CounterSigners: []string{w.water.Account}})
	w.entry = entry
	return entry, w.agree(method, func(m *sharev1.Terms) { m.Parts[0].Items = codes })
}

// TestRealTables: two real registers of Beijing go from one PostgreSQL to another and
// arrive equal, row for row.
func TestRealTables(t *testing.T) {
	source, own := pgtest.URL(t, "source"), pgtest.URL(t, "own")
	tables := []struct {
		file, table, name string
		rows              int
		header            []string
	}{
		{"海淀区中关村高新技术企业库（截止2023年7月）.csv", "firms", "高新技术企业库", 9461, nil},
		{"市住房城乡建设委-新建商品房预售许可信息.csv", "presale", "新建商品房预售许可", 6960, nil},
	}
	for i := range tables {
		c := &tables[i]
		header, rows := realRows(t, c.file)
		if len(rows) != c.rows {
			t.Fatalf("%s has %d rows, want %d", c.file, len(rows), c.rows)
		}
		fill(t, source, c.table, header, rows)
		c.header = header
	}
	w := newTown(t)
	cfg := w.planningConfig()
	cfg.Sources = []gateway.Source{{Name: "plan", URL: source}}
	door := w.open(cfg)
	cfg = w.waterConfig()
	cfg.Sink.URL = own
	tap := w.open(cfg)
	if ids, err := door.RegisterTables(t.Context()); err != nil || len(ids) != 2 {
		t.Fatalf("register: %v, %v", ids, err)
	}
	for _, c := range tables {
		entry, agreement := w.shareTable(c.table, c.name, c.header, byBatch)
		got, err := tap.Fetch(t.Context(), deliver.Fetch{Agreement: agreement, Entry: entry, Into: connect.TableName{Name: "got_" + c.table}})
		if err != nil || got.Rows != int64(c.rows) {
			t.Fatalf("%s: %+v, %v", c.table, got, err)
		}
		columns := append([]string{"id"}, c.header...)
		there, here := dump(t, source, c.table, columns), dump(t, own, "got_"+c.table, columns)
		if len(there) != c.rows || len(here) != c.rows {
			t.Fatalf("%s: %d rows there, %d here", c.table, len(there), len(here))
		}
		for i := range there {
			if there[i] != here[i] {
				t.Fatalf("%s, row %d: %s there, %s here", c.table, i+1, there[i], here[i])
			}
		}
		t.Logf("%s: %d rows in %s", c.table, got.Rows, got.Took.Round(time.Millisecond))
	}
}

// TestDriftInPostgres: what somebody does to a table is on the ledger with its class
// within 10 s at the default settings, and its items are refused.
func TestDriftInPostgres(t *testing.T) {
	t.Parallel()
	source := pgtest.URL(t, "source")
	cases := []struct {
		table, statement string
		class            cataloguev1.DriftClass
		state            cataloguev1.ItemState
		code             fault.Code
	}{
		{"renamed", "ALTER TABLE renamed RENAME COLUMN a TO b", cataloguev1.DriftClass_DRIFT_CLASS_BREAKING, cataloguev1.ItemState_ITEM_STATE_FROZEN, fault.EntryDrifted},
		{"widened", "ALTER TABLE widened ALTER COLUMN a TYPE varchar(800)", cataloguev1.DriftClass_DRIFT_CLASS_REVIEW, cataloguev1.ItemState_ITEM_STATE_REVIEW, fault.OK},
		{"dropped", "ALTER TABLE dropped DROP COLUMN a", cataloguev1.DriftClass_DRIFT_CLASS_BREAKING, cataloguev1.ItemState_ITEM_STATE_FROZEN, fault.EntryDrifted},
		{"gone", "DROP TABLE gone", cataloguev1.DriftClass_DRIFT_CLASS_BREAKING, cataloguev1.ItemState_ITEM_STATE_FROZEN, fault.EntryDrifted},
	}
	for _, c := range cases {
		fill(t, source, c.table, []string{"a"}, [][]string{{"x"}, {"y"}})
	}
	w := newTown(t)
	cfg := w.planningConfig()
	cfg.Sources, cfg.PollSeconds = []gateway.Source{{Name: "plan", URL: source}}, 0
	door := w.open(cfg)
	tap := w.open(w.waterConfig())
	if _, err := door.RegisterTables(t.Context()); err != nil {
		t.Fatal(err)
	}
	agreements, entries := map[string]string{}, map[string]string{}
	for _, c := range cases {
		entries[c.table], agreements[c.table] = w.shareTable(c.table, "目录 "+c.table, []string{"a"}, byBatch)
		if got, err := tap.Fetch(t.Context(), deliver.Fetch{Agreement: agreements[c.table], Entry: entries[c.table], Into: connect.TableName{Name: c.table}}); err != nil || got.Rows != 2 {
			t.Fatalf("%s before: %+v, %v", c.table, got, err)
		}
	}
	for _, c := range cases {
		pgExec(t, source, c.statement)
	}
	changed := time.Now()
	for _, c := range cases {
		d := &cataloguev1.Drift{}
		w.eventually("the drift of "+c.table+" is on the ledger", func() bool {
			ok, err := w.chain.Get(context.Background(), "catalogue/drift/"+w.door+":plan.public."+c.table+"@1", d)
			return err == nil && ok
		})
		if d.Class != c.class {
			t.Errorf("%s: class %s, want %s: %v", c.table, d.Class, c.class, d.Changes)
		}
		e := &cataloguev1.Entry{}
		if _, err := w.chain.Get(t.Context(), "catalogue/entry/"+entries[c.table], e); err != nil || e.Items[1].State != c.state {
			t.Errorf("%s: item is %s, want %s", c.table, e.Items[1].State, c.state)
		}
		_, err := tap.Fetch(t.Context(), deliver.Fetch{Agreement: agreements[c.table], Entry: entries[c.table], Into: connect.TableName{Name: c.table}})
		want(t, c.code, err)
	}
	took := time.Since(changed)
	t.Logf("all on the ledger after %s", took.Round(time.Millisecond))
	if took > 10*time.Second {
		t.Errorf("on the ledger only after %s", took)
	}
}

func pgExec(t *testing.T, url, statement string) {
	t.Helper()
	if isMaria(url) {
		mariaExec(t, url, statement)
		return
	}
	ctx := context.Background()
	db, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(ctx)
	if _, err := db.Exec(ctx, statement); err != nil {
		t.Fatal(err)
	}
}
