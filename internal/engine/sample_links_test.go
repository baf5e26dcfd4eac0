package engine

import (
	"cmp"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/sales"
	"leadline/internal/sample"
)

// TestLinksOfTheSampleLiveAndAtRest: what the analyst learns from the tallies of a year of the sample is, to the last digit, what is learned from the
// same files at rest, every household up to one and the same day, whenever each was looked at.
func TestLinksOfTheSampleLiveAndAtRest(t *testing.T) {
	t.Parallel()
	k, category := emptyKnowledge(), map[string]string{}
	k.Catalogue = catalogue.New()
	sampleRows(t, sample.Small(), "products", func(r *sampleRow) {
		k.Catalogue.Set(sales.Product{ProductID: r.ProductID, Name: r.Name, Type: r.Type, Category: r.Category, Brand: r.Brand})
		category[r.ProductID] = r.Category
	})
	rules := DefaultRules()
	histories := map[string][]affinity.Bought{}
	var events []sales.Event
	sampleRows(t, sample.Small(), "purchases", func(r *sampleRow) {
		e := r.event()
		events = append(events, e)
		for _, l := range e.Purchase.Lines {
			item := cmp.Or(category[l.ProductID], l.Category)
			if l.AmountMinor <= 0 || item == rules.Links.ExcludeCategories[0] {
				continue
			}
			histories[r.CustomerID] = append(histories[r.CustomerID], affinity.Bought{Day: sales.Calendar{}.Day(e.Purchase.OccurredAt), Item: item,
				Lines: 1, AmountMinor: l.AmountMinor})
		}
	})
	r := newRig(t, k)
	r.shard.SetRules(rules)
	live, rest := affinity.NewCounts(affinity.DefaultMaxCandidates), affinity.NewCounts(affinity.DefaultMaxCandidates)
	for ; len(events) > 0; events = events[min(len(events), 100):] {
		for _, tally := range r.step(events[:min(len(events), 100)], 0).Tallies {
			if tally.Kind == sales.TallyPairs {
				live.Add(tally.Kind, tally.Cells)
			}
		}
	}
	for _, h := range histories {
		rest.Add(sales.TallyPairs, affinity.Contribution(h, rules.WindowDays, r.shard.today()))
	}
	lenient := affinity.DefaultLinkRules() // so few households show little for sure
	lenient.MinSupport, lenient.MaxQ = 3, 10
	end := sales.Calendar{}.Start(r.shard.today())
	want := rest.Links(lenient, end)
	if len(want) < 50 {
		t.Fatalf("only %d links", len(want))
	}
	if diff := gocmp.Diff(want, live.Links(lenient, end)); diff != "" {
		t.Errorf("%d links (-at rest +live):\n%s", len(want), diff)
	}
}
