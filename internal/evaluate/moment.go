package evaluate

import (
	"fmt"
	"iter"

	"leadline/internal/activity"
	"leadline/internal/logistic"
	"leadline/internal/sales"
	"leadline/internal/slipping"
)

// moment is a cut with what is known before it. Only cases look beyond, for the labels.
type moment struct {
	at       sales.Day
	first    sales.Day // of the history
	question slipping.Question
	minDays  int
	label    Label
	all      []*customer
}

// slipCase is a customer at the cut, and what came of it.
type slipCase struct {
	id      string
	past    slipping.Past
	touches []touch
	slipped bool
	lost    int64
}

const (
	exampleEvery = 10      // days between the earlier cuts that are learned from
	mostExamples = 200_000 // more teach little and cost time; then every so many are taken
	mostBuyers   = 50_000  // the same for MBG/NBD's population
)

// try scores the customers asked about at the cut.
func (m *moment) try() (*trial, error) {
	t := &trial{}
	slipped := 0
	for _, c := range m.all {
		k, ok := m.look(c, m.question, m.at)
		if !ok {
			continue
		}
		t.cases = append(t.cases, k)
		if k.slipped {
			slipped++
		}
	}
	if slipped == 0 || slipped == len(t.cases) {
		return nil, fmt.Errorf("%d of %d customers slipped: there is nothing to tell apart", slipped, len(t.cases))
	}
	for _, s := range scorers() {
		of, err := s.score(m, t)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		t.scores = append(t.scores, scored{s, of})
	}
	t.silences = m.silences()
	return t, nil
}

// look is the customer at the start of a day, with what came of it within the question's horizon.
func (m *moment) look(c *customer, q slipping.Question, at sales.Day) (slipCase, bool) {
	past, ok := q.See(c.visits, at)
	if !ok {
		return slipCase{}, false
	}
	window := q.InWindow(&past)
	if window < m.minDays {
		return slipCase{}, false
	}
	came, spent := c.ahead(at, at+sales.Day(q.HorizonDays))
	k := slipCase{id: c.id, past: past, touches: c.touches, slipped: came == 0}
	if m.label == Halved {
		k.slipped = q.Halved(window, came)
	}
	if usual := past.Spent(q.WindowDays) * int64(q.HorizonDays) / int64(q.WindowDays); k.slipped && usual > spent {
		k.lost = usual - spent
	}
	return k, true
}

// ahead counts the purchase days of [from, to), and what was spent on them.
func (c *customer) ahead(from, to sales.Day) (days int, minor int64) {
	bought := c.visits[countBefore(c.visits, from):countBefore(c.visits, to)]
	for _, v := range bought {
		minor += v.SpentMinor
	}
	return len(bought), minor
}

// examples are customers at earlier moments, evenly thinned if there are too many.
func (m *moment) examples() []logistic.Example {
	all := 0
	for range m.earlier() {
		all++
	}
	taken := min(all, mostExamples)
	out := make([]logistic.Example, 0, taken)
	i := 0
	for q, k := range m.earlier() {
		if i++; i*taken/all > len(out) {
			out = append(out, logistic.Example{Features: q.Features(&k.past), Came: k.slipped})
		}
	}
	return out
}

// earlier gives the customers at moments whose horizon ends before this one begins. Shorter horizons are learned from too: they show
// what has become of customers of whom the whole horizon is not known yet, and what tells is much the same.
func (m *moment) earlier() iter.Seq2[slipping.Question, slipCase] {
	return func(yield func(slipping.Question, slipCase) bool) {
		for _, days := range horizons(m.question.HorizonDays) {
			q := slipping.Question{WindowDays: m.question.WindowDays, HorizonDays: days}
			for day := m.at - sales.Day(days); day >= m.first+sales.Day(q.WindowDays); day -= exampleEvery {
				for _, c := range m.all {
					if k, ok := m.look(c, q, day); ok && !yield(q, k) {
						return
					}
				}
			}
		}
	}
}

// horizons are the question's own and two shorter ones.
func horizons(days int) []int {
	out := []int{days}
	for _, shorter := range []int{days * 2 / 3, days / 3} {
		if shorter >= exampleEvery {
			out = append(out, shorter)
		}
	}
	return out
}

// everyone is how many customers bought on each day before the cut.
func (m *moment) everyone() *activity.Index {
	days := make([]float64, m.at-m.first)
	for _, c := range m.all {
		for _, v := range c.visits {
			if v.Day < m.at {
				days[v.Day-m.first]++
			}
		}
	}
	x := activity.NewIndex()
	for i := len(days) - 1; i >= 0; i-- { // from the last, so that nothing is summed twice
		x.Set(m.first+sales.Day(i), days[i], true)
	}
	return x
}

// buyers are all who had bought before the cut, as MBG/NBD sees them.
func (m *moment) buyers() []slipping.Buyer {
	every := len(m.all)/mostBuyers + 1
	var out []slipping.Buyer
	for i := 0; i < len(m.all); i += every {
		if b, ok := slipping.BuyerOf(m.all[i].visits, m.at); ok {
			out = append(out, b)
		}
	}
	return out
}

// population is what an analyst has learned by the cut of how customers come and leave: from those who have come to an age.
func (m *moment) population() slipping.Population {
	cells := slipping.Cells{}
	var days []sales.Day
	for _, c := range m.all {
		if len(c.visits) == 0 {
			continue
		}
		days = days[:0]
		for _, v := range c.visits {
			days = append(days, v.Day)
		}
		for _, age := range slipping.Ages {
			if came := days[0] + age; came < m.at {
				cell := slipping.CellOf(days[0], days, age)
				cells.Add(&sales.Cell{Row: cell.Row(), Col: cell.Col(), Bucket: slipping.Block(came), N: 1})
			}
		}
	}
	if learned, ok := cells.Learn(m.at); ok {
		return learned.Population
	}
	return slipping.Usual
}
