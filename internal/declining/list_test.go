package declining

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// shopper is a customer with the window that its history was packed from.
type shopper struct {
	Customer
	window *window.Window
}

func drawShoppers(t *rapid.T, items *window.Items) []shopper {
	var all []shopper
	packer := new(Packer)
	for i := range rapid.IntRange(1, 12).Draw(t, "customers") {
		s := shopper{Customer{ID: fmt.Sprint("c", i), OwnerID: rapid.SampledFrom([]string{"", "rep1", "rep2"}).Draw(t, "owner"),
			Currency: rapid.SampledFrom([]string{"EUR", "USD"}).Draw(t, "currency"), Segments: rapid.SampledFrom([][]Segment{nil, {1, 3}, {2}}).Draw(t, "segments")}, drawWindow(t, 30)}
		s.History = packer.Pack(s.window, items)
		all = append(all, s)
	}
	return all
}

func question() Question {
	return Question{Baseline: Window{20_000, 20_017}, Recent: Window{20_018, 20_029}, HorizonDays: 90, Margin: 0.3}
}

func listOf(q Question, f Filter, by Sort, shoppers []shopper, parts int) *List {
	all := make([]*Part, parts)
	for i := range all {
		all[i] = NewPart(&q, 0, 1)
	}
	for i := range shoppers {
		all[i%parts].Add(&shoppers[i].Customer)
	}
	return Count(q, all).List(q, f, by)
}

// exact is P(X <= k | n, share) in exact arithmetic.
func exact(k, n int32, share *big.Rat) float64 {
	rest, sum := new(big.Rat).Sub(big.NewRat(1, 1), share), new(big.Rat)
	for i := range k + 1 {
		term := new(big.Rat).SetInt(new(big.Int).Binomial(int64(n), int64(i)))
		for range i {
			term.Mul(term, share)
		}
		for range n - i {
			term.Mul(term, rest)
		}
		sum.Add(sum, term)
	}
	p, _ := sum.Float64()
	return p
}

// The list against one made by going through everything once more for each customer.
func TestListAgainstDumb(t *testing.T) {
	t.Parallel()
	items := dictionary(t)
	rapid.Check(t, func(t *rapid.T) {
		shoppers, q := drawShoppers(t, items), question()
		l := listOf(q, Filter{MaxQ: 1}, ByP, shoppers, rapid.IntRange(1, 3).Draw(t, "parts"))
		counts := map[string][2]Tally{}
		var everyone [2]int64
		people := 0
		for _, s := range shoppers {
			both := [2]Tally{dumb(s.window, items, q.Recent, ""), dumb(s.window, items, q.Baseline, "")}
			counts[s.ID] = both
			everyone[0] += int64(both[0].Days)
			everyone[1] += int64(both[1].Days)
			people += min(1, int(both[0].Days+both[1].Days))
		}
		if l.Everyone != (Everyone{people, everyone[0], everyone[1]}) {
			t.Fatalf("everyone: %+v, want %d customers, %v days", l.Everyone, people, everyone)
		}
		type verdict struct{ p, q float64 }
		all := map[string]verdict{}
		fell := map[string]bool{}
		for id, c := range counts {
			if c[1].Days == 0 {
				if c[0].Days > 0 {
					all[id] = verdict{p: 1}
				}
				continue
			}
			w := [2]int64{everyone[0] - int64(c[0].Days), everyone[1] - int64(c[1].Days)}
			if w[0] == 0 || w[1] == 0 {
				w = [2]int64{12, 18}
			}
			all[id] = verdict{p: exact(c[0].Days, c[0].Days+c[1].Days, big.NewRat(w[0], w[0]+w[1]))}
			fell[id] = int64(c[0].Days)*w[1] < int64(c[1].Days)*w[0]
		}
		for id, v := range all {
			v.q = 1
			for _, other := range all {
				if other.p < v.p*(1-1e-9) {
					continue
				}
				rank := 0
				for _, third := range all {
					if third.p <= other.p*(1+1e-9) {
						rank++
					}
				}
				v.q = min(v.q, other.p*float64(len(all))/float64(rank))
			}
			all[id] = v
		}
		listed := map[string]bool{}
		for i := range l.Len() {
			r, v := l.At(i)
			id := r.Customer.ID
			listed[id] = true
			if diff := gocmp.Diff(counts[id], [2]Tally{r.Recent, r.Baseline}); diff != "" {
				t.Fatalf("%s: -dumb +list\n%s", id, diff)
			}
			if math.Abs(v.P-all[id].p) > 1e-9*v.P || math.Abs(v.Q-all[id].q) > 1e-6*v.Q {
				t.Fatalf("%s: p %g, q %g, want %+v", id, v.P, v.Q, all[id])
			}
		}
		for id := range counts {
			if listed[id] != fell[id] {
				t.Fatalf("%s: listed %v, its rate fell %v", id, listed[id], fell[id])
			}
		}
	})
}

