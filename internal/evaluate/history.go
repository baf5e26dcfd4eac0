// Package evaluate measures, on a history, how good what Leadline says would have been: it learns strictly before a cut, asks strictly
// after it, and puts plain baselines beside every figure.
//
// It guarantees that nothing from the cut on reaches what is judged, that equal histories and options give equal reports to the last
// digit, and that each difference has an interval, paired by customer. It is pure: no clock, no IO, no random source but the seeded
// ones of its resampling. It does not run the engine and reads no topic; the commands give it the history.
package evaluate

import (
	"cmp"
	"fmt"
	"slices"

	"leadline/internal/sales"
	"leadline/internal/slipping"
)

// Level says what an item is.
type Level string

// The levels, from coarse to fine. A type is named together with its category.
const (
	ByDepartment Level = sales.LevelDepartment
	ByCategory   Level = sales.LevelCategory
	ByType       Level = sales.LevelType
	ByProduct    Level = sales.LevelProduct
)

// Merchandise says what of a history counts as something that can be offered.
type Merchandise struct {
	Level              Level
	Calendar           sales.Calendar
	ExcludeDepartments []string
	ExcludeCategories  []string
}

// Cut is a moment and how far is looked from it.
type Cut struct {
	Day         sales.Day
	HorizonDays int
}

// History is who bought which item on which day. Make it with NewHistory, give it products before the purchases of them.
type History struct {
	m         Merchandise
	excluded  map[string]bool // departments and categories, each behind its kind
	products  map[string]string
	names     []string
	ids       map[string]int32
	customers map[string]*customer
	touches   map[string][]touch // by customer, of those too who have bought nothing
	first     sales.Day          // of all purchases
	last      sales.Day
}

// customer is one customer's purchases.
type customer struct {
	id      string
	bought  []bought // merchandise, by day and item, once the history is complete
	visits  []slipping.Visit
	kinds   []kind // categories, by day once the history is complete
	touches []touch
}

// kind is a category that was bought on a day.
type kind struct {
	day      sales.Day
	category string
}

// touch is one of whatever channel.
type touch struct {
	day  sales.Day
	kind sales.TouchKind
}

// bought is an item on a day.
type bought struct {
	day   sales.Day
	item  int32
	lines int32
	minor int64
}

// noItem stands for what is no merchandise.
const noItem = ""

// NewHistory is empty.
func NewHistory(m Merchandise) *History {
	h := &History{m: m, excluded: map[string]bool{}, products: map[string]string{}, ids: map[string]int32{}, customers: map[string]*customer{}, touches: map[string][]touch{}}
	for _, d := range m.ExcludeDepartments {
		h.excluded["department "+d] = true
	}
	for _, c := range m.ExcludeCategories {
		h.excluded["category "+c] = true
	}
	return h
}

// Product tells what a product is. At the level of types one without a type is no merchandise, as nobody knows what to offer.
func (h *History) Product(p *sales.Product) {
	name := noItem
	switch {
	case h.excluded["department "+p.Department] || h.excluded["category "+p.Category]:
	case h.m.Level == ByDepartment:
		name = cmp.Or(p.Department, p.Category)
	case h.m.Level == ByCategory:
		name = p.Category
	case h.m.Level == ByType && p.Type != "":
		name = p.Category + " / " + p.Type
	case h.m.Level == ByProduct:
		name = p.ProductID
	}
	h.products[p.ProductID] = name
}

// Purchase takes an order. Lines without quantity are no purchases, and refunds take nothing back here: who returned an item had an
// interest in it.
func (h *History) Purchase(p *sales.Purchase) {
	if p.Kind != sales.Order {
		return
	}
	c := h.customers[p.CustomerID]
	if c == nil {
		c = &customer{id: p.CustomerID}
		h.customers[p.CustomerID] = c
	}
	day := h.m.Calendar.Day(p.OccurredAt)
	visit, came := slipping.Visit{Day: day}, false
	for i := range p.Lines {
		came = came || p.Lines[i].Quantity > 0
		visit.SpentMinor += p.Lines[i].AmountMinor
		if p.Lines[i].Quantity > 0 {
			c.kinds = append(c.kinds, kind{day, p.Lines[i].Category})
		}
		if item, ok := h.item(&p.Lines[i]); ok {
			c.bought = append(c.bought, bought{day, item, 1, p.Lines[i].AmountMinor})
		}
	}
	if !came {
		return
	}
	c.visits = append(c.visits, visit)
	if h.first == 0 || day < h.first {
		h.first = day
	}
	h.last = max(h.last, day)
}

