package reference

import (
	"fmt"
	"slices"
	"testing"

	"leadline/internal/activity"
	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/engine"
	"leadline/internal/sales"
)

// What one customer, one order and one shard may hold ends for the model where it ends for the engine.
func TestBounds(t *testing.T) {
	t.Parallel()
	rules, known := engine.DefaultRules(), &engine.Knowledge{Links: affinity.NewTable(), Activity: activity.NewIndex(), Catalogue: catalogue.New()}
	shard := engine.NewShard(engine.Config{Prefix: testPrefix, Partitions: 1, Clock: engine.Data, Rules: rules})
	m := NewModel(testPrefix, 0, sales.Calendar{}, rules, NewKnowledge())
	var events []sales.Event
	for i := range 27 {
		p := &sales.Purchase{EventID: fmt.Sprint("e", i), CustomerID: people[i%3], OccurredAt: sales.Millis(firstDay)*sales.DayMillis + sales.Millis(i),
			Currency: "USD", Lines: make([]sales.Line, 4_998+i%4)}
		for l := range p.Lines {
			p.Lines[l] = sales.Line{ProductID: "p", Category: fmt.Sprint(i, "/", l), Quantity: 1, AmountMinor: 1}
		}
		events = append(events, sales.Event{Kind: sales.PurchaseEvent, Purchase: p})
	}
	at := events[len(events)-1].Purchase.OccurredAt
	plan := shard.PlanAt(events, at, at)
	for _, id := range plan.Missing {
		if err := shard.Load(id, nil); err != nil {
			t.Fatal(err)
		}
	}
	d := shard.Step(engine.Batch{CSN: 1, Events: events, Plan: plan, Clock: at, Knowledge: known, RunID: sales.LiveRun})
	var got []Refused
	for _, r := range d.Rejected {
		got = append(got, Refused{r.Event, r.Class})
	}
	want := m.Play(Commit{CSN: 1, Events: events, Now: plan.Now, Clock: at})
	if !slices.Equal(want.Refused, got) || int(d.Items) != len(m.items) {
		t.Errorf("the model refuses %v and knows %d items, the engine %v and %d", want.Refused, len(m.items), got, d.Items)
	}
	for _, class := range []sales.DeadLetterClass{sales.DeadTooLarge, sales.DeadTooManyItems} {
		if !slices.ContainsFunc(got, func(r Refused) bool { return r.Class == class }) {
			t.Errorf("nothing was %s: the bound was not compared", class)
		}
	}
}
