package catalogue_test

import (
	"bytes"
	"strings"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/catalogue"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

type submission = rulestest.Try[*cataloguev1.SubmitEntries]

func one(t *submission) *cataloguev1.Entry { return t.Message.Entries[0] }

// TestSubmitEntriesOrder walks the checks of art. 13 and 14 in their order.
func TestSubmitEntriesOrder(t *testing.T) {
	var town *towntest.Town
	rulestest.Order(t, func(t *testing.T) *submission {
		town = towntest.New(t)
		return &submission{World: town.World, Account: town.Provider, Message: &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{town.Entry(nil)}}}
	}, []rulestest.Breach[*cataloguev1.SubmitEntries]{
		{Name: "empty", Want: fault.Empty, Break: func(t *submission) { t.Message.Entries = nil }},
		{Name: "too many", Want: fault.TooLong, Break: func(t *submission) {
			for len(t.Message.Entries) <= catalogue.MaxEntries {
				t.Message.Entries = append(t.Message.Entries, &cataloguev1.Entry{Id: "x"})
			}
		}},
		{Name: "id with a blank", Want: fault.Malformed, Break: func(t *submission) { one(t).Id = town.Provider + ":a b" }},
		{Name: "long id", Want: fault.TooLong, Break: func(t *submission) { one(t).Id = town.Provider + ":" + strings.Repeat("x", 65) }},
		{Name: "another's id", Want: fault.CodeInconsistent, Break: func(t *submission) { one(t).Provider = town.Consumer }},
		{Name: "stranger", Want: fault.Forbidden, Break: func(t *submission) { t.Account = town.Consumer }},
		{Name: "heavy", Want: fault.TooLong, Break: func(t *submission) { one(t).OpenCondition = strings.Repeat("x", catalogue.MaxEntryBytes) }},
		{Name: "no name", Want: fault.Missing, Break: func(t *submission) { one(t).Name = "" }},
		{Name: "long abstract", Want: fault.TooLong, Break: func(t *submission) { one(t).Abstract = strings.Repeat("数", 4001) }},
		{Name: "unknown grade", Want: fault.OutOfRange, Break: func(t *submission) { one(t).Grade = 7 }},
		{Name: "region", Want: fault.CodeInconsistent, Break: func(t *submission) { one(t).CoverageRegion = "990000" }},
		{Name: "no share type", Want: fault.Missing, Break: func(t *submission) { one(t).ShareType = 0 }},
		{Name: "item without code", Want: fault.Missing, Break: func(t *submission) { one(t).Items[0].Code = "" }},
		{Name: "item code twice", Want: fault.Duplicate, Break: func(t *submission) { one(t).Items[1].Code = one(t).Items[2].Code }},
		{Name: "art. 3: classified", Want: fault.Secret, Break: func(t *submission) { one(t).Category = "城乡建设/涉密" }},
		{Name: "art. 14: denied without law", Want: fault.DenyWithoutBasis, Break: func(t *submission) {
			one(t).ShareType, one(t).DenyBasis = 3, &cataloguev1.DenyBasis{Law: "某法"}
		}},
		{Name: "art. 14: conditions not stated", Want: fault.ConditionMissing, Break: func(t *submission) { one(t).Conditions = nil }},
		{Name: "file as interface", Want: fault.FormatMethodMismatch, Break: func(t *submission) {
			one(t).Format, one(t).Methods = cataloguev1.Format_FORMAT_FILE, []cataloguev1.Method{cataloguev1.Method_METHOD_QUERY}
		}},
		{Name: "item looser than its entry", Want: fault.CodeInconsistent, Break: func(t *submission) { one(t).Items[0].ShareType = 1 }},
		{Name: "owner item", Want: fault.CodeInconsistent, Break: func(t *submission) { one(t).OwnerItem = "nobody" }},
		{Name: "art. 13: no duty", Want: fault.NoDuty, Break: func(t *submission) { one(t).Duties = nil }},
		{Name: "another's duty", Want: fault.NoDuty, Break: func(t *submission) { one(t).Duties = []string{town.ConsumerDuty} }},
		{Name: "retired duty", Want: fault.NoDuty, Break: func(t *submission) {
			d := towntest.Duty(town.Provider, "1", "不动产登记")
			d.Retired = true
			t.Must(town.Provider, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{d}})
		}},
		{Name: "unknown source", Want: fault.NotFound, Break: func(t *submission) { one(t).SourceOrg = "nobody" }},
		{Name: "unknown system", Want: fault.NotFound, Break: func(t *submission) { one(t).System = "none" }},
		{Name: "unknown table", Want: fault.NotFound, Break: func(t *submission) { one(t).Table = "none" }},
		{Name: "another's table", Want: fault.CodeInconsistent, Break: func(t *submission) {
			table := town.TableOf("loans", "cert_no")
			table.Id, table.Org, table.Gateway, table.System = town.ConsumerGateway+":estate.loans", town.Consumer, town.ConsumerGateway, ""
			t.Must(town.ConsumerGateway, &cataloguev1.PutTables{Tables: []*cataloguev1.Table{table}})
			one(t).Table = table.Id
		}},
		{Name: "column not there", Want: fault.ItemUnmapped, Break: func(t *submission) { one(t).Items[0].Column = "nothing" }},
		{Name: "column twice", Want: fault.ItemUnmapped, Break: func(t *submission) { one(t).Items[1].Column = one(t).Items[2].Column }},
		{Name: "withdrawn", Want: fault.IllegalTransition, Break: func(t *submission) {
			e := town.Entry(func(e *cataloguev1.Entry) { e.Name = "旧目录" })
			t.Must(town.Provider, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}}, &cataloguev1.WithdrawEntry{Entry: e.Id, Reason: "合并"})
		}},
		{Name: "name taken", Want: fault.DuplicateName, Break: func(t *submission) {
			t.Must(town.Provider, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{town.Entry(func(e *cataloguev1.Entry) {
				e.Id, e.Name = e.Id+"2", "不动产　权证书" // blanks do not count
			})}})
		}},
	})
}

