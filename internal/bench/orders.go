package bench

import (
	"fmt"
	"math/rand/v2"

	"leadline/internal/sales"
)

// orders makes purchases. Each is drawn from the seed and its own place alone, so that the same seed gives the same ones in
// whatever order they are asked for.
type orders struct {
	seed      uint64
	customers int
}

const (
	categories     = 400 // bought with Zipf's frequencies
	articlesOfEach = 12  // articles of a category
	pastOrders     = 2   // of each customer before the measurement
	pastDays       = 28  // in which they lie; each week more is a look at every customer, hence a version of its state
	pastLines      = 10  // at least in each
	pastLinesMore  = 10  // and up to so many more: 20 to 40 lines a customer
	newLines       = 2
	newLinesMore   = 8
	historyStream  = 1
	presentStream  = 2
)

func (o orders) luck(stream, n uint64) *rand.Rand { return rand.New(rand.NewPCG(o.seed, stream<<56|n)) }

// past is order k of a customer's history, which ends before the given time.
func (o orders) past(customer, k int, before sales.Millis) *sales.Purchase {
	n := uint64(customer*pastOrders + k)
	luck := o.luck(historyStream, n)
	span := sales.Millis(pastDays / pastOrders * sales.DayMillis)
	at := before - span*sales.Millis(pastOrders-k) + sales.Millis(luck.Int64N(int64(span)))
	return o.order(luck, fmt.Sprintf("past-%d", n), customer, at, pastLines+luck.IntN(pastLinesMore+1))
}

// present is the n-th new order, of any customer.
func (o orders) present(n uint64, at sales.Millis) *sales.Purchase {
	luck := o.luck(presentStream, n)
	return o.order(luck, fmt.Sprintf("new-%d", n), luck.IntN(o.customers), at, newLines+luck.IntN(newLinesMore+1))
}

func (o orders) order(luck *rand.Rand, id string, customer int, at sales.Millis, lines int) *sales.Purchase {
	p := &sales.Purchase{EventID: id, OrderID: id, CustomerID: fmt.Sprintf("customer-%07d", customer), OccurredAt: at, Currency: "USD",
		Lines: make([]sales.Line, lines)}
	popular := rand.NewZipf(luck, 1.1, 20, categories-1)
	for i := range p.Lines {
		category := popular.Uint64()
		p.Lines[i] = sales.Line{ProductID: fmt.Sprintf("article-%d-%d", category, luck.IntN(articlesOfEach)), Category: categoryName(category),
			Quantity: int32(1 + luck.IntN(3)), AmountMinor: 99 + int64(luck.IntN(3000))}
	}
	return p
}

func categoryName(n uint64) string { return fmt.Sprintf("category %d", n) }

// links lead from popular categories to rarer ones.
func (o orders) links() []sales.Link {
	const from, each = 40, 5
	var all []sales.Link
	luck := o.luck(0, 0)
	for a := range uint64(from) {
		for range each {
			b := from + luck.Uint64N(categories-from)
			all = append(all, link(a, b, luck.Float64()))
		}
	}
	return all
}

// link is one as an analyst would have published it.
func link(from, to uint64, score float64) sales.Link {
	return sales.Link{Kind: sales.CrossSellLink, Level: "category", From: categoryName(from), To: categoryName(to),
		Customers: 100_000, FromHolders: 4000, ToHolders: 2000, Both: 800, Confidence: .2, ConfidenceLow: .18, ConfidenceHigh: .22,
		Baseline: .02, Lift: 10, LiftLow: 8, LiftHigh: 12, GSquared: 900, Score: score, TypicalMinor: 1500}
}
