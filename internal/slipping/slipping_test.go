package slipping

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"leadline/internal/logistic"
	"leadline/internal/sales"
)

const begin sales.Day = 17_000

// visits draws a customer's purchase days.
func visits(t *rapid.T) []Visit {
	days := rapid.SliceOfNDistinct(rapid.Int32Range(0, 500), 2, 80, rapid.ID[int32]).Draw(t, "days")
	slices.Sort(days)
	out := make([]Visit, len(days))
	for i, d := range days {
		out[i] = Visit{Day: begin + sales.Day(d), SpentMinor: rapid.Int64Range(0, 9_000).Draw(t, "minor")}
	}
	return out
}

// What a customer does from the day on, and what it spent and when beyond the window, leaves its features as they are; they are numbers.
func TestFeaturesSeeTheWindowAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := visits(t)
		q := Question{rapid.IntRange(1, 180).Draw(t, "window"), rapid.IntRange(1, 180).Draw(t, "horizon")}
		at := begin + sales.Day(rapid.Int32Range(0, 520).Draw(t, "at"))
		p, ok := q.See(all, at)
		var before, window []Visit
		for _, v := range all {
			if v.Day < at {
				before = append(before, v)
			}
			if v.Day < at && v.Day >= at-sales.Day(q.WindowDays) {
				window = append(window, v)
			}
		}
		if ok != (len(before) >= 2 && len(window) >= 1) {
			t.Fatalf("seen %t with %d before, %d of them in the window", ok, len(before), len(window))
		}
		if !ok {
			return
		}
		other := slices.Clone(before)
		for i := range other {
			if other[i].Day < at-KeptDays {
				other[i].SpentMinor = 1
				if i > 0 {
					other[i].Day = other[i-1].Day + 1
				}
			}
		}
		seen, _ := q.See(append(other, Visit{Day: at, SpentMinor: 5}), at)
		f := q.Features(&p)
		if !slices.Equal(f, q.Features(&seen)) {
			t.Fatalf("%v with another future and distant past %v", f, q.Features(&seen))
		}
		for i, x := range f {
			if math.IsNaN(x) || math.Abs(x) > 1_000 {
				t.Fatalf("%s is %g", names[i], x)
			}
		}
		if len(f) != len(names) || f[slices.Index(names[:], "days in window")] != math.Log1p(float64(len(window))) {
			t.Fatalf("%d features of %d, %d days in the window", len(f), len(names), len(window))
		}
		if q.InWindow(&p) != len(window) || p.Age() != int(at-before[0].Day) || p.Silence() != int(at-before[len(before)-1].Day) || p.Days != len(before) {
			t.Fatalf("past %+v of %v", p, before)
		}
	})
}

// A customer written out: ten days apart, silent for forty.
func TestFeaturesOfOneCustomer(t *testing.T) {
	var all []Visit
	for d := sales.Day(0); d <= 100; d += 10 {
		all = append(all, Visit{Day: begin + d, SpentMinor: 500})
	}
	q := Question{90, 30}
	p, _ := q.See(all, begin+140)
	f := q.Features(&p)
	for name, want := range map[string]float64{
		"days in 30": 0, "days in 60": math.Log(4), "days 30-60 ago": math.Log(4), "days ever": math.Log(12), "age": math.Log(141),
		"silence": math.Log(41), "mean gap": math.Log(11), "evenness of gaps": 0, "silence per longest gap": 40.0 / 15,
		"rate ever": math.Log(11.5 / 160), "spent in 90": math.Log1p(30), "spent a day": math.Log1p(5), "horizon": math.Log(30),
	} {
		if got := f[slices.Index(names[:], name)]; math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %g, want %g", name, got, want)
		}
	}
}

// The odds are those of the negative binomial's terms up to the most days that are still halved.
func TestOddsAgainstTheSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := Question{rapid.IntRange(1, 180).Draw(t, "window"), rapid.IntRange(1, 180).Draw(t, "horizon")}
		days := rapid.IntRange(1, q.WindowDays).Draw(t, "days")
		rate := rapid.Float64Range(0.01, 1).Draw(t, "rate")
		mean, sum := rate*float64(q.HorizonDays), 0.0
		for k := 0; q.Halved(days, k); k++ {
			ways, _ := math.Lgamma(float64(k) + spread)
			of, _ := math.Lgamma(float64(k) + 1)
			is, _ := math.Lgamma(spread)
			sum += math.Exp(ways - of - is + spread*math.Log(spread/(spread+mean)) + float64(k)*math.Log(mean/(spread+mean)))
		}
		sum = min(max(sum, 1e-4), 1-1e-4)
		if got := q.logOdds(days, rate); math.Abs(got-math.Log(sum/(1-sum))) > 1e-6 {
			t.Fatalf("odds %g of a probability of %g", got, sum)
		}
	})
}