// TestVersions: content moves the version, nothing else does, and what did not
// change is not told.
func TestVersions(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	objects := w.WantEvent("catalogue/submit_entries", "published v1", "catalogue/entry/"+w.EntryID)
	if got := strings.Join(objects, " "); !strings.Contains(got, "catalogue/duty/"+w.ProviderDuty) || !strings.Contains(got, "catalogue/table/"+w.Table) {
		t.Errorf("the event leads to neither duty nor table: %s", got)
	}
	first := entry(w)
	w.Wait(rulestest.Day)
	w.Publish(func(e *cataloguev1.Entry) { e.State, e.Version, e.Items[0].State = 7, 9, 2 }) // the ledger's own fields are ignored
	w.WantSilence()
	w.Publish(func(e *cataloguev1.Entry) { e.Abstract = "改" })
	second := entry(w)
	hash := catalogue.ContentHash(second)
	if second.Version != 2 || second.CreatedMs != first.CreatedMs || second.UpdatedMs != w.Now || !bytes.Equal(second.ContentHash, hash[:]) {
		t.Errorf("version %d, made %d, changed %d, hash %x", second.Version, second.CreatedMs, second.UpdatedMs, second.ContentHash)
	}
	w.Want(fault.Duplicate, w.Provider, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{w.Entry(nil), w.Entry(nil)}})
	if w.Outcome.Item != 2 || w.Outcome.Rule != "catalogue/submit_entries" {
		t.Errorf("refused element %d by %s, want 2 by catalogue/submit_entries", w.Outcome.Item, w.Outcome.Rule)
	}
}

// TestNamesAreFreeAgain: a new name frees the old one, and so does a withdrawal.
func TestNamesAreFreeAgain(t *testing.T) {
	w := towntest.New(t)
	other := func(e *cataloguev1.Entry) { e.Id += "2" }
	w.Publish(nil)
	w.Publish(func(e *cataloguev1.Entry) { e.Name = "不动产证" })
	w.Publish(other)
	w.Want(fault.DuplicateName, w.Provider, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{w.Entry(nil)}})
	w.Must(w.Provider, &cataloguev1.WithdrawEntry{Entry: w.EntryID + "2", Reason: "合并"})
	w.Publish(nil)
	check(t, w)
}

// TestUnstatedIsUnconditional: under a clock profile like that of Heilongjiang, a
// conditional entry without conditions counts as unconditional.
func TestUnstatedIsUnconditional(t *testing.T) {
	w := towntest.NewWith(t, func(g *governancev1.Genesis) { g.Parameters.ClockProfile = "heilongjiang-2025" })
	w.Publish(func(e *cataloguev1.Entry) { e.Conditions = nil })
	e := entry(w)
	if got := catalogue.ShareTypeOf(w.View(), e, nil); got != cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL {
		t.Errorf("it counts as %s", got)
	}
	e.Items[0].ShareType = cataloguev1.ShareType_SHARE_TYPE_DENIED
	if got := catalogue.ShareTypeOf(w.View(), e, e.Items[0]); got != cataloguev1.ShareType_SHARE_TYPE_DENIED {
		t.Errorf("its denied item counts as %s", got)
	}
}

