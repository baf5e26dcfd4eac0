package scorecard

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func drawExamples(t *rapid.T, c *Card) []Example {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Example {
		return Example{Code: c.Code(drawAttributes(t, c)), Taken: float64(rapid.IntRange(0, 20).Draw(t, "taken")), Not: float64(rapid.IntRange(0, 60).Draw(t, "not"))}
	}), 0, 30).Draw(t, "examples")
}

// dumbLoss is the definition: minus the log likelihood, and the prior's word, example by example and weight by weight.
func dumbLoss(c *Card, examples []Example, weights []float64) float64 {
	square := func(x float64) float64 { return x * x }
	sum := constantPrecision / 2 * square(weights[0]-c.Constant)
	at, neighbours := 1, neighbourPrecision
	if c.Neighbours > 0 {
		neighbours = c.Neighbours
	}
	for i := range c.Characteristics {
		for a, prior := range c.Characteristics[i].Prior {
			d := weights[at+a] - prior
			sum += attributePrecision / 2 * d * d
			if a > 0 {
				sum += neighbours / 2 * square(d-(weights[at+a-1]-c.Characteristics[i].Prior[a-1]))
			}
		}
		at += len(c.Characteristics[i].Prior)
	}
	attributes := make([]int, len(c.Characteristics))
	for _, e := range examples {
		c.Attributes(e.Code, attributes)
		z, at := weights[0], 1
		for i, a := range attributes {
			z += weights[at+a]
			at += len(c.Characteristics[i].Prior)
		}
		sum -= e.Taken*math.Log(Logistic(z)) + e.Not*math.Log(1-Logistic(z))
	}
	return sum
}

// descend goes down the dumb loss's slope, measured by differences, in ever shorter steps.
func descend(c *Card, examples []Example) []float64 {
	weights := newFit(c, nil).weights
	at := dumbLoss(c, examples, weights)
	for step := 0.1; step > 1e-9; {
		next := append([]float64(nil), weights...)
		for i := range weights {
			const h = 1e-5
			kept := weights[i]
			weights[i] = kept + h
			up := dumbLoss(c, examples, weights)
			weights[i] = kept - h
			down := dumbLoss(c, examples, weights)
			weights[i] = kept
			next[i] -= step * (up - down) / (2 * h)
		}
		if loss := dumbLoss(c, examples, next); loss < at-1e-12 {
			weights, at = next, loss
			step *= 1.3
		} else {
			step /= 2
		}
	}
	return weights
}

// Newton's method ends where going down the slope ends.
func TestLearnAgainstGradientDescent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCard(t)
		c.Characteristics = c.Characteristics[:min(2, len(c.Characteristics))]
		examples := drawExamples(t, c)
		f := newFit(c, examples)
		f.search()
		want := descend(c, examples)
		for i, w := range f.weights {
			if math.Abs(w-want[i]) > 0.01 {
				t.Fatalf("weight %d is %g, going down gives %g; losses %g and %g", i, w, want[i], dumbLoss(c, examples, f.weights), dumbLoss(c, examples, want))
			}
		}
	})
}

func TestWithoutExamplesThePriorHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCard(t)
		m := Learn(c, nil)
		attributes := drawAttributes(t, c)
		learned, prior := NewScore(c, &m), NewScore(c, nil)
		if a, b := learned.LogOdds(attributes), prior.LogOdds(attributes); math.Abs(a-b) > 1e-9 {
			t.Fatalf("%g, the prior's %g", a, b)
		}
	})
}

// The same sums give the same points, whatever the order and however examples of a code are split.
func TestLearnDoesNotHangOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCard(t)
		sums := map[uint64]Example{}
		for _, e := range drawExamples(t, c) {
			sum := sums[e.Code]
			sums[e.Code] = Example{e.Code, sum.Taken + e.Taken, sum.Not + e.Not}
		}
		var one, other []Example
		for _, e := range sums {
			one = append(one, e)
		}
		for _, i := range rapid.Permutation(indices(len(one))).Draw(t, "order") {
			other = append(other, one[i])
		}
		if diff := cmp.Diff(Learn(c, one), Learn(c, other)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// What the attributes say for and against adds up to the log odds, with the means and the constant.
func TestReasonsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCard(t)
		m := Learn(c, drawExamples(t, c))
		s, attributes := NewScore(c, &m), drawAttributes(t, c)
		sum := m.Constant
		for i, a := range attributes {
			sum += s.Weight(i, a) + m.Characteristics[i].Mean
		}
		if z := s.LogOdds(attributes); math.Abs(sum-z) > 1e-9 {
			t.Fatalf("reasons add up to %g, the log odds are %g", sum, z)
		}
	})
}

