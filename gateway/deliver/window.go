package deliver

import (
	"context"
	"slices"
	"strconv"
	"time"

	"mulian/gateway/view"
	governancev1 "mulian/gen/mulian/governance/v1"
	sharev1 "mulian/gen/mulian/share/v1"
	"mulian/internal/fault"
)

// window refuses what is asked for outside of the agreed days and hours: OutsideWindow.
func (p *Provider) window(ctx context.Context, d *decision, now time.Time) error {
	windows := d.agreement.GetTerms().GetWindows()
	if len(windows) == 0 {
		return nil
	}
	t := now.In(beijing)
	works := func() (bool, error) {
		year, s, err := view.Get(ctx, p.cfg.View, "governance/calendar/"+strconv.Itoa(t.Year()), func() *governancev1.CalendarYear { return &governancev1.CalendarYear{} }, d.limit)
		if err != nil {
			return false, err
		}
		d.saw(s)
		return worked(year, t), nil
	}
	for _, w := range windows {
		in, err := within(w, t, works)
		if err != nil {
			return err
		}
		if in {
			return nil
		}
	}
	return ruled("window", fault.OutsideWindow, "agreement %s: nothing is given on %s at %s Beijing time", d.agreement.GetId(), t.Format("Monday 2006-01-02"), t.Format("15:04"))
}

// within tells whether a time of Beijing lies in a window.
func within(w *sharev1.Window, t time.Time, works func() (bool, error)) (bool, error) {
	minute := uint32(t.Hour()*60 + t.Minute())
	if w.GetDays() != 0 && w.GetDays()&(1<<((int(t.Weekday())+6)%7)) == 0 {
		return false, nil
	}
	if minute < w.GetFromMinute() || w.GetToMinute() != 0 && minute >= w.GetToMinute() {
		return false, nil
	}
	if w.GetWorkingDays() {
		return works()
	}
	return true, nil
}

// worked tells whether a day is worked, as rules/governance counts: Monday to Friday but
// for the year's holidays, and the weekend days that the year works.
func worked(year *governancev1.CalendarYear, t time.Time) bool {
	date := uint32(t.Year()*10000 + int(t.Month())*100 + t.Day())
	if t.Weekday() == time.Saturday || t.Weekday() == time.Sunday {
		return slices.Contains(year.GetWorkdays(), date)
	}
	return !slices.Contains(year.GetHolidays(), date)
}
