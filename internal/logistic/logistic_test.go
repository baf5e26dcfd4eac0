package logistic

import (
	"math"
	"math/rand/v2"
	"testing"
)

// toys are examples of a known model: a product of two features among them, one that tells nothing, and one that never varies.
func toys(n int) []Example {
	rng := rand.New(rand.NewPCG(3, 3))
	out := make([]Example, n)
	for i := range out {
		x, y := rng.NormFloat64(), rng.NormFloat64()
		p := 1 / (1 + math.Exp(1-1.5*x+0.8*x*y))
		out[i] = Example{[]float64{5 + 10*x, y, rng.NormFloat64(), 7}, rng.Float64() < p}
	}
	return out
}

// At the weights found every small step makes the loss, written out plainly, larger.
func TestIsTheLeastLoss(t *testing.T) {
	const ridge = 20
	examples := toys(300)
	m, err := Learn(examples, []int{0, 1}, ridge)
	if err != nil {
		t.Fatal(err)
	}
	loss := func() (sum float64) {
		for i, w := range m.weights {
			if i < len(m.weights)-1 {
				sum += ridge / 2 * w * w
			}
		}
		for _, e := range examples {
			p := m.Probability(e.Features)
			if !e.Came {
				p = 1 - p
			}
			sum -= math.Log(p)
		}
		return sum
	}
	least := loss()
	for i := range m.weights {
		for _, step := range []float64{-0.01, 0.01} {
			m.weights[i] += step
			if loss() <= least && i != 3 { // the feature that never varies has no weight of its own
				t.Errorf("weight %d: %+g makes it smaller", i, step)
			}
			m.weights[i] -= step
		}
	}
}

func TestFindsWhatWasPlanted(t *testing.T) {
	examples := toys(10_000)
	m, err := Learn(examples, []int{0, 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]float64{{1, 1}, {1, -1}, {-1, 1}, {-1, -1}, {0, 2}} {
		want := 1 / (1 + math.Exp(1-1.5*c[0]+0.8*c[0]*c[1]))
		if got := m.Probability([]float64{5 + 10*c[0], c[1], 0, 7}); math.Abs(got-want) > 0.03 {
			t.Errorf("at %v: %.3f, want %.3f", c, got, want)
		}
	}
}

func TestNothingToLearn(t *testing.T) {
	for _, examples := range [][]Example{nil, {{[]float64{1}, true}}, {{[]float64{1}, false}}} {
		if _, err := Learn(examples, nil, 1); err == nil {
			t.Errorf("learned from %v", examples)
		}
	}
}
