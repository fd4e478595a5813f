package intake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	"mulian/internal/fault"
)

const (
	water = "11110000000021928Y"
	air   = "11110000000021929X"
)

// chain is a ledger in memory that keeps the contract of Sender: a batch is taken
// whole or not at all, and unchanged content is no change.
type chain struct {
	mu      sync.Mutex
	t       testing.TB
	entries map[string][32]byte
	duties  map[string]bool
	batches int
	changes int
	refuse  map[string]fault.Code // by id
	failAt  int                   // fail before the batch of this number, from 1
	came    int                   // entries that were sent, each time anew
	calls   int
}

func newChain(t testing.TB) *chain {
	return &chain{t: t, entries: make(map[string][32]byte), duties: make(map[string]bool), refuse: make(map[string]fault.Code)}
}

var errGone = errors.New("connection lost")

// Send implements Sender.
func (c *chain) Send(_ context.Context, b Batch) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.batches+1 == c.failAt {
		c.failAt = 0
		return errGone
	}
	if len(b.Entries) > 200 || len(b.Duties) > 500 || len(b.Entries)+len(b.Duties)+len(b.Orgs) == 0 {
		c.t.Errorf("batch of %d entries, %d duties", len(b.Entries), len(b.Duties))
	}
	c.came += len(b.Entries)
	c.calls++
	size := 0
	for i, e := range b.Entries {
		size += proto.Size(e)
		if e.Provider != b.Org || !strings.HasPrefix(e.Id, b.Org+":") || e.ShareType == 0 || len(e.Duties) == 0 {
			c.t.Errorf("entry %v in a batch of %s", e, b.Org)
		}
		if code := c.refuse[e.Id]; code != 0 {
			return &fault.Fault{Code: code, Rule: "catalogue/submit", Item: int32(i) + 1, Text: "refused"}
		}
	}
	if size > batchBytes {
		c.t.Errorf("batch of %d bytes", size)
	}
	for _, e := range b.Entries {
		content, err := contentOf(e)
		if err != nil {
			c.t.Error(err)
		}
		if c.entries[e.Id] != content {
			c.entries[e.Id] = content
			c.changes++
		}
	}
	for _, d := range b.Duties {
		c.duties[d.Id] = true
	}
	c.batches++
	return nil
}

func (c *chain) has(id string) ([32]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, ok := c.entries[id]
	return h, ok
}

func (c *chain) target() Target {
	return Target{
		Org: func(name string) (string, bool) {
			code, ok := map[string]string{"水务局": water, "气象局": air}[name]
			return code, ok
		},
		Duty: func(org, text string) []string {
			if text == "" || text == "水文监测" {
				return []string{org + ":D1"}
			}
			return nil
		},
		Known:     func(id string) (Standing, bool) { h, ok := c.has(id); return Standing{Content: h}, ok },
		ShareType: cataloguev1.ShareType_SHARE_TYPE_UNCONDITIONAL,
	}
}

// list writes n entries of two owners in turn.
func list(t testing.TB, n int) string {
	var b strings.Builder
	b.WriteString("资源名称,提供方,摘要,更新周期\n")
	for i := range n {
		fmt.Fprintf(&b, "资源%06d,%s,第 %d 条的摘要,每日\n", i, []string{"水务局", "气象局"}[i%2], i)
	}
	return file(t, "list.csv", b.String())
}

// account holds that every draft of the plan has become something.
func account(t testing.TB, r *Report, a *Applied) {
	t.Helper()
	if sum := a.Sent + a.Unchanged + a.Resumed + a.Held + a.Refused; sum != r.Accepted+r.Doubtful {
		t.Errorf("%d sent + %d unchanged + %d resumed + %d held + %d refused = %d, not %d", a.Sent, a.Unchanged, a.Resumed, a.Held, a.Refused, sum, r.Accepted+r.Doubtful)
	}
}

