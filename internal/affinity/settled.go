package affinity

import (
	"math"
	"slices"

	"leadline/internal/sales"
)

// Who holds what is counted as of the end of the last settled block: one after which every customer has been looked at. A customer's departures
// are told at its own purchases and looks, so of younger blocks some have been told and some not yet, and counts that took them in would hang on
// the days on which customers happened to be looked at. What came is told at once. It counts up to now where the question is what comes
// while something is held, as there both sides of a comparison are whole; only numbers of holders (support, confidence, G²) wait for
// departures. While nothing that was ever bought can have left its window there is nothing to wait for.
//
// Touches are told of at the customer's next purchase or look, so whoever buys tells of them sooner than who does not. Of younger blocks nothing
// counts that a touch has a part in, not even what came.
//
// So counts hang on the purchases, the touches and the day alone, and those learned live are those learned from the same at rest.

// ToldWithin is for how many days a departure or a touch may go untold: looks come as often, and tell of the days up to theirs when these are over.
const ToldWithin = 7

// noBlock is above all blocks.
const noBlock = math.MaxInt32 >> codeBits

// unsettled is the first block of which departures may be missing on a day.
func (c *Counts) unsettled(today sales.Day, windowDays int) int32 {
	if len(c.crowd) > 0 && today < sales.Day((c.crowd[0].bucket>>codeBits)*blockDays)+sales.Day(windowDays) {
		return noBlock
	}
	return unsettled(today)
}

// unsettled is the first block of which departures may be missing on a day, once something can have left.
func unsettled(today sales.Day) int32 { return Block(today - ToldWithin + 1) }

// Settled tells whether what a cell of the tally "pairs" counts is settled on a day: not so a departure of an unsettled block, or what a touch has
// a part in.
func Settled(c *sales.Cell, today sales.Day) bool {
	told := c.Bucket&left != left && !isTouch(c.Row) && !isTouch(c.Col)
	return told || c.Bucket>>codeBits < unsettled(today)
}

// peopleBefore is how many customers held anything at the end of the block before.
func (c *Counts) peopleBefore(block int32) int64 { return c.customers - c.crowd.since(block) }

// since is what came and left from a block on, together.
func (s sums) since(block int32) (n int64) {
	for _, m := range s.from(block) {
		n += int64(m.n)
	}
	return n
}

// forgetLeft drops departures of blocks before the first unsettled one: no count goes back behind it.
func (s *sums) forgetLeft(unsettled int32) bool {
	settled := func(m sum) bool { return m.bucket&left == left && m.bucket>>codeBits < unsettled }
	if !slices.ContainsFunc(*s, settled) {
		return false
	}
	*s = slices.DeleteFunc(*s, settled)
	return true
}
