package engine

import (
	"fmt"
	"slices"
	"strings"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// order is one purchase event on its way through the rules.
type order struct {
	*sales.Purchase
	at     int // of the batch's events
	source sales.Source
	day    sales.Day
	lines  []orderLine // what Lines are about, the shard's scratch
}

// orderLine is what the rules need of a line.
type orderLine struct {
	fact
	item   window.ItemID
	linked bool // it takes part in links: merchandise that was paid for
	tiered bool // linked, and of a known tier
	first  bool // tiered, and no line before has its type and tier
}

func (o *order) evidence() sales.Evidence {
	return sales.Evidence{Source: o.source, EventID: o.EventID}
}

// entries is how many the window gets by the order at most.
func (o *order) entries() int {
	if o.Kind == sales.Refund {
		return 1
	}
	return 1 + len(o.Lines)
}

func (s *Shard) purchase(i int, ev *sales.Event) {
	p := ev.Purchase
	day := s.cfg.Calendar.Day(p.OccurredAt)
	e := s.customer(p.CustomerID)
	s.wake(e)
	event := window.EventHash(p.EventID)
	if e.state.Window.Seen(event) {
		s.step.out.Duplicates++
		return
	}
	if s.tooOld(day, sales.PurchaseEvent) || day <= e.state.Day-sales.Day(s.rules.keptDays()) {
		s.step.out.Late = append(s.step.out.Late, i)
		return
	}
	s.fireUntil(e, p.OccurredAt)
	if c := e.state.Window.Currency(); c != "" && c != p.Currency {
		s.reject(i, sales.DeadCurrency, "currency "+p.Currency+" where the customer's purchases are in "+c)
		return
	}
	if len(p.Lines) > maxLines {
		s.reject(i, sales.DeadTooLarge, fmt.Sprintf("%d lines: at most %d are accepted", len(p.Lines), maxLines))
		return
	}
	o := order{Purchase: p, at: i, source: ev.Source, day: day}
	if reason := s.full(&e.state, day, o.entries()); reason != "" {
		s.reject(i, sales.DeadTooLarge, reason)
		return
	}
	if !s.identify(&o) {
		s.reject(i, sales.DeadTooManyItems, "the shard's item dictionary is full")
		return
	}
	s.record(e, &o, event)
	switch {
	case p.Kind == sales.Refund:
		s.refund(e, &o)
	case s.cfg.Job != nil:
		s.hand(e, &o)
	default:
		s.buy(e, &o)
	}
}

// MaxProducts is how long a shard's dictionary may get with a product in each item, when links lead between products: those beyond count as their
// types and categories, and no links lead from or to them. More shards have room for more.
const MaxProducts = window.MaxItems / 4 * 3

// identify finds the items of the lines. If the dictionary has no room for them all, none is added.
func (s *Shard) identify(o *order) bool {
	before := s.items.Len()
	o.lines = s.step.scratch.lines[:0]
	for i := range o.Lines {
		l := &o.Lines[i]
		item := s.step.batch.Knowledge.Catalogue.ItemAt(s.level.is, l.ProductID, l.Category)
		if item.Product != "" && s.items.Len() >= MaxProducts {
			if _, known := s.items.Find(item); !known {
				item.Product = "" // it takes no part in links, but everything else goes on
			}
		}
		id, err := s.items.ID(item)
		if err != nil {
			s.items.Truncate(before)
			s.level.forget()
			return false
		}
		line := orderLine{fact: *s.level.of(id), item: id}
		line.linked = l.AmountMinor > 0 && line.takesPart
		line.tiered = line.linked && line.tier > 0
		line.first = line.tiered && !slices.ContainsFunc(o.lines, func(other orderLine) bool {
			return other.tiered && other.typ == line.typ && other.tier == line.tier
		})
		o.lines = append(o.lines, line)
	}
	s.step.scratch.lines = o.lines
	return true
}

// record leaves the trace of the event in the window and moves the customer's own time.
func (s *Shard) record(e *entry, o *order, event uint64) {
	s.touch(e)
	c := &e.state
	first := len(c.Window.Orders()) == 0
	s.tellAhead(c, c.Day+1, o.day)
	c.advance(o.day, &s.rules)
	from, to := s.agesSince(c, o.day)
	s.tellAges(c, from, to, -1)
	if c.Window.Currency() == "" {
		c.Window.SetCurrency(strings.Clone(o.Currency))
	}
	trace := window.Order{Day: o.day, Event: event, Refund: o.Kind == sales.Refund}
	if !trace.Refund {
		trace.Number = window.OrderHash(o.OrderID)
		c.Lifetime.order(o.day, c.Window.OrderCount(o.day-1, o.day) == 0)
		c.Window.SetLast(window.Purchase{Event: event, At: o.OccurredAt, Partition: o.source.Partition, Offset: o.source.Offset})
	}
	c.Window.AddOrder(trace)
	s.tellAges(c, from, to, +1)
	if first && s.cfg.Job == nil {
		c.LookDay = c.Day + LookEvery
	}
}

// buy adds an order's lines and asks every rule.
func (s *Shard) buy(e *entry, o *order) {
	s.countTiers(e, o) // looks at the window as it was before
	s.countCategories(e, o)
	w := &e.state.Window
	if len(o.Lines) > 0 && len(w.Between(o.day-1, o.day)) == 0 {
		s.purchaseDay(e, o.day, +1)
	}
	s.addLines(e, o)
	s.takeUp(e, o)
	s.watchOrder(e, o)
	s.recover(e, o)
	if !s.offersAllowed(e, o.day) {
		s.pass(e, sales.CrossSell, "", o.OccurredAt, PassedOver)
		s.pass(e, sales.Upsell, "", o.OccurredAt, PassedOver)
		return
	}
	s.crossSell(e, o)
	s.upsell(e, o)
}

// addLines adds an order's lines to the window, and tells what they change.
func (s *Shard) addLines(e *entry, o *order) {
	w := &e.state.Window
	newest, before := o.day == e.state.Day, []int32(nil)
	if newest {
		before = s.boughtOn(w, o.day)
	} else {
		s.untell(&e.state, o.day)
	}
	for i, l := range o.Lines {
		w.Add(o.day, o.lines[i].item, int64(l.Quantity), l.AmountMinor)
		if o.lines[i].linked {
			s.step.tally.line(o.lines[i].number, o.day, 1, l.AmountMinor)
		}
	}
	if newest {
		s.tellPurchases(&e.state, before)
	} else {
		s.retell(&e.state, o.day)
	}
}

// offersAllowed tells whether an order of the day may lead to an offer: its window must still be whole, and the offer would
// not be over before it began.
func (s *Shard) offersAllowed(e *entry, day sales.Day) bool {
	expires := day + sales.Day(s.rules.ExpiryDays)
	return day >= e.state.Day-sales.Day(s.rules.SlackDays) && expires > s.cfg.Calendar.Day(s.step.before.now)
}

// refund takes lines back from the day of the order it names, if that is known, else from its own.
func (s *Shard) refund(e *entry, o *order) {
	w := &e.state.Window
	day := o.day
	if d, ok := w.OrderDay(window.OrderHash(o.OrderID)); ok {
		day = d
	}
	had := len(w.Between(day-1, day)) > 0
	s.untell(&e.state, day)
	for i, l := range o.Lines {
		item, ok := s.bought(w, day, o.lines[i].item)
		if !ok {
			continue
		}
		before, after, _ := w.TakeBack(day, item, int64(l.Quantity), l.AmountMinor)
		if after.Count == 0 {
			s.categoryTakenBack(w, day, item)
		}
		if f := s.level.of(item); before.AmountMinor > 0 && f.takesPart {
			gone := int64(0)
			if after.Count == 0 {
				gone = -1
			}
			s.step.tally.line(f.number, day, gone, after.AmountMinor-before.AmountMinor)
		}
	}
	s.retell(&e.state, day)
	if had && len(w.Between(day-1, day)) == 0 {
		s.purchaseDay(e, day, -1)
	}
}

// bought finds what a refund line takes from: the item itself, else what the day has of its category, because the catalogue may have
// learned the product's type or tier since the order. Of several it is the first by name: numbers are the dictionary's, and it must not hang on them.
func (s *Shard) bought(w *window.Window, day sales.Day, item window.ItemID) (first window.ItemID, ok bool) {
	lines := w.Between(day-1, day)
	for _, l := range lines {
		if l.Item == item {
			return item, true
		}
	}
	for _, l := range lines {
		if s.items.Category(l.Item) == s.items.Category(item) && (!ok || s.items.Item(l.Item).Compare(s.items.Item(first)) < 0) {
			first, ok = l.Item, true
		}
	}
	return first, ok
}
