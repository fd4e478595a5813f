package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/intake"
	"mulian/intake/export"
	"mulian/intake/filing"
	"mulian/internal/fault"
	"mulian/internal/sm"
)

// richTown is a town with a department whose entries have all that an entry can have.
type richTown struct {
	*reimport
	dept    *department
	entries []string
}

const richEntries = 130 // more than a page of what an import reads back at once

func newRichTown(t *testing.T) *richTown {
	r := &richTown{reimport: newReimport(t, "again")}
	d := r.department(3, "水务局", sm.SM2)
	r.dept = d
	r.as(d.Signer, &cataloguev1.PutSystems{Systems: []*cataloguev1.System{{Id: d.Account + ":S1", Org: d.Account, Name: "取水系统", Level: 1, Network: 1}}})
	table := &cataloguev1.Table{
		Id: d.gateway + ":db.permit", Org: d.Account, Gateway: d.gateway, Kind: cataloguev1.TableKind_TABLE_KIND_TABLE, Source: "db", Name: "permit", SchemaHash: make([]byte, 32),
		Columns: []*cataloguev1.Column{{Name: "permit_no", Type: "text", PhysicalType: "varchar(18)", PrimaryKey: true}, {Name: "volume", Type: "decimal", PhysicalType: "numeric"}, {Name: "note", Type: "text", PhysicalType: "text"}},
	}
	r.as(d.Signer, &cataloguev1.PutTables{Tables: []*cataloguev1.Table{table}})
	var list []*cataloguev1.Entry
	for i := range richEntries {
		list = append(list, r.rich(i, table.Id))
		r.entries = append(r.entries, list[i].Id)
	}
	for len(list) > 0 {
		n := min(100, len(list))
		r.as(d.Signer, &cataloguev1.SubmitEntries{Entries: list[:n]})
		list = list[n:]
	}
	return r
}

// rich is one entry; every third has a table, every fifth an abstract.
func (r *richTown) rich(i int, table string) *cataloguev1.Entry {
	d := r.dept
	e := &cataloguev1.Entry{
		Id: fmt.Sprintf("%s:E%03d", d.Account, i), Provider: d.Account, Name: fmt.Sprintf("取水许可 %d", i), Duties: []string{d.duty}, System: d.Account + ":S1", SourceOrg: r.staffing.Account,
		Category: "水务/许可", Format: cataloguev1.Format_FORMAT_TABLE, Methods: []cataloguev1.Method{cataloguev1.Method_METHOD_QUERY, cataloguev1.Method_METHOD_BATCH},
		ShareType: cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL, Conditions: &cataloguev1.ShareConditions{Scope: "本市部门", Purposes: []string{"审批", "核查，备案"}, Extra: "留痕"},
		OpenType: cataloguev1.OpenType_OPEN_TYPE_DENIED, UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY, Grade: cataloguev1.Grade_GRADE_GENERAL_3, Sensitivity: 2,
		Personal: cataloguev1.Personal_PERSONAL_SENSITIVE, Processing: cataloguev1.Processing_PROCESSING_MASKED, CoverageRegion: "110000", CoverageTime: "2020/2026", RetentionDays: 90, StalenessSeconds: 600,
		StandingOrder: &cataloguev1.StandingOrder{Automatic: i%2 == 0, MaxDays: 30, MaxCallsPerDay: 1000, Requesters: []string{r.authority.Account}},
		Aliases:       []string{"QS-1"}, Matters: []string{"MT1", "MT2"}, Languages: []string{"zh"}, Keywords: []string{"水", "Permit", "许可"}, Licence: "内部",
		Items: []*cataloguev1.Item{
			{Code: "permit_no", Name: "许可证号", TechnicalName: "PERMIT_NO", Type: "text", Length: 18, Personal: cataloguev1.Personal_PERSONAL_NONE, PrimaryKey: true},
			{Code: "vol", Name: "取水量", Type: "decimal", Precision: 2, CodeTable: "GB/T 2260", ShareType: cataloguev1.ShareType_SHARE_TYPE_DENIED},
			{Code: "holder", Name: "取水人", Type: "text", Personal: cataloguev1.Personal_PERSONAL_YES, Watermark: true},
		},
		Resources: []*cataloguev1.Resource{{Title: "全表", Url: "https://d.example.cn/1", Format: "CSV", Bytes: 7, Modified: "2026-01-02"}, {Title: "接口", Url: "https://d.example.cn/{id}", Format: "REST", Api: true}},
	}
	if i%3 == 0 {
		e.Table = table
		e.Items[0].Column, e.Items[1].Column, e.Items[2].Column = "permit_no", "volume", "note"
	}
	if i%5 == 0 {
		e.Abstract = fmt.Sprintf("摘要%04d号", i)
	}
	return e
}

// export writes what the ledger has in one format.
func (r *richTown) export(f export.Format) string {
	r.t.Helper()
	var entries iter.Seq2[*cataloguev1.Entry, error] = func(yield func(*cataloguev1.Entry, error) bool) {
		err := r.chain.List(context.Background(), "catalogue/entry/"+r.dept.Account+":", func(_ string, value []byte) bool {
			e := &cataloguev1.Entry{}
			return yield(e, proto.Unmarshal(value, e))
		})
		r.ok(err)
	}
	var out bytes.Buffer
	_, err := export.Write(context.Background(), &out, f, export.Source{
		Chain: chainID, Height: 9, At: time.Now(), Entries: entries,
		Org: func(code string) export.Org {
			return export.Org{Name: map[string]string{r.dept.Account: r.dept.name}[code]}
		},
	}, export.Options{})
	r.ok(err)
	path := r.path("export" + f.Ending())
	r.ok(os.WriteFile(path, out.Bytes(), 0o600))
	return path
}

