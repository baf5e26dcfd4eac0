package reference

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// customer is one customer's history, as far as the rules have not forgotten it.
type customer struct {
	id      string
	csn     int64     // of the last commit that changed anything
	day     sales.Day // how far its own time has come: the newest purchase or look
	look    sales.Day // when this day is over, the customer is looked at; 0: never
	quiet   sales.Day // the last look after that one, or itself, that found nothing and changed nothing here; 0: none
	owner   string
	rep     string // who was assigned by reports that are forgotten
	contact engine.Consent

	segments []string // values of the attributes that are channels

	purchases []purchase // orders and refunds, as they came
	bought    map[sales.Day]map[window.Item]sum
	currency  string
	last      newest
	past      map[window.Item]past // what was bought on days that are forgotten
	before    lifetime
	touches   map[touch]uint32 // how many
	recent    []uint32         // the last 64 touches

	open []*episode
	said []said

	reports []report // what came of alerts, by day
	watched []watched

	changed bool // in this commit
	saved   bool // an earlier commit has kept something
}

// past is on how many forgotten days an item was bought, without a pause of more than a window, and on which last.
type past struct {
	days uint32
	last sales.Day
}

// lifetime is what is told of all orders of a customer who was never silent for as long as history is kept.
type lifetime struct {
	first          sales.Day // 0: none
	days           uint32
	offered, taken uint8
}

// purchase is an order or a refund.
type purchase struct {
	day    sales.Day
	refund bool
	event  uint64
	order  uint32 // 0 of a refund
}

// sum is what was bought of an item on a day.
type sum struct{ count, amount int64 }

// newest is the order that was the latest by event time.
type newest struct {
	event  uint64
	at     sales.Millis
	source sales.Source
}

// touch is one kind of touch on a day, about a category or none.
type touch struct {
	day   sales.Day
	kind  sales.TouchKind
	about string
}

// episode is an open alert.
type episode struct {
	kind       sales.AlertKind
	id         string
	event      uint64 // that opened it
	from, to   name
	day        sales.Day
	expiry     sales.Day // at whose start it ends; 0: never
	score      float64
	code       uint64 // of what the decision rested on; 0: none
	suppressed sales.Suppression
	updates    int // revisions said after the first
}

// name is what an offer is about: a category or a type, for an upsell with a tier.
type name struct {
	level string
	text  string
	tier  int32
}

// said is what must not be said again before the cool-down is over.
type said struct {
	kind   sales.AlertKind
	capped bool
	to     name
	day    sales.Day
	event  uint64 // of a spell
}

func (m *Model) customer(id string) *customer {
	m.met[strings.Clone(id)] = true
	if m.customers[id] == nil {
		id = strings.Clone(id)
		m.customers[id] = &customer{id: id, bought: map[sales.Day]map[window.Item]sum{}, touches: map[touch]uint32{}, past: map[window.Item]past{}}
	}
	return m.customers[id]
}

// copied shares nothing with the customer.
func (c *customer) copied() *customer {
	own := *c
	own.purchases, own.said, own.recent = slices.Clone(c.purchases), slices.Clone(c.said), slices.Clone(c.recent)
	own.reports, own.watched = slices.Clone(c.reports), slices.Clone(c.watched)
	own.touches, own.past = maps.Clone(c.touches), maps.Clone(c.past)
	own.bought = map[sales.Day]map[window.Item]sum{}
	for day, items := range c.bought {
		own.bought[day] = maps.Clone(items)
	}
	own.open = nil
	for _, ep := range c.open {
		same := *ep
		own.open = append(own.open, &same)
	}
	return &own
}

// catchUp makes of the customer what the quiet looks would have made of it. That is a change.
func (m *Model) catchUp(c *customer) {
	if c.quiet == 0 {
		return
	}
	last := c.quiet
	c.quiet, c.look, c.changed = 0, last+week, true
	m.advance(c, last)
}

func (c *customer) empty() bool {
	return len(c.purchases) == 0 && len(c.bought) == 0 && len(c.touches) == 0 && c.owner == "" && c.rep == "" && len(c.segments) == 0 && c.contact == engine.ConsentUnknown &&
		len(c.open) == 0
}

// advance brings the customer's own time to the day and forgets what is older than the history that is kept.
func (m *Model) advance(c *customer, day sales.Day) {
	if day <= c.day {
		return
	}
	c.day = day
	m.forget(c, day-m.keptDays())
	silent := day - sales.Day(m.rules.CooldownDays+m.rules.SlackDays)
	c.said = slices.DeleteFunc(c.said, func(s said) bool { return s.day <= silent })
	m.forgetReports(c, day)
}

