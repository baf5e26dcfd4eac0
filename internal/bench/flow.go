package bench

import (
	"fmt"
	"iter"

	"leadline/internal/sales"
)

// flow is the orders of a point of growth, one after the other: first the history, then the spans. All customers are equally
// likely to place the next order, and together they keep the density's pace.
type flow struct {
	orders
	Point
	at   sales.Millis // of the newest order
	sent uint64       // since the history
}

const (
	flowStart   = yearStart
	flowLines   = 2 // of an order
	briefDays   = 6 // in which a brief history lies: no look falls due in it, and in the week after it one of each customer
	windowDays  = 180
	rushMillis  = 3 * sales.DayMillis / 24 // that a rush takes of the data's time
	flowHistory = 3                        // streams of luck
	flowSpans   = 4
)

func (f *flow) historyOrders() int {
	if f.brief() {
		return f.Customers
	}
	return f.Customers * f.Density
}

// history gives n orders of the history from a place on.
func (f *flow) history(from, n int) iter.Seq[*sales.Purchase] {
	return func(yield func(*sales.Purchase) bool) {
		for i := from; i < from+n; i++ {
			luck := f.luck(flowHistory, uint64(i))
			lines, days := flowLines, windowDays
			if f.brief() {
				lines, days = f.Density*flowLines, briefDays
			}
			f.at = flowStart + sales.Millis(float64(days*sales.DayMillis)*float64(i)/float64(f.historyOrders()))
			if !yield(f.order(luck, fmt.Sprintf("past-%d", i), f.shuffled(i), f.at, lines)) {
				return
			}
		}
	}
}

// shuffled goes round and round through all customers, each once a round, in no order that the engine could profit from.
func (f *flow) shuffled(i int) int {
	const step = 6_291_469 // a prime
	if f.Customers%step == 0 {
		return i % f.Customers
	}
	return int(uint64(i) * step % uint64(f.Customers))
}

// next gives the next n orders, in a rush or at the density's pace.
func (f *flow) next(n int, rush bool) iter.Seq[*sales.Purchase] {
	pause := float64(windowDays*sales.DayMillis) / float64(f.Customers*f.Density)
	if rush {
		pause = float64(rushMillis) / float64(n)
	}
	began := f.at
	return func(yield func(*sales.Purchase) bool) {
		for i := range n {
			f.at = began + sales.Millis(pause*float64(i+1))
			luck := f.luck(flowSpans, f.sent)
			id := fmt.Sprintf("new-%d", f.sent)
			f.sent++
			if !yield(f.order(luck, id, luck.IntN(f.Customers), f.at, flowLines)) {
				return
			}
		}
	}
}

// growthLinks are n links, spread over the categories, the most bought first.
func (o orders) growthLinks(n int) []sales.Link {
	luck, all := o.luck(0, 1), make([]sales.Link, n)
	for i := range all {
		from := i % categories
		all[i] = link(uint64(from), uint64((from+1+i/categories)%categories), luck.Float64())
	}
	return all
}
