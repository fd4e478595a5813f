package governance_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/internal/fault"
	"mulian/internal/standard"
	"mulian/rules/governance"
	"mulian/rules/rulestest"
)

// beijing is the zone of the tables; the rules use no zone.
var beijing = time.FixedZone("CST", 8*3600)

func at(t *testing.T, text string) int64 {
	t.Helper()
	when, err := time.ParseInLocation("2006-01-02 15:04:05", text, beijing)
	if err != nil {
		t.Fatal(err)
	}
	return when.UnixMilli()
}

// TestAddWorkingDays holds the periods over the real holidays of 2025 and 2026. A due
// time is the beginning of the day after the last one.
func TestAddWorkingDays(t *testing.T) {
	v := rulestest.New(t).View()
	for _, tt := range []struct {
		name string
		from string
		days uint32
		due  string // the last day
	}{
		{"one day, in the week", "2025-08-04 09:00:00", 1, "2025-08-05"},
		{"one day, from the last second of a day", "2025-08-04 23:59:59", 1, "2025-08-05"},
		{"one day, from the first second of a day", "2025-08-05 00:00:00", 1, "2025-08-06"},
		{"from Friday", "2025-08-08 10:00:00", 1, "2025-08-11"},
		{"from Saturday", "2025-08-09 10:00:00", 1, "2025-08-11"},
		{"ten days are two weeks", "2025-08-04 09:00:00", 10, "2025-08-18"},
		{"none ends with the day", "2025-08-04 09:00:00", 0, "2025-08-04"},
		{"new year 2025", "2024-12-31 12:00:00", 1, "2025-01-02"},
		{"spring festival 2025: the Sunday before is worked", "2025-01-24 09:00:00", 1, "2025-01-26"},
		{"spring festival 2025", "2025-01-27 09:00:00", 1, "2025-02-05"},
		{"spring festival 2025: the Saturday after is worked", "2025-02-07 09:00:00", 1, "2025-02-08"},
		{"spring festival 2025: not the Sunday after", "2025-02-07 09:00:00", 2, "2025-02-10"},
		{"tomb-sweeping 2025", "2025-04-03 09:00:00", 1, "2025-04-07"},
		{"labour day 2025: the Sunday before is worked", "2025-04-25 09:00:00", 1, "2025-04-27"},
		{"labour day 2025", "2025-04-30 09:00:00", 1, "2025-05-06"},
		{"dragon boat 2025", "2025-05-30 09:00:00", 1, "2025-06-03"},
		{"national day 2025: the Sunday before is worked", "2025-09-26 09:00:00", 1, "2025-09-28"},
		{"national day 2025", "2025-09-30 09:00:00", 1, "2025-10-09"},
		{"national day 2025: the Saturday after is worked", "2025-09-30 09:00:00", 3, "2025-10-11"},
		{"answer of order 809 over it: ten days", "2025-09-30 09:00:00", 10, "2025-10-21"},
		{"new year 2026: over the end of a year", "2025-12-31 18:00:00", 1, "2026-01-04"},
		{"spring festival 2026: the Saturday before is worked", "2026-02-13 09:00:00", 1, "2026-02-14"},
		{"spring festival 2026", "2026-02-14 09:00:00", 1, "2026-02-24"},
		{"spring festival 2026: the Saturday after is worked", "2026-02-27 09:00:00", 1, "2026-02-28"},
		{"tomb-sweeping 2026", "2026-04-03 09:00:00", 1, "2026-04-07"},
		{"labour day 2026", "2026-04-30 09:00:00", 1, "2026-05-06"},
		{"labour day 2026: the Saturday after is worked", "2026-05-08 09:00:00", 1, "2026-05-09"},
		{"dragon boat 2026", "2026-06-18 09:00:00", 1, "2026-06-22"},
		{"mid-autumn 2026: the Sunday before is worked", "2026-09-18 09:00:00", 1, "2026-09-20"},
		{"mid-autumn 2026", "2026-09-24 09:00:00", 1, "2026-09-28"},
		{"national day 2026", "2026-09-30 09:00:00", 1, "2026-10-08"},
		{"national day 2026: the Saturday after is worked", "2026-09-30 09:00:00", 3, "2026-10-10"},
		{"worst lawful case: forty working days", "2025-08-01 09:00:00", 40, "2025-09-26"},
		{"no record: Monday to Friday, new year too", "2030-12-31 09:00:00", 1, "2031-01-01"},
		{"leap day", "2028-02-28 09:00:00", 1, "2028-02-29"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			due := governance.AddWorkingDays(v, at(t, tt.from), tt.days)
			if want := at(t, tt.due+" 00:00:00") + rulestest.Day; due != want {
				t.Errorf("%d working days from %s end with %s, want the end of %s", tt.days, tt.from, time.UnixMilli(due-1).In(beijing), tt.due)
			}
		})
	}
}

