package affinity

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/catalogue"
	"leadline/internal/sales"
)

// Whoever buys from the hub buys one of eight others two weeks later, the first of them most.
func TestAtMostSoManyLinksFromOneItem(t *testing.T) {
	random := rand.New(rand.NewPCG(12, 13))
	c, upTo := NewCounts(DefaultMaxCandidates), testBegin+400
	for range 4_000 {
		var h []Bought
		buy := func(day sales.Day, item string) {
			h = append(h, Bought{Day: testBegin + day, Item: item, Lines: 1, AmountMinor: 1})
		}
		for range 6 {
			buy(sales.Day(random.IntN(400)), fmt.Sprint("thing", random.IntN(10)))
			if random.IntN(10) == 0 {
				buy(sales.Day(random.IntN(400)), fmt.Sprint("item", random.IntN(8)))
			}
		}
		if day := sales.Day(random.IntN(380)); random.IntN(3) == 0 {
			buy(day, "hub")
			buy(day+14, fmt.Sprint("item", min(random.IntN(8), random.IntN(8))))
		}
		c.Add(sales.TallyPairs, Contribution(h, testWindow, upTo))
	}
	rules, perItem := testRules(), map[string]int{}
	all := c.Links(rules, sales.Calendar{}.Start(upTo+1))
	rules.MaxPerItem = 3
	best := map[string]float64{}
	for _, l := range c.Links(rules, sales.Calendar{}.Start(upTo+1)) {
		perItem[l.From]++
		best[l.From+" "+l.To] = l.Score
	}
	if perItem["hub"] != 3 {
		t.Fatalf("links %v", best)
	}
	for _, l := range all {
		if _, kept := best[l.From+" "+l.To]; l.From == "hub" && !kept && l.Score > best["hub item0"] {
			t.Errorf("%s to %s was left out and has the better score", l.From, l.To)
		}
	}
	if len(all) <= 3 {
		t.Errorf("only %d links: nothing was left out", len(all))
	}
}

func TestCountsThatCannotBePublishNothing(t *testing.T) {
	c, day := NewCounts(DefaultMaxCandidates), testBegin
	c.Add(sales.TallyPairs, []sales.Cell{{N: 50}, {Row: "a", Bucket: Came(day, 1), N: 30}, {Row: "b", Bucket: Came(day, 1), N: 40},
		{Row: "b", Col: "a", Bucket: CameAfter(day, day-8), N: 35}, {Row: "a", Col: HeldCols[0], Bucket: Came(day, 1), N: 36},
		{Row: "", Col: "stray", N: 1}, {Row: "a", Col: "\x01future", N: 99}})
	c.Add(sales.TallyTiers, []sales.Cell{{Row: "T", Col: "price", N: 9}, {Row: "T", Col: "price:one", N: 9}, {Row: "T", Col: "future:1", N: 9}})
	c.Add("future", []sales.Cell{{N: 1_000}})
	if links := c.Links(DefaultLinkRules(), sales.Calendar{}.Start(day+1)); len(links) != 0 {
		t.Errorf("35 hold both of a and b, 30 hold a; published %+v", links)
	}
	if links := NewCounts(1).Links(DefaultLinkRules(), 0); len(links) != 0 {
		t.Errorf("of nothing: %+v", links)
	}
}

func TestOrderOfTiersDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cells []sales.Cell
		for i := range 60 {
			price := catalogue.Price{Minor: float64(100 + 50*(i%2))}
			cells = append(cells, sales.Cell{Row: "TEA", Col: fmt.Sprint(PriceCol, 1+i%2), Bucket: price.Bucket(), N: 1},
				sales.Cell{Row: "TEA", Col: fmt.Sprint(EligibleCol, 1), N: 2}, sales.Cell{Row: "TEA", Col: fmt.Sprint(SwitchedCol, 1), N: 1})
		}
		fold := func(cells []sales.Cell) []sales.Link {
			c := NewCounts(DefaultMaxCandidates)
			c.Add(sales.TallyTiers, cells)
			return c.Links(DefaultLinkRules(), 1)
		}
		want, got := fold(cells), fold(rapid.Permutation(cells).Draw(t, "order"))
		if len(want) != 1 || !cmp.Equal(want, got) {
			t.Fatalf("%d links, in another order:\n%s", len(want), cmp.Diff(want, got))
		}
	})
}
