package e2e_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/text/encoding/traditionalchinese"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
	"mulian/intake/filing"
)

// mostCPU is what one entry may cost in processor time, from the first byte read to the
// index: importer, member and index together. 2,000 entries a second on two cores leave
// one millisecond for each. The test fails at twice that: neighbours that take the caches
// away cost processor time, too.
const mostCPU = 2 * time.Millisecond

// processCPU is the processor time that this process has used.
func processCPU(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// portal is a published catalogue and how this test counts its records by itself.
type portal struct {
	path  string
	count func(t *testing.T, raw []byte) int
}

var portals = []portal{
	{"tw/data_gov_tw_list_2018.csv", rowsOfCSV},
	{"cn/beijing_catalogue_2021.json", valuesOfJSON},
	{"cn/guangxi_catalogue_2021.json", valuesOfJSON},
	{"de/bremen-catalog.rdf.gz", datasetsOfXML},
	{"de/destatis-catalog.rdf.gz", datasetsOfXML},
	{"fr/datagouv_2019-06-13-14-09.jsonl.gz", valuesOfJSON},
	{"jp/tokyo_ckan_packages_2021.jsonl.gz", valuesOfJSON},
	{"tw/cities/01_taipei.csv", rowsOfCSV},
	{"tw/cities/08_taichung.csv", rowsOfCSV},
	{"tw/cities/14_taitung.csv", rowsOfCSV},
	{"tw/taipei_2018_big5.csv", rowsOfBig5},
	{"us/consumerfinance.data.json", datasetsOfJSON},
	{"us/datajson-samples/collection-1-parent-2-children.data.json", datasetsOfJSON},
	{"us/datajson-samples/many-resources.data.json", datasetsOfJSON},
	{"us/datajson-samples/missing-identifier-title.data.json", datasetsOfJSON},
	{"us/datajson-samples/usda.gov.data.json", datasetsOfJSON},
	{"us/dol.data.json", datasetsOfJSON},
	{"us/fcc.data.json", datasetsOfJSON},
	{"us/gsa.data.json", datasetsOfJSON},
	{"us/opm.data.json", datasetsOfJSON},
}

// nobodys counts, in the lists that have such, the records whose owner is nobody's
// name: nobody is registered for them, and they are held back.
var nobodys = map[string]func(t *testing.T, raw []byte) int{
	"tw/cities/14_taitung.csv": func(_ *testing.T, raw []byte) int {
		return bytes.Count(raw, []byte(",OD_OpenData_DealData.aspx?s="))
	},
	"us/dol.data.json": func(t *testing.T, raw []byte) (n int) {
		for _, d := range datasets(t, raw) {
			var p struct{ Name string }
			if json.Unmarshal(d["publisher"], &p) == nil && p.Name == "Published" {
				n++
			}
		}
		return n
	},
}

// TestEveryCatalogueIntoOneChain: what the world's portals publish, read, judged,
// signed by the organisations that the lists name, committed by a real node and found
// in its index. Every record has one verdict, and the numbers are those of the files.
func TestEveryCatalogueIntoOneChain(t *testing.T) {
	root := sharedFile(t, "catalogues")
	w := newTown(t, t.TempDir())
	desk := &filing.Desk{Client: w.chain, Keys: w.ring(), Authority: w.authority.Account}
	list := portals
	if testing.Short() {
		list = list[1:6]
	}
	began, cpu := time.Now(), processCPU(t)
	records, fresh, held, sent := 0, 0, 0, 0
	for i, planned := range intake.Ahead(t.Context(), len(list), func(i int) (string, intake.Options) {
		return filepath.Join(root, filepath.FromSlash(list[i].path)), intake.Options{TellApart: true}
	}) {
		p, plan, report, err := list[i], planned.Plan, planned.Report, planned.Err
		path := filepath.Join(root, filepath.FromSlash(p.path))
		if err != nil {
			t.Errorf("%s: %v", p.path, err)
			continue
		}
		if want := p.count(t, unpacked(t, path)); report.Entries != want {
			t.Errorf("%s: %d records, the report has %d entries", p.path, want, report.Entries)
		}
		if n := report.Accepted + report.Doubtful + report.Rejected + report.Duplicates; n != report.Entries {
			t.Errorf("%s: %d verdicts for %d entries", p.path, n, report.Entries)
		}
		out, err := desk.Import(t.Context(), plan, filing.Order{Register: true, Owner: w.authority.Account, Duty: "汇集公开目录", ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, Source: p.path})
		if err != nil {
			t.Fatalf("%s: %v", p.path, err)
		}
		if n := out.Sent + out.Unchanged + out.Resumed + out.Held + out.Refused; n != report.Accepted+report.Doubtful || out.New+out.Changed != out.Sent {
			t.Errorf("%s: %d drafts became something, of %d + %d: %+v", p.path, n, report.Accepted, report.Doubtful, out.Applied)
		}
		if out.Changed+out.Refused > 0 {
			t.Errorf("%s: %d changed, %d refused: %v", p.path, out.Changed, out.Refused, out.Problems)
		}
		if count := nobodys[p.path]; count != nil {
			if n := count(t, unpacked(t, path)); n == 0 || out.Counts["11034"] != n {
				t.Errorf("%s: %d owners are nobody's name, %d are held back", p.path, n, out.Counts["11034"])
			}
		}
		t.Logf("%-60s %5d records: %5d new, %4d with another source, %3d held otherwise, %3d rejected, %3d repeats, %3d organisations", p.path, report.Entries, out.New,
			out.Counts["11021"], out.Held-out.Counts["11021"], report.Rejected, report.Duplicates, out.Registered)
		records, fresh, held, sent = records+report.Entries, fresh+out.New, held+out.Held, sent+out.Batches
	}
	w.indexed()
	took := time.Since(began).Seconds()
	each := (processCPU(t) - cpu) / time.Duration(max(fresh, 1))
	t.Logf("%d records, %d entries on the ledger in %d transactions, %.0f s: %.0f entries a second, %d µs of processor time each", records, fresh, sent, took, float64(fresh)/took, each.Microseconds())
	count, err := w.chain.Catalogue.Count(t.Context(), connect.NewRequest(&cataloguev1.CountRequest{}))
	w.ok(err)
	if count.Msg.GetEntries() != int64(fresh) {
		t.Errorf("%d entries were sent, the node counts %d", fresh, count.Msg.GetEntries())
	}
	if !testing.Short() && fresh <= 50_000 {
		t.Errorf("%d entries, more than 50,000 are wanted", fresh)
	}
	if !testing.Short() && each > mostCPU {
		t.Errorf("%s of processor time for each entry, at most %s", each, mostCPU)
	}
}

// indexed waits until the index has every event.
func (w *town) indexed() {
	w.Helper()
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		st, err := w.chain.Status(context.Background())
		w.ok(err)
		if st.GetIndexed() == st.GetEvents() {
			return
		}
		if time.Now().After(end) {
			w.Fatalf("the index has %d of %d events", st.GetIndexed(), st.GetEvents())
		}
	}
}

