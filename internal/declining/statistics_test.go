package declining

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// poisson draws a count.
func poisson(luck *rand.Rand, mean float64) int32 {
	n, limit := int32(0), math.Exp(-mean)
	for product := luck.Float64(); product > limit; product *= luck.Float64() {
		n++
	}
	return n
}

// Customers whose days could as well stand in any other order: a day of theirs falls into the recent window as often as everyone else's do,
// season included. Their p-values, with the jump at each count spread evenly over it, are uniform; as they are they err on the safe side.
func TestPValuesAreUniformOnExchangeableDays(t *testing.T) {
	t.Parallel()
	luck := rand.New(rand.NewPCG(7, 1))
	const customers, days, recentDays = 20_000, 120, 30
	season := func(day int) float64 { return 1 + 0.6*math.Sin(float64(day)/20) } // the recent window is a slack season
	most := 1.6
	rows := make([]Row, customers)
	s := &study{question: &Question{Recent: Window{90, 119}, Baseline: Window{0, 89}}}
	for i := range rows {
		for range 2 + luck.IntN(40) {
			day := luck.IntN(days)
			for luck.Float64()*most > season(day) {
				day = luck.IntN(days)
			}
			if day >= days-recentDays {
				rows[i].Recent.Days++
			} else {
				rows[i].Baseline.Days++
			}
		}
		s.everyone.RecentDays += int64(rows[i].Recent.Days)
		s.everyone.BaselineDays += int64(rows[i].Baseline.Days)
	}
	var spread []float64
	below := map[float64]int{.001: 0, .01: 0, .05: 0, .2: 0}
	for i := range rows {
		r, b := rows[i].Recent.Days, rows[i].Baseline.Days
		if b == 0 {
			continue
		}
		p := judge(r, b, s.weights(r, b)).P
		fewer := 0.0
		if r > 0 {
			fewer = judge(r-1, b+1, s.weights(r, b)).P // of the same sum
		}
		spread = append(spread, fewer+luck.Float64()*(p-fewer))
		for alpha := range below {
			if p <= alpha {
				below[alpha]++
			}
		}
	}
	slices.Sort(spread)
	distance := 0.0
	for i, p := range spread {
		distance = max(distance, math.Abs(p-float64(i)/float64(len(spread))))
	}
	if limit := 1.95 / math.Sqrt(float64(len(spread))); distance > limit { // Kolmogorov's test at one in a thousand
		t.Errorf("p-values are %.4f away from uniform, more than %.4f", distance, limit)
	}
	for alpha, n := range below {
		if share := float64(n) / float64(len(spread)); share > alpha+4*math.Sqrt(alpha/float64(len(spread))) {
			t.Errorf("%.4f of p-values are at most %g", share, alpha)
		}
	}
}

// The interval holds the true ratio at least as often as it says; where counts are not tiny hardly more often.
func TestTheIntervalCovers(t *testing.T) {
	t.Parallel()
	luck := rand.New(rand.NewPCG(7, 2))
	w := weights{recent: 3_000, baseline: 14_000}
	for _, ratio := range []float64{0.1, 0.5, 1, 1.7} {
		for _, mean := range []float64{1, 6, 40} {
			const rounds = 4_000
			held, tried := 0, 0
			for range rounds {
				r, b := poisson(luck, mean*ratio*w.recent/w.baseline), poisson(luck, mean)
				if r+b == 0 {
					continue
				}
				tried++
				v := Verdict{weights: w, recent: r, base: b}
				if low, high := v.Interval(); low <= ratio && ratio <= high {
					held++
				}
			}
			share := float64(held) / float64(tried)
			if share < Confidence-0.012 {
				t.Errorf("ratio %g, mean %g: it holds the truth in %.3f of cases", ratio, mean, share)
			}
			if mean == 40 && ratio >= 0.5 && share > 0.99 {
				t.Errorf("ratio %g, mean %g: it holds the truth in %.3f of cases, far wider than it need be", ratio, mean, share)
			}
		}
	}
}

