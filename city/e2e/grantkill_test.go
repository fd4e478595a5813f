package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"mulian/gateway"
	"mulian/gateway/deliver"
	"mulian/gateway/receipt"
	grantv1 "mulian/gen/mulian/grant/v1"
	identityv1 "mulian/gen/mulian/identity/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/gen/mulian/ledger/v1/ledgerv1connect"
	tracev1 "mulian/gen/mulian/trace/v1"
	txv1 "mulian/gen/mulian/tx/v1"
	"mulian/internal/canon"
	"mulian/internal/fault"
)

// doorAlone is the configuration under which the test binary is one gateway, to be killed.
const doorAlone = "MULIAN_E2E_DOOR"

// runDoor is the gateway as a process of its own.
func runDoor(raw string) error {
	var cfg gateway.Config
	if err := json.Unmarshal([]byte(raw), &cfg); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	g, err := gateway.Open(context.Background(), cfg, gateway.Options{Version: "e2e", Logger: log})
	if err != nil {
		return err
	}
	fmt.Println("open")
	return errors.Join(g.Run(context.Background()), g.Close())
}

// spawnedDoor is a gateway in a process of its own.
type spawnedDoor struct {
	cmd  *exec.Cmd
	once sync.Once
}

func (w *transfers) spawnDoor(cfg gateway.Config) *spawnedDoor {
	w.Helper()
	raw, err := json.Marshal(cfg)
	w.ok(err)
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), doorAlone+"="+string(raw))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	w.ok(err)
	w.ok(cmd.Start())
	p := &spawnedDoor{cmd: cmd}
	w.Cleanup(p.kill)
	if line, err := bufio.NewReader(out).ReadString('\n'); strings.TrimSpace(line) != "open" {
		w.Fatalf("the gateway says %q, %v", line, err)
	}
	w.eventually("the gateway's address is on the ledger", func() bool {
		a := &identityv1.Account{}
		return w.get("identity/account/"+cfg.Account, a) && a.GetGateway().GetUrl() == cfg.URL
	})
	return p
}

// kill is kill -9, and waits until it has happened.
func (p *spawnedDoor) kill() {
	p.once.Do(func() {
		p.cmd.Process.Kill()
		p.cmd.Wait()
	})
}

// bridge is the way from a gateway to the member. A use that the gateway submits is held up by
// what is set: before the ledger hears of it, or after it has answered and before the gateway
// hears that.
type bridge struct {
	mu            sync.Mutex // guards the two
	before, after func(http.ResponseWriter)
}

func (b *bridge) set(before, after func(http.ResponseWriter)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before, b.after = before, after
}

func (b *bridge) serve(w *transfers) string {
	to, err := url.Parse(w.chain.URL())
	w.ok(err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.FlushInterval = -1
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	s := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, in *http.Request) {
		if in.URL.Path != ledgerv1connect.LedgerServiceSubmitProcedure {
			proxy.ServeHTTP(out, in)
			return
		}
		raw, err := io.ReadAll(in.Body)
		if err != nil {
			return
		}
		in.Body = io.NopCloser(bytes.NewReader(raw))
		b.mu.Lock()
		before, after := b.before, b.after
		b.mu.Unlock()
		switch {
		case !countsUse(raw) || before == nil && after == nil:
			proxy.ServeHTTP(out, in)
		case before != nil:
			before(out)
		default:
			proxy.ServeHTTP(httptest.NewRecorder(), in) // the ledger has answered
			after(out)
		}
	}))
	w.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

// countsUse reports whether what is submitted is a RecordGrantUse.
func countsUse(raw []byte) bool {
	req, env, body := &ledgerv1.SubmitRequest{}, &txv1.Envelope{}, &txv1.Body{}
	if canon.Check(raw, req) != nil || canon.Check(req.Envelope, env) != nil || canon.Check(env.Body, body) != nil {
		return false
	}
	return len(body.Messages) == 1 && body.Messages[0].GetRecordGrantUse() != nil
}

