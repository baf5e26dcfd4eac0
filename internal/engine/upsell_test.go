package engine

import (
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/affinity"
	"leadline/internal/sales"
)

// TestTiersAgainstContribution: what is told of tiers adds up to what whole histories of orders say, late ones included.
func TestTiersAgainstContribution(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k, _ := worldKnowledge(t)
		rules := testRules()
		rules.WindowDays, rules.SlackDays = rapid.SampledFrom([]int{180, 40}).Draw(t, "window"), 30
		rules.Upsell.MinPurchases = rapid.IntRange(1, 3).Draw(t, "least")
		rules.Links.ExcludeCategories = categories[:1]
		r := newRig(t, k)
		r.shard.SetRules(rules)
		histories, got := map[string][]affinity.TierOrder{}, map[sales.Cell]int64{}
		for _, e := range worldEvents(t) {
			p := e.Purchase
			if p == nil || p.Kind == sales.Refund {
				continue // a refund takes back what the window has, and nothing that was told
			}
			d := r.step([]sales.Event{e}, 0)
			for _, tally := range d.Tallies {
				if tally.Kind == sales.TallyTiers {
					addCells(got, tally.Cells)
				}
			}
			if d.Duplicates == 0 && len(d.Late)+len(d.Rejected) == 0 {
				histories[p.CustomerID] = append(histories[p.CustomerID], tierOrder(k, &rules, p))
			}
		}
		want := map[sales.Cell]int64{}
		for _, orders := range histories {
			addCells(want, affinity.TierContribution(orders, rules.WindowDays, rules.Upsell.MinPurchases))
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("(-by histories +told):\n%s", diff)
		}
	})
}

func tierOrder(k *Knowledge, rules *Rules, p *sales.Purchase) affinity.TierOrder {
	o := affinity.TierOrder{Day: sales.Calendar{}.Day(p.OccurredAt)}
	for _, l := range p.Lines {
		item, price := k.Catalogue.Item(l.ProductID, l.Category), int32(-1)
		if paid, ok := k.Catalogue.UnitPrice(l.ProductID, l.Quantity, l.AmountMinor); ok {
			price = paid.Bucket()
		}
		if item.Tier > 0 {
			o.Lines = append(o.Lines, affinity.TierLine{Type: item.Type, Tier: item.Tier,
				Merchandise: l.AmountMinor > 0 && item.Category != rules.Links.ExcludeCategories[0], Price: price})
		}
	}
	return o
}