func mustApply(t testing.TB, p *Plan, target Target, s Sender) *Applied {
	t.Helper()
	a, err := Apply(t.Context(), p, target, s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestSecondImportChangesNothing: not in the file's own form, and not in another.
func TestSecondImportChangesNothing(t *testing.T) {
	c := newChain(t)
	p, r := mustPlan(t, list(t, 1001), Options{})
	a := mustApply(t, p, c.target(), c)
	account(t, r, a)
	if a.Sent != 1001 || len(c.entries) != 1001 || c.batches != 6 || a.Batches != 6 {
		t.Errorf("%+v, %d entries in %d batches", a, len(c.entries), c.batches)
	}
	a = mustApply(t, p, c.target(), c)
	account(t, r, a)
	if a.Unchanged != 1001 || a.Sent != 0 || c.changes != 1001 {
		t.Errorf("second: %+v, %d changes", a, c.changes)
	}
	// The same list as objects, in another order, with other spaces.
	var b strings.Builder
	for i := 1000; i >= 0; i-- {
		fmt.Fprintf(&b, "{\"更新周期\": \"每天\", \"资源名称\":\" 资源%06d\", \"提供方\":\"%s\",\"摘要\":\"第 %d 条的摘要\"}\n", i, []string{"水务局", "气象局"}[i%2], i)
	}
	p, r = mustPlan(t, file(t, "list.json", b.String()), Options{})
	a = mustApply(t, p, c.target(), c)
	account(t, r, a)
	if a.Unchanged != 1001 || c.changes != 1001 {
		t.Errorf("as JSON: %+v, %d changes", a, c.changes)
	}
}

// TestNewVersionChangesWhatChanged, and nothing else.
func TestNewVersionChangesWhatChanged(t *testing.T) {
	c := newChain(t)
	p, _ := mustPlan(t, list(t, 50), Options{})
	mustApply(t, p, c.target(), c)
	raw, _ := os.ReadFile(p.Path)
	next := strings.Replace(string(raw), "第 7 条的摘要", "新的摘要", 1) + "新资源,水务局,,\n"
	p, _ = mustPlan(t, file(t, "next.csv", next), Options{})
	if a := mustApply(t, p, c.target(), c); a.Sent != 2 || a.Unchanged != 49 || len(c.entries) != 51 {
		t.Errorf("%+v", a)
	}
}

// TestStoppedImportGoesOn: the connection is lost in the middle; the journal
// brings the second run to where the first was, and is gone at the end.
func TestStoppedImportGoesOn(t *testing.T) {
	c := newChain(t)
	p, r := mustPlan(t, list(t, 2000), Options{})
	target := c.target()
	target.Known = nil // a new process whose index has not caught up
	target.AtOnce = 1
	target.Journal = filepath.Join(t.TempDir(), "import.journal")
	c.failAt = 5
	a, err := Apply(t.Context(), p, target, c)
	if !errors.Is(err, errGone) || a.Sent != 800 {
		t.Fatalf("%v, %+v", err, a)
	}
	// The power failed while the journal was written: its last line is torn.
	raw, err := os.ReadFile(target.Journal)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target.Journal, raw[:len(raw)-20], 0o600); err != nil {
		t.Fatal(err)
	}
	a = mustApply(t, p, target, c)
	account(t, r, a)
	if a.Resumed != 799 || a.Sent != 1201 || len(c.entries) != 2000 || c.changes != 2000 {
		t.Errorf("%+v, %d entries, %d changes", a, len(c.entries), c.changes)
	}
	if _, err := os.Stat(target.Journal); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the journal is still there: %v", err)
	}
}

// TestJournalOfAnotherFileCountsForNothing.
func TestJournalOfAnotherFileCountsForNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	j, err := openJournal(path, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	j.add([]part{{key: [16]byte{1}}, {key: [16]byte{2}}})
	j.close(false)
	if j, err = openJournal(path, [32]byte{1}); err != nil || len(j.done) != 2 {
		t.Fatalf("same file: %v, %v", j, err)
	}
	j.close(false)
	if j, err = openJournal(path, [32]byte{2}); err != nil || len(j.done) != 0 {
		t.Fatalf("other file: %d, %v", len(j.done), err)
	}
	j.close(true)
}

// TestNothingIsGivenAwaySilently: who has no owner, or one that the ledger does not
// know, is held back and told; --owner takes the first kind, never the second.
func TestNothingIsGivenAwaySilently(t *testing.T) {
	path := file(t, "list.csv", "资源名称,提供方,职责,数源单位\na,水务局,,\nb,,,\nc,XX,,\nd,林业局,,\ne,水务局,河道管理,\nf,水务局,水文监测,气象局\ng,水务局,,土地局\n")
	c := newChain(t)
	p, r := mustPlan(t, path, Options{})
	target := c.target()
	a := mustApply(t, p, target, c)
	account(t, r, a)
	if a.Sent != 4 || a.Held != 3 || a.Counts["11005"] != 2 || a.Counts["11034"] != 1 || a.Counts["11020"] != 1 {
		t.Errorf("%+v", a)
	}
	target.Owner = air
	a = mustApply(t, p, target, c)
	account(t, r, a)
	if a.Sent != 2 || a.Unchanged != 4 || a.Held != 1 {
		t.Errorf("with --owner: %+v", a)
	}
	if _, ok := c.entries[air+":"+localOf("b")]; !ok {
		t.Errorf("b is not with %s", air)
	}
	target.ShareType = 0
	if a = mustApply(t, p, target, newChain(t)); a.Held != 7 {
		t.Errorf("without share type: %+v", a)
	}
}