// Touchpoint takes a touch.
func (h *History) Touchpoint(t *sales.Touchpoint) {
	h.touches[t.CustomerID] = append(h.touches[t.CustomerID], touch{h.m.Calendar.Day(t.OccurredAt), t.Kind})
}

// item is what a line is about. A product that nobody told of is what the line says.
func (h *History) item(l *sales.Line) (int32, bool) {
	if l.Quantity == 0 {
		return 0, false
	}
	name, known := h.products[l.ProductID]
	if !known && !h.excluded["category "+l.Category] {
		switch h.m.Level {
		case ByCategory, ByDepartment:
			name = l.Category
		case ByProduct:
			name = l.ProductID
		}
	}
	if name == noItem {
		return 0, false
	}
	id, ok := h.ids[name]
	if !ok {
		id = int32(len(h.names))
		h.ids[name] = id
		h.names = append(h.names, name)
	}
	return id, true
}

// sorted gives the customers by id, each one's purchases by day and item, an item once a day, and the days with a purchase.
func (h *History) sorted() []*customer {
	all := make([]*customer, 0, len(h.customers))
	for _, c := range h.customers {
		slices.SortFunc(c.bought, func(a, b bought) int { return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.item, b.item)) })
		c.bought = onceADay(c.bought)
		c.visits = byDay(c.visits)
		c.countKinds()
		c.touches = h.touches[c.id]
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *customer) int { return cmp.Compare(a.id, b.id) })
	return all
}

// onceADay adds up what was bought of an item on a day.
func onceADay(sorted []bought) []bought {
	out := sorted[:0]
	for _, b := range sorted {
		if n := len(out); n > 0 && out[n-1].day == b.day && out[n-1].item == b.item {
			out[n-1].lines += b.lines
			out[n-1].minor += b.minor
			continue
		}
		out = append(out, b)
	}
	return out
}

// byDay makes one visit of all on a day.
func byDay(visits []slipping.Visit) []slipping.Visit {
	slices.SortFunc(visits, func(a, b slipping.Visit) int { return cmp.Compare(a.Day, b.Day) })
	days := visits[:0]
	for _, v := range visits {
		if n := len(days); n > 0 && days[n-1].Day == v.Day {
			days[n-1].SpentMinor += v.SpentMinor
			continue
		}
		days = append(days, v)
	}
	return days
}

// countKinds counts the categories of each visit.
func (c *customer) countKinds() {
	slices.SortFunc(c.kinds, func(a, b kind) int { return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.category, b.category)) })
	c.kinds = slices.Compact(c.kinds)
	for i := range c.visits {
		c.visits[i].Kinds = 0
	}
	at := 0
	for _, k := range c.kinds {
		for c.visits[at].Day < k.day {
			at++
		}
		c.visits[at].Kinds++
	}
}

// First and Last are the days of the first and the last purchase, 0 of an empty history.
func (h *History) First() sales.Day { return h.first }

// Last is the day of the last purchase, 0 of an empty history.
func (h *History) Last() sales.Day { return h.last }

// reaches refuses a cut of which the history shows nothing before, or not all of the horizon.
func (h *History) reaches(cut Cut) error {
	if end := cut.Day + sales.Day(cut.HorizonDays) - 1; cut.Day <= h.first || end > h.last {
		return fmt.Errorf("cut %s with %d days: the history goes from %s to %s", cut.Day, cut.HorizonDays, h.first, h.last)
	}
	return nil
}

// between gives the purchases of the days [from, to).
func (c *customer) between(from, to sales.Day) []bought {
	at := func(day sales.Day) int {
		i, _ := slices.BinarySearchFunc(c.bought, day, func(b bought, d sales.Day) int { return cmp.Compare(b.day, d) })
		return i
	}
	return c.bought[at(from):at(to)]
}
