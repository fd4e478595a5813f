package e2e_test

import (
	"bufio"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	"mulian/client"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
)

// Bounds of the killing. Our own choices: a start takes half a second on two busy
// cores, and the whole has to stay below four minutes.
const (
	killsFull   = 50
	killsShort  = 6
	killsLeast  = 5
	killBudget  = 200 * time.Second
	longestLife = 2 * time.Second // from ready to the kill
	startWait   = 30 * time.Second
)

// TestKill: kill -9 at random moments of imports, requests, deliveries, queries and
// starts. Whatever was acknowledged is there, once; the delivered table is whole.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := killsFull
	if testing.Short() {
		kills = killsShort
	}
	if n, err := strconv.Atoi(os.Getenv("MULIAN_KILLS")); err == nil {
		kills = n
	}
	k := &killer{t: t, dir: t.TempDir(), rnd: rand.New(rand.NewPCG(seed(t), 1)), amid: map[string]int{}}
	began := time.Now()
	done := 0
	for ; done < kills && time.Since(began) < killBudget; done++ {
		k.round(done)
	}
	if done < min(kills, killsLeast) {
		t.Fatalf("%d kills in %s: starts take too long", done, killBudget)
	}
	var amid []string
	for _, kind := range slices.Sorted(maps.Keys(k.amid)) {
		amid = append(amid, fmt.Sprintf("%s %d", kind, k.amid[kind]))
	}
	slices.Sort(k.starts)
	t.Logf("%d kills in %.0f s; start to ready: median %d ms, longest %d ms; killed in the middle of: %s", done, time.Since(began).Seconds(),
		k.starts[len(k.starts)/2].Milliseconds(), k.starts[len(k.starts)-1].Milliseconds(), strings.Join(amid, ", "))
	audit(t, k.dir)
}

// seed is random, or given by MULIAN_SEED, and printed.
func seed(t *testing.T) uint64 {
	n, err := strconv.ParseUint(os.Getenv("MULIAN_SEED"), 10, 64)
	if err != nil {
		n = rand.Uint64N(1_000_000)
	}
	t.Logf("MULIAN_SEED=%d", n)
	return n
}

// killer starts the process and kills it.
type killer struct {
	t      *testing.T
	dir    string
	rnd    *rand.Rand
	amid   map[string]int // what was under way at the kills
	starts []time.Duration
	lines  int // of the file of acts, before this start
}

// round is one life. The first is not killed before it is ready: a home that is not
// made yet has nothing to lose. Every fifth is killed while it starts.
func (k *killer) round(n int) {
	k.t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), liveDir+"="+k.dir, liveRun+"="+strconv.Itoa(n+1))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	words, err := os.Create(k.words())
	if err != nil {
		k.t.Fatal(err)
	}
	defer words.Close()
	cmd.Stderr = words
	out, err := cmd.StdoutPipe()
	if err != nil {
		k.t.Fatal(err)
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	ready := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		ready <- strings.TrimSpace(line)
	}()
	life := time.Duration(k.rnd.Int64N(int64(longestLife)))
	early := n > 0 && n%5 == 0
	if early {
		select {
		case <-time.After(life * 2 / 3):
		case url := <-ready:
			k.ready(url, began)
		}
	} else {
		select {
		case url := <-ready:
			k.ready(url, began)
			time.Sleep(life)
		case <-time.After(startWait):
			k.t.Errorf("start %d: not ready within %s", n+1, startWait)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		k.t.Fatalf("life %d ended by itself: %v\n%s", n+1, err, k.said())
	}
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || k.t.Failed() {
		k.t.Fatalf("life %d ended by itself: %v\n%s", n+1, err, k.said())
	}
	k.look()
}

// words is the file with what the process says; said is its content.
func (k *killer) words() string { return filepath.Join(k.dir, "words") }

func (k *killer) said() string {
	raw, err := os.ReadFile(k.words())
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

// ready asks the process that has started again whether it still has the last of
// what was acknowledged of each kind.
func (k *killer) ready(url string, began time.Time) {
	k.t.Helper()
	if url == "" {
		time.Sleep(100 * time.Millisecond) // for its last words
		k.t.Fatalf("the process did not start:\n%s", k.said())
	}
	k.starts = append(k.starts, time.Since(began))
	all, err := readActs(filepath.Join(k.dir, "acts"))
	if err != nil {
		k.t.Fatal(err)
	}
	last := map[string]act{}
	for _, x := range all {
		if x.Done && x.Tx != "" {
			last[x.Kind] = x
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c := client.New(url)
	for _, x := range last {
		committed(k.t, ctx, c, x)
	}
}

// committed holds that the transaction of an acknowledged act is in its block.
func committed(t *testing.T, ctx context.Context, c *client.Client, x act) {
	t.Helper()
	id, err := hex.DecodeString(x.Tx)
	if err != nil {
		t.Fatal(err)
	}
	res, err := c.Ledger.GetTx(ctx, connect.NewRequest(&ledgerv1.GetTxRequest{TxId: id}))
	if err != nil || res.Msg.GetHeight() != x.Height || res.Msg.GetOutcome().GetCode() != 0 {
		t.Errorf("%s %s was acknowledged at height %d: %v, %v", x.Kind, x.Name, x.Height, res, err)
	}
}

// look counts what was under way when the process was killed.
func (k *killer) look() {
	k.t.Helper()
	all, err := readActs(filepath.Join(k.dir, "acts"))
	if err != nil {
		k.t.Fatal(err)
	}
	open := map[string]bool{}
	for _, x := range all[min(k.lines, len(all)):] {
		open[x.Kind] = !x.Done // one worker for each kind
	}
	if len(open) == 0 {
		k.amid["start"]++
	}
	for kind, is := range open {
		if is {
			k.amid[kind]++
		}
	}
	k.lines = len(all)
}
