package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"leadline/internal/affinity"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
)

// endedOffer is an offer of the sample's year: the probability that it was made with, and what came of it.
type endedOffer struct {
	p     float64
	taken float64
}

// BenchmarkOffers is how good the offers of the Complete Journey sample's year are, prequentially: links and scorecards are learned again and
// again from the shard's own tallies, and judge only what comes after. Its figures are shares, not times: how many cross-sell offers are taken up within their
// time, how far probability and outcome lie apart (ECE, over ten groups of equal size), and the log loss; cold with the prior points all year.
func BenchmarkOffers(b *testing.B) {
	products, events := sampleWorld(b)
	for _, level := range []string{sales.LevelCategory, sales.LevelType} {
		for _, cold := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/cold=%v", level, cold), func(b *testing.B) {
				for b.Loop() {
					rules := DefaultRules()
					rules.LinkLevel = level
					k := emptyKnowledge()
					k.Catalogue = products
					judge(b, yearOfOffers(b, k, rules, events, cold))
				}
			})
		}
	}
}

// yearOfOffers plays the events and gives the offers whose end is known.
func yearOfOffers(b *testing.B, k *Knowledge, rules Rules, events []sales.Event, cold bool) []endedOffer {
	const batch, relearn = 250, 8
	r := newRig(b, k)
	r.shard.SetRules(rules)
	learn := affinity.DefaultLinkRules()
	learn.Level = rules.LinkLevel
	counts, examples := affinity.NewCounts(affinity.DefaultMaxCandidates), scorecard.NewSums()
	open, ended := map[string]float64{}, []endedOffer(nil)
	for i := 0; i*batch < len(events); i++ {
		d := r.attempt(events[i*batch:min(len(events), (i+1)*batch)], 0)
		r.shard.Commit()
		r.csn++
		for _, t := range d.Tallies {
			counts.Add(t.Kind, t.Cells)
			if t.Kind == sales.TallyExamples {
				examples.Add(t.Cells)
			}
		}
		for i := range d.Alerts {
			a := &d.Alerts[i]
			switch p, isOpen := open[a.AlertID]; {
			case a.Kind != sales.CrossSell || a.SuppressedBy == sales.ByCap:
			case a.Status == sales.Opened:
				open[a.AlertID] = a.Score
			case isOpen && a.Reasons[0].Code != "contradicted":
				ended = append(ended, endedOffer{p, flag(a.Status == sales.Resolved)})
				delete(open, a.AlertID)
			}
		}
		if (i+1)%relearn == 0 {
			next := *r.knowledge
			next.Links, next.Version, next.Models = affinity.NewTable(), sales.KnowledgeVersion(fmt.Sprint(i)), scorecard.NewModels()
			for _, l := range counts.Links(learn, r.shard.Now()) {
				next.Links.Set(l)
			}
			for _, card := range scorecard.Cards() {
				if of := examples.Examples(card, r.shard.today()); len(of) > 0 && !cold {
					next.Models.Set(scorecard.Learn(card, of))
				}
			}
			r.knowledge = &next
		}
	}
	return ended
}

// judge reports the figures of all, and of the second half, before which a household's history is not whole: what was not bought since the first of
// January counts as new.
func judge(b *testing.B, offers []endedOffer) {
	judgePart(b, offers[len(offers)/2:], "-late")
	judgePart(b, offers, "")
}

func judgePart(b *testing.B, offers []endedOffer, part string) {
	offers = slices.Clone(offers)
	const groups = 10
	var taken, loss, apart float64
	for _, o := range offers {
		taken += o.taken
		loss -= o.taken*math.Log(o.p) + (1-o.taken)*math.Log(1-o.p)
	}
	slices.SortStableFunc(offers, func(a, b endedOffer) int { return cmp.Compare(a.p, b.p) })
	n := float64(len(offers))
	for g := range groups {
		off := 0.0
		for _, o := range offers[g*len(offers)/groups : (g+1)*len(offers)/groups] {
			off += o.p - o.taken
		}
		apart += math.Abs(off) / n
	}
	b.ReportMetric(n, "offers"+part)
	b.ReportMetric(taken/n, "taken"+part)
	b.ReportMetric(apart, "ECE"+part)
	b.ReportMetric(loss/n, "logloss"+part)
}
