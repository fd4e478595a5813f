package export

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
	"mulian/intake/sheet"
	"mulian/internal/fault"
)

// TestMain draws 25 examples of each property, where the command line does not say how
// many: a workbook takes some 30 ms to write and to read three times.
func TestMain(m *testing.M) {
	flag.Parse()
	said := false
	flag.Visit(func(f *flag.Flag) { said = said || f.Name == "rapid.checks" })
	if !said {
		if err := flag.Set("rapid.checks", "25"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func seq[M any](ms ...M) iter.Seq2[M, error] {
	return func(yield func(M, error) bool) {
		for _, m := range ms {
			if !yield(m, nil) {
				return
			}
		}
	}
}

// sourceOf is a catalogue of these entries with what they hang on.
func sourceOf(entries ...*cataloguev1.Entry) Source {
	return Source{
		Chain: "test-1", Height: 7, At: time.UnixMilli(1_760_000_000_000), Entries: seq(entries...),
		Duties: seq(&cataloguev1.Duty{Id: orgA + ":D1", Org: orgA, Title: "=管理", PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Source: "三定方案", Article: "第三条", Version: 2},
			&cataloguev1.Duty{Id: orgB + ":D1", Org: orgB, Title: "Duty", PowerType: cataloguev1.PowerType_POWER_TYPE_OTHER}),
		Systems: seq(&cataloguev1.System{Id: orgA + ":S1", Org: orgA, Name: "系统", Level: 1, Network: 1, Version: 1}),
		Tables:  seq(&cataloguev1.Table{Id: orgA + "/g/main:db.permits", Org: orgA, Name: "permits", Columns: []*cataloguev1.Column{{Name: "col_0", Type: "text", PhysicalType: "varchar(18)"}}, RowsEstimate: 12}),
		Org: func(code string) Org {
			return map[string]Org{orgA: {"北京市规划局", "Planning"}, orgB: {"北京市水务局", ""}}[code]
		},
	}
}

// write exports into a file of the test's folder.
func write(t testing.TB, dir string, f Format, lang sheet.Lang, entries ...*cataloguev1.Entry) string {
	t.Helper()
	path := filepath.Join(dir, "catalogue"+f.Ending())
	var out bytes.Buffer
	done, err := Write(context.Background(), &out, f, sourceOf(entries...), Options{Lang: lang})
	if err != nil {
		t.Fatalf("%s: %v", f, err)
	}
	if done.Entries != len(entries) {
		t.Fatalf("%s: %d of %d entries", f, done.Entries, len(entries))
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// read imports a file as far as it goes without a ledger: names stay names.
func read(t interface {
	Fatalf(string, ...any)
	Helper()
}, path string,
) []*cataloguev1.Entry {
	t.Helper()
	plan, report, err := intake.MakePlan(context.Background(), path, intake.Options{Kind: intake.EntryList})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	if report.Rejected > 0 || report.Duplicates > 0 {
		t.Fatalf("%s: %d rejected, %d duplicates: %v", path, report.Rejected, report.Duplicates, report.Problems)
	}
	var out []*cataloguev1.Entry
	err = plan.Each(context.Background(), func(d *intake.Draft) error {
		e := d.Entry
		e.Id, e.Provider, e.Duties = d.Code+":"+d.Local, d.Code, d.DutyRefs
		for into, text := range map[*string]string{&e.SourceOrg: d.Source, &e.System: d.System, &e.Table: d.Table} {
			if text != "" {
				*into = text
			}
		}
		out = append(out, e)
		return nil
	})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}

// held is what a format can hold of an entry: everything but what Lacks names. want
// is for both sides: what comes back of the rest is not looked at.
func held(f Format, e *cataloguev1.Entry) *cataloguev1.Entry {
	e = Content(e)
	switch f {
	case DCAT:
		heldByDCAT(e)
	case OpenData:
		heldByOpenData(e)
	}
	return e
}

func heldByDCAT(e *cataloguev1.Entry) {
	if e.Abstract == e.Name {
		e.Abstract = ""
	}
	e.SourceOrg, e.Matters, e.System, e.Table, e.Methods, e.StandingOrder, e.Aliases = "", nil, "", "", nil, nil, nil
	e.Sensitivity, e.Processing, e.RetentionDays, e.StalenessSeconds = 0, 0, 0, 0
	if e.Conditions != nil {
		e.Conditions = &cataloguev1.ShareConditions{Scope: e.Conditions.Scope}
	}
	for _, it := range e.Items {
		it.Column, it.Watermark = "", false
	}
}

func heldByOpenData(e *cataloguev1.Entry) {
	heldByDCAT(e)
	if len(e.Keywords) == 0 {
		e.Keywords = []string{first(e.Category, e.Name)}
	}
	if e.Modified == "" {
		e.Modified = time.UnixMilli(1_760_000_000_000).UTC().Format(time.DateOnly)
	}
	if e.OpenType == 0 {
		e.OpenType = cataloguev1.OpenType_OPEN_TYPE_DENIED
	}
	if e.UpdateCycle == cataloguev1.UpdateCycle_UPDATE_CYCLE_HISTORICAL {
		e.UpdateCycle = 0
	}
	e.Resources = slices.DeleteFunc(e.Resources, func(f *cataloguev1.Resource) bool { return !iri(f.GetUrl()) })
	if !iri(e.Licence) {
		e.Licence = ""
	}
	if !iri(e.LandingPage) {
		e.LandingPage = ""
	}
	e.ShareType, e.Conditions, e.DenyBasis, e.Duties, e.Items, e.Grade, e.Personal, e.CoverageTime, e.Origin, e.Format = 0, nil, nil, nil, nil, 0, 0, "", "", 0
	for _, r := range e.Resources {
		r.Bytes, r.Modified = 0, ""
		if r.Api {
			r.Format = "API"
		}
		if r.Api {
			r.MediaType = ""
		}
	}
}

// blank clears in a read entry what the format does not hold, so that only the rest
// is compared.
func blank(f Format, e *cataloguev1.Entry) {
	switch f {
	case OpenData:
		e.ShareType, e.Conditions, e.Origin, e.Format = 0, nil, "", 0
		if len(e.Modified) > 10 {
			e.Modified = e.Modified[:10]
		}
	}
}

// readable are the formats that the import reads.
var readable = []Format{Native, Workbook, Text, DCAT, Contract, OpenData}

// TestRoundTrip: an import of an export has every field that the format can hold, as
// it was, for entries drawn from all that the ledger takes.
func TestRoundTrip(t *testing.T) {
	for _, f := range readable {
		for _, lang := range []sheet.Lang{sheet.Chinese, sheet.English} {
			if lang == sheet.English && f != Workbook && f != Text {
				continue // the others have no headers
			}
			t.Run(fmt.Sprintf("%s-%d", f, lang), func(t *testing.T) {
				dir := t.TempDir()
				rapid.Check(t, func(r *rapid.T) {
					var entries []*cataloguev1.Entry
					for i := range rapid.IntRange(1, 3).Draw(r, "entries") {
						entries = append(entries, anyEntry(r, i))
					}
					got := read(r, write(t, dir, f, lang, entries...))
					if len(got) != len(entries) {
						r.Fatalf("%d entries of %d", len(got), len(entries))
					}
					byID := func(a, b *cataloguev1.Entry) int { return strings.Compare(a.Id, b.Id) }
					slices.SortFunc(got, byID)
					slices.SortFunc(entries, byID)
					for i, e := range entries {
						blank(f, got[i])
						if diff := cmp.Diff(held(f, e), got[i], protocmp.Transform()); diff != "" {
							r.Fatalf("%s (-written +read):\n%s", e.Id, diff)
						}
					}
				})
			})
		}
	}
}

// TestDutiesComeBack: the duties behind the entries are read from our own form and
// from their sheet of the workbook.
func TestDutiesComeBack(t *testing.T) {
	for f, name := range map[Format]string{Native: "", Workbook: "职责"} {
		path := write(t, t.TempDir(), f, sheet.Chinese, dangerous())
		plan, report, err := intake.MakePlan(t.Context(), path, intake.Options{Kind: intake.DutyList, Sheet: name})
		if err != nil || report.Accepted != 2 {
			t.Fatalf("%s: %+v, %v", f, report, err)
		}
		var got []*cataloguev1.Duty
		if err := plan.Each(t.Context(), func(d *intake.Draft) error {
			d.Duty.Id, d.Duty.Org = d.Code+":"+d.Local, d.Code
			got = append(got, d.Duty)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		var want []*cataloguev1.Duty
		for d := range sourceOf().Duties {
			d.Version = 0
			want = append(want, d)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s (-written +read):\n%s", f, diff)
		}
	}
}

// TestSameBytes: the same source gives the same bytes.
func TestSameBytes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		e := anyEntry(r, 1)
		for _, f := range []Format{Native, Text, DCAT, Contract, OpenData} {
			var a, b bytes.Buffer
			for _, out := range []*bytes.Buffer{&a, &b} {
				if _, err := Write(context.Background(), out, f, sourceOf(proto.CloneOf(e)), Options{}); err != nil {
					r.Fatal(err)
				}
			}
			if !bytes.Equal(a.Bytes(), b.Bytes()) {
				r.Fatalf("%s differs from itself", f)
			}
		}
	})
}

// TestSourceFails: an error of the source ends every export, and is the one returned.
func TestSourceFails(t *testing.T) {
	broken := fault.Newf(fault.Unreachable, "the node went away")
	for _, f := range Formats {
		s := sourceOf()
		s.Entries = func(yield func(*cataloguev1.Entry, error) bool) { yield(nil, broken) }
		if _, err := Write(t.Context(), io.Discard, f, s, Options{}); !fault.Is(err, fault.Unreachable) {
			t.Errorf("%s: %v", f, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Write(ctx, io.Discard, Native, sourceOf(&cataloguev1.Entry{Id: "x"}), Options{}); !fault.Is(err, fault.Cancelled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := Write(t.Context(), io.Discard, "docx", sourceOf(), Options{}); !fault.Is(err, fault.Usage) {
		t.Errorf("a format that is none: %v", err)
	}
}