// On its own examples a model takes as many as were taken, but for what the prior holds back: the constant alone answers for the sum.
func TestCalibratedInTheLarge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCard(t)
		f := newFit(c, drawExamples(t, c))
		f.search()
		expected, taken := 0.0, 0.0
		for i, e := range f.examples {
			expected += (e.Taken + e.Not) * Logistic(f.logOdds(f.weights, i))
			taken += e.Taken
		}
		if held := constantPrecision * (f.weights[0] - c.Constant); math.Abs(taken-expected-held) > 1e-3 {
			t.Fatalf("taken %g, expected %g, the prior holds %g back", taken, expected, held)
		}
	})
}

// A world in which the characteristics add up needs no calibration; one in which they do not gets one, and is then nearer to the truth.
func TestCalibration(t *testing.T) {
	c := &Card{Name: "x", Version: 1, Constant: -2, Characteristics: []Characteristic{plain("a", 1, 2, 3), plain("b", 1, 2, 3)}}
	world := func(truth func(a, b int) float64) []Example {
		random := rand.New(rand.NewPCG(1, 2))
		var examples []Example
		for a := range 4 {
			for b := range 4 {
				e := Example{Code: c.Code([]int{a, b})}
				for range 4_000 {
					if random.Float64() < truth(a, b) {
						e.Taken++
					} else {
						e.Not++
					}
				}
				examples = append(examples, e)
			}
		}
		return examples
	}
	additive := Learn(c, world(func(a, b int) float64 { return Logistic(-3 + 0.5*float64(a) + 0.7*float64(b)) }))
	if len(additive.Calibration) != 0 {
		t.Errorf("what adds up was calibrated: %v", additive.Calibration)
	}
	truth := func(a, b int) float64 { return 0.02 + 0.4*Logistic(-6+2*float64(a)+2*float64(b)) }
	bent := Learn(c, world(truth))
	if len(bent.Calibration) < 3 {
		t.Fatalf("what does not add up was calibrated by %v", bent.Calibration)
	}
	for i, k := range bent.Calibration[1:] {
		if before := bent.Calibration[i]; k.LogOdds <= before.LogOdds || k.Calibrated < before.Calibrated {
			t.Errorf("the calibration does not ascend: %v", bent.Calibration)
		}
	}
	s, raw, calibrated := NewScore(c, &bent), 0.0, 0.0
	for a := range 4 {
		for b := range 4 {
			z := s.LogOdds([]int{a, b})
			raw += math.Abs(Logistic(z) - truth(a, b))
			calibrated += math.Abs(s.Probability(z) - truth(a, b))
		}
	}
	if calibrated >= raw {
		t.Errorf("off by %g together as the points say, by %g calibrated", raw, calibrated)
	}
}

// Higher log odds never mean a lower probability.
func TestProbabilityAscends(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCard(t)
		m := Learn(c, drawExamples(t, c))
		s := NewScore(c, &m)
		low, high := rapid.Float64Range(-9, 9).Draw(t, "z"), rapid.Float64Range(-9, 9).Draw(t, "other z")
		if low > high {
			low, high = high, low
		}
		if a, b := s.Probability(low), s.Probability(high); a > b+1e-12 || a < 0 || b > 1 {
			t.Fatalf("%g has %g, %g has %g", low, a, high, b)
		}
	})
}

// Points of another card or version are not taken for the card's own.
func TestModelsOfAnotherVersionAreNotUsed(t *testing.T) {
	c := CrossSell()
	m := Learn(c, []Example{{Code: c.Code(make([]int, len(c.Characteristics))), Taken: 100, Not: 1}})
	models := NewModels()
	attributes := make([]int, len(c.Characteristics))
	prior := models.Score(c).LogOdds(attributes)
	models.Set(m)
	if z := models.Score(c).LogOdds(attributes); z <= prior {
		t.Errorf("a hundred taken leave the log odds at %g, the prior's %g", z, prior)
	}
	m.Version++
	models.Set(m)
	if z := models.Score(c).LogOdds(attributes); z != prior {
		t.Errorf("another version is used: %g, the prior's %g", z, prior)
	}
	m.Version--
	models.Set(m)
	models.Delete(c.Name)
	if z := models.Score(c).LogOdds(attributes); z != prior {
		t.Errorf("what was taken back is used: %g, the prior's %g", z, prior)
	}
	var none *Models
	if z := none.Score(c).LogOdds(attributes); z != prior {
		t.Errorf("none give %g, the prior's %g", z, prior)
	}
}

func BenchmarkLearn(b *testing.B) {
	c, random := CrossSell(), rand.New(rand.NewPCG(1, 2))
	var examples []Example
	for range 20_000 {
		attributes := make([]int, len(c.Characteristics))
		for i := range attributes {
			attributes[i] = random.IntN(len(c.Characteristics[i].Prior))
		}
		examples = append(examples, Example{Code: c.Code(attributes), Taken: float64(random.IntN(2)), Not: 1})
	}
	for b.Loop() {
		Learn(c, examples)
	}
}
