package evaluate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"leadline/internal/sales"
)

// begin is the first day of the histories here.
const begin sales.Day = 17_000

func newShop(level Level) *History {
	h := NewHistory(Merchandise{Level: level, ExcludeDepartments: []string{"COUPONS"}, ExcludeCategories: []string{"BAGS"}})
	for _, p := range []sales.Product{
		{ProductID: "p1", Category: "PASTA", Type: "SPAGHETTI"}, {ProductID: "p2", Category: "PASTA", Type: "PENNE"},
		{ProductID: "p3", Category: "SAUCE", Type: "PESTO"}, {ProductID: "p4", Category: "TEA"},
		{ProductID: "p5", Category: "PASTA", Type: "VOUCHER", Department: "COUPONS"}, {ProductID: "p6", Category: "BAGS", Type: "PAPER"},
	} {
		h.Product(&p)
	}
	return h
}

func buy(h *History, who string, day sales.Day, products ...string) {
	p := &sales.Purchase{CustomerID: who, OccurredAt: sales.Calendar{}.Start(begin + day)}
	for _, id := range products {
		p.Lines = append(p.Lines, sales.Line{ProductID: id, Category: "UNLISTED", Quantity: 1, AmountMinor: 100})
	}
	h.Purchase(p)
}

// What an item is hangs on the level, and what is no merchandise takes no part.
func TestItems(t *testing.T) {
	for level, want := range map[Level]string{
		ByCategory: "PASTA, SAUCE, TEA, UNLISTED",
		ByType:     "PASTA / PENNE, PASTA / SPAGHETTI, SAUCE / PESTO",
		ByProduct:  "p1, p2, p3, p4, p9",
	} {
		h := newShop(level)
		buy(h, "ann", 0, "p1", "p2", "p3", "p4", "p5", "p6", "p9")
		h.Purchase(&sales.Purchase{CustomerID: "ann", OccurredAt: sales.Calendar{}.Start(begin), Kind: sales.Refund,
			Lines: []sales.Line{{ProductID: "p-refunded", Category: "REFUNDED", Quantity: 1}}})
		h.Purchase(&sales.Purchase{CustomerID: "ann", OccurredAt: sales.Calendar{}.Start(begin),
			Lines: []sales.Line{{ProductID: "p-none", Category: "NONE", Quantity: 0}}})
		if got := strings.Join(slices.Sorted(slices.Values(h.names)), ", "); got != want {
			t.Errorf("at level %s: %s, want %s", level, got, want)
		}
	}
}

// A customer who holds pasta is asked about sauce: it is new to her, and she buys it. What she holds is no candidate, what she bought long
// ago is one again, and who bought nothing new or nothing lately is not asked about.
func TestQuestion(t *testing.T) {
	h := newShop(ByCategory)
	buy(h, "ann", 0, "p4")
	buy(h, "ann", 90, "p1")
	buy(h, "ann", 105, "p1", "p3", "p4")
	buy(h, "bob", 95, "p1", "p3")
	buy(h, "bob", 105, "p3")
	buy(h, "cem", 0, "p3", "p4")
	buy(h, "cem", 105, "p1")
	q, err := h.ask(h.sorted(), begin+100, 20, 60, 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(q.cases) != 1 || q.cases[0].customer.id != "ann" || q.people != 3 {
		t.Fatalf("asked about %+v of %d", q.cases, q.people)
	}
	ann := q.cases[0]
	if got := fmt.Sprint(q.names, ann.held, ann.relevant, ann.earlier, ann.recent); got !=
		"[PASTA SAUCE TEA] [true false false] [false true true] [0 0 1] [{0 10}]" {
		t.Errorf("ann at the cut: %s", got)
	}
	// Pasta, sauce, tea by two, two, two buyers; pasta with sauce in bob, pasta with tea in ann, sauce with tea in cem.
	if got := fmt.Sprint(q.both); got != "[2 1 1 1 2 1 1 1 2]" {
		t.Errorf("pairs %s", got)
	}
}

// random is a history of some customers over 300 days.
func random(seed uint64, customers, items int, upTo sales.Day) *History {
	h := NewHistory(Merchandise{Level: ByProduct})
	rng := rand.New(rand.NewPCG(seed, 1))
	for c := range customers {
		for range 40 {
			day, item := sales.Day(rng.IntN(300)), int(math.Pow(rng.Float64(), 2)*float64(items))
			if day < upTo {
				buy(h, fmt.Sprint("c", c), day, fmt.Sprint("i", item))
			}
		}
	}
	return h
}

// Whatever happens from the cut on, the scores are the same: nothing of it can have been seen.
func TestNothingFromTheCutOnIsSeen(t *testing.T) {
	scores := func(h *History) map[string][]float64 {
		q, err := h.ask(h.sorted(), begin+200, 60, 120, 3)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string][]float64{}
		for i := range q.cases {
			for _, r := range rankers() {
				s := make([]float64, q.n)
				r.score(q, &q.cases[i], s)
				out[r.name+" "+q.cases[i].customer.id] = s
			}
		}
		return out
	}
	before, after := random(1, 50, 30, 200), random(1, 50, 30, 300)
	for c := range 50 { // so that everybody is asked about in both
		buy(before, fmt.Sprint("c", c), 201, "i0", "i1", "i2", "i3", "i4", "i5", "i6", "i7", "i8", "i9", "i29")
	}
	a, b := scores(before), scores(after)
	shared := 0
	for who, s := range a {
		if other, ok := b[who]; ok {
			shared++
			if !slices.Equal(s, other) {
				t.Fatalf("%s: %v with another future %v", who, s, other)
			}
		}
	}
	if shared < 100 {
		t.Errorf("only %d lists of scores compared", shared)
	}
}

