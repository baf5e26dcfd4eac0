package scorecard

import (
	"cmp"
	"slices"

	"leadline/internal/sales"
)

const (
	groups        = 10
	leastTaken    = 20    // of all groups together; before, a calibration would be noise
	miscalibrated = 20.09 // chi-squared with 8 degrees of freedom, p = 0.01
)

// group is examples of neighbouring log odds.
type group struct {
	weight, taken float64
	expected      float64 // taken, as the probabilities say
	variance      float64
	logOdds       float64 // the sum, weighted
}

// calibration corrects log odds by what they turned out to be: not at all while the test of Hosmer and Lemeshow over ten groups of equal size (Applied
// Logistic Regression, 1989) sees no difference at p < 0.01, else by pooling adjacent violators over the groups (M. Ayer et al., "An empirical
// distribution function for sampling with incomplete information", Annals of Mathematical Statistics 26, 1955). A logistic regression is calibrated on its
// own examples as far as its characteristics go; what is left is where they do not add up.
func calibration(s *Score, examples []Example) []sales.Knot {
	all := grouped(s, examples)
	chi, taken := 0.0, 0.0
	for _, g := range all {
		taken += g.taken
		if g.variance > 0 {
			chi += (g.taken - g.expected) * (g.taken - g.expected) / g.variance
		}
	}
	if taken < leastTaken || chi <= miscalibrated {
		return nil
	}
	var knots []sales.Knot
	for _, g := range pooled(all) {
		share := (g.taken + 0.5) / (g.weight + 1)
		knots = append(knots, sales.Knot{LogOdds: g.logOdds / g.weight, Calibrated: LogOdds(share)})
	}
	return knots
}

// grouped cuts the examples, in the order of their log odds, into groups of about equal weight.
func grouped(s *Score, examples []Example) []group {
	type scored struct {
		Example
		z float64
	}
	all, total := make([]scored, len(examples)), 0.0
	into := make([]int, len(s.card.Characteristics))
	for i, e := range examples {
		s.card.Attributes(e.Code, into)
		all[i] = scored{e, s.LogOdds(into)}
		total += e.Taken + e.Not
	}
	slices.SortStableFunc(all, func(a, b scored) int { return cmp.Compare(a.z, b.z) })
	out, before := make([]group, groups), 0.0
	for _, e := range all {
		n, p := e.Taken+e.Not, Logistic(e.z)
		g := &out[min(groups-1, int(groups*(before+n/2)/total))]
		g.weight += n
		g.taken += e.Taken
		g.expected += n * p
		g.variance += n * p * (1 - p)
		g.logOdds += n * e.z
		before += n
	}
	return slices.DeleteFunc(out, func(g group) bool { return g.weight == 0 })
}

// pooled merges neighbours until the shares ascend.
func pooled(all []group) []group {
	var out []group
	for _, g := range all {
		for len(out) > 0 && out[len(out)-1].taken*g.weight >= g.taken*out[len(out)-1].weight {
			last := out[len(out)-1]
			g.weight, g.taken, g.logOdds = g.weight+last.weight, g.taken+last.taken, g.logOdds+last.logOdds
			out = out[:len(out)-1]
		}
		out = append(out, g)
	}
	return out
}
