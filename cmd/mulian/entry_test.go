package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mulian/gateway/connect"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// TestHanding: a folder of documents, as its source shows it, is handed over as files; any
// other table by queries and batches; what is named goes before both.
func TestHanding(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "drawings"), 0o700); err != nil {
		t.Fatal(err)
	}
	schema, err := inspect(t.Context(), "documents:"+dir)
	if err != nil || len(schema.Tables) != 1 {
		t.Fatalf("%v, %v", schema, err)
	}
	folder := tableOf(schema.Tables[0])
	other := &cataloguev1.Table{Columns: folder.GetColumns()[:5]}
	for _, c := range []struct {
		table  *cataloguev1.Table
		named  []string
		format cataloguev1.Format
		want   string
	}{
		{folder, nil, cataloguev1.Format_FORMAT_FOLDER, "[METHOD_FILE]"},
		{other, nil, cataloguev1.Format_FORMAT_TABLE, "[METHOD_QUERY METHOD_BATCH]"},
		{other, []string{"file", "query", "file"}, cataloguev1.Format_FORMAT_TABLE, "[METHOD_FILE METHOD_QUERY]"},
		{folder, []string{"file"}, cataloguev1.Format_FORMAT_FOLDER, "[METHOD_FILE]"},
	} {
		format, methods, err := handing(c.table, c.named)
		var got []string
		for _, m := range methods {
			got = append(got, m.String())
		}
		if err != nil || format != c.format || "["+strings.Join(got, " ")+"]" != c.want {
			t.Errorf("%v: %v %v, %v; want %v %s", c.named, format, got, err, c.format, c.want)
		}
	}
	if _, _, err := handing(other, []string{"post"}); !fault.Is(err, fault.Usage) {
		t.Errorf("--method post: %v", err)
	}
}

func tableOf(s connect.Table) *cataloguev1.Table {
	t := &cataloguev1.Table{}
	for _, c := range s.Columns {
		t.Columns = append(t.Columns, &cataloguev1.Column{Name: c.Name, Type: c.Type})
	}
	return t
}

// TestShowRecord: a record is one line of JSON for a program, and lines for a person.
func TestShowRecord(t *testing.T) {
	for _, line := range []bool{true, false} {
		var out bytes.Buffer
		a := &app{out: &out, json: line}
		if err := a.showRecord(&tracev1.AccessRecord{Agreement: "0123456789abcdef", Seq: 7}); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(out.String(), "\n"); (n == 1) != line || !json.Valid(out.Bytes()) || !strings.Contains(out.String(), "0123456789abcdef") {
			t.Errorf("json %v: %q", line, out.String())
		}
	}
}
