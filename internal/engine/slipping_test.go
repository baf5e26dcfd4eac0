package engine

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/slipping"
	"leadline/internal/window"
)

// SilenceTellsPoints are points by which a customer slips away when MBG/NBD expects less than a third of its usual rate.
func SilenceTellsPoints() sales.Model {
	m := slipModel(func() float64 { return 0 })
	expected := &m.Characteristics[slipping.SignExpected]
	m.Constant = -4
	for i := range expected.Points {
		if i < len(expected.Cuts) && expected.Cuts[i] <= -1 {
			expected.Points[i] = 8
		}
	}
	return m
}

// silenceTells is knowledge of them, and of even activity.
func silenceTells() *Knowledge {
	k := emptyKnowledge()
	k.Models.Set(SilenceTellsPoints())
	for day := firstDay - 200; day < firstDay+400; day++ {
		k.Activity.Set(day, 1_000, true)
	}
	return k
}

// ordered is a purchase of somebody at noon of a day.
func ordered(who string, day sales.Day) sales.Event {
	return sales.Event{Kind: sales.PurchaseEvent, Source: sales.Source{Offset: int64(day)},
		Purchase: &sales.Purchase{EventID: fmt.Sprint(who, " e", day), OrderID: fmt.Sprint(who, " o", day), CustomerID: who, Currency: "USD",
			OccurredAt: sales.Calendar{}.Start(day) + sales.DayMillis/2, Lines: []sales.Line{{ProductID: "p", Category: "BREAD", Quantity: 1, AmountMinor: 100}}}}
}

// everyFifthDay brings a customer who buys so for so long.
func (r *rig) everyFifthDay(who string, days sales.Day) (last sales.Day) {
	for day := sales.Day(0); day < days; day += 5 {
		last = firstDay + day
		r.step([]sales.Event{ordered(who, last)}, sales.Calendar{}.Start(last+1)-1)
	}
	return last
}

func declines(d Decision) (all []sales.Alert) {
	for _, a := range d.Alerts {
		if a.Kind == sales.Declining {
			all = append(all, a)
		}
	}
	return all
}

// Silence alone makes the push fire, on the first day on which it tells, not at the next weekly look; a purchase ends it, with how long the
// customer was away.
func TestSilenceTellsOnItsDay(t *testing.T) {
	r := newRig(t, silenceTells())
	last := r.everyFifthDay("anna", 150)
	var opened sales.Alert
	silent := 0
	for day := last + 1; opened.AlertID == ""; day++ {
		if day > last+60 {
			t.Fatal("two months of silence tell nothing")
		}
		for _, a := range declines(r.step(nil, sales.Calendar{}.Start(day+1))) { // the day is over
			opened, silent = a, int(day-last)
		}
	}
	e := r.shard.cache.entries["anna"]
	r.shard.step.batch = &Batch{Knowledge: r.knowledge}
	for ahead := 1; ahead <= silent; ahead++ {
		if fires := r.shard.slipChance(&e.state, last+sales.Day(ahead)+1, last+sales.Day(ahead)+1) >= r.shard.rules.Declining.least(); fires != (ahead == silent) {
			t.Errorf("after %d days of silence the push would fire: %t; it did after %d", ahead, fires, silent)
		}
	}
	if weekly := (silent+145)%LookEvery == 0; weekly || opened.Reasons[0].Code != "slipping_away" || opened.Details.Of("silent_days") != float64(silent) || opened.Score < 0.5 {
		t.Errorf("after %d days: %+v", silent, opened)
	}
	back := last + sales.Day(silent) + 4
	ended := declines(r.step([]sales.Event{ordered("anna", back)}, sales.Calendar{}.Start(back+1)-1))
	if len(ended) != 1 || ended[0].AlertID != opened.AlertID || ended[0].Status != sales.Resolved || ended[0].Details.Of("days_away") != float64(silent+4) ||
		ended[0].Details.Of("days_to_return") != 4 {
		t.Errorf("on return: %+v", ended)
	}
}

