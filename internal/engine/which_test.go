package engine

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
)

// The points that an offer names add up to its log odds, and those, as a probability, to its score.
func TestPointsAddUp(t *testing.T) {
	t.Parallel()
	offers := 0
	rapid.Check(t, func(t *rapid.T) {
		k, _ := worldKnowledge(t)
		r := newRig(t, k)
		r.step(worldEvents(t), 0)
		for _, d := range r.decisions {
			for i := range d.Alerts {
				a := &d.Alerts[i]
				if a.Details.Place("log_odds") < 0 {
					continue
				}
				odds, sum := a.Details.Of("log_odds"), 0.0
				for _, n := range a.Details {
					if strings.HasPrefix(n.Name, pointsOf) {
						sum += n.Value
					}
				}
				if math.Abs(sum-odds) > 1e-9 || math.Abs(scorecard.Logistic(odds)-a.Score) > 1.0/scoreOne {
					t.Fatalf("points come to %g, log odds are %g, the score is %g", sum, odds, a.Score)
				}
				offers++
			}
		}
	})
	if offers == 0 {
		t.Error("nothing was offered")
	}
}

// shop is a shard that knows two links: from tea to milk, seldom and cheap, and from bread to butter, often.
func shop(t *testing.T, milk, butter func(*sales.Link)) *rig {
	k := emptyKnowledge()
	for _, l := range []*sales.Link{
		{Kind: sales.CrossSellLink, Level: "category", From: "TEA", To: "MILK", Confidence: 0.2, Score: 0.2, Both: 20, FromHolders: 100, ToHolders: 200, TypicalMinor: 200},
		{Kind: sales.CrossSellLink, Level: "category", From: "BREAD", To: "BUTTER", Confidence: 0.5, Score: 0.5, Both: 50, FromHolders: 100, ToHolders: 200, TypicalMinor: 200},
	} {
		map[string]func(*sales.Link){"MILK": milk, "BUTTER": butter}[l.To](l)
		k.Links.Set(*l)
	}
	return newRig(t, k)
}

// on is noon of the day that lies so many after the first.
func on(days int) sales.Millis { return noon + sales.Millis(days)*sales.DayMillis }

func asItIs(*sales.Link) {}

// offered is the cross-sell offer of the last decision.
func (r *rig) offered(t *testing.T) *sales.Alert {
	t.Helper()
	alerts := r.decisions[len(r.decisions)-1].Alerts
	for i := range alerts {
		if a := &alerts[i]; a.Kind == sales.CrossSell && a.Status == sales.Opened {
			return a
		}
	}
	t.Fatal("nothing is offered")
	return nil
}

// What was bought days ago leads to an offer too, at the next order, and the alert says when that was and which order gave occasion.
func TestWhatWasBoughtLatelyLeadsToOffers(t *testing.T) {
	t.Parallel()
	r := shop(t, asItIs, asItIs)
	r.shard.rules.ExploreShare = 0
	r.shard.rules.Caps.CrossSell = 2
	r.step([]sales.Event{buy("dora", on(0), "e-1", "BREAD")}, 0)
	if a := r.offered(t); a.ToProduct != "BUTTER" {
		t.Errorf("offered %s", a.ToProduct)
	}
	r.step([]sales.Event{buy("dora", on(1), "e-2", "BUTTER"), buy("emma", on(1), "e-3", "TEA", "BREAD")}, 0)
	r.step([]sales.Event{buy("emma", on(9), "e-4", "WINE")}, 0)
	a := r.offered(t)
	if a.FromProduct != "TEA" || a.ToProduct != "MILK" || a.Details.Of("days_since") != 8 || a.Details.Of("antecedents") != 1 {
		t.Errorf("%s leads to %s after %g days, by %g antecedents", a.FromProduct, a.ToProduct, a.Details.Of("days_since"), a.Details.Of("antecedents"))
	}
	why := a.Reasons[0]
	if !strings.HasPrefix(why.Text, "Bought TEA on 2026-01-02, and came again on 2026-01-10.") || why.Evidence[0].EventID != "e-4" {
		t.Errorf("why: %+v", why)
	}
	r.step([]sales.Event{buy("fay", on(10), "e-5", "TEA")}, 0)
	r.step([]sales.Event{buy("fay", on(10+recentDays), "e-6", "WINE")}, 0)
	if n := len(r.decisions[len(r.decisions)-1].Alerts); n > 0 && r.decisions[len(r.decisions)-1].Alerts[n-1].Status == sales.Opened {
		t.Errorf("what was bought %d days ago is no longer lately", recentDays)
	}
}

// Where the catalogue knows the margins of all candidates, what is worth most is offered; where one is unknown, what is likeliest.
func TestRankedByWorthWhereMarginsAreKnown(t *testing.T) {
	t.Parallel()
	for _, known := range []bool{true, false} {
		r := shop(t, func(l *sales.Link) { l.TypicalMinor = 9_000 }, asItIs)
		r.shard.rules.ExploreShare = 0
		butter := 0.3
		if !known {
			butter = math.NaN()
		}
		for name, margin := range map[string]float64{"MILK": 0.3, "BUTTER": butter, "TEA": 0.3, "BREAD": 0.3} {
			r.knowledge.Catalogue.Set(sales.Product{ProductID: name, Name: name, Category: name, MarginShare: margin})
		}
		r.step([]sales.Event{buy("dora", on(0), "e-1", "TEA", "BREAD")}, 0)
		want, byValue := "MILK", 1.0
		if !known {
			want, byValue = "BUTTER", 0
		}
		if a := r.offered(t); a.ToProduct != want || a.Details.Of("by_value") != byValue {
			t.Errorf("margins known: %v: offered %s, by value: %g", known, a.ToProduct, a.Details.Of("by_value"))
		}
	}
}

// Of two alike, the one whose season it is.
func TestTheSeasonTells(t *testing.T) {
	t.Parallel()
	for _, season := range []float64{0, 1, 3} { // not known is as usual
		r := shop(t, func(l *sales.Link) { l.Confidence, l.Season = 0.5, season }, asItIs)
		r.shard.rules.ExploreShare = 0
		r.step([]sales.Event{buy("dora", on(0), "e-1", "TEA", "BREAD")}, 0)
		want := "BUTTER"
		if season > 1 {
			want = "MILK"
		}
		if a := r.offered(t); a.ToProduct != want || a.Details.Of("season") != max(1, season) {
			t.Errorf("season %g: offered %s of season %g", season, a.ToProduct, a.Details.Of("season"))
		}
	}
}

// An offer that follows from a touch says by its details which kind of touch it was, so that the link behind it can be found.
func TestAnOfferNamesTheKindOfTouch(t *testing.T) {
	t.Parallel()
	k := emptyKnowledge()
	k.Links.Set(sales.Link{Kind: sales.CrossSellLink, Level: "category", Via: "product_view", From: "TEA", To: "MILK", Confidence: 0.2, Score: 0.2, Both: 20,
		FromHolders: 100, ToHolders: 200})
	r := newRig(t, k)
	view := touched("anna", noon, "t1")
	view.Touchpoint.Kind, view.Touchpoint.Category = sales.TouchProductView, "TEA"
	r.step([]sales.Event{view}, 0)
	alerts := r.step([]sales.Event{buy("anna", on(3), "e1", "BREAD")}, 0).Alerts
	if len(alerts) != 1 || alerts[0].Reasons[0].Code != "touched" || alerts[0].Details.Of("via.product_view") != 1 || alerts[0].Details.Of("days_since") != 3 {
		t.Errorf("%+v", alerts)
	}
}
