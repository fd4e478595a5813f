package trial

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/goccy/go-yaml"

	"mulian/client"
	"mulian/client/keyring"
	cataloguev1 "mulian/gen/mulian/catalogue/v1"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
	"mulian/internal/fault"
	"mulian/internal/wire"
)

// builtProgram builds the real program, as it is.
func builtProgram(t *testing.T) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mulian")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/mulian")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return []string{path, "node", "--quiet"}
}

// beside starts a member, which the test's end kills.
func beside(t *testing.T, m Member, command []string) *Started {
	t.Helper()
	p, err := m.Start(command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// keeping makes the member keep few blocks and make snapshots often.
func keeping(t *testing.T, m Member, blocks, every int) {
	t.Helper()
	path := filepath.Join(m.Home, configFile)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := yaml.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	n := c["node"].(map[string]any)
	n["keep_blocks"], n["snapshot_every"], n["heartbeat"] = blocks, every, "1s"
	if raw, err = yaml.Marshal(c); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// fillDuties commits so many transactions through all members.
func fillDuties(t *testing.T, w *Network, n int64) {
	t.Helper()
	var next, failed atomic.Int64
	var all sync.WaitGroup
	for i := range 32 {
		m := w.Members[i%len(w.Members)]
		s, err := m.Signer(keyring.Officer)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			c := client.New(m.URL)
			for k := next.Add(1); k <= n; k = next.Add(1) {
				id := fmt.Sprintf("%s:%d", m.Org, k)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				_, err := c.Send(ctx, s, &cataloguev1.PutDuties{Duties: []*cataloguev1.Duty{{
					Id: id, Org: m.Org, Title: fmt.Sprint("职责", k), PowerType: cataloguev1.PowerType_POWER_TYPE_LICENSING, Source: "三定规定", Article: "第三条",
				}}})
				cancel()
				if err != nil && failed.Add(1) > 20 {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestAFifthNodeBeginsWithASnapshot: four members keep few blocks of a chain of thousands of
// transactions. A fifth node cannot begin with blocks; the real program makes it from a
// snapshot, is killed while it does, goes on, catches up, and answers for what was long ago.
func TestAFifthNodeBeginsWithASnapshot(t *testing.T) {
	if testing.Short() {
		t.Skip("five processes: not beside the race detector's")
	}
	command := builtProgram(t)
	w, err := Found(Options{Home: filepath.Join(t.TempDir(), "net"), Members: 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range w.Members {
		keeping(t, m, 60, 20)
	}
	run := make([]*Started, 4)
	for i, m := range w.Members {
		run[i] = beside(t, m, command)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	for _, p := range run {
		if _, err := p.Ready(ctx, 3); err != nil {
			t.Fatal(err)
		}
	}
	const txs = 2000
	begin := time.Now()
	fillDuties(t, w, txs)
	api := client.New(w.Members[0].URL)
	for { // until the first blocks are gone, and a snapshot is there
		_, gone := api.Ledger.GetHeader(ctx, connect.NewRequest(&ledgerv1.GetHeaderRequest{Height: 1}))
		_, there := api.Ledger.GetSnapshot(ctx, connect.NewRequest(&ledgerv1.GetSnapshotRequest{}))
		if gone != nil && there == nil {
			break
		}
		fillDuties(t, w, 5)
	}
	st, err := api.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d blocks, %d events in %s", st.GetHeight(), st.GetEvents(), time.Since(begin).Round(time.Millisecond))

	home := filepath.Join(w.Home, "fifth")
	args := []string{
		"node", "init", "--json", "--home", home, "--from", w.Members[0].URL + "," + w.Members[1].URL + "," + w.Members[2].URL,
		"--genesis-hash", w.Hash(), "--node-listen", aFreeAddress(t),
	}
	early := exec.CommandContext(ctx, command[0], args...)
	if err := early.Start(); err != nil {
		t.Fatal(err)
	}
	for { // as soon as it has begun
		if _, err := os.Stat(filepath.Join(home, "node", "joining")); err == nil {
			break
		}
		if _, err := os.Stat(filepath.Join(home, "node", "store")); err == nil {
			break // it was faster
		}
		time.Sleep(time.Millisecond)
	}
	_ = early.Process.Kill()
	_ = early.Wait()
	begin = time.Now()
	var out, said bytes.Buffer
	again := exec.CommandContext(ctx, command[0], args...)
	again.Stdout, again.Stderr = &out, &said
	err = again.Run()
	if _, there := os.Stat(filepath.Join(home, "node", "store")); there != nil {
		t.Fatalf("%v\n%s", err, said.String())
	}
	if err == nil {
		var v struct {
			OK      bool
			Height  int64
			Seconds float64
			Refused []any
		}
		if err := json.Unmarshal(out.Bytes(), &v); err != nil || !v.OK || len(v.Refused) > 0 {
			t.Fatalf("%v: %s", err, out.String())
		}
		t.Logf("state of height %d in %s", v.Height, time.Since(begin).Round(time.Millisecond))
	} // else the first one was done before it was killed: AlreadyExists
	catchUp(ctx, t, w, home, command, begin)
}

// catchUp runs the fifth node beside the others until it is where they are, and asks it.
func catchUp(ctx context.Context, t *testing.T, w *Network, home string, command []string, begin time.Time) {
	t.Helper()
	fifth := Member{Number: 5, Home: home, URL: "http://" + aFreeAddress(t)}
	raw, err := os.ReadFile(filepath.Join(home, configFile))
	if err != nil {
		t.Fatal(err)
	}
	raw = append(raw, []byte("listen: "+fifth.URL[len("http://"):]+"\n")...)
	if err := os.WriteFile(filepath.Join(home, configFile), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	p := beside(t, fifth, command)
	if _, err := p.Ready(ctx, 1); err != nil {
		t.Fatal(err)
	}
	t.Logf("serving %s after the restore began", time.Since(begin).Round(time.Millisecond))
	fillDuties(t, w, 1)
	own, other := client.New(fifth.URL), client.New(w.Members[0].URL)
	for {
		a, err := own.Status(ctx)
		if ctx.Err() != nil {
			t.Fatalf("the fifth node does not catch up: %v, %v; its log:\n%s", a, err, p.tail())
		}
		b, berr := other.Status(ctx)
		if err == nil && berr == nil && a.GetHeight() == b.GetHeight() && a.GetIndexed() == a.GetEvents() {
			if !bytes.Equal(a.GetAppHash(), b.GetAppHash()) || a.GetEvents() != b.GetEvents() {
				t.Fatalf("%v and %v", a, b)
			}
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if _, err := own.Ledger.GetHeader(ctx, connect.NewRequest(&ledgerv1.GetHeaderRequest{Height: 1})); !fault.Is(wire.Fault(err), fault.Pruned) {
		t.Errorf("the fifth node has block 1, or says %v", err)
	}
	first, err := own.Ledger.ProveEvent(ctx, connect.NewRequest(&ledgerv1.ProveEventRequest{Seq: 0}))
	if err != nil || len(first.Msg.GetEvent()) == 0 {
		t.Errorf("the first event: %v", err)
	}
	for k := 1; k <= 40; k++ {
		id := fmt.Sprintf("%s:%d", w.Members[0].Org, k)
		var d, e cataloguev1.Duty
		found, err := own.Get(ctx, "catalogue/duty/"+id, &d)
		want, werr := other.Get(ctx, "catalogue/duty/"+id, &e)
		if err != nil || werr != nil || found != want || d.GetTitle() != e.GetTitle() {
			t.Errorf("duty %d: %v, %v; %v, %v", k, found, err, want, werr)
		}
	}
}

func aFreeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
