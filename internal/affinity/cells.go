package affinity

import (
	"math/bits"
	"strings"

	"leadline/internal/sales"
)

// The tally of kind "pairs" says how customers come to hold items and to hold them no longer. An item is held on day d when it was bought
// (a line with an amount) in the window (d − W, d] of W = window_days; it comes on the first such day and leaves when its last
// purchase leaves the window. What a customer holds is a function of its purchase days alone, day by day: it does not depend on how events
// were cut into orders and batches. Contribution says it in code.
//
//	("", "")        +1 a customer comes to hold anything, −1 holds nothing any more          Came, stratum 0 | Left
//	(A, "")         +1 A comes, by the customer's stratum before the day; −1 A leaves        Came | Left
//	(A, B)          +1 A comes while B is held of an earlier day: A is the row, whatever the
//	                names' order; with how long ago B had come                               CameAfter | Again | NoClock
//	                +1 A and B come on the same day; A < B                                   SameDay
//	                −1 one of the two leaves, or both; A < B                                 Left
//	(B, HeldCols)   +k on a day on which k items came while B was held of an earlier day,
//	                by the customer's stratum before the day; the column says since when     Came
//	(A, LinesCol), (A, AmountCol)   purchase lines of A and their amount                     Came, stratum 0
//
// For a touch kind as antecedent ("viewed B, then bought A") the other is TouchItem(kind, category): it comes and leaves by the days of
// the touches, has rows (T, "") and (T, HeldCols) of its own, is not among the k items that come, and is never the row of a pair:
//
//	(A, T)          as above, A the row whatever the names' order                            CameAfter | Again | NoClock | SameDay | Left
//	                +1 T comes while A is held of an earlier day                             TouchCame

// HeldCols are the columns of what comes while the row's item is held, in the order of their names: one for each horizon within which the item
// had come, the first for when that was longer ago, or nobody knows.
var HeldCols = [...]string{"\x01held", "\x01held13", "\x01held4"}

// horizons are the weeks within which the item had come, by HeldCols, each shorter than the one before. The first has no end.
var horizons = [len(HeldCols)]int32{noWeek, 13, 4}

const noWeek = 1 << codeBits

// Horizon is the place in HeldCols of what is held on a day and came on the day since, 0 = nobody knows.
func Horizon(d, since sales.Day) int {
	if since == 0 {
		return 0
	}
	return horizonOf(int32(d-since) / 7)
}

// horizonOf is the shortest horizon with whole weeks so far back.
func horizonOf(weeks int32) int {
	h := len(horizons) - 1
	for h > 0 && weeks >= horizons[h] {
		h--
	}
	return h
}

// blockDays is the length of the spans of time that cells are told apart by: coarse enough that sums stay few, fine enough for seasons.
const blockDays = 28

// Block numbers the spans of 28 days since 1970.
func Block(d sales.Day) int32 { return int32(d) / blockDays }

// LagWeeks is how many weeks a curve has: of the 180 days the last week has five.
const LagWeeks = sales.CurveWeeks

// Codes in the lower 6 bits of a pair's bucket. Below LagWeeks<<1 they are lag<<1 | late.
const (
	codeBits  = 6
	sameDay   = LagWeeks << 1 // both came on the same day
	heldThen  = sameDay + 1   // and the horizon, which is not 0: it had been held when the other came
	touchCame = 30 << 1       // a touch came while the item was held
	noClock   = 31 << 1       // nobody knows when the item held had come, or it is long ago
	left      = 1<<codeBits - 1
)

// Came is the bucket of what comes on a day to a customer of a stratum.
func Came(d sales.Day, stratum int32) int32 { return CameIn(Block(d), stratum) }

// CameIn is that of a day of the block.
func CameIn(block, stratum int32) int32 { return block<<codeBits | stratum }

// CameOf is the block and the stratum of a bucket that Came has given.
func CameOf(bucket int32) (block, stratum int32) {
	return bucket >> codeBits, bucket & (1<<codeBits - 1)
}

// Left is the bucket of what leaves on a day: the first day on which it is not held.
func Left(d sales.Day) int32 { return Block(d)<<codeBits | left }

// SameDay is the bucket of two items that come on a day.
func SameDay(d sales.Day) int32 { return Block(d)<<codeBits | sameDay }

// CameAfter is the bucket of an item that comes on day d while another is held that came on day since, W days ago at most, 0 < d − since
// < W, and the item itself was not held on that day: else it is Again. Of what came more than LagWeeks ago nobody knows how long anybody
// waited: NoClock.
func CameAfter(d, since sales.Day) int32 {
	lag := int32(d-since) / 7
	if lag >= LagWeeks {
		return NoClock(d)
	}
	late := Block(d) - Block(since) - lag*7/blockDays
	return Block(d)<<codeBits | lag<<1 | late
}

// Again is the bucket of an item that comes on day d while another is held that came on day since, 0 = nobody knows, and the item was held on that
// day, so that nobody waited for it.
func Again(d, since sales.Day) int32 {
	if h := Horizon(d, since); h > 0 {
		return Block(d)<<codeBits | heldThen + int32(h)
	}
	return NoClock(d)
}

// cameWithin is the horizon within which what is held had come, by the code of what comes while it is held; false for other codes.
func cameWithin(code int32) (horizon int, ok bool) {
	switch {
	case code < sameDay:
		return horizonOf(code >> 1), true
	case code > heldThen && code < heldThen+int32(len(horizons)):
		return int(code - heldThen), true
	default:
		return 0, code == noClock
	}
}

// NoClock is the bucket of an item that comes while another is held, of which it is not known since when anybody waited.
func NoClock(d sales.Day) int32 { return Block(d)<<codeBits | noClock }

// TouchCame is the bucket of a touch that comes while an item is held.
func TouchCame(d sales.Day) int32 { return Block(d)<<codeBits | touchCame }

// touchMark begins the name of a touch as antecedent. An item's name never begins with a control character.
const touchMark = "\x02"

// TouchItem names touches of a kind about a category.
func TouchItem(kind sales.TouchKind, category string) string {
	return touchMark + kind.String() + touchMark + category
}

func isTouch(name string) bool { return strings.HasPrefix(name, touchMark) }

// touchOf gives back what TouchItem was given, the kind by its name; ok is false for the name of an item.
func touchOf(name string) (kind, category string, ok bool) {
	rest, ok := strings.CutPrefix(name, touchMark)
	if !ok {
		return "", name, false
	}
	kind, category, ok = strings.Cut(rest, touchMark)
	return kind, category, ok
}

// Strata is how many classes of activity there are.
const Strata = 24

// Stratum is the class of a customer's activity by what it bought in the window before the day, (d − W, d − 1]: the number of
// items a day, summed over the days. The classes are 0, 1, 2, 3, 4, then two to each doubling: 5-6, 7-8, 9-12, 13-16, 17-24, … and
// from 2,049 on one.
//
// Customers are compared with equally active ones only, because whoever buys often, or much at a time, buys everything more often.
// What was bought, not how many different things are held: of two who hold equally many the one without B holds more of all else, which
// would look like a link.
func Stratum(bought int) int32 {
	if bought <= 4 {
		return int32(max(bought, 0))
	}
	doubling := bits.Len(uint(bought - 1)) // 5-8 → 3, 9-16 → 4
	upper := (bought - 1) >> (doubling - 2) & 1
	return int32(min(2*doubling-1+upper, Strata-1))
}
