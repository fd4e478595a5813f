package documents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mulian/gateway/connect"
)

var all = []string{"name", "piece", "size", "modified", "sha256", "content"}

func folder(t testing.TB, files map[string]string) (connect.Source, string) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		put(t, filepath.Join(dir, name), content)
	}
	s, err := connect.Open(t.Context(), "documents:"+dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func put(t testing.TB, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func rowsOf(t testing.TB, s connect.Source, sel connect.Selection) (out []connect.Row) {
	t.Helper()
	sel.Table = connect.TableName{Name: "plans"}
	if err := s.Scan(t.Context(), sel, func(b connect.Batch) error {
		out = append(out, b.Rows...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPieces: a file is its pieces, in the order of names; it goes on after a key; the last
// piece has the digest of the whole.
func TestPieces(t *testing.T) {
	long := strings.Repeat("x", 2*PieceBytes+5)
	s, _ := folder(t, map[string]string{"plans/b/long": long, "plans/a": "hello", "plans/empty": "", "plans/.hidden": "no", "plans/b/.x/no": "no", "stray": "no"})
	doc, err := s.Inspect(t.Context())
	if err != nil || len(doc.Tables) != 1 || doc.Tables[0].Name != "plans" {
		t.Fatalf("%+v, %v", doc, err)
	}
	rows := rowsOf(t, s, connect.Selection{Columns: all})
	var got []string
	for _, r := range rows {
		got = append(got, r[0].Text+" "+r[1].Text+" "+fmt.Sprint(len(r[5].Text)))
	}
	want := []string{"a 1 5", fmt.Sprint("b/long 1 ", PieceBytes), fmt.Sprint("b/long 2 ", PieceBytes), "b/long 3 5", "empty 1 0"}
	if !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	sum := sha256.Sum256([]byte(long))
	if rows[3][4].Text != hex.EncodeToString(sum[:]) || !rows[2][4].IsNull() {
		t.Errorf("digests %q, %q", rows[2][4].Text, rows[3][4].Text)
	}
	rest := rowsOf(t, s, connect.Selection{Columns: all, After: connect.Row{connect.TextValue("b/long"), connect.IntegerValue(2)}})
	if len(rest) != 2 || rest[0][4].Text != rows[3][4].Text {
		t.Errorf("after the second piece come %d rows", len(rest))
	}
	one := rowsOf(t, s, connect.Selection{Columns: []string{"name"}, Where: []connect.Condition{{Column: "name", Op: connect.OpIn, Values: []connect.Value{connect.TextValue("empty")}}}})
	if len(one) != 1 {
		t.Errorf("%d rows of one file", len(one))
	}
	some, err := Choose(s, []string{"b/*", "e*"})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(rowsOf(t, some, connect.Selection{Columns: all})); n != 4 {
		t.Errorf("%d rows were chosen", n)
	}
	if fresh, err := some.Freshness(t.Context(), connect.TableName{Name: "plans"}, "modified"); err != nil || fresh.Rows != 4 || fresh.Watermark.IsNull() {
		t.Errorf("%+v, %v", fresh, err)
	}
	for _, bad := range []string{"", "[", strings.Repeat("a", maxPattern+1)} {
		if _, err := Choose(s, []string{bad}); !errors.Is(err, connect.ErrInvalid) {
			t.Errorf("pattern %.20q: %v", bad, err)
		}
	}
}

// TestChangedWhileRead: one of the files grows or goes while the folder is read; one that comes
// belongs to the next time, however many do.
func TestChangedWhileRead(t *testing.T) {
	for name, c := range map[string]struct {
		change func(dir string) error
		want   error
	}{
		"grows": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "plans/b"), []byte(strings.Repeat("y", PieceBytes+9)), 0o600)
		}, connect.ErrChanged},
		"goes": {func(dir string) error { return os.Remove(filepath.Join(dir, "plans/b")) }, connect.ErrChanged},
		"comes": {func(dir string) error {
			return errors.Join(os.WriteFile(filepath.Join(dir, "plans/c"), nil, 0o600), os.WriteFile(filepath.Join(dir, "plans/aa"), nil, 0o600))
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := folder(t, map[string]string{"plans/a": "1", "plans/b": strings.Repeat("x", PieceBytes+9)})
			sel := connect.Selection{Table: connect.TableName{Name: "plans"}, Columns: all}
			n := 0
			err := s.Scan(t.Context(), sel, func(connect.Batch) error {
				if n++; n == 1 {
					return c.change(dir)
				}
				return nil
			})
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if c.want != nil {
				return
			}
			if next := len(rowsOf(t, s, connect.Selection{Columns: all})); n != 3 || next != 5 {
				t.Errorf("%d rows, and %d the next time, want 3 and 5", n, next)
			}
		})
	}
}

// TestNothingOutside: links are not followed, on neither side.
func TestNothingOutside(t *testing.T) {
	s, dir := folder(t, map[string]string{"plans/a": "1", "outside/secret": "2"})
	if err := errors.Join(os.Symlink("../outside/secret", filepath.Join(dir, "plans/link")), os.Symlink("../outside", filepath.Join(dir, "plans/folder")), os.Symlink("/etc", filepath.Join(dir, "etc"))); err != nil {
		t.Fatal(err)
	}
	if rows := rowsOf(t, s, connect.Selection{Columns: []string{"name"}}); len(rows) != 1 {
		t.Errorf("%d rows", len(rows))
	}
	for _, table := range []string{"etc", "..", "../x", "/etc", ".", ""} {
		err := s.Scan(t.Context(), connect.Selection{Table: connect.TableName{Name: table}, Columns: []string{"name"}}, func(connect.Batch) error { return nil })
		if !errors.Is(err, connect.ErrNoTable) {
			t.Errorf("table %q: %v", table, err)
		}
	}
}

// TestClean: what a name may be here.
func TestClean(t *testing.T) {
	for name, want := range map[string]string{
		"甲/乙 1.pdf": "甲/乙 1.pdf", ".ssh/key": "_ssh/key", "a\\b:c": "a_b_c", "a\x1b[2Jb": "a_[2Jb", ".mulian/done/x.json": "_mulian/done/x.json",
		"../x": "", "a/../../x": "", "/etc/x": "", "a//b": "", "": "", ".": "", "a/.": "", "\xff": "", strings.Repeat("a", 256): "", strings.Repeat("a/", 20) + "b": "",
	} {
		if got, err := clean(name); got != want || (want == "") != (err != nil) {
			t.Errorf("%.30q: %q, %v", name, got, err)
		}
	}
}

// piece is one row of a delivery.
func piece(name string, n, size int, sum, content string) connect.Row {
	digest := connect.Null
	if sum != "" {
		digest = connect.TextValue(sum)
	}
	return connect.Row{
		connect.TextValue(name), connect.IntegerValue(int64(n)), connect.IntegerValue(int64(size)),
		connect.InstantValue(time.Date(2026, 3, 9, 8, 0, 0, 0, time.UTC)), digest, connect.BytesValue([]byte(content)),
	}
}

func whole(name, content string) connect.Row {
	sum := sha256.Sum256([]byte(content))
	return piece(name, 1, len(content), hex.EncodeToString(sum[:]), content)
}

func deliver(ctx context.Context, s connect.Sink, id string, rows ...connect.Row) error {
	l, err := s.Begin(ctx, connect.Target{
		Table: connect.TableName{Name: "in"}, Columns: columns, PrimaryKey: []string{"name", "piece"}, Mode: connect.Merge, Delivery: id,
	})
	if err != nil {
		return err
	}
	defer l.Rollback()
	for _, r := range rows {
		p, err := connect.NewPage(len(columns), []connect.Row{r})
		if err != nil {
			return err
		}
		if err := l.Append(ctx, p); err != nil {
			return err
		}
	}
	_, err = l.Commit(ctx)
	return err
}

func into(t testing.TB) (connect.Sink, string) {
	t.Helper()
	dir := t.TempDir()
	s, err := connect.OpenSink(t.Context(), "documents:"+dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

// TestBadDeliveries: what a provider that lies may send leaves nothing behind.
func TestBadDeliveries(t *testing.T) {
	good := whole("a", "hello")
	for name, rows := range map[string][]connect.Row{
		"leaves the folder":  {whole("../a", "x")},
		"absolute":           {whole("/a", "x")},
		"twice":              {good, good},
		"a file as a folder": {good, whole("a/b", "x")},
		"a folder as a file": {whole("a/b", "x"), good},
		"no first piece":     {piece("a", 2, 5, good[4].Text, "hello")},
		"a piece is missing": {piece("a", 1, 9, "", "hell"), piece("a", 3, 9, good[4].Text, "o")},
		"another in between": {piece("a", 1, 9, "", "hell"), whole("b", "x")},
		"longer":             {piece("a", 1, 3, "", "hello")},
		"shorter":            {piece("a", 1, 9, good[4].Text, "hello")},
		"another digest":     {piece("a", 1, 5, strings.Repeat("0", 64), "hello")},
		"no end":             {whole("b", "x"), piece("a", 1, 9, "", "hello")},
	} {
		t.Run(name, func(t *testing.T) {
			s, dir := into(t)
			err := deliver(t.Context(), s, "x/1", rows...)
			var value *connect.ValueError
			if !errors.As(err, &value) {
				t.Errorf("%v", err)
			}
			if _, err := os.Lstat(filepath.Join(dir, "in")); !os.IsNotExist(err) {
				t.Errorf("something was delivered: %v", err)
			}
			if left, _ := os.ReadDir(filepath.Join(dir, bookkeeping, "in")); len(left) != 0 {
				t.Errorf("%d folders are left", len(left))
			}
		})
	}
}

// TestPowerFails: before the commit nothing is there; after it all is, as soon as anybody asks.
func TestPowerFails(t *testing.T) {
	defer func() { crashed = func(string) bool { return false } }()
	s, dir := into(t)
	has := func(want string) {
		t.Helper()
		if b, _ := os.ReadFile(filepath.Join(dir, "in/a/b")); string(b) != want {
			t.Fatalf("the file is %q, want %q", b, want)
		}
	}
	crashed = func(at string) bool { return at == "before" }
	if err := deliver(t.Context(), s, "x/1", whole("a/b", "one")); !errors.Is(err, errCrashed) {
		t.Fatal(err)
	}
	has("")
	if _, found, err := s.Loaded(t.Context(), "", "x/1"); found || err != nil {
		t.Fatalf("%t, %v", found, err)
	}
	crashed = func(at string) bool { return at == "after" }
	if err := deliver(t.Context(), s, "x/1", whole("a/b", "one")); !errors.Is(err, errCrashed) {
		t.Fatal(err)
	}
	has("")
	crashed = func(string) bool { return false }
	if r, found, err := s.Loaded(t.Context(), "", "x/1"); !found || err != nil || r.Rows != 1 {
		t.Fatalf("%t, %v", found, err)
	}
	has("one")
	// The same again changes nothing, other content under that id is refused, the next one
	// replaces its own; another agreement does not.
	if err := deliver(t.Context(), s, "x/1", whole("a/b", "one")); err != nil {
		t.Error(err)
	}
	if err := deliver(t.Context(), s, "x/1", whole("a/b", "two")); !errors.Is(err, connect.ErrDeliveryDiffers) {
		t.Error(err)
	}
	if err := deliver(t.Context(), s, "x/2", whole("a/b", "two")); err != nil {
		t.Error(err)
	}
	has("two")
	if err := deliver(t.Context(), s, "y/1", whole("a/b", "three")); !errors.Is(err, connect.ErrTargetDiffers) {
		t.Error(err)
	}
	has("two")
}
