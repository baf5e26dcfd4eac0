package evaluate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/sales"
)

// Batch counts a history at rest as shards count it in differences: what each customer bought and was touched by, by the items that links lead
// between, and how it used the tiers of types. Its counts are those that a live run over the same history comes to, cell by cell, but for what is
// not settled yet (affinity.Settled), of which a live run has told some; if nothing came later than the rule slack_days lets it, and for touches in
// a silence in which all purchases are forgotten.
type Batch struct {
	o         BatchOptions
	catalogue *catalogue.Catalogue
	customers map[string]*batched
	names     map[string]bool
}

// BatchOptions say what counts, as the rules of the engine do.
type BatchOptions struct {
	Level             string // sales.LinkLevels
	Calendar          sales.Calendar
	WindowDays        int
	ExcludeCategories []string
	MinPurchases      int              // days with a purchase at a tier that make ready for the next one
	BrandTiers        map[string]int32 // tiers of products that have none of their own
}

// batched is one customer.
type batched struct {
	history []affinity.Bought
	orders  []affinity.TierOrder
}

// NewBatch has counted nothing.
func NewBatch(o BatchOptions) *Batch {
	b := &Batch{o: o, catalogue: catalogue.New(), customers: map[string]*batched{}, names: map[string]bool{}}
	b.catalogue.SetBrandTiers(o.BrandTiers)
	return b
}

// Product tells what a product is. It must come before the purchases and touches of it, as a live run has read all of them before it begins.
func (b *Batch) Product(p *sales.Product) { b.catalogue.Set(*p) }

func (b *Batch) customer(id string) *batched {
	c := b.customers[id]
	if c == nil {
		c = &batched{}
		b.customers[id] = c
	}
	return c
}

// Purchase takes an order, after those of the customer that came before it. Refunds take back what a live run finds of their orders, which is not
// counted here: they are an error.
func (b *Batch) Purchase(p *sales.Purchase) error {
	if p.Kind != sales.Order {
		return fmt.Errorf("purchase %s is a refund: a batch counts orders alone", p.EventID)
	}
	day, c := b.o.Calendar.Day(p.OccurredAt), b.customer(p.CustomerID)
	tiers := affinity.TierOrder{Day: day}
	for i := range p.Lines {
		l := &p.Lines[i]
		item := b.catalogue.ItemAt(b.o.Level, l.ProductID, l.Category)
		merchandise := l.AmountMinor > 0 && !slices.Contains(b.o.ExcludeCategories, item.Category)
		if item.Tier > 0 {
			tiers.Lines = append(tiers.Lines, affinity.TierLine{Type: item.Type, Tier: item.Tier, Merchandise: merchandise, Price: b.price(l)})
		}
		if merchandise {
			name := item.At(b.o.Level)
			b.names[name] = true
			c.history = append(c.history, affinity.Bought{Day: day, Item: name, Lines: 1, AmountMinor: l.AmountMinor})
		}
	}
	if len(tiers.Lines) > 0 {
		c.orders = append(c.orders, tiers)
	}
	return nil
}

// price is the bucket of what the line paid for a unit of size, −1 if that is not known.
func (b *Batch) price(l *sales.Line) int32 {
	price, ok := b.catalogue.UnitPrice(l.ProductID, l.Quantity, l.AmountMinor)
	if !ok {
		return -1
	}
	return price.Bucket()
}

// Touch takes a touch, of which the category counts that it or its product names.
func (b *Batch) Touch(t *sales.Touchpoint) {
	category := t.Category
	if category == "" && t.ProductID != "" {
		category = b.catalogue.Item(t.ProductID, "").Category
	}
	if category == "" || slices.Contains(b.o.ExcludeCategories, category) {
		return
	}
	name, c := affinity.TouchItem(t.Kind, category), b.customer(t.CustomerID)
	b.names[name] = true
	c.history = append(c.history, affinity.Bought{Day: b.o.Calendar.Day(t.OccurredAt), Item: name})
}

// each gives every customer's cells of both tallies by the end of the day, in the order of the customers.
func (b *Batch) each(upTo sales.Day, yield func(sales.TallyKind, []sales.Cell)) {
	for _, id := range slices.Sorted(maps.Keys(b.customers)) {
		c := b.customers[id]
		yield(sales.TallyPairs, affinity.Contribution(c.history, b.o.WindowDays, upTo))
		orders := slices.DeleteFunc(slices.Clone(c.orders), func(o affinity.TierOrder) bool { return o.Day > upTo })
		yield(sales.TallyTiers, affinity.TierContribution(orders, b.o.WindowDays, b.o.MinPurchases))
	}
}

// Place is where a cell of a tally stands.
type Place struct {
	Tally    sales.TallyKind
	Row, Col string
	Bucket   int32
}

// Sums adds up the cells of all customers by the end of the day. None is 0.
func (b *Batch) Sums(upTo sales.Day) map[Place]int64 {
	sums := map[Place]int64{}
	b.each(upTo, func(kind sales.TallyKind, cells []sales.Cell) { AddUp(sums, kind, cells) })
	return sums
}

// AddUp adds cells to sums, of which none is 0.
func AddUp(sums map[Place]int64, kind sales.TallyKind, cells []sales.Cell) {
	for i := range cells {
		c := &cells[i]
		at := Place{kind, c.Row, c.Col, c.Bucket}
		if sums[at] += c.N; sums[at] == 0 {
			delete(sums, at)
		}
	}
}

// Counts are the same sums, ready to be judged: all of them, unless there are more items than are followed anyway.
func (b *Batch) Counts(rules affinity.LinkRules, upTo sales.Day) *affinity.Counts {
	candidates := max(len(b.names), 1)
	if candidates > affinity.MaxAntecedents {
		candidates = rules.MaxCandidates
	}
	counts := affinity.NewCounts(candidates)
	counts.AddAtRest(func(add func(sales.TallyKind, []sales.Cell)) { b.each(upTo, add) })
	return counts
}

// Sorted lists the places of sums by tally, row, column and bucket.
func Sorted(sums map[Place]int64) []Place {
	return slices.SortedFunc(maps.Keys(sums), func(a, b Place) int {
		return cmp.Or(cmp.Compare(a.Tally, b.Tally), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Bucket, b.Bucket))
	})
}
