package engine

import (
	"fmt"
	"math"
	"slices"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// better ranks candidates: by score, equal ones by name, so that the order of lines does not matter.
func better(a, b *sales.Link) bool {
	if a.Score != b.Score {
		return a.Score > b.Score
	}
	if a.From != b.From {
		return a.From < b.From
	}
	return a.To < b.To
}

// crossSell offers the best B that links lead to from the order's items and that the customer neither holds nor was offered.
func (s *Shard) crossSell(e *entry, o *order) {
	s.markTaken(e, o.day)
	distinct := &s.step.scratch.distinct
	distinct.next(s.level.len())
	var best *resolved
	for i := range o.lines {
		line := &o.lines[i]
		if !line.linked || !distinct.add(line.number) {
			continue
		}
		links := s.linksFrom(line.number)
		for i := range links {
			l := &links[i]
			if best != nil && !better(l.link, best.link) {
				break // sorted: the rest are worse still
			}
			if !s.taken(l) {
				best = l
				break
			}
			if s.step.batch.Explain {
				s.pass(e, sales.CrossSell, l.link.To, o.OccurredAt, s.whyTaken(e, l.to, o.day))
			}
		}
	}
	if best == nil {
		return
	}
	to, err := s.items.ID(s.level.item(best.link.To))
	if err != nil {
		return // no room to remember the offer by, so none is made
	}
	from, err := s.items.ID(s.level.item(best.link.From))
	if err != nil {
		return
	}
	s.offer(e, o, offer{kind: sales.CrossSell, link: best.link, words: s.words(best), from: from, to: to})
}

// resolved is a link with the dictionary's number of where it leads, −1 while no item has that name, and the words about it once they
// were needed.
type resolved struct {
	to    int32
	link  *sales.Link
	words *linkWords
}

// linksFrom gives the links of the level that lead from the item, best first.
func (s *Shard) linksFrom(from int32) []resolved {
	sc := &s.step.scratch
	for len(sc.links) <= int(from) {
		sc.links = append(sc.links, linkSlot{})
	}
	slot := &sc.links[from]
	if slot.round == sc.round {
		return slot.links
	}
	slot.round, slot.links = sc.round, slot.links[:0]
	shared := s.step.batch.Knowledge.Links.From(s.level.name(from))
	for i := range shared {
		l := &shared[i]
		if l.Level != s.rules.LinkLevel || s.level.excluded[l.To] || l.To == l.From || s.useless(sales.CrossSell, l.To) {
			continue
		}
		to, ok := s.level.find(l.To)
		if !ok {
			to = -1
		}
		slot.links = append(slot.links, resolved{to: to, link: l})
	}
	return slot.links
}

// markTaken marks what the customer holds in the window of the day, and what it was offered within the cool-down.
func (s *Shard) markTaken(e *entry, day sales.Day) {
	taken := &s.step.scratch.taken
	taken.next(s.level.len())
	lines := e.state.Window.Between(day-sales.Day(s.rules.WindowDays), math.MaxInt32)
	for i := range lines {
		taken.add(s.level.of(lines[i].Item).number)
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

// taken tells whether the customer holds or was offered what the link leads to.
func (s *Shard) taken(l *resolved) bool {
	if l.to < 0 { // the name may have come up since
		to, ok := s.level.find(l.link.To)
		if !ok {
			return false
		}
		l.to = to
	}
	return s.step.scratch.taken.has(l.to)
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
	case s.offeredAsType(id) != s.level.types:
		return noNumber
	default:
		return s.level.of(id).number
	}
}

// offeredAsType tells whether a cross-sell item stands for a type or for a category (level.item): an open offer stays what it
// was when the rules change the level.
func (s *Shard) offeredAsType(id window.ItemID) bool { return s.items.Item(id).Type != "" }

// offerName is what an offered item is called: upsell is about types, cross-sell about categories or types. It is a part of the alert's
// id, so it hangs on the offer alone.
func (s *Shard) offerName(kind sales.AlertKind, id window.ItemID) string {
	if kind == sales.Upsell || s.offeredAsType(id) {
		return s.items.Item(id).Type
	}
	return s.items.Item(id).Category
}

// linkWords is what all offers by one link say alike. Alerts share it.
type linkWords struct {
	title, bought, link, notHeld string
	details                      map[string]float64
}

func (s *Shard) words(r *resolved) *linkWords {
	if r.words != nil {
		return r.words
	}
	l := r.link
	r.words = &linkWords{
		title: fmt.Sprintf(", who has just bought %s: %.0f in 100 who buy %s also buy %s within %d days.", l.From, 100*l.Confidence, l.From,
			l.To, s.rules.WindowDays),
		bought: "Bought " + l.From + " on ",
		link: fmt.Sprintf("%d of %d customers who bought %s also bought %s; of all customers %.0f in 100 did.",
			l.Both, l.FromHolders, l.From, l.To, 100*l.Baseline),
		notHeld: fmt.Sprintf("No %s in the last %d days.", l.To, s.rules.WindowDays),
		details: map[string]float64{"confidence": l.Confidence, "lift": l.Lift, "g_squared": l.GSquared, "support": float64(l.Both),
			"link_score": l.Score},
	}
	return r.words
}

func crossSellWords(e *entry, o *order, f *offer) (title string, reasons []sales.Reason, details map[string]float64) {
	l, w := f.link, f.words
	title = "Offer " + l.To + " to customer " + e.id + w.title
	reasons = []sales.Reason{
		{Code: "bought", Text: w.bought + o.day.String() + ".", Value: 1, Weight: 1, Evidence: []sales.Evidence{o.evidence()}},
		{Code: "link", Text: w.link, Value: l.Confidence, Baseline: l.Baseline, Weight: l.Lift},
		{Code: "not_held", Text: w.notHeld},
	}
	return title, reasons, w.details
}
