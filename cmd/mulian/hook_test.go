package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/rogpeppe/go-internal/testscript"

	"mulian/client"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/server/hooks"
)

// posted is one post that a receiver had.
type posted struct {
	id, signature, at string
	body              []byte
	payload           hooks.Payload
}

// receivers takes posts and answers as it is told, 200 if it is not.
type receivers struct {
	*httptest.Server
	mu    sync.Mutex
	posts []posted
}

func newReceivers(answer func(w http.ResponseWriter, n int)) *receivers {
	x := &receivers{}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := posted{id: r.Header.Get("webhook-id"), signature: r.Header.Get("webhook-signature"), at: r.Header.Get("webhook-timestamp")}
		p.body, _ = io.ReadAll(r.Body)
		_ = json.Unmarshal(p.body, &p.payload)
		x.mu.Lock()
		x.posts = append(x.posts, p)
		n := len(x.posts)
		x.mu.Unlock()
		if answer != nil {
			answer(w, n)
		}
	}))
	return x
}

func (x *receivers) all() []posted {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.posts)
}

// told keeps the receiver of each story.
var told sync.Map

// receiver starts a program that takes posts, and puts its URL into $RECEIVER; "receiver down"
// has it answer 500 from now on, "receiver up" no longer.
func receiver(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 1 {
		ts.Check(os.WriteFile(ts.MkAbs("receiver.state"), []byte(args[0]), 0o600))
		return
	}
	state := ts.MkAbs("receiver.state")
	x := newReceivers(func(w http.ResponseWriter, _ int) {
		if raw, _ := os.ReadFile(state); string(raw) == "down" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	ts.Defer(x.Close)
	told.Store(ts.Getenv("WORK"), x)
	ts.Setenv("RECEIVER", x.URL)
}

// received waits for posts of these types, in this order and after what was looked at before, and
// holds each signature: received SECRET TYPE...
func received(ts *testscript.TestScript, _ bool, args []string) {
	v, _ := told.Load(ts.Getenv("WORK"))
	x := v.(*receivers)
	want := args[1:]
	for end := time.Now().Add(patience); len(x.all()) < len(want) && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	x.mu.Lock()
	posts := x.posts
	x.posts = nil
	x.mu.Unlock()
	var have []string
	for _, p := range posts {
		have = append(have, p.payload.Type)
		sec, _ := strconv.ParseInt(p.at, 10, 64)
		if sig, err := hooks.Sign(args[0], p.id, time.Unix(sec, 0), p.body); err != nil || !slices.Contains(strings.Fields(p.signature), sig) {
			ts.Fatalf("%s is signed %q, not %q: %v", p.id, p.signature, sig, err)
		}
	}
	if !slices.Equal(have, want) {
		ts.Fatalf("received %v, want %v", have, want)
	}
}

// TestHooksSurviveKills: kill -9 of the real node again and again while its authority registers
// organisations, and a receiver that breaks off, refuses, or takes without saying so. In the end
// each event of the ledger since the hook was made has arrived, the first time in order, each
// time with the same id and body.
func TestHooksSurviveKills(t *testing.T) {
	const authority = "11110000MULN00001L"
	kills, acts := 8, 60
	if testing.Short() {
		kills, acts = 3, 20
	}
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	env := append(os.Environ(), "MULIAN_HOME="+home, "MULIAN_LISTEN="+at, "MULIAN_LOG_LEVEL=warn", "LANG=en_GB.UTF-8", "MULIAN_AS="+authority)
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("mulian", args...)
		cmd.Env = env
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("mulian %v: %v\n%s", args, err, said.String())
		}
		return string(out)
	}
	run("init", authority, "--name", "试验市数据局")
	if err := os.WriteFile(filepath.Join(home, configFile), []byte("hooks:\n  allow: [127.0.0.0/8]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() *exec.Cmd {
		cmd := exec.Command("mulian", "node")
		cmd.Env, cmd.Stderr = env, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
			if res, err := http.Get("http://" + at + "/healthz"); err == nil {
				res.Body.Close()
				return cmd
			}
			if time.Now().After(end) {
				t.Fatal("the node does not start")
			}
		}
	}
	node := start()
	var bad atomic.Int32 // failures in a row, 2 at most: after five the next wait is longer than our patience
	x := newReceivers(func(w http.ResponseWriter, n int) {
		what := rand.N(6)
		if what > 1 || bad.Add(1) > 2 {
			bad.Store(0)
			return
		}
		if what == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		panic(http.ErrAbortHandler) // it has it, and nobody knows
	})
	defer x.Close()
	var made struct {
		Hook struct{ ID string }
	}
	if err := json.Unmarshal([]byte(run("hook", "add", x.URL, "--json")), &made); err != nil || made.Hook.ID == "" {
		t.Fatal(made, err)
	}
	cl := client.New("http://" + at)
	st, err := cl.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first := st.GetEvents()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	acted := make(chan struct{})
	go func() {
		defer close(acted)
		for i := 0; i < acts && ctx.Err() == nil; i++ {
			cmd := exec.CommandContext(ctx, "mulian", "org", "unit", fmt.Sprintf("u%d", i), "--name", fmt.Sprintf("试验处%d", i), "--quiet")
			cmd.Env = env
			_ = cmd.Run() // the node may be dead: what came to be is on the ledger
		}
	}()
	for range kills {
		time.Sleep(100*time.Millisecond + rand.N(900*time.Millisecond))
		if err := node.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = node.Wait()
		node = start()
	}
	<-acted
	defer func() { _ = node.Process.Kill(); _ = node.Wait() }()
	res, err := cl.Ledger.ListEvents(t.Context(), connect.NewRequest(&ledgerv1.ListEventsRequest{From: first, Limit: 500}))
	if err != nil {
		t.Fatal(err)
	}
	var want []int64
	for i := range res.Msg.GetEvents() {
		want = append(want, first+int64(i)) // all are the authority's
	}
	seen := func() (order []int64) {
		for _, p := range x.all() {
			if n := p.payload.Data.Event; !slices.Contains(order, n) {
				order = append(order, n)
			}
		}
		return order
	}
	// One of three attempts fails, so that the whole takes long: something new has to come in time.
	for had, end := 0, time.Now().Add(patience); len(seen()) < len(want) && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if n := len(seen()); n > had {
			had, end = n, time.Now().Add(patience)
		}
	}
	if order := seen(); !slices.Equal(order, want) || len(want) < acts/3 {
		t.Fatalf("received %v of %v", order, want)
	}
	bodies, twice := map[int64]string{}, 0
	for _, p := range x.all() {
		n := p.payload.Data.Event
		if was, ok := bodies[n]; ok && was != string(p.body) {
			t.Errorf("event %d: %s, then %s", n, was, p.body)
		} else if ok {
			twice++
		}
		bodies[n] = string(p.body)
		if p.id != fmt.Sprintf("msg_%s_%d", made.Hook.ID, n) {
			t.Errorf("event %d has the id %s", n, p.id)
		}
	}
	t.Logf("%d kills, %d events, each there, %d more than once", kills, len(want), twice)
}
