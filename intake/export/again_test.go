package export

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
	"mulian/intake/sheet"
	"mulian/internal/canon"
)

// shelf is a ledger of entries in memory.
type shelf struct {
	entries map[string]*cataloguev1.Entry
	sent    []string
}

func (s *shelf) Send(_ context.Context, b intake.Batch) error {
	for _, e := range b.Entries {
		s.entries[e.Id] = proto.CloneOf(e)
		s.sent = append(s.sent, e.Id)
	}
	return nil
}

func (s *shelf) target(source string) intake.Target {
	mine := func(org, text string) (string, bool) { return text, strings.HasPrefix(text, org) }
	return intake.Target{
		Org: func(name string) (string, bool) {
			code, ok := map[string]string{"北京市规划局": orgA, "北京市水务局": orgB, orgA: orgA, orgB: orgB}[name]
			return code, ok
		},
		Duty:   func(org, text string) []string { return []string{org + ":D9"} },
		System: mine, Table: mine,
		Columns: func(string) []string { return []string{"col_0", "permit_no", "code_1"} },
		Known: func(id string) (intake.Standing, bool) {
			e, ok := s.entries[id]
			if !ok {
				return intake.Standing{}, false
			}
			raw, err := canon.Marshal(e)
			if err != nil {
				panic(err)
			}
			return intake.Standing{Content: sha256.Sum256(raw), Origin: e.Origin}, true
		},
		Entry:     func(id string) (*cataloguev1.Entry, error) { return s.entries[id], nil },
		Source:    source,
		ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL,
	}
}

// again imports a file.
func (s *shelf) again(t interface {
	Fatalf(string, ...any)
}, path string,
) *intake.Applied {
	s.sent = nil
	plan, _, err := intake.MakePlan(context.Background(), path, intake.Options{Kind: intake.EntryList})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	out, err := intake.Apply(context.Background(), plan, s.target("again"), s)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return out
}

// edit puts one text in the place of another in a file.
func edit(t interface{ Fatalf(string, ...any) }, f Format, path, from, to string) {
	if f == Workbook {
		book, err := excelize.OpenFile(path)
		if err != nil {
			t.Fatalf("%v", err)
		}
		defer book.Close()
		name := book.GetSheetList()[0]
		at, err := book.SearchSheet(name, from)
		if err != nil || len(at) != 1 {
			t.Fatalf("%s: %v, %v", from, at, err)
		}
		if err := book.SetCellStr(name, at[0], to); err != nil {
			t.Fatalf("%v", err)
		}
		if err := book.Save(); err != nil {
			t.Fatalf("%v", err)
		}
		return
	}
	raw, err := os.ReadFile(path)
	if err != nil || bytes.Count(raw, []byte(from)) != 1 {
		t.Fatalf("%s has %q %d times: %v", path, from, bytes.Count(raw, []byte(from)), err)
	}
	if err := os.WriteFile(path, bytes.Replace(raw, []byte(from), []byte(to), 1), 0o600); err != nil {
		t.Fatalf("%v", err)
	}
}

// TestExportComesBackAsNoChange: what a department exports and imports again changes
// nothing, in every format, though most cannot hold all of an entry; one text that is
// edited in the file changes that text of that entry, and nothing else; the same file
// once more changes nothing.
func TestExportComesBackAsNoChange(t *testing.T) {
	const before, after = "原来的摘要QX7", "改过的摘要ZK9"
	for _, f := range readable {
		for _, lang := range []sheet.Lang{sheet.Chinese, sheet.English} {
			if lang == sheet.English && f != Workbook && f != Text {
				continue
			}
			t.Run(fmt.Sprintf("%s-%d", f, lang), func(t *testing.T) {
				dir := t.TempDir()
				rapid.Check(t, func(r *rapid.T) {
					s := &shelf{entries: map[string]*cataloguev1.Entry{}}
					var entries []*cataloguev1.Entry
					n := rapid.IntRange(1, 3).Draw(r, "entries")
					one := rapid.IntRange(0, n-1).Draw(r, "edited")
					for i := range n {
						e := anyEntry(r, i)
						switch {
						case i == one:
							e.Abstract = before
						case rapid.Bool().Draw(r, "abstract is the name"): // as of one catalogued entry in fifteen
							e.Abstract = e.Name
						}
						entries = append(entries, e)
						s.entries[e.Id] = Content(e)
					}
					path := write(t, dir, f, lang, entries...)
					out := s.again(r, path)
					if out.Unchanged != n || len(s.sent) > 0 {
						for i, e := range entries {
							if diff := cmp.Diff(Content(entries[i]), s.entries[e.Id], protocmp.Transform()); diff != "" {
								r.Logf("%s (-had +has):\n%s", e.Id, diff)
							}
						}
						r.Fatalf("as it left: %+v", out)
					}
					want := Content(entries[one])
					want.Abstract = after
					edit(r, f, path, before, after)
					out = s.again(r, path)
					if out.Changed != 1 || out.Unchanged != n-1 || out.Held > 0 || len(s.sent) != 1 {
						r.Fatalf("one text edited: %+v", out)
					}
					if diff := cmp.Diff(want, s.entries[want.Id], protocmp.Transform()); diff != "" {
						r.Fatalf("one text edited (-want +have):\n%s", diff)
					}
					if out = s.again(r, path); out.Unchanged != n || len(s.sent) > 0 {
						r.Fatalf("once more: %+v", out)
					}
				})
			})
		}
	}
}

