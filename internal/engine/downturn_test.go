package engine

import (
	flags "flag"
	"fmt"
	"math"
	"testing"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/simulate"
)

// Which worlds TestADownturnIsNobodysDecline plays; `make downturn` takes larger ones.
var (
	downturnCustomers = flags.Int("downturn-customers", 800, "customers of each world")
	downturnWorlds    = flags.Int("downturn-worlds", 1, "seeds")
)

// Days of the world: when business goes down, from which on alerts and decliners count, and how long after its day a decliner may be found.
const (
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
	alerts map[string]float64 // by customer
	wrong  map[string]float64 // those about customers who had not declined by then
	found  []float64          // of each planted decliner, 1 if it was said to decline in its time
}

// play runs a world through the engine, a step a day, with everyone's activity as the analyst would publish it: up to the day before.
func play(t *testing.T, w simulate.World, push bool) played {
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
			if a.Kind == sales.Declining && a.Status == sales.Opened && d >= downturnFrom {
				opened[a.CustomerID] = append(opened[a.CustomerID], d)
			}
		}
		r.project()
		r.decisions = nil
	}
	return against(opened, truth.Decliners)
}

// against holds what was said against the truth.
func against(opened map[string][]int, decliners []simulate.Decliner) played {
	p := played{alerts: map[string]float64{}, wrong: map[string]float64{}}
	for id, days := range opened {
		p.alerts[id], p.wrong[id] = float64(len(days)), float64(len(days))
	}
	for _, k := range decliners {
		found := 0.0
		for _, d := range opened[k.CustomerID] {
			if d > k.Day && (k.Back == nil || d <= *k.Back+14) {
				p.wrong[k.CustomerID]--
			}
			if d > k.Day && d <= k.Day+downturnFound {
				found = 1
			}
		}
		if k.Day >= downturnFrom && k.Day+downturnFound <= downturnDays && (k.Back == nil || *k.Back >= k.Day+downturnFound) {
			p.found = append(p.found, found)
		}
	}
	return p
}

// total adds up what is counted by customer.
func total(counts map[string]float64) (all float64) {
	for _, n := range counts {
		all += n
	}
	return all
}

// pairs are differences, the downturn less the undisturbed world: of the alerts about each customer, the wrong ones among them, and of whether each
// planted decliner was found.
type pairs struct{ alerts, wrong, found []float64 }

func (p *pairs) add(calm, down played) {
	less := func(a, b map[string]float64) []float64 {
		var differences []float64
		for id, n := range a {
			differences = append(differences, n-b[id])
		}
		for id, n := range b {
			if _, both := a[id]; !both {
				differences = append(differences, -n)
			}
		}
		return append(differences, make([]float64, *downturnCustomers-len(differences))...)
	}
	p.alerts, p.wrong = append(p.alerts, less(down.alerts, calm.alerts)...), append(p.wrong, less(down.wrong, calm.wrong)...)
	for i := range down.found {
		p.found = append(p.found, down.found[i]-calm.found[i])
	}
}

// interval holds the mean in 95 of 100 samples such as this one: Student's.
func interval(sample []float64) (from, mean, to float64) {
	n := float64(len(sample))
	mean, deviation := stat.MeanStdDev(sample, nil)
	half := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.Quantile(0.975) * deviation / math.Sqrt(n)
	return mean - half, mean, mean + half
}

// When business goes down by 30 in a hundred for everybody, no more customers than otherwise are said to decline, and those who do are found as
// before: the push measures time by everyone's activity. The alerts of the undisturbed world are those that the precision asked for lets
// expect; the same customers with the same fates live in both, and are compared one by one. More alerts than chance makes of counts, more wrong ones
// among them, or 5 points less of the decliners found, and the test fails. (The test alone finds fewer decliners then: it has fewer purchases to go by.)
func TestADownturnIsNobodysDecline(t *testing.T) {
	t.Parallel()
	variants := []bool{true}
	if *downturnWorlds > 1 {
		variants = []bool{false, true}
	}
	for _, push := range variants {
		var all pairs
		for seed := range *downturnWorlds {
			calm := play(t, downturnWorld(uint64(seed+1)), push)
			down := play(t, downturnWorld(uint64(seed+1), simulate.Shock{From: downturnFrom, Factor: 0.7}), push)
			all.add(calm, down)
			t.Logf("push %t, world %d: alerts %.0f, in the downturn %.0f; wrong %.0f and %.0f; found of %d decliners %.3f and %.3f", push, seed+1,
				total(calm.alerts), total(down.alerts), total(calm.wrong), total(down.wrong), len(calm.found), stat.Mean(calm.found, nil), stat.Mean(down.found, nil))
			if precision := 1 - total(calm.wrong)/total(calm.alerts); push && (precision < 0.5 || stat.Mean(calm.found, nil) < 0.3) {
				t.Errorf("world %d: %.3f of the planted decliners are found, and %.3f of the alerts are right", seed+1, stat.Mean(calm.found, nil), precision)
			}
		}
		for what, sample := range map[string][]float64{"alerts": all.alerts, "wrong alerts": all.wrong} {
			from, mean, to := interval(sample)
			t.Logf("push %t: in the downturn %+.1f %s in 1,000 customers (%+.1f to %+.1f)", push, 1000*mean, what, 1000*from, 1000*to)
			if from > 0 {
				t.Errorf("push %t: more %s in the downturn than chance explains", push, what)
			}
		}
		from, mean, to := interval(all.found)
		t.Logf("push %t: in the downturn %+.3f of %d planted decliners found (%+.3f to %+.3f)", push, mean, len(all.found), from, to)
		if push && mean < -0.05 {
			t.Errorf("%.3f of the planted decliners less are found in the downturn", -mean)
		}
	}
}
