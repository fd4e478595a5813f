package evidence

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestKernelClock(t *testing.T) {
	for _, tt := range []struct {
		name  string
		state int
		t     unix.Timex
		want  Clock
	}{
		{"in step", unix.TIME_OK, unix.Timex{Maxerror: 2500, Status: unix.STA_PLL, Offset: -4200}, Clock{"ntp kernel", 4, 3}},
		{"in step, nanoseconds", unix.TIME_OK, unix.Timex{Maxerror: 2500, Status: unix.STA_NANO, Offset: -4_200_000}, Clock{"ntp kernel", 4, 3}},
		{"not in step", unix.TIME_ERROR, unix.Timex{Maxerror: 2500}, Clock{Source: UnknownClock}},
		{"unsynchronised", unix.TIME_OK, unix.Timex{Maxerror: 2500, Status: unix.STA_UNSYNC}, Clock{Source: UnknownClock}},
		{"nobody has set it", unix.TIME_OK, unix.Timex{Maxerror: 16_000_000}, Clock{Source: UnknownClock}},
	} {
		if got := fromKernel(tt.state, tt.t); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
