package state

import (
	"leadline/internal/engine"
	"leadline/internal/sales"
)

// A timer's score in the sorted set is both its days, 24 bits each: a look's day must be known by itself, for time may have gone past it by
// weeks without a write. The order of scores means nothing; pages are cut by it. A double holds whole numbers of 53 bits exactly.
const dayBits = 24

func score(d engine.Due) int64 { return dayBitsOf(d.Look)<<dayBits | dayBitsOf(d.Expiry) }

func dayBitsOf(d sales.Day) int64 { return int64(d) & (1<<dayBits - 1) }

func dueOf(score int64) engine.Due {
	return engine.Due{Look: dayOf(score >> dayBits), Expiry: dayOf(score)}
}

// dayOf takes the lowest bits as a number with a sign.
func dayOf(bits int64) sales.Day {
	const unused = 32 - dayBits
	return sales.Day(int32(uint32(bits)<<unused) >> unused)
}
