package evaluate

import (
	"fmt"
	"slices"
	"strings"

	"leadline/internal/sales"
)

// maxItems bounds the table of pairs, four bytes each.
const maxItems = 8_000

// question is a cut: what had been seen before it, and which customers are asked about.
type question struct {
	cut     sales.Day
	horizon sales.Day
	window  sales.Day
	names   []string // of the items that are ranked, sorted
	dense   []int32  // of the history's items, −1: too few buyers
	n       int
	counted
	cases []kase // who bought before and something new after
	idle  []kase // who bought before and nothing new after
}

// kase is one customer at a day.
type kase struct {
	customer *customer
	recent   []antecedent // in the window
	earlier  []float64    // by item: purchase days before the window
	held     []bool       // by item: in the window, so no candidate
	relevant []bool       // by item: candidates that were bought within the horizon
	wanted   int          // how many those are
	days     int          // with a purchase in the horizon before the day
	parts    map[part][]float64
}

// antecedent is an item of the window, by its last day.
type antecedent struct {
	item int32
	age  float64 // days before the day asked, 1 or more
}

// ask makes the question of the cut day: items with at least minBuyers buyers before it, and customers who bought any of them in the horizon
// before it.
func (h *History) ask(all []*customer, cut, horizon, window sales.Day, minBuyers int) (*question, error) {
	q := &question{cut: cut, horizon: horizon, window: window}
	q.chooseItems(h, all, minBuyers)
	if q.n > maxItems {
		return nil, fmt.Errorf("%d items have %d buyers or more before the cut, at most %d can be ranked: take a coarser level or more buyers",
			q.n, minBuyers, maxItems)
	}
	q.counted = newCounted(q.n, h.first)
	q.see(q.dense, all, cut)
	for _, c := range all {
		switch k := q.about(c, cut, cut+horizon); {
		case k.days > 0 && k.wanted > 0:
			q.cases = append(q.cases, k)
		case k.days > 0:
			q.idle = append(q.idle, k)
		}
	}
	if len(q.cases) == 0 {
		return nil, fmt.Errorf("nobody bought in the %d days before %s and something new in the %d days from it on", horizon, cut, horizon)
	}
	return q, nil
}

func (q *question) chooseItems(h *History, all []*customer, minBuyers int) {
	buyers, last := make([]int, len(h.names)), make([]*customer, len(h.names))
	for _, c := range all {
		for _, b := range c.between(h.first, q.cut) {
			if last[b.item] != c {
				last[b.item] = c
				buyers[b.item]++
			}
		}
	}
	var chosen []int32
	for item, n := range buyers {
		if n >= minBuyers {
			chosen = append(chosen, int32(item))
		}
	}
	slices.SortFunc(chosen, func(a, b int32) int { return strings.Compare(h.names[a], h.names[b]) })
	q.n, q.dense = len(chosen), make([]int32, len(h.names))
	for i := range q.dense {
		q.dense[i] = -1
	}
	for i, item := range chosen {
		q.dense[item] = int32(i)
		q.names = append(q.names, h.names[item])
	}
}

// about looks at one customer at the start of a day, and at what was bought from then until the end.
func (q *question) about(c *customer, at, end sales.Day) kase {
	k := kase{customer: c, earlier: make([]float64, q.n), held: make([]bool, q.n), relevant: make([]bool, q.n), parts: map[part][]float64{}}
	for _, b := range c.between(0, at-q.window) {
		if d := q.dense[b.item]; d >= 0 {
			k.earlier[d]++
		}
	}
	lastDay, recent := make([]sales.Day, q.n), sales.Day(0)
	for _, b := range c.between(at-q.window, at) {
		d := q.dense[b.item]
		if d < 0 {
			continue
		}
		k.held[d], lastDay[d] = true, b.day
		if b.day >= at-q.horizon && b.day != recent {
			recent = b.day
			k.days++
		}
	}
	for d, held := range k.held {
		if held {
			k.recent = append(k.recent, antecedent{int32(d), float64(at - lastDay[d])})
		}
	}
	for _, b := range c.between(at, end) {
		if d := q.dense[b.item]; d >= 0 && !k.held[d] && !k.relevant[d] {
			k.relevant[d] = true
			k.wanted++
		}
	}
	return k
}
