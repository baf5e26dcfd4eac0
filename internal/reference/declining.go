package reference

import (
	"leadline/internal/activity"
	"leadline/internal/sales"
)

// week is how long it is from one look at a customer to the next.
const week = sales.Day(7)

// nextLookDay is the day of the look that is to come; 0: none.
func (c *customer) nextLookDay() sales.Day {
	if c.quiet != 0 {
		return c.quiet + week
	}
	return c.look
}

// due is when something is to happen to the customer without an event; 0: never.
func (m *Model) due(c *customer) sales.Millis {
	due := sales.Millis(0)
	if day := c.nextLookDay(); day != 0 {
		due = m.calendar.Start(day + 1)
	}
	for _, ep := range c.open {
		if ep.expiry == 0 {
			continue
		}
		if at := m.calendar.Start(ep.expiry); due == 0 || at < due {
			due = at
		}
	}
	return due
}

// passTime lets everything happen that is due by then, each as of its time.
func (m *Model) passTime(c *customer, until sales.Millis) {
	for due := m.due(c); due != 0 && due <= until; due = m.due(c) {
		if !c.changed && m.looksInVain(c, due) {
			c.quiet = c.nextLookDay()
			continue
		}
		m.catchUp(c)
		c.changed = true
		for _, ep := range c.offers() {
			if m.calendar.Start(ep.expiry) <= due {
				m.sayEnd(c, ep, sales.Expired, due, "not_taken_up")
			}
		}
		if c.look != 0 && m.calendar.Start(c.look+1) <= due {
			m.lookAt(c, due)
		}
	}
}

// looksInVain tells whether nothing is due but a look that says nothing, with another one to come in a week as something is kept: tried on a
// copy of the customer, who then stays as it was.
func (m *Model) looksInVain(c *customer, due sales.Millis) bool {
	day := c.nextLookDay()
	for _, ep := range c.offers() {
		if m.calendar.Start(ep.expiry) <= due {
			return false
		}
	}
	if c.overdue(day) {
		return false
	}
	tried, said := c.copied(), len(m.out.Alerts)
	m.catchUp(tried)
	m.lookAt(tried, due)
	spoke := len(m.out.Alerts) > said
	m.out.Alerts = m.out.Alerts[:said]
	return !spoke && len(tried.purchases)+len(tried.touches) > 0 && tried.look == day+week
}

// lookAt is the weekly look: is the customer declining, or is one who was gone for good?
func (m *Model) lookAt(c *customer, due sales.Millis) {
	day := c.look
	m.advance(c, day)
	c.watchLook(day)
	ep, telling := c.spell(), sales.Day(0)
	switch {
	case ep == nil:
		var leaving bool
		if leaving, telling = m.slip(c, day, due); !leaving {
			m.decline(c, day, due)
		}
	case c.daysWith(day-sales.Day(m.rules.WindowDays), day, anything) == 0:
		m.sayEnd(c, ep, sales.Expired, due, "gone")
	}
	if c.look = nextLook(c, day); telling != 0 {
		c.look = telling
	}
}

// nextLook is in a week while there are purchases or touches.
func nextLook(c *customer, day sales.Day) sales.Day {
	if len(c.purchases) > 0 || len(c.touches) > 0 {
		return day + week
	}
	return 0
}

// trend is the days with a purchase lately, and before.
type trend struct {
	recent, before int
	expected       float64 // of the recent, had the customer gone the way of everyone
	p              float64 // that chance alone makes it so few
}

func (m *Model) trend(c *customer, day sales.Day) trend {
	r := m.rules.Declining
	split := day - sales.Day(r.RecentDays)
	start := split - sales.Day(r.BaselineDays)
	t := trend{recent: c.daysWith(split, day, anything), before: c.daysWith(start, split, anything)}
	recent, before := m.known.active(split, day), m.known.active(start, split)
	if recent <= 0 || before <= 0 {
		recent, before = float64(r.RecentDays), float64(r.BaselineDays)
	}
	t.expected = float64(t.before) * recent / before
	t.p = activity.Decline(t.recent, t.before, recent, before)
	return t
}

// unspoken tells whether nothing is said about the customer, however it declines.
func (m *Model) unspoken(c *customer, day sales.Day) bool {
	return m.saidLately(c, sales.Declining, name{}, day, false) || m.inPeace(c, day) || m.useless(sales.Declining, c.alertOwner())
}

// decline opens a spell if the customer is declining.
func (m *Model) decline(c *customer, day sales.Day, due sales.Millis) {
	t, r := m.trend(c, day), m.rules.Declining
	if t.p >= r.Alpha || t.before < r.MinBaselineDays || m.unspoken(c, day) {
		return
	}
	weight := m.known.weight(sales.Declining, c.alertOwner())
	m.openSpell(c, day, due, weight*max(0, min(0.99, 1-float64(t.recent)/t.expected)), "fewer_purchase_days")
}

// openSpell opens a spell for the reasons.
func (m *Model) openSpell(c *customer, day sales.Day, due sales.Millis, score float64, reasons ...string) {
	ep := &episode{kind: sales.Declining, event: c.last.event, day: day, score: rounded(score), suppressed: m.suppression(c)}
	c.open = append(c.open, ep)
	c.said = append(c.said, said{kind: sales.Declining, day: day, event: c.last.event})
	m.spellAlert(c, ep, due, reasons...)
}

// spellAlert says the first of a spell, for the reasons and the last purchase.
func (m *Model) spellAlert(c *customer, ep *episode, due sales.Millis, reasons ...string) {
	a := m.say(c, ep, sales.Opened, due)
	for _, code := range reasons {
		a.Reasons = append(a.Reasons, sales.Reason{Code: code})
	}
	last := c.last.source
	last.Topic = m.prefix + "purchases"
	a.Reasons = append(a.Reasons, sales.Reason{Code: "last_purchase", Evidence: []sales.Evidence{{Source: last}}})
	complained(a, m.known.weight(sales.Declining, c.alertOwner()))
}

// comeBack ends a spell when an order shows that the customer buys as before, and does not slip away.
func (m *Model) comeBack(c *customer, o *order) {
	ep := c.spell()
	if ep != nil && m.trend(c, c.day).p >= m.rules.Declining.ResolveAbove && !m.leaves(c, c.day+1, c.day+1) {
		m.sayEnd(c, ep, sales.Resolved, o.OccurredAt, "came_back", o.evidence())
	}
}
