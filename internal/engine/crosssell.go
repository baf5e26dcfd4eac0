package engine

import (
	"math"
	"slices"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/window"
)

// crossSell offers what the card of cross-sell holds likeliest to be taken, or what is worth most by its probability, of what links lead to from what the
// customer bought lately and what it neither holds nor was offered.
func (s *Shard) crossSell(e *entry, o *order) {
	s.markTaken(e, o.day)
	candidates := s.collect(e, o)
	if len(candidates) == 0 {
		return
	}
	s.countBefore(e, o)
	q := s.ask(e, o)
	s.tellWeighed(o, candidates, q)
	chosen := s.choose(o, len(candidates), func(i, j int) int { return ahead(&candidates[i], &candidates[j]) })
	c := &candidates[chosen.at]
	to, err := s.items.ID(s.level.item(c.link.link.To))
	if err != nil {
		return // no room to remember the offer by, so none is made
	}
	from, err := s.items.ID(s.level.leadsFrom(c.link.link))
	if err != nil {
		return
	}
	values := q.values(c)
	open := s.offer(e, o, offer{kind: sales.CrossSell, link: c.link.link, from: from, to: to, choice: chosen, logOdds: c.logOdds,
		score: s.card(scorecard.CrossSell()), values: values[:], resolved: c.link, of: len(candidates),
		since: c.since, antecedents: c.from, byValue: q.byValue})
	told := -1
	if open {
		told = chosen.at
	}
	s.watch(e, o, candidates, q, told)
}

// markTaken marks what the customer holds in the window of the day, and what it was offered within the cool-down. On the way it adds up
// the window's lines.
func (s *Shard) markTaken(e *entry, day sales.Day) {
	sc := &s.step.scratch
	taken := &sc.taken
	taken.next(s.level.len())
	sc.bought = bought{}
	lines := e.state.Window.Between(day-sales.Day(s.rules.WindowDays), math.MaxInt32)
	for i := range lines {
		taken.add(s.level.of(lines[i].Item).number)
		if amount := lines[i].AmountMinor; amount > 0 {
			sc.bought.lines++
			sc.bought.amount += amount
		}
	}
	for _, said := range e.state.Said {
		if said.Kind != sales.CrossSell || said.Capped || !s.cools(said, day) {
			continue
		}
		if n := s.number(said.Kind, said.Item); n != noNumber {
			taken.add(n)
		}
	}
}

// whyTaken tells which of the two it was.
func (s *Shard) whyTaken(e *entry, number int32, day sales.Day) PassedWhy {
	for _, l := range e.state.Window.Between(day-sales.Day(s.rules.WindowDays), math.MaxInt32) {
		if s.level.of(l.Item).number == number {
			return PassedHeld
		}
	}
	return PassedCooldown
}

// cools tells whether the cool-down of what was said reaches the day.
func (s *Shard) cools(said Said, day sales.Day) bool {
	return day-said.Day < sales.Day(s.rules.CooldownDays)
}

// saidLately tells whether the item of the number was offered (or, if capped, went to the ledger for the cap) within the
// cool-down before the day.
func (s *Shard) saidLately(e *entry, kind sales.AlertKind, number int32, day sales.Day, capped bool) bool {
	return slices.ContainsFunc(e.state.Said, func(said Said) bool {
		return said.Kind == kind && said.Capped == capped && s.cools(said, day) && s.number(kind, said.Item) == number
	})
}

// noNumber is that of NoItem.
const noNumber = -1

// number is what an offered item is told apart by: upsell is about types, cross-sell about items at the link level. What was offered
// before the rules changed the level has none.
func (s *Shard) number(kind sales.AlertKind, id window.ItemID) int32 {
	switch {
	case id == window.NoItem:
		return noNumber
	case kind == sales.Upsell:
		return s.level.of(id).typ
	case s.items.Item(id).StandsFor() != s.level.is:
		return noNumber
	default:
		return s.level.of(id).number
	}
}

// offerName is what an offered item is called: upsell is about types, cross-sell about what links led between when it was made. It is a part of
// the alert's id, so it hangs on the offer alone.
func (s *Shard) offerName(kind sales.AlertKind, id window.ItemID) string {
	it := s.items.Item(id)
	if kind == sales.Upsell {
		return it.Type
	}
	return it.At(it.StandsFor())
}