// What each sign was answered and what points it got add up to the log odds of the probability, and those that say most are told with their weights.
func TestWhatThePushRestsOnAddsUp(t *testing.T) {
	r := newRig(t, silenceTells())
	last := r.everyFifthDay("anna", 150)
	opened := declines(r.step(nil, sales.Calendar{}.Start(last+40)))
	if len(opened) != 1 {
		t.Fatalf("silent for 40 days: %+v", opened)
	}
	a, sum := opened[0], 0.0
	for _, n := range a.Details {
		if strings.HasPrefix(n.Name, pointsOf) {
			sum += n.Value
		}
	}
	if odds := a.Details.Of("log_odds"); math.Abs(sum-odds) > 1e-9 || math.Abs(scorecard.Logistic(odds)-a.Details.Of("probability")) > 1e-9 {
		t.Errorf("points add up to %g, the log odds are %g, the probability is %g", sum, odds, a.Details.Of("probability"))
	}
	told := slices.IndexFunc(a.Reasons, func(reason sales.Reason) bool { return reason.Code == "expected" })
	if told < 0 || a.Reasons[told].Weight != 8 || a.Reasons[told].Value != a.Details.Of("expected") || a.Details.Of(pointsOf+"expected") != 8 ||
		!strings.HasPrefix(a.Reasons[told].Text, "After this silence few buyers go on as before") {
		t.Errorf("the sign that says it all: %+v", a.Reasons)
	}
}

// The order that shows the silence to have been none comes late: the alert is resolved under its id.
func TestALateOrderContradictsTheSilence(t *testing.T) {
	r := newRig(t, silenceTells())
	last := r.everyFifthDay("anna", 150)
	opened := declines(r.step(nil, sales.Calendar{}.Start(last+40)))
	if len(opened) != 1 {
		t.Fatalf("silent for 40 days: %+v", opened)
	}
	ended := declines(r.step([]sales.Event{ordered("anna", last+38)}, sales.Calendar{}.Start(last+41)))
	if len(ended) != 1 || ended[0].AlertID != opened[0].AlertID || ended[0].Status != sales.Resolved || ended[0].Revision != 2 {
		t.Errorf("the order of two days before came: %+v", ended)
	}
}

// A timer fires where nothing arrives, by the clock alone; the journal's time makes it fire again, with the same words.
func TestAPartitionWithoutTraffic(t *testing.T) {
	live, again := newRig(t, silenceTells()), newRig(t, silenceTells())
	live.shard = NewShard(Config{Partitions: 1, Clock: Live, Rules: testRules()})
	last := live.everyFifthDay("anna", 150)
	again.everyFifthDay("anna", 150)
	var said []sales.Alert
	for clock := (sales.Calendar{}).Start(last + 1); len(said) == 0; clock += 6 * 3_600_000 { // a tick every six hours
		p := live.shard.Plan(nil, Readiness{Clock: clock, PurchasesDrained: true, TouchpointsDrained: true})
		live.load(p)
		said = declines(live.shard.Step(Batch{CSN: live.csn + 1, Plan: p, Clock: clock, Knowledge: live.knowledge, RunID: "live"}))
		live.shard.Commit()
		live.csn++
		replayed := declines(again.step(nil, p.Now))
		if diff := gocmp.Diff(said, replayed); diff != "" {
			t.Fatalf("at %d (-live +replay):\n%s", p.Now, diff)
		}
		if clock > (sales.Calendar{}).Start(last+60) {
			t.Fatal("no timer fired")
		}
	}
}

// A look back teaches what the customer was like before the horizon, and nothing that came later but whether it slipped away.
func TestExamplesDoNotSeeWhatTheyTeach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := silenceTells()
		for day := firstDay - 200; day < firstDay+400; day++ {
			k.Activity.Set(day, 1, true) // so few that the lot falls on everybody
		}
		a, b := newRig(t, k), newRig(t, k)
		day := firstDay + 160
		var first, other []sales.Event
		for d := firstDay; d <= day; d++ {
			switch bought := rapid.IntRange(0, 5).Draw(t, "bought") == 0; {
			case d <= day-sales.Day(SlipQuestion.HorizonDays):
				if bought || d%50 == 0 {
					first, other = append(first, ordered("anna", d)), append(other, ordered("anna", d))
				}
			case bought:
				first = append(first, ordered("anna", d))
			case rapid.Bool().Draw(t, "other"):
				other = append(other, ordered("anna", d))
			}
		}
		now := sales.Calendar{}.Start(day+1) - 1
		a.step(first, now)
		b.step(other, now)
		x, y := a.exampleOf("anna", day), b.exampleOf("anna", day)
		if len(x) != len(y) || len(x) == 1 && x[0].code != y[0].code {
			t.Fatalf("examples %+v and %+v of the same past", x, y)
		}
		for i, of := range [][]sales.Event{first, other} {
			bought := 0
			for _, e := range of {
				if e.Purchase.OccurredAt >= (sales.Calendar{}).Start(day+1-sales.Day(SlipQuestion.HorizonDays)) {
					bought++
				}
			}
			window := len(of) - bought
			for _, e := range of {
				if e.Purchase.OccurredAt < (sales.Calendar{}).Start(day+1-120) {
					window--
				}
			}
			example := [][]example{x, y}[i]
			if len(example) == 1 && example[0].taken != (2*bought*90 < window*30) {
				t.Fatalf("%d days in 30 after %d in 90: slipped %t", bought, window, example[0].taken)
			}
			if len(example) == 0 && window >= MinSlipDays {
				t.Fatal("nothing was taught")
			}
		}
	})
}

