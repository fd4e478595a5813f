package evidence

import (
	"math"

	"golang.org/x/sys/unix"
)

// kernelClock is the state that a time daemon leaves in the kernel (adjtimex(2)).
func kernelClock() Clock {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return Clock{Source: UnknownClock}
	}
	return fromKernel(state, t)
}

// fromKernel reads adjtimex's answer. The kernel keeps a bound, not who is asked;
// its offset is what is still to be slewed, and counts as part of the bound.
func fromKernel(state int, t unix.Timex) Clock {
	const unsynchronised = 16_000_000 // us; maxerror of a clock that nobody has set
	if state == unix.TIME_ERROR || t.Status&unix.STA_UNSYNC != 0 || t.Maxerror >= unsynchronised || t.Maxerror < 0 {
		return Clock{Source: UnknownClock}
	}
	offset := float64(t.Offset) / 1e6
	if t.Status&unix.STA_NANO != 0 {
		offset /= 1e3
	}
	return Clock{Source: "ntp kernel", OffsetMs: int64(math.Round(-offset * 1000)), ErrorMs: atLeastOne(float64(t.Maxerror) / 1e6)}
}