// TestWorkingDaysLeft counts down to the last day, and on from it.
func TestWorkingDaysLeft(t *testing.T) {
	v := rulestest.New(t).View()
	due := governance.AddWorkingDays(v, at(t, "2025-09-29 16:00:00"), 3) // 30 September, 9 and 10 October
	for _, tt := range []struct {
		now  string
		want int
	}{
		{"2025-09-29 16:00:00", 3},
		{"2025-09-30 23:59:59", 2},
		{"2025-10-05 12:00:00", 2}, // holiday
		{"2025-10-09 00:00:00", 1},
		{"2025-10-10 00:00:00", 0}, // the last day
		{"2025-10-10 23:59:59", 0},
		{"2025-10-11 00:00:00", -1}, // a worked Saturday
		{"2025-10-12 00:00:00", -1},
		{"2025-10-13 00:00:00", -2},
	} {
		if got := governance.WorkingDaysLeft(v, at(t, tt.now), due); got != tt.want {
			t.Errorf("at %s: %d days left, want %d", tt.now, got, tt.want)
		}
	}
}

// TestYearsHaveTheirDays counts whole years. 248 is what 人社部发〔2025〕2号 says of the
// years from 2025 on: 365 days, less 104 days of weekends, less 13 holidays.
func TestYearsHaveTheirDays(t *testing.T) {
	v := rulestest.New(t).View()
	for year, want := range map[int]int{2025: 248, 2026: 248, 2027: 261} {
		n := 0
		for day := time.Date(year, 1, 1, 12, 0, 0, 0, beijing); day.Year() == year; day = day.AddDate(0, 0, 1) {
			if governance.IsWorkingDay(v, day.UnixMilli()) {
				n++
			}
		}
		if n != want {
			t.Errorf("%d has %d working days, want %d", year, n, want)
		}
	}
}

// TestCalendarAgainstTime compares the count of days with that of package time, which
// has its own calendar, for years without a record.
func TestCalendarAgainstTime(t *testing.T) {
	v := rulestest.New(t).View()
	rapid.Check(t, func(t *rapid.T) {
		from := time.Date(2027, 1, 1, 0, 0, 0, 0, beijing).Add(time.Duration(rapid.Int64Range(0, 150*365*24*3600).Draw(t, "seconds")) * time.Second)
		days := rapid.Uint32Range(0, 60).Draw(t, "days")
		day := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, beijing)
		for left := days; left > 0; {
			day = day.AddDate(0, 0, 1)
			if wd := day.Weekday(); wd != time.Saturday && wd != time.Sunday {
				left--
			}
		}
		due := governance.AddWorkingDays(v, from.UnixMilli(), days)
		if want := day.AddDate(0, 0, 1).UnixMilli(); due != want {
			t.Fatalf("%d days from %s: %d, want %d", days, from, due, want)
		}
		if days > 0 {
			if left := governance.WorkingDaysLeft(v, from.UnixMilli(), due); left != int(days) {
				t.Fatalf("%d days from %s: %d left at once", days, from, left)
			}
		}
	})
}

// TestOldTimes: times before 1970 and far ahead have an answer, and none takes long.
func TestOldTimes(t *testing.T) {
	v := rulestest.New(t).View()
	if got, want := governance.AddWorkingDays(v, at(t, "1969-12-31 23:00:00"), 1), at(t, "1970-01-02 00:00:00"); got != want {
		t.Errorf("from 1969: %d, want %d", got, want)
	}
	if got := governance.WorkingDaysLeft(v, 0, 1<<52); got != governance.MaxWorkingDays {
		t.Errorf("%d days left in 140,000 years", got)
	}
	if a, b := governance.AddWorkingDays(v, 0, 1<<31), governance.AddWorkingDays(v, 0, governance.MaxWorkingDays); a != b {
		t.Errorf("2^31 days end at %d, the bound at %d", a, b)
	}
}

