package trial

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mulian/client"
	ledgerv1 "mulian/gen/mulian/ledger/v1"
)

const (
	// seedBy replays a run: the seed that it printed.
	seedBy = "MULIAN_FAULTS_SEED"
	// recoverWithin is the promise: so soon after healing, every member answers again.
	recoverWithin = 30 * time.Second
	// settleWithin bounds what has no promised time, on a busy machine.
	settleWithin = 2 * time.Minute
)

// ground is where a fault is tried: a consortium of four processes, lines between them
// that can fail, and a load whose every answer is remembered.
type ground struct {
	*testing.T
	rand  *rand.Rand
	seed  uint64
	net   *Network
	lines lines
	self  string
	up    []*Started // by number from 1; nil = down
	load  *load
	needs needs
}

// needs are what a test asks of its ground. The zero value is four members that are
// founded in the test's folder.
type needs struct {
	slow bool         // lines that can be slow
	home func(string) // prepares the network's folder, if anything is to be
	twin bool         // lines for a fifth process
}

// newGround founds and starts the consortium.
func newGround(t *testing.T, n needs) *ground {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP the fault suite: several processes, not beside the race detector's")
	}
	t.Parallel() // most of the time a fault is waited for
	g := &ground{T: t, seed: rand.Uint64(), needs: n, up: make([]*Started, 5)}
	if text := os.Getenv(seedBy); text != "" {
		var err error
		if g.seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedBy, err)
		}
	}
	g.rand = rand.New(rand.NewPCG(g.seed, 1))
	processes := 4
	if n.twin {
		processes = 5
	}
	g.lines = newLines(t, processes, g.seed, n.slow)
	t.Logf("seed %d (%s=%d replays it); lines by %s", g.seed, seedBy, g.seed, g.lines.kind())
	var err error
	if g.self, err = os.Executable(); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(t.TempDir(), "net")
	if n.home != nil {
		n.home(home)
	}
	// A member whose clock is behind the genesis waits for it.
	if g.net, err = Found(Options{Home: home, Members: 4, Begun: time.Now().Add(-2 * time.Hour), Places: g.lines.places()[:4], Via: g.lines.via}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, p := range g.up {
			if p != nil {
				p.Kill()
			}
		}
		if t.Failed() {
			g.tellLogs()
		}
	})
	for m := 1; m <= 4; m++ {
		g.start(m)
	}
	for m := 1; m <= 4; m++ {
		g.ready(m, 3)
	}
	g.load = newLoad(g)
	return g
}

// tellLogs shows the ends of the members' logs.
func (g *ground) tellLogs() {
	for _, m := range g.net.Members {
		raw, _ := os.ReadFile(filepath.Join(m.Home, logFile))
		lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
		g.Logf("member %d's log ends with:\n%s", m.Number, strings.Join(lines[max(0, len(lines)-15):], "\n"))
	}
}

// start starts the member's process with these settings of its environment.
func (g *ground) start(m int, settings ...string) {
	g.Helper()
	g.up[m] = g.launch(g.net.Members[m-1], settings...)
}

// launch starts a process with a member's home.
func (g *ground) launch(m Member, settings ...string) *Started {
	g.Helper()
	command := append(append(g.lines.within(m.Number), "env", asMember+"=1"), settings...)
	p, err := m.Start(append(command, g.self))
	if err != nil {
		g.Fatal(err)
	}
	return p
}

// ready waits until the member serves and knows so many others.
func (g *ground) ready(m, peers int) *ledgerv1.GetStatusResponse {
	g.Helper()
	ctx, cancel := context.WithTimeout(g.Context(), settleWithin)
	defer cancel()
	s, err := g.up[m].Ready(ctx, peers)
	if err != nil {
		g.Fatal(err)
	}
	return s
}

// kill ends the member as a power failure of its machine does, but for the disk's cache.
func (g *ground) kill(m int) {
	if g.up[m] != nil {
		g.up[m].Kill()
		g.up[m] = nil
	}
}

// node is the folder of the member's node.
func (g *ground) node(m int) string { return filepath.Join(g.net.Members[m-1].Home, nodeDir) }

// others are all members but these.
func others(these ...int) (out []int) {
	for m := 1; m <= 4; m++ {
		is := false
		for _, x := range these {
			is = is || x == m
		}
		if !is {
			out = append(out, m)
		}
	}
	return out
}

func (g *ground) client(m int) *client.Client { return g.load.clients[m] }

// height is the member's height; -1 if it does not answer.
func (g *ground) height(m int) int64 {
	ctx, cancel := context.WithTimeout(g.Context(), 5*time.Second)
	defer cancel()
	s, err := g.client(m).Status(ctx)
	if err != nil {
		return -1
	}
	return s.GetHeight()
}

// until asks again and again; it fails the test if it is not true in time.
func (g *ground) until(what string, is func() bool) {
	g.Helper()
	for end := time.Now().Add(settleWithin); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			g.Fatalf("not within %s: %s", settleWithin, what)
		}
	}
}

// advance waits until the members have made so many more blocks.
func (g *ground) advance(blocks int64, members ...int) {
	g.Helper()
	want := map[int]int64{}
	for _, m := range members {
		want[m] = g.height(m) + blocks
	}
	for m, to := range want {
		g.until(fmt.Sprintf("member %d is at height %d", m, to), func() bool { return g.height(m) >= to })
	}
}

// logged reports whether the member's log has the text.
func (g *ground) logged(m int, text string) bool {
	raw, err := os.ReadFile(filepath.Join(g.net.Members[m-1].Home, logFile))
	return err == nil && strings.Contains(string(raw), text)
}

// while runs the load, lets the fault happen, heals, and checks everything: fault returns
// when the cause is gone (processes started again, lines healed), and from then on the
// time to liveness is measured.
func (g *ground) while(fault func()) {
	g.Helper()
	g.load.run()
	g.advance(3, 1, 2, 3, 4)
	fault()
	g.alive()
	g.load.stop()
	g.check()
}

// alive measures how long it takes until every member acknowledges a new transaction.
func (g *ground) alive() {
	g.Helper()
	began := time.Now()
	took := make([]time.Duration, 5)
	for m := 1; m <= 4; m++ {
		for !g.load.once(m) {
			if time.Since(began) > settleWithin {
				g.Fatalf("member %d acknowledges nothing %s after healing", m, settleWithin)
			}
			select {
			case <-g.up[m].Ended():
				g.Fatalf("member %d has ended: %s", m, g.up[m].tail())
			case <-time.After(20 * time.Millisecond):
			}
		}
		took[m] = time.Since(began).Round(10 * time.Millisecond)
	}
	g.Logf("liveness %s after healing (each member in turn: %s)", took[4], took[1:])
	if took[4] > recoverWithin {
		g.Errorf("liveness came back after %s, promised within %s", took[4], recoverWithin)
	}
}
