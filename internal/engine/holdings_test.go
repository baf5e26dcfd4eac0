package engine

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/affinity"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// told sums the pairs' tallies of all decisions.
func told(decisions []Decision) map[sales.Cell]int64 {
	sums := map[sales.Cell]int64{}
	for _, d := range decisions {
		for _, tally := range d.Tallies {
			if tally.Kind == sales.TallyPairs {
				addCells(sums, tally.Cells)
			}
		}
	}
	return sums
}

func addCells(sums map[sales.Cell]int64, cells []sales.Cell) {
	for _, c := range cells {
		n := c.N
		c.N = 0
		if sums[c] += n; sums[c] == 0 {
			delete(sums, c)
		}
	}
}

// heldByTallies is who holds what and which two, by the sums of what came and what left.
func heldByTallies(decisions []Decision) map[string]int64 {
	sums := map[string]int64{}
	for c, n := range told(decisions) {
		if strings.HasPrefix(c.Col, "\x01") {
			continue
		}
		if c.Col != "" && c.Col < c.Row {
			c.Row, c.Col = c.Col, c.Row
		}
		sums[c.Row+"/"+c.Col] += n
	}
	maps.DeleteFunc(sums, func(_ string, n int64) bool { return n == 0 })
	return sums
}

// dumbHoldings is what a customer holds at its own time, and which two, counted anew.
func dumbHoldings(s *Shard, c *Customer) map[string]bool {
	held := map[string]bool{}
	for _, l := range c.Window.Between(c.Day-180, math.MaxInt32) {
		if l.AmountMinor > 0 {
			held[s.items.Item(l.Item).Category] = true
		}
	}
	pairs := map[string]bool{}
	names := slices.Sorted(maps.Keys(held))
	for i, a := range names {
		pairs["/"] = true
		pairs[a+"/"] = true
		for _, b := range names[i+1:] {
			pairs[a+"/"+b] = true
		}
	}
	for _, t := range c.Window.Touches() {
		if t.Day > c.Day || t.Day <= c.Day-180 || t.About == window.NoItem {
			continue
		}
		touch := affinity.TouchItem(t.Kind, s.items.Item(t.About).Category)
		pairs[touch+"/"] = true
		for _, item := range names {
			pairs[touch+"/"+item] = true
		}
	}
	return pairs
}

// histories remembers all that customers ever bought and were touched by, as it was when the window forgot it.
type histories map[string]map[sales.Day][]affinity.Bought

// see takes in what the shard knows of everybody.
func (h histories) see(s *Shard) {
	for id, e := range s.cache.entries {
		if h[id] == nil {
			h[id] = map[sales.Day][]affinity.Bought{}
		}
		c := e.state
		kept := c.Day - sales.Day(s.rules.keptDays())
		for day, list := range h[id] {
			h[id][day] = slices.DeleteFunc(list, func(b affinity.Bought) bool {
				return b.Lines == 0 || day > kept && c.FirstDay != 0 && day >= c.FirstDay
			})
		}
		for _, l := range c.Window.Lines() {
			if f := s.level.of(l.Item); l.AmountMinor > 0 && f.takesPart {
				h[id][l.Day] = append(h[id][l.Day], affinity.Bought{Day: l.Day, Item: s.level.name(f.number), Lines: 1, AmountMinor: l.AmountMinor})
			}
		}
	}
}

// touch takes in the touches of all events.
func (h histories) touch(events []sales.Event) {
	for _, e := range events {
		if t := e.Touchpoint; t != nil && h[t.CustomerID] != nil {
			day := sales.Calendar{}.Day(t.OccurredAt)
			h[t.CustomerID][day] = append(h[t.CustomerID][day], affinity.Bought{Day: day, Item: affinity.TouchItem(t.Kind, t.Category)})
		}
	}
}

// contributions is what package affinity makes of the histories up to a day of each customer.
func (h histories) contributions(s *Shard, upTo func(id string) sales.Day) map[sales.Cell]int64 {
	sums := map[sales.Cell]int64{}
	for id, days := range h {
		var history []affinity.Bought
		for _, day := range slices.Sorted(maps.Keys(days)) {
			history = append(history, days[day]...)
		}
		addCells(sums, affinity.Contribution(history, s.rules.WindowDays, upTo(id)))
	}
	return withoutLines(sums)
}