// exampleOf is what a look at the customer teaches.
func (r *rig) exampleOf(who string, day sales.Day) []example {
	r.shard.step.batch = &Batch{Knowledge: r.knowledge}
	r.shard.step.tally.examples = nil
	r.shard.teach(r.shard.cache.entries[who], day)
	return slices.Clone(r.shard.step.tally.examples)
}

// About as many examples are taken however many customers there are.
func TestSoManyExamplesAWeek(t *testing.T) {
	for _, everyone := range []float64{100, 1_000, 50_000} { // purchase days a day; of customers who buy every ten days
		k := emptyKnowledge()
		for day := firstDay - 200; day < firstDay+10; day++ {
			k.Activity.Set(day, everyone, true)
		}
		r := newRig(t, k)
		r.shard.step.batch = &Batch{Knowledge: k}
		r.shard.step.scratch.use(k)
		e := &entry{state: Customer{Lifetime: Lifetime{FirstDay: firstDay - 150, DaysEver: 15}}}
		for day := firstDay - 150; day < firstDay; day += 10 {
			e.state.Window.AddOrder(window.Order{Day: day, Event: uint64(day)})
		}
		customers := int(everyone * 10)
		for i := range customers { // each is looked at once a week
			e.id = fmt.Sprint("c", i)
			r.shard.teach(e, firstDay)
		}
		got := len(r.shard.step.tally.examples)
		if want := min(customers, slipExamples*10/7); float64(got) < 0.85*float64(want) || float64(got) > 1.15*float64(want) {
			t.Errorf("%d examples of %d customers, want about %d", got, customers, want)
		}
	}
}

// Points of another version, and rules that keep too little history, leave decisions to the test alone.
func TestNoPushWithoutPointsOrHistory(t *testing.T) {
	for name, change := range map[string]func(r *rig){
		"another version": func(r *rig) {
			m := slipModel(func() float64 { return 9 })
			m.Version++
			r.knowledge.Models.Set(m)
		},
		"too little history": func(r *rig) {
			rules := testRules()
			rules.WindowDays, rules.SlackDays = slipKept-10, 5
			rules.Declining.BaselineDays = 100
			r.shard.SetRules(rules)
		},
		"nothing learned": func(r *rig) { r.knowledge.Models.Delete(scorecard.Declining().Name) },
		"nobody is that likely": func(r *rig) {
			rules := testRules()
			rules.Declining.MinPrecision = 1
			r.shard.SetRules(rules)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, silenceTells())
			change(r)
			last := r.everyFifthDay("anna", 150)
			for _, a := range declines(r.step(nil, sales.Calendar{}.Start(last+40))) {
				t.Errorf("said %+v", a)
			}
		})
	}
}

// BenchmarkPush is what the push costs at a look that finds nothing, by how often the customer buys.
func BenchmarkPush(b *testing.B) {
	for _, every := range []sales.Day{2, 5, 20} {
		b.Run(fmt.Sprintf("every %d days", every), func(b *testing.B) {
			k := silenceTells()
			s := NewShard(Config{Partitions: 1, Clock: Data, Rules: testRules()})
			s.step.batch = &Batch{Knowledge: k}
			s.step.scratch.use(k)
			e := &entry{id: "anna", state: Customer{Lifetime: Lifetime{FirstDay: firstDay, DaysEver: uint32(180 / every)}}}
			for day := firstDay; day < firstDay+180; day += every {
				e.state.Window.AddOrder(window.Order{Day: day, Event: uint64(day)})
			}
			for b.Loop() {
				if v := s.slips(e, firstDay+180); v.fires || v.telling != 0 {
					b.Fatal("it says something")
				}
			}
		})
	}
}
