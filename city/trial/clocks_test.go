package trial

import (
	"fmt"
	"runtime"
	"testing"
	"time"
)

// wrong is the setting for a process whose clock is that far off.
func wrong(by time.Duration) string { return fmt.Sprintf("%s=%d", skewBy, int64(by/time.Second)) }

func needSkew(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("SKIP a process's clock can be made wrong on Linux on amd64 only")
	}
}

// TestOneWrongClockStopsNobody: an hour ahead, and an hour behind. The member votes for no
// block with transactions and takes none itself, for it believes all expired or of the
// future; the others go on. One that is ahead follows them. One that is behind may end
// with ClockWrong: the engine takes no block more than a minute ahead of its clock. With the right time it comes back.
func TestOneWrongClockStopsNobody(t *testing.T) {
	needSkew(t)
	g := newGround(t, needs{})
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		m := 1 + g.rand.IntN(4)
		t.Logf("member %d's clock is %s off", m, by)
		g.while(func() {
			g.kill(m)
			g.start(m, wrong(by))
			g.advance(10, others(m)...)
			if by > 0 {
				g.advance(10, m) // it follows
			}
			if g.load.once(m) {
				t.Errorf("the member whose clock is %s off acknowledged a transaction", by)
			}
			for _, other := range others(m) {
				g.until("the others acknowledge", func() bool { return g.load.once(other) })
			}
			g.sane(others(m)[0])
			g.kill(m)
			g.start(m)
		})
	}
}

// TestTwoWrongClocksLoseNothing: half of the members an hour ahead, then one ahead and one
// behind. There may be no block with transactions while it lasts, for two thirds do not
// agree on the time; whatever was acknowledged is kept, the chain's time stays true, and with the right clocks it goes on.
func TestTwoWrongClocksLoseNothing(t *testing.T) {
	needSkew(t)
	g := newGround(t, needs{})
	for _, by := range [][2]time.Duration{{time.Hour, time.Hour}, {time.Hour, -time.Hour}} {
		a := 1 + g.rand.IntN(4)
		b := others(a)[g.rand.IntN(3)]
		t.Logf("the clocks of members %d and %d are %s and %s off", a, b, by[0], by[1])
		g.while(func() {
			g.kill(a)
			g.kill(b)
			g.start(a, wrong(by[0]))
			g.start(b, wrong(by[1]))
			time.Sleep(20 * time.Second)
			for _, m := range []int{a, b} {
				if g.load.once(m) {
					t.Errorf("member %d, whose clock is wrong, acknowledged a transaction", m)
				}
			}
			for m := 1; m <= 4; m++ {
				if m != a && m != b {
					g.sane(m)
				}
			}
			for _, m := range []int{a, b} {
				g.kill(m)
				g.start(m)
			}
		})
	}
}

// sane checks that the chain's time is the true one, give or take a minute.
func (g *ground) sane(m int) {
	g.Helper()
	s, err := g.client(m).Status(g.Context())
	if err != nil {
		g.Fatal(err)
	}
	if off := time.Since(time.UnixMilli(s.GetTimeMs())); off.Abs() > time.Minute {
		g.Errorf("the chain's time is %s beside the true one", off)
	}
}
