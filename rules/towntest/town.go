// Package towntest is the small town in which the rules of sharing are tested: a
// provider with a duty, a system, a gateway, a table and an entry on it, and a
// consumer with a duty of its own and a gateway. It stands on package rulestest:
// each act is a signed envelope on two replicas.
//
// It is not the demonstration city, and used by tests only. All of it is made up.
//
//	town := towntest.New(t)
//	town.Publish(nil)                                  // the entry, as Entry makes it
//	id := town.Must(town.Consumer, town.Request(nil))  // request, and agreement if it was answered
package towntest

import (
	"crypto/sha256"
	"fmt"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/rules/rulestest"
)

// Town is a world with two departments that have to do with each other.
type Town struct {
	*rulestest.World

	Provider, ProviderGateway, ProviderDuty, System, Table string
	Consumer, ConsumerGateway, ConsumerDuty                string

	// EntryID is the id that Entry gives.
	EntryID string
}

// New makes a town with a provider's table seen by its gateway; no entry yet.
func New(t testing.TB) *Town { return NewWith(t, func(*governancev1.Genesis) {}) }

// NewWith is [New] with a genesis that the caller has changed.
func NewWith(t testing.TB, change func(*governancev1.Genesis)) *Town {
	t.Helper()
	w := &Town{World: rulestest.FoundWith(t, change, 100)}
	w.Provider, w.Consumer = w.Org("不动产登记中心"), w.Org("住房公积金中心")
	w.ProviderGateway, w.ConsumerGateway = w.Gateway(w.Provider, "main"), w.Gateway(w.Consumer, "main")
	w.ProviderDuty, w.ConsumerDuty = w.Provider+":1", w.Consumer+":1"
	w.System, w.EntryID = w.Provider+":estate", w.Provider+":certificate"
	w.Must(w.Provider, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{Duty(w.Provider, "1", "不动产登记")}})
	w.Must(w.Consumer, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{Duty(w.Consumer, "1", "公积金贷款审批")}})
	w.Must(w.Provider, &cataloguev1.PutSystems{Systems: []*cataloguev1.System{{Id: w.System, Org: w.Provider, Name: "不动产登记系统"}}})
	table := w.TableOf("certificate", "cert_no", "owner", "area", "issued")
	w.Table = table.Id
	w.Must(w.ProviderGateway, &cataloguev1.PutTables{Tables: []*cataloguev1.Table{table}})
	return w
}

// Duty returns a duty of the organisation.
func Duty(org, local, title string) *cataloguev1.Duty {
	return &cataloguev1.Duty{
		Id: org + ":" + local, Org: org, Title: title, PowerType: cataloguev1.PowerType_POWER_TYPE_CONFIRMATION,
		Source: "三定规定", Article: "第三条",
	}
}

// TableOf returns a table of the provider's gateway with text columns.
func (w *Town) TableOf(name string, columns ...string) *cataloguev1.Table {
	t := &cataloguev1.Table{
		Id: w.ProviderGateway + ":estate." + name, Org: w.Provider, Gateway: w.ProviderGateway, System: w.System,
		Kind: cataloguev1.TableKind_TABLE_KIND_TABLE, Source: "estate", Name: name, RowsEstimate: 1000,
	}
	t.Columns = Columns(columns...)
	t.SchemaHash = Schema(t.Columns)
	return t
}

// Columns returns text columns of these names.
func Columns(names ...string) (out []*cataloguev1.Column) {
	for _, name := range names {
		out = append(out, &cataloguev1.Column{Name: name, Type: "text", PhysicalType: "varchar(40)", Nullable: true})
	}
	return out
}

// Schema returns a hash that stands for the columns. The ledger never computes it.
func Schema(columns []*cataloguev1.Column) []byte {
	h := sha256.New()
	for _, c := range columns {
		fmt.Fprintf(h, "%s %s\n", c.Name, c.PhysicalType)
	}
	return h.Sum(nil)
}

