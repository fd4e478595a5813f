package catalogue_test

import (
	"bytes"
	"testing"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/rules/catalogue"
	"mulian/rules/rulestest"
	"mulian/rules/towntest"
)

// locked is a town whose entry is locked with the consumer and the authority.
func locked(t testing.TB) *towntest.Town {
	w := towntest.New(t)
	w.Publish(nil)
	w.Must(w.Provider, &cataloguev1.LockEntries{Entries: []string{w.EntryID}, CounterSigners: []string{w.Consumer, w.Authority}})
	return w
}

func waiting(w *towntest.Town) *cataloguev1.PendingChange {
	w.TB.Helper()
	p, ok := catalogue.FindPending(w.View(), w.EntryID)
	if !ok {
		w.TB.Fatalf("no change of %s waits", w.EntryID)
	}
	return p
}

func (s signature) by(org string) { s.w.TB.Helper(); s.w.Must(org, s.of(false)) }

// signature is over the change that waits.
type signature struct{ w *towntest.Town }

func (s signature) of(refuse bool) *cataloguev1.CounterSign {
	s.w.TB.Helper()
	return &cataloguev1.CounterSign{Entry: s.w.EntryID, ContentHash: waiting(s.w).Next.ContentHash, Refuse: refuse, Reason: "不同意"}
}

// TestLockEntriesOrder walks the checks of a lock.
func TestLockEntriesOrder(t *testing.T) {
	type lock = rulestest.Try[*cataloguev1.LockEntries]
	var w *towntest.Town
	rulestest.Order(t, func(t *testing.T) *lock {
		w = towntest.New(t)
		w.Publish(nil)
		return &lock{World: w.World, Account: w.Provider, Message: &cataloguev1.LockEntries{Entries: []string{w.EntryID}, CounterSigners: []string{w.Consumer}}}
	}, []rulestest.Breach[*cataloguev1.LockEntries]{
		{Name: "empty", Want: fault.Empty, Break: func(l *lock) { l.Message.Entries = nil }},
		{Name: "nobody signs", Want: fault.Empty, Break: func(l *lock) { l.Message.CounterSigners = nil }},
		{Name: "too many sign", Want: fault.TooLong, Break: func(l *lock) { l.Message.CounterSigners = make([]string, 9) }},
		{Name: "one signs twice", Want: fault.Duplicate, Break: func(l *lock) { l.Message.CounterSigners = []string{w.Consumer, w.Consumer} }},
		{Name: "unknown signer", Want: fault.NotFound, Break: func(l *lock) { l.Message.CounterSigners = []string{"nobody"} }},
		{Name: "unknown entry", Want: fault.NotFound, Break: func(l *lock) { l.Message.Entries = []string{"none"} }},
		{Name: "stranger", Want: fault.Forbidden, Break: func(l *lock) { l.Account = w.Consumer }},
		{Name: "signs for itself", Want: fault.CodeInconsistent, Break: func(l *lock) { l.Message.CounterSigners = []string{w.Provider} }},
		{Name: "locked with others", Want: fault.LockHeld, Break: func(l *lock) {
			l.Must(w.Provider, &cataloguev1.LockEntries{Entries: []string{w.EntryID}, CounterSigners: []string{w.Authority}})
			l.Message.Entries = []string{w.EntryID}
		}},
		{Name: "not published", Want: fault.IllegalTransition, Break: func(l *lock) {
			e := w.Entry(func(e *cataloguev1.Entry) { e.Id, e.Name = e.Id+"2", "另一目录" })
			l.Must(w.Provider, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{e}}, &cataloguev1.SuspendEntry{Entry: e.Id, Cause: "检查"})
			l.Message.Entries = []string{e.Id}
		}},
	})
}

