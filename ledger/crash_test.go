package ledger_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"mulian/ledger"
	"mulian/ledger/ledgertest"
)

// childHome names the home in a child process that is to be killed.
const childHome = "MULIAN_LEDGER_CRASH_HOME"

// TestMain runs the child of the crash test when asked to.
func TestMain(m *testing.M) {
	if home := os.Getenv(childHome); home != "" {
		crashChild(home)
	}
	os.Exit(m.Run())
}

// crashChild opens the ledger and submits for ever; each answer is a line of its
// stdout, "key height", written after Submit has returned.
func crashChild(home string) {
	genesisMs, err := strconv.ParseInt(os.Getenv(childHome+"_GENESIS"), 10, 64)
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(3)
	}
	if err != nil {
		fail(err)
	}
	l, err := ledger.Open(context.Background(), ledger.Config{Home: home, ChainID: ledgertest.ChainID, GenesisTimeMs: genesisMs}, ledgertest.Machine{})
	if err != nil {
		fail(err)
	}
	fmt.Println("open", l.Height())
	var out sync.Mutex
	for worker := range 8 {
		go func() {
			for i := 0; ; i++ {
				key := fmt.Sprintf("c/%s/%d/%d", os.Getenv(childHome+"_ROUND"), worker, i)
				raw, err := ledgertest.Sign(ledgertest.ChainID, ledgertest.Key(byte(worker)), ledgertest.Put{
					Key: key, Value: "1", ExpiresMs: time.Now().Add(time.Minute).UnixMilli(), Salt: uint64(i),
				})
				if err != nil {
					fail(err)
				}
				c, err := l.Submit(context.Background(), raw)
				if err != nil || c.Code != 0 {
					fail(fmt.Errorf("%v %v", c, err))
				}
				out.Lock()
				fmt.Println(key, c.Height)
				out.Unlock()
			}
		}()
	}
	select {}
}

// TestKilledNodeLosesNothingItAnswered kills a node under load again and again.
// MULIAN_CRASH_ROUNDS sets how often.
func TestKilledNodeLosesNothingItAnswered(t *testing.T) {
	rounds := 8
	if s := os.Getenv("MULIAN_CRASH_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		rounds = n
	} else if testing.Short() {
		rounds = 2
	}
	chain := ledgertest.NewChain(t, t.TempDir(), 1)
	cfg := chain.Configs[0]
	answered := map[string]int64{}
	var slowest time.Duration
	for round := range rounds {
		took, lines := killedChild(t, cfg, round)
		slowest = max(slowest, took)
		for key, height := range lines {
			answered[key] = height
		}
	}
	l := chain.Open(t, 0)
	for key, height := range answered {
		if n := value(t, l, "count/"+key); n != "1" {
			t.Errorf("%s, answered at height %d, is carried out %q times", key, height, n)
		}
	}
	every := 0
	view := l.View()
	view.Range([]byte("count/"), nil, func(k, v []byte) bool {
		if every++; string(v) != "1" {
			t.Errorf("%s carried out %s times", k, v)
		}
		return true
	})
	head := view.Head()
	view.Close()
	if head.LogSize != int64(every) {
		t.Errorf("%d events for %d transactions", head.LogSize, every)
	}
	// The state is that of the chain: a node that only replays the blocks agrees.
	replayed(t, cfg, l)
	t.Logf("%d kills, %d answered, %d carried out, height %d, slowest start %s", rounds, len(answered), every, head.Height, slowest)
}

// killedChild runs a child until it has answered something and a random time more,
// kills it, and returns how long it took to open and what it answered.
func killedChild(t *testing.T, cfg ledger.Config, round int) (time.Duration, map[string]int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childHome+"="+cfg.Home, childHome+"_GENESIS="+strconv.FormatInt(cfg.GenesisTimeMs, 10), childHome+"_ROUND="+strconv.Itoa(round))
	var complaint strings.Builder
	cmd.Stderr = &complaint
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stuck := time.AfterFunc(30*time.Second, func() { cmd.Process.Kill() })
	defer stuck.Stop()
	got := map[string]int64{}
	var took time.Duration
	for in := bufio.NewScanner(pipe); in.Scan(); {
		key, height, _ := strings.Cut(in.Text(), " ")
		if key == "open" {
			took = time.Since(begin)
			continue
		}
		if got[key], err = strconv.ParseInt(height, 10, 64); err != nil {
			continue // the line that the kill has cut
		}
		if len(got) == 1 {
			time.AfterFunc(rand.N(400*time.Millisecond), func() { cmd.Process.Kill() })
		}
	}
	if err := cmd.Wait(); err == nil || len(got) == 0 || strings.Contains(complaint.String(), "child:") {
		t.Fatalf("round %d: the child ended with %v after %d answers: %s", round, err, len(got), complaint.String())
	}
	return took, got
}

// replayed makes the state anew from the blocks of l and compares the app hash.
func replayed(t *testing.T, cfg ledger.Config, l *ledger.Ledger) {
	t.Helper()
	submit(t, l, ledgertest.Tx(t, "end", "1"))
	want := l.Status()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ledger.DropState(filepath.Join(cfg.Home, "store")); err != nil {
		t.Fatal(err)
	}
	again, err := ledger.Open(context.Background(), cfg, ledgertest.Machine{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := again.Status(); got.AppHash != want.AppHash || got.Events != want.Events {
		t.Errorf("replayed to %x with %d events, was %x with %d", got.AppHash, got.Events, want.AppHash, want.Events)
	}
}
