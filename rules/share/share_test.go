package share_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
	"mulian/rules/catalogue"
	"mulian/rules/rulestest"
	"mulian/rules/share"
	"mulian/rules/towntest"
)

const (
	received   = sharev1.RequestState_REQUEST_STATE_RECEIVED
	incomplete = sharev1.RequestState_REQUEST_STATE_INCOMPLETE
	accepted   = sharev1.RequestState_REQUEST_STATE_ACCEPTED
	refused    = sharev1.RequestState_REQUEST_STATE_REFUSED

	offered   = sharev1.AgreementState_AGREEMENT_STATE_OFFERED
	active    = sharev1.AgreementState_AGREEMENT_STATE_ACTIVE
	suspended = sharev1.AgreementState_AGREEMENT_STATE_SUSPENDED
	ended     = sharev1.AgreementState_AGREEMENT_STATE_ENDED

	amending   = sharev1.AgreementState_AGREEMENT_STATE_AMENDING
	renewing   = sharev1.AgreementState_AGREEMENT_STATE_RENEWING
	rectifying = sharev1.AgreementState_AGREEMENT_STATE_RECTIFYING
	ending     = sharev1.AgreementState_AGREEMENT_STATE_ENDING
	disposing  = sharev1.AgreementState_AGREEMENT_STATE_DISPOSING
	disposed   = sharev1.AgreementState_AGREEMENT_STATE_DISPOSED

	query = cataloguev1.Method_METHOD_QUERY
	batch = cataloguev1.Method_METHOD_BATCH
)

func request(w *towntest.Town, id string) *sharev1.Request {
	w.TB.Helper()
	r, ok := share.FindRequest(w.View(), id)
	if !ok {
		w.TB.Fatalf("there is no request %s", id)
	}
	return r
}

func agreement(w *towntest.Town, id string) *sharev1.Agreement {
	w.TB.Helper()
	g, ok := share.FindAgreement(w.View(), id)
	if !ok {
		w.TB.Fatalf("there is no agreement %s", id)
	}
	if err := share.Check(w.View(), g); err != nil {
		w.TB.Fatal(err)
	}
	return g
}

func wantRequest(t *testing.T, w *towntest.Town, id string, s sharev1.RequestState) *sharev1.Request {
	t.Helper()
	r := request(w, id)
	if r.State != s {
		t.Fatalf("request is %s, want %s", r.State, s)
	}
	return r
}

func wantAgreement(t *testing.T, w *towntest.Town, id string, s sharev1.AgreementState, version uint64) *sharev1.Agreement {
	t.Helper()
	g := agreement(w, id)
	if g.State != s || g.Version != version {
		t.Fatalf("agreement is %s at version %d, want %s at %d", g.State, g.Version, s, version)
	}
	return g
}

