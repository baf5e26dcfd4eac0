package evaluate

import (
	"math"
	"slices"

	"leadline/internal/sales"
)

// measured is what one ranker's offers came to, by case.
type measured struct {
	ranker
	ndcg, precision, recall, hit []float64
	live, stale                  []float64 // nDCG at the days after the cut, of offers as of the day and as of the cut
	offered                      map[int32]bool
	offers                       [][]int32 // the best of each case, most of which are never made
}

// kept is how many of the candidates at the cut are kept in order: what a customer buys after it is no candidate any more.
const kept = 256

// measure offers each ranker's first n of each customer's candidates and looks what was bought of them.
func (q *question) measure(all []ranker, n int) []measured {
	out := make([]measured, len(all))
	for i, r := range all {
		out[i] = measured{ranker: r, offered: map[int32]bool{}}
	}
	scores := make([]float64, q.n)
	for i := range q.cases {
		k := &q.cases[i]
		for j := range out {
			m := &out[j]
			m.score(q, k, scores)
			best := k.best(scores, max(n, kept))
			m.offers = append(m.offers, best)
			best = best[:min(len(best), n)]
			hits := 0
			for _, item := range best {
				m.offered[item] = true
				if k.relevant[item] {
					hits++
				}
			}
			m.ndcg = append(m.ndcg, k.ndcg(best, n))
			m.precision = append(m.precision, float64(hits)/float64(n))
			m.recall = append(m.recall, float64(hits)/float64(k.wanted))
			m.hit = append(m.hit, float64(min(hits, 1)))
		}
		clear(k.parts)
	}
	return out
}

// ndcg has binary gain, discount 1/log2(rank+1), and as ideal as many relevant items as there are, at most n (K. Järvelin and J.
// Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 20, 2002).
func (k *kase) ndcg(offers []int32, n int) float64 {
	gain, ideal := 0.0, 0.0
	for rank, item := range offers {
		if k.relevant[item] {
			gain += discount(rank)
		}
	}
	for rank := range min(k.wanted, n) {
		ideal += discount(rank)
	}
	return gain / ideal
}

// discount is that of a rank from 0.
func discount(rank int) float64 { return 1 / math.Log2(float64(rank)+2) }

// live goes through the days from the cut on, as a running system does: at each of a case's shopping days its candidates are ranked by what
// everybody had bought before that day, and judged by what it buys of them from that day to the end of the horizon. The offers as they were
// at the cut, less what the customer has come to hold, are judged at the same days. A day after which nothing new is bought says nothing.
// A case counts with the mean over its days. It leaves the question at the end of the horizon.
func (q *question) live(all []*customer, ms []measured, n int) {
	days := make([]float64, len(q.cases))
	for j := range ms {
		ms[j].live, ms[j].stale = make([]float64, len(q.cases)), make([]float64, len(q.cases))
	}
	scores := make([]float64, q.n)
	end := q.cut + q.horizon
	for day := q.cut; day < end; day++ {
		q.see(q.dense, all, day)
		for i := range q.cases {
			if !q.shops(q.cases[i].customer, day) {
				continue
			}
			k := q.about(q.cases[i].customer, day, end)
			if k.wanted == 0 {
				continue
			}
			days[i]++
			for j := range ms {
				ms[j].score(q, &k, scores)
				ms[j].live[i] += k.ndcg(k.best(scores, n), n)
				ms[j].stale[i] += k.ndcg(k.still(ms[j].offers[i], n), n)
			}
		}
	}
	for j := range ms {
		for i := range days {
			ms[j].live[i] /= days[i]
			ms[j].stale[i] /= days[i]
		}
	}
}

// shops tells whether the customer buys any of the items that are ranked on the day.
func (q *question) shops(c *customer, day sales.Day) bool {
	return slices.ContainsFunc(c.between(day, day+1), func(b bought) bool { return q.dense[b.item] >= 0 })
}

// still gives the first n offers that are candidates yet.
func (k *kase) still(offers []int32, n int) []int32 {
	out := make([]int32, 0, n)
	for _, item := range offers {
		if len(out) == n {
			break
		}
		if !k.held[item] {
			out = append(out, item)
		}
	}
	return out
}