// TestArt17Review: with review, nothing new is in force before the authority says
// so, and 2 working days later it is overdue.
func TestArt17Review(t *testing.T) {
	w := towntest.NewWith(t, func(g *governancev1.Genesis) { g.Parameters.PublishNeedsReview = true })
	submitted := cataloguev1.EntryState_ENTRY_STATE_SUBMITTED
	w.Publish(nil)
	wantState(t, w, submitted, 1)
	w.Publish(nil)
	w.WantSilence()
	w.Want(fault.Forbidden, w.Consumer, publishing(w, w.EntryID))
	w.Want(fault.RefusalNeedsReason, w.Authority, &cataloguev1.ReviewEntries{Entries: []string{"none"}})
	w.Want(fault.NotFound, w.Authority, publishing(w, w.EntryID, "none"))
	w.Must(w.Authority, &cataloguev1.ReviewEntries{Entries: []string{w.EntryID}, Reason: "更新周期不明"})
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_RETURNED, 1)
	w.Want(fault.IllegalTransition, w.Authority, publishing(w, w.EntryID))
	w.Publish(nil)
	wantState(t, w, submitted, 1)
	w.Wait(2 * rulestest.Day) // Monday 09:00, so Wednesday is the last day
	w.WantSilence()
	w.Wait(15 * rulestest.Hour)
	w.WantEvent("catalogue/overdue", "submitted", "catalogue/entry/"+w.EntryID)
	w.Must(w.Authority, publishing(w, w.EntryID))
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, 1)

	w.Publish(func(e *cataloguev1.Entry) { e.Name = "新名" })
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_UPDATING, 1)
	if p, ok := catalogue.FindPending(w.View(), w.EntryID); !ok || !p.NeedsReview || p.ReviewDueMs <= w.Now {
		t.Errorf("the change that waits: %v", p)
	}
	w.Publish(nil) // taken back, and its name is free again
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, 1)
	w.Publish(func(e *cataloguev1.Entry) { e.Name = "新名" })
	w.Must(w.Authority, &cataloguev1.ReviewEntries{Entries: []string{w.EntryID}, Reason: "名称不规范"})
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, 1)
	w.Publish(func(e *cataloguev1.Entry) { e.Name = "新名" })
	w.Must(w.Authority, publishing(w, w.EntryID))
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, 2)
	check(t, w)
}

// TestSuspendEntry: who stopped it decides who may let it go on.
func TestSuspendEntry(t *testing.T) {
	w := towntest.New(t)
	stop := &cataloguev1.SuspendEntry{Entry: w.EntryID, Cause: "数据质量"}
	goOn := &cataloguev1.SuspendEntry{Entry: w.EntryID, Resume: true}
	w.Want(fault.NotFound, w.Provider, stop)
	w.Publish(nil)
	w.Want(fault.Forbidden, w.Consumer, goOn)
	w.Want(fault.IllegalTransition, w.Provider, goOn)
	w.Want(fault.Missing, w.Provider, &cataloguev1.SuspendEntry{Entry: w.EntryID})
	w.Must(w.Provider, stop)
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_SUSPENDED, 1)
	w.Want(fault.IllegalTransition, w.Authority, stop)
	w.Must(w.Authority, goOn)
	w.Must(w.Authority, stop)
	w.Want(fault.Forbidden, w.Provider, goOn)
	w.Publish(func(e *cataloguev1.Entry) { e.Abstract = "改" })
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_SUSPENDED, 2)
	w.Must(w.Authority, goOn)
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, 2)
	w.Want(fault.RefusalNeedsReason, w.Provider, &cataloguev1.WithdrawEntry{Entry: w.EntryID})
	w.Must(w.Provider, &cataloguev1.WithdrawEntry{Entry: w.EntryID, Reason: "职责调整"})
	w.Want(fault.IllegalTransition, w.Provider, stop)
	w.Want(fault.IllegalTransition, w.Provider, &cataloguev1.WithdrawEntry{Entry: w.EntryID, Reason: "再次"})
}

func entry(w *towntest.Town) *cataloguev1.Entry {
	w.TB.Helper()
	e, ok := catalogue.FindEntry(w.View(), w.EntryID)
	if !ok {
		w.TB.Fatalf("there is no entry %s", w.EntryID)
	}
	return e
}

func wantState(t *testing.T, w *towntest.Town, state cataloguev1.EntryState, version uint64) {
	t.Helper()
	if e := entry(w); e.State != state || e.Version != version {
		t.Fatalf("entry is %s at version %d, want %s at %d", e.State, e.Version, state, version)
	}
	check(t, w)
}

// check tests the invariants of the town's entry.
func check(t testing.TB, w *towntest.Town) {
	t.Helper()
	if err := catalogue.Check(w.View(), entry(w)); err != nil {
		t.Fatal(err)
	}
}