func digest(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

// secondEntry publishes another entry, without a table.
func secondEntry(w *towntest.Town, edit func(*cataloguev1.Entry)) string {
	id := w.EntryID + "2"
	w.Publish(func(e *cataloguev1.Entry) {
		e.Id, e.Name, e.Table = id, "另一目录", ""
		for _, it := range e.Items {
			it.Column = ""
		}
		if edit != nil {
			edit(e)
		}
	})
	return id
}

// TestFileRequestOrder walks the checks of art. 20 in their order.
func TestFileRequestOrder(t *testing.T) {
	type try = rulestest.Try[*sharev1.FileRequest]
	var w *towntest.Town
	terms := func(f *try) *sharev1.Terms { return f.Message.Terms }
	part := func(f *try) *sharev1.Part { return f.Message.Terms.Parts[0] }
	rulestest.Order(t, func(t *testing.T) *try {
		w = towntest.New(t)
		w.Publish(func(e *cataloguev1.Entry) { e.Methods = []cataloguev1.Method{query, batch} })
		return &try{World: w.World, Account: w.Consumer, Message: w.Request(nil)}
	}, []rulestest.Breach[*sharev1.FileRequest]{
		{Name: "a machine asks", Want: fault.Forbidden, Break: func(f *try) { f.Account = w.ConsumerGateway }},
		{Name: "no terms", Want: fault.Missing, Break: func(f *try) { f.Message.Terms = nil }},
		{Name: "heavy", Want: fault.TooLong, Break: func(f *try) { terms(f).LegalBasis = strings.Repeat("x", share.MaxTermsBytes) }},
		{Name: "nothing is asked", Want: fault.Empty, Break: func(f *try) { terms(f).Parts = nil }},
		{Name: "too many entries", Want: fault.TooLong, Break: func(f *try) {
			for i := 0; len(terms(f).Parts) <= share.MaxParts; i++ {
				terms(f).Parts = append(terms(f).Parts, &sharev1.Part{Entry: fmt.Sprint(i), Items: []string{"no"}})
			}
		}},
		{Name: "no item", Want: fault.Missing, Break: func(f *try) { part(f).Items = nil }},
		{Name: "item twice", Want: fault.Duplicate, Break: func(f *try) { part(f).Items = []string{"no", "no"} }},
		{Name: "no purpose", Want: fault.Missing, Break: func(f *try) { terms(f).Purpose = "" }},
		{Name: "unknown method", Want: fault.OutOfRange, Break: func(f *try) { terms(f).Method = 9 }},
		{Name: "no method", Want: fault.Missing, Break: func(f *try) { terms(f).Method = 0 }},
		{Name: "longer than five years", Want: fault.OutOfRange, Break: func(f *try) { terms(f).Days = 1827 }},
		{Name: "data for ever", Want: fault.OutOfRange, Break: func(f *try) { terms(f).DataLifeDays = 36501 }},
		{Name: "row scope", Want: fault.TooLong, Break: func(f *try) { terms(f).RowScope = strings.Repeat("x", 2001) }},
		{Name: "art. 20: no duty", Want: fault.NoDuty, Break: func(f *try) { terms(f).Duty = "none" }},
		{Name: "duty not in force", Want: fault.NoDuty, Break: func(f *try) {
			d := towntest.Duty(w.Consumer, "2", "将来")
			d.ValidFromMs = w.Now + rulestest.Day
			f.Must(w.Consumer, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{d}})
			terms(f).Duty = d.Id
		}},
		{Name: "art. 20: another's duty", Want: fault.NotYourDuty, Break: func(f *try) { terms(f).Duty = w.ProviderDuty }},
		{Name: "no gateway", Want: fault.Missing, Break: func(f *try) { f.Message.Gateway = "" }},
		{Name: "unknown gateway", Want: fault.NotFound, Break: func(f *try) { f.Message.Gateway = "none" }},
		{Name: "another's gateway", Want: fault.Forbidden, Break: func(f *try) { f.Message.Gateway = w.ProviderGateway }},
		{Name: "unknown entry", Want: fault.NotFound, Break: func(f *try) { part(f).Entry = "none" }},
		{Name: "suspended entry", Want: fault.NotShared, Break: func(f *try) {
			f.Must(w.Provider, &cataloguev1.SuspendEntry{Entry: w.EntryID, Cause: "检查"})
		}},
		{Name: "method not offered", Want: fault.FormatMethodMismatch, Break: func(f *try) { terms(f).Method = cataloguev1.Method_METHOD_FILE }},
		{Name: "purpose not accepted", Want: fault.PurposeMismatch, Break: func(f *try) { terms(f).Purpose = "商业用途" }},
		{Name: "no such item", Want: fault.FieldNotGranted, Break: func(f *try) { part(f).Items = []string{"nothing"} }},
		{Name: "item not shared", Want: fault.NotShared, Break: func(f *try) {
			w.Publish(func(e *cataloguev1.Entry) {
				e.Methods, e.Items[1].ShareType = []cataloguev1.Method{query, batch}, cataloguev1.ShareType_SHARE_TYPE_DENIED
			})
			part(f).Items = []string{"owner"}
		}},
		{Name: "item frozen", Want: fault.EntryDrifted, Break: func(f *try) {
			f.Must(w.ProviderGateway, w.Drift("column_dropped", 3, "area", "cert_no", "owner", "issued"))
			part(f).Items = []string{"area"}
		}},
		{Name: "asked already", Want: fault.AlreadyExists, Break: func(f *try) { f.Must(f.Account, proto.CloneOf(f.Message)) }},
	})
}

