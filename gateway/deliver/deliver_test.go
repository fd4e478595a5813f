package deliver

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"mulian/gateway/connect"
	"mulian/gateway/receipt"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	gatewayv1 "mulian/gen/mulian/gateway/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
	"mulian/internal/seal"
	"mulian/internal/sm"
)

// TestTerms: the order of the checks on an agreement is part of the protocol.
func TestTerms(t *testing.T) {
	now := time.Now().UnixMilli()
	good := func() (*sharev1.Agreement, *cataloguev1.Entry, claim) {
		return &sharev1.Agreement{
				State: sharev1.AgreementState_AGREEMENT_STATE_ACTIVE, StartsMs: now - 1000, EndsMs: now + 60_000,
				Terms: &sharev1.Terms{Purpose: "审批", Method: methodQuery},
			}, &cataloguev1.Entry{State: cataloguev1.EntryState_ENTRY_STATE_PUBLISHED},
			claim{purpose: "审批", method: methodQuery}
	}
	for _, c := range []struct {
		name   string
		change func(*sharev1.Agreement, *cataloguev1.Entry, *claim)
		code   fault.Code
	}{
		{"good", func(*sharev1.Agreement, *cataloguev1.Entry, *claim) {}, fault.OK},
		{"offered", func(g *sharev1.Agreement, _ *cataloguev1.Entry, _ *claim) {
			g.State = sharev1.AgreementState_AGREEMENT_STATE_OFFERED
		}, fault.AgreementSuspended},
		{"ended", func(g *sharev1.Agreement, _ *cataloguev1.Entry, _ *claim) {
			g.State = sharev1.AgreementState_AGREEMENT_STATE_ENDED
		}, fault.AgreementSuspended},
		{"entry suspended", func(_ *sharev1.Agreement, e *cataloguev1.Entry, _ *claim) {
			e.State = cataloguev1.EntryState_ENTRY_STATE_SUSPENDED
		}, fault.AgreementSuspended},
		{"entry withdrawn", func(_ *sharev1.Agreement, e *cataloguev1.Entry, _ *claim) {
			e.State = cataloguev1.EntryState_ENTRY_STATE_WITHDRAWN
		}, fault.AgreementSuspended},
		{"term over", func(g *sharev1.Agreement, _ *cataloguev1.Entry, _ *claim) { g.EndsMs = now }, fault.Expired},
		{"term not begun", func(g *sharev1.Agreement, _ *cataloguev1.Entry, _ *claim) { g.StartsMs = now + 60_000 }, fault.Expired},
		{"suspended and over", func(g *sharev1.Agreement, _ *cataloguev1.Entry, _ *claim) {
			g.State, g.EndsMs = sharev1.AgreementState_AGREEMENT_STATE_SUSPENDED, now
		}, fault.AgreementSuspended},
		{"over, and for another purpose", func(g *sharev1.Agreement, _ *cataloguev1.Entry, c *claim) {
			g.EndsMs, c.purpose = now, "统计"
		}, fault.Expired},
		{"another purpose and way", func(_ *sharev1.Agreement, _ *cataloguev1.Entry, c *claim) {
			c.purpose, c.method = "统计", methodBatch
		}, fault.PurposeMismatch},
		{"another way", func(_ *sharev1.Agreement, _ *cataloguev1.Entry, c *claim) { c.method = methodBatch }, fault.FormatMethodMismatch},
	} {
		g, e, cl := good()
		c.change(g, e, &cl)
		if err := (&Provider{}).terms(&decision{agreement: g, entry: e}, cl); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
}

// TestFields: what is agreed, mapped and in order is read; the first thing that is
// not refuses the whole.
func TestFields(t *testing.T) {
	table := &cataloguev1.Table{Id: "t", Gateway: "g", Columns: []*cataloguev1.Column{{Name: "a", Type: "text"}, {Name: "b", Type: "text"}, {Name: "c", Type: "text"}}}
	entry := &cataloguev1.Entry{Id: "e", Table: "t", Items: []*cataloguev1.Item{
		{Code: "a", Column: "a"},
		{Code: "b", Column: "b", State: itemFrozen},
		{Code: "c", Column: "c"},
		{Code: "lost", Column: "x"},
		{Code: "own", Column: "a"},
		{Code: "denied", Column: "a", ShareType: cataloguev1.ShareType_SHARE_TYPE_DENIED},
	}}
	g := &sharev1.Agreement{Terms: &sharev1.Terms{Parts: []*sharev1.Part{{Entry: "e", Items: []string{"a", "b", "c", "lost", "gone", "denied"}}}}}
	p := &Provider{cfg: ProviderConfig{Gateway: "g", Drifted: func(_, column string) bool { return column == "c" }}}
	for _, c := range []struct {
		name, entry string
		items       []string
		code        fault.Code
	}{
		{"good", "e", []string{"a"}, fault.OK},
		{"not agreed", "e", []string{"a", "own"}, fault.FieldNotGranted},
		{"agreed once, no longer in the entry", "e", []string{"gone"}, fault.FieldNotGranted},
		{"another entry", "f", []string{"a"}, fault.FieldNotGranted},
		{"twice", "e", []string{"a", "a"}, fault.Duplicate},
		{"frozen on the ledger", "e", []string{"a", "b"}, fault.EntryDrifted},
		{"seen here, not on the ledger yet", "e", []string{"c"}, fault.EntryDrifted},
		{"no such column", "e", []string{"lost"}, fault.EntryDrifted},
		{"denied since", "e", []string{"a", "denied"}, fault.NotShared},
		{"denied comes before frozen", "e", []string{"b", "denied"}, fault.NotShared},
		{"not agreed comes before frozen", "e", []string{"b", "own"}, fault.FieldNotGranted},
	} {
		d := &decision{agreement: g, entry: entry, table: table}
		if err := p.fields(d, claim{entry: c.entry, items: c.items}); fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", c.name, err, c.code)
		}
	}
	p.cfg.Gateway = "other"
	if err := p.fields(&decision{agreement: g, entry: entry, table: table}, claim{entry: "e", items: []string{"a"}}); !fault.Is(err, fault.FieldNotGranted) {
		t.Errorf("another gateway's table: %v", err)
	}
}

