package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
)

// world is a ledger in memory: events in order, and every object's history.
type world struct {
	events  []*tracev1.Event
	history map[string][]past // by key, heights ascending
	pruned  int64             // heights below are gone
}

type past struct {
	height int64
	value  []byte // nil = deleted
}

func newWorld() *world { return &world{history: map[string][]past{}} }

// put changes one object at the next height; more keys are only named.
func (w *world) put(verb, key string, m proto.Message, more ...string) {
	h := int64(len(w.events) + 1)
	var value []byte
	if m != nil {
		raw, err := proto.Marshal(m)
		if err != nil {
			panic(err)
		}
		value = raw
	}
	w.history[key] = append(w.history[key], past{h, value})
	w.events = append(w.events, &tracev1.Event{Height: h, TimeMs: h * 1000, Verb: verb, Actor: "11110000000021928Y", TxId: txID(h), Objects: append([]string{key}, more...)})
}

func txID(h int64) []byte { return []byte(fmt.Sprintf("%032d", h)) }

func (w *world) Events(_ context.Context, from int64, limit int) (*ledgerv1.ListEventsResponse, error) {
	end := min(int(from)+limit, len(w.events))
	return &ledgerv1.ListEventsResponse{Events: w.events[from:end], Next: int64(end), Size: int64(len(w.events))}, nil
}

func (w *world) Object(_ context.Context, key string, height int64, _ bool) (*ledgerv1.GetObjectResponse, error) {
	if height != 0 && height < w.pruned {
		return nil, fault.Newf(fault.Pruned, "height %d", height)
	}
	res := &ledgerv1.GetObjectResponse{}
	for _, v := range w.history[key] {
		if height == 0 || v.height <= height {
			res.Value, res.Found = v.value, v.value != nil
		}
	}
	return res, nil
}

