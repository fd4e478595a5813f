package index

import (
	"fmt"
	"path/filepath"
	"testing"

	sharev1 "mulian/gen/mulian/share/v1"
)

// TestHabits: what a right was used for is told apart by day, week and night, and held
// against the days before; what came after an hour is counted from there.
func TestHabits(t *testing.T) {
	const hour, at = 3600_000, 5000 // at is 16:00 of the clock that is 8 hours ahead
	w := newWorld()
	put := func(h int64, agreement string, granted, refused uint64) {
		w.put("trace/anchor_head", Sequence+agreement+"/org0/g/main", anchored(agreement, granted, refused))
		w.events[len(w.events)-1].TimeMs = h * hour
	}
	put(at-HabitSpan, "busy", 1000, 0) // too old to count
	put(at-400, "busy", 1010, 0)
	put(at-300, "busy", 1040, 0)
	put(at-299, "busy", 1050, 0)         // of the same day
	put(at-HabitDay-10, "busy", 1051, 3) // 6:00: no longer the night
	put(at-11, "busy", 1058, 3)          // 5:00
	put(at, "busy", 1059, 9)
	put(at-HabitWeek, "over", 4, 0) // a week ago and no later
	put(at-2, "over", 4, 2)
	w.put("share/end_agreement", Agreement+"over", &sharev1.Agreement{Id: "over", State: sharev1.AgreementState_AGREEMENT_STATE_DISPOSED})
	w.events[len(w.events)-1].TimeMs = at * hour
	put(at+1, "later", 1, 0)
	x := reopen(t, filepath.Join(t.TempDir(), "index.db"))
	take(t, x, w)
	var got []Habit
	if err := x.Habits(t.Context(), at, 8, func(h Habit) { got = append(got, h) }); err != nil {
		t.Fatal(err)
	}
	want := []Habit{
		{Right: "busy", Day: 8, Before: 51, DaysBefore: 3, Week: 9, WeekRefused: 9, WeekNight: 7, LastGranted: at},
		{Right: "over", State: int32(sharev1.AgreementState_AGREEMENT_STATE_DISPOSED), Before: 4, DaysBefore: 1, WeekRefused: 2, LastGranted: at - HabitWeek},
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("habits\n%+v, not\n%+v", got, want)
	}
	if n, first, err := x.GrantedAfter(t.Context(), "busy", at-300); err != nil || n != 19 || first != at-299 {
		t.Errorf("after an hour %d from %d on, %v", n, first, err)
	}
	if n, first, err := x.GrantedAfter(t.Context(), "over", at-HabitWeek); err != nil || n != 0 || first != 0 {
		t.Errorf("refused is not given: %d from %d on, %v", n, first, err)
	}
	quiet, err := x.GatewayHabits(t.Context(), at, 8)
	if err != nil || fmt.Sprint(quiet) != fmt.Sprintf("[{org0/g/main 5 %d}]", at) {
		t.Errorf("gateways %v, %v", quiet, err)
	}
}