// TestLockedEntryChangesWithAllSignatures: the old version stays in force until the
// last one, and a signature is for the change that its signer saw.
func TestLockedEntryChangesWithAllSignatures(t *testing.T) {
	w := locked(t)
	w.Must(w.Provider, &cataloguev1.LockEntries{Entries: []string{w.EntryID}, CounterSigners: []string{w.Authority, w.Consumer}})
	w.WantSilence() // the same lock again
	w.Want(fault.LockHeld, w.Provider, &cataloguev1.WithdrawEntry{Entry: w.EntryID, Reason: "不再提供"})
	w.Want(fault.NotFound, w.Consumer, &cataloguev1.CounterSign{Entry: w.EntryID})

	w.Publish(func(e *cataloguev1.Entry) { e.Abstract = "第一稿" })
	draft := signature{w}.of(false)
	w.Publish(func(e *cataloguev1.Entry) { e.Abstract = "第二稿" })
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_UPDATING, 1)
	w.Want(fault.Forbidden, w.Provider, draft)
	w.Want(fault.VersionConflict, w.Consumer, draft)
	signature{w}.by(w.Consumer)
	signature{w}.by(w.Consumer)
	w.WantSilence() // to sign twice is no fault
	w.Publish(func(e *cataloguev1.Entry) { e.Abstract = "第三稿" })
	if p := waiting(w); len(p.Signed) != 0 || len(p.Needed) != 2 {
		t.Fatalf("signatures for one draft count for the next: signed %v, needed %v", p.Signed, p.Needed)
	}
	signature{w}.by(w.Consumer)
	signature{w}.by(w.Authority)
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, 2)
	e := entry(w)
	if e.Abstract != "第三稿" || e.Lock.GetVersion() != 2 || len(e.Lock.CounterSigners) != 2 {
		t.Errorf("abstract %q, lock %v", e.Abstract, e.Lock)
	}

	other := func(e *cataloguev1.Entry) { e.Id, e.Name = e.Id+"2", "新名" }
	w.Publish(func(e *cataloguev1.Entry) { e.Name = "新名" })
	w.Want(fault.DuplicateName, w.Provider, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{w.Entry(other)}})
	w.Want(fault.RefusalNeedsReason, w.Consumer, &cataloguev1.CounterSign{Entry: w.EntryID, ContentHash: waiting(w).Next.ContentHash, Refuse: true})
	w.Must(w.Consumer, signature{w}.of(true))
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, 2)
	w.Publish(other) // the name of what was refused is free
}

// TestUnlockNeedsTheSameSignatures: and a signature for it serves nothing else.
func TestUnlockNeedsTheSameSignatures(t *testing.T) {
	w := locked(t)
	w.Want(fault.Forbidden, w.Consumer, &cataloguev1.UnlockEntry{Entry: w.EntryID})
	w.Must(w.Provider, &cataloguev1.UnlockEntry{Entry: w.EntryID})
	if p := waiting(w); bytes.Equal(p.Next.ContentHash, entry(w).ContentHash) {
		t.Error("to unlock is signed over the same hash as the content")
	}
	w.Must(w.Provider, &cataloguev1.UnlockEntry{Entry: w.EntryID})
	w.WantSilence()
	signature{w}.by(w.Consumer)
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_UPDATING, 1)
	signature{w}.by(w.Authority)
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, 1)
	if entry(w).Lock != nil {
		t.Error("all have signed, and the lock is there")
	}
	w.Want(fault.IllegalTransition, w.Provider, &cataloguev1.UnlockEntry{Entry: w.EntryID})
}

