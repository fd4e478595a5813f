package deliver

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"mulian/gateway/connect"
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// TestMasks: what is left of values.
func TestMasks(t *testing.T) {
	t.Parallel()
	for _, x := range []struct{ in, want string }{
		{"149", "100"},
		{"150", "200"},
		{"-150", "-200"},
		{"-149.99", "-100"},
		{"0", "0"},
		{"-49.9", "0"},
		{"NaN", "NaN"},
		{"-infinity", "-infinity"},
		{"123456789012345678901234567890.5", "123456789012345678901234567900"},
	} {
		got, err := rounded(connect.Value{Kind: connect.Decimal, Text: x.in}, 100)
		if err != nil || got.Text != x.want || got.Check() != nil {
			t.Errorf("%s is rounded to %q, %v, %v; want %s", x.in, got.Text, err, got.Check(), x.want)
		}
	}
	if _, err := rounded(connect.Value{Kind: connect.Integer, Text: strings.Repeat("9", 2000)}, 10); !fault.Is(err, fault.Undecodable) {
		t.Errorf("a number of 2000 digits: %v", err)
	}
	const month, year = sharev1.MaskKind_MASK_KIND_MONTH, sharev1.MaskKind_MASK_KIND_YEAR
	for _, x := range []struct {
		kind connect.Kind
		in   string
		mask sharev1.MaskKind
		want string
	}{
		{connect.Date, "2026-11-22", month, "2026-11"},
		{connect.Date, "2026-11-22", year, "2026"},
		{connect.Date, "infinity", month, "infinity"},
		{connect.Timestamp, "2026-11-30T23:59:59.9", month, "2026-11"},
		{connect.Instant, "2026-11-30T23:59:59.9Z", month, "2026-12"}, // in Beijing
		{connect.Instant, "2026-12-31T16:00:00Z", year, "2027"},
	} {
		got, err := cutDate(connect.Value{Kind: x.kind, Text: x.in}, x.mask)
		if err != nil || got != connect.TextValue(x.want) {
			t.Errorf("%s is cut to %q, %v; want %s", x.in, got.Text, err, x.want)
		}
	}
	for in, want := range map[string]connect.Value{
		"110105": connect.TextValue("110000"), "110105001002": connect.TextValue("110000000000"), "11": connect.Null, "北京市朝阳区": connect.Null, "1101O5": connect.Null,
	} {
		if got := region(connect.TextValue(in), 2); got != want {
			t.Errorf("%s becomes %q", in, got.Text)
		}
	}
}

// TestKeepShowsNoMore: never more than was agreed, always as many characters, and nothing
// of a text that is too short for it.
func TestKeepShowsNoMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringN(0, 30, -1).Draw(t, "text")
		first, last := rapid.IntRange(0, 10).Draw(t, "first"), rapid.IntRange(0, 10).Draw(t, "last")
		got := keepEnds(s, first, last)
		in, out := []rune(s), []rune(got)
		if utf8.RuneCountInString(s) != len(out) {
			t.Fatalf("%q becomes %q", s, got)
		}
		for i, r := range out {
			kept := first+last < len(in) && (i < first || i >= len(in)-last)
			if kept && r != in[i] || !kept && r != '*' {
				t.Fatalf("%q becomes %q", s, got)
			}
		}
	})
}

// TestWindowsOfAWeek: days, hours and the calendar of Beijing.
func TestWindowsOfAWeek(t *testing.T) {
	t.Parallel()
	year := &governancev1.CalendarYear{Year: 2026, Holidays: []uint32{20261001}, Workdays: []uint32{20261010}}
	at := func(text string) time.Time {
		v, err := time.ParseInLocation("2006-01-02 15:04", text, beijing)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	office := &sharev1.Window{Days: 31, FromMinute: 8 * 60, ToMinute: 18 * 60}
	working := &sharev1.Window{WorkingDays: true}
	for _, x := range []struct {
		w    *sharev1.Window
		at   string
		want bool
	}{
		{office, "2026-11-23 08:00", true}, // Monday
		{office, "2026-11-23 07:59", false},
		{office, "2026-11-23 17:59", true},
		{office, "2026-11-23 18:00", false},
		{office, "2026-11-22 12:00", false}, // Sunday
		{&sharev1.Window{Days: 64}, "2026-11-22 12:00", true},
		{&sharev1.Window{FromMinute: 60}, "2026-11-22 23:59", true},
		{working, "2026-10-01 12:00", false}, // a Thursday, National Day
		{working, "2026-10-10 12:00", true},  // a Saturday that is worked
		{working, "2026-10-11 12:00", false},
		{working, "2026-10-12 12:00", true},
	} {
		got, err := within(x.w, at(x.at), func() (bool, error) { return worked(year, at(x.at)), nil })
		if err != nil || got != x.want {
			t.Errorf("%v at %s: %t, %v", x.w, x.at, got, err)
		}
	}
}

// TestVolumesAreHeld: what is read and not logged yet counts; what failed does not.
func TestVolumesAreHeld(t *testing.T) {
	t.Parallel()
	q := quotas{of: map[string]used{}}
	g := &sharev1.Agreement{Id: "a", Terms: &sharev1.Terms{MaxRows: 10, MaxRowsPerDay: 6, MaxBytes: 1000}}
	now := time.Date(2026, 3, 9, 12, 0, 0, 0, beijing).UnixMilli()
	tomorrow := now + 24*60*60*1000
	hold := func(rows, bytes uint64, at int64, want fault.Code) {
		t.Helper()
		if err := q.hold(g, rows, bytes, at); fault.CodeOf(err) != want {
			t.Fatalf("%d rows, %d bytes: %v, want %s", rows, bytes, err, want)
		}
	}
	hold(4, 100, now, fault.OK)
	hold(3, 1, now, fault.DailyLimit)
	q.drop("a", 4, 100)
	hold(6, 900, now, fault.OK)
	q.spend("a", 6, 900, now)
	hold(1, 1, now, fault.DailyLimit)
	hold(5, 1, tomorrow, fault.TotalLimit)
	hold(4, 101, tomorrow, fault.TotalLimit)
	hold(4, 100, tomorrow, fault.OK)
	q.spend("a", 4, 100, tomorrow)
	if _, err := q.take(g, tomorrow); !fault.Is(err, fault.TotalLimit) {
		t.Errorf("a call when nothing is left: %v", err)
	}
}
