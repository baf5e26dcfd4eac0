package evaluate

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/sales"
)

// A batch counts what shards would: lines with an amount, of the line's category or the catalogue's type, none of excluded categories; touches of
// their own category or their product's. (That shards come to the same, package analyst shows.)
func TestBatch(t *testing.T) {
	order := func(b *Batch, who string, day sales.Day, lines ...sales.Line) {
		t.Helper()
		if err := b.Purchase(&sales.Purchase{CustomerID: who, OccurredAt: sales.Calendar{}.Start(begin + day), Lines: lines}); err != nil {
			t.Fatal(err)
		}
	}
	line := func(product string, minor int64) sales.Line {
		return sales.Line{ProductID: product, Quantity: 1, AmountMinor: minor}
	}
	made := func(level string) *Batch {
		b := NewBatch(BatchOptions{Level: level, ExcludeCategories: []string{"BAGS"}, WindowDays: 180, MinPurchases: 2, BrandTiers: map[string]int32{"Own": 1}})
		for _, p := range []sales.Product{{ProductID: "p1", Category: "PASTA", Type: "PENNE", Department: "GROCERY", Brand: "Own", Name: "PENNE 10 OZ"}, {ProductID: "p2", Category: "SAUCE", Type: "PESTO"},
			{ProductID: "p3", Category: "BAGS", Type: "PAPER"}} {
			b.Product(&p)
		}
		order(b, "ann", 0, line("p1", 100), line("p1", 50), line("p3", 5), line("p2", 0))
		order(b, "ann", 30, line("p2", 200))
		order(b, "bob", 10, line("p2", 300))
		for i, touch := range []sales.Touchpoint{{ProductID: "p1"}, {Category: "SAUCE", ProductID: "p1"}, {ProductID: "p3"}, {ProductID: "unknown"}, {Category: "BAGS"}} {
			touch.CustomerID, touch.Kind, touch.OccurredAt = "bob", sales.TouchCall, sales.Calendar{}.Start(begin+sales.Day(i))
			b.Touch(&touch)
		}
		return b
	}
	const upTo = begin + 200
	for level, names := range map[string][]string{sales.LevelCategory: {"PASTA", "SAUCE"}, sales.LevelType: {"PENNE", "PESTO"},
		sales.LevelProduct: {"p1", "p2"}, sales.LevelDepartment: {"GROCERY", "SAUCE"}} {
		pasta, sauce := names[0], names[1]
		got := made(level).Sums(upTo)
		ann := affinity.Contribution([]affinity.Bought{{Day: begin, Item: pasta, Lines: 2, AmountMinor: 150}, {Day: begin + 30, Item: sauce, Lines: 1, AmountMinor: 200}}, 180, upTo)
		bob := affinity.Contribution([]affinity.Bought{{Day: begin, Item: affinity.TouchItem(sales.TouchCall, "PASTA")}, {Day: begin + 1, Item: affinity.TouchItem(sales.TouchCall, "SAUCE")},
			{Day: begin + 10, Item: sauce, Lines: 1, AmountMinor: 300}}, 180, upTo)
		want := map[Place]int64{}
		AddUp(want, sales.TallyPairs, slices.Concat(ann, bob))
		for _, minor := range []float64{100, 50} {
			price := catalogue.Price{Unit: catalogue.ParseSize("PENNE 10 OZ").Unit, Minor: minor / 10}
			AddUp(want, sales.TallyTiers, []sales.Cell{{Row: "PENNE", Col: affinity.PriceCol + "1", Bucket: price.Bucket(), N: 1}})
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", level, diff)
		}
	}
	err := made(sales.LevelType).Purchase(&sales.Purchase{EventID: "e7", Kind: sales.Refund})
	if err == nil || !strings.Contains(err.Error(), "purchase e7 is a refund") {
		t.Errorf("a refund: %v", err)
	}
}
