package affinity

import "leadline/internal/sales"

// The tally of kind "pairs" says how customers come to hold items and to hold them no longer. An item is held on day d when it was bought
// (a line with an amount) in the window (d − W, d] of W = window_days; it comes on the first such day and leaves when its last
// purchase leaves the window. What a customer holds is a function of its purchase days alone, day by day: it does not depend on how events
// were cut into orders and batches.
//
//	("", "")        +1 a customer comes to hold anything, −1 holds nothing any more          Came, stratum 0 | Left
//	(A, "")         +1 A comes, by the customer's stratum before the day; −1 A leaves        Came | Left
//	(A, B)          +1 A comes while B is held of an earlier day: A is the row, whatever the
//	                names' order; with how long ago B had come                               CameAfter
//	                +1 A and B come on the same day; A < B                                   SameDay
//	                −1 one of the two leaves, or both; A < B                                 Left
//	(B, HeldCol)    +k on a day on which k items came while B was held of an earlier day,
//	                by the customer's stratum before the day                                 Came
//	(A, LinesCol), (A, AmountCol)   purchase lines of A and their amount                     Came, stratum 0
//
// For a touch kind as antecedent ("viewed A, then bought B") B is TouchItem(kind, category): it comes and leaves by the days of the
// touches, is never a row of a pair, but has rows (B, "") and (B, HeldCol) of its own.
const HeldCol = "\x01held"

// blockDays is the length of the spans of time that cells are told apart by: coarse enough that sums stay few, fine enough for seasons.
const blockDays = 28

// Block numbers the spans of 28 days since 1970.
func Block(d sales.Day) int32 { return int32(d) / blockDays }

// LagWeeks is how many weeks a curve has: of the 180 days the last week has five.
const LagWeeks = sales.CurveWeeks

// Lags that are no number of weeks.
const (
	lagSameDay = LagWeeks // both came on the same day
	lagNoClock = 31       // the item held had come before the window, or the other was held when it came
	left       = 63
)

// Came is the bucket of what comes on a day to a customer of a stratum.
func Came(d sales.Day, stratum int32) int32 { return Block(d)<<6 | stratum }

// Left is the bucket of what leaves on a day: the first day on which it is not held.
func Left(d sales.Day) int32 { return Block(d)<<6 | left }

// SameDay is the bucket of two items that come on a day.
func SameDay(d sales.Day) int32 { return Block(d)<<6 | lagSameDay<<1 }

// CameAfter is the bucket of an item that comes on day d while another is held that came on day since. Without a clock (the other came
// more than W days ago, or the item itself had been held on that day, so that nobody waited for it) it is told by NoClock.
func CameAfter(d, since sales.Day) int32 {
	lag := int32(d-since) / 7
	late := Block(d) - Block(since) - lag*7/blockDays
	return Block(d)<<6 | lag<<1 | late
}

// NoClock is the bucket of an item that comes while another is held, of which it is not known since when anybody waited.
func NoClock(d sales.Day) int32 { return Block(d)<<6 | lagNoClock<<1 }

// Strata is how many classes of activity there are.
const Strata = 10

// Stratum is the class of a customer's activity by the purchase days in the window before the day: 0, 1, 2, 3-4, 5-8, … doubling.
// Customers are compared with equally active ones only, because whoever buys often buys everything more often.
func Stratum(purchaseDays int) int32 {
	s := int32(0)
	for limit := 0; purchaseDays > limit && s < Strata-1; s++ {
		limit = max(1, 2*limit)
	}
	return s
}
