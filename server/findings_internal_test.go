package server

import (
	"testing"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/index"
)

// TestOddHabits: each rule begins at its threshold, and not one access before.
func TestOddHabits(t *testing.T) {
	const ended, active = int32(sharev1.AgreementState_AGREEMENT_STATE_ENDED), int32(sharev1.AgreementState_AGREEMENT_STATE_ACTIVE)
	for _, c := range []struct {
		what                          string
		h                             index.Habit
		over, refused, unusual, night int
	}{
		{what: "nothing odd", h: index.Habit{State: active, Day: 99, Before: 100, DaysBefore: 20, Week: 500, WeekRefused: 9, WeekNight: 19, LastGranted: 1}},
		{what: "used and over", h: index.Habit{State: ended, LastGranted: 1}, over: 1},
		{what: "over, and only refused", h: index.Habit{State: ended, WeekRefused: 9}},
		{what: "ten refused", h: index.Habit{WeekRefused: 10, Week: 9}, refused: 1},
		{what: "as many given as refused", h: index.Habit{WeekRefused: 10, Week: 10}},
		{what: "more than five times the mean", h: index.Habit{Day: 101, Before: 140, DaysBefore: 7}, unusual: 1},
		{what: "five times the mean", h: index.Habit{Day: 100, Before: 140, DaysBefore: 7}},
		{what: "six days are no habit", h: index.Habit{Day: 101, Before: 6, DaysBefore: 6}},
		{what: "at night above all", h: index.Habit{WeekNight: 20, Week: 39}, night: 1},
		{what: "by day as often", h: index.Habit{WeekNight: 20, Week: 40}},
	} {
		o := &oddHabits{}
		o.take(c.h)
		if len(o.over) != c.over || len(o.refused) != c.refused || len(o.unusual) != c.unusual || len(o.night) != c.night {
			t.Errorf("%s: over %d, refused %d, unusual %d, night %d", c.what, len(o.over), len(o.refused), len(o.unusual), len(o.night))
		}
	}
}