// Entry returns a conditional entry on the town's table, with three of its four
// columns mapped, after the changes of edit (nil = none).
func (w *Town) Entry(edit func(*cataloguev1.Entry)) *cataloguev1.Entry {
	e := &cataloguev1.Entry{
		Id: w.EntryID, Name: "不动产权证书", Abstract: "已登记的不动产权证书", Provider: w.Provider, Duties: []string{w.ProviderDuty},
		System: w.System, Table: w.Table, Category: "城乡建设/不动产", Format: cataloguev1.Format_FORMAT_TABLE,
		ShareType:  cataloguev1.ShareType_SHARE_TYPE_CONDITIONAL,
		Conditions: &cataloguev1.ShareConditions{Scope: "行政机关", Purposes: []string{"公积金贷款审批", "住房保障"}},
		OpenType:   cataloguev1.OpenType_OPEN_TYPE_DENIED, UpdateCycle: cataloguev1.UpdateCycle_UPDATE_CYCLE_DAILY,
		Grade: cataloguev1.Grade_GRADE_GENERAL_2, Personal: cataloguev1.Personal_PERSONAL_YES, CoverageRegion: "110000",
		Items: []*cataloguev1.Item{
			{Code: "no", Name: "证书号", Type: "text", PrimaryKey: true, Column: "cert_no"},
			{Code: "owner", Name: "权利人", Type: "text", Column: "owner", Personal: cataloguev1.Personal_PERSONAL_YES},
			{Code: "area", Name: "面积", Type: "text", Column: "area"},
		},
	}
	if edit != nil {
		edit(e)
	}
	return e
}

// Open makes an entry unconditional, with a standing order without bounds.
func Open(e *cataloguev1.Entry) {
	e.ShareType, e.Conditions = cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL, nil
	e.StandingOrder = &cataloguev1.StandingOrder{Automatic: true}
}

// Publish submits the entry, as [Town.Entry] makes it.
func (w *Town) Publish(edit func(*cataloguev1.Entry)) {
	w.TB.Helper()
	w.Must(w.Provider, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{w.Entry(edit)}})
}

// Request returns an application of the consumer for two items of the entry, after
// the changes of edit (nil = none).
func (w *Town) Request(edit func(*sharev1.Terms)) *sharev1.FileRequest {
	t := &sharev1.Terms{
		Parts:   []*sharev1.Part{{Entry: w.EntryID, Items: []string{"no", "area"}}},
		Purpose: "公积金贷款审批", Duty: w.ConsumerDuty, Matter: "公积金贷款", LegalBasis: "住房公积金管理条例第二十六条",
		AppSystem: "公积金业务系统", ScopeOfUse: "本单位", Method: cataloguev1.Method_METHOD_BATCH, Days: 30,
	}
	if edit != nil {
		edit(t)
	}
	return &sharev1.FileRequest{Terms: t, Gateway: w.ConsumerGateway}
}

// Agree files the request, answers it if the ledger did not, and confirms the
// agreement. It returns the ids of both.
func (w *Town) Agree(edit func(*sharev1.Terms)) (request, agreement string) {
	w.TB.Helper()
	ids := w.Must(w.Consumer, w.Request(edit))
	if len(ids) == 1 {
		ids = append(ids, w.Must(w.Provider, &sharev1.Answer{Request: ids[0], Accept: true})...)
	}
	w.Must(w.Consumer, &sharev1.ConfirmAgreement{Agreement: ids[1], Version: 1})
	return ids[0], ids[1]
}

// Drift returns the gateway's report that the table has these columns now, of one
// change.
func (w *Town) Drift(kind string, class cataloguev1.DriftClass, column string, now ...string) *cataloguev1.ReportDrift {
	columns := Columns(now...)
	return &cataloguev1.ReportDrift{
		Table: w.Table, BeforeHash: Schema(Columns("cert_no", "owner", "area", "issued")), AfterHash: Schema(columns), Columns: columns, SeenMs: w.Now,
		Changes: []*cataloguev1.DriftChange{{Kind: kind, Class: class, Column: column}},
	}
}

// WantEvent fails the test unless the last block has an event of the verb with the
// note, whose first object is subject. It returns the event's objects.
func (w *Town) WantEvent(verb, note, subject string) []string {
	w.TB.Helper()
	var seen []string
	for _, ev := range w.Events() {
		if ev.Verb == verb && ev.Note == note && len(ev.Objects) > 0 && ev.Objects[0] == subject {
			return ev.Objects
		}
		seen = append(seen, fmt.Sprintf("%s %q %v", ev.Verb, ev.Note, ev.Objects))
	}
	w.TB.Fatalf("no event %s %q of %s among %v", verb, note, subject, seen)
	return nil
}

// WantSilence fails the test if the last block has an event: what did not change is
// not told.
func (w *Town) WantSilence() {
	w.TB.Helper()
	for _, ev := range w.Events() {
		w.TB.Fatalf("event %s %q %v, want none", ev.Verb, ev.Note, ev.Objects)
	}
}