// withoutLines leaves out how many lines were bought, which no history of days knows.
func withoutLines(sums map[sales.Cell]int64) map[sales.Cell]int64 {
	maps.DeleteFunc(sums, func(c sales.Cell, _ int64) bool { return c.Col == affinity.LinesCol })
	return sums
}

// withoutOldRefunds leaves out refunds of orders of long ago: what they take back is told of the day on which that is learned.
func withoutOldRefunds(events []sales.Event) []sales.Event {
	oldest := map[string]sales.Millis{}
	return slices.DeleteFunc(events, func(e sales.Event) bool {
		switch p := e.Purchase; {
		case e.Kind != sales.PurchaseEvent:
			return false
		case p.Kind == sales.Refund:
			at, known := oldest[p.OrderID]
			return known && at < p.OccurredAt-sales.DayMillis
		default:
			if at, known := oldest[p.OrderID]; !known || p.OccurredAt < at {
				oldest[p.OrderID] = p.OccurredAt
			}
			return false
		}
	})
}

// withoutTouchesInSilence leaves out touches before the first purchase after a silence in which all purchases were forgotten: whether what is bought
// then was held when the touch came, nobody knows any more.
func withoutTouchesInSilence(events []sales.Event, window int) []sales.Event {
	all := slices.Clone(events)
	return slices.DeleteFunc(events, func(e sales.Event) bool {
		t := e.Touchpoint
		if t == nil {
			return false
		}
		last, next := sales.Millis(0), sales.Millis(math.MaxInt64)
		for _, o := range all {
			switch p := o.Purchase; {
			case p == nil || p.CustomerID != t.CustomerID:
			case p.OccurredAt <= t.OccurredAt+4*sales.DayMillis:
				last = max(last, p.OccurredAt)
			default:
				next = min(next, p.OccurredAt)
			}
		}
		return last != 0 && next != math.MaxInt64 && next-last > sales.Millis(window)*sales.DayMillis
	})
}

// TestPairsAgainstContribution: touches included, however events are cut into batches, with orders that come late, refunds, failed commits, customers that are
// dropped from memory, looks that find nothing and a restart, the differences add up to what is said of whole histories.
func TestPairsAgainstContribution(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k, _ := worldKnowledge(t)
		rules := testRules()
		rules.WindowDays = rapid.SampledFrom([]int{180, 40, 13}).Draw(t, "window")
		rules.SlackDays = rapid.SampledFrom([]int{5, 30}).Draw(t, "slack")
		rules.LinkLevel = rapid.SampledFrom(sales.LinkLevels()).Draw(t, "level")
		events := withoutTouchesInSilence(withoutOldRefunds(worldEvents(t)), rules.WindowDays)
		one, rough := newRig(t, k), newRig(t, k)
		one.shard.SetRules(rules)
		rough.shard.SetRules(rules)
		all := histories{}
		for i := range events {
			one.step(events[i:i+1], 0)
			all.see(one.shard)
		}
		all.touch(events)
		ever := func(string) sales.Day { return 1 << 20 }
		now := all.contributions(one.shard, func(id string) sales.Day {
			c := one.shard.cache.entries[id].state
			touches := c.Window.Touches()
			c.Window = window.Window{}
			switch c.CatchUp(one.shard.today(), &rules); {
			case c.Day == 0 && len(touches) > 0: // not told yet
				return touches[0].Day - 1
			case c.Day == 0: // forgotten
				return ever(id)
			default:
				return c.Day
			}
		})
		if diff := gocmp.Diff(now, withoutLines(told(one.decisions))); diff != "" {
			t.Fatalf("(-by histories +told):\n%s", diff)
		}
		today := one.shard.today()
		settled := func(cells map[sales.Cell]int64) map[sales.Cell]int64 {
			maps.DeleteFunc(cells, func(c sales.Cell, _ int64) bool { return !affinity.Settled(&c, today) })
			return cells
		}
		atRest := settled(all.contributions(one.shard, ever))
		if diff := gocmp.Diff(atRest, settled(withoutLines(told(one.decisions)))); diff != "" {
			t.Fatalf("day %d (-settled at rest +told):\n%s", today, diff)
		}
		half := rapid.IntRange(0, len(events)).Draw(t, "half")
		rough.step(events[:half], 0)
		rough.restart()
		playRoughly(t, rough, events[half:])
		inTheEnd := all.contributions(one.shard, ever)
		if diff := gocmp.Diff(inTheEnd, withoutLines(told(rough.decisions))); diff != "" {
			t.Fatalf("(-by histories +told in the end):\n%s", diff)
		}
	})
}

