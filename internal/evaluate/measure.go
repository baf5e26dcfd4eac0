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

// Minus gives the differences, by customer.
func Minus(a, b []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = a[i] - b[i]
	}
	return out
}

// Ratio is the sum of one over the sum of the other, each given by customer, with the interval by customers drawn anew. There must be something over
// which it is.
func Ratio(of, over []float64) Estimate {
	drawn := make([]float64, 0, resamples)
	redraw(len(of), func(times []float64) {
		a, b := 0.0, 0.0
		for i, n := range times {
			a += n * of[i]
			b += n * over[i]
		}
		if b > 0 {
			drawn = append(drawn, a/b)
		}
	})
	return interval(mean(of)/mean(over), drawn)
}
