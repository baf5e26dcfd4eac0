package evaluate

import (
	"slices"
	"strings"
	"testing"

	"leadline/internal/affinity"
	"leadline/internal/sales"
)

// A batch counts what shards would: lines with an amount, of the line's category or the catalogue's type, none of excluded categories.
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
		b := NewBatch(level, []string{"BAGS"}, sales.Calendar{})
		for _, p := range []sales.Product{{ProductID: "p1", Category: "PASTA", Type: "PENNE", Department: "GROCERY"}, {ProductID: "p2", Category: "SAUCE", Type: "PESTO"},
			{ProductID: "p3", Category: "BAGS", Type: "PAPER"}} {
			b.Product(&p)
		}
		order(b, "ann", 0, line("p1", 100), line("p1", 50), line("p3", 5), line("p2", 0))
		order(b, "ann", 30, line("p2", 200))
		order(b, "bob", 10, line("p2", 300))
		return b
	}
	const upTo = begin + 200
	for level, names := range map[string][]string{sales.LevelCategory: {"PASTA", "SAUCE"}, sales.LevelType: {"PENNE", "PESTO"},
		sales.LevelProduct: {"p1", "p2"}, sales.LevelDepartment: {"GROCERY", "SAUCE"}} {
		pasta, sauce := names[0], names[1]
		got := made(level).Sums(180, upTo)
		ann := affinity.Contribution([]affinity.Bought{{Day: begin, Item: pasta, Lines: 2, AmountMinor: 150}, {Day: begin + 30, Item: sauce, Lines: 1, AmountMinor: 200}}, 180, upTo)
		bob := affinity.Contribution([]affinity.Bought{{Day: begin + 10, Item: sauce, Lines: 1, AmountMinor: 300}}, 180, upTo)
		want := map[Place]int64{}
		for _, c := range slices.Concat(ann, bob) {
			want[Place{c.Row, c.Col, c.Bucket}] += c.N
		}
		for at, n := range want {
			if n == 0 {
				delete(want, at)
			} else if got[at] != n {
				t.Errorf("%v: %d, want %d", at, got[at], n)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%d cells, want %d: %v", len(got), len(want), Sorted(got))
		}
	}
	err := made(sales.LevelType).Purchase(&sales.Purchase{EventID: "e7", Kind: sales.Refund})
	if err == nil || !strings.Contains(err.Error(), "purchase e7 is a refund") {
		t.Errorf("a refund: %v", err)
	}
}
