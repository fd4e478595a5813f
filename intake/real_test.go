package intake

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/unicode/norm"

	"mulian/internal/fault"
)

// shared returns the path of a file of the real inputs, and skips the test where
// they are not there.
func shared(t testing.TB, name string) string {
	t.Helper()
	root := os.Getenv("MULIAN_SHARED")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
			if dir == filepath.Dir(dir) {
				t.Fatal("no go.mod above the test")
			}
			dir = filepath.Dir(dir)
		}
		root = filepath.Join(filepath.Dir(dir), "shared")
	}
	path := filepath.Join(root, "data", filepath.FromSlash(name))
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		t.Skipf("SKIP no shared data: %s", name)
	}
	return path
}

// objectsOf reads a file of JSON objects without anything of this module.
func objectsOf(t testing.TB, path string) []map[string]any {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []map[string]any
	for dec := json.NewDecoder(f); ; {
		var o map[string]any
		if err := dec.Decode(&o); err == io.EOF {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		out = append(out, o)
	}
}

// tableOf reads a csv without anything of this module: the header, and the rows
// with any text.
func tableOf(t testing.TB, path string, enc encoding.Encoding) (header []string, rows [][]string, blank int) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = enc.NewDecoder().Bytes(raw); err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(bytes.NewReader(raw)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all[1:] {
		if strings.TrimSpace(strings.Join(r, "")) == "" {
			blank++
		} else {
			rows = append(rows, r)
		}
	}
	return all[0], rows, blank
}

// repeats counts the values that were there before.
func repeats(values []string) int {
	seen, n := make(map[string]bool), 0
	for _, v := range values {
		if seen[v] {
			n++
		}
		seen[v] = true
	}
	return n
}

// plain is the name as names are compared, in the plainest way to say it.
func plain(s string) string { return strings.Join(strings.Fields(norm.NFKC.String(s)), "") }

// problemsOf returns the lines that a report has a problem of a code and field for.
func problemsOf(r *Report, c fault.Code, f Field) []int {
	var lines []int
	for _, p := range r.Problems {
		if p.Code == c && p.Field == string(f) {
			lines = append(lines, p.Line)
		}
	}
	return lines
}

func mustPlan(t testing.TB, path string, opts Options) (*Plan, *Report) {
	t.Helper()
	p, r, err := MakePlan(t.Context(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	if sum := r.Accepted + r.Rejected + r.Doubtful + r.Duplicates; sum != r.Entries {
		t.Errorf("%d accepted + %d rejected + %d doubtful + %d duplicates = %d, not %d entries", r.Accepted, r.Rejected, r.Doubtful, r.Duplicates, sum, r.Entries)
	}
	return p, r
}

// TestReportOnBeijingIsTrue counts the 1,130 entries a second time with nothing
// but encoding/json and string functions.
func TestReportOnBeijingIsTrue(t *testing.T) {
	path := shared(t, "catalogues/cn/beijing_catalogue_2021.json")
	_, r := mustPlan(t, path, Options{})

	var whole []string
	noOwner, spelt, damaged := 0, make(map[string]map[string]bool), 0
	type key struct{ owner, name string }
	names, clashes, seen := make(map[key]bool), 0, make(map[string]bool)
	for _, o := range objectsOf(t, path) {
		raw, _ := json.Marshal(o) // keys in order
		whole = append(whole, string(raw))
		owner := ""
		for _, part := range strings.Split(o["info"].(string), "#") {
			name, value, tab := strings.Cut(part, "\t")
			if tab && name == "资源所有权单位" {
				owner = value
			}
			if !tab && (strings.HasPrefix(part, "资源出版日期 ") || strings.HasPrefix(part, "资源所有权单位 ")) {
				damaged++
			}
		}
		owner = strings.TrimRight(owner, "\n")
		if strings.TrimSpace(owner) == "" {
			noOwner++
		} else {
			k := plain(strings.TrimSuffix(owner, "提供"))
			if spelt[k] == nil {
				spelt[k] = make(map[string]bool)
			}
			spelt[k][owner] = true
		}
		k := key{plain(owner), plain(o["name"].(string))}
		if !seen[string(raw)] && k.owner != "" && k.owner != "XX" && names[k] {
			clashes++
		}
		names[k], seen[string(raw)] = true, true
	}
	several := 0
	for _, ways := range spelt {
		if len(ways) > 1 {
			several += len(ways) - 1
		}
	}

	if len(whole) != 1130 || r.Rows != 1130 || r.Entries != 1130 || r.Format != "json" || r.Encoding != "utf-8" || r.Kind != "entries" {
		t.Errorf("%d objects; report %d rows, %d entries, %s, %s, %s", len(whole), r.Rows, r.Entries, r.Format, r.Encoding, r.Kind)
	}
	if n := repeats(whole); n != 336 || r.Duplicates != n {
		t.Errorf("%d exact repeats, report %d; the issue says 336", n, r.Duplicates)
	}
	if got := len(problemsOf(r, fault.Missing, Owner)); noOwner != 208 || got != noOwner {
		t.Errorf("%d without owner, report %d; the issue says 208", noOwner, got)
	}
	if r.Rejected != clashes {
		t.Errorf("%d clashes of names, report rejects %d", clashes, r.Rejected)
	}
	if got := len(problemsOf(r, fault.Malformed, Issued)) + len(problemsOf(r, fault.Malformed, Owner)); got != damaged {
		t.Errorf("%d damaged separators, report %d", damaged, got)
	}
	told := make(map[string]bool)
	for _, p := range r.Problems {
		if p.Code == fault.OwnerUnclear && strings.Contains(p.Message, "ways") {
			told[p.Message] = true
			if p.Suggestion == "" {
				t.Errorf("line %d: no suggestion to merge", p.Line)
			}
		}
	}
	if several == 0 || len(told) != several {
		t.Errorf("%d spellings beside the usual ones, report tells %d: %v", several, len(told), told)
	}
	if r.LeftOut != 0 {
		t.Errorf("%d problems left out", r.LeftOut)
	}
}

// TestReportOnGuangxiIsTrue: keys that slipped by one are paired again, and told.
func TestReportOnGuangxiIsTrue(t *testing.T) {
	path := shared(t, "catalogues/cn/guangxi_catalogue_2021.json")
	p, r := mustPlan(t, path, Options{})
	var whole []string
	slipped := 0
	for _, o := range objectsOf(t, path) {
		raw, _ := json.Marshal(o)
		whole = append(whole, string(raw))
		if _, ok := o["info"].(map[string]any)["描述"]; !ok {
			slipped++
		}
	}
	if slipped != 3079 || len(problemsOf(r, fault.Malformed, "info")) != slipped {
		t.Errorf("%d slipped, report %d", slipped, len(problemsOf(r, fault.Malformed, "info")))
	}
	if n := repeats(whole); r.Duplicates != n || r.Entries != len(whole) {
		t.Errorf("%d repeats of %d, report %d of %d", n, len(whole), r.Duplicates, r.Entries)
	}
	cycles, owners := 0, 0
	if err := p.Each(t.Context(), func(d *Draft) error {
		if d.Doubtful && d.Entry.UpdateCycle != 0 {
			cycles++
		}
		if d.Owner != "" {
			owners++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if cycles != r.Doubtful || owners != r.Accepted+r.Doubtful {
		t.Errorf("of %d slipped entries %d have their update cycle; %d of %d an owner", r.Doubtful, cycles, owners, r.Accepted+r.Doubtful)
	}
}

// TestReportsOnTablesAreTrue counts repeats, blanks, missing owners and clashes of
// real tables a second time with encoding/csv.
func TestReportsOnTablesAreTrue(t *testing.T) {
	gb, big5 := simplifiedchinese.GB18030, traditionalchinese.Big5
	for _, c := range []struct {
		file, encoding, kind string
		enc                  encoding.Encoding
		owner, name          string
		rows                 int
	}{
		{"catalogues/tw/data_gov_tw_list_2018.csv", "utf-8", "entries", encoding.Nop, "提供機關名稱", "資料集名稱", 35955},
		{"catalogues/tw/taipei_2018_big5.csv", "cp950", "entries", big5, "資料集提供機關", "資料名稱", 1127},
		{"catalogues/tw/cities/01_taipei.csv", "utf-8", "entries", encoding.Nop, "資料來源(部會單位)", "資料集名稱", 1127},
		{"catalogues/tw/cities/08_taichung.csv", "utf-8", "entries", encoding.Nop, "資料來源(部會單位)", "資料集名稱", 1134},
		{"catalogues/tw/cities/14_taitung.csv", "utf-8", "entries", encoding.Nop, "資料來源(部會單位)", "資料集名稱", 500},
		{"matters/huairou_powers/区公安局行政处罚.csv", "gb18030", "duties", gb, "实施主体", "职权名称", 2970},
		{"matters/huairou_powers/区交通局行政处罚.csv", "gb18030", "duties", gb, "实施主体", "职权名称", 961},
		{"matters/huairou_powers/区人力资源和社会保障局行政处罚.csv", "gb18030", "duties", gb, "实施主体", "职权名称", 376},
		{"matters/huairou_powers/区教育委员会行政处罚.csv", "gb18030", "duties", gb, "实施主体", "职权名称", 47},
		{"matters/huairou_powers/区气象局行政处罚.csv", "gb18030", "duties", gb, "实施主体", "职权名称", 186},
	} {
		t.Run(filepath.Base(c.file), func(t *testing.T) {
			path := shared(t, c.file)
			_, r := mustPlan(t, path, Options{})
			header, rows, blank := tableOf(t, path, c.enc)
			at := func(row []string, name string) string {
				for i, h := range header {
					if strings.TrimPrefix(h, "\ufeff") == name {
						return row[i]
					}
				}
				t.Fatalf("no column %s in %v", name, header)
				return ""
			}
			var whole, pairs []string
			noOwner, noName := 0, 0
			seen := make(map[string]bool)
			for _, row := range rows {
				w := strings.Join(row, "\x00")
				whole = append(whole, w)
				owner, name := at(row, c.owner), at(row, c.name)
				if strings.TrimSpace(owner) == "" {
					noOwner++
				}
				switch {
				case seen[w]:
				case strings.TrimSpace(name) == "":
					noName++
				case c.kind == "entries" && strings.TrimSpace(owner) != "":
					pairs = append(pairs, plain(owner)+"\x00"+plain(name))
				}
				seen[w] = true
			}
			if len(rows)+blank != c.rows || r.Rows != c.rows || r.Blank != blank || r.Entries != len(rows) {
				t.Errorf("%d rows, %d blank; report %d, %d, %d entries", len(rows)+blank, blank, r.Rows, r.Blank, r.Entries)
			}
			if r.Encoding != c.encoding || r.Kind != c.kind || r.Format != "csv" {
				t.Errorf("read as %s, %s, %s", r.Format, r.Encoding, r.Kind)
			}
			if n := repeats(whole); r.Duplicates != n {
				t.Errorf("%d repeats, report %d", n, r.Duplicates)
			}
			if n := len(problemsOf(r, fault.Missing, Owner)); n != noOwner {
				t.Errorf("%d without owner, report %d", noOwner, n)
			}
			if want := noName + repeats(pairs); r.Rejected != want {
				t.Errorf("%d without name and %d clashes, report rejects %d", noName, repeats(pairs), r.Rejected)
			}
		})
	}
}
