package engine

import "leadline/internal/sales"

// LookEvery is how many days lie between two looks. It is no rule that may be set: of the looks since a state was written nothing is kept, and on
// which days they took place follows from this.
const LookEvery = 7

// Due is what time alone will do to a customer: a look, and the end of an offer. 0 = never.
type Due struct {
	Look   sales.Day // when this day is over the customer is looked at
	Expiry sales.Day // at the start of this day the first of the open offers ends
}

// Day is the day at whose start the first of the two happens; 0 = never.
func (d Due) Day() sales.Day {
	if d.Look == 0 || d.Expiry != 0 && d.Expiry <= d.Look {
		return d.Expiry
	}
	return d.Look + 1
}

// After is what is due when a shard's time has come to the day. A state stays as it was written while looks find nothing, so those that
// have passed by then were such, and the next one is a whole number of weeks later.
func (d Due) After(day sales.Day) Due {
	if d.Look != 0 && d.Look < day {
		d.Look += (day - d.Look + LookEvery - 1) / LookEvery * LookEvery
	}
	return d
}
