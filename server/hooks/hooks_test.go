package hooks_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	consolev1 "mulian/gen/mulian/console/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	tracev1 "mulian/gen/mulian/trace/v1"
	"mulian/internal/fault"
	"mulian/server/hooks"
)

const (
	org   = "11110000MULN00001L"
	other = "11110000MULN00002P"
	post  = org + "/p/dev"
)

var (
	dev   = hooks.Asker{Account: post, Org: org}
	known = []string{"share.file_request", "share.answer", "trace.anchor_head"}
	quick = hooks.Times{Timeout: 300 * time.Millisecond, First: 4 * time.Millisecond, Most: 30 * time.Millisecond, GiveUp: time.Hour, Overlap: time.Hour}
)

// log is a ledger's log in memory, with an index that has all of it: an object is of the
// organisation that its key names.
type log struct {
	mu     sync.Mutex
	events []*tracev1.Event
	moved  chan struct{}
	gone   error // what the account's question is answered with
}

func newLog() *log { return &log{moved: make(chan struct{})} }

// add puts an event of an organisation into a new block.
func (l *log) add(verb, of string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := int64(len(l.events))
	l.events = append(l.events, &tracev1.Event{
		Height: n + 1, TimeMs: 1_790_000_000_000 + n, TxId: []byte{byte(n)}, Actor: "somebody", Verb: verb, Objects: []string{"share/request/" + of + strconv.FormatInt(n, 10)}, Note: "not for others",
	})
	close(l.moved)
	l.moved = make(chan struct{})
	return n
}

func (l *log) Events(_ context.Context, from int64, limit int) (*ledgerv1.ListEventsResponse, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from = min(from, int64(len(l.events)))
	return &ledgerv1.ListEventsResponse{Events: l.events[from:min(from+int64(limit), int64(len(l.events)))]}, nil
}

func (l *log) Tx(context.Context, []byte) (*ledgerv1.GetTxResponse, error) {
	return &ledgerv1.GetTxResponse{Index: 7}, nil
}

func (l *log) Status(context.Context) (*ledgerv1.GetStatusResponse, error) {
	n, h := l.Next()
	return &ledgerv1.GetStatusResponse{Events: n, Height: h}, nil
}

func (l *log) Next() (int64, int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return int64(len(l.events)), int64(len(l.events))
}

func (l *log) Concerns(_ context.Context, org string, objects []string) (bool, error) {
	return strings.HasPrefix(objects[0], "share/request/"+org), nil
}

func (l *log) Await(ctx context.Context, n int64) error {
	for {
		l.mu.Lock()
		have, moved := int64(len(l.events)), l.moved
		l.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

// got is one post as a receiver has it.
type got struct {
	id, signature string
	at            int64
	body          []byte
	data          hooks.Payload
}

// receiver is a real HTTP server that answers as the test says: 200 without answers left.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	answers []func(w http.ResponseWriter, r *http.Request)
	posts   []got
}

func newReceiver(t *testing.T) *receiver {
	x := &receiver{}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g := got{id: r.Header.Get("webhook-id"), signature: r.Header.Get("webhook-signature")}
		g.at, _ = strconv.ParseInt(r.Header.Get("webhook-timestamp"), 10, 64)
		g.body, _ = io.ReadAll(r.Body)
		if err := json.Unmarshal(g.body, &g.data); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %v", r.Method, g.body, err)
		}
		x.mu.Lock()
		x.posts = append(x.posts, g)
		var answer func(http.ResponseWriter, *http.Request)
		if len(x.answers) > 0 {
			answer, x.answers = x.answers[0], x.answers[1:]
		}
		x.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(x.Close)
	return x
}

func (x *receiver) all() []got {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.posts)
}

// numbers waits for n posts and returns the events that they are of.
func (x *receiver) numbers(t *testing.T, n int) (out []int64) {
	t.Helper()
	until(t, func() bool { return len(x.all()) >= n })
	for _, g := range x.all() {
		out = append(out, g.data.Data.Event)
	}
	return out
}

func until(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not come")
		}
	}
}

func status(code int, headers ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(code)
	}
}

