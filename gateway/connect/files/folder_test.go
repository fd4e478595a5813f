package files

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/simplifiedchinese"

	"mulian/gateway/connect"
	"mulian/gateway/connect/connecttest"
)

// folder makes a folder of files and opens it.
func folder(t testing.TB, files map[string]string) (dir string, source connect.Source) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750); err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(dir, name), text)
	}
	return dir, connecttest.Source(t, "files:"+dir)
}

func selection(table string, columns ...string) connect.Selection {
	return connect.Selection{Table: connect.TableName{Name: table}, Columns: columns}
}

func encode(t testing.TB, s string) string {
	t.Helper()
	out, err := simplifiedchinese.GB18030.NewEncoder().String(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func zipped(t testing.TB, s string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestFilesOfAllFormsAreTables: encodings, compression, other delimiters, parts in a folder.
func TestFilesOfAllFormsAreTables(t *testing.T) {
	_, source := folder(t, map[string]string{
		"国标.csv":         encode(t, "名称,数\n北京市𠮷,1\n"),
		"late.csv":       "name,n\nplain,1\n" + encode(t, "海淀,2\n"),
		"wide.csv":       "\xff\xfea\x00,\x00b\x00\n\x00\x2d\x4e,\x00x\x00\n\x00",
		"packed.tsv.gz":  zipped(t, "a\tb,c\n1\t\"x\ty\"\n"),
		"semi.csv":       "a;b\n1;2,5\n",
		"visits/02.csv":  "day,n\n2024-02-01,2\n",
		"visits/01.csv":  "day,n\n2024-01-01,1.5\n",
		"visits/note.md": "no table",
		"titled.csv":     "表一\na,b\n1,2\n", "titled.schema.json": `{"header":2}`,
		"left.csv": "a\n1\n", "left.schema.json": `{"skip":true}`,
		"nulls.csv": "a,b\nNULL,\"NULL\"\n-,2\n", "nulls.schema.json": `{"null":["NULL","-"]}`,
		".hidden.csv": "a\n1\n", "notes.txt": "nothing",
	})
	schema, err := source.Inspect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, table := range schema.Tables {
		names = append(names, table.Name)
	}
	if got := strings.Join(names, " "); got != "late nulls packed semi titled visits wide 国标" {
		t.Errorf("tables %s", got)
	}
	for _, tt := range []struct {
		sel  connect.Selection
		want []connect.Row
	}{
		{selection("国标", "名称", "数"), []connect.Row{connecttest.R("text 北京市𠮷", "integer 1")}},
		{selection("late", "name", "n"), []connect.Row{connecttest.R("text plain", "integer 1"), connecttest.R("text 海淀", "integer 2")}},
		{selection("wide", "a", "b"), []connect.Row{connecttest.R("text 中", "text x")}},
		{selection("packed", "b,c", "a"), []connect.Row{connecttest.R("text x\ty", "integer 1")}},
		{selection("semi", "b"), []connect.Row{connecttest.R("text 2,5")}},
		{selection("visits", "day", "n"), []connect.Row{connecttest.R("date 2024-01-01", "decimal 1.5"), connecttest.R("date 2024-02-01", "decimal 2")}},
		{selection("titled", "b"), []connect.Row{connecttest.R("integer 2")}},
		{selection("nulls", "a", "b"), []connect.Row{connecttest.R("", "text NULL"), connecttest.R("", "text 2")}},
	} {
		if diff := connecttest.Diff(tt.want, connecttest.All(t, source, tt.sel)); diff != "" {
			t.Errorf("%s: %s", tt.sel.Table, diff)
		}
	}
}

func TestWorkbooksAreTables(t *testing.T) {
	dir, source := folder(t, nil)
	x := excelize.NewFile()
	defer x.Close()
	day, err := x.NewStyle(&excelize.Style{NumFmt: 14})
	if err != nil {
		t.Fatal(err)
	}
	for cell, v := range map[string]any{"A1": "单位", "B1": "金额", "C1": "日期", "D1": "混合", "A2": "007", "B2": 12.5, "C2": 45293, "D2": 1, "A3": "x", "B3": 3, "D3": "一"} {
		if err := x.SetCellValue("Sheet1", cell, v); err != nil {
			t.Fatal(err)
		}
	}
	if err := x.SetCellStyle("Sheet1", "C2", "C2", day); err != nil {
		t.Fatal(err)
	}
	save := func() {
		if err := x.SaveAs(filepath.Join(dir, "账.xlsx")); err != nil {
			t.Fatal(err)
		}
	}
	save()
	want := []connect.Row{connecttest.R("text 007", "decimal 12.5", "date 2024-01-02", "text 1"), connecttest.R("text x", "decimal 3", "", "text 一")}
	if diff := connecttest.Diff(want, connecttest.All(t, source, selection("账", "单位", "金额", "日期", "混合"))); diff != "" {
		t.Error(diff)
	}
	if _, err := x.NewSheet("二"); err != nil {
		t.Fatal(err)
	}
	if err := x.SetCellValue("二", "A1", "唯一"); err != nil {
		t.Fatal(err)
	}
	save()
	schema, err := source.Inspect(t.Context())
	if err != nil || len(schema.Tables) != 2 || schema.Tables[0].Name != "账!Sheet1" || schema.Tables[1].Name != "账!二" {
		t.Errorf("two sheets: %+v, %v", schema, err)
	}
	if diff := connecttest.Diff(want, connecttest.All(t, source, selection("账!Sheet1", "单位", "金额", "日期", "混合"))); diff != "" {
		t.Error(diff)
	}
}

// TestWhatIsUncertainIsRefused: each file is a table; reading it says which record is wrong.
func TestWhatIsUncertainIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		text, declared string
		row            int64
	}{
		"too many fields":    {"a,b\n1,2\n1,2,3\n", "", 3},
		"too few":            {"a,b\n1\n", "", 2},
		"no date":            {"a,b\n2024-02-30,1\n", `{"columns":[{"name":"a","kind":"date"}]}`, 2},
		"nothing":            {"a,b\n1,\n", `{"columns":[{"name":"b","kind":"text","required":true}]}`, 2},
		"too long":           {"a,b\n一二三,1\n", `{"columns":[{"name":"a","kind":"text","maxLength":2}]}`, 2},
		"two encodings":      {"a,b\n中,1\n\xd6\xd0\xff,1\n", "", 3},
		"declared otherwise": {"a,b\n\xd6\xd0,1\n", `{"encoding":"utf-8"}`, 2},
	} {
		files := map[string]string{"t.csv": tt.text}
		if tt.declared != "" {
			files["t.schema.json"] = tt.declared
		}
		_, source := folder(t, files)
		if _, err := source.Inspect(t.Context()); err != nil {
			t.Errorf("%s: inspect: %v", name, err)
		}
		err := source.Scan(t.Context(), selection("t", "a", "b"), func(connect.Batch) error { return nil })
		var ve *connect.ValueError
		if !errors.As(err, &ve) || ve.Row != tt.row {
			t.Errorf("%s: %v, want a ValueError in row %d", name, err, tt.row)
		}
	}
	for name, text := range map[string]string{"no header": "\n\n", "names twice": "a,a\n", "no name": "a,,b\n"} {
		_, source := folder(t, map[string]string{"t.csv": text})
		if err := source.Scan(t.Context(), selection("t", "a"), nil); !errors.Is(err, connect.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, source := folder(t, map[string]string{"t.csv": "a\n1\n1\n", "t.schema.json": `{"key":["a"]}`})
	if err := source.Scan(t.Context(), selection("t", "a"), func(connect.Batch) error { return nil }); !errors.Is(err, connect.ErrNoKey) {
		t.Errorf("a key that is not unique: %v", err)
	}
}

// TestOneBadFileHidesNoOther: what cannot be read is told by its name, and all the rest of the
// folder are tables as before.
func TestOneBadFileHidesNoOther(t *testing.T) {
	old := "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1 a workbook of 1997"
	dir, source := folder(t, map[string]string{
		"good.csv": "a\n1\n", "旧.xls": old, "disguised.csv": old, "torn.xlsx": "PK\x03\x04 torn", "no header.csv": "\n\n", "torn.parquet": "PAR1",
		"twice.csv": "a\n1\n", "twice.tsv": "a\n2\n", "declared.csv": "a\n1\n", "declared.schema.json": "{", "notes.txt": "no data",
	})
	if err := os.Symlink(filepath.Join(t.TempDir(), "elsewhere.csv"), filepath.Join(dir, "link.csv")); err != nil {
		t.Fatal(err)
	}
	schema, err := source.Inspect(t.Context())
	if err != nil || len(schema.Tables) != 1 || schema.Tables[0].Name != "good" {
		t.Fatalf("%+v, %v", schema, err)
	}
	var unread []string
	for _, u := range schema.Unread {
		unread = append(unread, u.Name.Name)
		if u.Reason == "" || strings.Contains(u.Reason, dir) {
			t.Errorf("%s: %q", u.Name, u.Reason)
		}
		if err := source.Scan(t.Context(), selection(u.Name.Name, "a"), nil); err == nil || errors.Is(err, connect.ErrNoTable) {
			t.Errorf("%s is read: %v", u.Name, err)
		}
	}
	if want := []string{"declared", "disguised", "link", "no header", "torn", "twice", "旧"}; !slices.Equal(unread, want) {
		t.Errorf("unread: %q", unread)
	}
	if rows := connecttest.All(t, source, selection("good", "a")); len(rows) != 1 {
		t.Errorf("%d rows", len(rows))
	}
	only := &connect.Schema{Tables: schema.Tables}
	if only.Hash() != schema.Hash() || schema.Hidden(connect.TableName{Name: "torn!sheet"}) == "" || schema.Hidden(connect.TableName{Name: "good"}) != "" {
		t.Error("what cannot be read counts as structure, or is not found again")
	}
}

// TestChangeUnderAScanEndsIt: a file written in place, with and without a key.
func TestChangeUnderAScanEndsIt(t *testing.T) {
	var text strings.Builder
	text.WriteString("id,v\n")
	for i := range 5000 {
		fmt.Fprintf(&text, "%d,x\n", i)
	}
	dir, source := folder(t, map[string]string{"t.csv": text.String()})
	err := source.Scan(t.Context(), selection("t", "id"), func(connect.Batch) error {
		f, err := os.OpenFile(filepath.Join(dir, "t.csv"), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteString("5000,y\n")
		return err
	})
	if !errors.Is(err, connect.ErrChanged) {
		t.Errorf("a file that grew under a scan: %v", err)
	}
	// Another file under the same name is another state: the scan keeps the one it began with.
	n := 0
	err = source.Scan(t.Context(), selection("t", "id"), func(b connect.Batch) error {
		n += len(b.Rows)
		put(t, filepath.Join(dir, "t.csv"), "id,v\n1,z\n")
		return nil
	})
	if err != nil || n < 5000 {
		t.Errorf("a file that was replaced under a scan: %d rows, %v", n, err)
	}
	if rows := connecttest.All(t, source, selection("t", "v")); len(rows) != 1 {
		t.Errorf("%d rows of the new file", len(rows))
	}
}

func TestNothingOutsideTheFolderIsRead(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret.csv")
	put(t, outside, "a\n1\n")
	dir, source := folder(t, map[string]string{"inside.csv": "a\n1\n"})
	for _, name := range []string{"../secret", outside, "..", "inside/../inside", "./inside"} {
		if err := source.Scan(t.Context(), selection(name, "a"), nil); !errors.Is(err, connect.ErrNoTable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Symlink("inside.csv", filepath.Join(dir, "alias.csv")); err != nil {
		t.Fatal(err)
	}
	if rows := connecttest.All(t, source, selection("alias", "a")); len(rows) != 1 {
		t.Errorf("a link that stays inside: %d rows", len(rows))
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link.csv")); err != nil {
		t.Fatal(err)
	}
	err := source.Scan(t.Context(), selection("link", "a"), nil)
	if err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("a link that leaves the folder: %v", err)
	}
	sink := connecttest.Sink(t, "csv:"+dir)
	target := connect.Target{Columns: connecttest.Columns("a text"), Mode: connect.Append, Delivery: "d"}
	for _, name := range []string{"../x", "a/b", ".x", "a!b", strings.Repeat("长", 80)} {
		target.Table.Name = name
		if _, err := sink.Begin(t.Context(), target); !errors.Is(err, connect.ErrInvalid) {
			t.Errorf("target %s: %v", name, err)
		}
	}
}

// TestWhatWasInferredIsKept: a sidecar serves as long as stamps or hashes say that the file is the same.
func TestWhatWasInferredIsKept(t *testing.T) {
	dir, _ := folder(t, map[string]string{"t.csv": "a\n1\n"})
	cache, path := t.TempDir(), filepath.Join(dir, "t.csv")
	inspect := func() connect.Kind {
		s, err := connecttest.Source(t, "files:"+dir+"?cache="+cache).Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Tables[0].Columns[0].Kind
	}
	if k := inspect(); k != connect.Integer {
		t.Fatalf("kind %s", k)
	}
	// Only the sidecar can say "decimal" of this file.
	entries, err := filepath.Glob(filepath.Join(cache, "files-*.json"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("sidecars %v, %v", entries, err)
	}
	text, err := os.ReadFile(entries[0])
	if err != nil {
		t.Fatal(err)
	}
	put(t, entries[0], strings.ReplaceAll(string(text), "integer", "decimal"))
	later := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if k := inspect(); k != connect.Decimal {
		t.Errorf("the same bytes under another date: %s", k)
	}
	put(t, path, "a\nx\n")
	if k := inspect(); k != connect.Text {
		t.Errorf("another file: %s", k)
	}
	put(t, entries[0], "{")
	if k := inspect(); k != connect.Text {
		t.Errorf("a broken sidecar: %s", k)
	}
}

// TestKillAtEachStepOfACommit: after the line in the control file all of a delivery is
// there for readers and for the next load, whichever renames were done.
func TestKillAtEachStepOfACommit(t *testing.T) {
	defer func() { crashed = func(string) bool { return false } }()
	for _, scheme := range []string{"csv", "parquet"} {
		for _, at := range []string{"pair.schema.json", "pair." + scheme} {
			dir := t.TempDir()
			url := scheme + ":" + dir
			target := connect.Target{Table: connect.TableName{Name: "pair"}, Columns: connecttest.Columns("id integer!", "v text"), PrimaryKey: []string{"id"}, Mode: connect.Replace, Delivery: "d"}
			crashed = func(name string) bool { return name == at }
			row := connecttest.R("integer 1", "text a")
			if _, err := connecttest.Load(t.Context(), connecttest.Sink(t, url), target, row); !errors.Is(err, errCrashed) {
				t.Fatalf("%s at %s: %v", scheme, at, err)
			}
			crashed = func(string) bool { return false }
			if diff := connecttest.Diff([]connect.Row{row}, connecttest.All(t, connecttest.Source(t, url), selection("pair", "id", "v"))); diff != "" {
				t.Errorf("%s at %s: %s", scheme, at, diff)
			}
			if r := connecttest.MustLoad(t, connecttest.Sink(t, url), target, row); !r.Repeated {
				t.Errorf("%s at %s: loaded twice", scheme, at)
			}
			if _, err := os.Stat(filepath.Join(dir, "pair."+scheme)); err != nil {
				t.Errorf("%s at %s: the next load did not name the file: %v", scheme, at, err)
			}
			// A line that was cut off never counted; files without a line go.
			f, err := os.OpenFile(filepath.Join(dir, ControlFile), os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteString(`{"delivery":"e","ta`); err != nil {
				t.Fatal(err)
			}
			f.Close()
			put(t, filepath.Join(dir, tempPrefix+"0"), "half a file")
			target.Delivery = "e"
			if r := connecttest.MustLoad(t, connecttest.Sink(t, url), target, connecttest.R("integer 2", "text b")); r.Repeated {
				t.Error("a line that was cut off counted")
			}
			if left, _ := filepath.Glob(filepath.Join(dir, tempPrefix+"*")); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		}
	}
}

// TestACommitThatMayHaveHappenedKeepsItsFiles: the line of the delivery is written, and then the disk
// does not say that it has it. Whether it counts the next one sees who reads; so the file that
// it names must be there.
func TestACommitThatMayHaveHappenedKeepsItsFiles(t *testing.T) {
	for _, scheme := range []string{"csv", "parquet"} {
		dir := t.TempDir()
		url, control := scheme+":"+dir, filepath.Join(dir, ControlFile)
		target := connect.Target{Table: connect.TableName{Name: "pair"}, Columns: connecttest.Columns("id integer!", "v text"), PrimaryKey: []string{"id"}, Mode: connect.Replace, Delivery: "d"}
		load, err := connecttest.Sink(t, url).Begin(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		row := connecttest.R("integer 1", "text a")
		if err := load.Append(t.Context(), connecttest.Page(t, row)); err != nil {
			t.Fatal(err)
		}
		// A pipe takes the line, and refuses to be synchronised.
		if err := syscall.Mkfifo(control, 0o600); err != nil {
			t.Fatal(err)
		}
		pipe, err := os.OpenFile(control, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer pipe.Close()
		if _, err := load.Commit(t.Context()); err == nil {
			t.Fatalf("%s: a commit that is not on the disk", scheme)
		}
		line, err := bufio.NewReader(pipe).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(control); err != nil {
			t.Fatal(err)
		}
		put(t, control, line) // the disk has it after all
		if diff := connecttest.Diff([]connect.Row{row}, connecttest.All(t, connecttest.Source(t, url), selection("pair", "id", "v"))); diff != "" {
			t.Errorf("%s: the delivery counts, and its rows are not there: %s", scheme, diff)
		}
		if r := connecttest.MustLoad(t, connecttest.Sink(t, url), target, row); !r.Repeated {
			t.Errorf("%s: loaded twice", scheme)
		}
	}
}

// TestFilesOfOthersAreNotLoadedInto: what no schema file describes as a whole is not ours to write.
func TestFilesOfOthersAreNotLoadedInto(t *testing.T) {
	dir, _ := folder(t, map[string]string{"pair.csv": "id,v\n1,a\n"})
	target := connect.Target{Table: connect.TableName{Name: "pair"}, Columns: connecttest.Columns("id integer", "v text"), Mode: connect.Append, Delivery: "d"}
	for _, scheme := range []string{"csv", "parquet"} {
		if _, err := connecttest.Sink(t, scheme+":"+dir).Begin(context.Background(), target); !errors.Is(err, connect.ErrTargetDiffers) {
			t.Errorf("%s: %v", scheme, err)
		}
	}
}

// FuzzScan: any bytes under any of the names are a table or an error of a kind.
func FuzzScan(f *testing.F) {
	var small bytes.Buffer
	path := filepath.Join(f.TempDir(), "n.parquet")
	writeNative(f, path)
	native, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	small.WriteString("a,b\n1,2\n")
	f.Add(byte(0), small.Bytes())
	f.Add(byte(0), []byte("a\tb\n\"1\n"))
	f.Add(byte(1), []byte(zipped(f, "a\n1\n")))
	f.Add(byte(2), native)
	f.Add(byte(2), native[:len(native)/2])
	f.Fuzz(func(t *testing.T, which byte, text []byte) {
		name := []string{"t.csv", "t.csv.gz", "t.parquet", "t.xlsx"}[which%4]
		dir := t.TempDir()
		put(t, filepath.Join(dir, name), string(text))
		source := connecttest.Source(t, "files:"+dir)
		known := func(err error) {
			var ve *connect.ValueError
			if err != nil && !errors.As(err, &ve) && !errors.Is(err, connect.ErrInvalid) && !errors.Is(err, connect.ErrTooLarge) {
				t.Fatalf("%s: error of no kind: %v", name, err)
			}
		}
		schema, err := source.Inspect(t.Context())
		known(err)
		if err != nil {
			return
		}
		for _, table := range schema.Tables {
			known(source.Scan(t.Context(), connect.Selection{Table: table.TableName, Columns: connecttest.Names(table.Columns)}, func(b connect.Batch) error {
				_, err := connect.EncodeRows(len(table.Columns), b.Rows)
				return err
			}))
		}
	})
}

// FuzzDeclared: what is taken for a schema file is written and read as the same one.
func FuzzDeclared(f *testing.F) {
	f.Add([]byte(`{"comment":"firms","key":["no"],"encoding":"gb18030","columns":[{"name":"no","kind":"text","maxLength":18,"required":true}]}`))
	f.Add([]byte("\xef\xbb\xbf{\"skip\":true}"))
	f.Add([]byte(`{"header":-1}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		d, err := parseDeclared(bytes.NewReader(raw))
		if err != nil {
			if !errors.Is(err, connect.ErrInvalid) && !errors.Is(err, connect.ErrTooLarge) {
				t.Fatal(err)
			}
			return
		}
		once, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseDeclared(bytes.NewReader(once))
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if twice, _ := json.Marshal(again); !bytes.Equal(once, twice) {
			t.Fatalf("%s becomes %s", once, twice)
		}
	})
}