// bring imports a file without a word of the command line beside it.
func (r *richTown) bring(path string) (*filing.Outcome, int64) {
	r.t.Helper()
	before := r.events()
	plan, _, err := intake.MakePlan(r.t.Context(), path, intake.Options{Kind: intake.EntryList})
	r.ok(err)
	desk := &filing.Desk{Client: r.chain, Keys: r.ring(), Authority: r.authority.Account}
	out, err := desk.Import(r.t.Context(), plan, filing.Order{Source: "again"})
	r.ok(err)
	return out, r.events() - before
}

func (r *richTown) entry(id string) *cataloguev1.Entry {
	r.t.Helper()
	e := &cataloguev1.Entry{}
	if !r.get("catalogue/entry/"+id, e) {
		r.t.Fatalf("no entry %s", id)
	}
	return export.Content(e)
}

// TestExportsOfADepartmentComeBack: what a department has on a real ledger, exported in
// each format and imported again, makes no event. An abstract that is edited in the
// file makes one change; table, standing order, items and all else stay. Of an entry
// that is locked the change waits, and is counted so.
func TestExportsOfADepartmentComeBack(t *testing.T) {
	r := newRichTown(t)
	for n, f := range []export.Format{export.Native, export.Text, export.DCAT, export.Contract, export.OpenData, export.Workbook} {
		out, events := r.bring(r.export(f))
		if out.Unchanged != richEntries || events != 0 {
			t.Errorf("%s: %d events, %+v", f, events, out.Applied)
		}
		if f == export.Workbook {
			continue // its file is packed; intake/export edits one
		}
		path, id := r.export(f), r.entries[5*(n+1)]
		want := r.entry(id)
		old := want.Abstract
		want.Abstract = "改过的摘要" + string(f)
		raw, err := os.ReadFile(path)
		r.ok(err)
		if bytes.Count(raw, []byte(old)) != 1 {
			t.Fatalf("%s: %q stands there %d times", f, old, bytes.Count(raw, []byte(old)))
		}
		r.ok(os.WriteFile(path, bytes.Replace(raw, []byte(old), []byte(want.Abstract), 1), 0o600))
		if out, events = r.bring(path); out.Changed != 1 || out.Unchanged != richEntries-1 || out.Waiting != 0 || events != 1 {
			t.Errorf("%s, an abstract edited: %d events, %+v", f, events, out.Applied)
		}
		if got := r.entry(id); !proto.Equal(got, want) {
			t.Errorf("%s, an abstract edited:\nhave %v\nwant %v", f, got, want)
		}
		if out, events = r.bring(path); out.Unchanged != richEntries || events != 0 {
			t.Errorf("%s, once more: %d events, %+v", f, events, out.Applied)
		}
	}
	id := r.entries[100]
	was := r.entry(id)
	r.as(r.dept.Signer, &cataloguev1.LockEntries{Entries: []string{id}, CounterSigners: []string{r.authority.Account}})
	path := r.export(export.DCAT)
	raw, err := os.ReadFile(path)
	r.ok(err)
	r.ok(os.WriteFile(path, bytes.Replace(raw, []byte(was.Abstract), []byte("锁后改的摘要"), 1), 0o600))
	for step, changed := range []int{1, 0} {
		out, events := r.bring(path)
		if out.Changed != changed || out.Unchanged != richEntries-changed || out.Waiting != 1 || events != int64(changed) {
			t.Errorf("locked, step %d: %d events, %+v", step, events, out.Applied)
		}
	}
	p := &cataloguev1.PendingChange{}
	want := proto.CloneOf(was)
	want.Abstract = "锁后改的摘要"
	if !proto.Equal(r.entry(id), was) || !r.get("catalogue/pending/"+id, p) || !proto.Equal(export.Content(p.GetNext()), want) {
		t.Errorf("the locked entry: %v, waiting %v", r.entry(id), p)
	}
}

// TestAnotherListMayNotChangeADepartmentsOwn: a portal's list that says something else
// of an entry is held; taken over, it changes what it states and nothing beside it.
func TestAnotherListMayNotChangeADepartmentsOwn(t *testing.T) {
	r := newRichTown(t)
	path := r.path("portal.csv")
	r.ok(os.WriteFile(path, []byte("资源代码,资源名称,提供方,资源摘要\nE000,取水许可 0,水务局,门户的摘要\n"), 0o600))
	out, events := r.bring(path)
	if out.Held != 1 || events != 0 || out.Counts[fmt.Sprint(uint32(fault.AlreadyExists))] != 1 {
		t.Errorf("%d events, %+v", events, out.Applied)
	}
	want := r.entry(r.entries[0])
	want.Abstract, want.Origin = "门户的摘要", "again#E000"
	o := r.order
	o.TakeOver = true
	out, events, err := r.version(path, o)
	r.ok(err)
	if got := r.entry(want.Id); out.Changed != 1 || events != 1 || !proto.Equal(got, want) {
		t.Errorf("taken over: %d events, %+v\nhave %v\nwant %v", events, out.Applied, got, want)
	}
	if !strings.HasPrefix(want.Table, r.dept.gateway) || len(want.Items) != 3 || want.StandingOrder == nil {
		t.Errorf("the entry lacks what is to stay: %v", want)
	}
}