// The interval and the test agree: a ratio of 1 lies above the interval exactly when the two-sided half says so.
func TestIntervalAndTestAgree(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r, b := rapid.Int32Range(0, 60).Draw(t, "recent"), rapid.Int32Range(1, 150).Draw(t, "base")
		v := judge(r, b, weights{rapid.Float64Range(1, 1e6).Draw(t, "w"), rapid.Float64Range(1, 1e6).Draw(t, "v")})
		low, high := v.Interval()
		if !(low <= v.Ratio && v.Ratio <= high) {
			t.Fatalf("ratio %g outside of %g to %g", v.Ratio, low, high)
		}
		half := (1 - Confidence) / 2
		if math.Abs(v.P-half) > 1e-6 && (high < 1) != (v.P < half) {
			t.Fatalf("p %g, interval up to %g", v.P, high)
		}
	})
}

// q-values against Benjamini's and Hochberg's own words: the largest k with p(k) at most k·q/m.
func TestQValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		ps := rapid.SliceOfN(rapid.SampledFrom([]float64{1e-9, .0004, .001, .003, .0049, .01, .02, .05, .2, .21, .6, 1}), 1, 40).Draw(t, "p")
		counts := map[float64]int{}
		for _, p := range ps {
			counts[p]++
		}
		var all []*tied
		for p, n := range counts {
			all = append(all, &tied{p: p, n: n})
		}
		control(all)
		slices.Sort(ps)
		for i := 1; i < len(all); i++ {
			if all[i].q < all[i-1].q {
				t.Fatalf("q falls from %g to %g as p grows", all[i-1].q, all[i].q)
			}
		}
		for _, level := range []float64{.0013, .0107, .0511, .1003, .507, 1} {
			rejected := 0
			for k := len(ps); k > 0 && rejected == 0; k-- {
				if ps[k-1]*float64(len(ps)) <= float64(k)*level {
					rejected = k
				}
			}
			n := 0
			for _, x := range all {
				if x.q <= level {
					n += x.n
				}
			}
			if n != rejected {
				t.Fatalf("at %g %d are rejected, want %d of %v", level, n, rejected, ps)
			}
		}
	})
}

// Whole numbers of 128 bits against big ones.
func TestWideSums(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var sum wide
		want := new(big.Int)
		for _, v := range rapid.SliceOf(rapid.Uint64Range(0, 1<<55)).Draw(t, "values") {
			by := rapid.Uint64Range(1, 1<<15).Draw(t, "by")
			sum.add(square(v).over(by))
			b := new(big.Int).SetUint64(v)
			want.Add(want, b.Mul(b, b).Quo(b, new(big.Int).SetUint64(by)))
		}
		got := new(big.Int).Add(new(big.Int).Lsh(new(big.Int).SetUint64(sum.high), 64), new(big.Int).SetUint64(sum.low))
		if got.Cmp(want) != 0 {
			t.Fatalf("%v, want %v", got, want)
		}
	})
}

// Drawn from the model, customers' rates and spend are guessed better by what is shrunk than by the raw means and by everybody's.
func TestShrunkRatesAreBetterGuesses(t *testing.T) {
	t.Parallel()
	luck := rand.New(rand.NewPCG(7, 3))
	var usual frequency
	var of spend
	type one struct {
		rate, level float64
		days        int32
		spent       int64
	}
	all := make([]one, 20_000)
	for i := range all {
		c := &all[i]
		c.rate = 6 * luck.ExpFloat64()
		c.level = 2_000 * math.Exp(0.5*luck.NormFloat64())
		c.days = poisson(luck, c.rate)
		usual.add(c.days)
		squares := wide{}
		for range c.days {
			z := dayOfSpend(int64(c.level * luck.ExpFloat64()))
			c.spent += int64(z)
			squares.add(square(z))
		}
		if c.days > 0 {
			of.add(c.days, uint64(c.spent), squares)
		}
	}
	guess := of.credibility()
	mean := float64(usual.sum) / float64(usual.customers)
	var rate, level [3]float64 // squared errors: shrunk, raw, everybody's
	for _, c := range all {
		for i, g := range []float64{usual.shrunk(c.days), float64(c.days), mean} {
			rate[i] += (g - c.rate) * (g - c.rate)
		}
		if c.days > 0 {
			for i, g := range []float64{guess.shrunk(c.days, c.spent), float64(c.spent) / float64(c.days), guess.mean} {
				level[i] += (g - c.level) * (g - c.level)
			}
		}
	}
	if !(rate[0] < 0.95*rate[1] && rate[0] < 0.95*rate[2]) || !(level[0] < 0.95*level[1] && level[0] < 0.95*level[2]) {
		t.Errorf("squared errors of shrunk, raw and common guesses: rates %.3g, spend %.3g", rate, level)
	}
}
