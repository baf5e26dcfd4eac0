package declining

import (
	"math"

	"leadline/internal/sales"
)

// Row is one customer's answer.
type Row struct {
	Customer         *Customer
	Recent, Baseline Tally
	LastDay          sales.Day // the newest kept day on which anything of the question was bought, whether in a window or after both
	AtRiskMinor      int64     // margin that is missing over the horizon if nothing changes, in the customer's currency; never below 0
}

// Part is what one question finds among some of the customers, all of them from one shard, whose dictionary numbers the categories. A Part
// belongs to one goroutine.
type Part struct {
	question *Question
	category int32
	rows     []Row
	usual    frequency
	spends   map[string]*spend
}

// NewPart begins a part of about so many customers. Number is the question's category in the shard's dictionary; a shard that does not know it has nothing to add.
// Without a category number is ignored.
func NewPart(q *Question, number int32, customers int) *Part {
	p := &Part{question: q, category: number, rows: make([]Row, 0, customers), spends: map[string]*spend{}}
	if q.Category == "" {
		p.category = allCategories
	}
	return p
}

// Add counts a customer. One with no purchase day in either window takes no part.
func (p *Part) Add(c *Customer) {
	row := Row{Customer: c}
	total, squares := uint64(0), wide{}
	q := p.question
	c.History.visit(p.category, func(day sales.Day, orders int32, bought bool, minor int64) {
		if bought {
			row.LastDay = day
		}
		switch {
		case q.Recent.holds(day):
			row.Recent.add(orders, bought, minor)
		case q.Baseline.holds(day):
			row.Baseline.add(orders, bought, minor)
			if bought {
				spent := dayOfSpend(minor)
				total += spent
				squares.add(square(spent))
			}
		}
	})
	if row.Recent.Days+row.Baseline.Days == 0 {
		return
	}
	p.rows = append(p.rows, row)
	p.usual.add(row.Baseline.Days)
	if row.Baseline.Days == 0 {
		return
	}
	s := p.spends[c.Currency]
	if s == nil {
		s = &spend{}
		p.spends[c.Currency] = s
	}
	s.add(row.Baseline.Days, total, squares)
}

func (t *Tally) add(orders int32, bought bool, minor int64) {
	t.Orders += orders
	if bought {
		t.Days++
		t.SpentMinor = saturating(t.SpentMinor, minor)
	}
}

// Everyone is all customers together.
type Everyone struct {
	Customers    int // with a purchase day in either window: over so many q controls
	RecentDays   int64
	BaselineDays int64
}

// study is all parts of a question together.
type study struct {
	question *Question
	everyone Everyone
	verdicts []*Verdict // by counts of days, as place has it; nil where nobody has them
	counts   []int      // customers who have them
	width    int
	usual    frequency
	rates    map[string]credibility
}

// newStudy looks at everybody.
func newStudy(q *Question, parts []*Part) *study {
	s := &study{question: q, width: q.Baseline.Days() + 1, rates: map[string]credibility{}}
	s.counts = make([]int, s.width*(q.Recent.Days()+1))
	spends := map[string]*spend{}
	for _, p := range parts {
		s.usual.merge(p.usual)
		for currency, of := range p.spends {
			if spends[currency] == nil {
				spends[currency] = &spend{}
			}
			spends[currency].merge(of)
		}
		s.everyone.Customers += len(p.rows)
		for i := range p.rows {
			r := &p.rows[i]
			s.everyone.RecentDays += int64(r.Recent.Days)
			s.everyone.BaselineDays += int64(r.Baseline.Days)
			s.counts[s.place(r)]++
		}
	}
	for currency, of := range spends {
		s.rates[currency] = of.credibility()
	}
	s.judge()
	return s
}

func (s *study) place(r *Row) int { return int(r.Recent.Days)*s.width + int(r.Baseline.Days) }

// judge makes the verdict of each pair of counts that somebody has.
func (s *study) judge() {
	s.verdicts = make([]*Verdict, len(s.counts))
	ties := make([]*tied, len(s.counts))
	var all []*tied
	for at, n := range s.counts {
		if n == 0 {
			continue
		}
		recent, base := int32(at/s.width), int32(at%s.width)
		v := Verdict{P: 1, Q: 1, Ratio: math.Inf(1), recent: recent, base: base}
		if base > 0 {
			v = judge(recent, base, s.weights(recent, base))
		}
		s.verdicts[at], ties[at] = &v, &tied{p: v.P, n: n}
		all = append(all, ties[at])
	}
	control(all)
	for at, t := range ties {
		if t != nil {
			s.verdicts[at].Q = t.q
		}
	}
}

// fallen is how many customers' rates fell at such a q.
func (s *study) fallen(maxQ float64) (n int) {
	for at, v := range s.verdicts {
		if v != nil && v.Ratio < 1 && v.Q <= maxQ {
			n += s.counts[at]
		}
	}
	return n
}

// weights leaves out the customers' own days.
func (s *study) weights(recent, base int32) weights {
	others := weights{float64(s.everyone.RecentDays - int64(recent)), float64(s.everyone.BaselineDays - int64(base))}
	if others.recent <= 0 || others.baseline <= 0 {
		return weights{float64(s.question.Recent.Days()), float64(s.question.Baseline.Days())}
	}
	return others
}

// atRisk is margin × horizon × (shrunk baseline spend a day − recent spend a day), where recent days count as what everyone's
// activity makes of them: in a slack season a recent day is a part of one.
func (s *study) atRisk(r *Row, v *Verdict, q *Question) int64 {
	days := float64(q.Baseline.Days())
	before := s.usual.shrunk(r.Baseline.Days) * s.rates[r.Customer.Currency].shrunk(r.Baseline.Days, r.Baseline.SpentMinor) / days
	now := float64(r.Recent.SpentMinor) / (days * v.weights.recent / v.weights.baseline)
	risk := math.Round(q.Margin * float64(q.HorizonDays) * (before - now))
	switch {
	case !(risk > 0):
		return 0
	case risk >= math.MaxInt64:
		return math.MaxInt64
	}
	return int64(risk)
}
