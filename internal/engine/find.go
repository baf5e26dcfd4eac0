package engine

import (
	"slices"

	"github.com/google/uuid"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// A customer keeps no list of the ids of its alerts. An open episode has all that makes its id, and so has what is remembered of a spell. Of an offer
// that has ended the customer remembers what was offered when, the orders of that time, and what led to offers then: the id is made anew from each of
// them.

const (
	soughtSaid = 64    // of what was said last, alerts are looked for among so many
	soughtIDs  = 4_096 // so many ids are made: a customer of thousands of lines a day cannot hold up the shard
)

// find tells which of the customer's alerts has the id; false when it is not remembered.
func (s *Shard) find(e *entry, alertID string) (alertRef, bool) {
	id, err := uuid.Parse(alertID)
	if err != nil {
		return alertRef{}, false
	}
	c := &e.state
	for at := range c.Open {
		if ep := &c.Open[at]; s.alertID(e.id, ep) == id {
			return alertRef{kind: ep.Kind, item: ep.To, opened: ep.Day, at: at}, true
		}
	}
	for i := range c.Reports {
		if r := &c.Reports[i]; r.Ended != nil && s.alertID(e.id, r.Ended) == id {
			return r.ref(), true
		}
	}
	left := soughtIDs
	for _, said := range c.Said[max(0, len(c.Said)-soughtSaid):] {
		is := s.offeredAs
		if said.Kind == sales.Declining {
			is = s.spelledAs
		}
		if !said.Capped && is(e, said, id, &left) {
			return alertRef{kind: said.Kind, item: said.Item, opened: said.Day, at: -1}, true
		}
	}
	return alertRef{}, false
}

// spelledAs tells whether what was said is the spell of the id.
func (s *Shard) spelledAs(e *entry, said Said, id uuid.UUID, _ *int) bool {
	return s.alertID(e.id, nextSpell(said.Event)) == id
}

// offeredAs tells whether what was said is the offer of the id, by an order of its day.
func (s *Shard) offeredAs(e *entry, said Said, id uuid.UUID, left *int) bool {
	w := &e.state.Window
	var leading []window.ItemID
	for _, o := range w.Orders() {
		if o.Refund || o.Day != said.Day {
			continue
		}
		if leading == nil {
			leading = s.leadingTo(w, said)
		}
		for _, from := range leading {
			if *left--; *left >= 0 && s.alertID(e.id, &Episode{Kind: said.Kind, Event: o.Event, From: from, To: said.Item}) == id {
				return true
			}
		}
	}
	return false
}

// leadingTo lists what an offer may have followed from: of the day what was bought, and to a cross-sell also what was bought or touched lately.
func (s *Shard) leadingTo(w *window.Window, said Said) []window.ItemID {
	after := said.Day - 1
	var leading []window.ItemID
	add := func(item window.ItemID, ok bool) {
		if ok && !slices.Contains(leading, item) {
			leading = append(leading, item)
		}
	}
	if said.Kind == sales.CrossSell {
		after = said.Day - recentDays
		for _, t := range w.Touches() {
			add(t.About, t.Day > after && t.Day <= said.Day && t.About != window.NoItem)
		}
	}
	for _, l := range slices.Backward(w.Between(after, said.Day)) { // the newest first: that is the likeliest
		add(s.linkedFrom(said, l.Item))
	}
	return leading
}

// linkedFrom is what an offer of the item would say that it follows from, had it been made for the line: the line's item for an upsell, else what stands
// for it at the offer's level. One that the dictionary has not got was never offered from.
func (s *Shard) linkedFrom(said Said, line window.ItemID) (window.ItemID, bool) {
	if said.Kind == sales.Upsell {
		return line, s.level.of(line).typ == s.level.of(said.Item).typ
	}
	level := s.items.Item(said.Item).StandsFor()
	return s.items.Find(window.StandIn(level, s.items.Item(line).At(level)))
}