// TestParts: all of one provider, none denied, none the asker's own.
func TestParts(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	denied := secondEntry(w, func(e *cataloguev1.Entry) {
		e.ShareType, e.DenyBasis = 3, &cataloguev1.DenyBasis{Law: "统计法", Article: "第九条"}
	})
	w.Want(fault.NotShared, w.Consumer, w.Request(func(t *sharev1.Terms) {
		t.Parts = append(t.Parts, &sharev1.Part{Entry: denied, Items: []string{"no"}})
	}))
	if w.Outcome.Item != 2 || w.Outcome.Rule != "share/file_request" {
		t.Errorf("refused part %d by %s, want 2", w.Outcome.Item, w.Outcome.Rule)
	}
	w.Want(fault.Duplicate, w.Consumer, w.Request(func(t *sharev1.Terms) { t.Parts = append(t.Parts, t.Parts[0]) }))
	own := w.Entry(func(e *cataloguev1.Entry) {
		e.Id, e.Provider, e.Duties, e.System, e.Table, e.Items = w.Consumer+":loans", w.Consumer, []string{w.ConsumerDuty}, "", "", []*cataloguev1.Item{{Code: "no", Name: "编号"}}
	})
	w.Must(w.Consumer, &cataloguev1.SubmitEntries{Entries: []*cataloguev1.Entry{own}})
	loans := &sharev1.Part{Entry: own.Id, Items: []string{"no"}}
	w.Want(fault.CodeInconsistent, w.Consumer, w.Request(func(t *sharev1.Terms) { t.Parts = []*sharev1.Part{loans} }))
	w.Want(fault.CodeInconsistent, w.Consumer, w.Request(func(t *sharev1.Terms) { t.Parts = append(t.Parts, loans) }))
}

// TestArt21StandingOrder: an unconditional request within the provider's rule is
// answered in the block that brings it, and outside of it waits for an officer.
func TestArt21StandingOrder(t *testing.T) {
	rule := &cataloguev1.StandingOrder{Automatic: true, MaxDays: 30, MaxCallsPerDay: 100}
	ask := func(edit func(*sharev1.Terms)) func(*sharev1.Terms) {
		return func(t *sharev1.Terms) { t.MaxCallsPerDay = 100; edit(t) }
	}
	tests := []struct {
		name  string
		entry func(*cataloguev1.Entry)
		ask   func(*sharev1.Terms)
		want  bool
	}{
		{"within", nil, ask(func(*sharev1.Terms) {}), true},
		{"a day too long", nil, ask(func(t *sharev1.Terms) { t.Days = 31 }), false},
		{"default term", nil, ask(func(t *sharev1.Terms) { t.Days = 0 }), false},
		{"no bound on calls", nil, ask(func(t *sharev1.Terms) { t.MaxCallsPerDay = 0 }), false},
		{"one call too many", nil, ask(func(t *sharev1.Terms) { t.MaxCallsPerDay = 101 }), false},
		{"for others", func(e *cataloguev1.Entry) { e.StandingOrder.Requesters = []string{"x"} }, ask(func(*sharev1.Terms) {}), false},
		{"not automatic", func(e *cataloguev1.Entry) { e.StandingOrder.Automatic = false }, ask(func(*sharev1.Terms) {}), false},
		{"a conditional item", func(e *cataloguev1.Entry) { e.Items[2].ShareType = 2 }, ask(func(*sharev1.Terms) {}), false},
		{"an item without column", func(e *cataloguev1.Entry) { e.Items[2].Column = "" }, ask(func(*sharev1.Terms) {}), false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := towntest.New(t)
			w.Publish(func(e *cataloguev1.Entry) {
				towntest.Open(e)
				e.StandingOrder = proto.CloneOf(rule)
				if tt.entry != nil {
					tt.entry(e)
				}
			})
			ids := w.Must(w.Consumer, w.Request(tt.ask))
			r := request(w, ids[0])
			if r.Automatic != tt.want || (len(ids) == 2) != tt.want {
				t.Fatalf("automatic %t, ids %v", r.Automatic, ids)
			}
			if !tt.want {
				if wantRequest(t, w, ids[0], received).Clock.DueMs <= w.Now {
					t.Error("the clock does not run")
				}
				return
			}
			objects := w.WantEvent("share/file_request", "accepted", "share/request/"+ids[0])
			for _, key := range []string{"share/agreement/" + ids[1], "catalogue/entry/" + w.EntryID, "catalogue/duty/" + w.ConsumerDuty} {
				if !strings.Contains(strings.Join(objects, " "), key) {
					t.Errorf("the event does not lead to %s: %v", key, objects)
				}
			}
			g := wantAgreement(t, w, ids[1], offered, 1)
			if r.DecidedBy != "standing-order" || g.Provider != w.Provider || g.EndsMs != w.Now+30*rulestest.Day || g.StalenessSeconds != 5 || g.ProviderGateways[0] != w.ProviderGateway {
				t.Errorf("decided by %s: %v", r.DecidedBy, g)
			}
			w.Must(w.Consumer, w.Request(tt.ask)) // what is decided may be asked again
		})
	}
}