func guard(t *testing.T, allow ...string) *hooks.Guard {
	t.Helper()
	g, err := hooks.NewGuard(allow)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// open opens the hooks of a folder and runs them until stop is called or the test ends.
func open(t *testing.T, dir string, l *log, change func(*hooks.Config)) (h *hooks.Hooks, stop func()) {
	t.Helper()
	cfg := hooks.Config{
		Dir: dir, ChainID: "chain-1", Chain: l, Index: l, Times: quick, Version: "test", Guard: guard(t, "127.0.0.0/8"),
		Account: func(context.Context, string) error { l.mu.Lock(); defer l.mu.Unlock(); return l.gone },
	}
	if change != nil {
		change(&cfg)
	}
	h, err := hooks.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = h.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-done })
	t.Cleanup(stop)
	return h, stop
}

func create(t *testing.T, h *hooks.Hooks, url string, types ...string) (*consolev1.Hook, string) {
	t.Helper()
	x, secret, err := h.Create(t.Context(), dev, &consolev1.CreateHookRequest{Url: url, Types: types}, known)
	if err != nil {
		t.Fatal(err)
	}
	return x, secret
}

func one(t *testing.T, h *hooks.Hooks) *consolev1.Hook {
	t.Helper()
	res, err := h.List(t.Context(), dev)
	if err != nil || len(res.GetHooks()) != 1 {
		t.Fatalf("%v, %v", res, err)
	}
	return res.GetHooks()[0]
}

// TestSignature holds Sign against the vector of the specification's own libraries.
func TestSignature(t *testing.T) {
	sig, err := hooks.Sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; sig != want || err != nil {
		t.Errorf("%s, %v; want %s", sig, err, want)
	}
}

// TestOrder: what concerns the organisation arrives in order, signed, once, thin; what does not
// concern it does not.
func TestOrder(t *testing.T) {
	l, r := newLog(), newReceiver(t)
	l.add("share/file_request", org) // before the hook
	h, _ := open(t, folder(t), l, nil)
	x, secret := create(t, h, r.URL+"/in?token=abc")
	var want []int64
	for i := range 300 {
		of := org
		if i%3 == 1 {
			of = other
		}
		verb := "share/answer"
		if i%5 == 2 {
			verb = "trace/anchor_head" // only for who names it
		}
		if n := l.add(verb, of); of == org && verb == "share/answer" {
			want = append(want, n)
		}
	}
	if have := r.numbers(t, len(want)); !slices.Equal(have, want) {
		t.Fatalf("%v, want %v", have, want)
	}
	until(t, func() bool { return one(t, h).GetLag() == 0 })
	for _, g := range r.all() {
		sig, err := hooks.Sign(secret, g.id, time.Unix(g.at, 0), g.body)
		if err != nil || sig != g.signature || g.id != fmt.Sprintf("msg_%s_%d", x.GetId(), g.data.Data.Event) {
			t.Fatalf("%s %s: %s, %v", g.id, g.signature, sig, err)
		}
		if strings.Contains(string(g.body), "somebody") || strings.Contains(string(g.body), "not for others") {
			t.Fatalf("it says who acted, or more: %s", g.body)
		}
	}
	d := r.all()[0].data
	if d.Type != "share.answer" || d.Data.Organisation != org || *d.Data.Index != 7 || d.Data.Chain != "chain-1" || d.Data.Height != d.Data.Event+1 || !strings.HasPrefix(d.Data.Object, "share/request/"+org) {
		t.Errorf("%+v", d)
	}
}

