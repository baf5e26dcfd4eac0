package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/activity"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/window"
)

// The lot hangs on the event alone, falls on so many orders and on each of the first ten alike, and the probabilities that it names come true.
func TestExploring(t *testing.T) {
	t.Parallel()
	s := NewShard(Config{Partitions: 1, Rules: testRules()})
	s.rules.ExploreShare = 0.2
	const orders, candidates = 20_000, 13
	times, named := map[int]float64{}, map[int]float64{}
	explored := 0.0
	for i := range orders {
		o := &order{Purchase: &sales.Purchase{EventID: fmt.Sprint("e", i)}}
		c := s.choose(o, candidates, cmp.Compare[int])
		if again := s.choose(o, candidates, cmp.Compare[int]); again != c {
			t.Fatalf("the same event is answered with %+v and %+v", c, again)
		}
		times[c.at]++
		explored += flag(c.explored)
		if p, ok := named[c.at]; ok && p != c.propensity {
			t.Fatalf("candidate %d is chosen with %g and %g", c.at, p, c.propensity)
		}
		named[c.at] = c.propensity
	}
	sum := 0.0
	for at, n := range times {
		sum += named[at]
		if expected := orders * named[at]; math.Abs(n-expected) > 5*math.Sqrt(expected) {
			t.Errorf("candidate %d was chosen %g times, expected were %g", at, n, expected)
		}
	}
	if len(times) != firstOnes || math.Abs(sum-1) > 1e-9 || math.Abs(explored/orders-0.2) > 0.02 {
		t.Errorf("%d candidates were chosen, with probabilities of %g together; explored in %g of all orders", len(times), sum, explored/orders)
	}
	s.rules.ExploreShare = 0
	if c := s.choose(&order{Purchase: &sales.Purchase{EventID: "e1"}}, 3, cmp.Compare[int]); c != (choice{at: 0, propensity: 1}) {
		t.Errorf("without exploring %+v", c)
	}
}

// Rules from before exploring could be set have the hash they had, and are read with the default; 0 is told.
func TestExploreShareIsLeftOutWhereItIsTheDefault(t *testing.T) {
	t.Parallel()
	r := DefaultRules()
	r.ExploreShare = 0
	again, err := ParseRules(string(r.JSON()))
	if err != nil || again.ExploreShare != 0 || r.Hash() == DefaultRules().Hash() {
		t.Errorf("no exploring is read again as %g, %v", float64(again.ExploreShare), err)
	}
	if again, err = ParseRules(string(DefaultRules().JSON())); err != nil || again.ExploreShare != 0.05 {
		t.Errorf("the default is read again as %g, %v", float64(again.ExploreShare), err)
	}
	r.ExploreShare = 1.5
	if r.Validate() == nil {
		t.Error("more than all orders explore")
	}
}

// What is offered does not hang on the numbers that a shard's dictionary gives: a customer who moves is offered the same.
func TestOffersDoNotHangOnTheDictionary(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k, _ := worldKnowledge(t)
		events := worldEvents(t)
		one, other := newRig(t, k), newRig(t, k)
		names := slices.Clone(categories)
		slices.Reverse(names)
		for _, name := range names {
			for _, tier := range []int32{2, 1, 0} {
				if _, err := other.shard.items.ID(window.Item{Category: name, Type: name, Tier: tier}); err != nil {
					t.Fatal(err)
				}
			}
		}
		for _, r := range []*rig{one, other} {
			r.step(events, 0)
			r.step(nil, endOfTime)
		}
		for i := range one.decisions {
			if diff := gocmp.Diff(one.decisions[i].Alerts, other.decisions[i].Alerts); diff != "" {
				t.Fatalf("(-one +with another dictionary):\n%s", diff)
			}
		}
	})
}

// Each offer that was opened, told or not, and whose end is known is one example, under the code that it was made with.
func TestEndedOffersAreExamples(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k, _ := worldKnowledge(t)
		k.Activity = activity.NewIndex() // so nothing is watched
		r := newRig(t, k)
		r.step(worldEvents(t), 0)
		r.step(nil, endOfTime)
		codes, want, got := map[string]uint64{}, map[string]int64{}, map[string]int64{}
		for _, d := range r.decisions {
			for i := range d.Alerts {
				a := &d.Alerts[i]
				switch code := a.Reasons[0].Code; {
				case a.Kind != sales.CrossSell && a.Kind != sales.Upsell || a.SuppressedBy == sales.ByCap:
				case a.Status == sales.Opened:
					codes[a.AlertID] = uint64(a.Details.Of("code"))
				case code == "taken_up" || code == "not_taken_up":
					want[a.Kind.String()+" "+scorecard.Col(codes[a.AlertID], code == "taken_up")]++
				}
			}
			for _, tally := range d.Tallies {
				for _, c := range tally.Cells {
					if tally.Kind == sales.TallyExamples {
						got[c.Row+" "+c.Col] += c.N
					}
				}
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("(-said +counted):\n%s", diff)
		}
	})
}
