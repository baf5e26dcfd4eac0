package evaluate

import (
	"hash/fnv"
	"math"
	"slices"
)

// ranker scores every item for a customer; the higher the sooner it is offered.
type ranker struct {
	name  string
	about string
	score func(q *question, k *kase, into []float64)
}

// The names of the rankers, as the report calls them.
const (
	Random     = "random"
	Popularity = "popularity"
	Cosine     = "cosine"
	Damped     = "damped confidence"
	Leadline   = "leadline"
)

// rankers lists them, the baselines first.
func rankers() []ranker {
	return []ranker{
		{Random, "any order", scoreRandom},
		{Popularity, "buyers before the cut", scorePopularity},
		{Cosine, "item-item cosine, antecedents of the horizon, half-life 30 days", func(q *question, k *kase, into []float64) {
			copy(into, q.cosine(k, 30, float64(q.horizon)))
		}},
		{Damped, "c(A,B)/(n(A)·n(B)^0.25), five best antecedents of the horizon", func(q *question, k *kase, into []float64) {
			copy(into, q.damped(k, float64(q.horizon)))
		}},
		{Leadline, "ridge weights, cosine, damped confidence, what the customer bought before the window, and the item's season", scoreLeadline},
	}
}

func scoreRandom(_ *question, k *kase, into []float64) {
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(k.customer.id)) // never fails
	x := seed.Sum64()
	for i := range into {
		x = x*6364136223846793005 + 1442695040888963407
		into[i] = float64(x >> 11)
	}
}

func scorePopularity(q *question, _ *kase, into []float64) { copy(into, q.buyers) }

// part is a score that several rankers use: a similarity with its half-life, 0 for damped confidence, and its days.
type part struct{ halfLife, days float64 }

// cosine is the similarity c(A,B)/√(n(A)·n(B)) to the antecedents of the last days, each weighted by its age (B. Sarwar et al.,
// "Item-based collaborative filtering recommendation algorithms", WWW 2001). The slice is shared: do not change it.
func (q *question) cosine(k *kase, halfLife, days float64) []float64 {
	into, known := k.parts[part{halfLife, days}]
	if known {
		return into
	}
	into = make([]float64, q.n)
	k.parts[part{halfLife, days}] = into
	for _, a := range k.recent {
		if a.age > days {
			continue
		}
		w := math.Exp2(-a.age/halfLife) / math.Sqrt(q.buyers[a.item])
		for b, both := range q.with(a.item) {
			into[b] += w * float64(both)
		}
	}
	for b := range into {
		into[b] /= math.Sqrt(q.buyers[b])
	}
	return into
}

// antecedents is how many of the best count in damped confidence.
const antecedents = 5

// damped is confidence damped by popularity: the sum of the best antecedents' c(A,B)/(n(A)·n(B)^0.25). The slice is shared.
func (q *question) damped(k *kase, days float64) []float64 {
	into, known := k.parts[part{0, days}]
	if known {
		return into
	}
	into = make([]float64, q.n)
	k.parts[part{0, days}] = into
	best := make([][antecedents]float64, q.n) // ascending
	for _, a := range k.recent {
		if a.age > days {
			continue
		}
		for b, both := range q.with(a.item) {
			keep(&best[b], float64(both)/q.buyers[a.item])
		}
	}
	for b := range into {
		sum := 0.0
		for _, s := range best[b] {
			sum += s
		}
		into[b] = sum / math.Pow(q.buyers[b], 0.25)
	}
	return into
}

// keep takes s in if it is among the best.
func keep(best *[antecedents]float64, s float64) {
	for i := 0; i < antecedents && s > best[i]; i++ {
		if i > 0 {
			best[i-1] = best[i]
		}
		best[i] = s
	}
}

// seasonDays is how far ahead an item's trend says something.
const seasonDays = 90

// scoreLeadline adds up three scores, each standardised over the customer's candidates so that none outweighs the others, and
// twice each of two logarithms: of the purchase days before the window, because what a customer has bought before and not for long it is
// likeliest to buy again, and of the item's trend, unless the horizon is too far for it. The weights are round numbers. What was chosen, was by cuts of
// the Complete Journey whose horizons end before 2017-07-05: the trend's weight among 0 to 3 (with horizons of 30 to 90 days it is better at
// each, with 105 to 140 it makes no difference), and ridge weights instead of a second cosine, which are better at each of eleven cuts. A ridge logistic
// regression, learned at earlier moments from what was taken then, was better still at those eleven and at later ones was not. It is no copy of what the
// engine does, whose card is judged by package rehearsal.
func scoreLeadline(q *question, k *kase, into []float64) {
	clear(into)
	add := func(part []float64, transform func(float64) float64) {
		mean, deviation := k.moments(part, transform)
		for b := range into {
			into[b] += (transform(part[b]) - mean) / deviation
		}
	}
	as := func(x float64) float64 { return x }
	add(q.ridge(k), as)
	add(q.cosine(k, 90, float64(q.window)), math.Sqrt)
	add(q.damped(k, min(60, float64(q.window))), as)
	for b, days := range k.earlier {
		into[b] += 2 * math.Log1p(days)
		if q.horizon <= seasonDays {
			into[b] += 2 * math.Log(q.trend(b))
		}
	}
}

// moments are mean and standard deviation over the candidates.
func (k *kase) moments(scores []float64, transform func(float64) float64) (mean, deviation float64) {
	n := 0.0
	for b, s := range scores {
		if !k.held[b] {
			mean += transform(s)
			n++
		}
	}
	mean /= max(n, 1)
	for b, s := range scores {
		if !k.held[b] {
			d := transform(s) - mean
			deviation += d * d
		}
	}
	return mean, math.Sqrt(deviation/max(n, 1)) + 1e-12
}

// best gives the k best candidates, equal ones in the order of their names.
func (k *kase) best(scores []float64, n int) []int32 {
	top := make([]int32, 0, n+1)
	for b, s := range scores {
		if k.held[b] || len(top) == n && s <= scores[top[n-1]] {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, s, func(t int32, s float64) int {
			if scores[t] >= s {
				return -1
			}
			return 1
		})
		top = slices.Insert(top, at, int32(b))
		top = top[:min(len(top), n)]
	}
	return top
}
