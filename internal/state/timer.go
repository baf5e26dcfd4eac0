package state

import (
	"fmt"
	"strconv"

	"leadline/internal/engine"
	"leadline/internal/sales"
)

// What is due of a customer stands in the timers' hash as one number of both its days, 24 bits each: a look's day must be known by itself, for
// time may have gone past it by weeks without a write. (The hash has no order. In memory there is one, and a sorted set costs twice as much at
// each write.)
const dayBits = 24

func encodeDue(d engine.Due) int64 { return dayBitsOf(d.Look)<<dayBits | dayBitsOf(d.Expiry) }

func dayBitsOf(d sales.Day) int64 { return int64(d) & (1<<dayBits - 1) }

func decodeDue(s string) (engine.Due, error) {
	bits, err := strconv.ParseUint(s, 10, 2*dayBits)
	if err != nil {
		return engine.Due{}, fmt.Errorf("%q is no timer: %w", s, ErrCorrupt)
	}
	return engine.Due{Look: dayOf(bits >> dayBits), Expiry: dayOf(bits)}, nil
}

// dayOf takes the lowest bits as a number with a sign.
func dayOf(bits uint64) sales.Day {
	const unused = 32 - dayBits
	return sales.Day(int32(uint32(bits)<<unused) >> unused)
}
