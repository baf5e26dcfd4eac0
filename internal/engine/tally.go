package engine

import (
	"math"
	"slices"

	"leadline/internal/sales"
)

// What the tallies count, as the analyst reads them:
//
//	links     ("", "") customers that hold anything; (A, "") that hold A; (A, B), A < B, that hold both;
//	          (A, "\x01lines") and (A, "\x01amount") of all purchases ever; by week
//	tiers     (type, "price:<tier>") lines by price bucket; (type, "eligible:<tier>") customers who became ready to go up from the
//	          tier, and (type, "switched:<tier>") those who then went up, by week
//	activity  ("purchase-days", "") by day; (feedback.Row, result) alerts with such a report, by week of the alert;
//	          (CategoryRow and AttributeRow + channel, "") purchase days of channels, by week
//	examples  (card, code and whether it was taken) offers that were told and have ended, by the week in which they would have run out
const (
	wordPrice    = "price:"
	wordEligible = "eligible:"
	wordSwitched = "switched:"
)

// The links' columns that are no items: their names stand before all items', in this order.
const (
	colNone   = ^int32(0)
	colAmount = ^int32(1)
	colLines  = ^int32(2)
)

// linkColumns are the names of colNone, colAmount and colLines. An item's own name never begins with a control character.
var linkColumns = []string{"", "\x01amount", "\x01lines"}

// tallies collects a step's differences as they come: integers under numbers. Adding up and names come at the end.
type tallies struct {
	links, tiers, days []cell
	held               []int32 // what the touched customers held before, one after the other
	outcomes           []sales.Cell
	channels           channelDays
	examples           []example
	columns            columns // of the tiers' tallies
	sums, spare        []sum   // for adding up
}

// holding is where in tallies.held a customer's part is.
type holding struct {
	from, to int
	day      sales.Day
}

// link notes a difference of the links' tallies, which are by far the most. Row and column are numbers of the link level, or one of
// the columns above.
func (t *tallies) link(row, col int32, week int32, n int64) {
	t.links = append(t.links, cell{row: row, col: col, bucket: week, n: n})
}

func (t *tallies) line(item int32, day sales.Day, lines, amount int64) {
	t.link(item, colLines, day.Week(), lines)
	t.link(item, colAmount, day.Week(), amount)
}

func (t *tallies) purchaseDay(day sales.Day, n int64) {
	t.days = append(t.days, cell{bucket: int32(day), n: n})
}

func (t *tallies) tier(word string, typ, tier, bucket int32) {
	t.tiers = append(t.tiers, cell{row: typ, col: t.columns.id(word, tier), bucket: bucket, n: 1})
}

// remember keeps what a customer held before the step.
func (t *tallies) remember(e *entry, held []int32) {
	from := len(t.held)
	t.held = append(t.held, held...)
	e.before = holding{from: from, to: len(t.held), day: e.state.Day}
}

// heldBy is what the customer contributes to the links' tallies when its own time has come to the day: a pure function of the state, so
// that what the step before added can be taken away again by any later step, after any restart. The slice is scratch.
func (s *Shard) heldBy(c *Customer, day sales.Day) []int32 {
	if s.cfg.Job != nil {
		return nil
	}
	sc := &s.step.scratch
	sc.own.next(s.level.len())
	sc.ids = sc.ids[:0]
	for _, l := range c.Window.Between(day-sales.Day(s.rules.WindowDays), math.MaxInt32) {
		if f := s.level.of(l.Item); l.AmountMinor > 0 && f.takesPart && sc.own.add(f.number) {
			sc.ids = append(sc.ids, f.number)
		}
	}
	return sc.ids
}

// countHoldings tallies what the step changed in what the customer holds.
func (s *Shard) countHoldings(e *entry) {
	before := s.step.tally.held[e.before.from:e.before.to]
	s.countChange(before, s.heldBy(&e.state, e.state.Day), max(e.before.day, e.state.Day).Week())
}

// countLeaving tallies what leaves the window while the customer's own time goes from one day to a later one, and nothing else happens.
func (s *Shard) countLeaving(c *Customer, from, to sales.Day) {
	before := sales.Day(s.rules.WindowDays)
	if len(c.Window.Between(from-before, to-before)) == 0 {
		return
	}
	t := &s.step.tally
	kept := len(t.held)
	t.held = append(t.held, s.heldBy(c, from)...)
	s.countChange(t.held[kept:], s.heldBy(c, to), to.Week())
	t.held = t.held[:kept]
}

// countChange tallies the difference of two holdings. The cost is changed × held items; mostly nothing changed.
func (s *Shard) countChange(before, after []int32, week int32) {
	t := &s.step.tally
	if s.same(before, after) {
		return
	}
	if len(before) == 0 && len(after) > 0 {
		t.link(colNone, colNone, week, +1)
	}
	if len(before) > 0 && len(after) == 0 {
		t.link(colNone, colNone, week, -1)
	}
	s.countItems(after, before, week, +1)
	s.countItems(before, after, week, -1)
	before, after = paired(before), paired(after)
	s.countPairs(after, before, week, +1)
	s.countPairs(before, after, week, -1)
}

// same tells whether two lists of different numbers hold the same ones.
func (s *Shard) same(a, b []int32) bool {
	if len(a) != len(b) {
		return false
	}
	own := s.markOwn(a)
	return !slices.ContainsFunc(b, func(n int32) bool { return !own.has(n) })
}

// paired is what of the held items counts in pairs.
func paired(held []int32) []int32 {
	if len(held) > maxPaired {
		return nil
	}
	return held
}

// countItems tallies the items of list that other lacks.
func (s *Shard) countItems(list, other []int32, week int32, n int64) {
	own := s.markOwn(other)
	for _, id := range list {
		if !own.has(id) {
			s.step.tally.link(id, colNone, week, n)
		}
	}
}

// countPairs tallies the pairs within list of which other lacks one or both.
func (s *Shard) countPairs(list, other []int32, week int32, n int64) {
	own := s.markOwn(other)
	for i, a := range list {
		if own.has(a) {
			continue
		}
		for j, b := range list {
			if j < i || own.has(b) { // of two changed ones the pair counts once, at the later
				s.step.tally.link(a, b, week, n)
			}
		}
	}
}

func (s *Shard) markOwn(ids []int32) *marks {
	own := &s.step.scratch.own
	own.next(s.level.len())
	for _, id := range ids {
		own.add(id)
	}
	return own
}
