package drift

import (
	"fmt"
	"time"

	"mulian/gateway/connect"
)

// A FreshnessRule says how old a table's watermark may be.
type FreshnessRule struct {
	Table     connect.TableName
	Watermark string        // the column
	Cycle     time.Duration // the entry's update cycle (更新周期)
	Tolerance int           // in percent of Cycle; 0: 150, half a cycle more than one
}

// beijing is the zone of times that name none; China has one zone without summer time.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// Lateness tells how long ago the watermark was at now, and whether that is
// longer than the rule allows. A watermark of a day counts from that day's end. No
// watermark (no rows) is not late. An error: the watermark is no time.
func (r FreshnessRule) Lateness(watermark connect.Value, now time.Time) (age time.Duration, late bool, err error) {
	if watermark.IsNull() {
		return 0, false, nil
	}
	at, err := momentOf(watermark)
	if err != nil {
		return 0, false, err
	}
	tolerance := r.Tolerance
	if tolerance == 0 {
		tolerance = 150
	}
	age = max(0, now.Sub(at))
	return age, age > r.Cycle/100*time.Duration(tolerance), nil
}

// momentOf reads a point of time from a value of any kind that can hold one.
func momentOf(v connect.Value) (time.Time, error) {
	if v.Kind == connect.Text {
		if day, ok := connect.DateValue(v.Text); ok {
			v = day
		} else if t, ok := connect.TimeValue(v.Text); ok {
			v = t
		}
	}
	var at time.Time
	ok := false
	parse := func(layout string) {
		var err error
		at, err = time.ParseInLocation(layout, v.Text, beijing)
		ok = err == nil
	}
	switch v.Kind {
	case connect.Date:
		parse(time.DateOnly)
		at = at.AddDate(0, 0, 1)
	case connect.Timestamp:
		parse("2006-01-02T15:04:05.999999999")
	case connect.Instant:
		parse(time.RFC3339Nano)
	}
	if !ok {
		return time.Time{}, fmt.Errorf("watermark of kind %s is no time", v.Kind) // without the value
	}
	return at, nil
}
