package deliver

import (
	"testing"
	"time"

	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

func at(text string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", text, beijing)
	if err != nil {
		panic(err)
	}
	return t
}

// TestNextDay: a day begins in Beijing; soon after, a provider whose clock is behind may still
// have the day of before.
func TestNextDay(t *testing.T) {
	for _, c := range []struct{ now, want string }{
		{"2026-03-09 14:00", "2026-03-10 00:00"},
		{"2026-03-09 23:59", "2026-03-10 00:00"},
		{"2026-12-31 09:00", "2027-01-01 00:00"},
		{"2026-03-09 00:00", "2026-03-09 00:15"},
		{"2026-03-09 01:59", "2026-03-09 02:14"},
	} {
		if got := nextDay(at(c.now).UTC()).Truncate(time.Minute); !got.Equal(at(c.want)) {
			t.Errorf("%s: %s, want %s", c.now, got.In(beijing), c.want)
		}
	}
}

// TestNextOpening: the first of the windows that opens, on working days only where that is
// agreed.
func TestNextOpening(t *testing.T) {
	holiday := func(d time.Time) (bool, error) {
		return d.Weekday() != time.Saturday && d.Weekday() != time.Sunday && d.Day() != 10, nil // the 10th is none
	}
	night := &sharev1.Window{FromMinute: 120, ToMinute: 300}
	office := &sharev1.Window{FromMinute: 9 * 60, ToMinute: 17 * 60, WorkingDays: true}
	sunday := &sharev1.Window{Days: 1 << 6, FromMinute: 600}
	never := &sharev1.Window{Days: 1 << 6, FromMinute: 600, WorkingDays: true}
	for _, c := range []struct {
		name, now string
		windows   []*sharev1.Window
		want      string
	}{
		{"today", "2026-03-09 01:00", []*sharev1.Window{night}, "2026-03-09 02:00"},
		{"tomorrow", "2026-03-09 05:00", []*sharev1.Window{night}, "2026-03-10 02:00"},
		{"after the holiday", "2026-03-09 17:00", []*sharev1.Window{office}, "2026-03-11 09:00"},
		{"after the weekend", "2026-03-13 18:00", []*sharev1.Window{office}, "2026-03-16 09:00"},
		{"of two the first", "2026-03-09 17:00", []*sharev1.Window{sunday, office}, "2026-03-11 09:00"},
		{"of a week", "2026-03-09 17:00", []*sharev1.Window{sunday}, "2026-03-15 10:00"},
		{"open by our clock", "2026-03-09 03:00", []*sharev1.Window{office, night}, "2026-03-09 03:01"},
		{"never", "2026-03-09 03:00", []*sharev1.Window{never}, ""},
	} {
		got, err := nextOpening(c.windows, at(c.now).UTC(), holiday)
		var want time.Time
		if c.want != "" {
			want = at(c.want)
		}
		if err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v, want %s", c.name, got.In(beijing), err, c.want)
		}
	}
}

// TestRowsLeft: what is given and what is held is not left, of today and of all.
func TestRowsLeft(t *testing.T) {
	q := quotas{of: map[string]used{}}
	g := &sharev1.Agreement{Id: "a", Terms: &sharev1.Terms{MaxRowsPerDay: 100, MaxRows: 150}}
	today, tomorrow := at("2026-03-09 12:00").UnixMilli(), at("2026-03-10 12:00").UnixMilli()
	want := func(ms int64, rows uint64) {
		t.Helper()
		if got := q.left(g, ms); got != rows {
			t.Fatalf("%d rows are left, want %d", got, rows)
		}
	}
	want(today, 100)
	if err := q.hold(g, 60, 1, today); err != nil {
		t.Fatal(err)
	}
	want(today, 40)
	q.spend("a", 60, 1, today)
	want(today, 40)
	want(tomorrow, 90) // of all
	if err := q.hold(g, 41, 1, today); !fault.Is(err, fault.DailyLimit) || !quota(err) {
		t.Fatal(err)
	}
	g.Terms = &sharev1.Terms{}
	if q.left(g, today) < 1<<40 {
		t.Error("without a limit there is one")
	}
}