// TestDays: a day of a quota is one of Beijing, and a call that was not logged does
// not count.
func TestDays(t *testing.T) {
	q := quotas{of: map[string]used{}}
	g := &sharev1.Agreement{Id: "a", Terms: &sharev1.Terms{MaxCallsPerDay: 2, MaxCalls: 4}}
	noon := time.Date(2026, 3, 9, 12, 0, 0, 0, beijing)
	late := time.Date(2026, 3, 9, 23, 59, 59, 0, beijing) // 15:59 UTC
	next := late.Add(time.Second)
	for i, step := range []struct {
		at   time.Time
		give bool
		code fault.Code
	}{
		{noon, true, fault.OK},
		{noon, false, fault.OK},
		{late, false, fault.OK},
		{late, false, fault.DailyLimit},
		{next, false, fault.OK},
		{next, false, fault.OK},
		{next, false, fault.DailyLimit},
		{next.AddDate(0, 0, 1), false, fault.TotalLimit},
	} {
		give, err := q.take(g, step.at.UnixMilli())
		if fault.CodeOf(err) != step.code {
			t.Fatalf("step %d: %v, want %s", i, err, step.code)
		}
		if step.give {
			give()
		}
	}
}

// TestReplays: an id counts once until it has ended, and memory is bounded.
func TestReplays(t *testing.T) {
	r := replays{until: map[string]time.Time{}}
	now := time.Now()
	if !r.first("a", now.Add(time.Minute), now) || r.first("a", now.Add(time.Minute), now) {
		t.Error("an id counts twice, or not once")
	}
	if !r.first("a", now.Add(3*time.Minute), now.Add(2*time.Minute)) {
		t.Error("an id that had ended is remembered for ever")
	}
	for i := range maxReplays + 10 {
		r.first(fmt.Sprint(i), now.Add(time.Hour), now)
	}
	if len(r.until) > maxReplays {
		t.Errorf("%d ids are remembered", len(r.until))
	}
	if r.first("new", now.Add(time.Hour), now) {
		t.Error("with a full memory something new is let in")
	}
}

