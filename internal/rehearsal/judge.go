package rehearsal

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"leadline/internal/engine"
	"leadline/internal/sales"
)

// judge looks at what comes of candidates and of offers, of the customers that judge.
type judge struct {
	o         *Options
	events    []sales.Event
	last      sales.Day
	customers map[string]int
	coming    map[want][]int // events that buy the item, in their order
	months    []string       // of which there are orders
	rows      []*row
	offers    [][]offer // of each arm
	told      []map[string]int
	orders    int // judged from Options.From on
	weighed   int // their candidates
}

type want struct{ customer, item string }

// row is one way to rank.
type row struct {
	name, about string
	score       func(event string, k *engine.WeighedItem, attributes []int) float64
	all         tally   // of the orders from Options.From on
	months      []tally // of all orders
}

// tally is sums by customer: orders, those whose first choice was taken, those of which anything was, and their nDCG.
type tally struct {
	orders, first, wanted, ndcg []float64
	learned                     Examples // when it began
}

// offer is one that was told.
type offer struct {
	kind     sales.AlertKind
	customer int
	day      sales.Day
	month    int
	p        float64
	taken    bool
	mistaken bool // it should not have been made: nobody knows what would have come of it
}

func (r *Rehearsal) newJudge(arms []*arm) *judge {
	j := &judge{o: &r.o, events: r.events, customers: map[string]int{}, coming: map[want][]int{}}
	for i := range r.events {
		p := r.events[i].Purchase
		if j.last = max(j.last, j.day(i)); !judges(p.CustomerID) {
			continue
		}
		if _, known := j.customers[p.CustomerID]; !known {
			j.customers[p.CustomerID] = len(j.customers)
		}
		if month := j.monthOf(i); len(j.months) == 0 || j.months[len(j.months)-1] != month {
			j.months = append(j.months, month)
		}
		for l := range p.Lines {
			item := r.catalogue.ItemAt(r.o.Rules.LinkLevel, p.Lines[l].ProductID, p.Lines[l].Category).At(r.o.Rules.LinkLevel)
			if w := (want{p.CustomerID, item}); p.Kind == sales.Order {
				j.coming[w] = append(j.coming[w], i)
			}
		}
	}
	j.rows = []*row{
		{name: Random, about: "any order", score: func(event string, k *engine.WeighedItem, _ []int) float64 {
			return float64(xxhash.Sum64String(event + k.Item))
		}},
		{name: Popularity, about: "how many customers hold it", score: func(_ string, k *engine.WeighedItem, _ []int) float64 { return k.Popularity }},
	}
	for _, a := range arms {
		j.rows = append(j.rows, &row{name: a.name, about: a.about, score: func(_ string, _ *engine.WeighedItem, attributes []int) float64 { return a.score.LogOdds(attributes) }})
		j.offers, j.told = append(j.offers, nil), append(j.told, map[string]int{})
	}
	for _, row := range j.rows {
		row.all = j.newTally()
		for range j.months {
			row.months = append(row.months, j.newTally())
		}
	}
	return j
}

func (j *judge) newTally() tally {
	n := len(j.customers)
	return tally{orders: make([]float64, n), first: make([]float64, n), wanted: make([]float64, n), ndcg: make([]float64, n)}
}

func (j *judge) day(i int) sales.Day { return j.o.Calendar.Day(j.events[i].Purchase.OccurredAt) }

func (j *judge) monthOf(i int) string { return j.day(i).String()[:len("2006-01")] }

// over tells whether the time of an offer of the day is over within the history.
func (j *judge) over(day sales.Day) bool { return day+sales.Day(j.o.Rules.ExpiryDays)-1 <= j.last }

// taken tells whether the customer of the event buys the item after it, in the time of an offer.
func (j *judge) taken(i int, item string) bool {
	day := j.day(i)
	later := j.coming[want{j.events[i].Purchase.CustomerID, item}]
	at, _ := slices.BinarySearch(later, i+1)
	return at < len(later) && j.day(later[at]) < day+sales.Day(j.o.Rules.ExpiryDays)
}

// rank has all rows rank the candidates of a batch that begins at an event.
func (j *judge) rank(from int, weighed []engine.Weighed, arms []*arm) {
	for w := range weighed {
		i, candidates := from+weighed[w].Event, weighed[w].Candidates
		customer, judges := j.customers[j.events[i].Purchase.CustomerID]
		if !judges || !j.over(j.day(i)) {
			continue
		}
		taken, attributes := make([]bool, len(candidates)), make([][]int, len(candidates))
		for c := range candidates {
			taken[c] = j.taken(i, candidates[c].Item)
			attributes[c] = attributesOf(&candidates[c])
		}
		month, counts := slices.Index(j.months, j.monthOf(i)), j.day(i) >= j.o.From
		for n, row := range j.rows {
			first, ndcg, wanted := row.judge(j.events[i].Purchase.EventID, candidates, attributes, taken)
			if arm := n - (len(j.rows) - len(arms)); arm >= 0 && row.months[month].learned == (Examples{}) {
				row.months[month].learned = arms[arm].learned()
			}
			row.months[month].add(customer, first, ndcg, wanted)
			if counts {
				row.all.add(customer, first, ndcg, wanted)
			}
		}
		if counts {
			j.orders++
			j.weighed += len(candidates)
		}
	}
}

func (t *tally) add(customer int, first, ndcg float64, wanted bool) {
	t.orders[customer]++
	t.first[customer] += first
	if wanted {
		t.wanted[customer]++
		t.ndcg[customer] += ndcg
	}
}

// judge ranks the candidates and says whether the first was taken (1 or 0), and how near to the top those stand that were: nDCG with binary gain,
// 1/log2(rank + 1) (K. Järvelin and J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM Transactions on Information Systems 20, 2002).
func (r *row) judge(event string, candidates []engine.WeighedItem, attributes [][]int, taken []bool) (first, ndcg float64, wanted bool) {
	scores, order := make([]float64, len(candidates)), make([]int, len(candidates))
	for c := range candidates {
		scores[c], order[c] = r.score(event, &candidates[c], attributes[c]), c
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(candidates[b].Fitness, candidates[a].Fitness), cmp.Compare(candidates[a].Item, candidates[b].Item))
	})
	gain, ideal, n := 0.0, 0.0, 0
	for rank, c := range order {
		if taken[c] {
			gain += 1 / math.Log2(float64(rank)+2)
			ideal += 1 / math.Log2(float64(n)+2)
			n++
		}
	}
	if taken[order[0]] {
		first = 1
	}
	if n == 0 {
		return first, 0, false
	}
	return first, gain / ideal, true
}

// hear takes what an arm has said.
func (j *judge) hear(arm int, alerts []sales.Alert) {
	for i := range alerts {
		a := &alerts[i]
		customer, judges := j.customers[a.CustomerID]
		if !judges || a.Kind != sales.CrossSell && a.Kind != sales.Upsell || a.SuppressedBy != sales.NotSuppressed {
			continue
		}
		at, known := j.told[arm][a.AlertID]
		day := j.o.Calendar.Day(a.EventTime)
		switch {
		case a.Status == sales.Opened && j.over(day):
			j.told[arm][strings.Clone(a.AlertID)] = len(j.offers[arm])
			j.offers[arm] = append(j.offers[arm], offer{kind: a.Kind, customer: customer, day: day, month: slices.Index(j.months, day.String()[:len("2006-01")]), p: a.Score})
		case known && a.Status == sales.Resolved:
			of := &j.offers[arm][at]
			of.taken = a.Reasons[0].Code == engine.TakenUp
			of.mistaken = !of.taken
		}
	}
}
