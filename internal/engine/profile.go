package engine

import (
	"slices"
	"strings"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// touchpoint counts a touch. It leads to no decision by itself, but is learned from.
func (s *Shard) touchpoint(i int, t *sales.Touchpoint) {
	day := s.cfg.Calendar.Day(t.OccurredAt)
	e := s.customer(t.CustomerID)
	s.wake(e)
	if s.tooOld(day, sales.TouchpointEvent) || day <= e.state.Day-sales.Day(s.rules.keptDays()) {
		s.step.out.Late = append(s.step.out.Late, i)
		return
	}
	if reason := s.full(&e.state, day, 1); reason != "" {
		s.reject(i, sales.DeadTooLarge, reason)
		return
	}
	hash := window.TouchHash(t.EventID)
	about := s.about(t) // which the dictionary learns of in any case
	if e.state.Window.SeenTouch(hash) {
		s.step.out.Duplicates++
		return
	}
	s.touch(e)
	s.addTouch(&e.state, window.Touch{Day: day, Kind: t.Kind, About: about}, hash)
	if e.state.LookDay == 0 {
		e.state.LookDay = day + LookEvery // touches are told of then (touched.go)
	}
}

// about is the item that stands for the touch's category: its own, else its product's. A full dictionary counts the touch without.
func (s *Shard) about(t *sales.Touchpoint) window.ItemID {
	category := t.Category
	if category == "" && t.ProductID != "" {
		category = s.step.batch.Knowledge.Catalogue.Item(t.ProductID, "").Category
	}
	if category == "" {
		return window.NoItem
	}
	id, err := s.items.ID(window.Item{Category: category})
	if err != nil {
		return window.NoItem
	}
	return id
}

// profile takes what the shard needs of a customer's profile, or erases everything.
func (s *Shard) profile(ev *sales.Event) {
	p := ev.Customer
	e := s.customer(p.CustomerID)
	if p.Erased {
		s.erase(e, ev)
		return
	}
	contact := contactConsent(p.Consent)
	segments := s.segmentsOf(p.Attributes)
	if e.state.OwnerID == p.OwnerID && e.state.Contact == contact && slices.Equal(e.state.Segments, segments) {
		return
	}
	s.touch(e)
	if !slices.Equal(e.state.Segments, segments) {
		s.changeSegments(e, segments)
	}
	e.state.ownedBy(strings.Clone(p.OwnerID))
	e.state.Contact = contact
}

// contactConsent is whether a rep may get in touch: asked for as "rep", and by "phone". A denial of either wins.
func contactConsent(consent map[string]bool) Consent {
	said := ConsentUnknown
	for _, channel := range [...]string{"rep", "phone"} {
		granted, ok := consent[channel]
		switch {
		case ok && !granted:
			return ConsentDenied
		case ok:
			said = ConsentGranted
		}
	}
	return said
}

// erase ends what is open and forgets the customer.
func (s *Shard) erase(e *entry, ev *sales.Event) {
	if e.state.empty() {
		return
	}
	s.touch(e)
	for len(e.state.Open) > 0 {
		ended := e.state.close(0)
		s.sayEnd(e, &ended, ending{status: sales.Resolved, at: max(ev.Customer.UpdatedAt, s.clock.now), code: "erased",
			text: "The customer's data was erased.", evidence: []sales.Evidence{{Source: ev.Source}}})
	}
	s.countSegments(e.state.Segments, AttributeMembers, 0, -1)
	s.tellErased(&e.state)
	e.state = Customer{Pairs: e.state.Pairs}
}