// TestAgain: a receiver that fails, is slow, leads elsewhere or closes the door gets the same
// event with the same id and body until it takes it; then the next.
func TestAgain(t *testing.T) {
	l, r := newLog(), newReceiver(t)
	elsewhere := newReceiver(t)
	r.answers = []func(http.ResponseWriter, *http.Request){
		status(500), func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }, status(307, "Location", elsewhere.URL),
		func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, status(404),
	}
	h, _ := open(t, folder(t), l, nil)
	x, _ := create(t, h, r.URL)
	first, second := l.add("share/answer", org), l.add("share/answer", org)
	if have, want := r.numbers(t, 7), []int64{first, first, first, first, first, first, second}; !slices.Equal(have, want) {
		t.Fatalf("%v, want %v", have, want)
	}
	for _, g := range r.all()[:6] {
		if g.id != r.all()[0].id || string(g.body) != string(r.all()[0].body) {
			t.Errorf("another: %s %s", g.id, g.body)
		}
	}
	if n := len(elsewhere.all()); n != 0 {
		t.Errorf("a redirect was followed %d times", n)
	}
	until(t, func() bool { y := one(t, h); return y.GetFailures() == 0 && y.GetLag() == 0 })
	list, err := h.Attempts(dev, x.GetId(), 0)
	if err != nil || len(list) != 7 {
		t.Fatalf("%d attempts, %v", len(list), err)
	}
	for i, want := range []string{"", "", "HTTP 404", "EOF", "redirects are not followed", "no answer in time", "HTTP 500"} {
		if !strings.Contains(list[i].GetError(), want) || want == "" && list[i].GetError() != "" {
			t.Errorf("attempt %d: %q, want %q", i, list[i].GetError(), want)
		}
	}
}

// TestRetryAfter: nobody comes before the receiver wants it.
func TestRetryAfter(t *testing.T) {
	l, r := newLog(), newReceiver(t)
	r.answers = []func(http.ResponseWriter, *http.Request){status(503, "Retry-After", "1")}
	h, _ := open(t, folder(t), l, nil)
	create(t, h, r.URL)
	l.add("share/answer", org)
	r.numbers(t, 1)
	began := time.Now()
	until(t, func() bool { return one(t, h).GetState() == consolev1.HookState_HOOK_STATE_FAILING })
	r.numbers(t, 2)
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("again after %s", took)
	}
}

// TestEnds: 410, too long without success, and an account that may not ask turn a hook off; who
// resumes it goes on where it was.
func TestEnds(t *testing.T) {
	for name, c := range map[string]struct {
		answer int
		times  func(*hooks.Times)
		gone   error
		end    consolev1.HookEnd
	}{
		"gone":    {410, nil, nil, consolev1.HookEnd_HOOK_END_GONE},
		"failed":  {500, func(x *hooks.Times) { x.GiveUp = 20 * time.Millisecond }, nil, consolev1.HookEnd_HOOK_END_FAILED},
		"account": {200, nil, fault.Newf(fault.Suspended, "%s is not active", post), consolev1.HookEnd_HOOK_END_ACCOUNT},
	} {
		t.Run(name, func(t *testing.T) {
			l, r := newLog(), newReceiver(t)
			for range 100 {
				r.answers = append(r.answers, status(c.answer))
			}
			l.gone = c.gone
			h, _ := open(t, folder(t), l, func(cfg *hooks.Config) {
				if c.times != nil {
					c.times(&cfg.Times)
				}
			})
			x, _ := create(t, h, r.URL)
			n := l.add("share/answer", org)
			until(t, func() bool { return one(t, h).GetState() == consolev1.HookState_HOOK_STATE_OFF })
			if have := one(t, h); have.GetEnd() != c.end || have.GetNext() != n || h.Figures().Failing != 1 {
				t.Fatalf("%v, %+v", have, h.Figures())
			}
			r.mu.Lock()
			r.answers, r.posts = nil, nil
			r.mu.Unlock()
			l.mu.Lock()
			l.gone = nil
			l.mu.Unlock()
			if _, err := h.Update(t.Context(), dev, &consolev1.UpdateHookRequest{Id: x.GetId(), State: consolev1.HookState_HOOK_STATE_ACTIVE}, known); err != nil {
				t.Fatal(err)
			}
			if have := r.numbers(t, 1); have[0] != n {
				t.Errorf("goes on with %d, was at %d", have[0], n)
			}
		})
	}
}

