package engine

import (
	flags "flag"
	"fmt"
	"math"
	"testing"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/simulate"
)

// Which worlds TestADownturnIsNobodysDecline plays; `make downturn` takes larger ones.
var (
	downturnCustomers = flags.Int("downturn-customers", 800, "customers of each world")
	downturnWorlds    = flags.Int("downturn-worlds", 1, "seeds")
)

// Days of the world: from when on alerts and decliners count, when business goes down, and how long after its day a decliner may be found.
const (
	downturnWarm  = 185
	downturnFrom  = 200
	downturnDays  = 340
	downturnFound = 90
)

// downturnWorld is one in which customers buy about twice a week, some of them decline, and nothing else happens.
func downturnWorld(seed uint64, shocks ...simulate.Shock) simulate.World {
	w := simulate.Default()
	w.Seed, w.Customers, w.Days, w.Shocks = seed, *downturnCustomers, downturnDays, shocks
	w.Orders.PerDay, w.Orders.Shape, w.Orders.Lines = 0.3, 3, 1
	w.Links, w.Tiers, w.Campaigns, w.Touches, w.Prospects.Share = nil, nil, nil, 0, 0
	return w
}

// played is what the engine said in a world.
type played struct {
	opened, right    int // alerts, and those about customers who had declined by then
	decliners, found int // planted, and said to decline in their time
}

func (p *played) add(o played) {
	p.opened, p.right, p.decliners, p.found = p.opened+o.opened, p.right+o.right, p.decliners+o.decliners, p.found+o.found
}

func (p *played) recall() float64 { return float64(p.found) / float64(p.decliners) }

// play runs a world through the engine, a step a day, with everyone's activity as the analyst would publish it: up to the day before.
func play(t *testing.T, w simulate.World, push bool) (p played) {
	t.Helper()
	byDay := map[sales.Day][]sales.Event{}
	came := map[string]bool{}
	days := map[sales.Day]float64{}
	var first sales.Day
	truth, err := w.Generate(func(e simulate.Event) error {
		if o, ok := e.Record.(*sales.Purchase); ok {
			due, day := sales.Calendar{}.Day(e.Due), sales.Calendar{}.Day(o.OccurredAt)
			if first == 0 {
				first = day
			}
			byDay[due] = append(byDay[due], sales.Event{Kind: sales.PurchaseEvent, Purchase: o, Source: sales.Source{Offset: int64(len(came))}})
			if key := fmt.Sprint(o.CustomerID, " ", day); !came[key] {
				came[key] = true
				days[day]++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, emptyKnowledge())
	if !push {
		rules := testRules()
		rules.Declining.MinPrecision = 1
		r.shard.SetRules(rules)
	}
	sums := scorecard.NewSums()
	opened := map[string][]int{} // days of the world, by customer
	for d := range downturnDays {
		day := first + sales.Day(d)
		r.knowledge.Version = sales.KnowledgeVersion(day.String())
		r.knowledge.Activity.Set(day-1, days[day-1], true)
		if examples := sums.Examples(scorecard.Declining(), day); d%7 == 0 && len(examples) > 0 {
			r.knowledge.Models.Set(scorecard.Learn(scorecard.Declining(), examples))
		}
		decided := r.step(byDay[day], sales.Calendar{}.Start(day+1)-1)
		for _, tally := range decided.Tallies {
			if tally.Kind == sales.TallyExamples {
				sums.Add(tally.Cells)
			}
		}
		for _, a := range decided.Alerts {
			if a.Kind == sales.Declining && a.Status == sales.Opened {
				opened[a.CustomerID] = append(opened[a.CustomerID], d)
				if d >= downturnWarm {
					p.opened++
				}
			}
		}
		r.project()
		r.decisions = nil
	}
	for _, k := range truth.Decliners {
		for _, d := range opened[k.CustomerID] {
			if d >= downturnWarm && d > k.Day && (k.Back == nil || d <= *k.Back+14) {
				p.right++
			}
		}
	}
	for _, k := range truth.Decliners {
		if k.Day < downturnWarm || k.Day+downturnFound > downturnDays || k.Back != nil && *k.Back < k.Day+downturnFound {
			continue
		}
		p.decliners++
		for _, d := range opened[k.CustomerID] {
			if d > k.Day && d <= k.Day+downturnFound {
				p.found++
				break
			}
		}
	}
	return p
}

// When business goes down by 30 in a hundred for everybody, no more customers than otherwise are said to decline, but for what chance makes of
// counts, and those who do are found as before: the push measures time by everyone's activity. (The test alone finds fewer decliners then: it
// has fewer purchases to go by.)
func TestADownturnIsNobodysDecline(t *testing.T) {
	t.Parallel()
	variants := []bool{true}
	if *downturnWorlds > 1 {
		variants = []bool{false, true}
	}
	for _, push := range variants {
		var calm, down played
		for seed := range *downturnWorlds {
			calm.add(play(t, downturnWorld(uint64(seed+1)), push))
			down.add(play(t, downturnWorld(uint64(seed+1), simulate.Shock{From: downturnFrom, Factor: 0.7}), push))
		}
		t.Logf("with the push %t: undisturbed %d alerts, %d of them right, %.3f of %d decliners found; in the downturn %d, %d, %.3f", push,
			calm.opened, calm.right, calm.recall(), calm.decliners, down.opened, down.right, down.recall())
		if chance := 2 * math.Sqrt(float64(calm.opened+down.opened)); float64(down.opened) > float64(calm.opened)+chance {
			t.Errorf("%d alerts in the downturn, %d without", down.opened, calm.opened)
		}
		if push && down.recall() < calm.recall()-0.05 {
			t.Errorf("%.3f of the planted decliners are found in the downturn, %.3f without", down.recall(), calm.recall())
		}
		if push && (calm.recall() < 0.3 || float64(calm.right) < 0.5*float64(calm.opened)) {
			t.Errorf("%.3f of the planted decliners are found, and %d of %d alerts are right", calm.recall(), calm.right, calm.opened)
		}
	}
}
