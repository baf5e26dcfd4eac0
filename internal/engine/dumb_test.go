package engine

import (
	"fmt"
	"slices"

	"leadline/internal/sales"
)

// dumb is the cross-sell rule written down once more, as plainly as possible: it keeps every event for ever and looks through all of
// them each time. Only what a salesperson would say about the rule is in it.
type dumb struct {
	rules     Rules
	links     []sales.Link
	control   func(customer string) bool
	customers map[string]*dumbCustomer
}

type dumbCustomer struct {
	seen   map[string]bool
	bought map[string]map[sales.Day]dumbLine // by category and day
	orders map[string]sales.Day
	offers []dumbOffer
	said   []string // the trace
}

type dumbLine struct{ count, amount int64 }

type dumbOffer struct {
	to     string
	day    sales.Day
	capped bool
	open   bool
}

func (d *dumb) customer(id string) *dumbCustomer {
	if d.customers[id] == nil {
		d.customers[id] = &dumbCustomer{seen: map[string]bool{}, bought: map[string]map[sales.Day]dumbLine{}, orders: map[string]sales.Day{}}
	}
	return d.customers[id]
}

func (d *dumb) purchase(p *sales.Purchase) {
	c := d.customer(p.CustomerID)
	if c.seen[p.EventID] {
		return
	}
	c.seen[p.EventID] = true
	d.expire(c, p.OccurredAt)
	day := sales.Calendar{}.Day(p.OccurredAt)
	if p.Kind == sales.Refund {
		// Orders are forgotten after 185 days; the lives here leave none of an age near that.
		if of, ok := c.orders[p.OrderID]; ok && of > day-sales.Day(d.rules.WindowDays) {
			day = of
		}
		for _, l := range p.Lines {
			c.takeBack(day, l)
		}
		return
	}
	c.orders[p.OrderID] = day
	for _, l := range p.Lines {
		if c.bought[l.Category] == nil {
			c.bought[l.Category] = map[sales.Day]dumbLine{}
		}
		was := c.bought[l.Category][day]
		c.bought[l.Category][day] = dumbLine{was.count + int64(l.Quantity), was.amount + l.AmountMinor}
	}
	d.takeUp(c, p, day)
	d.offer(c, p, day)
}

func (c *dumbCustomer) takeBack(day sales.Day, l sales.Line) {
	was, ok := c.bought[l.Category][day]
	if !ok {
		return
	}
	if was.count <= int64(l.Quantity) {
		delete(c.bought[l.Category], day)
		return
	}
	c.bought[l.Category][day] = dumbLine{was.count - int64(l.Quantity), max(0, was.amount-l.AmountMinor)}
}

func (d *dumb) expire(c *dumbCustomer, at sales.Millis) {
	for i := range c.offers {
		o := &c.offers[i]
		if end := (sales.Calendar{}).Start(o.day + sales.Day(d.rules.ExpiryDays)); o.open && end <= at {
			o.open = false
			c.said = append(c.said, fmt.Sprintf("%d %s EXPIRED", end, o.to))
		}
	}
}

func (d *dumb) takeUp(c *dumbCustomer, p *sales.Purchase, day sales.Day) {
	for i := range c.offers {
		o := &c.offers[i]
		if o.open && slices.ContainsFunc(p.Lines, func(l sales.Line) bool { return l.Category == o.to }) {
			o.open = false
			c.said = append(c.said, fmt.Sprintf("%d %s RESOLVED", p.OccurredAt, o.to))
		}
	}
}

func (d *dumb) offer(c *dumbCustomer, p *sales.Purchase, day sales.Day) {
	var best *sales.Link
	for _, line := range p.Lines {
		for i := range d.links {
			l := &d.links[i]
			if line.AmountMinor == 0 || l.From != line.Category || c.holds(l.To, day-sales.Day(d.rules.WindowDays)) {
				continue
			}
			if !c.lately(l.To, day-sales.Day(d.rules.CooldownDays), false) && (best == nil || better(l, best)) {
				best = l
			}
		}
	}
	if best == nil {
		return
	}
	open := slices.ContainsFunc(c.offers, func(o dumbOffer) bool { return o.open })
	if open && c.lately(best.To, day-sales.Day(d.rules.CooldownDays), true) {
		return
	}
	c.offers = append(c.offers, dumbOffer{to: best.To, day: day, capped: open, open: !open})
	why := ""
	if open {
		why = " cap"
	} else if d.control(p.CustomerID) {
		why = " holdout"
	}
	c.said = append(c.said, fmt.Sprintf("%d %s OPENED from %s%s", p.OccurredAt, best.To, best.From, why))
}

func (c *dumbCustomer) holds(category string, after sales.Day) bool {
	for day := range c.bought[category] {
		if day > after {
			return true
		}
	}
	return false
}

func (c *dumbCustomer) lately(category string, after sales.Day, capped bool) bool {
	return slices.ContainsFunc(c.offers, func(o dumbOffer) bool { return o.to == category && o.capped == capped && o.day > after })
}
