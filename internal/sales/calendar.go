package sales

import "time"

// Day is a calendar day of the business, counted from 1970-01-01.
type Day int32

// DayMillis is the length of a UTC day.
const DayMillis = 86_400_000

// Calendar turns instants into days. The zero Calendar counts UTC days.
type Calendar struct {
	zone *time.Location
}

// NewCalendar counts the days of the given business time zone; nil means UTC.
func NewCalendar(zone *time.Location) Calendar {
	if zone == time.UTC {
		zone = nil
	}
	return Calendar{zone: zone}
}

// Day is the day on which the instant falls.
func (c Calendar) Day(at Millis) Day {
	if c.zone != nil {
		_, offset := time.UnixMilli(int64(at)).In(c.zone).Zone()
		at += Millis(offset) * 1000
	}
	d := at / DayMillis
	if at%DayMillis < 0 {
		d--
	}
	return Day(d)
}

// Start is the first instant of the day.
func (c Calendar) Start(d Day) Millis {
	if c.zone == nil {
		return Millis(d) * DayMillis
	}
	date := time.Unix(int64(d)*86_400, 0).UTC()
	return Millis(time.Date(date.Year(), date.Month(), date.Day(), 0, 0, 0, 0, c.zone).UnixMilli())
}

// Week counts weeks that begin on Monday, from the week of 1970-01-01 (a Thursday) = 0.
func (d Day) Week() int32 {
	w := (int32(d) + 3)
	if w < 0 {
		w -= 6
	}
	return w / 7
}

// String gives the ISO date.
func (d Day) String() string { return time.Unix(int64(d)*86_400, 0).UTC().Format(time.DateOnly) }

// String names the time zone whose days are counted.
func (c Calendar) String() string {
	if c.zone == nil {
		return time.UTC.String()
	}
	return c.zone.String()
}