// forget drops the days up to and including through. With the last purchase goes the currency, and what is told of those before, with
// the last touch the memory of touches.
func (m *Model) forget(c *customer, through sales.Day) {
	c.purchases = slices.DeleteFunc(c.purchases, func(p purchase) bool { return p.day <= through })
	for _, day := range slices.Sorted(maps.Keys(c.bought)) {
		if day <= through {
			m.remember(c, day)
			delete(c.bought, day)
		}
	}
	maps.DeleteFunc(c.past, func(_ window.Item, p past) bool { return p.last < through-sales.Day(m.rules.WindowDays) })
	maps.DeleteFunc(c.touches, func(t touch, _ uint32) bool { return t.day <= through && !m.goesOn(c, t, through) })
	if len(c.purchases) == 0 {
		c.currency, c.last, c.before = "", newest{}, lifetime{}
		clear(c.past)
	}
	if len(c.touches) == 0 {
		c.recent = nil
	}
}

// goesOn tells whether the next touch like this one about something comes after the day, and before a window is over.
func (m *Model) goesOn(c *customer, t touch, after sales.Day) bool {
	if t.about == "" {
		return false
	}
	next := sales.Day(math.MaxInt32)
	for o := range c.touches {
		if o.kind == t.kind && o.about == t.about && o.day > t.day {
			next = min(next, o.day)
		}
	}
	return next > after && next-t.day < sales.Day(m.rules.WindowDays)
}

// remember makes part of the past what was paid for on a day. Of more items than a customer is remembered to have bought those of the
// earliest day are forgotten.
func (m *Model) remember(c *customer, day sales.Day) {
	for it, s := range c.bought[day] {
		if s.amount == 0 {
			continue
		}
		p := c.past[it]
		if day-p.last > sales.Day(m.rules.WindowDays) {
			p.days = 0
		}
		c.past[it] = past{p.days + 1, day}
	}
	for len(c.past) > maxPast {
		oldest := slices.MinFunc(slices.Collect(maps.Values(c.past)), func(a, b past) int { return cmp.Compare(a.last, b.last) }).last
		maps.DeleteFunc(c.past, func(_ window.Item, p past) bool { return p.last == oldest })
	}
}

// entries is how many orders, refunds, lines and kinds of touches the days after the given one have.
func (c *customer) entries(after sales.Day) int {
	n := 0
	for _, p := range c.purchases {
		if p.day > after {
			n++
		}
	}
	for day, items := range c.bought {
		if day > after {
			n += len(items)
		}
	}
	for t := range c.touches {
		if t.day > after {
			n++
		}
	}
	return n
}

// full tells whether there is no room for so many more entries.
func (m *Model) full(c *customer, day sales.Day, entries int) bool {
	return c.entries(max(day, c.day)-m.keptDays())+entries > maxKept
}

// daysWith is on how many of the days (after, upTo] the customer bought anything that the condition holds for.
func (c *customer) daysWith(after, upTo sales.Day, holds func(window.Item) bool) int {
	n := 0
	for day, items := range c.bought {
		if day > after && day <= upTo && anyItem(items, holds) {
			n++
		}
	}
	return n
}

func anyItem(items map[window.Item]sum, holds func(window.Item) bool) bool {
	for it := range items {
		if holds(it) {
			return true
		}
	}
	return false
}

func anything(window.Item) bool { return true }

// offers are the open offers, spell is the open declining spell, nil if there is none.
func (c *customer) offers() []*episode {
	return slices.DeleteFunc(slices.Clone(c.open), func(e *episode) bool { return e.kind == sales.Declining })
}

func (c *customer) spell() *episode {
	for _, e := range c.open {
		if e.kind == sales.Declining {
			return e
		}
	}
	return nil
}

func (c *customer) end(ended *episode) {
	c.open = slices.DeleteFunc(c.open, func(e *episode) bool { return e == ended })
	c.changed = true
}

// saidLately tells whether the offer was made (or held back by the cap) within the cool-down before the day.
func (m *Model) saidLately(c *customer, kind sales.AlertKind, to name, day sales.Day, capped bool) bool {
	to.tier = 0 // another tier of the same type is the same offer
	return slices.ContainsFunc(c.said, func(s said) bool {
		s.to.tier = 0
		return s.kind == kind && s.capped == capped && s.to == to && day-s.day < sales.Day(m.rules.CooldownDays)
	})
}
