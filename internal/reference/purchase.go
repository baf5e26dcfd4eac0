package reference

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// order is one purchase event on its way through the rules.
type order struct {
	*sales.Purchase
	source sales.Source
	day    sales.Day
	items  []window.Item // of each line
}

func (m *Model) purchase(i int, e *sales.Event) {
	p, c := e.Purchase, m.customer(e.Purchase.CustomerID)
	o := order{Purchase: p, source: e.Source, day: m.calendar.Day(p.OccurredAt)}
	event := window.EventHash(p.EventID)
	m.catchUp(c)
	if slices.ContainsFunc(c.purchases, func(known purchase) bool { return known.event == event }) {
		return // a redelivery
	}
	if m.tooLate(c, o.day, sales.PurchaseEvent) {
		m.out.Late = append(m.out.Late, i)
		return
	}
	if due := m.due(c); due != 0 && due <= p.OccurredAt {
		c.changed = true // what time has done before its time is kept, whatever becomes of the purchase
		m.passTime(c, p.OccurredAt)
	}
	entries := 1
	if p.Kind == sales.Order {
		entries += len(p.Lines)
	}
	switch {
	case c.currency != "" && c.currency != p.Currency:
		m.refuse(i, sales.DeadCurrency)
	case len(p.Lines) > maxLines || m.full(c, o.day, entries):
		m.refuse(i, sales.DeadTooLarge)
	case !m.identify(&o):
		m.refuse(i, sales.DeadTooManyItems)
	default:
		m.record(c, &o, event)
		if p.Kind == sales.Refund {
			m.refund(c, &o)
		} else {
			m.buy(c, &o)
		}
	}
}

// identify finds what the lines are about; false when the shard has no room for it.
func (m *Model) identify(o *order) bool {
	before := len(m.items)
	for _, l := range o.Lines {
		it := m.known.item(l.ProductID, l.Category, &m.rules)
		if _, known := m.places[it]; !known && len(m.items) >= maxProducts {
			it.Product = ""
		}
		if !m.meet(it) {
			m.unmeet(before)
			return false
		}
		o.items = append(o.items, m.items[m.places[it]])
	}
	return true
}

// record keeps the event. The first purchase of a history begins the weekly looks.
func (m *Model) record(c *customer, o *order, event uint64) {
	c.changed = true
	first := len(c.purchases) == 0
	m.advance(c, o.day)
	if c.currency == "" {
		c.currency = strings.Clone(o.Currency)
	}
	p := purchase{day: o.day, event: event, refund: o.Kind == sales.Refund}
	if !p.refund {
		p.order = window.OrderHash(o.OrderID)
		if o.OccurredAt >= c.last.at {
			c.last = newest{event: event, at: o.OccurredAt, source: sales.Source{Partition: o.source.Partition, Offset: o.source.Offset}}
		}
		if !slices.ContainsFunc(c.purchases, func(known purchase) bool { return known.day == o.day && !known.refund }) {
			c.before.days++
		}
		if c.before.first == 0 || o.day < c.before.first {
			c.before.first = o.day
		}
	}
	c.purchases = append(c.purchases, p)
	if first {
		c.look = c.day + week
	}
}

func (m *Model) buy(c *customer, o *order) {
	before := m.tiersUsed(c, o)
	for i, l := range o.Lines {
		if c.bought[o.day] == nil {
			c.bought[o.day] = map[window.Item]sum{}
		}
		s := c.bought[o.day][o.items[i]]
		c.bought[o.day][o.items[i]] = sum{s.count + int64(l.Quantity), s.amount + l.AmountMinor}
	}
	m.takeUp(c, o)
	m.watchOrder(c, o)
	m.comeBack(c, o)
	// An order that came late makes no offer when its window is not whole any more, or when the offer would be over already.
	expires := o.day + sales.Day(m.rules.ExpiryDays)
	if o.day < c.day-sales.Day(m.rules.SlackDays) || expires <= m.today {
		return
	}
	m.crossSell(c, o)
	m.upsell(c, o, before)
}

// refund takes the lines back from the day of the order it names, the newest if there are several, else from its own day.
func (m *Model) refund(c *customer, o *order) {
	number, day, found := window.OrderHash(o.OrderID), o.day, false
	for _, p := range c.purchases {
		if !p.refund && p.order == number && (!found || p.day > day) {
			day, found = p.day, true
		}
	}
	for i, l := range o.Lines {
		it, ok := m.returned(c, day, o.items[i])
		if !ok {
			continue
		}
		s := c.bought[day][it]
		s.count, s.amount = s.count-int64(l.Quantity), max(0, s.amount-l.AmountMinor)
		if c.bought[day][it] = s; s.count <= 0 {
			delete(c.bought[day], it)
		}
		if len(c.bought[day]) == 0 {
			delete(c.bought, day)
		}
	}
}

// returned is what a refund's line takes from: the same item, else the first one of the category by its names, for the
// catalogue may have learned since what the product is.
func (m *Model) returned(c *customer, day sales.Day, it window.Item) (window.Item, bool) {
	if _, ok := c.bought[day][it]; ok {
		return it, true
	}
	candidates := slices.DeleteFunc(slices.Collect(maps.Keys(c.bought[day])), func(have window.Item) bool { return have.Category != it.Category })
	if len(candidates) == 0 {
		return window.Item{}, false
	}
	return slices.MinFunc(candidates, func(a, b window.Item) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), int(a.Tier-b.Tier), strings.Compare(a.Product, b.Product), strings.Compare(a.Department, b.Department))
	}), true
}