// TestArt21Clocks: 1 working day for an unconditional entry, 10 for a conditional
// one; the first block at the due time marks it, the answer may still come.
func TestArt21Clocks(t *testing.T) {
	for name, tt := range map[string]struct {
		entry func(*cataloguev1.Entry)
		note  string
		days  int64 // calendar days from Monday 09:00 to the end of the last working day
	}{
		"unconditional": {func(e *cataloguev1.Entry) { towntest.Open(e); e.StandingOrder = nil }, "answer_unconditional", 2},
		"conditional":   {nil, "answer_conditional", 15},
	} {
		t.Run(name, func(t *testing.T) {
			w := towntest.New(t)
			w.Publish(tt.entry)
			id := w.Must(w.Consumer, w.Request(nil))[0]
			r := wantRequest(t, w, id, received)
			if want := rulestest.Start + tt.days*rulestest.Day - 9*rulestest.Hour; r.Clock.DueMs != want {
				t.Fatalf("due at %d, want %d", r.Clock.DueMs, want)
			}
			w.Wait(r.Clock.DueMs - w.Now - 1)
			w.WantSilence()
			w.Wait(1)
			w.WantEvent("share/overdue", tt.note, "share/request/"+id)
			if !wantRequest(t, w, id, received).Clock.Overdue {
				t.Error("it is not marked as overdue")
			}
			w.Wait(rulestest.Day)
			w.WantSilence()
			w.Want(fault.ClockNotRunning, w.Provider, &sharev1.AskExtension{Request: id, Days: 1, Reason: "人手不足"})
			w.Must(w.Provider, &sharev1.Answer{Request: id, Accept: true})
			if c := wantRequest(t, w, id, accepted).Clock; !c.Overdue || c.StoppedMs != w.Now {
				t.Errorf("the answer was late, and the clock says %v", c)
			}
		})
	}
}

// TestSilenceIsConsent only where the clock profile says so, and only to what can be agreed to.
func TestSilenceIsConsent(t *testing.T) {
	consent := func(g *governancev1.Genesis) {
		for _, p := range g.ClockProfiles {
			p.SilenceIsConsent = true
		}
	}
	w := towntest.NewWith(t, consent)
	w.Publish(nil)
	first := w.Must(w.Consumer, w.Request(nil))[0]
	w.Wait(20 * rulestest.Day)
	r := wantRequest(t, w, first, accepted)
	w.WantEvent("share/silence", "accepted", "share/request/"+first)
	if r.DecidedBy != "silence" || !r.Clock.Overdue {
		t.Errorf("decided by %s, overdue %t", r.DecidedBy, r.Clock.Overdue)
	}
	wantAgreement(t, w, r.Agreement, offered, 1)

	second := w.Must(w.Consumer, w.Request(nil))[0]
	w.Must(w.ProviderGateway, w.Drift("column_dropped", 3, "area", "cert_no", "owner", "issued"))
	w.Wait(20 * rulestest.Day)
	if !wantRequest(t, w, second, received).Clock.Overdue {
		t.Error("what cannot be agreed to is overdue all the same")
	}
}

