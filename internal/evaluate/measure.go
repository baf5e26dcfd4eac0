package evaluate

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Estimate is a figure over customers with its 95% interval.
type Estimate struct {
	Mean float64 `json:"mean"`
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// resamples is how often the customers are drawn anew for an interval.
const resamples = 2_000

// bootstrap is the percentile interval of a mean (B. Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7,
// 1979). Given differences by customer it is the paired one.
func bootstrap(values []float64) Estimate {
	means := make([]float64, 0, resamples)
	redraw(len(values), func(times []float64) {
		sum := 0.0
		for i, n := range times {
			sum += n * values[i]
		}
		means = append(means, sum/float64(len(values)))
	})
	return interval(mean(values), means)
}

// redraw draws n customers anew, with replacement, and says how often each was drawn. Every call draws the same ones.
func redraw(n int, look func(times []float64)) {
	rng := rand.New(rand.NewPCG(1979, 7))
	times := make([]float64, n)
	for range resamples {
		clear(times)
		for range n {
			times[rng.IntN(n)]++
		}
		look(times)
	}
}

// interval is that of a figure by what it came to when drawn anew.
func interval(figure float64, drawn []float64) Estimate {
	slices.Sort(drawn)
	at := func(share float64) float64 { return drawn[int(math.Round(share*float64(len(drawn)-1)))] }
	return Estimate{Mean: figure, Low: at(0.025), High: at(0.975)}
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// minus gives the differences, by customer.
func minus(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] - b[i]
	}
	return out
}

// measured is what one ranker's offers came to, by case.
type measured struct {
	ndcg, precision, recall, hit []float64
	offered                      map[int32]bool
}

// measure offers the first n of each customer's candidates and looks what was bought of them. nDCG has binary gain, discount
// 1/log2(rank+1), and as ideal as many relevant items as there are, at most n (K. Järvelin and J. Kekäläinen, "Cumulated gain-based
// evaluation of IR techniques", ACM TOIS 20, 2002).
func (q *question) measure(r ranker, n int) measured {
	m := measured{offered: map[int32]bool{}}
	scores := make([]float64, q.n)
	for i := range q.cases {
		k := &q.cases[i]
		r.score(q, k, scores)
		gain, hits := 0.0, 0
		for rank, item := range k.best(scores, n) {
			m.offered[item] = true
			if k.relevant[item] {
				hits++
				gain += discount(rank)
			}
		}
		ideal := 0.0
		for rank := range min(k.wanted, n) {
			ideal += discount(rank)
		}
		m.ndcg = append(m.ndcg, gain/ideal)
		m.precision = append(m.precision, float64(hits)/float64(n))
		m.recall = append(m.recall, float64(hits)/float64(k.wanted))
		m.hit = append(m.hit, float64(min(hits, 1)))
	}
	return m
}

// discount is that of a rank from 0.
func discount(rank int) float64 { return 1 / math.Log2(float64(rank)+2) }