// TestSpool: what is reopened gives the same bytes, and what was changed or cut is
// not taken.
func TestSpool(t *testing.T) {
	key, err := sm.Generate(sm.P256)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "pages")
	s, err := createSpool(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := newSpooler(s, key.Public(), []byte("aad"), 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		var b connect.Batch
		for j := range 1000 {
			b.Rows = append(b.Rows, connect.Row{connect.IntegerValue(int64(i*1000 + j)), connect.TextValue("建设工程规划许可证 中关村大街")})
		}
		if err := w.take(b); err != nil {
			t.Fatal(err)
		}
	}
	all, err := w.finish([]byte("salt"))
	if err != nil {
		t.Fatal(err)
	}
	s.end(nil)
	if all.Rows != 40_000 || all.Pages < 2 {
		t.Fatalf("%+v", all)
	}
	var first [][]byte
	for n := range all.Pages {
		_, box, _, err := s.page(context.Background(), n)
		if err != nil {
			t.Fatal(err)
		}
		first = append(first, box)
	}
	if _, _, done, err := s.page(context.Background(), all.Pages); !done || err != nil {
		t.Errorf("after the last page: %v, %v", done, err)
	}
	s.close()
	again, err := reopenSpool(path, all)
	if err != nil {
		t.Fatal(err)
	}
	defer again.close()
	opener, err := seal.NewOpener(key, again.header, []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	for n := range all.Pages {
		_, box, _, err := again.page(context.Background(), n)
		if err != nil || !bytes.Equal(box, first[n]) {
			t.Fatalf("page %d is another: %v", n, err)
		}
		if _, err := opener.Open(uint32(n), box, false); err != nil {
			t.Errorf("page %d: %v", n, err)
		}
	}
	for name, w := range map[string]whole{
		"another hash":  {Pages: all.Pages, Hash: make([]byte, 32)},
		"one page more": {Pages: all.Pages + 1, Hash: all.Hash},
		"one page less": {Pages: all.Pages - 1, Hash: all.Hash},
	} {
		if _, err := reopenSpool(path, &w); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestSpoolIsBounded: more rows than agreed stop the reading.
func TestSpoolIsBounded(t *testing.T) {
	key, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	s, err := createSpool(filepath.Join(t.TempDir(), "pages"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	w, err := newSpooler(s, key.Public(), nil, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer w.stop()
	row := connect.Row{connect.TextValue("x")}
	if err := w.take(connect.Batch{Rows: []connect.Row{row, row}}); err != nil {
		t.Fatal(err)
	}
	if err := w.take(connect.Batch{Rows: []connect.Row{row}}); !fault.Is(err, fault.GrantedLimit) {
		t.Errorf("a third row: %v", err)
	}
}

// TestResultColumns: a key is a key at the receiver only if all of it is delivered,
// and no name stands twice.
func TestResultColumns(t *testing.T) {
	table := &cataloguev1.Table{Columns: []*cataloguev1.Column{
		{Name: "a", Type: "text", PrimaryKey: true}, {Name: "b", Type: "integer", PrimaryKey: true}, {Name: "c", Type: "text", Nullable: true},
	}}
	make := func(items ...*cataloguev1.Item) []*gatewayv1.ResultColumn {
		d := &decision{table: table, items: items}
		for _, it := range items {
			d.columns = append(d.columns, column(table, it.Column))
		}
		return d.resultColumns()
	}
	a, b, c := &cataloguev1.Item{Code: "ia", Column: "a"}, &cataloguev1.Item{Code: "ib", Column: "b"}, &cataloguev1.Item{Code: "ic", Column: "c", TechnicalName: "a"}
	_, key, err := targetColumns(make(a, b))
	if err != nil || len(key) != 2 {
		t.Errorf("the whole key: %v, %v", key, err)
	}
	if _, key, err := targetColumns(make(a, c)); err != nil || len(key) != 0 {
		t.Errorf("a part of the key: %v, %v", key, err)
	}
	got := make(a, c)
	if got[0].Column == got[1].Column {
		t.Errorf("two columns are called %q", got[0].Column)
	}
	if _, _, err := targetColumns([]*gatewayv1.ResultColumn{{Column: "x", Type: "no type"}}); !fault.Is(err, fault.Malformed) {
		t.Errorf("an offer of no type: %v", err)
	}
}

// TestSourceFaults: what a database says becomes a code, without its text.
func TestSourceFaults(t *testing.T) {
	for err, code := range map[error]fault.Code{
		connect.ErrNoColumn:                fault.EntryDrifted,
		connect.ErrNoTable:                 fault.EntryDrifted,
		connect.ErrUnreachable:             fault.SourceUnreachable,
		context.DeadlineExceeded:           fault.SourceUnreachable,
		connect.ErrTooLarge:                fault.TooLong,
		connect.ErrFull:                    fault.DiskFull,
		&connect.ValueError{Column: "a"}:   fault.Undecodable,
		errors.New("something of our own"): fault.Internal,
	} {
		if got := fault.CodeOf(sourceFault(fmt.Errorf("wrapped: %w", err))); got != code {
			t.Errorf("%v: %s, want %s", err, got, code)
		}
	}
}

// TestPageOfNothing: a page of 8 MB without one value would need some 300 MB in memory:
// it is refused before that. A row that is larger than a page comes alone.
func TestPageOfNothing(t *testing.T) {
	page := func(cols, rows uint64, bytes int) []byte {
		head := binary.AppendUvarint(binary.AppendUvarint([]byte{1}, cols), rows)
		return append(head, make([]byte, bytes)...)
	}
	for _, c := range []struct {
		name  string
		page  []byte
		large bool
	}{
		{"usual", page(10, 65_536, 10*65_536), false},
		{"one large row", page(2, 1, 16<<20), false},
		{"nothing, often", page(128, 65_536, 128*65_536), true},
		{"two large rows", page(2, 2, 16<<20), true},
		{"no head", make([]byte, 8<<20), true},
	} {
		if got := overfull(c.page); got != c.large {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}

// TestReceiptKey: a fresh receipt counts only under a key that the provider has now.
func TestReceiptKey(t *testing.T) {
	key, err := sm.Generate(sm.P256)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := canon.Marshal(&tracev1.AccessRecord{Gateway: "p", Asker: "a", Agreement: "g", Entry: "e", Outcome: tracev1.Outcome_OUTCOME_COMPLETED, Seq: 1})
	if err != nil {
		t.Fatal(err)
	}
	sig, err := receipt.Sign(key, raw)
	if err != nil {
		t.Fatal(err)
	}
	k := &identityv1.Key{Id: key.Public().ID(), Algorithm: identityv1.KeyAlgorithm(key.Public().Algorithm()), PublicKey: key.Public().Bytes(), State: identityv1.KeyState_KEY_STATE_ACTIVE}
	from := &provider{account: &identityv1.Account{Id: "p", Keys: []*identityv1.Key{k}}}
	a := &Asker{cfg: AskerConfig{Gateway: "a"}}
	look := func() error {
		_, err := a.check(from, &tracev1.Receipt{Record: raw, ProviderKey: k.Id, ProviderSignature: sig}, &tracev1.AccessRecord{Agreement: "g", Entry: "e", Outcome: tracev1.Outcome_OUTCOME_COMPLETED})
		return err
	}
	if err := look(); err != nil {
		t.Fatal(err)
	}
	k.Suspended = true
	if err := look(); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("signed with a suspended key: %v", err)
	}
	k.Suspended, k.State = false, identityv1.KeyState_KEY_STATE_REVOKED
	if err := look(); !fault.Is(err, fault.VerificationFailed) {
		t.Errorf("signed with a revoked key: %v", err)
	}
}

// TestASuspendedKeyIsNotTaken: what the members have suspended by vote asks for nothing.
func TestASuspendedKeyIsNotTaken(t *testing.T) {
	key, err := sm.Generate(sm.SM2)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for want, change := range map[fault.Code]func(*identityv1.Key){
		fault.OK:         func(*identityv1.Key) {},
		fault.Suspended:  func(k *identityv1.Key) { k.Suspended = true },
		fault.KeyRevoked: func(k *identityv1.Key) { k.EndsMs = now.UnixMilli() },
	} {
		k := &identityv1.Key{Id: key.Public().ID(), Algorithm: identityv1.KeyAlgorithm(key.Public().Algorithm()), PublicKey: key.Public().Bytes(), State: identityv1.KeyState_KEY_STATE_ACTIVE}
		change(k)
		if _, err := activeKey(&identityv1.Account{Id: "a", Keys: []*identityv1.Key{k}}, k.Id, now); fault.CodeOf(err) != want {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

// TestOneAskerDoesNotTakeAllPlaces: deliveries that are opened and not taken lie on the
// provider's disk for a day.
func TestOneAskerDoesNotTakeAllPlaces(t *testing.T) {
	p := &Provider{cfg: ProviderConfig{Dir: t.TempDir()}, sessions: map[sessionKey]*session{}}
	d := &decision{table: &cataloguev1.Table{}}
	open := func(asker string, number uint64) error {
		_, err := p.name(number, &request{asker: &identityv1.Account{Id: asker}}, claim{agreement: asker}, d, &gatewayv1.DeliveryBody{RequestKey: "one-request-key-1"})
		return err
	}
	for n := uint64(1); n <= maxOpenEach; n++ {
		if err := open("greedy", n); err != nil {
			t.Fatal(err)
		}
	}
	if err := open("greedy", maxOpenEach+1); !fault.Is(err, fault.Busy) {
		t.Errorf("one more: %v", err)
	}
	if err := open("modest", 1); err != nil {
		t.Errorf("another asker: %v", err)
	}
}