// TestPutTables: a schema changes by the gateway's word only while nobody relies on it.
func TestPutTables(t *testing.T) {
	w := towntest.New(t)
	put := func(table *cataloguev1.Table) *cataloguev1.PutTables {
		return &cataloguev1.PutTables{Tables: []*cataloguev1.Table{table}}
	}
	base := func() *cataloguev1.Table { return w.TableOf("certificate", "cert_no", "owner", "area", "issued") }
	w.Want(fault.Forbidden, w.Consumer, put(base()))
	more := w.TableOf("certificate", "cert_no", "owner", "area", "issued", "note")
	w.Must(w.ProviderGateway, put(more))
	w.WantEvent("catalogue/put_tables", "v2", "catalogue/table/"+w.Table)
	w.Publish(nil)
	w.Want(fault.ItemUnmapped, w.ProviderGateway, put(w.TableOf("certificate", "cert_no", "owner")))
	w.Must(w.ProviderGateway, put(base())) // what it loses nobody maps
	w.Must(w.Provider, &cataloguev1.LockEntries{Entries: []string{w.EntryID}, CounterSigners: []string{w.Consumer}})
	w.Want(fault.LockHeld, w.ProviderGateway, put(more))
	dotted := base()
	dotted.Source, dotted.Name = "estate.a", "b"
	dotted.Id = w.ProviderGateway + ":estate.a.b"
	w.Must(w.ProviderGateway, put(dotted))
	dotted.Source, dotted.Name = "estate", "a.b" // makes the same id
	w.Want(fault.AlreadyExists, w.ProviderGateway, put(dotted))

	w.Wait(rulestest.Hour)
	rows := base()
	rows.RowsEstimate = 2000
	w.Must(w.ProviderGateway, put(rows))
	w.WantSilence() // rows and the time are no news
	table, _ := catalogue.FindTable(w.View(), w.Table)
	if table.RowsEstimate != 2000 || table.SeenMs != w.Now || table.Version != 3 {
		t.Errorf("rows %d, seen %d, version %d", table.RowsEstimate, table.SeenMs, table.Version)
	}
	seen := table.SeenMs
	w.Wait(rulestest.Hour)
	w.Must(w.Provider, put(rows))
	if table, _ = catalogue.FindTable(w.View(), w.Table); table.SeenMs != seen {
		t.Error("what an officer typed counts as seen by the gateway")
	}
	for name, breach := range map[string]struct {
		want fault.Code
		edit func(*cataloguev1.Table)
	}{
		"id":         {fault.Malformed, func(t *cataloguev1.Table) { t.Name = "other" }},
		"gateway":    {fault.CodeInconsistent, func(t *cataloguev1.Table) { t.Org = w.Consumer }},
		"hash":       {fault.Malformed, func(t *cataloguev1.Table) { t.SchemaHash = []byte{1} }},
		"no hash":    {fault.Missing, func(t *cataloguev1.Table) { t.SchemaHash = nil }},
		"rows":       {fault.OutOfRange, func(t *cataloguev1.Table) { t.RowsEstimate = -1 }},
		"watermark":  {fault.CodeInconsistent, func(t *cataloguev1.Table) { t.WatermarkColumn = "none" }},
		"same names": {fault.Duplicate, func(t *cataloguev1.Table) { t.Columns[0].Name = t.Columns[1].Name }},
		"system":     {fault.NotFound, func(t *cataloguev1.Table) { t.System = "none" }},
	} {
		table := base()
		breach.edit(table)
		if got := w.Do(w.ProviderGateway, put(table)); got != breach.want {
			t.Errorf("%s: %s (%s), want %s", name, got, w.Text, breach.want)
		}
	}
}

// TestPutDuties: an organisation keeps its own, the staffing office everybody's.
func TestPutDuties(t *testing.T) {
	w := towntest.New(t)
	put := func(d *cataloguev1.Duty) *cataloguev1.PutDuties {
		return &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{d}}
	}
	d := towntest.Duty(w.Provider, "2", "测绘")
	w.Want(fault.Forbidden, w.Consumer, put(d))
	w.Must(w.Authority, put(d)) // holds STAFFING_OFFICE
	w.WantEvent("catalogue/put_duties", "v1", "catalogue/duty/"+d.Id)
	w.Must(w.Provider, put(d))
	w.WantSilence()
	d.Title = "测绘管理"
	w.Must(w.Provider, put(d))
	w.WantEvent("catalogue/put_duties", "v2", "catalogue/duty/"+d.Id)
	w.Want(fault.NotFound, w.Authority, put(towntest.Duty("nobody", "1", "无")))
	w.Want(fault.Malformed, w.Provider, put(&cataloguev1.Duty{Id: "1", Org: w.Provider, Title: "无"}))
	w.Want(fault.OutOfRange, w.Provider, put(&cataloguev1.Duty{Id: d.Id, Org: w.Provider, Title: "无", ValidFromMs: 2, ValidToMs: 2}))
	d.ValidFromMs, d.ValidToMs = w.Now, w.Now+1
	if !catalogue.InForce(d, w.Now) || catalogue.InForce(d, w.Now+1) || catalogue.InForce(d, w.Now-1) {
		t.Error("a duty holds from its first moment until, not including, its last")
	}
	w.Want(fault.Forbidden, w.Consumer, &cataloguev1.PutSystems{Systems: []*cataloguev1.System{{Id: w.System, Org: w.Provider, Name: "系统"}}})
	w.Must(w.Provider, &cataloguev1.PutSystems{Systems: []*cataloguev1.System{{Id: w.System, Org: w.Provider, Name: "不动产登记系统"}}})
	w.WantSilence()
}