// TestKilledBetweenUseAndRelease: kill -9 of the provider's gateway in the moment in which the
// ledger has counted a use and the gateway has not heard of it; and in that in which it has
// made the use durable and the ledger has not heard of it. Started again, the same fetch gets
// its answer, once for each use; another fetch gets nothing; no one-time grant is lost.
func TestKilledBetweenUseAndRelease(t *testing.T) {
	w := newTransfers(t)
	w.door.stop()
	addr := w.door.Addr()
	way := &bridge{}
	cfg := gateway.Config{
		Home: w.path("gateway", w.registry.Account), Account: w.registry.gateway, Keys: w.ring().Dir, Server: way.serve(w), Genesis: w.path("genesis"),
		Listen: addr, URL: "http://" + addr, Sources: []gateway.Source{w.source},
	}
	for n, c := range []struct {
		name string
		arm  func(kill func(http.ResponseWriter))
		uses uint64 // that the ledger has at the kill
	}{
		{"the ledger has counted it", func(kill func(http.ResponseWriter)) { way.set(nil, kill) }, 1},
		{"it is durable, and not sent", func(kill func(http.ResponseWriter)) { way.set(kill, nil) }, 0},
	} {
		p := w.spawnDoor(cfg)
		g := w.asked()
		fetch := fmt.Sprintf("fetch-kill-%d-abcdef", n)
		receipts := w.tap.Receipts().Len()
		killed := make(chan struct{})
		var once sync.Once
		c.arm(func(http.ResponseWriter) { once.Do(func() { p.kill(); close(killed) }) })
		_, err := w.tap.FetchByGrant(t.Context(), deliver.GrantedFetch{Grant: g.id, RowKey: g.rowKey, Fetch: fetch})
		<-killed
		if !fault.Is(err, fault.Unreachable) { // and it has asked again meanwhile
			t.Fatalf("%s: what the asker has of a dead gateway: %v", c.name, err)
		}
		way.set(nil, nil)
		grant := &grantv1.Grant{}
		if w.get("grant/grant/"+g.id, grant); grant.Sequence != c.uses {
			t.Errorf("%s: the ledger has counted %d uses", c.name, grant.Sequence)
		}
		if w.tap.Receipts().Len() != receipts {
			t.Errorf("%s: the data user has a receipt of a dead gateway", c.name)
		}
		p = w.spawnDoor(cfg)
		if c.uses > 0 {
			_, err := w.fetch(g, nil) // another fetch of the same grant: its one use is the first's
			w.refused(fault.UsesExhausted, err)
		}
		same := func(f *deliver.GrantedFetch) { f.Fetch = fetch }
		got, err := w.fetch(g, same)
		if err != nil {
			t.Fatalf("%s: after the start: %s %v", c.name, fault.CodeOf(err), err)
		}
		again, err := w.fetch(g, same)
		w.ok(err)
		use := &grantv1.Use{}
		w.get("grant/use/"+g.id+"/0000000001", use)
		w.get("grant/grant/"+g.id, grant)
		if grant.Sequence != 1 || grant.Uses != 1 || got.Record.Use != 1 || !bytes.Equal(use.RequestDigest, got.Record.RequestHash) || !bytes.Equal(got.Receipt.Record, again.Receipt.Record) {
			t.Errorf("%s: %d uses of %d numbers, the record is of use %d", c.name, grant.Uses, grant.Sequence, got.Record.Use)
		}
		_, err = w.fetch(g, nil)
		w.refused(fault.UsesExhausted, err)
		p.kill()
		w.onceInTheLog(t, g.id)
	}
}

// onceInTheLog opens the gateway again and holds that its log has one release under the grant.
func (w *transfers) onceInTheLog(t *testing.T, grant string) {
	t.Helper()
	w.door = w.open(w.registry, "", w.source)
	granted, completed := 0, 0
	w.ok(w.door.Records().Of(grant, func(e receipt.Entry) bool {
		switch e.Record.Outcome {
		case tracev1.Outcome_OUTCOME_GRANTED:
			granted++
		case tracev1.Outcome_OUTCOME_COMPLETED:
			completed++
		}
		return true
	}))
	if granted != 1 || completed != 1 {
		t.Errorf("%d decisions and %d ends of one use", granted, completed)
	}
	w.door.stop()
}

// TestNothingLeavesWithoutTheLedger: while the ledger cannot be reached a counted use cannot be
// shown to be on it, so nothing is released; when it is back the same fetch has its answer.
func TestNothingLeavesWithoutTheLedger(t *testing.T) {
	w := newTransfers(t)
	w.door.stop()
	addr := w.door.Addr()
	way := &bridge{}
	cfg := gateway.Config{
		Home: w.path("gateway", w.registry.Account), Account: w.registry.gateway, Keys: w.ring().Dir, Server: way.serve(w), Genesis: w.path("genesis"),
		Listen: addr, URL: "http://" + addr, Sources: []gateway.Source{w.source},
	}
	w.spawnDoor(cfg)
	g := w.asked()
	way.set(func(out http.ResponseWriter) { // nobody knows what became of it
		out.Header().Set("Content-Type", "application/json")
		out.WriteHeader(http.StatusGatewayTimeout)
		fmt.Fprint(out, `{"code":"deadline_exceeded","message":"the ledger does not answer"}`)
	}, nil)
	same := func(f *deliver.GrantedFetch) { f.Fetch = "fetch-cut-0-abcdef" }
	_, err := w.fetch(g, same)
	w.refused(fault.LogNotIncluded, err)
	if w.tap.Receipts().Len() != 0 {
		t.Error("the data user has a receipt")
	}
	_, err = w.fetch(g, nil) // nobody gets ahead of a use of which nobody knows
	w.refused(fault.LogNotIncluded, err)
	way.set(nil, nil)
	got, err := w.fetch(g, same)
	w.ok(err)
	if got.Record.Use != 1 {
		t.Errorf("use %d", got.Record.Use)
	}
}