// events is how many events the ledger has.
func (w *town) events() int64 {
	w.Helper()
	st, err := w.chain.Status(context.Background())
	w.ok(err)
	return st.GetEvents()
}

// unpacked reads a file as published, without its gzip.
func unpacked(t *testing.T, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(path, ".gz") {
		return raw
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err == nil {
		raw, err = io.ReadAll(z)
	}
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func rowsOfCSV(t *testing.T, raw []byte) int {
	t.Helper()
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff"))))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return len(rows) - 1
}

func rowsOfBig5(t *testing.T, raw []byte) int {
	t.Helper()
	text, err := traditionalchinese.Big5.NewDecoder().Bytes(raw)
	if err != nil {
		t.Fatal(err)
	}
	return rowsOfCSV(t, text)
}

// valuesOfJSON counts the values that stand one after the other.
func valuesOfJSON(t *testing.T, raw []byte) (n int) {
	t.Helper()
	for d := json.NewDecoder(bytes.NewReader(raw)); ; n++ {
		var v json.RawMessage
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return n
		} else if err != nil {
			t.Fatalf("after %d values: %v", n, err)
		}
	}
}

func datasetsOfJSON(t *testing.T, raw []byte) int { return len(datasets(t, raw)) }

// datasets are those of a data.json, as they stand.
func datasets(t *testing.T, raw []byte) []map[string]json.RawMessage {
	t.Helper()
	var v struct {
		Dataset []map[string]json.RawMessage `json:"dataset"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	return v.Dataset
}

// datasetsOfXML counts what the graph calls a dcat:Dataset, by element or by rdf:type.
func datasetsOfXML(t *testing.T, raw []byte) (n int) {
	t.Helper()
	const dcat, rdf = "http://www.w3.org/ns/dcat#", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
	for d := xml.NewDecoder(bytes.NewReader(raw)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		if e.Name == (xml.Name{Space: dcat, Local: "Dataset"}) {
			n++
		}
		for _, a := range e.Attr {
			if e.Name == (xml.Name{Space: rdf, Local: "type"}) && a.Value == dcat+"Dataset" {
				n++
			}
		}
	}
}
