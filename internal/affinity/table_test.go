package affinity_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"leadline/internal/affinity"
	"leadline/internal/sales"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTableAnswersLikeTheListOfLinks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, dumb := affinity.NewTable(), map[string]sales.Link{}
		item := rapid.SampledFrom([]string{"bread", "butter", "milk", "tea"})
		for range rapid.IntRange(0, 40).Draw(t, "changes") {
			l := sales.Link{Kind: sales.CrossSellLink, Level: "category", From: item.Draw(t, "from"), To: item.Draw(t, "to")}
			if rapid.Bool().Draw(t, "upsell") {
				l.Kind, l.Level, l.To = sales.UpsellLink, "type", l.From
			}
			l.Score = float64(rapid.IntRange(0, 3).Draw(t, "score"))
			if rapid.IntRange(0, 3).Draw(t, "delete") == 0 {
				table.Delete(l.Key())
				delete(dumb, l.Key())
			} else {
				table.Set(l)
				dumb[l.Key()] = l
			}
		}
		if table.Len() != len(dumb) {
			t.Fatalf("holds %d links, want %d", table.Len(), len(dumb))
		}
		for _, from := range []string{"bread", "butter", "milk", "tea"} {
			want := slices.DeleteFunc(slices.Collect(maps.Values(dumb)), func(l sales.Link) bool {
				return l.From != from || l.Kind != sales.CrossSellLink
			})
			slices.SortFunc(want, func(a, b sales.Link) int {
				if a.Score > b.Score || a.Score == b.Score && a.To < b.To {
					return -1
				}
				return 1
			})
			if got := table.From(from); len(got) != len(want) || len(want) > 0 && !cmp.Equal(got, want) {
				t.Fatalf("links from %s: %s", from, cmp.Diff(want, got))
			}
			up, ok := table.Upsell(from)
			if wantUp, wantOK := dumb["upsell|type|"+from]; ok != wantOK || up != wantUp {
				t.Fatalf("upsell of %s is %v, %v", from, up, ok)
			}
		}
	})
}

func TestWhatFromGaveStaysAsItWas(t *testing.T) {
	table := affinity.NewTable()
	for i := range 5 {
		table.Set(sales.Link{Kind: sales.CrossSellLink, From: "bread", To: fmt.Sprint(i), Score: float64(i)})
	}
	given := table.From("bread")
	before := slices.Clone(given)
	table.Set(sales.Link{Kind: sales.CrossSellLink, From: "bread", To: "2", Score: 9})
	table.Delete(before[0].Key())
	if !cmp.Equal(given, before) {
		t.Error("a slice that From gave changed with the table")
	}
}