// TestReplay: from a height, from an event, one alone; and none while it is paused but what a
// person asks for.
func TestReplay(t *testing.T) {
	l, r := newLog(), newReceiver(t)
	h, _ := open(t, folder(t), l, nil)
	x, _ := create(t, h, r.URL)
	for range 5 {
		l.add("share/answer", org)
	}
	foreign := l.add("share/answer", other)
	r.numbers(t, 5)
	until(t, func() bool { return one(t, h).GetLag() == 0 })
	replay := func(m *consolev1.ReplayHookRequest) error {
		m.Id = x.GetId()
		_, err := h.Replay(t.Context(), dev, m)
		return err
	}
	for _, c := range []struct {
		m    *consolev1.ReplayHookRequest
		want []int64
	}{
		{&consolev1.ReplayHookRequest{From: &consolev1.ReplayHookRequest_Height{Height: 4}}, []int64{3, 4}},
		{&consolev1.ReplayHookRequest{From: &consolev1.ReplayHookRequest_Event{Event: 2}}, []int64{2, 3, 4}},
		{&consolev1.ReplayHookRequest{From: &consolev1.ReplayHookRequest_Only{Only: 1}}, []int64{1}},
	} {
		before := r.all()
		if err := replay(c.m); err != nil {
			t.Fatal(err)
		}
		if have := r.numbers(t, len(before)+len(c.want))[len(before):]; !slices.Equal(have, c.want) {
			t.Fatalf("%v: %v, want %v", c.m, have, c.want)
		}
		for _, g := range r.all()[len(before):] {
			if first := before[g.data.Data.Event]; g.id != first.id || string(g.body) != string(first.body) {
				t.Errorf("%s is not %s", g.id, first.id)
			}
		}
		until(t, func() bool { return one(t, h).GetLag() == 0 })
	}
	for name, c := range map[string]struct {
		m    *consolev1.ReplayHookRequest
		want fault.Code
	}{
		"later than all": {&consolev1.ReplayHookRequest{From: &consolev1.ReplayHookRequest_Height{Height: 7}}, fault.OutOfRange},
		"not yet":        {&consolev1.ReplayHookRequest{From: &consolev1.ReplayHookRequest_Only{Only: 6}}, fault.OutOfRange},
		"another's":      {&consolev1.ReplayHookRequest{From: &consolev1.ReplayHookRequest_Only{Only: foreign}}, fault.NotFound},
		"nothing said":   {&consolev1.ReplayHookRequest{}, fault.Missing},
	} {
		if err := replay(c.m); fault.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}

	if _, err := h.Update(t.Context(), dev, &consolev1.UpdateHookRequest{Id: x.GetId(), State: consolev1.HookState_HOOK_STATE_PAUSED}, known); err != nil {
		t.Fatal(err)
	}
	n := len(r.all())
	l.add("share/answer", org)
	a, err := h.Test(t.Context(), dev, x.GetId())
	if err != nil || a.GetError() != "" || a.GetType() != hooks.TestType || !a.GetAgain() {
		t.Fatalf("%v, %v", a, err)
	}
	if have := r.numbers(t, n+1)[n:]; !slices.Equal(have, []int64{-1}) {
		t.Errorf("paused, and posted %v", have)
	}
}

// TestRotation: both secrets sign while they overlap, then the new one alone.
func TestRotation(t *testing.T) {
	l, r := newLog(), newReceiver(t)
	var mu sync.Mutex
	var ahead time.Duration
	h, _ := open(t, folder(t), l, func(c *hooks.Config) {
		c.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return time.Now().Add(ahead) }
	})
	x, old := create(t, h, r.URL)
	shown, secret, err := h.Rotate(t.Context(), dev, x.GetId())
	if err != nil || secret == old || shown.GetOldSecretMs() == 0 {
		t.Fatalf("%v, %v", shown, err)
	}
	l.add("share/answer", org)
	r.numbers(t, 1)
	mu.Lock()
	ahead = 2 * time.Hour
	mu.Unlock()
	l.add("share/answer", org)
	r.numbers(t, 2)
	for i, secrets := range [][]string{{secret, old}, {secret}} {
		g := r.all()[i]
		var want []string
		for _, s := range secrets {
			sig, _ := hooks.Sign(s, g.id, time.Unix(g.at, 0), g.body)
			want = append(want, sig)
		}
		if g.signature != strings.Join(want, " ") {
			t.Errorf("post %d is signed %s, want %s", i, g.signature, want)
		}
	}
}

