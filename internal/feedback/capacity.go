package feedback

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"leadline/internal/sales"
)

// A rep has room for so many alerts a week that somebody slips away, and should get those that are worth most. Shards count what there would be to say,
// by owner, week and worth (DemandRow, DemandCol); of the last weeks that are over follows from which worth on so many were said as there was room for
// (LeastWorth), which the analyst publishes (CapacitySeries). So the capacity is kept on the average of those weeks, not in each.

// DemandWeeks is of how many weeks the demand is compared with the capacity.
const DemandWeeks = 4

const (
	demandPrefix   = "owner|"
	capacityPrefix = "capacity|"
	binsAnOctave   = 1 << 14 // bins of worth: each begins less than a ten-thousandth above the one before
	byLot          = 1. / 32
	leastExponent  = -40
)

// DemandRow is the row of the shards' tallies that counts what the push would say to a rep.
func DemandRow(owner string) string { return demandPrefix + owner }

// CountsDemand tells whether a row of the shards' tallies is of DemandRow.
func CountsDemand(row string) bool { return strings.HasPrefix(row, demandPrefix) }

// Outlived tells whether what was counted in a week is compared no more in another.
func Outlived(counted, week int32) bool { return counted < week-DemandWeeks }

// CapacitySeries is under which name the least worth is published of a row that DemandRow has made; false for one that counts something else.
func CapacitySeries(row string) (string, bool) {
	owner, ok := strings.CutPrefix(row, demandPrefix)
	return capacityPrefix + owner, ok
}

// Worth is what an alert that somebody slips away is worth, in minor units: the probability times what is at risk. Where no amounts are known, one minor
// unit is, so that the probability alone tells. A lot in 0..1 adds up to a thirtieth: so of many that are worth the same some are told, not all or none.
func Worth(probability, atRiskMinor, lot float64) float64 {
	return probability * max(1, atRiskMinor) * (1 + byLot*lot)
}

// bin is the bin of a worth above 0: exact, and greater where the worth is, if it is in another bin.
func bin(worth float64) int32 {
	part, exponent := math.Frexp(max(worth, math.Ldexp(1, leastExponent)))
	return int32((exponent-leastExponent)*binsAnOctave) + int32((2*part-1)*binsAnOctave)
}

// begins is the least worth of a bin.
func begins(bin int32) float64 {
	return math.Ldexp((1+float64(bin%binsAnOctave)/binsAnOctave)/2, int(bin/binsAnOctave)+leastExponent)
}

// DemandCol is the column of the shards' tallies that counts alerts of such a worth.
func DemandCol(worth float64) string { return strconv.Itoa(int(bin(worth))) }

// LeastWorth is the worth from which on there is room for alerts; 0 where there is room for all. It begins just above the counted
// one that would fill the room: as many new ones as there were exceed the k-th of them k times on the average. The cells are those of one DemandRow in the
// weeks that count, of any shards, in any order.
func LeastWorth(room int64, cells []sales.Cell) float64 {
	bins, all := map[int32]int64{}, int64(0)
	for _, c := range cells {
		if b, err := strconv.ParseInt(c.Col, 10, 32); err == nil && b >= 0 {
			bins[int32(b)] += c.N
			all += c.N
		}
	}
	if all <= room {
		return 0
	}
	for _, b := range slices.Backward(slices.Sorted(maps.Keys(bins))) {
		if room -= bins[b]; room <= 0 && bins[b] > 0 {
			return begins(b + 1)
		}
	}
	return 0
}