// TestReviewAndSignatures: a locked entry under review needs both, in any order.
func TestReviewAndSignatures(t *testing.T) {
	w := towntest.NewWith(t, func(g *governancev1.Genesis) { g.Parameters.PublishNeedsReview = true })
	w.Publish(nil)
	w.Must(w.Authority, publishing(w, w.EntryID))
	w.Must(w.Provider, &cataloguev1.LockEntries{Entries: []string{w.EntryID}, CounterSigners: []string{w.Consumer}})
	w.Publish(func(e *cataloguev1.Entry) { e.Abstract = "先审后签" })
	w.Must(w.Authority, publishing(w, w.EntryID))
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_UPDATING, 1)
	w.Want(fault.IllegalTransition, w.Authority, publishing(w, w.EntryID))
	signature{w}.by(w.Consumer)
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, 2)
	w.Publish(func(e *cataloguev1.Entry) { e.Abstract = "先签后审" })
	signature{w}.by(w.Consumer)
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_UPDATING, 2)
	w.Must(w.Authority, publishing(w, w.EntryID))
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, 3)
}

// publishing is the authority's signature on what waits of the entries now.
func publishing(w *towntest.Town, ids ...string) *cataloguev1.ReviewEntries {
	m := &cataloguev1.ReviewEntries{Entries: ids, Publish: true}
	for _, id := range ids {
		e, _ := catalogue.FindEntry(w.View(), id)
		hash := e.GetContentHash()
		if p, ok := catalogue.FindPending(w.View(), id); ok {
			hash = p.GetNext().GetContentHash()
		}
		m.ContentHashes = append(m.ContentHashes, hash)
	}
	return m
}

// TestReviewerSignsWhatHeSaw: content that is replaced while the authority reads is
// not published by its signature.
func TestReviewerSignsWhatHeSaw(t *testing.T) {
	w := towntest.NewWith(t, func(g *governancev1.Genesis) { g.Parameters.PublishNeedsReview = true })
	w.Publish(nil)
	first := publishing(w, w.EntryID)
	w.Publish(func(e *cataloguev1.Entry) { e.Abstract = "换了内容" })
	w.Want(fault.VersionConflict, w.Authority, first)
	w.Want(fault.Missing, w.Authority, &cataloguev1.ReviewEntries{Entries: []string{w.EntryID}, Publish: true})
	w.Must(w.Authority, publishing(w, w.EntryID))
	second := publishing(w, w.EntryID)
	w.Publish(func(e *cataloguev1.Entry) { e.Abstract = "第二版" })
	w.Want(fault.VersionConflict, w.Authority, second)
	w.Must(w.Authority, publishing(w, w.EntryID))
	wantState(t, w, cataloguev1.EntryState_ENTRY_STATE_PUBLISHED, 3)
}

// TestMoveIsSignedWithItsSchema: who signs that a locked entry moves to another table
// signs that table's schema too. It may change until the last signature, for no lock
// holds it yet.
func TestMoveIsSignedWithItsSchema(t *testing.T) {
	w := locked(t)
	to := w.TableOf("archive", "cert_no", "owner", "area")
	put := func(table *cataloguev1.Table) {
		w.Must(w.ProviderGateway, &cataloguev1.PutTables{Tables: []*cataloguev1.Table{table}})
	}
	propose := func() { w.Publish(func(e *cataloguev1.Entry) { e.Table = to.Id }) }
	put(to)
	propose()
	signature{w}.by(w.Consumer)
	old := signature{w}.of(false)
	other := w.TableOf("archive", "cert_no", "owner", "area", "x")
	put(other)
	w.Want(fault.VersionConflict, w.Authority, old)
	if entry(w).Table == to.Id {
		t.Fatal("the entry moved to a schema that one of two has signed")
	}
	propose()
	w.Want(fault.VersionConflict, w.Authority, old)
	signature{w}.by(w.Authority)
	if entry(w).Table == to.Id {
		t.Fatal("a signature for the earlier schema counted")
	}
	signature{w}.by(w.Consumer)
	if e := entry(w); e.Table != to.Id || string(e.Lock.SchemaHash) != string(other.SchemaHash) {
		t.Errorf("on %s, locked on %x", e.Table, e.Lock.SchemaHash)
	}
	check(t, w)
}