// TestWhatNamesNobodyIsNoOwner: an address or a state word in the owner's column is
// held back and told, --owner or not, and is not among those who could be registered;
// unless an organisation of that name is on the ledger.
func TestWhatNamesNobodyIsNoOwner(t *testing.T) {
	nobody := []string{"OD_OpenData_DealData.aspx?s=EAF760724C4E24A5", "Published", "error", "list.php", "id=7", "see http://h/x"}
	rows := "资源名称,提供方\nwater,水务局\n"
	for i, owner := range nobody {
		rows += fmt.Sprintf("n%d,%s\n", i, owner)
	}
	c := newChain(t)
	p, r := mustPlan(t, file(t, "list.csv", rows), Options{})
	if want := map[string]int{"水务局": 1}; !maps.Equal(p.Owners(), want) {
		t.Errorf("owners %v, want %v", p.Owners(), want)
	}
	target := c.target()
	target.Owner = air
	a := mustApply(t, p, target, c)
	account(t, r, a)
	if a.Sent != 1 || a.Held != len(nobody) || a.Counts["11034"] != len(nobody) || !strings.Contains(a.Problems[0].Message, "names no organisation") {
		t.Errorf("%+v", a)
	}
	known := target.Org
	target.Org = func(name string) (string, bool) {
		if name == "Published" {
			return water, true
		}
		return known(name)
	}
	if a = mustApply(t, p, target, newChain(t)); a.Held != len(nobody)-1 {
		t.Errorf("an organisation of that name: %+v", a)
	}
}

// TestRefusedElementDoesNotHoldTheOthers.
func TestRefusedElementDoesNotHoldTheOthers(t *testing.T) {
	c := newChain(t)
	p, r := mustPlan(t, list(t, 500), Options{})
	c.refuse[water+":"+localOf("资源000010")] = fault.DuplicateName
	c.refuse[air+":"+localOf("资源000499")] = fault.Secret
	a := mustApply(t, p, c.target(), c)
	account(t, r, a)
	if a.Refused != 2 || a.Sent != 498 || a.Counts["11010"] != 1 || a.Counts["11022"] != 1 || a.Problems[0].Line != 12 {
		t.Errorf("%+v", a)
	}
}

// TestHundredThousandEntriesInBoundedMemory: what is alive in the middle of an
// import of 100,000 entries is far below what the entries take.
func TestHundredThousandEntriesInBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const n = 100_000
	p, r := mustPlan(t, list(t, n), Options{})
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most uint64
	calls, sent := 0, 0
	target := newChain(t).target()
	target.Known = nil
	target.Progress = func(a Applied) {
		if calls++; calls%100 == 0 {
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		sent = a.Sent
	}
	a := mustApply(t, p, target, sendNothing{})
	account(t, r, a)
	if a.Sent != n || sent != n {
		t.Errorf("%+v, progress %d", a, sent)
	}
	if grown := int64(most) - int64(before.HeapAlloc); grown > 16<<20 {
		t.Errorf("%d MiB alive while importing", grown>>20)
	}
}

// sendNothing takes everything.
type sendNothing struct{}

// Send implements Sender.
func (sendNothing) Send(context.Context, Batch) error { return nil }

// TestBeijingImports end to end, with a registry made of the file's own owners.
func TestBeijingImports(t *testing.T) {
	p, r := mustPlan(t, shared(t, "catalogues/cn/beijing_catalogue_2021.json"), Options{})
	c := newChain(t)
	target := c.target()
	orgs := make(map[string]string)
	target.Org = func(name string) (string, bool) {
		if orgs[name] == "" {
			orgs[name] = fmt.Sprintf("1111000000%08d", len(orgs))
		}
		return orgs[name], true
	}
	a := mustApply(t, p, target, c)
	account(t, r, a)
	// 207 of the 208 without owner are no repeats, and two are of "XX".
	if a.Held != 209 || a.Sent != 794-209-r.Rejected || a.Refused != 0 {
		t.Errorf("%+v", a)
	}
}

// BenchmarkPlan judges the list of data.gov.tw.
func BenchmarkPlan(b *testing.B) {
	path := shared(b, "catalogues/tw/data_gov_tw_list_2018.csv")
	for b.Loop() {
		_, r, err := MakePlan(b.Context(), path, Options{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(r.Entries), "entries/op")
	}
}
