package evaluate

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"

	"leadline/internal/sales"
	"leadline/internal/simulate"
)

// The closed form against regressions, one item after the other: least squares on all other items, with ridge.
func TestRidgeWeightsAgainstRegressions(t *testing.T) {
	h := random(10, 60, 12, 300)
	all := h.sorted()
	q, err := h.ask(all, begin+200, 60, 120, 3)
	if err != nil {
		t.Fatal(err)
	}
	has := mat.NewDense(len(all), q.n, nil)
	for i, c := range all {
		for _, b := range c.between(0, begin+200) {
			if d := q.dense[b.item]; d >= 0 {
				has.Set(i, int(d), 1)
			}
		}
	}
	for b, name := range q.names {
		// Rows of √ridge times the unit matrix make plain least squares of ridge regression; the item's own column is left out.
		x, y := mat.NewDense(len(all)+q.n, q.n-1, nil), mat.NewVecDense(len(all)+q.n, nil)
		other := func(j int) int { return j + map[bool]int{true: 1}[j >= b] }
		for j := range q.n - 1 {
			for i := range all {
				x.Set(i, j, has.At(i, other(j)))
			}
			x.Set(len(all)+j, j, math.Sqrt(pairsRidge))
		}
		for i := range all {
			y.SetVec(i, has.At(i, b))
		}
		var weights mat.VecDense
		if err := weights.SolveVec(x, y); err != nil {
			t.Fatal(err)
		}
		for i := range q.cases {
			k, want := &q.cases[i], 0.0
			at := slices.Index(all, k.customer)
			for j := range q.n - 1 {
				want += has.At(at, other(j)) * weights.AtVec(j)
			}
			if got := q.ridge(k)[b]; math.Abs(got-want) > 1e-9 {
				t.Fatalf("%s of %s: %v, want %v", name, k.customer.id, got, want)
			}
		}
	}
}

// In a world in which nobody has a taste, and what is planted is all that there is to know, Leadline's offers are taken more often than popular ones,
// and by those who hold what the planted links lead from.
func TestOffersInASimulatedWorld(t *testing.T) {
	w := simulate.Default()
	w.Customers, w.Days, w.Tiers, w.Touches, w.Campaigns = 1_000, 330, nil, 0, nil
	w.Orders.Lines, w.Orders.Types, w.Orders.Zipf = 1, 100, 0
	w.Links = nil
	from := map[string]string{}
	for i := range 20 {
		a, b := fmt.Sprint("from", i), fmt.Sprint("to", i)
		w.Links = append(w.Links, simulate.Link{From: a, To: b, FromShare: 0.2, ToShare: 0.05, Lift: 20, LagDays: 40, LagShape: 2})
		from[b+" / "+b] = a + " / " + a
	}
	h := NewHistory(Merchandise{Level: ByType})
	if _, err := w.Generate(func(e simulate.Event) error {
		switch r := e.Record.(type) {
		case *sales.Product:
			h.Product(r)
		case *sales.Purchase:
			h.Purchase(r)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	q, err := h.ask(h.sorted(), h.First()+260, 60, 120, 10)
	if err != nil {
		t.Fatal(err)
	}
	ms := q.measure(rankers(), 5)
	at := slices.IndexFunc(ms, func(m measured) bool { return m.name == Leadline })
	if over := bootstrap(Minus(ms[at].ndcg, popularity(ms).ndcg)); over.Low <= 0 {
		t.Errorf("over popularity by %v", over)
	}
	led, planted := 0, 0
	for i, offers := range ms[at].offers {
		for _, item := range offers[:5] {
			if a := from[q.names[item]]; a != "" {
				planted++
				if slices.ContainsFunc(q.cases[i].recent, func(r antecedent) bool { return q.names[r.item] == a }) {
					led++
				}
			}
		}
	}
	if planted == 0 || 3*led < planted { // a seventh of the customers hold what a link leads from
		t.Errorf("%d of %d offers of what links lead to were to holders of what they lead from", led, planted)
	}
}
