package governance

import (
	"slices"

	governancev1 "mulian/gen/mulian/governance/v1"
	"mulian/state"
)

// beijingMs is Beijing time before UTC. A constant, for the machine's time zone
// files differ; China has had no summer time since 1992.
const beijingMs = 8 * 3_600_000

// AddWorkingDays returns the end of a period of so many working days that begins
// with an event at fromMs: the first moment at which it is over. The day of the
// event does not count, and the last day counts to its end, 24:00 in Beijing. With
// 0 days the period ends with the day of the event. More than [MaxWorkingDays]
// count as so many.
func AddWorkingDays(v state.View, fromMs int64, days uint32) (dueMs int64) {
	c := reader{v: v}
	day := dayOf(fromMs)
	for left := min(days, MaxWorkingDays); left > 0; {
		day++
		if c.works(day) {
			left--
		}
	}
	return startOf(day + 1)
}

// WorkingDaysLeft returns how many working days are left after today until dueMs,
// as [AddWorkingDays] made it: 0 on the last day. Once dueMs is past it returns
// minus the number of working days that have begun since, which is 0 on the
// weekend that follows: whether a period is over is for nowMs >= dueMs to say.
// It counts at most [MaxWorkingDays].
func WorkingDaysLeft(v state.View, nowMs, dueMs int64) int {
	c := reader{v: v}
	if nowMs < dueMs {
		return c.count(dayOf(nowMs)+1, dayOf(dueMs-1))
	}
	return -c.count(dayOf(dueMs), dayOf(nowMs))
}

// IsWorkingDay reports whether the day in Beijing on which timeMs lies is worked.
func IsWorkingDay(v state.View, timeMs int64) bool {
	c := reader{v: v}
	return c.works(dayOf(timeMs))
}

// reader reads the calendar and keeps the year that it read last.
type reader struct {
	v      state.View
	year   int64
	record *governancev1.CalendarYear // nil: no exceptions known
}

// works reports whether a day is worked. A year without a record has no exceptions
// from Monday to Friday.
func (c *reader) works(day int64) bool {
	year, date := dateOf(day)
	if c.year != year {
		c.year, c.record = year, nil
		if year >= FirstYear && year <= LastYear {
			c.record, _ = calendar.Get(c.v, yearKey(uint32(year)))
		}
	}
	if isWeekend(day) {
		_, worked := slices.BinarySearch(c.record.GetWorkdays(), date)
		return worked
	}
	_, free := slices.BinarySearch(c.record.GetHolidays(), date)
	return !free
}

// count returns how many days from first to last are worked, both included.
func (c *reader) count(first, last int64) (n int) {
	for day := first; day <= last && n < MaxWorkingDays; day++ {
		if c.works(day) {
			n++
		}
	}
	return n
}

// dayOf returns the number of the day in Beijing, 0 = 1 January 1970.
func dayOf(ms int64) int64 { return floorDiv(ms+beijingMs, dayMs) }

// startOf returns the moment at which a day begins in Beijing.
func startOf(day int64) int64 { return day*dayMs - beijingMs }

func isWeekend(day int64) bool {
	weekday := (day%7 + 7 + 4) % 7 // day 0 was a Thursday; 0 = Sunday
	return weekday == 0 || weekday == 6
}

// dateOf returns year and yyyymmdd of a day in the Gregorian calendar, after 0000.
// The year begins in March here, so that the leap day is its last; 400 years have
// 146,097 days.
func dateOf(day int64) (year int64, date uint32) {
	day += 719_468 // days from 0000-03-01 to 1970-01-01
	era := floorDiv(day, 146_097)
	ofEra := day - era*146_097
	yearOfEra := (ofEra - ofEra/1460 + ofEra/36_524 - ofEra/146_096) / 365
	ofYear := ofEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	monthFromMarch := (5*ofYear + 2) / 153
	dayOfMonth := ofYear - (153*monthFromMarch+2)/5 + 1
	month := monthFromMarch + 3
	if month > 12 {
		month -= 12
	}
	year = yearOfEra + era*400
	if month <= 2 {
		year++
	}
	return year, uint32(year*10_000 + month*100 + dayOfMonth)
}

// numberOf returns the day with that yyyymmdd, and whether there is one.
func numberOf(date uint32) (day int64, ok bool) {
	year, month, dayOfMonth := int64(date/10_000), int64(date/100%100), int64(date%100)
	if month < 1 || month > 12 || dayOfMonth < 1 || dayOfMonth > 31 {
		return 0, false
	}
	if month <= 2 {
		year--
	}
	era := floorDiv(year, 400)
	yearOfEra := year - era*400
	ofYear := (153*((month+9)%12)+2)/5 + dayOfMonth - 1
	day = era*146_097 + yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + ofYear - 719_468
	_, again := dateOf(day)
	return day, again == date
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
