package affinity_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/sales"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var items = []string{"bread", "butter", "milk", "tea", "wine"}

// basket is what one customer holds, sorted.
type basket []string

// cells is a customer's contribution to "links", n times.
func (b basket) cells(n int64) []sales.Cell {
	if len(b) == 0 {
		return nil
	}
	cells := []sales.Cell{{N: n}}
	for i, a := range b {
		cells = append(cells, sales.Cell{Row: a, N: n})
		for _, other := range b[i+1:] {
			cells = append(cells, sales.Cell{Row: a, Col: other, N: n})
		}
	}
	return cells
}

func (b basket) holds(item string) bool { return slices.Contains(b, item) }

func count(baskets []basket, holds ...string) float64 {
	n := 0.0
	for _, b := range baskets {
		if len(b) > 0 && !slices.ContainsFunc(holds, func(item string) bool { return !b.holds(item) }) {
			n++
		}
	}
	return n
}

// xlogx sums O·ln O, the other way to write G².
func xlogx(counts ...float64) (sum float64) {
	for _, n := range counts {
		if n > 0 {
			sum += n * math.Log(n)
		}
	}
	return sum
}

// dumbLift is the lift's lower end, with the variance of its logarithm from the derivative in each cell of the table.
func dumbLift(both, a, b, n float64) (lift, low float64) {
	cells := []float64{both, a - both, b - both, n - a - b + both}
	derivatives := []float64{1/both - 1/a - 1/b + 1/n, -1/a + 1/n, -1/b + 1/n, 1 / n}
	variance, mean := 0.0, 0.0
	for i, d := range derivatives {
		variance += cells[i] * d * d
		mean += cells[i] * d / n
	}
	lift = both * n / (a * b)
	return lift, lift * math.Exp(-1.959963985*math.Sqrt(max(0, variance-n*mean*mean)))
}

// dumbLinks judges every ordered pair of items by looking at every customer.
func dumbLinks(baskets []basket, rules affinity.LinkRules) map[string]sales.Link {
	links := map[string]sales.Link{}
	n := count(baskets)
	for _, a := range items {
		for _, b := range items {
			both, holdA, holdB := count(baskets, a, b), count(baskets, a), count(baskets, b)
			g2 := 2 * (xlogx(both, holdA-both, holdB-both, n-holdA-holdB+both) + xlogx(n) - xlogx(holdA, n-holdA, holdB, n-holdB))
			lift, low := dumbLift(both, holdA, holdB, n)
			if a == b || both < float64(rules.MinSupport) || lift <= 1 || g2 < rules.MinG2 || low <= 1 {
				continue
			}
			l := sales.Link{Kind: sales.CrossSellLink, Level: rules.Level, From: a, To: b, Customers: int64(n), FromHolders: int64(holdA),
				ToHolders: int64(holdB), Both: int64(both), Confidence: both / holdA, Baseline: holdB / n, Lift: lift, LiftLow: low, GSquared: g2,
				Score: both / holdA / math.Sqrt(math.Sqrt(holdB)), LearnedTo: 7}
			links[l.Key()] = l
		}
	}
	return links
}

func TestLinksAreWhatLookingAtEveryCustomerSays(t *testing.T) {
	rules := affinity.DefaultLinkRules()
	rules.MinSupport, rules.MinG2 = 3, 4
	published := 0
	rapid.Check(t, func(t *rapid.T) {
		hold := rapid.SliceOfNDistinct(rapid.SampledFrom(items), 0, 5, rapid.ID[string])
		counts, baskets := affinity.NewCounts(affinity.DefaultMaxCandidates), make([]basket, rapid.IntRange(5, 60).Draw(t, "customers"))
		for range 2 * len(baskets) { // customers change: what they no longer hold is taken back
			who := rapid.IntRange(0, len(baskets)-1).Draw(t, "who")
			next := basket(hold.Draw(t, "holds"))
			slices.Sort(next)
			counts.Add(sales.TallyLinks, baskets[who].cells(-1))
			counts.Add(sales.TallyLinks, next.cells(+1))
			baskets[who] = next
		}
		want := dumbLinks(baskets, rules)
		for _, l := range counts.Links(rules, 7) {
			published++
			same := cmp.Equal(l, want[l.Key()], cmpopts.EquateApprox(1e-9, 1e-9),
				cmpopts.IgnoreFields(sales.Link{}, "ConfidenceLow", "ConfidenceHigh", "LiftHigh"))
			if !same {
				t.Fatalf("published %+v, want %+v", l, want[l.Key()])
			}
			delete(want, l.Key())
		}
		if len(want) > 0 {
			t.Fatalf("missing: %v", want)
		}
	})
	if published == 0 {
		t.Error("no link was published in any world: nothing was compared")
	}
}

func TestOrderOfTalliesDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cells []sales.Cell
		for i := range 60 {
			b := basket(items[i%3 : i%3+2+i%2])
			cells = append(cells, b.cells(1)...)
			price := catalogue.Price{Minor: float64(100 + 50*(i%2))}
			cells = append(cells, sales.Cell{Row: "TEA", Col: fmt.Sprint(affinity.PriceCol, 1+i%2), Bucket: price.Bucket(), N: 1},
				sales.Cell{Row: "TEA", Col: fmt.Sprint(affinity.EligibleCol, 1), N: 2},
				sales.Cell{Row: "TEA", Col: fmt.Sprint(affinity.SwitchedCol, 1), N: 1},
				sales.Cell{Row: "wine", Col: "\x01lines", Bucket: int32(i), N: 2},
				sales.Cell{Row: "wine", Col: "\x01amount", Bucket: int32(i), N: 999})
		}
		fold := func(cells []sales.Cell) []sales.Link {
			counts := affinity.NewCounts(affinity.DefaultMaxCandidates)
			counts.Add(sales.TallyLinks, cells)
			counts.Add(sales.TallyTiers, cells)
			return counts.Links(affinity.DefaultLinkRules(), 1)
		}
		want, got := fold(cells), fold(rapid.Permutation(cells).Draw(t, "order"))
		if len(want) < 3 || !cmp.Equal(want, got) {
			t.Fatalf("%d links, in another order:\n%s", len(want), cmp.Diff(want, got))
		}
	})
}

// grocery is 400 customers: who buys pasta buys sauce, everyone buys milk, and tea has nothing to do with anything.
func grocery() *affinity.Counts {
	counts := affinity.NewCounts(affinity.DefaultMaxCandidates)
	for i := range 400 {
		b := basket{"milk"}
		if i%4 == 0 || i%20 == 1 {
			b = append(b, "pasta")
		}
		if i%4 == 0 || i%20 == 2 {
			b = append(b, "sauce")
		}
		if i%3 == 0 {
			b = append(b, "tea")
		}
		counts.Add(sales.TallyLinks, b.cells(1))
	}
	counts.Add(sales.TallyLinks, []sales.Cell{{Row: "sauce", Col: affinity.LinesCol, N: 200}, {Row: "sauce", Col: affinity.AmountCol, N: 50_100}})
	return counts
}

func TestOnlyWhatBelongsTogetherIsLinked(t *testing.T) {
	links := grocery().Links(affinity.DefaultLinkRules(), 42)
	var said []string
	for _, l := range links {
		said = append(said, fmt.Sprintf("%s -> %s: %d of %d, usual %.2f, lift %.2f, a line is %d", l.From, l.To, l.Both, l.FromHolders, l.Baseline, l.Lift, l.TypicalMinor))
	}
	want := []string{
		"pasta -> sauce: 100 of 120, usual 0.30, lift 2.78, a line is 250",
		"sauce -> pasta: 100 of 120, usual 0.30, lift 2.78, a line is 0",
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
	if l := links[0]; l.ConfidenceLow > l.Confidence || l.ConfidenceHigh < l.Confidence || l.LiftLow > l.Lift || l.LiftHigh < l.Lift || l.LiftLow <= 1 {
		t.Errorf("intervals do not hold their values: %+v", l)
	}
}

func TestAtMostSoManyLinksFromOneItem(t *testing.T) {
	counts := affinity.NewCounts(affinity.DefaultMaxCandidates)
	for i := range 300 {
		var b basket
		if i < 100 {
			for item := range 8 { // the hub is held with all of them, ever fewer
				if i < 95-10*item {
					b = append(b, fmt.Sprint("item", item))
				}
			}
			b = append(basket{"hub"}, b...)
		} else {
			b = basket{"other"}
		}
		counts.Add(sales.TallyLinks, b.cells(1))
	}
	rules := affinity.DefaultLinkRules()
	rules.MaxPerItem = 3
	perItem := map[string][]string{}
	for _, l := range counts.Links(rules, 0) {
		perItem[l.From] = append(perItem[l.From], l.To)
	}
	if diff := cmp.Diff([]string{"item0", "item1", "item2"}, perItem["hub"]); diff != "" {
		t.Error(diff)
	}
	for _, item := range slices.Sorted(maps.Keys(perItem)) {
		if n := len(perItem[item]); n > 3 {
			t.Errorf("%d links from %s", n, item)
		}
	}
}

func TestCountsThatCannotBePublishNothing(t *testing.T) {
	counts := affinity.NewCounts(affinity.DefaultMaxCandidates)
	counts.Add(sales.TallyLinks, []sales.Cell{{N: 50}, {Row: "a", N: 30}, {Row: "b", N: 40}, {Row: "a", Col: "b", N: 35},
		{Row: "", Col: "stray", N: 1}, {Row: "a", Col: "\x01future", N: 99}})
	counts.Add(sales.TallyTiers, []sales.Cell{{Row: "T", Col: "price", N: 9}, {Row: "T", Col: "price:one", N: 9}, {Row: "T", Col: "future:1", N: 9}})
	counts.Add("future", []sales.Cell{{N: 1_000}})
	if links := counts.Links(affinity.DefaultLinkRules(), 0); len(links) != 0 {
		t.Errorf("35 hold both of a and b, 30 hold a; published %+v", links)
	}
}