func TestNothingToLearn(t *testing.T) {
	for _, examples := range [][]logistic.Example{nil, {{Features: make([]float64, len(names)), Came: true}}, {{Features: make([]float64, len(names))}}} {
		if _, err := Learn(examples); err == nil {
			t.Errorf("learned from %v", examples)
		}
	}
	if slices.Contains(crossed, -1) {
		t.Errorf("a crossed feature has no name: %v", crossed)
	}
}

// quantiles stand for a distribution: equally likely points.
func quantiles(of func(float64) float64) []float64 {
	points := make([]float64, 1_000)
	for i := range points {
		points[i] = of((float64(i) + 0.5) / float64(len(points)))
	}
	return points
}

// mean is the expectation of f over equally likely points.
func mean(points []float64, f func(float64) float64) (sum float64) {
	for _, x := range points {
		sum += f(x) / float64(len(points))
	}
	return sum
}

// Likelihood and expectation against the model's story, integrated over rates and probabilities of leaving.
func TestMBGNBDAgainstItsStory(t *testing.T) {
	p := Population{R: 1.3, Alpha: 20, A: 1.7, B: 2.5}
	rates := quantiles(distuv.Gamma{Alpha: p.R, Beta: p.Alpha}.Quantile)
	leaving := quantiles(distuv.Beta{Alpha: p.A, Beta: p.B}.Quantile)
	for _, b := range []Buyer{{0, 0, 50}, {1, 10, 30}, {4, 90, 100}, {6, 40, 200}} {
		x := float64(b.Repeats)
		bought := func(until float64) float64 {
			return mean(rates, func(l float64) float64 { return math.Pow(l, x) * math.Exp(-l*until) })
		}
		stays := mean(leaving, func(q float64) float64 { return math.Pow(1-q, x+1) })
		leaves := mean(leaving, func(q float64) float64 { return q * math.Pow(1-q, x) })
		want := stays*bought(b.SeenDays) + leaves*bought(b.LastDays)
		if got := math.Exp(p.logLikelihood(&b)); math.Abs(got/want-1) > 0.01 {
			t.Errorf("%+v: likelihood %g, the story's is %g", b, got, want)
		}
		const days = 60
		// A buyer who is there makes (1-exp(-rate·leaving·days))/leaving purchases.
		here := mean(leaving, func(q float64) float64 {
			return math.Pow(1-q, x+1) * mean(rates, func(l float64) float64 {
				return math.Pow(l, x) * math.Exp(-l*b.SeenDays) * -math.Expm1(-l*q*days) / q
			})
		}) / want
		if got := p.Expected(b, days); math.Abs(got/here-1) > 0.01 {
			t.Errorf("%+v: %g purchases expected, the story's are %g", b, got, here)
		}
	}
}

// Far beyond the parameters of any history too, what is expected is a number that grows with the days, from 0 on.
func TestExpectedIsANumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parameter := func(name string, from, to float64) float64 {
			return math.Exp(rapid.Float64Range(from, to).Draw(t, name))
		}
		p := Population{parameter("r", -6, 4), parameter("alpha", 0, 8), parameter("a", -6, 8), parameter("b", -6, 8)}
		b := Buyer{Repeats: rapid.IntRange(0, 400).Draw(t, "repeats"), SeenDays: rapid.Float64Range(1, 2_000).Draw(t, "seen")}
		if b.Repeats > 0 {
			b.LastDays = b.SeenDays * rapid.Float64Range(0.001, 1).Draw(t, "last")
		}
		soon, later := p.Expected(b, 30), p.Expected(b, 90)
		if !(soon >= -1e-6) || !(later >= soon-1e-6*math.Abs(soon)) || math.IsInf(later, 0) {
			t.Fatalf("%+v of %+v: %g in 30 days, %g in 90", p, b, soon, later)
		}
	})
}

// Buyers drawn from the model give its parameters back, near enough that what is expected of them is the same.
func TestEstimateFindsThePopulation(t *testing.T) {
	truth := Population{R: 1, Alpha: 15, A: 0.8, B: 3}
	src := rand.New(rand.NewPCG(5, 5))
	buyers := make([]Buyer, 2_000)
	for i := range buyers {
		rate := distuv.Gamma{Alpha: truth.R, Beta: truth.Alpha, Src: src}.Rand()
		leaving := distuv.Beta{Alpha: truth.A, Beta: truth.B, Src: src}.Rand()
		b := Buyer{SeenDays: 100 + 200*src.Float64()}
		for day := 0.0; src.Float64() >= leaving; {
			if day += src.ExpFloat64() / rate; day > b.SeenDays {
				break
			}
			b.Repeats, b.LastDays = b.Repeats+1, day
		}
		buyers[i] = b
	}
	found, err := Estimate(buyers)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range []Buyer{{0, 0, 60}, {2, 50, 60}, {8, 150, 200}, {8, 190, 200}} {
		if got, want := found.Expected(b, 60), truth.Expected(b, 60); math.Abs(got-want) > 0.1*want+0.02 {
			t.Errorf("%+v: %.3f purchases expected by %+v, %.3f by the truth", b, got, found, want)
		}
	}
	if _, err := Estimate(nil); err == nil {
		t.Error("estimated from nobody")
	}
}
