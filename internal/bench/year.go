package bench

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"

	"leadline/internal/comparison"
	"leadline/internal/sales"
)

// Year is the input of the speed measurements: one year of orders as the comparison of stream engines uses it, number for number, so that
// figures can stand beside those of other engines. Customers and categories are bought from with long tails, each customer has
// five categories of its own, a fifth of them leaves in the course of the year, and times are out of order by up to two days.
type Year struct {
	Seed      uint64 `json:"seed"`
	Orders    int    `json:"orders"`
	Customers int    `json:"customers"`
	Sparse    bool   `json:"sparse"` // the 40 rules from the rarest categories only, instead of all 200
}

const (
	yearCategories = 300
	yearRules      = 200
	sparseRules    = 40
	yearStart      = sales.Millis(1735689600000) // 2025-01-01
	yearDays       = 365
	yearDisorder   = 2 * sales.DayMillis
)

var yearChannels = []string{"web", "app", "store", "phone"}

// shares makes weights into a running sum that ends at 1.
func shares(n int, weight func(int) float64) []float64 {
	sums, total := make([]float64, n), 0.0
	for i := range sums {
		total += weight(i)
		sums[i] = total
	}
	for i := range sums {
		sums[i] /= total
	}
	return sums
}

func pick(luck *rand.Rand, sums []float64) int {
	return sort.SearchFloat64s(sums, luck.Float64()) % len(sums)
}

func yearCategory(i int) string { return fmt.Sprintf("cat-%03d", i) }

func categoryShares() []float64 {
	return shares(yearCategories, func(i int) float64 { return 1 / float64(i+4) })
}

// orders draws them one after the other; one that was yielded is the receiver's.
func (y Year) orders() iter.Seq[*sales.Purchase] {
	return func(yield func(*sales.Purchase) bool) {
		luck := rand.New(rand.NewPCG(y.Seed, 42))
		categories := categoryShares()
		customers := shares(y.Customers, func(i int) float64 { return math.Pow(float64(i+11), -0.7) })
		for i := range y.Orders {
			at := int64(float64(yearDays*sales.DayMillis) * float64(i) / float64(y.Orders))
			customer := pick(luck, customers)
			for hasLeft(customer, at/sales.DayMillis) && luck.Float64() < 0.85 {
				customer = pick(luck, customers)
			}
			if !yield(yearOrder(luck, categories, i, customer, yearStart+sales.Millis(at))) {
				return
			}
		}
	}
}

// hasLeft tells of the customers who leave, each on a day of its own between 90 and 364.
func hasLeft(customer int, day int64) bool {
	h := uint64(customer)*0x9e3779b97f4a7c15 ^ 0x1234
	h ^= h >> 31
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 29
	return h%5 == 0 && day > int64(90+(h>>8)%275)
}

// yearOrder draws in a fixed order, on which the comparison rests.
func yearOrder(luck *rand.Rand, categories []float64, i, customer int, around sales.Millis) *sales.Purchase {
	p := &sales.Purchase{OccurredAt: around + sales.Millis(luck.Int64N(2*yearDisorder)-yearDisorder)}
	p.EventID = fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", luck.Uint32(), luck.Uint32N(1<<16), luck.Uint32N(1<<12), luck.Uint32N(1<<12), i)
	p.CustomerID, p.OrderID, p.Currency = fmt.Sprintf("c%08d", customer), fmt.Sprintf("o-%09d", i), "EUR"
	for range 1 + luck.IntN(3) {
		var category int
		if luck.Float64() < 0.6 {
			own := rand.New(rand.NewPCG(uint64(customer), uint64(luck.IntN(5))))
			category = pick(own, categories)
		} else {
			category = pick(luck, categories)
		}
		p.Lines = append(p.Lines, sales.Line{ProductID: fmt.Sprintf("p%05d", category*20+luck.IntN(20)), Category: yearCategory(category),
			Quantity: int32(1 + luck.IntN(3)), AmountMinor: int64(100 + luck.IntN(20000))})
	}
	if luck.Float64() < 0.8 {
		p.Channel = yearChannels[luck.IntN(len(yearChannels))]
	}
	if luck.Float64() < 0.3 {
		p.CampaignID = fmt.Sprintf("camp-%03d", luck.IntN(200))
	}
	return p
}

// orderNumber is which order of the year an event id belongs to.
func orderNumber(eventID string) (int, bool) {
	if len(eventID) != 36 {
		return 0, false
	}
	n, err := strconv.ParseInt(eventID[24:], 16, 64)
	return int(n), err == nil
}

// Rules are the same for all seeds.
func (y Year) Rules() []comparison.Rule {
	luck, categories := rand.New(rand.NewPCG(7, 7)), categoryShares()
	seen := map[[2]int]bool{}
	var all []comparison.Rule
	for len(all) < yearRules {
		pair := [2]int{luck.IntN(yearCategories), pick(luck, categories)}
		if pair[0] == pair[1] || seen[pair] {
			continue
		}
		seen[pair] = true
		all = append(all, comparison.Rule{From: yearCategory(pair[0]), To: yearCategory(pair[1]),
			Confidence: thousandths(0.05 + 0.9*luck.Float64()), Lift: thousandths(1.1 + 5*luck.Float64())})
	}
	if y.Sparse {
		slices.SortFunc(all, func(a, b comparison.Rule) int {
			return cmp.Or(-cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
		})
		all = all[:sparseRules]
	}
	return all
}

// thousandths rounds as writing three decimals and reading them again does.
func thousandths(x float64) float64 {
	text := strconv.FormatFloat(x, 'f', 3, 64)
	x, _ = strconv.ParseFloat(text, 64) // it was written by the line above
	return x
}

// links are the rules as an analyst would have published them.
func (y Year) links() []sales.Link {
	const customers, fromHolders, baseline = 100_000, 4_000, .02
	var all []sales.Link
	for _, r := range y.Rules() {
		all = append(all, sales.Link{Kind: sales.CrossSellLink, Level: "category", From: r.From, To: r.To,
			Customers: customers, FromHolders: fromHolders, ToHolders: customers * baseline, Both: int64(fromHolders * r.Confidence),
			Confidence: r.Confidence, ConfidenceLow: r.Confidence, ConfidenceHigh: r.Confidence, Baseline: baseline,
			Lift: r.Lift, LiftLow: r.Lift, LiftHigh: r.Lift, GSquared: 900, Score: r.Confidence, TypicalMinor: 1500})
	}
	return all
}
