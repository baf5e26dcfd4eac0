package evaluate

import (
	"cmp"
	"math"
	"slices"

	"leadline/internal/logistic"
	"leadline/internal/sales"
)

// Calibration says how the probabilities that Leadline gives its offers at a cut came true, for everybody who bought in the horizon before
// it, whether they bought anything new after it or not.
type Calibration struct {
	LearnedFrom string `json:"learned_from"` // the earlier question's day
	LearnedDays int    `json:"learned_days"` // its horizon; of a shorter one than the cut's the chances are extended
	Judged
}

// Judged is probabilities of offers beside what became of them.
type Judged struct {
	Customers int        `json:"customers"`
	Offers    int        `json:"offers"`
	Said      float64    `json:"said"`  // mean probability
	Taken     Estimate   `json:"taken"` // share that was taken
	ECE       Estimate   `json:"ece"`
	Bins      []OfferBin `json:"bins"` // offers by probability, as many in each
}

// OfferBin is offers of like probability.
type OfferBin struct {
	Offers int      `json:"offers"`
	Low    float64  `json:"low"` // probabilities from
	High   float64  `json:"high"`
	Said   float64  `json:"said"`  // mean of them
	Taken  Estimate `json:"taken"` // what became of them
}

const calibrationBins = 10

// chances says how likely an offer is taken, learned from the offers of an earlier question.
type chances struct {
	at    *question
	model *logistic.Model
	power float64 // how the hazard grows with the horizon: with it to this power, 1 at the same rate all the time
}

// learnChances asks earlier, so that the answers lie before the cut: by the cut's horizon if the history before it is three times as long, else by a third
// of that. It gives nil where that teaches nothing.
func (h *History) learnChances(all []*customer, cut Cut, window sales.Day, minBuyers, offers int) *chances {
	days := min(sales.Day(cut.HorizonDays), (cut.Day-h.first)/3)
	if days < 1 {
		return nil
	}
	earlier, err := h.ask(all, cut.Day-days, days, window, minBuyers)
	if err != nil {
		return nil
	}
	var examples []logistic.Example
	whole, half := 0.0, 0.0
	for o := range earlier.offers(offers) {
		examples = append(examples, logistic.Example{Features: earlier.features(&o), Came: o.relevant[o.item]})
		if o.relevant[o.item] {
			whole++
			if earlier.buys(o.customer, o.item, cut.Day-days, cut.Day-days/2) {
				half++
			}
		}
	}
	model, err := logistic.Learn(examples, nil, 1)
	if err != nil {
		return nil
	}
	c := &chances{earlier, model, 1}
	if n := float64(len(examples)); half > 0 && whole < n {
		c.power = math.Log(math.Log1p(-whole/n)/math.Log1p(-half/n)) / math.Log(float64(days)/float64(days-days/2))
	}
	return c
}

// buys tells whether the customer buys the item in [from, to).
func (q *question) buys(c *customer, item int32, from, to sales.Day) bool {
	return slices.ContainsFunc(c.between(from, to), func(b bought) bool { return q.dense[b.item] == item })
}

// offer is one of Leadline's offers to a case.
type offer struct {
	*kase
	item  int32
	rank  int
	score float64
}

// offers gives Leadline's first n to everybody who bought in the horizon before.
func (q *question) offers(n int) func(yield func(offer) bool) {
	return func(yield func(offer) bool) {
		scores := make([]float64, q.n)
		for _, ks := range [][]kase{q.cases, q.idle} {
			for i := range ks {
				k := &ks[i]
				scoreLeadline(q, k, scores)
				clear(k.parts)
				for rank, item := range k.best(scores, n) {
					if !yield(offer{k, item, rank, scores[item]}) {
						return
					}
				}
			}
		}
	}
}

// features are what tells whether an offer is taken: how often the customer comes, how popular the item is and whether its season is, what
// the ranker found, and what the customer used to buy.
func (q *question) features(o *offer) []float64 {
	return []float64{math.Log((float64(o.days) + 0.5) / float64(q.horizon)), math.Log(q.buyers[o.item] / float64(q.people)),
		math.Log(q.trend(int(o.item))), o.score, float64(o.rank), math.Log1p(o.earlier[o.item])}
}