// TestTalliesAddUp: the sums of all differences are what the customers hold at the end, counted anew, even with orders that come months late,
// when the window of their day is not whole any more, and with customers who are erased.
func TestTalliesAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k, _ := worldKnowledge(t)
		events := worldEvents(t)
		for i := range events {
			if events[i].Kind != sales.PurchaseEvent {
				continue
			}
			switch p := *events[i].Purchase; rapid.IntRange(0, 19).Draw(t, "event") {
			case 0:
				events[i] = sales.Event{Kind: sales.CustomerEvent, Customer: &sales.Customer{CustomerID: p.CustomerID, Erased: true}}
			case 1, 2, 3:
				p.OccurredAt -= sales.Millis(rapid.IntRange(0, 200).Draw(t, "days late")) * sales.DayMillis
				events[i].Purchase = &p
			}
		}
		r, rules := newRig(t, k), testRules()
		rules.SlackDays = rapid.SampledFrom([]int{0, 5, 30}).Draw(t, "slack")
		r.shard.SetRules(rules)
		from := 0
		for _, to := range cuts(t, len(events)) {
			r.step(events[from:to], 0)
			from = to
		}
		for _, d := range r.decisions {
			for _, tally := range d.Tallies {
				if !slices.IsSortedFunc(tally.Cells, func(a, b sales.Cell) int { return cmp.Or(compareCells(a, b), -1) }) {
					t.Fatalf("out of order, or twice: %v", tally)
				}
				if slices.ContainsFunc(tally.Cells, func(c sales.Cell) bool { return c.N == 0 }) {
					t.Fatalf("an empty difference: %v", tally)
				}
			}
		}
		want := map[string]int64{}
		for _, e := range r.shard.cache.entries {
			e.state.CatchUp(r.shard.today(), &r.shard.rules)
			for pair := range dumbHoldings(r.shard, &e.state) {
				want[pair]++
			}
		}
		if diff := gocmp.Diff(want, heldByTallies(r.decisions)); diff != "" {
			t.Fatalf("(-counted +summed):\n%s", diff)
		}
	})
}

// TestViewedThenBought tells the story cell by cell: butter is viewed, bread and butter are bought twelve days later; then time passes.
func TestViewedThenBought(t *testing.T) {
	t.Parallel()
	r := newRig(t, emptyKnowledge())
	view := touched("anna", noon, "t1")
	view.Touchpoint.Kind, view.Touchpoint.Category = sales.TouchProductView, "BUTTER"
	viewed, bought := sales.Calendar{}.Day(noon), sales.Calendar{}.Day(noon+12*sales.DayMillis)
	r.step([]sales.Event{view}, 0)
	r.step([]sales.Event{buy("anna", noon+12*sales.DayMillis, "e1", "BREAD", "BUTTER")}, 0)
	touch := affinity.TouchItem(sales.TouchProductView, "BUTTER")
	want := map[sales.Cell]int64{
		{Bucket: affinity.Came(bought, 0)}:                                        1,
		{Row: touch, Bucket: affinity.Came(viewed, 0)}:                            1,
		{Row: touch, Col: affinity.HeldCols[2], Bucket: affinity.Came(bought, 0)}: 2,
		{Row: "BREAD", Bucket: affinity.Came(bought, 0)}:                          1,
		{Row: "BUTTER", Bucket: affinity.Came(bought, 0)}:                         1,
		{Row: "BREAD", Col: "BUTTER", Bucket: affinity.SameDay(bought)}:           1,
		{Row: "BREAD", Col: touch, Bucket: affinity.CameAfter(bought, viewed)}:    1,
		{Row: "BUTTER", Col: touch, Bucket: affinity.CameAfter(bought, viewed)}:   1,
	}
	got := withoutLines(told(r.decisions))
	maps.DeleteFunc(got, func(c sales.Cell, _ int64) bool { return c.Col == affinity.AmountCol })
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +told):\n%s", diff)
	}
	r.step(nil, endOfTime)
	if left := heldByTallies(r.decisions); len(left) != 0 {
		t.Errorf("in the end %v are held", left)
	}
}
