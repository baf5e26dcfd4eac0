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

// Batch counts a history at rest as shards count it in differences: what each customer bought, by the items that links lead between. Its
// counts of the tally of pairs are those that a live run over the same history comes to, cell by cell, but for departures that are not settled
// yet (affinity.Settled): a live run has told some of them.
type Batch struct {
	calendar  sales.Calendar
	level     string
	excluded  []string // categories
	catalogue *catalogue.Catalogue
	customers map[string][]affinity.Bought
	names     map[string]bool
}

// NewBatch counts items of the level (sales.LinkLevels), as the rule link_level has it.
func NewBatch(level string, excludeCategories []string, calendar sales.Calendar) *Batch {
	return &Batch{calendar: calendar, level: level, excluded: excludeCategories, catalogue: catalogue.New(), customers: map[string][]affinity.Bought{},
		names: map[string]bool{}}
}

// Product tells what a product is. It must come before the purchases of it, as a live run has read all of them before it begins.
func (b *Batch) Product(p *sales.Product) { b.catalogue.Set(*p) }

// Purchase takes an order. Refunds take back what a live run finds of their orders, which is not counted here: they are an error.
func (b *Batch) Purchase(p *sales.Purchase) error {
	if p.Kind != sales.Order {
		return fmt.Errorf("purchase %s is a refund: a batch counts orders alone", p.EventID)
	}
	day := b.calendar.Day(p.OccurredAt)
	bought := b.customers[p.CustomerID]
	for i := range p.Lines {
		l := &p.Lines[i]
		item := b.catalogue.ItemAt(b.level, l.ProductID, l.Category)
		if l.AmountMinor <= 0 || slices.Contains(b.excluded, item.Category) {
			continue
		}
		name := item.At(b.level)
		b.names[name] = true
		bought = append(bought, affinity.Bought{Day: day, Item: name, Lines: 1, AmountMinor: l.AmountMinor})
	}
	b.customers[p.CustomerID] = bought
	return nil
}

// Place is where a cell of a tally stands.
type Place struct {
	Row, Col string
	Bucket   int32
}

// Sums adds up the cells of all customers by the end of the day, with a window of so many days. None is 0.
func (b *Batch) Sums(window int, upTo sales.Day) map[Place]int64 {
	sums := map[Place]int64{}
	for _, bought := range b.customers {
		for _, c := range affinity.Contribution(bought, window, upTo) {
			sums[Place{c.Row, c.Col, c.Bucket}] += c.N
		}
	}
	maps.DeleteFunc(sums, func(_ Place, n int64) bool { return n == 0 })
	return sums
}

// Counts are the same sums, ready to be judged: all of them, unless there are more items than are followed anyway.
func (b *Batch) Counts(rules affinity.LinkRules, upTo sales.Day) *affinity.Counts {
	candidates := max(len(b.names), 1)
	if candidates > affinity.MaxAntecedents {
		candidates = rules.MaxCandidates
	}
	counts := affinity.NewCounts(candidates)
	for _, id := range slices.Sorted(maps.Keys(b.customers)) {
		counts.Add(sales.TallyPairs, affinity.Contribution(b.customers[id], rules.WindowDays, upTo))
	}
	return counts
}

// Sorted lists sums by place.
func Sorted(sums map[Place]int64) []sales.Cell {
	cells := make([]sales.Cell, 0, len(sums))
	for p, n := range sums {
		cells = append(cells, sales.Cell{Row: p.Row, Col: p.Col, Bucket: p.Bucket, N: n})
	}
	slices.SortFunc(cells, func(a, b sales.Cell) int {
		return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Bucket, b.Bucket))
	})
	return cells
}