type line struct {
	id   string
	row  Row
	p, q float64
}

func lines(l *List) []line {
	var out []line
	l.Reach(l.Len())
	for i := range l.Len() {
		r, v := l.At(i)
		out = append(out, line{r.Customer.ID, Row{Recent: r.Recent, Baseline: r.Baseline, LastDay: r.LastDay, AtRiskMinor: r.AtRiskMinor}, v.P, v.Q})
	}
	return out
}

// However customers are ordered and divided, the list is the same; read in pages it is the whole, also when it was made anew in between.
func TestOrderIsTotalAndPagesJoin(t *testing.T) {
	t.Parallel()
	items := dictionary(t)
	rapid.Check(t, func(t *rapid.T) {
		shoppers, q := drawShoppers(t, items), question()
		query := &Query{Question: q, Filter: Filter{MaxQ: 1}, Sort: rapid.SampledFrom(Sorts()).Draw(t, "sort")}
		whole := listOf(q, query.Filter, query.Sort, shoppers, 1)
		want := lines(whole)
		var paged []line
		for limit := rapid.IntRange(1, 4).Draw(t, "limit"); ; {
			l := listOf(q, query.Filter, query.Sort, rapid.Permutation(shoppers).Draw(t, "order"), rapid.IntRange(1, 3).Draw(t, "parts"))
			if diff := gocmp.Diff(want, lines(l), gocmp.AllowUnexported(line{})); diff != "" {
				t.Fatalf("another order of customers:\n%s", diff)
			}
			from := 0
			c, ok, err := query.From()
			if err != nil {
				t.Fatal(err)
			} else if ok {
				from = l.After(c.Mark)
			}
			to := min(from+limit, l.Len())
			paged = append(paged, lines(l)[from:to]...)
			if to == l.Len() {
				break
			}
			query.Cursor = Cursor{List: 7, Mark: l.Mark(to - 1)}.Text(query)
		}
		if diff := gocmp.Diff(want, paged, gocmp.AllowUnexported(line{})); diff != "" {
			t.Fatalf("pages do not join:\n%s", diff)
		}
		for i := 1; i < whole.Len(); i++ {
			a, v := whole.At(i - 1)
			b, w := whole.At(i)
			wrong := map[Sort]bool{ByRisk: a.Customer.Currency == b.Customer.Currency && a.AtRiskMinor < b.AtRiskMinor, ByP: v.P > w.P,
				ByRatio: v.Ratio > w.Ratio, ByLast: a.LastDay > b.LastDay}
			if wrong[query.Sort] {
				t.Fatalf("by %s: %+v before %+v", query.Sort, a, b)
			}
		}
	})
}

