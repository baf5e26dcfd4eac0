package reference

import (
	"slices"
	"strings"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/window"
)

func (m *Model) touch(i int, t *sales.Touchpoint) {
	day, c := m.calendar.Day(t.OccurredAt), m.customer(t.CustomerID)
	m.catchUp(c)
	switch {
	case m.tooLate(c, day, sales.TouchpointEvent):
		m.out.Late = append(m.out.Late, i)
		return
	case m.full(c, day, 1):
		m.refuse(i, sales.DeadTooLarge)
		return
	}
	about := t.Category
	if about == "" && t.ProductID != "" {
		about = m.known.item(t.ProductID, "", &m.rules).Category
	}
	if about != "" && !m.meet(window.Item{Category: about}) {
		about = ""
	}
	hash := window.TouchHash(t.EventID)
	if slices.Contains(c.recent, hash) {
		return // a redelivery
	}
	c.changed = true
	c.recent = append(c.recent, hash)
	c.recent = c.recent[max(0, len(c.recent)-64):]
	c.touches[touch{day: day, kind: t.Kind, about: strings.Clone(about)}]++
	if c.look == 0 {
		c.look = day + week
	}
}

// profile takes up whom the customer belongs to and whether a rep may get in touch, or erases everything.
func (m *Model) profile(e *sales.Event) {
	p, c := e.Customer, m.customer(e.Customer.CustomerID)
	if p.Erased {
		m.erase(c, e)
		return
	}
	contact := engine.ConsentUnknown
	for _, channel := range []string{"rep", "phone"} { // one denial is enough
		if granted, said := p.Consent[channel]; said && !granted {
			contact = engine.ConsentDenied
		} else if said && contact == engine.ConsentUnknown {
			contact = engine.ConsentGranted
		}
	}
	var segments []string
	for _, name := range m.rules.Channels.Attributes {
		text := name + "=" + p.Attributes[name]
		if p.Attributes[name] != "" && len(text) <= 80 && !strings.ContainsFunc(p.Attributes[name], func(r rune) bool { return r < ' ' }) {
			segments = append(segments, text)
		}
	}
	if c.owner != p.OwnerID || c.contact != contact || !slices.Equal(c.segments, segments) {
		m.catchUp(c)
		c.contact, c.segments, c.changed = contact, segments, true
		if c.owner != p.OwnerID { // the last word about who was assigned
			c.owner, c.rep = strings.Clone(p.OwnerID), ""
			for i := range c.reports {
				if c.reports[i].result == "assigned" {
					c.reports[i].rep = ""
				}
			}
		}
	}
}

func (m *Model) erase(c *customer, e *sales.Event) {
	if c.empty() {
		return
	}
	for _, ep := range slices.Clone(c.open) {
		m.sayEnd(c, ep, sales.Resolved, max(e.Customer.UpdatedAt, m.now), "erased", sales.Evidence{Source: e.Source})
	}
	saved := c.saved
	delete(m.customers, c.id)
	c = m.customer(c.id)
	c.changed, c.saved = true, saved
}