// TestArt21ToldOnce: what is missing is told once and in full; meanwhile the clock
// stands, and direct refusal is forbidden until the time to supplement is over.
func TestArt21ToldOnce(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	id := w.Must(w.Consumer, w.Request(nil))[0]
	more := &sharev1.AskMore{Request: id, Missing: []string{"法律依据不全"}}
	w.Want(fault.Forbidden, w.Consumer, more)
	w.Want(fault.Empty, w.Provider, &sharev1.AskMore{Request: id})
	w.Want(fault.Missing, w.Provider, &sharev1.AskMore{Request: id, Missing: []string{""}})
	w.Want(fault.IllegalTransition, w.Consumer, &sharev1.Supplement{Request: id, Terms: w.Request(nil).Terms})
	w.Wait(2 * rulestest.Day) // Wednesday: 8 working days are left
	w.Must(w.Provider, more)
	r := wantRequest(t, w, id, incomplete)
	if r.Clock.Clock != governancev1.Clock_CLOCK_COMPLETE || r.Clock.LeftDays != 8 {
		t.Fatalf("clock %v", r.Clock)
	}
	w.Want(fault.IllegalTransition, w.Provider, &sharev1.Answer{Request: id, Reason: "不全"})
	w.Want(fault.IllegalTransition, w.Provider, &sharev1.Answer{Request: id, Accept: true})
	w.Wait(2 * rulestest.Day) // Friday
	w.Want(fault.NotYourDuty, w.Consumer, &sharev1.Supplement{Request: id, Terms: w.Request(func(t *sharev1.Terms) { t.Duty = w.ProviderDuty }).Terms})
	w.Must(w.Consumer, &sharev1.Supplement{Request: id, Terms: w.Request(func(t *sharev1.Terms) { t.LegalBasis = "补充" }).Terms})
	r = wantRequest(t, w, id, received)
	if want := rulestest.Start + 4*rulestest.Day - 9*rulestest.Hour + 13*rulestest.Day; r.Clock.DueMs != want || r.Supplements != 1 || r.Terms.LegalBasis != "补充" {
		t.Fatalf("due at %d, want %d (8 working days from Friday): %v", r.Clock.DueMs, want, r)
	}
	w.Want(fault.IllegalTransition, w.Provider, more)
	w.Must(w.Provider, &sharev1.Answer{Request: id, Reason: "用途不符"})
	wantRequest(t, w, id, refused)

	second := w.Must(w.Consumer, w.Request(nil))[0]
	other := w.Request(func(t *sharev1.Terms) { t.Days = 20 })
	w.Must(w.Consumer, other)
	w.Must(w.Provider, &sharev1.AskMore{Request: second, Missing: []string{"办事场景"}})
	w.Want(fault.AlreadyExists, w.Consumer, &sharev1.Supplement{Request: second, Terms: other.Terms})
	w.Wait(30 * rulestest.Day)
	w.WantEvent("share/overdue", "complete", "share/request/"+second)
	w.Must(w.Provider, &sharev1.Answer{Request: second, Reason: "逾期未补正"})
	wantRequest(t, w, second, refused)
}

// TestAnswer: refusal with reasons (art. 21); acceptance on the terms asked for or narrower.
func TestAnswer(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	asked := func(t *sharev1.Terms) { t.MaxCallsPerDay, t.DataLifeDays = 100, 90 }
	id := w.Must(w.Consumer, w.Request(asked))[0]
	w.Want(fault.NotFound, w.Provider, &sharev1.Answer{Request: "none"})
	w.Want(fault.Forbidden, w.Consumer, &sharev1.Answer{Request: id, Accept: true})
	w.Want(fault.RefusalNeedsReason, w.Provider, &sharev1.Answer{Request: id})
	for name, tt := range map[string]struct {
		want fault.Code
		edit func(*sharev1.Terms)
	}{
		"another item":   {fault.FieldNotGranted, func(t *sharev1.Terms) { t.Parts[0].Items = []string{"owner"} }},
		"another entry":  {fault.FieldNotGranted, func(t *sharev1.Terms) { t.Parts[0].Entry = "other" }},
		"another use":    {fault.PurposeMismatch, func(t *sharev1.Terms) { t.Purpose = "住房保障" }},
		"longer":         {fault.OutOfRange, func(t *sharev1.Terms) { t.Days = 31 }},
		"default term":   {fault.OutOfRange, func(t *sharev1.Terms) { t.Days = 0 }},
		"more calls":     {fault.OutOfRange, func(t *sharev1.Terms) { t.MaxCallsPerDay = 101 }},
		"boundless":      {fault.OutOfRange, func(t *sharev1.Terms) { t.MaxCallsPerDay = 0 }},
		"longer life":    {fault.OutOfRange, func(t *sharev1.Terms) { t.DataLifeDays = 0 }},
		"another matter": {fault.CodeInconsistent, func(t *sharev1.Terms) { t.Matter = "其他" }},
		"another method": {fault.CodeInconsistent, func(t *sharev1.Terms) { t.Method = query }},
	} {
		terms := w.Request(asked).Terms
		tt.edit(terms)
		if got := w.Do(w.Provider, &sharev1.Answer{Request: id, Accept: true, Terms: terms}); got != tt.want {
			t.Errorf("%s: %s (%s), want %s", name, got, w.Text, tt.want)
		}
	}
	narrow := w.Request(asked).Terms
	narrow.Parts[0].Items, narrow.Days, narrow.MaxCallsPerDay, narrow.MaxCalls = []string{"no"}, 10, 50, 3
	made := w.Must(w.Provider, &sharev1.Answer{Request: id, Accept: true, Terms: narrow})[0]
	g := wantAgreement(t, w, made, offered, 1)
	if len(g.Terms.Parts[0].Items) != 1 || g.EndsMs != w.Now+10*rulestest.Day || g.Terms.Parts[0].EntryVersion != 1 {
		t.Errorf("agreed: %v", g)
	}
	w.Want(fault.IllegalTransition, w.Provider, &sharev1.Answer{Request: id, Accept: true})

	second := secondEntry(w, nil)
	unmapped := w.Must(w.Consumer, w.Request(func(t *sharev1.Terms) { t.Parts[0].Entry = second }))[0]
	w.Want(fault.ItemUnmapped, w.Provider, &sharev1.Answer{Request: unmapped, Accept: true})
	w.Want(fault.Forbidden, w.Provider, &sharev1.WithdrawRequest{Request: unmapped})
	w.Must(w.Consumer, &sharev1.WithdrawRequest{Request: unmapped, Reason: "不再需要"})
	w.Want(fault.IllegalTransition, w.Consumer, &sharev1.WithdrawRequest{Request: unmapped})
	w.Must(w.Consumer, w.Request(func(t *sharev1.Terms) { t.Parts[0].Entry = second })) // may be asked again
}

