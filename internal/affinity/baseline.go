package affinity

import (
	"cmp"
	"slices"

	"leadline/internal/sales"
)

// timing is what all links from one antecedent have in common about their times: the life tables of all its consequents.
type timing struct {
	*judgement
	tables []lifeTable
	starts []int64
	byName []int // places in the antecedent's row
}

func (j *judgement) timing(antecedent uint32) *timing {
	t := &timing{judgement: j}
	r := &j.items[antecedent].row
	for i := range r.to {
		t.byName = append(t.byName, i)
	}
	slices.SortFunc(t.byName, func(a, b int) int { return cmp.Compare(j.items[r.to[a]].name, j.items[r.to[b]].name) })
	for i := range r.to {
		table, starts := j.follow(antecedent, r.at(i))
		t.tables, t.starts = append(t.tables, table), append(t.starts, starts)
	}
	return t
}

// tell says when the consequent at the place in the antecedent's row comes.
func (t *timing) tell(l *sales.Link, at int) {
	table := t.tables[at]
	table.setBaseline(t.rhythm(at), 1/l.Lift)
	l.Starts = t.starts[at]
	l.Within30, l.Within90, l.Within180 = table.within(30, t.rules.WindowDays), table.within(90, t.rules.WindowDays), table.within(180, t.rules.WindowDays)
	l.Curve, l.BaseCurve = table.curves()
	l.CallFrom, l.CallTo = table.callDays()
}

const (
	alike  = 4  // times as often, or a fraction as often, is about as often
	steady = 10 // comings a week that even steadiness is credited with
)

// rhythm is how much likelier than usual things come in each week after the antecedent's start, whatever things: activity rises and falls
// with the time since a purchase. It is taken from the antecedent's other consequents that come about as often, because what comes
// to nearly all comes early, and only to the less active later.
func (t *timing) rhythm(at int) (rhythm [LagWeeks]float64) {
	var came, expected [LagWeeks]float64
	pace := t.tables[at].pace()
	for _, i := range t.byName {
		other := &t.tables[i]
		p := other.pace()
		if i == at || p < pace/alike || p > pace*alike {
			continue
		}
		for week := range other.weeks {
			came[week] += other.came[week]
			expected[week] += p * other.atRisk[week]
		}
	}
	for week := range rhythm {
		rhythm[week] = (came[week] + steady) / (expected[week] + steady)
	}
	return rhythm
}

// pace is the mean chance of a week.
func (t *lifeTable) pace() float64 {
	var came, atRisk float64
	for week := range t.weeks {
		came += t.came[week]
		atRisk += t.atRisk[week]
	}
	if atRisk <= 0 {
		return 0
	}
	return came / atRisk
}

// setBaseline finds the chances of weeks, in the rhythm, with which so large a part of what came would have come.
func (t *lifeTable) setBaseline(rhythm [LagWeeks]float64, part float64) {
	var want float64
	for _, n := range t.came {
		want += part * n
	}
	low, high := 0.0, 1.0
	for range 50 {
		middle := (low + high) / 2
		if t.setChances(rhythm, middle) < want {
			low = middle
		} else {
			high = middle
		}
	}
}

// setChances sets the baseline to the rhythm times a chance, and tells how many it would have come to.
func (t *lifeTable) setChances(rhythm [LagWeeks]float64, chance float64) (came float64) {
	waits, baseWaits := 1.0, 1.0
	for week := range t.weeks {
		t.baseline[week] = min(1, chance*rhythm[week])
		if waits > 0 {
			came += t.atRisk[week] / waits * baseWaits * t.baseline[week]
		}
		waits *= 1 - t.hazard(week)
		baseWaits *= 1 - t.baseline[week]
	}
	return came
}
