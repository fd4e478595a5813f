package index

import (
	"context"
	"fmt"
)

// Habit is how a right was used lately, beside how it was used before: what rules of thumb
// are about. Hours are those in which accesses were anchored.
type Habit struct {
	Right       string // id of the agreement or grant
	State       int32  // share.v1.AgreementState; 0 for a grant
	Day         int64  // given in the last 24 hours
	Before      int64  // given before that, since the first hour
	DaysBefore  int64  // days of Before on which something was given
	Week        int64  // given in the last 7 days
	WeekRefused int64
	WeekNight   int64 // of Week, at night
	LastGranted int64 // hour in which something was given last; 0: never
}

// Times of a habit, in hours. Our own choice.
const (
	HabitDay  = 24
	HabitWeek = 7 * HabitDay
	HabitSpan = 28 * HabitDay // over how long one is looked at
)

// Night is from the first hour up to the second one.
const (
	NightFrom = 22
	NightTo   = 6
)

// Habits calls fn with each right that was used in the 28 days up to an hour, by id. The
// clock of a day and a night is so many hours ahead of UTC.
func (x *Index) Habits(ctx context.Context, now, ahead int64, fn func(Habit)) error {
	rows, err := x.read.QueryContext(ctx, `SELECT f.under, COALESCE(o.state, 0), f.day, f.before, f.days, f.week, f.refused, f.night, f.last FROM (SELECT under,
		SUM(IIF(hour > ?1 - ?3, granted, 0)) AS day,
		SUM(IIF(hour > ?1 - ?3, 0, granted)) AS before,
		COUNT(DISTINCT IIF(hour > ?1 - ?3 OR granted = 0, NULL, (hour + ?2) / 24)) AS days,
		SUM(IIF(hour > ?1 - ?4, granted, 0)) AS week,
		SUM(IIF(hour > ?1 - ?4, refused, 0)) AS refused,
		SUM(IIF(hour > ?1 - ?4 AND ((hour + ?2) % 24 >= ?6 OR (hour + ?2) % 24 < ?7), granted, 0)) AS night,
		COALESCE(MAX(IIF(granted > 0, hour, NULL)), 0) AS last
		FROM flow WHERE hour > ?1 - ?5 AND hour <= ?1 GROUP BY under) f
		LEFT JOIN object o ON o.key = 'share/agreement/' || f.under ORDER BY f.under`, now, ahead, HabitDay, HabitWeek, HabitSpan, NightFrom, NightTo)
	if err != nil {
		return fmt.Errorf("index: habits: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var h Habit
		if err := rows.Scan(&h.Right, &h.State, &h.Day, &h.Before, &h.DaysBefore, &h.Week, &h.WeekRefused, &h.WeekNight, &h.LastGranted); err != nil {
			return fmt.Errorf("index: habits: %w", err)
		}
		fn(h)
	}
	return rows.Err()
}

// GrantedAfter counts what was given under a right in later hours than one, and returns the
// first of them.
func (x *Index) GrantedAfter(ctx context.Context, right string, hour int64) (n, first int64, err error) {
	err = x.read.QueryRowContext(ctx, "SELECT COALESCE(SUM(granted), 0), COALESCE(MIN(hour), 0) FROM flow WHERE under = ? AND hour > ? AND granted > 0", right, hour).Scan(&n, &first)
	if err != nil {
		return 0, 0, fmt.Errorf("index: given after an end: %w", err)
	}
	return n, first, nil
}

// GatewayHabit is on how many days of the last 28 a gateway anchored accesses, and when last.
type GatewayHabit struct {
	Gateway        string
	Days, LastHour int64
}

// GatewayHabits returns them by gateway, up to an hour.
func (x *Index) GatewayHabits(ctx context.Context, now, ahead int64) ([]GatewayHabit, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT gateway, COUNT(DISTINCT (hour + ?) / 24), MAX(hour) FROM flow WHERE hour > ? AND hour <= ? GROUP BY gateway ORDER BY gateway", ahead, now-HabitSpan, now)
	if err != nil {
		return nil, fmt.Errorf("index: habits of gateways: %w", err)
	}
	defer rows.Close()
	var out []GatewayHabit
	for rows.Next() {
		var g GatewayHabit
		if err := rows.Scan(&g.Gateway, &g.Days, &g.LastHour); err != nil {
			return nil, fmt.Errorf("index: habits of gateways: %w", err)
		}
		out = append(out, g)
	}
	return out, rows.Err()
}