// TestRestart: a start goes on with the place, the pause and the list of the last one; the files
// are for their owner alone; a torn list is no obstacle, a torn hook is.
func TestRestart(t *testing.T) {
	dir := folder(t)
	l, r := newLog(), newReceiver(t)
	h, stop := open(t, dir, l, nil)
	x, _ := create(t, h, r.URL)
	l.add("share/answer", org)
	r.numbers(t, 1)
	until(t, func() bool { return one(t, h).GetLag() == 0 })
	stop()
	files, err := filepath.Glob(dir + "/*")
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if st, err := os.Stat(f); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, st.Mode(), err)
		}
	}
	list, err := os.OpenFile(filepath.Join(dir, x.GetId()+".log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(list, `{"id":"to`)
	list.Close()
	l.add("share/answer", org)
	h, stop = open(t, dir, l, nil)
	if have := r.numbers(t, 2); !slices.Equal(have, []int64{0, 1}) {
		t.Errorf("%v", have)
	}
	until(t, func() bool { a, err := h.Attempts(dev, x.GetId(), 0); return err == nil && len(a) == 2 })
	stop()
	if err := os.WriteFile(filepath.Join(dir, x.GetId()+".json"), []byte(`{"id"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := hooks.Open(hooks.Config{Dir: dir}); fault.CodeOf(err) != fault.Damaged {
		t.Errorf("%v", err)
	}
}

// TestSlow: a receiver that never answers holds up nobody else.
func TestSlow(t *testing.T) {
	l, r, slow := newLog(), newReceiver(t), newReceiver(t)
	hang := make(chan struct{})
	for range 100 {
		slow.answers = append(slow.answers, func(_ http.ResponseWriter, q *http.Request) {
			select {
			case <-hang:
			case <-q.Context().Done():
			}
		})
	}
	t.Cleanup(func() { close(hang) })
	h, _ := open(t, folder(t), l, func(c *hooks.Config) { c.Times.Timeout = time.Minute })
	create(t, h, slow.URL)
	create(t, h, r.URL)
	for range 20 {
		l.add("share/answer", org)
	}
	r.numbers(t, 20)
	if n := len(slow.all()); n != 1 {
		t.Errorf("%d posts to the slow one", n)
	}
}

// TestWhose: nobody sees another's hook; the organisation's own account sees those of its posts;
// and an account has no more than ten.
func TestWhose(t *testing.T) {
	l, r := newLog(), newReceiver(t)
	h, _ := open(t, folder(t), l, nil)
	x, _ := create(t, h, r.URL)
	for _, a := range []hooks.Asker{{Account: other, Org: other}, {Account: org + "/p/colleague", Org: org}} {
		if res, err := h.List(t.Context(), a); err != nil || len(res.GetHooks()) != 0 {
			t.Errorf("%v sees %v, %v", a, res, err)
		}
		if err := h.Delete(a, x.GetId()); fault.CodeOf(err) != fault.NotFound {
			t.Errorf("%v removes it: %v", a, err)
		}
	}
	for range 9 {
		create(t, h, r.URL, "share.*")
	}
	if _, _, err := h.Create(t.Context(), dev, &consolev1.CreateHookRequest{Url: r.URL}, known); fault.CodeOf(err) != fault.OutOfRange {
		t.Errorf("an eleventh: %v", err)
	}
	if err := h.Delete(hooks.Asker{Account: org, Org: org}, x.GetId()); err != nil {
		t.Error(err)
	}
	if _, err := h.Attempts(dev, x.GetId(), 0); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("a removed one: %v", err)
	}
	if _, _, err := h.Create(t.Context(), dev, &consolev1.CreateHookRequest{Url: r.URL, Types: []string{"share.nothing"}}, known); fault.CodeOf(err) != fault.Malformed {
		t.Errorf("a type that there is not: %v", err)
	}
}

// folder is one that is not there yet.
func folder(t *testing.T) string { return filepath.Join(t.TempDir(), "hooks") }