func (w *world) Watch(ctx context.Context, _ int64, _ func(*ledgerv1.WatchResponse) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// take runs the index until it has all events of w.
func take(t *testing.T, x *Index, w *world) {
	t.Helper()
	feedAll(t, x, w, int64(len(w.events)))
}

// feedAll runs the index until it has n events of a feed.
func feedAll(t testing.TB, x *Index, feed Feed, n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	done := make(chan error, 1)
	run, stop := context.WithCancel(ctx)
	go func() { done <- x.Run(run, feed) }()
	if err := x.Await(ctx, n); err != nil {
		t.Error(err)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func reopen(t *testing.T, path string) *Index {
	t.Helper()
	x, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

// random makes a history of entries, requests and drifts.
func random(seed uint64, n int) *world {
	w := newWorld()
	r := rand.New(rand.NewPCG(seed, 1))
	names := []string{"建设用地规划许可证", "取水许可", "户籍登记", "Building permits", "企业登记信息"}
	for range n {
		id := fmt.Sprintf("org%d:e%d", r.IntN(3), r.IntN(20))
		switch r.IntN(5) {
		case 0, 1:
			e := &cataloguev1.Entry{
				Id: id, Provider: strings.SplitN(id, ":", 2)[0], Name: names[r.IntN(len(names))], State: cataloguev1.EntryState(1 + r.IntN(6)),
				ShareType: cataloguev1.ShareType(1 + r.IntN(3)), Version: uint64(1 + r.IntN(5)), Duties: []string{fmt.Sprintf("d%d", r.IntN(4))},
			}
			w.put("catalogue/submit_entries", Entry+id, e, Duty+e.Duties[0])
		case 2:
			rid := fmt.Sprintf("%016x", r.IntN(30))
			w.put("share/file_request", Request+rid, &sharev1.Request{
				Id: rid, Provider: "org0", Requester: "org1", State: sharev1.RequestState(1 + r.IntN(4)), Clock: &sharev1.ClockRun{Overdue: r.IntN(2) == 0},
				Terms: &sharev1.Terms{Purpose: names[r.IntN(len(names))], Parts: []*sharev1.Part{{Entry: id}}},
			}, Entry+id)
		case 3:
			did := fmt.Sprintf("t@%d", r.IntN(9))
			w.put("catalogue/report_drift", Drift+did, &cataloguev1.Drift{Id: did, Org: "org0", Entries: []string{id}, Settlement: cataloguev1.Settlement(r.IntN(4))}, Entry+id)
		case 4:
			w.put("catalogue/counter_sign", Pending+id, nil, Entry+id)
		}
	}
	return w
}

// dump lists everything that an index answers, for comparison.
func dump(t *testing.T, x *Index) string {
	t.Helper()
	var out strings.Builder
	ctx := t.Context()
	entries, _, total, err := List[cataloguev1.Entry](ctx, x, Filter{Kind: Entry, Limit: 500})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&out, total)
	for _, e := range entries {
		fmt.Fprintln(&out, e.GetId(), e.GetName(), e.GetState(), e.GetVersion())
		vs, err := x.Versions(ctx, e.GetId())
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range vs {
			fmt.Fprintln(&out, " v", v.GetVersion(), v.GetHeight())
		}
		steps, keys, _, err := x.Trace(ctx, e.GetId(), false, -1, 500)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&out, keys)
		for _, s := range steps {
			fmt.Fprintln(&out, " s", s.Seq, s.Event.GetVerb())
		}
	}
	for _, q := range []string{"许可", "规划 许可", "build", "户", "企业登记"} {
		page, _, n, err := List[cataloguev1.Entry](ctx, x, Filter{Kind: Entry, Text: q, Limit: 500})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&out, q, n, len(page))
	}
	totals, err := x.Totals(ctx)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(&out, totals[Entry], totals[Request], totals[Drift], totals[Pending])
	return out.String()
}

// TestSameEventsSameAnswers: an index fed in one go, one that is reopened again
// and again, and one whose file was deleted in between answer alike.
func TestSameEventsSameAnswers(t *testing.T) {
	seeds := uint64(4)
	if testing.Short() {
		seeds = 1 // the race detector makes SQLite ten times slower
	}
	for seed := range seeds {
		w := random(seed, 900)
		whole := reopen(t, filepath.Join(t.TempDir(), "a.db"))
		take(t, whole, w)
		want := dump(t, whole)

		path := filepath.Join(t.TempDir(), "b.db")
		for _, n := range []int{0, 1, 499, 500, 501, 700, 900} {
			x, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			part := &world{events: w.events[:n], history: w.history}
			take(t, x, part)
			if next, _ := x.Next(); next != int64(n) {
				t.Fatalf("seed %d: took %d events of %d", seed, next, n)
			}
			x.Close()
		}
		if got := dump(t, reopen(t, path)); got != want {
			t.Errorf("seed %d: the reopened index differs", seed)
		}
		for _, f := range []string{path, path + "-wal", path + "-shm"} {
			os.Remove(f)
		}
		again := reopen(t, path)
		take(t, again, w)
		if got := dump(t, again); got != want {
			t.Errorf("seed %d: the index made anew differs", seed)
		}
	}
}

// TestAgainstModel compares lists with a walk over the world's latest objects.
func TestAgainstModel(t *testing.T) {
	w := random(7, 600)
	x := reopen(t, filepath.Join(t.TempDir(), "x.db"))
	take(t, x, w)
	latest := map[string]*cataloguev1.Entry{}
	for key, vs := range w.history {
		if id, ok := strings.CutPrefix(key, Entry); ok {
			e := &cataloguev1.Entry{}
			if err := proto.Unmarshal(vs[len(vs)-1].value, e); err != nil {
				t.Fatal(err)
			}
			latest[id] = e
		}
	}
	for _, f := range []Filter{
		{Kind: Entry},
		{Kind: Entry, Org: "org1"},
		{Kind: Entry, States: []int32{2, 3}},
		{Kind: Entry, Class: 2},
		{Kind: Entry, Org: "org2", Class: 1},
		{Kind: Entry, Text: "许可"},
		{Kind: Entry, Parent: Duty + "d2"},
		{Kind: Entry, Text: "不在里面"},
		{Kind: Entry, Text: "***"},
	} {
		var want []string
		for id, e := range latest {
			if (f.Org == "" || e.GetProvider() == f.Org) && (f.Class == 0 || int32(e.GetShareType()) == f.Class) &&
				(len(f.States) == 0 || slices.Contains(f.States, int32(e.GetState()))) &&
				(f.Parent == "" || slices.Contains(e.GetDuties(), strings.TrimPrefix(f.Parent, Duty))) &&
				(f.Text == "" || strings.Contains(e.GetName(), f.Text)) {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		var got []string
		for f.After = ""; ; {
			f.Limit = 3
			page, next, total, err := List[cataloguev1.Entry](t.Context(), x, f)
			if err != nil {
				t.Fatal(err)
			}
			if int(total) != len(want) {
				t.Fatalf("%+v: total %d, want %d", f, total, len(want))
			}
			for _, e := range page {
				got = append(got, e.GetId())
			}
			if f.After = next; next == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%+v: got %v, want %v", f, got, want)
		}
	}
}

// TestPrunedHistory: when the ledger no longer has an old value, the index takes
// the latest one and goes on.
func TestPrunedHistory(t *testing.T) {
	w := random(3, 200)
	w.pruned = 150
	x := reopen(t, filepath.Join(t.TempDir(), "x.db"))
	take(t, x, w)
	if next, _ := x.Next(); next != 200 {
		t.Fatalf("took %d events", next)
	}
}

// TestDamagedFileIsMadeAnew: the projection can be thrown away, also by accident.
func TestDamagedFileIsMadeAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte("this is no database, it was torn by a power failure"), 0o600); err != nil {
		t.Fatal(err)
	}
	x := reopen(t, path)
	w := random(1, 20)
	take(t, x, w)
	if _, _, err := Get[cataloguev1.Entry](t.Context(), x, Entry+"none"); err != nil {
		t.Fatal(err)
	}
}

// TestTraceOfAUse follows a use back to the duty, and leaves other requests out.
func TestTraceOfAUse(t *testing.T) {
	w := newWorld()
	w.put("catalogue/put_duties", Duty+"p:1", &cataloguev1.Duty{Id: "p:1", Org: "p"})
	w.put("catalogue/submit_entries", Entry+"p:e", &cataloguev1.Entry{Id: "p:e", Provider: "p", Duties: []string{"p:1"}}, Duty+"p:1")
	w.put("catalogue/lock_entries", Entry+"p:e", &cataloguev1.Entry{Id: "p:e", Provider: "p", Duties: []string{"p:1"}, Lock: &cataloguev1.Lock{}})
	terms := &sharev1.Terms{Parts: []*sharev1.Part{{Entry: "p:e"}}}
	w.put("share/file_request", Request+"r1", &sharev1.Request{Id: "r1", Terms: terms}, Entry+"p:e")
	w.put("share/file_request", Request+"r2", &sharev1.Request{Id: "r2", Terms: terms}, Entry+"p:e")
	w.put("share/answer", Agreement+"a1", &sharev1.Agreement{Id: "a1", Request: "r1", Terms: terms}, Request+"r1", Entry+"p:e")
	w.put("share/start_delivery", Delivery+"a1/0000000001", &sharev1.Delivery{Agreement: "a1"}, Agreement+"a1")
	w.put("share/record_use", Use+"a1/0000000001", &sharev1.Use{Agreement: "a1"}, Agreement+"a1")
	x := reopen(t, filepath.Join(t.TempDir(), "x.db"))
	take(t, x, w)
	for _, id := range []string{"a1", "r1", Use + "a1/0000000001"} {
		steps, _, _, err := x.Trace(t.Context(), id, false, -1, 100)
		if err != nil {
			t.Fatal(err)
		}
		var seqs []int64
		for _, s := range steps {
			seqs = append(seqs, s.Seq)
		}
		if want := []int64{0, 1, 2, 3, 5, 6, 7}; !slices.Equal(seqs, want) {
			t.Errorf("trace of %s has events %v, want %v", id, seqs, want)
		}
	}
	steps, _, _, err := x.Trace(t.Context(), fmt.Sprintf("%x", txID(3)), false, -1, 100)
	if err != nil || len(steps) != 1 || steps[0].Seq != 2 {
		t.Errorf("trace of a transaction: %v, %v", steps, err)
	}
	if _, _, _, err := x.Trace(t.Context(), "nothing", false, -1, 100); !fault.Is(err, fault.NotFound) {
		t.Errorf("trace of nothing: %v", err)
	}
}

// TestTraceLeavesOthersOut: what happened to another entry, request or agreement on the same
// duty, table and system is no part of the trace; what happened to these themselves is.
func TestTraceLeavesOthersOut(t *testing.T) {
	w := newWorld()
	entry := func(id string) *cataloguev1.Entry {
		return &cataloguev1.Entry{Id: id, Provider: "p", Duties: []string{"p:1"}, Table: "p/g:t", System: "p:s"}
	}
	shared := []string{Duty + "p:1", Table + "p/g:t", System + "p:s"}
	w.put("catalogue/put_duties", Duty+"p:1", &cataloguev1.Duty{Id: "p:1", Org: "p"})
	w.put("catalogue/put_systems", System+"p:s", &cataloguev1.System{Id: "p:s", Org: "p"})
	w.put("catalogue/register_tables", Table+"p/g:t", &cataloguev1.Table{Id: "p/g:t", System: "p:s"}, System+"p:s")
	w.put("catalogue/submit_entries", Entry+"p:e", entry("p:e"), shared...)
	other := int64(len(w.events))
	w.put("catalogue/submit_entries", Entry+"p:other", entry("p:other"), shared...)
	w.put("catalogue/put_matters", Matter+"p:m", &cataloguev1.Matter{Id: "p:m", Org: "p", Duties: []string{"p:1"}}, Duty+"p:1")
	w.put("catalogue/register_tables", Table+"p/g:u", &cataloguev1.Table{Id: "p/g:u", System: "p:s"}, System+"p:s")
	w.put("share/file_request", Request+"r2", &sharev1.Request{Id: "r2", Terms: &sharev1.Terms{Duty: "p:1", Parts: []*sharev1.Part{{Entry: "p:other"}}}}, Entry+"p:other", Duty+"p:1")
	own := int64(len(w.events))
	terms := &sharev1.Terms{Duty: "p:1", Parts: []*sharev1.Part{{Entry: "p:e"}}}
	w.put("share/file_request", Request+"r1", &sharev1.Request{Id: "r1", Terms: terms}, Entry+"p:e")
	w.put("share/answer", Agreement+"a1", &sharev1.Agreement{Id: "a1", Request: "r1", Terms: terms}, Request+"r1", Entry+"p:e")
	w.put("share/start_delivery", Delivery+"a1/0000000001", &sharev1.Delivery{Agreement: "a1"}, Agreement+"a1")
	w.put("catalogue/report_drift", Drift+"p/g:t@1", &cataloguev1.Drift{Id: "p/g:t@1", Table: "p/g:t", Entries: []string{"p:e"}}, Table+"p/g:t")
	w.put("catalogue/put_duties", Duty+"p:1", &cataloguev1.Duty{Id: "p:1", Org: "p", Retired: true})
	x := reopen(t, filepath.Join(t.TempDir(), "x.db"))
	take(t, x, w)
	steps, _, _, err := x.Trace(t.Context(), "a1", false, -1, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []int64
	for _, s := range steps {
		got = append(got, s.Seq)
	}
	for seq := range int64(len(w.events)) {
		if seq < other || seq >= own {
			want = append(want, seq)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("trace of the agreement has events %v, want %v", got, want)
	}
	if steps, _, _, err := x.Trace(t.Context(), "p:1", true, -1, 100); err != nil || len(steps) != 6 {
		t.Errorf("what touches the duty itself: %d events, %v", len(steps), err)
	}
}

// TestAwaitEnds: a reader who waits for what never comes is let go.
func TestAwaitEnds(t *testing.T) {
	x := reopen(t, filepath.Join(t.TempDir(), "x.db"))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := x.Await(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Await = %v", err)
	}
}

// FuzzSearch: whatever a person types is a search or finds nothing, never an error.
func FuzzSearch(f *testing.F) {
	for _, s := range []string{"许可", `"`, "a AND OR NOT (", "*", "NEAR(a b)", "name:x", "规划*", "\x00", "-"} {
		f.Add(s)
	}
	x, err := Open(filepath.Join(f.TempDir(), "x.db"))
	if err != nil {
		f.Fatal(err)
	}
	defer x.Close()
	f.Fuzz(func(t *testing.T, q string) {
		if _, _, _, err := List[cataloguev1.Entry](t.Context(), x, Filter{Kind: Entry, Text: q}); err != nil {
			t.Errorf("search %q: %v", q, err)
		}
	})
}

// flaky is a feed whose connection breaks at every third object.
type flaky struct {
	*world
	asked int
}

func (f *flaky) Object(ctx context.Context, key string, height int64, prove bool) (*ledgerv1.GetObjectResponse, error) {
	if f.asked++; f.asked%3 == 0 && f.asked < 12 {
		return nil, fault.Newf(fault.Unreachable, "the connection broke")
	}
	return f.world.Object(ctx, key, height, prove)
}

// TestBrokenConnection: a feed that breaks in the middle of a batch is asked again, and
// the index is the same.
func TestBrokenConnection(t *testing.T) {
	w := random(2, 60)
	whole := reopen(t, filepath.Join(t.TempDir(), "a.db"))
	take(t, whole, w)
	x := reopen(t, filepath.Join(t.TempDir(), "b.db"))
	feedAll(t, x, &flaky{world: w}, int64(len(w.events)))
	if got, want := dump(t, x), dump(t, whole); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// TestResolveAll: each id leads to the first table that has it, in the order of the ids.
func TestResolveAll(t *testing.T) {
	x := town(t, func(w *world) {
		w.entry(&cataloguev1.Entry{Id: "o:same", Name: "甲"})
		w.put("catalogue/put_duties", Duty+"o:same", &cataloguev1.Duty{Id: "o:same", Org: "o", Title: "职责"})
		w.put("catalogue/put_duties", Duty+"o:d", &cataloguev1.Duty{Id: "o:d", Org: "o", Title: "职责"})
	})
	got, err := x.ResolveAll(t.Context(), "o:d", "nobody", Entry+"o:same", "o:same", Duty+"o:same")
	want := []string{Duty + "o:d", Entry + "o:same", Entry + "o:same", Duty + "o:same"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v %v, want %v", got, err, want)
	}
}

// TestNumberedAndAll: what is numbered under one id is not what is under another that begins
// alike, and objects that are asked for together are those that are there.
func TestNumberedAndAll(t *testing.T) {
	x := town(t, func(w *world) {
		for _, key := range []string{"A/0000000002", "A/0000000001", "A1/0000000001", "A.b/0000000001", "A-/0000000003"} {
			w.put("share/record_use", Use+key, &sharev1.Use{By: key})
		}
	})
	uses, err := Numbered[sharev1.Use](t.Context(), x, Use, "A")
	if err != nil || len(uses) != 2 || uses[0].GetBy() != "A/0000000001" || uses[1].GetBy() != "A/0000000002" {
		t.Errorf("%v %v", uses, err)
	}
	keys := []string{Use + "A1/0000000001", Use + "nobody", Use + "A/0000000002"}
	for range maxLimit {
		keys = append(keys, Use+"A/0000000001") // more than one query
	}
	found, err := GetAll[sharev1.Use](t.Context(), x, keys)
	if err != nil || len(found) != 3 || found[Use+"nobody"] != nil || found[keys[0]].GetBy() != "A1/0000000001" {
		t.Errorf("%v %v", found, err)
	}
}
