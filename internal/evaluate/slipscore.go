package evaluate

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"

	"leadline/internal/activity"
	"leadline/internal/sales"
	"leadline/internal/slipping"
)

// scorer gives each case a number; the higher, the likelier it is to slip.
type scorer struct {
	name        string
	about       string
	probability bool
	score       func(m *moment, t *trial) ([]float64, error)
}

// The names of the scores beside Leadline, as the report calls them.
const (
	Push       = "leadline push"
	Recency    = "recency"
	Silent     = "silent for N weeks"
	Frequency  = "frequency"
	Spend      = "spend"
	RFM        = "RFM quintiles"
	OwnHistory = "own history"
	MBGNBD     = "MBG/NBD"
	ByMoney    = "leadline, by money"
)

// scorers lists them, Leadline first: the others' differences are to it. Each reads the cases' past only.
func scorers() []scorer {
	return []scorer{
		{Leadline, "probability by ridge logistic with products of features, learned at earlier cuts", true, scoreSlipping},
		{ByMoney, "that probability times what the customer spent in the window", false, scoreMoney},
		{Push, "probability by the scorecard that shards ask, learned at earlier cuts from coded examples", true, scorePush},
		{Recency, "silent for how many days", false, each(func(_ *moment, p *slipping.Past) float64 { return float64(p.Silence()) })},
		{Silent, "yes or no, with the N that told best at earlier cuts", false, scoreSilent},
		{Frequency, "fewest purchase days in the window", false, each(func(m *moment, p *slipping.Past) float64 {
			return -float64(m.question.InWindow(p))
		})},
		{Spend, "most spent in the window, a control for money", false, each(func(m *moment, p *slipping.Past) float64 {
			return float64(p.Spent(m.question.WindowDays))
		})},
		{RFM, "lowest sum of the quintiles of recency, frequency and money in the window", false, scoreRFM},
		{OwnHistory, "smallest p-value of 30 days against the 150 before, by everyone's activity", false, scoreOwnHistory},
		{MBGNBD, "expected purchases in the horizon beside the own rate, lowest first", false, scoreMBGNBD},
	}
}

// each scores every case by its past alone.
func each(of func(m *moment, p *slipping.Past) float64) func(*moment, *trial) ([]float64, error) {
	return func(m *moment, t *trial) ([]float64, error) {
		out := make([]float64, len(t.cases))
		for i := range t.cases {
			out[i] = of(m, &t.cases[i].past)
		}
		return out, nil
	}
}

func scoreSlipping(m *moment, t *trial) ([]float64, error) {
	examples := m.examples()
	t.examples = len(examples)
	model, err := slipping.Learn(examples)
	if err != nil {
		return nil, err
	}
	return each(func(m *moment, p *slipping.Past) float64 { return model.Probability(m.question.Features(p)) })(m, t)
}

// scoreMoney follows scoreSlipping.
func scoreMoney(m *moment, t *trial) ([]float64, error) {
	out := make([]float64, len(t.cases))
	for i := range t.cases {
		out[i] = t.scores[0].of[i] * float64(t.cases[i].past.Spent(m.question.WindowDays))
	}
	return out, nil
}

// scoreSilent chooses the number of weeks by which slipped and others differ most (W. J. Youden, "Index for rating diagnostic tests", Cancer 3, 1950).
func scoreSilent(m *moment, t *trial) ([]float64, error) {
	const most = 26
	var slipped, others [most + 1]float64 // by whole weeks of silence
	for _, k := range m.earlier() {
		weeks := min(most, k.past.Silence()/7)
		if k.slipped {
			slipped[weeks]++
		} else {
			others[weeks]++
		}
	}
	all, rest := floats.Sum(slipped[:]), floats.Sum(others[:])
	best, apart := 1, math.Inf(-1)
	hits, alarms := all, rest
	for weeks := range most {
		hits, alarms = hits-slipped[weeks], alarms-others[weeks]
		if d := hits/math.Max(1, all) - alarms/math.Max(1, rest); d > apart {
			best, apart = weeks+1, d
		}
	}
	return each(func(_ *moment, p *slipping.Past) float64 { return float64(min(1, p.Silence()/7/best)) })(m, t)
}

func scoreRFM(m *moment, t *trial) ([]float64, error) {
	out := make([]float64, len(t.cases))
	for _, part := range []func(p *slipping.Past) float64{
		func(p *slipping.Past) float64 { return -float64(p.Silence()) },
		func(p *slipping.Past) float64 { return float64(m.question.InWindow(p)) },
		func(p *slipping.Past) float64 { return float64(p.Spent(m.question.WindowDays)) },
	} {
		values := make([]float64, len(t.cases))
		for i := range t.cases {
			values[i] = part(&t.cases[i].past)
		}
		for i, q := range quintiles(values) {
			out[i] -= float64(q)
		}
	}
	return out, nil
}

// quintiles are 1 for the lowest fifth to 5 for the highest. Equal values share one, that of their middle.
func quintiles(values []float64) []int {
	ordered := slices.Sorted(slices.Values(values))
	out := make([]int, len(values))
	for i, v := range values {
		below, _ := slices.BinarySearch(ordered, v)
		upTo, _ := slices.BinarySearchFunc(ordered, v, func(x, v float64) int { return cmp.Or(cmp.Compare(x, v), -1) })
		out[i] = 1 + 5*(below+upTo-1)/(2*len(values))
	}
	return out
}

// scoreOwnHistory is the test by which declining alerts open, with their usual windows.
func scoreOwnHistory(m *moment, t *trial) ([]float64, error) {
	const recent, before = 30, 150
	index := m.everyone()
	last := m.at - 1
	now, then := index.Sum(last-recent, last), index.Sum(last-recent-before, last-recent)
	return each(func(_ *moment, p *slipping.Past) float64 {
		days := func(back int) int { return len(p.Visits) - countBefore(p.Visits, m.at-sales.Day(back)) }
		n := days(recent)
		return -activity.Decline(n, days(recent+before)-n, now, then)
	})(m, t)
}

// countBefore counts the visits before the day.
func countBefore(visits []slipping.Visit, day sales.Day) int {
	n, _ := slices.BinarySearchFunc(visits, day, func(v slipping.Visit, d sales.Day) int { return cmp.Compare(v.Day, d) })
	return n
}

func scoreMBGNBD(m *moment, t *trial) ([]float64, error) {
	population, err := slipping.Estimate(m.buyers())
	if err != nil {
		return nil, err
	}
	return each(func(m *moment, p *slipping.Past) float64 {
		own := float64(m.question.InWindow(p)) / float64(m.question.WindowDays) * float64(m.question.HorizonDays)
		return -population.Expected(p.Buyer(), float64(m.question.HorizonDays)) / own
	})(m, t)
}