// The quick scores against the formulas written out.
func TestScoresAgainstTheFormulas(t *testing.T) {
	h := random(2, 60, 25, 300)
	all := h.sorted()
	q, err := h.ask(all, begin+200, 60, 120, 3)
	if err != nil {
		t.Fatal(err)
	}
	buyers := func(names ...string) (n float64) {
		for _, c := range all {
			has := 0
			for _, name := range names {
				if slices.ContainsFunc(c.between(0, begin+200), func(b bought) bool { return h.names[b.item] == name }) {
					has++
				}
			}
			if has == len(names) {
				n++
			}
		}
		return n
	}
	k := &q.cases[7]
	cosine, damped := q.cosine(k, 30, 60), q.damped(k, 60)
	for b, name := range q.names {
		if k.held[b] {
			continue
		}
		sum, shares := 0.0, []float64{}
		for _, a := range k.recent {
			if a.age <= 60 {
				from := q.names[a.item]
				sum += math.Pow(0.5, a.age/30) * buyers(from, name) / math.Sqrt(buyers(from)*buyers(name))
				shares = append(shares, buyers(from, name)/(buyers(from)*math.Pow(buyers(name), 0.25)))
			}
		}
		slices.Sort(shares)
		slices.Reverse(shares)
		best := 0.0
		for _, s := range shares[:min(5, len(shares))] {
			best += s
		}
		if math.Abs(sum-cosine[b]) > 1e-9 || math.Abs(best-damped[b]) > 1e-9 {
			t.Errorf("%s: cosine %v, want %v; damped %v, want %v", name, cosine[b], sum, damped[b], best)
		}
	}
}

// The best few against sorting everything.
func TestBestAgainstSorting(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 2_000 {
		n := 1 + rng.IntN(12)
		k, scores := kase{held: make([]bool, n)}, make([]float64, n)
		var order []int32
		for i := range n {
			k.held[i], scores[i] = rng.IntN(4) == 0, float64(rng.IntN(4))
			if !k.held[i] {
				order = append(order, int32(i))
			}
		}
		slices.SortStableFunc(order, func(a, b int32) int { return int(scores[b] - scores[a]) })
		if got, want := k.best(scores, 5), order[:min(5, len(order))]; !slices.Equal(got, want) {
			t.Fatalf("of %v, held %v: %v, want %v", scores, k.held, got, want)
		}
	}
}

// One customer, three offers, the first and the third are bought, and one more thing that was not offered.
func TestMeasures(t *testing.T) {
	q := &question{n: 5, names: []string{"a", "b", "c", "d", "e"},
		cases: []kase{{customer: &customer{id: "ann"}, held: make([]bool, 5), relevant: []bool{true, false, true, true, false}, wanted: 3}}}
	m := q.measure([]ranker{{score: func(_ *question, _ *kase, into []float64) { copy(into, []float64{5, 4, 3, 2, 1}) }}}, 3)[0]
	want := (1 + 0.5) / (1 + 1/math.Log2(3) + 0.5)
	if math.Abs(m.ndcg[0]-want) > 1e-12 || m.precision[0] != 2.0/3 || m.recall[0] != 2.0/3 || m.hit[0] != 1 || len(m.offered) != 3 {
		t.Errorf("measured %+v, nDCG should be %v", m, want)
	}
}

// Where customers who buy A go on to B, and the others to anything, the similarities see it and popularity does not; what a
// customer used to buy comes back only where the customer's own past is looked at.
func TestRankersTellMoreThanPopularity(t *testing.T) {
	h := NewHistory(Merchandise{Level: ByProduct})
	rng := rand.New(rand.NewPCG(4, 4))
	for c := range 400 {
		who, group := fmt.Sprint("c", c), c%10
		buy(h, who, sales.Day(rng.IntN(10)), fmt.Sprint("old", c%20))
		buy(h, who, 150+sales.Day(rng.IntN(40)), fmt.Sprint("from", group))
		buy(h, who, 150+sales.Day(rng.IntN(100)), fmt.Sprint("to", group))
		buy(h, who, 205+sales.Day(rng.IntN(50)), fmt.Sprint("old", c%20), "hit")
		if c%2 == 0 {
			buy(h, who, 150+sales.Day(rng.IntN(40)), "hit")
		}
	}
	report, err := h.Links(LinksOptions{Cuts: []Cut{{begin + 200, 50}}, WindowDays: 60, MinBuyers: 5, Offers: 2})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]RankerLine{}
	for _, l := range report.Cuts[0].Rankers {
		got[l.Name] = l
	}
	if got[Cosine].OverPopularity.Low <= 0 || got[Damped].OverPopularity.Low <= 0 || got[Leadline].NDCG.Low <= got[Cosine].NDCG.High {
		t.Errorf("rankers %+v", got)
	}
	if got[Popularity].NDCG.Low <= got[Random].NDCG.High || got[Popularity].Lift != (Estimate{1, 1, 1}) {
		t.Errorf("popularity %+v, random %+v", got[Popularity], got[Random])
	}
}

// A cut that the history does not reach is an error that says how far it goes.
func TestCutOutsideTheHistory(t *testing.T) {
	h := random(5, 20, 10, 300)
	for _, cut := range []Cut{{begin, 30}, {begin + 290, 60}} {
		if _, err := h.Links(LinksOptions{Cuts: []Cut{cut}, WindowDays: 180, MinBuyers: 1, Offers: 5}); err == nil || !strings.Contains(err.Error(), "history goes from") {
			t.Errorf("%v: %v", cut, err)
		}
	}
	if _, err := h.Links(LinksOptions{Cuts: []Cut{{begin + 100, 60}}, WindowDays: 180, MinBuyers: 1000, Offers: 5}); err == nil {
		t.Error("no item has a thousand buyers, and nobody was told")
	}
}
