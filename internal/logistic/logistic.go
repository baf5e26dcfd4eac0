// Package logistic learns from examples how likely something is: a ridge logistic regression over features and products of them.
//
// It guarantees that the same examples in the same order give the same model. It is pure: no clock, no IO, no random source. It does not
// know what the features mean, and learns nothing bit by bit: all examples are in memory. Packages slipping, scorecard and evaluate import it.
package logistic

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Example is something as it was and whether it came.
type Example struct {
	Features []float64
	Came     bool
}

// Model gives probabilities by features. Make it with Learn.
type Model struct {
	features scale
	crossed  []int // features whose products with each other count too
	products scale
	weights  []float64 // of the standardised features, of the standardised products of those, the constant
}

// scale standardises.
type scale struct{ mean, deviation []float64 }

// closeBy is the gain of a step, per example, below which the search ends.
const closeBy = 1e-8

// Learn finds the weights of a ridge logistic regression (S. le Cessie and J. C. van Houwelingen, "Ridge estimators in logistic regression",
// Applied Statistics 41, 1992) by Newton's method: those of least loss, minus the log likelihood plus ridge/2 times the sum of squared weights, the
// constant's left out. With a ridge above 0 the least is one point. Features are standardised by the examples; of those crossed, by their
// places, every product of two counts too. It needs examples of both kinds.
func Learn(examples []Example, crossed []int, ridge float64) (*Model, error) {
	came := 0
	for i := range examples {
		if examples[i].Came {
			came++
		}
	}
	if came == 0 || came == len(examples) {
		return nil, fmt.Errorf("%d of %d examples came: there is nothing to tell apart", came, len(examples))
	}
	m := standard(examples, crossed)
	found := Least(m.weights, closeBy*float64(len(examples)),
		func(weights []float64) float64 { return m.loss(examples, weights, ridge) },
		func(gradient []float64, curvature *mat.SymDense) {
			m.slope(examples, ridge, gradient, curvature.RawSymmetric().Data)
		})
	if !found {
		return nil, errors.New("the features of the examples are no numbers")
	}
	return m, nil
}

// standard has weights of 0, and features and products standardised by the examples.
func standard(examples []Example, crossed []int) *Model {
	n, pairs := len(examples[0].Features), len(crossed)*(len(crossed)+1)/2
	m := &Model{crossed: crossed, weights: make([]float64, n+pairs+1)}
	m.features = scaleOf(len(examples), n, func(i int, into []float64) { copy(into, examples[i].Features) })
	m.products = scale{make([]float64, pairs), slices.Repeat([]float64{1}, pairs)}
	row := make([]float64, len(m.weights))
	m.products = scaleOf(len(examples), pairs, func(i int, into []float64) {
		m.row(examples[i].Features, row)
		copy(into, row[n:])
	})
	return m
}

// scaleOf is the scale of n columns over rows. A column that does not vary counts nothing.
func scaleOf(rows, n int, row func(i int, into []float64)) scale {
	s := scale{make([]float64, n), make([]float64, n)}
	into := make([]float64, n)
	for i := range rows {
		row(i, into)
		floats.AddScaled(s.mean, 1/float64(rows), into)
	}
	for i := range rows {
		row(i, into)
		floats.Sub(into, s.mean)
		floats.Mul(into, into)
		floats.AddScaled(s.deviation, 1/float64(rows), into)
	}
	for j, v := range s.deviation {
		s.deviation[j] = math.Sqrt(v)
		if v < 1e-18 {
			s.deviation[j] = math.Inf(1)
		}
	}
	return s
}

// row writes the standardised features, their products, and the constant 1.
func (m *Model) row(features, into []float64) {
	for j, f := range features {
		into[j] = (f - m.features.mean[j]) / m.features.deviation[j]
	}
	products, n := into[len(features):], 0
	for a, i := range m.crossed {
		for _, j := range m.crossed[a:] {
			products[n] = (into[i]*into[j] - m.products.mean[n]) / m.products.deviation[n]
			n++
		}
	}
	products[n] = 1
}

// loss is what Learn makes small.
func (m *Model) loss(examples []Example, weights []float64, ridge float64) (sum float64) {
	row := make([]float64, len(weights))
	for _, w := range weights[:len(weights)-1] {
		sum += ridge / 2 * w * w
	}
	for i := range examples {
		m.row(examples[i].Features, row)
		z := floats.Dot(weights, row)
		if examples[i].Came {
			z = -z
		}
		sum += max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) // log(1 + e^z), without overflow
	}
	return sum
}

// slope is the loss's gradient, and its second derivatives above the diagonal.
func (m *Model) slope(examples []Example, ridge float64, gradient, curvature []float64) {
	n := len(m.weights)
	clear(gradient)
	clear(curvature)
	row := make([]float64, n)
	for i := range examples {
		m.row(examples[i].Features, row)
		p := sigmoid(floats.Dot(m.weights, row))
		away := p
		if examples[i].Came {
			away = p - 1
		}
		floats.AddScaled(gradient, away, row)
		for j, x := range row {
			floats.AddScaled(curvature[j*n+j:(j+1)*n], p*(1-p)*x, row[j:])
		}
	}
	for j, w := range m.weights[:n-1] {
		gradient[j] += ridge * w
		curvature[j*n+j] += ridge
	}
	curvature[n*n-1] += 1e-9 // positive even where every probability has come to 0 or 1
}

// Probability is that of what the examples say that it came, 0..1.
func (m *Model) Probability(features []float64) float64 {
	row := make([]float64, len(m.weights))
	m.row(features, row)
	return sigmoid(floats.Dot(m.weights, row))
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