// TestArt21Extension: given once, by the authority, within the profile's bound.
func TestArt21Extension(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	id := w.Must(w.Consumer, w.Request(nil))[0]
	due := request(w, id).Clock.DueMs
	ask := func(days uint32) *sharev1.AskExtension {
		return &sharev1.AskExtension{Request: id, Days: days, Reason: "需要会商"}
	}
	decide := &sharev1.DecideExtension{Request: id, Approve: true}
	w.Want(fault.IllegalTransition, w.Authority, decide)
	w.Want(fault.Forbidden, w.Consumer, ask(1))
	w.Want(fault.OutOfRange, w.Provider, ask(0))
	w.Want(fault.OutOfRange, w.Provider, ask(11))
	w.Want(fault.Missing, w.Provider, &sharev1.AskExtension{Request: id, Days: 1})
	w.Must(w.Provider, ask(10))
	w.Want(fault.IllegalTransition, w.Provider, ask(1))
	w.Want(fault.Forbidden, w.Provider, decide)
	w.Must(w.Authority, &sharev1.DecideExtension{Request: id, Reason: "理由不足"})
	if c := request(w, id).Clock; c.DueMs != due || c.Extended {
		t.Fatalf("denied, and the clock says %v", c)
	}
	w.Must(w.Provider, ask(5))
	w.Must(w.Authority, decide)
	c := request(w, id).Clock
	if c.DueMs != due+7*rulestest.Day || !c.Extended || c.ExtensionDays != 5 {
		t.Fatalf("five working days are a week: %v, was due at %d", c, due)
	}
	w.Want(fault.IllegalTransition, w.Provider, ask(1))
	w.Wait(due - w.Now)
	w.WantSilence() // the old due time counts no more
	w.Wait(7 * rulestest.Day)
	w.WantEvent("share/overdue", "answer_conditional", "share/request/"+id)
}

// TestEntriesAreJudgedAgain when the answer comes: the catalogue may have moved.
func TestEntriesAreJudgedAgain(t *testing.T) {
	w := towntest.New(t)
	w.Publish(nil)
	id := w.Must(w.Consumer, w.Request(nil))[0]
	w.Must(w.ProviderGateway, w.Drift("column_dropped", 3, "area", "cert_no", "owner", "issued"))
	w.Want(fault.EntryDrifted, w.Provider, &sharev1.Answer{Request: id, Accept: true})
	terms := w.Request(nil).Terms
	terms.Parts[0].Items = []string{"no"}
	w.Must(w.Provider, &sharev1.Answer{Request: id, Accept: true, Terms: terms}) // what is not frozen can be given
	if e, _ := catalogue.FindEntry(w.View(), w.EntryID); e.State != cataloguev1.EntryState_ENTRY_STATE_DRIFTED {
		t.Fatalf("the entry is %s", e.State)
	}
}