// A filter leaves rows out and changes none; sums are those of the rows, each currency apart.
func TestFiltersChangeNoFigure(t *testing.T) {
	t.Parallel()
	items := dictionary(t)
	rapid.Check(t, func(t *rapid.T) {
		shoppers, q := drawShoppers(t, items), question()
		f := Filter{MaxQ: rapid.SampledFrom([]float64{0.2, 0.7, 1}).Draw(t, "q"), OwnerID: rapid.SampledFrom([]string{"", "rep1"}).Draw(t, "owner"),
			Currency: rapid.SampledFrom([]string{"", "EUR"}).Draw(t, "currency"), MinAtRiskMinor: rapid.Int64Range(0, 800).Draw(t, "min")}
		if rapid.Bool().Draw(t, "segment") {
			f.Segment = 3
		}
		owners := map[string]*Customer{}
		for i := range shoppers {
			owners[shoppers[i].ID] = &shoppers[i].Customer
		}
		var want []line
		sums := map[string]*Sum{}
		for _, x := range lines(listOf(q, Filter{MaxQ: 1}, ByLast, shoppers, 1)) {
			c := owners[x.id]
			if x.q <= f.MaxQ && (f.OwnerID == "" || f.OwnerID == c.OwnerID) && (f.Currency == "" || f.Currency == c.Currency) &&
				x.row.AtRiskMinor >= f.MinAtRiskMinor && (f.Segment == 0 || len(c.Segments) == 2) {
				want = append(want, x)
				if sums[c.Currency] == nil {
					sums[c.Currency] = &Sum{Currency: c.Currency}
				}
				sums[c.Currency].Customers++
				sums[c.Currency].AtRiskMinor += x.row.AtRiskMinor
			}
		}
		l := listOf(q, f, ByLast, shoppers, 1)
		if diff := gocmp.Diff(want, lines(l), gocmp.AllowUnexported(line{})); diff != "" {
			t.Fatalf("%+v:\n%s", f, diff)
		}
		for _, s := range l.Sums {
			if *sums[s.Currency] != s {
				t.Fatalf("sum %+v, want %+v", s, sums[s.Currency])
			}
		}
		if len(l.Sums) != len(sums) || !slices.IsSortedFunc(l.Sums, func(a, b Sum) int { return cmp.Compare(b.Customers, a.Customers) }) {
			t.Fatalf("sums %+v, want %+v", l.Sums, sums)
		}
	})
}

// A customer who stops is ranked by what it used to spend, and one whom the season explains is not found.
func TestASeasonIsNoFall(t *testing.T) {
	t.Parallel()
	items := dictionary(t)
	var shoppers []shopper
	add := func(id string, minor int64, days ...int) {
		w := &window.Window{}
		for _, d := range days {
			w.Add(20_000+sales.Day(d), 0, 1, minor)
			w.AddOrder(window.Order{Day: 20_000 + sales.Day(d), Event: uint64(d)})
		}
		shoppers = append(shoppers, shopper{Customer{ID: id, Currency: "EUR", History: new(Packer).Pack(w, items)}, w})
	}
	every := func(step, from, to int) (days []int) {
		for d := from; d < to; d += step {
			days = append(days, d)
		}
		return days
	}
	for i := range 40 { // everybody buys half as often in the recent window
		add(fmt.Sprint("usual", i), 1000, append(every(5, 0, 100), every(10, 100+i%10, 130)...)...)
	}
	add("stopped", 5000, every(2, 0, 100)...)
	q := Question{Baseline: Window{20_000, 20_099}, Recent: Window{20_100, 20_129}, HorizonDays: 90, Margin: 1}
	l := listOf(q, Filter{MaxQ: 0.05}, ByRisk, shoppers, 2)
	if l.Len() != 1 {
		t.Fatalf("%d customers are found: %+v", l.Len(), lines(l))
	}
	r, v := l.At(0)
	want := []Reason{
		{"fewer_purchase_days", "Bought on 0 days of 30, after 50 of the 100 before; 7.5 were to be expected as everyone else bought."},
		{"beyond_chance", "Chance alone makes so deep a fall once in 1000 times; it stands out among all 41 customers."},
		{"last_purchase", "Last bought on 2025-01-10, 31 days before the end of the window."},
	}
	got := l.Reasons(r, v)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("p %g q %g: %s", v.P, v.Q, diff)
	}
}