// TestSetCalendar: a year changes by vote, and what cannot be a calendar is refused.
func TestSetCalendar(t *testing.T) {
	w := rulestest.New(t)
	propose := func(change func(*governancev1.CalendarYear)) fault.Code {
		y := &governancev1.CalendarYear{Year: 2027, Holidays: []uint32{20270101, 20270208}, Workdays: []uint32{20270206}, Source: "x"}
		change(y)
		return w.Do(w.Authority, &governancev1.Propose{Title: "x", Change: &governancev1.Change{Kind: &governancev1.Change_SetCalendar{SetCalendar: y}}})
	}
	for _, tt := range []struct {
		name   string
		want   fault.Code
		change func(*governancev1.CalendarYear)
	}{
		{"year", fault.OutOfRange, func(y *governancev1.CalendarYear) { y.Year = 2019 }},
		{"source", fault.Missing, func(y *governancev1.CalendarYear) { y.Source = "" }},
		{"too many", fault.TooLong, func(y *governancev1.CalendarYear) { y.Workdays = make([]uint32, 121) }},
		{"no such day", fault.OutOfRange, func(y *governancev1.CalendarYear) { y.Holidays[0] = 20270229 }},
		{"another year", fault.OutOfRange, func(y *governancev1.CalendarYear) { y.Holidays[0] = 20260102 }},
		{"a holiday on a Saturday", fault.OutOfRange, func(y *governancev1.CalendarYear) { y.Holidays[0] = 20270102 }},
		{"a worked Monday", fault.OutOfRange, func(y *governancev1.CalendarYear) { y.Workdays[0] = 20270104 }},
		{"not ascending", fault.Malformed, func(y *governancev1.CalendarYear) { y.Holidays = []uint32{20270208, 20270101} }},
		{"twice", fault.Malformed, func(y *governancev1.CalendarYear) { y.Holidays = []uint32{20270101, 20270101} }},
		{"done", fault.OK, func(*governancev1.CalendarYear) {}},
	} {
		if got := propose(tt.change); got != tt.want {
			t.Errorf("%s: %s (%s), want %s", tt.name, got, w.Text, tt.want)
		}
	}
	if governance.IsWorkingDay(w.View(), at(t, "2027-01-01 08:00:00")) || !governance.IsWorkingDay(w.View(), at(t, "2027-02-06 08:00:00")) {
		t.Error("the year that was voted is not in force")
	}
}

// TestClocks holds the limits of order 809 and what no profile may loosen.
func TestClocks(t *testing.T) {
	w := rulestest.New(t)
	for clock, want := range map[governancev1.Clock][2]uint32{
		governancev1.Clock_CLOCK_CATALOGUE_UPDATE:     {10, 5},
		governancev1.Clock_CLOCK_CATALOGUE_REVIEW:     {2, 0},
		governancev1.Clock_CLOCK_ANSWER_UNCONDITIONAL: {1, 10},
		governancev1.Clock_CLOCK_ANSWER_CONDITIONAL:   {10, 10},
		governancev1.Clock_CLOCK_DELIVER:              {20, 0},
		governancev1.Clock_CLOCK_CORRECTION:           {10, 0},
	} {
		if days, more := governance.Limit(w.View(), clock); days != want[0] || more != want[1] {
			t.Errorf("%s: %d and %d, want %v", clock, days, more, want)
		}
	}
	propose := func(change func(*governancev1.ClockProfile)) fault.Code {
		p := standard.Clocks809()
		p.Name = "local"
		change(p)
		return w.Do(w.Authority, &governancev1.Propose{Title: "x", Change: &governancev1.Change{Kind: &governancev1.Change_SetClockProfile{SetClockProfile: p}}})
	}
	for _, tt := range []struct {
		name   string
		want   fault.Code
		change func(*governancev1.ClockProfile)
	}{
		{"name", fault.Malformed, func(p *governancev1.ClockProfile) { p.Name = "../x" }},
		{"source", fault.Missing, func(p *governancev1.ClockProfile) { p.Source = "" }},
		{"a clock missing", fault.Missing, func(p *governancev1.ClockProfile) { p.Limits = p.Limits[1:] }},
		{"a clock twice", fault.Malformed, func(p *governancev1.ClockProfile) { p.Limits[1].Clock = 1 }},
		{"no days", fault.OutOfRange, func(p *governancev1.ClockProfile) { p.Limits[6].Days = 0 }},
		{"looser than the order", fault.OutOfRange, func(p *governancev1.ClockProfile) { p.Limits[4].Days = 21 }},
		{"looser with its extension", fault.OutOfRange, func(p *governancev1.ClockProfile) { p.Limits[3].ExtensionDays = 11 }},
		{"sum past 32 bits", fault.OutOfRange, func(p *governancev1.ClockProfile) { p.Limits[3].ExtensionDays = 1<<32 - 1 }},
		{"stricter", fault.OK, func(p *governancev1.ClockProfile) { p.Limits[4].Days = 5 }},
	} {
		if got := propose(tt.change); got != tt.want {
			t.Errorf("%s: %s (%s), want %s", tt.name, got, w.Text, tt.want)
		}
	}
	p := standard.Parameters()
	p.ClockProfile = "nowhere"
	w.Want(fault.NotFound, w.Authority, &governancev1.Propose{Title: "x", Change: &governancev1.Change{Kind: &governancev1.Change_SetParameters{SetParameters: p}}})
	p.ClockProfile = "local"
	w.Decide(&governancev1.Change{Kind: &governancev1.Change_SetParameters{SetParameters: p}})
	if days, _ := governance.Limit(w.View(), governancev1.Clock_CLOCK_DELIVER); days != 5 {
		t.Errorf("the local profile is in force and gives %d days", days)
	}
}
