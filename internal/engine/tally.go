package engine

import (
	"slices"

	"leadline/internal/affinity"
	"leadline/internal/sales"
)

// What the tallies count, as the analyst reads them:
//
//	pairs     how customers come to hold items, alone and two of them, and hold them no longer (package affinity, cells.go)
//	tiers     (type, "price:<tier>") lines by price bucket; (type, "eligible:<tier>") customers who became ready to go up from the
//	          tier, and (type, "switched:<tier>") those who then went up, by week
//	activity  (PurchaseDaysRow, "") by day; (feedback.Row, result) alerts with such a report, by week of the alert;
//	          (feedback.DemandRow, feedback.DemandCol) what the push would say to a rep, by week;
//	          (CategoryRow and AttributeRow + channel, "") purchase days of channels, by week;
//	          (slipping.Cell: age, repeats and recency) customers at an age, by slipping.Block
//	examples  (card, code and whether it was taken) offers and what was watched, once they have ended, by the week in which they would have run out

// PurchaseDaysRow is the row of everyone's purchase days in the tally "activity".
const PurchaseDaysRow = "purchase-days"

const (
	wordPrice    = "price:"
	wordEligible = "eligible:"
	wordSwitched = "switched:"
)

// The pairs' columns that are no items: their names stand before all items', in this order.
const (
	colNone   = ^int32(0)
	colAmount = ^int32(1)
	colHeld   = ^int32(2) // the first of affinity.HeldCols
	colLines  = colHeld - int32(len(affinity.HeldCols))
)

// pairColumns are the names of colNone, colAmount, those from colHeld on and colLines. An item's own name never begins with a control character.
var pairColumns = slices.Concat([]string{"", affinity.AmountCol}, affinity.HeldCols[:], []string{affinity.LinesCol})

// tallies collects a step's differences as they come: integers under numbers. Adding up and names come at the end.
type tallies struct {
	pairs, tiers, days []cell
	outcomes, ages     []sales.Cell
	channels           channelDays
	examples           []example
	columns            columns // of the tiers' tallies
	heldSums           heldSums
	soldSums           soldSums
	sums, spare        []sum        // for adding up
	cells              []sales.Cell // that the decision names
	usual              int          // cells of the steps of late, the most of them
}

// pair notes a difference of the pairs' tally, which are by far the most. Row and column are numbers of the link level, or one of the
// columns above.
func (t *tallies) pair(row, col, bucket int32, n int64) {
	t.pairs = append(t.pairs, cell{row: row, col: col, bucket: bucket, n: n})
}

// both notes a difference about two items of which none is before the other: the row is the one whose name comes first.
func (t *tallies) both(a, b, bucket int32, n int64) {
	t.pairs = append(t.pairs, cell{row: a, col: b, bucket: bucket, n: n, either: true})
}

func (t *tallies) line(item int32, day sales.Day, lines, amount int64) {
	t.soldSums.add(t, item, day, lines, amount)
}

func (t *tallies) purchaseDay(day sales.Day, n int64) {
	t.days = append(t.days, cell{bucket: int32(day), n: n})
}

func (t *tallies) tier(word string, typ, tier, bucket int32) {
	t.tiers = append(t.tiers, cell{row: typ, col: t.columns.id(word, tier), bucket: bucket, n: 1})
}
