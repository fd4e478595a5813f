package trial

import (
	"os"
	"testing"
	"time"
)

// soakBy makes the loop of restarts last so long; without it, a short one.
const soakBy = "MULIAN_SOAK"

// TestRestartsUnderLoad: again and again one member, sometimes two, is killed or asked to
// end, and started again at once or later. Ten minutes with MULIAN_SOAK=10m.
func TestRestartsUnderLoad(t *testing.T) {
	lasts := 20 * time.Second
	if text := os.Getenv(soakBy); text != "" {
		var err error
		if lasts, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", soakBy, err)
		}
	}
	g := newGround(t, needs{})
	for began := time.Now(); time.Since(began) < lasts; {
		restarts := 0
		g.while(func() {
			for round := time.Now(); time.Since(round) < min(lasts/2, time.Minute); restarts++ {
				down := g.rand.Perm(4)[:1+g.rand.IntN(4)/3]
				for _, i := range down {
					if m := i + 1; g.rand.IntN(2) == 0 {
						g.kill(m)
					} else if err := g.up[m].Stop(); err != nil && err.Error() != "signal: terminated" { // asked before it could hear
						t.Errorf("member %d: %v\n%s", m, err, g.up[m].tail())
					}
				}
				time.Sleep(time.Duration(g.rand.IntN(1500)) * time.Millisecond) // how long it is down; a fault, no synchronisation
				for _, i := range down {
					g.start(i + 1)
				}
				if g.rand.IntN(2) == 0 { // else it may be killed while it starts
					for _, i := range down {
						g.ready(i+1, 1)
					}
				}
			}
		})
		t.Logf("%d restarts", restarts)
	}
}
