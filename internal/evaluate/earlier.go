package evaluate

import (
	"math"

	"leadline/internal/logistic"
	"leadline/internal/sales"
	"leadline/internal/slipping"
)

// Earlier compares a plain rule with Leadline at the threshold at which Leadline's warnings are right as often: who warns sooner?
type Earlier struct {
	Weeks     int      `json:"weeks"`     // the rule: silent for so many
	Silences  int      `json:"silences"`  // that lasted so long, or could have
	Warnings  int      `json:"warnings"`  // of the rule, one a silence
	Right     int      `json:"right"`     // of those
	Precision Estimate `json:"precision"` // of the rule
	Threshold float64  `json:"threshold"` // of Leadline's probability; 1 where no threshold is as precise
	Leadline  int      `json:"leadline"`  // warnings at that threshold, one a silence
	Own       int      `json:"right_too"` // of those
	// Days is by how many days Leadline's first right warning of a customer comes before the rule's, mean over the Customers whom either
	// warns of rightly. Whoever does not is taken to do so after the last day.
	Customers int      `json:"customers"`
	Days      Estimate `json:"days"`
	// DaysBoth is the mean over the Both of them whom both warn of rightly.
	Both     int      `json:"both"`
	DaysBoth Estimate `json:"days_both"`
}

// plainWeeks are the rules that Leadline is compared with.
var plainWeeks = [...]int{2, 3, 4, 6}

const (
	watchDays  = 60 // before a cut: silences that begin in them are watched
	thresholds = 41 // of the probability, evenly spaced in log-odds
	outermost  = 4  // log-odds of the last of them, and minus those of the first
)

func threshold(i int) float64 {
	return 1 / (1 + math.Exp(outermost-2*outermost*float64(i)/(thresholds-1)))
}

// warning is the first day of a silence on which a rule holds: after how many days of silence, and whether the customer did slip, counted
// from that day. 0 days = it never held.
type warning struct {
	days  int32
	right bool
}

// silence is what the rules say of a customer from a purchase to the next, or to the cut.
type silence struct {
	who      string
	cut      sales.Day
	bought   sales.Day // before it began
	plain    [len(plainWeeks)]warning
	leadline [thresholds]warning
}

// silences watches those that begin in the days before the cut, by a model learned from what came before them. None, if the history is too
// short for a model.
func (m *moment) silences() []silence {
	begin := *m
	begin.at = m.at - watchDays
	model, err := slipping.Learn(begin.examples())
	if err != nil {
		return nil
	}
	var out []silence
	for _, c := range m.all {
		for i := countBefore(c.visits, begin.at); i < len(c.visits) && c.visits[i].Day < m.at; i++ {
			end := m.at
			if i+1 < len(c.visits) {
				end = min(end, c.visits[i+1].Day)
			}
			out = append(out, m.watch(c, c.visits[i].Day, end, model))
		}
	}
	return out
}

// watch looks at the customer at the start of each day after the purchase, until that of the end.
func (m *moment) watch(c *customer, bought, end sales.Day, model *logistic.Model) silence {
	s := silence{who: c.id, cut: m.at, bought: bought}
	next := 0 // threshold that has not been reached
	for day := bought + 1; day <= end; day++ {
		k, ok := m.look(c, m.question, day)
		if !ok {
			continue
		}
		now := warning{int32(day - bought), k.slipped}
		for i, weeks := range plainWeeks {
			if s.plain[i].days == 0 && int(now.days) >= 7*weeks {
				s.plain[i] = now
			}
		}
		for p := model.Probability(m.question.Features(&k.past)); next < thresholds && p >= threshold(next); next++ {
			s.leadline[next] = now
		}
	}
	return s
}

// lead is how a threshold compares with the rule.
type lead struct{ warnings, right, either, days, both, daysBoth float64 }

// earlySums are one customer's counts, or all customers' together.
type earlySums struct {
	warnings, right float64
	own             [thresholds]lead
}