// TestAWithdrawnEntryDoesNotClaimItsName: what was withdrawn and came back under another
// id stands twice in an export, under one name.
func TestAWithdrawnEntryDoesNotClaimItsName(t *testing.T) {
	gone := &cataloguev1.Entry{Id: orgA + ":X", Provider: orgA, Name: "取水许可", Abstract: "旧", ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, State: cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN}
	living := proto.CloneOf(gone)
	living.Id, living.Abstract, living.State = orgA+":X.2", "新", cataloguev1.EntryState_ENTRY_STATE_PUBLISHED
	for _, f := range readable {
		for _, entries := range [][]*cataloguev1.Entry{{gone, living}, {living, gone}} {
			path := write(t, t.TempDir(), f, sheet.English, entries...)
			_, rep, err := intake.MakePlan(t.Context(), path, intake.Options{Kind: intake.EntryList})
			if err != nil || rep.Rejected != 0 || rep.Entries != 2 {
				t.Errorf("%s, %s first: %d of %d rejected, %v: %v", f, entries[0].State, rep.Rejected, rep.Entries, err, rep.Problems)
			}
		}
	}
}

// TestWhatAListSaysIsWithdrawnIsNotPublished: into an empty ledger the living entry goes,
// under its name, and what was withdrawn or not published yet is left out and named; on
// the ledger that it came from, what is withdrawn is unchanged.
func TestWhatAListSaysIsWithdrawnIsNotPublished(t *testing.T) {
	gone := &cataloguev1.Entry{Id: orgA + ":X", Provider: orgA, Name: "取水许可", Abstract: "旧", ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, State: cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN}
	living, draft := proto.CloneOf(gone), proto.CloneOf(gone)
	living.Id, living.Abstract, living.State = orgA+":X.2", "新", cataloguev1.EntryState_ENTRY_STATE_PUBLISHED
	draft.Id, draft.Name, draft.State = orgA+":Y", "水文观测", cataloguev1.EntryState_ENTRY_STATE_SUBMITTED
	for _, f := range []Format{Native, Workbook, Text, Contract} {
		path := write(t, t.TempDir(), f, sheet.English, gone, living, draft)
		s := &shelf{entries: map[string]*cataloguev1.Entry{}}
		out := s.again(t, path)
		if out.New != 1 || out.Out != 2 || out.Held+out.Refused != 0 || s.entries[living.Id].GetName() != living.Name {
			t.Errorf("%s: %v, %+v", f, s.sent, out)
		}
		if len(out.Problems) != 2 || !strings.Contains(out.Problems[0].Message, "withdrawn in the list") {
			t.Errorf("%s: %v", f, out.Problems)
		}
		plan, _, err := intake.MakePlan(t.Context(), path, intake.Options{Kind: intake.EntryList})
		if err != nil {
			t.Fatal(err)
		}
		s.entries = map[string]*cataloguev1.Entry{gone.Id: Content(gone), living.Id: Content(living), draft.Id: Content(draft)}
		target := s.target("again")
		alive := target.Known
		target.Known = func(id string) (intake.Standing, bool) {
			have, ok := alive(id)
			have.Withdrawn = id == gone.Id
			return have, ok
		}
		if out, err = intake.Apply(t.Context(), plan, target, s); err != nil || out.Unchanged != 3 {
			t.Errorf("%s: %+v, %v", f, out, err)
		}
	}
}

// TestAnExportNamesWhomItSpeaksOf: every owner is named beside his code, and the duties
// go before the entries; what is not read is told.
func TestAnExportNamesWhomItSpeaksOf(t *testing.T) {
	e := &cataloguev1.Entry{Id: orgA + ":X", Provider: orgA, Name: "取水许可", Duties: []string{orgA + ":D1"}, ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, State: cataloguev1.EntryState_ENTRY_STATE_PUBLISHED}
	for _, f := range readable {
		if f == OpenData {
			continue
		}
		path := write(t, t.TempDir(), f, sheet.English, e)
		plan, rep, err := intake.MakePlan(t.Context(), path, intake.Options{})
		if err != nil || plan.Coded()["北京市规划局"] != orgA {
			t.Fatalf("%s: %v, %v", f, plan.Coded(), err)
		}
		if rep.Rejected+rep.Doubtful > 0 {
			t.Errorf("%s: %v", f, rep.Problems)
		}
		if f != Native && f != Workbook {
			continue
		}
		duties := plan.Duties()
		if duties == nil || duties.Coded()["北京市水务局"] != orgB {
			t.Fatalf("%s: no duties, or without their owner", f)
		}
		unread := map[Format]string{Native: "systems, tables", Workbook: "Systems, Tables"}[f]
		said := func(p intake.Problem) bool { return strings.Contains(p.Message, unread) }
		if !slices.ContainsFunc(rep.Problems, said) {
			t.Errorf("%s: %v", f, rep.Problems)
		}
	}
}
