package evaluate

import (
	"cmp"
	"math"
	"slices"
)

// contacted are the shares of the customers for which money is measured.
var contacted = [...]float64{0.05, 0.1, 0.2}

// judged is what a score came to.
type judged struct {
	auc, leadlineOver, averagePrecision, topTenth Estimate
	caught                                        [len(contacted)]Estimate
	found                                         []Found
}

// figures are the same as plain numbers: AUC, average precision, precision in the top tenth, money per contact.
type figures [3 + len(contacted)]float64

// measure judges each score, with intervals by customers drawn anew: one customer's cases at several cuts are drawn together.
func (t *trial) measure() (out []judged, customers int) {
	number := map[string]int{}
	who := make([]int, len(t.cases))
	for i := range t.cases {
		n, known := number[t.cases[i].id]
		if !known {
			n = len(number)
			number[t.cases[i].id] = n
		}
		who[i] = n
	}
	orders := make([]order, len(t.scores))
	plain := make([]figures, len(t.scores))
	drawn := make([][len(figures{}) + 1][]float64, len(t.scores)) // the last is the AUC below Leadline's
	times := make([]float64, len(t.cases))
	for i := range times {
		times[i] = 1
	}
	for i, s := range t.scores {
		orders[i] = orderBy(s.of)
		plain[i] = orders[i].figures(t.cases, times)
	}
	redraw(len(number), func(often []float64) {
		for i := range times {
			times[i] = often[who[i]]
		}
		var leadline float64
		for i := range orders {
			f := orders[i].figures(t.cases, times)
			if i == 0 {
				leadline = f[0]
			}
			for j, v := range append(f[:], leadline-f[0]) {
				drawn[i][j] = append(drawn[i][j], v)
			}
		}
	})
	for i, p := range plain {
		j := judged{auc: interval(p[0], drawn[i][0]), averagePrecision: interval(p[1], drawn[i][1]), topTenth: interval(p[2], drawn[i][2]),
			leadlineOver: interval(plain[0][0]-p[0], drawn[i][len(p)]), found: orders[i].found(t.cases)}
		for k := range contacted {
			j.caught[k] = interval(p[3+k], drawn[i][3+k])
		}
		out = append(out, j)
	}
	return out, len(number)
}

// order is the cases from the highest score down, equal ones in a group.
type order struct {
	cases []int
	ends  []int // of the groups, in cases
}

func orderBy(scores []float64) (o order) {
	for i := range scores {
		o.cases = append(o.cases, i)
	}
	slices.SortFunc(o.cases, func(a, b int) int { return cmp.Or(cmp.Compare(scores[b], scores[a]), cmp.Compare(a, b)) })
	for i := range o.cases {
		if i+1 == len(o.cases) || scores[o.cases[i]] != scores[o.cases[i+1]] {
			o.ends = append(o.ends, i+1)
		}
	}
	return o
}

// figures measures the order when each case counts so many times. Within a group of equal scores every order is as good: AUC counts half,
// the precision is that of the whole group, and of a group of which only a part is contacted that share is taken. AUC is the
// probability that of two cases the one that slips stands higher (J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a
// receiver operating characteristic curve", Radiology 143, 1982).
func (o *order) figures(cases []slipCase, times []float64) (f figures) {
	var all, slipped float64
	for i, n := range times {
		all += n
		if cases[i].slipped {
			slipped += n
		}
	}
	top := tops{{upTo: all / 10}}
	for i, share := range contacted {
		top[1+i].upTo = share * all
	}
	var above, hits, pairs, precision float64
	from := 0
	for _, end := range o.ends {
		var n, hit, lost float64
		for _, i := range o.cases[from:end] {
			n += times[i]
			if cases[i].slipped {
				hit += times[i]
				lost += times[i] * float64(cases[i].lost)
			}
		}
		from = end
		if n == 0 {
			continue
		}
		pairs += (n - hit) * (hits + hit/2)
		top.take(above, n, hit, lost)
		above, hits = above+n, hits+hit
		precision += hit * hits / above
	}
	f[0] = 0.5
	if slipped > 0 && slipped < all {
		f[0] = pairs / (slipped * (all - slipped))
	}
	f[1] = precision / math.Max(slipped, 1)
	f[2] = top[0].hits / top[0].upTo
	for i := range contacted {
		f[3+i] = top[1+i].lost / top[1+i].upTo
	}
	return f
}

// tops is what is among the first upTo cases.
type tops [1 + len(contacted)]struct{ upTo, hits, lost float64 }

// take adds a group that so many stand above of.
func (t *tops) take(above, n, hits, lost float64) {
	for i := range t {
		share := min(1, (t[i].upTo-above)/n)
		if share > 0 {
			t[i].hits += share * hits
			t[i].lost += share * lost
		}
	}
}

// found is which share of the slipped is among which share of the cases, in steps of a twentieth.
func (o *order) found(cases []slipCase) []Found {
	const steps = 20
	out := []Found{{}}
	var above, hits, slipped float64
	for i := range cases {
		if cases[i].slipped {
			slipped++
		}
	}
	from := 0
	for _, end := range o.ends {
		n, hit := float64(end-from), 0.0
		for _, i := range o.cases[from:end] {
			if cases[i].slipped {
				hit++
			}
		}
		from = end
		for len(out) <= steps {
			share := float64(len(out)) / steps
			upTo := share * float64(len(cases))
			if upTo > above+n {
				break
			}
			out = append(out, Found{share, (hits + hit*(upTo-above)/n) / math.Max(slipped, 1)})
		}
		above, hits = above+n, hits+hit
	}
	return out
}

// calibration is the expected calibration error: the mean distance of probability and observed share over ten bins of equally many
// cases by probability (M. P. Naeini, G. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015).
func calibration(probabilities []float64, cases []slipCase) (sum float64, all []Bin) {
	sorted := orderBy(probabilities).cases
	slices.Reverse(sorted)
	const bins = 10
	for b := range bins {
		in := sorted[b*len(sorted)/bins : (b+1)*len(sorted)/bins]
		var bin Bin
		for _, i := range in {
			bin.Probability += probabilities[i]
			if cases[i].slipped {
				bin.Slipped++
			}
		}
		sum += math.Abs(bin.Probability-bin.Slipped) / float64(len(sorted))
		n := math.Max(1, float64(len(in)))
		all = append(all, Bin{bin.Probability / n, bin.Slipped / n})
	}
	return sum, all
}
