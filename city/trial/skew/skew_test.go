package skew

import (
	"testing"
	"time"
)

func TestTheWallClockIsWrongAndTheMonotonicOneRight(t *testing.T) {
	began := time.Now()
	for _, seconds := range []int64{3600, -3600, 0} {
		before := time.Now()
		if !Set(seconds) {
			t.Skip("SKIP the clock can be made wrong on Linux on amd64 only")
		}
		wall := time.Now().Round(0).Sub(began.Round(0)) - time.Duration(seconds)*time.Second
		if wall < 0 || wall > time.Minute {
			t.Errorf("by %d s: the wall clock is %s beside it", seconds, wall)
		}
		if mono := time.Since(before); mono < 0 || mono > time.Minute {
			t.Errorf("by %d s: %s have passed", seconds, mono)
		}
	}
}
