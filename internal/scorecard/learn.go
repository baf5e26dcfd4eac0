package scorecard

import (
	"cmp"
	"math"

	"gonum.org/v1/gonum/mat"

	"leadline/internal/logistic"
	"leadline/internal/sales"
)

// How far points are expected to lie from the prior ones, as precisions (one over the variance). An attribute of few examples stays near the prior,
// and near its neighbours: that is a Gaussian prior on the deviations and on the differences of neighbours (P. Eilers and B. Marx, "Flexible smoothing
// with B-splines and penalties", Statistical Science 11, 1996, of order one).
const (
	constantPrecision  = 1.0  // the constant: within one log odds
	attributePrecision = 4.0  // an attribute: within a half
	neighbourPrecision = 25.0 // two neighbours: within a fifth of each other's deviation, unless the card says otherwise
)

// leastLearned is how many must have been taken, and how many not, before points are learned: of fewer, one more or less moves them all. In the first
// months of a history links know little yet, and what is taken then says too much of what comes later.
const leastLearned = 30

// Enough tells whether there are examples enough to learn from.
func Enough(examples []Example) bool {
	var taken, not float64
	for _, e := range examples {
		taken, not = taken+e.Taken, not+e.Not
	}
	return min(taken, not) >= leastLearned
}

// closeBy is the gain of a step, per example, below which the search ends.
const closeBy = 1e-10

// Learn fits the card's points to the examples: those of the most probable deviations from the prior points, by Newton's method (ridge logistic
// regression: S. le Cessie and J. C. van Houwelingen, "Ridge estimators in logistic regression", Applied Statistics 41, 1992). The least loss is
// one point. Codes of other cards are left out. LearnedTo is the caller's to set.
func Learn(c *Card, examples []Example) sales.Model {
	f := newFit(c, examples)
	f.search()
	m := f.model()
	m.Calibration = calibration(NewScore(c, &m), f.examples)
	return m
}

// fit is the search for the points.
type fit struct {
	card     *Card
	examples []Example
	rows     [][]int   // of each example: the places of its attributes in weights
	prior    []float64 // constant first, then attribute after attribute
	weights  []float64
	begins   []int // place of each characteristic's first attribute
}

func newFit(c *Card, examples []Example) *fit {
	f := &fit{card: c, examples: c.sorted(examples), prior: []float64{c.Constant}}
	for i := range c.Characteristics {
		f.begins = append(f.begins, len(f.prior))
		f.prior = append(f.prior, c.Characteristics[i].Prior...)
	}
	f.weights = append([]float64(nil), f.prior...)
	for i := range f.examples {
		row := make([]int, len(c.Characteristics))
		c.Attributes(f.examples[i].Code, row)
		for j := range row {
			row[j] += f.begins[j]
		}
		f.rows = append(f.rows, row)
	}
	return f
}

// search finds the least loss: the examples are numbers, and the prior points make it convex.
func (f *fit) search() {
	logistic.Least(f.weights, closeBy*float64(1+len(f.examples)), f.loss, f.slope)
}

func (f *fit) logOdds(weights []float64, i int) float64 {
	z := weights[0]
	for _, at := range f.rows[i] {
		z += weights[at]
	}
	return z
}

// loss is minus the log likelihood, plus what the prior holds against the weights.
func (f *fit) loss(weights []float64) float64 {
	sum := 0.0
	f.penalties(func(i, j int, precision float64) {
		d := weights[i] - f.prior[i]
		if j >= 0 {
			d -= weights[j] - f.prior[j]
		}
		sum += precision / 2 * d * d
	})
	for i, e := range f.examples {
		z := f.logOdds(weights, i)
		sum += e.Taken*log1pExp(-z) + e.Not*log1pExp(z)
	}
	return sum
}

// slope is the loss's gradient and its second derivatives.
func (f *fit) slope(gradient []float64, curvature *mat.SymDense) {
	clear(gradient)
	curvature.Zero()
	add := func(i, j int, v float64) { curvature.SetSym(i, j, curvature.At(i, j)+v) }
	f.penalties(func(i, j int, precision float64) {
		d := f.weights[i] - f.prior[i]
		if j >= 0 {
			d -= f.weights[j] - f.prior[j]
			gradient[j] -= precision * d
			add(j, j, precision)
			add(i, j, -precision)
		}
		gradient[i] += precision * d
		add(i, i, precision)
	})
	for i, e := range f.examples {
		n := e.Taken + e.Not
		p := Logistic(f.logOdds(f.weights, i))
		away, weight := n*p-e.Taken, n*p*(1-p)
		gradient[0] += away
		add(0, 0, weight)
		for a, at := range f.rows[i] {
			gradient[at] += away
			add(0, at, weight)
			for _, other := range f.rows[i][a:] {
				add(at, other, weight)
			}
		}
	}
}

// penalties names the deviations that the prior holds against the weights: that of i, or of i from its neighbour j.
func (f *fit) penalties(each func(i, j int, precision float64)) {
	each(0, -1, constantPrecision)
	neighbours := cmp.Or(f.card.Neighbours, neighbourPrecision)
	for c, begin := range f.begins {
		for a := range f.card.Characteristics[c].Prior {
			each(begin+a, -1, attributePrecision)
			if a > 0 {
				each(begin+a, begin+a-1, neighbours)
			}
		}
	}
}

func (f *fit) model() sales.Model {
	m := sales.Model{Name: f.card.Name, Version: f.card.Version, Constant: f.weights[0]}
	for _, e := range f.examples {
		m.Taken += e.Taken
		m.Examples += e.Taken + e.Not
	}
	for c, begin := range f.begins {
		def := &f.card.Characteristics[c]
		ch := sales.Characteristic{Name: def.Name, Cuts: def.Cuts, Points: append([]float64(nil), f.weights[begin:begin+len(def.Prior)]...)}
		for i, e := range f.examples {
			ch.Mean += f.weights[f.rows[i][c]] * (e.Taken + e.Not) / m.Examples
		}
		m.Characteristics = append(m.Characteristics, ch)
	}
	return m
}

// Logistic is the probability of log odds.
func Logistic(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// LogOdds is the inverse of Logistic.
func LogOdds(p float64) float64 { return math.Log(p / (1 - p)) }

// log1pExp is log(1 + e^z), without overflow.
func log1pExp(z float64) float64 { return max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }
