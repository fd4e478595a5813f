package trial

import (
	"fmt"
	"testing"
	"time"
)

// TestEachMemberIsKilledUnderLoad: each of four is killed without warning, one after the
// other; the others go on, and it comes back by itself.
func TestEachMemberIsKilledUnderLoad(t *testing.T) {
	g := newGround(t, needs{})
	for _, i := range g.rand.Perm(4) {
		m := i + 1
		t.Logf("member %d is killed", m)
		g.while(func() {
			g.kill(m)
			g.advance(5, others(m)...)
			g.start(m)
		})
	}
}

// TestAPartitionOfTwoAndTwoStopsTheChainAndHeals: no side has two thirds, so neither makes
// a block, and none that was acknowledged is lost.
func TestAPartitionOfTwoAndTwoStopsTheChainAndHeals(t *testing.T) {
	g := newGround(t, needs{})
	order := g.rand.Perm(4)
	a, b := []int{order[0] + 1, order[1] + 1}, []int{order[2] + 1, order[3] + 1}
	t.Logf("%v | %v", a, b)
	g.while(func() {
		g.lines.split(a, b)
		stood := g.stands(2 * time.Second)
		time.Sleep(time.Duration(2+g.rand.IntN(4)) * time.Second) // how long the cut lasts; a fault, no synchronisation
		if now := g.heights(); now != stood {
			t.Errorf("heights %v while no side had two thirds, then %v", stood, now)
		}
		g.lines.heal()
	})
}

// TestAPartitionOfThreeAndOneGoesOnWithoutTheOne: the one stands still and comes after.
func TestAPartitionOfThreeAndOneGoesOnWithoutTheOne(t *testing.T) {
	g := newGround(t, needs{})
	lone := 1 + g.rand.IntN(4)
	t.Logf("%v | %d", others(lone), lone)
	g.while(func() {
		g.lines.split(others(lone), []int{lone})
		g.advance(10, others(lone)...)
		if at, rest := g.height(lone), g.height(others(lone)[0]); at > rest-5 {
			t.Errorf("the one that was cut off is at %d, the others at %d", at, rest)
		}
		g.lines.heal()
	})
}

// TestSlowLinesSlowTheChainAndDoNotStopIt: 200 ms one way, give or take 50.
func TestSlowLinesSlowTheChainAndDoNotStopIt(t *testing.T) {
	g := newGround(t, needs{slow: true})
	g.while(func() {
		g.lines.slow(200*time.Millisecond, 50*time.Millisecond)
		began := time.Now()
		g.advance(5, 1, 2, 3, 4)
		t.Logf("5 blocks and more at every member in %s", time.Since(began).Round(10*time.Millisecond))
		g.lines.slow(0, 0)
	})
}

// stands waits until no member has made a block for so long, and returns the heights.
func (g *ground) stands(quiet time.Duration) (at string) {
	g.Helper()
	since := time.Now()
	g.until("the chain stands still", func() bool {
		if now := g.heights(); now != at {
			at, since = now, time.Now()
		}
		return time.Since(since) > quiet
	})
	return at
}

func (g *ground) heights() string {
	var out [4]int64
	for m := 1; m <= 4; m++ {
		out[m-1] = g.height(m)
	}
	return fmt.Sprint(out)
}