// probability is that of the offer at a cut. What was learned of a shorter horizon is extended by how the first half of that went on to the
// whole.
func (c *chances) probability(q *question, o *offer) float64 {
	p := c.model.Probability(q.features(o))
	return 1 - math.Pow(1-p, math.Pow(float64(q.horizon)/float64(c.at.horizon), c.power))
}

// Said is an offer's probability and what became of it.
type Said struct {
	Customer    int // a number below that of the customers
	Probability float64
	Taken       float64 // 1 or 0
}

// calibration judges the probabilities of the offers at the cut.
func (q *question) calibration(c *chances, offers int) *Calibration {
	var all []Said
	var last *kase
	customers := 0
	for o := range q.offers(offers) {
		if o.kase != last {
			last = o.kase
			customers++
		}
		s := Said{Customer: customers - 1, Probability: c.probability(q, &o)}
		if o.relevant[o.item] {
			s.Taken = 1
		}
		all = append(all, s)
	}
	return &Calibration{LearnedFrom: c.at.cut.String(), LearnedDays: int(c.at.horizon), Judged: Judge(all, customers)}
}

// Judge makes bins of equally many offers by probability. The expected calibration error is the mean distance of probability and share over
// them (M. P. Naeini, G. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015); intervals
// are by customers drawn anew, all offers of one together. Chance alone makes the error of drawn ones larger, so its interval lies high.
func Judge(all []Said, customers int) Judged {
	slices.SortStableFunc(all, func(a, b Said) int { return cmp.Compare(a.Probability, b.Probability) })
	type sums struct{ n, p, taken float64 }
	by := make([][calibrationBins]sums, customers)
	out := Judged{Customers: customers, Offers: len(all)}
	for b := range calibrationBins {
		in := all[b*len(all)/calibrationBins : (b+1)*len(all)/calibrationBins]
		if len(in) == 0 {
			continue
		}
		bin := OfferBin{Offers: len(in), Low: in[0].Probability, High: in[len(in)-1].Probability}
		for _, s := range in {
			at := &by[s.Customer][b]
			at.n, at.p, at.taken = at.n+1, at.p+s.Probability, at.taken+s.Taken
			bin.Said += s.Probability / float64(len(in))
			bin.Taken.Mean += s.Taken / float64(len(in))
		}
		out.Said += bin.Said * float64(bin.Offers) / float64(len(all))
		out.Taken.Mean += bin.Taken.Mean * float64(bin.Offers) / float64(len(all))
		out.ECE.Mean += math.Abs(bin.Said-bin.Taken.Mean) * float64(bin.Offers) / float64(len(all))
		out.Bins = append(out.Bins, bin)
	}
	shares, errs, drawn := []float64{}, []float64{}, make([][]float64, calibrationBins)
	redraw(customers, func(times []float64) {
		var total [calibrationBins]sums
		for i, n := range times {
			for b := range total {
				total[b].n += n * by[i][b].n
				total[b].p += n * by[i][b].p
				total[b].taken += n * by[i][b].taken
			}
		}
		var n, off, taken float64
		for b, s := range total {
			n, off, taken = n+s.n, off+math.Abs(s.p-s.taken), taken+s.taken
			if s.n > 0 {
				drawn[b] = append(drawn[b], s.taken/s.n)
			}
		}
		if n > 0 {
			shares, errs = append(shares, taken/n), append(errs, off/n)
		}
	})
	out.Taken, out.ECE = interval(out.Taken.Mean, shares), interval(out.ECE.Mean, errs)
	drawn = slices.DeleteFunc(drawn, func(shares []float64) bool { return len(shares) == 0 }) // of empty bins
	for b := range out.Bins {
		out.Bins[b].Taken = interval(out.Bins[b].Taken.Mean, drawn[b])
	}
	return out
}
