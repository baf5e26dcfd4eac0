package comparison

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"leadline/internal/activity"
	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// world is few customers and categories, so that all that the job distinguishes happens: rules that fire and cool down, orders out of
// order by days, customers who stop.
func world(seed uint64, n int) ([]Rule, []*sales.Purchase) {
	luck := rand.New(rand.NewPCG(seed, 1))
	category := func() string { return fmt.Sprintf("cat-%d", luck.IntN(12)) }
	var rules []Rule
	for range 20 {
		rules = append(rules, Rule{From: category(), To: category(), Confidence: .1 + luck.Float64()/2, Lift: 1 + luck.Float64()})
	}
	var orders []*sales.Purchase
	at := sales.Millis(1_735_689_600_000)
	for i := range n {
		at += sales.Millis(luck.Int64N(int64(6 * time.Hour / time.Millisecond)))
		p := &sales.Purchase{EventID: fmt.Sprintf("e-%d", i), OrderID: fmt.Sprintf("o-%d", i), CustomerID: fmt.Sprintf("c%d", min(luck.IntN(8), luck.IntN(8))),
			OccurredAt: at + sales.Millis(luck.Int64N(4*int64(sales.DayMillis))-2*int64(sales.DayMillis)), Currency: "EUR"}
		if p.CustomerID == "c0" && i > n/2 {
			p.CustomerID = "c9"
			if luck.IntN(10) == 0 {
				p.CustomerID = "c0" // has all but stopped
			}
		}
		for range 1 + luck.IntN(3) {
			p.Lines = append(p.Lines, sales.Line{ProductID: "p", Category: category(), Quantity: 1, AmountMinor: 100})
		}
		orders = append(orders, p)
	}
	return rules, orders
}

// play runs the job in a shard, in batches, of which some are rolled back first.
func play(t *testing.T, seed uint64, table []Rule, orders []*sales.Purchase) *Alerts {
	t.Helper()
	luck, said, writer := rand.New(rand.NewPCG(seed, 2)), &Alerts{}, alerts{"alerts"}
	s := engine.NewShard(engine.Config{Partitions: 1, Clock: engine.Data, Calendar: sales.NewCalendar(time.UTC), Rules: rules(),
		Job: newJob(table, func() {})})
	known := &engine.Knowledge{Links: affinity.NewTable(), Catalogue: catalogue.New(), Activity: activity.NewIndex()}
	for csn := int64(1); len(orders) > 0; csn++ {
		n := min(len(orders), 1+luck.IntN(50))
		var events []sales.Event
		for i, p := range orders[:n] {
			events = append(events, sales.Event{Kind: sales.PurchaseEvent, Source: sales.Source{Offset: int64(i)}, Purchase: p})
		}
		for again := luck.IntN(3) == 0; ; again = false {
			plan := s.Plan(events, engine.Readiness{Clock: orders[n-1].OccurredAt})
			for _, id := range plan.Missing {
				if err := s.Load(id, nil); err != nil {
					t.Fatal(err)
				}
			}
			d := s.Step(engine.Batch{Events: events, Plan: plan, CSN: csn, Clock: orders[n-1].OccurredAt + 10*sales.DayMillis, Knowledge: known})
			if again {
				s.Rollback()
				continue
			}
			for i := range d.Alerts {
				_, value, _, err := writer.Alert(nil, nil, &d.Alerts[i])
				if err != nil {
					t.Fatal(err)
				}
				said.Add([]byte(d.Alerts[i].CustomerID), value)
			}
			if len(d.Tallies) > 0 || len(d.Rejected) > 0 || len(d.Late) > 0 || d.TimersFired > 0 {
				t.Fatalf("the job left %d tallies, %d rejected, %d late, %d timers", len(d.Tallies), len(d.Rejected), len(d.Late), d.TimersFired)
			}
			s.Commit()
			s.Acknowledge(csn)
			break
		}
		orders = orders[n:]
	}
	return said
}

func TestJobIsTheOracles(t *testing.T) {
	for seed := range uint64(20) {
		table, orders := world(seed, 2000)
		want := Expect(table, slices.Values(orders))
		got := play(t, seed, table, orders)
		if lost, twice, foreign := got.Against(want); lost+twice+foreign > 0 || got.Sum != want.Sum || want.N < 40 {
			t.Errorf("seed %d: %d alerts, want %d: %d lost, %d twice, %d foreign", seed, got.N, want.N, lost, twice, foreign)
		}
	}
}

// The product's own decoder reads the comparison's input by its schema.
func TestPurchaseReadsBack(t *testing.T) {
	s, _ := newSource()
	decoder := wire.NewDecoder(s)
	_, orders := world(1, 50)
	orders[0].Channel, orders[1].CampaignID = "web", "spring"
	for _, p := range orders {
		var got sales.Purchase
		if err := decoder.Purchase(t.Context(), AppendPurchase(nil, p), &got); err != nil {
			t.Fatal(err)
		}
		if got.EventID != p.EventID || got.CustomerID != p.CustomerID || got.OccurredAt != p.OccurredAt || got.Channel != p.Channel ||
			got.CampaignID != p.CampaignID || got.Currency != p.Currency || !slices.Equal(got.Lines, p.Lines) {
			t.Errorf("got %+v, want %+v", got, p)
		}
	}
}

func TestAgainst(t *testing.T) {
	var got, want Alerts
	for _, v := range []string{"a", "b", "b", "c"} {
		want.Add(nil, []byte(v))
	}
	for _, v := range []string{"a", "a", "b", "x"} {
		got.Add(nil, []byte(v))
	}
	if lost, twice, foreign := got.Against(&want); lost != 2 || twice != 1 || foreign != 1 {
		t.Errorf("%d lost, %d twice, %d foreign; want 2, 1, 1", lost, twice, foreign)
	}
}