// earlier compares Leadline with each of the plain rules, with intervals by customers drawn anew.
func (t *trial) earlier() (out []Earlier) {
	for i, weeks := range plainWeeks {
		of, silences := t.sumsOf(i)
		if silences == 0 {
			continue
		}
		plain := total(of, nil)
		at := plain.threshold()
		own := plain.own[min(at, thresholds-1)]
		e := Earlier{Weeks: weeks, Silences: silences, Warnings: int(plain.warnings), Right: int(plain.right), Threshold: 1,
			Customers: int(own.either), Both: int(own.both)}
		if at < thresholds {
			e.Threshold, e.Leadline, e.Own = threshold(at), int(own.warnings), int(own.right)
		}
		var precision, days, both []float64
		redraw(len(of), func(times []float64) {
			drawn := total(of, times)
			p, d, b := drawn.compare()
			precision, days, both = append(precision, p), append(days, d), append(both, b)
		})
		p, d, b := plain.compare()
		e.Precision, e.Days, e.DaysBoth = interval(p, precision), interval(d, days), interval(b, both)
		out = append(out, e)
	}
	return out
}

// sumsOf counts for the i-th rule, by customer, over the silences that could have lasted the rule's days before the cut.
func (t *trial) sumsOf(i int) (of []*earlySums, silences int) {
	place := map[string]*earlySums{}
	for from := 0; from < len(t.silences); {
		upTo := from + 1
		for upTo < len(t.silences) && t.silences[upTo].who == t.silences[from].who && t.silences[upTo].cut == t.silences[from].cut {
			upTo++
		}
		who := t.silences[from].who
		if place[who] == nil {
			place[who] = &earlySums{}
			of = append(of, place[who])
		}
		silences += place[who].add(t.silences[from:upTo], i)
		from = upTo
	}
	return of, silences
}

// add counts a customer's silences before one cut.
func (sum *earlySums) add(all []silence, i int) (silences int) {
	never := all[0].cut + 1
	first := never // right warning of the rule
	var own [thresholds]sales.Day
	for j := range own {
		own[j] = never
	}
	for k := range all {
		s := &all[k]
		if int(s.cut-s.bought) < 7*plainWeeks[i] {
			continue
		}
		silences++
		rule := s.plain[i]
		if rule.days > 0 {
			sum.warnings++
		}
		if rule.right {
			sum.right++
			first = min(first, s.bought+sales.Day(rule.days))
		}
		for j, w := range s.leadline {
			if w.days > 0 {
				sum.own[j].warnings++
			}
			if w.right {
				sum.own[j].right++
				own[j] = min(own[j], s.bought+sales.Day(w.days))
			}
		}
	}
	for j, day := range own {
		if day == never && first == never {
			continue
		}
		sum.own[j].either++
		sum.own[j].days += float64(first - day)
		if day < never && first < never {
			sum.own[j].both++
			sum.own[j].daysBoth += float64(first - day)
		}
	}
	return silences
}

// total adds up customers, each so many times; nil = once.
func total(of []*earlySums, times []float64) (sum earlySums) {
	for i, s := range of {
		n := 1.0
		if times != nil {
			n = times[i]
		}
		if n == 0 {
			continue
		}
		sum.warnings += n * s.warnings
		sum.right += n * s.right
		for j := range s.own {
			to, l := &sum.own[j], &s.own[j]
			to.warnings += n * l.warnings
			to.right += n * l.right
			to.either += n * l.either
			to.days += n * l.days
			to.both += n * l.both
			to.daysBoth += n * l.daysBoth
		}
	}
	return sum
}

// threshold is the lowest at which Leadline's warnings are right as often as the rule's; thresholds if there is none.
func (sum *earlySums) threshold() int {
	for i, own := range sum.own {
		if own.warnings > 0 && own.right*sum.warnings >= sum.right*own.warnings {
			return i
		}
	}
	return thresholds
}

// compare gives the rule's precision, and by how many days Leadline is earlier over the customers whom either finds and over those whom both
// do. Where no threshold is as precise, the highest stands for it.
func (sum *earlySums) compare() (precision, days, both float64) {
	own := sum.own[min(sum.threshold(), thresholds-1)]
	return sum.right / math.Max(1, sum.warnings), own.days / math.Max(1, own.either), own.daysBoth / math.Max(1, own.both)
}
