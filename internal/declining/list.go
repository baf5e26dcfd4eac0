package declining

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Filter says who of those whose rate fell is shown. It changes nobody's figures.
type Filter struct {
	OwnerID        string  // empty = all, as with Currency
	Segment        Segment // 0 = all
	Currency       string
	MinAtRiskMinor int64 // in each customer's own currency
	MaxQ           float64
}

func (f *Filter) shows(r *Row, v *Verdict) bool {
	return v.Q <= f.MaxQ && r.AtRiskMinor >= f.MinAtRiskMinor &&
		(f.OwnerID == "" || f.OwnerID == r.Customer.OwnerID) && (f.Currency == "" || f.Currency == r.Customer.Currency) &&
		(f.Segment == 0 || slices.Contains(r.Customer.Segments, f.Segment))
}

// asksAll tells whether q alone leaves anybody out.
func (f *Filter) asksAll() bool {
	return f.OwnerID == "" && f.Segment == 0 && f.Currency == "" && f.MinAtRiskMinor == 0
}

// Sort is what a list is ordered by.
type Sort string

// The orders: what comes first.
const (
	ByRisk  Sort = "risk"  // most money at risk; customers of the currency that most are in come first, for currencies do not compare
	ByP     Sort = "p"     // smallest p-value
	ByRatio Sort = "ratio" // deepest fall
	ByLast  Sort = "last"  // longest without a purchase
)

// Sorts lists the orders.
func Sorts() []Sort { return []Sort{ByRisk, ByP, ByRatio, ByLast} }

func (s Sort) key(r *Row, v *Verdict) float64 {
	switch s {
	case ByP:
		return v.P
	case ByRatio:
		return v.Ratio
	case ByLast:
		return float64(r.LastDay)
	default:
		return -float64(r.AtRiskMinor)
	}
}

// Sum is what the shown customers of one currency come to.
type Sum struct {
	Currency    string
	Customers   int
	AtRiskMinor int64
}

// List is the answer to a question: the customers whose rate fell and whom the filter shows, in order.
type List struct {
	Question Question
	Everyone Everyone
	Sums     []Sum // by number of customers, then by currency
	// BeyondChance is how many of them stand out among everybody: so many that at most one in 20 of them has fallen so by chance.
	BeyondChance int

	study *study
	sort  Sort
	rows  []Row
	order order
}

// Counted is what was found of everybody. Lists of it differ in horizon, margin, filter and order, and cost a fraction of the counting. Several
// goroutines may make them.
type Counted struct {
	study *study
	parts []*Part
}

// Count puts all parts of a question together.
func Count(q Question, parts []*Part) *Counted { return &Counted{newStudy(&q, parts), parts} }

// Counting is what of a question its counting hangs on.
type Counting struct {
	Recent, Baseline Window
	Category         string
}

// Counting names the question's counting.
func (q *Question) Counting() Counting { return Counting{q.Recent, q.Baseline, q.Category} }

// List makes a list for a question of the same counting.
func (c *Counted) List(q Question, f Filter, by Sort) *List {
	l := &List{Question: q, sort: by, study: c.study, Everyone: c.study.everyone}
	sums := map[string]*Sum{}
	if f.asksAll() {
		l.rows = make([]Row, 0, l.study.fallen(f.MaxQ))
	}
	for _, p := range c.parts {
		for i := range p.rows {
			v := l.study.verdicts[l.study.place(&p.rows[i])]
			if v.Ratio >= 1 {
				continue
			}
			r := p.rows[i]
			if r.AtRiskMinor = l.study.atRisk(&r, v, &q); !f.shows(&r, v) {
				continue
			}
			l.rows = append(l.rows, r)
			if v.Q <= standsOut {
				l.BeyondChance++
			}
			s := sums[r.Customer.Currency]
			if s == nil {
				s = &Sum{Currency: r.Customer.Currency}
				sums[s.Currency] = s
			}
			s.Customers++
			s.AtRiskMinor = saturating(s.AtRiskMinor, r.AtRiskMinor)
		}
	}
	for _, s := range sums {
		l.Sums = append(l.Sums, *s)
	}
	slices.SortFunc(l.Sums, func(a, b Sum) int {
		return cmp.Or(cmp.Compare(b.Customers, a.Customers), cmp.Compare(a.Currency, b.Currency))
	})
	l.rank()
	return l
}

func (l *List) rank() {
	l.order.all = make([]ranked, len(l.rows))
	for i := range l.rows {
		r := &l.rows[i]
		l.order.all[i] = ranked{l.currencyRank(r.Customer.Currency), int32(i), l.sort.key(r, l.verdict(r))}
	}
	l.order.compare = func(a, b *ranked) int { // what is rarely asked is asked last, and only then
		switch {
		case a.rank != b.rank:
			return cmp.Compare(a.rank, b.rank)
		case a.key < b.key:
			return -1
		case a.key > b.key:
			return 1
		}
		x, y := &l.rows[a.row], &l.rows[b.row]
		if x.AtRiskMinor != y.AtRiskMinor {
			return cmp.Compare(y.AtRiskMinor, x.AtRiskMinor)
		}
		return strings.Compare(x.Customer.ID, y.Customer.ID)
	}
}

// currencyRank is 0 where amounts are not compared, and beyond all for a currency that nobody has.
func (l *List) currencyRank(currency string) int32 {
	if l.sort != ByRisk {
		return 0
	}
	at := slices.IndexFunc(l.Sums, func(s Sum) bool { return s.Currency == currency })
	if at < 0 {
		return math.MaxInt32
	}
	return int32(at)
}

func (l *List) verdict(r *Row) *Verdict { return l.study.verdicts[l.study.place(r)] }

// Len is how many customers are on it.
func (l *List) Len() int { return len(l.rows) }

// Reach puts the first n customers in order. One goroutine at a time may do so, or ask After; meanwhile others may look at places that were reached before.
func (l *List) Reach(n int) { l.order.reach(min(n, l.Len())) }

// At gives the row in a place from 0 on that was reached, and its verdict.
func (l *List) At(place int) (*Row, *Verdict) {
	r := &l.rows[l.order.all[place].row]
	return r, l.verdict(r)
}

// Mark names a row by what it is ordered by, so that reading goes on behind it in a list made later too.
type Mark struct {
	Currency    string
	Key         float64
	AtRiskMinor int64
	CustomerID  string
}

// Mark names the row in a place that was reached.
func (l *List) Mark(place int) Mark {
	r, _ := l.At(place)
	return Mark{r.Customer.Currency, l.order.all[place].key, r.AtRiskMinor, r.Customer.ID}
}

// After is the place of the first row behind the mark.
func (l *List) After(m Mark) int {
	rank := l.currencyRank(m.Currency)
	return l.order.notAfter(func(o *ranked) bool {
		r := &l.rows[o.row]
		return cmp.Or(cmp.Compare(o.rank, rank), cmp.Compare(o.key, m.Key), cmp.Compare(m.AtRiskMinor, r.AtRiskMinor),
			strings.Compare(r.Customer.ID, m.CustomerID)) <= 0
	})
}

// SilentDays is how long before the end of the recent window the last purchase was, 0 if it was on its last day or later.
func (l *List) SilentDays(r *Row) int { return max(0, int(l.Question.Recent.To-r.LastDay)) }
