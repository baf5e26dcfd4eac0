package engine

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/window"
)

const noon = sales.Millis(firstDay)*sales.DayMillis + sales.DayMillis/2

func buy(id string, at sales.Millis, event string, names ...string) sales.Event {
	p := &sales.Purchase{EventID: event, CustomerID: id, OccurredAt: at, OrderID: event, Currency: "USD"}
	for _, name := range names {
		p.Lines = append(p.Lines, sales.Line{ProductID: name, Category: name, Quantity: 1, AmountMinor: 100})
	}
	return sales.Event{Kind: sales.PurchaseEvent, Purchase: p}
}

func touched(id string, at sales.Millis, event string) sales.Event {
	return sales.Event{Kind: sales.TouchpointEvent, Touchpoint: &sales.Touchpoint{EventID: event, CustomerID: id, OccurredAt: at}}
}

// TestPlanTime: how far time goes, by the clock, by what was read, and by what is still to be read.
func TestPlanTime(t *testing.T) {
	t.Parallel()
	const hour = 3_600_000
	lateness := sales.Millis(72 * hour)
	all, none := Readiness{Clock: noon, PurchasesDrained: true, TouchpointsDrained: true}, Readiness{Clock: noon}
	cases := []struct {
		name      string
		clock     Clock
		events    []sales.Event
		readiness Readiness
		now, mark sales.Millis
	}{
		{"nothing known", Live, nil, none, 0, 0},
		{"silence, everything read", Live, nil, all, noon, 0},
		{"silence with the data clock stands still", Data, nil, all, 0, 0},
		{"one input says nothing yet", Live, []sales.Event{buy("a", noon, "1")}, none, 0, 0},
		{"the minimum of both", Live, []sales.Event{buy("a", noon, "1"), touched("a", noon-hour, "2")}, none, noon - hour - lateness, noon - hour - lateness},
		{"the silent one has been read", Data, []sales.Event{buy("a", noon, "1")}, Readiness{Clock: noon, TouchpointsDrained: true}, noon - lateness, noon - lateness},
		{"a read one that is not silent counts", Data, []sales.Event{buy("a", noon, "1"), touched("a", noon-hour, "2")}, all, noon - hour - lateness, noon - hour - lateness},
		{"too far ahead of the clock", Data, []sales.Event{buy("a", noon, "1"), buy("a", noon+MaxAhead+1, "2")}, all, noon - lateness, noon - lateness},
		{"all read: the clock, not the watermark", Live, []sales.Event{buy("a", noon-hour, "1")}, all, noon, noon - hour - lateness},
	}
	for _, c := range cases {
		s := NewShard(Config{Clock: c.clock, Rules: testRules()})
		if p := s.Plan(c.events, c.readiness); p.Now != c.now || p.Watermark != c.mark {
			t.Errorf("%s: now %d, watermark %d, want %d, %d", c.name, p.Now, p.Watermark, c.now, c.mark)
		}
	}
}

// TestTimersAStep: a step fires the first 5,000 timers and their ties; the rest waits for the next, and a rollback loses none.
func TestTimersAStep(t *testing.T) {
	t.Parallel()
	r := newRig(t, emptyKnowledge())
	r.shard.cfg.Clock = Live
	var events []sales.Event
	for i := range 4 * 2_400 { // 2,400 customers on each of four days
		events = append(events, touched(fmt.Sprintf("c%04d", i), noon+sales.Millis(i/2_400)*sales.DayMillis, fmt.Sprint(i)))
	}
	r.step(events, noon)
	looked := noon + 12*sales.DayMillis // when all have been looked at, and nobody twice
	idle := Readiness{Clock: looked, PurchasesDrained: true, TouchpointsDrained: true}
	step := func() Decision {
		r.shard.Plan(nil, idle) // planning again takes nothing twice
		p := r.shard.Plan(nil, idle)
		return r.shard.Step(Batch{CSN: r.csn + 1, Plan: p, Clock: looked, Knowledge: r.knowledge})
	}
	var fired []int
	for range 3 {
		step()
		r.shard.Rollback()
		fired = append(fired, step().TimersFired)
		r.shard.Commit()
		r.csn++
	}
	if diff := cmp.Diff([]int{3 * 2_400, 2_400, 0}, fired); diff != "" {
		t.Errorf("timers fired in three steps (-want +got):\n%s", diff)
	}
	if r.shard.Now() != looked {
		t.Errorf("time stands at %d", r.shard.Now())
	}
}

// TestRefusals: what becomes of events that the shard cannot take, and that they leave nothing behind.
func TestRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t, emptyKnowledge())
	for i := range window.MaxItems - 2 {
		if _, err := r.shard.items.ID(window.Item{Tier: int32(i)}); err != nil {
			t.Fatal(err)
		}
	}
	euro := buy("anna", noon, "5", "MILK")
	euro.Purchase.Currency = "EUR"
	d := r.step([]sales.Event{
		buy("anna", noon, "1", "MILK"),
		buy("anna", noon, "2", "BREAD", "WINE"), // one more than there is room for
		buy("anna", noon, "3", "BREAD"),
		buy("anna", farClock+MaxAhead+1, "4", "MILK"),
		euro,
		{Kind: sales.IdentityEvent, Identity: &sales.Identity{FromID: "anna", ToID: "ben"}},
		{Kind: sales.MoveEvent},
		touched("anna", noon-400*sales.DayMillis, "6"),
	}, 0)
	want := []Rejected{{1, sales.DeadTooManyItems, ""}, {3, sales.DeadTime, ""}, {4, sales.DeadCurrency, ""}}
	for i := range d.Rejected {
		if d.Rejected[i].Reason == "" {
			t.Errorf("no reason given: %+v", d.Rejected[i])
		}
		d.Rejected[i].Reason = ""
	}
	if diff := cmp.Diff(want, d.Rejected); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if !slices.Equal(d.Late, []int{7}) {
		t.Errorf("late: %v", d.Late)
	}
	if r.shard.Newest(sales.PurchaseEvent) != noon {
		t.Errorf("an event far ahead moved time to %d", r.shard.Newest(sales.PurchaseEvent))
	}
	if orders := r.shard.cache.entries["anna"].state.Window.Orders(); len(orders) != 2 {
		t.Errorf("orders kept: %+v", orders)
	}
}

// TestSetRulesBetweenSteps: new rules hold from the next step on, and the shard record says which they were.
func TestSetRulesBetweenSteps(t *testing.T) {
	t.Parallel()
	k := emptyKnowledge()
	k.Links.Set(sales.Link{Kind: sales.CrossSellLink, Level: "category", From: "PASTA", To: "SAUCE", Score: 1})
	r := newRig(t, k)
	before := r.shard.Record(1, nil).RulesHash
	rules := testRules()
	rules.Links.ExcludeCategories = []string{"SAUCE"}
	r.shard.SetRules(rules)
	if d := r.step([]sales.Event{buy("anna", noon, "1", "PASTA")}, 0); len(d.Alerts) != 0 {
		t.Errorf("offered what is excluded: %+v", d.Alerts)
	}
	if after := r.shard.Record(1, nil).RulesHash; after == before || after != rules.Hash() {
		t.Errorf("rules hash %s, before %s", after, before)
	}
	r.shard.SetRules(testRules())
	if d := r.step([]sales.Event{buy("anna", noon, "2", "PASTA")}, 0); len(d.Alerts) != 1 {
		t.Errorf("alerts %+v", d.Alerts)
	}
}

// TestKnowledgeChanges: links of a new version hold from the next step on.
func TestKnowledgeChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t, emptyKnowledge())
	r.step([]sales.Event{buy("anna", noon, "1", "PASTA")}, 0)
	r.knowledge.Links.Set(sales.Link{Kind: sales.CrossSellLink, Level: "category", From: "PASTA", To: "SAUCE", Score: 1})
	r.knowledge.Version = "forecasts:0,product-links:1,products:0"
	if d := r.step([]sales.Event{buy("ben", noon, "2", "PASTA")}, 0); len(d.Alerts) != 1 {
		t.Errorf("the new link led to %d alerts", len(d.Alerts))
	}
}

// TestHoldoutShare: about the share of all customers is held out, for good.
func TestHoldoutShare(t *testing.T) {
	t.Parallel()
	s := NewShard(Config{Rules: DefaultRules()})
	held := 0
	for i := range 10_000 {
		if s.control(fmt.Sprint("customer-", i)) {
			held++
		}
	}
	if held < 900 || held > 1_100 { // 3.3 standard deviations around 1,000
		t.Errorf("%d of 10,000 held out", held)
	}
}

// TestEnvelope: every field of an alert that consumers rely on.
func TestEnvelope(t *testing.T) {
	t.Parallel()
	k := emptyKnowledge()
	k.Links.Set(sales.Link{Kind: sales.CrossSellLink, Level: "category", From: "PASTA", To: "SAUCE", Score: 1, Confidence: 0.5, Both: 50,
		FromHolders: 100, Baseline: 0.25, Lift: 2, GSquared: 30, TypicalMinor: 301})
	r := newRig(t, k)
	e := buy("dora", noon, "e-1", "PASTA")
	e.Source = sales.Source{Topic: "purchases", Partition: 3, Offset: 99}
	d := r.step([]sales.Event{e}, 0)
	if len(d.Alerts) != 1 {
		t.Fatalf("%d alerts", len(d.Alerts))
	}
	value, chance := int64(7), math.Log((1-math.Pow(0.5, 30./180))/math.Pow(0.5, 30./180)) // in log odds, as if one half came evenly over 180 days
	points := scorecard.NewScore(scorecard.CrossSell(), nil).Points(scorecard.LinkOdds, chance)
	day := sales.Millis(firstDay) * sales.DayMillis
	want := sales.Alert{AlertID: d.Alerts[0].AlertID, Revision: 1, Kind: sales.CrossSell, Status: sales.Opened, SubjectType: "customer",
		SubjectID: "dora", CustomerID: "dora",
		Title: "Offer SAUCE to customer dora, who has just bought PASTA: 50 in 100 who buy PASTA also buy SAUCE within 180 days.",
		Score: 0.02298, Grade: "D", ExpectedValueMinor: &value, Currency: "USD",
		Reasons: []sales.Reason{
			{Code: "bought", Text: "Bought PASTA on 2026-01-01.", Value: 1, Weight: 1, Evidence: []sales.Evidence{{Source: e.Source, EventID: "e-1"}}},
			{Code: "link", Text: "50 of 100 customers who bought PASTA also bought SAUCE; of all customers 25 in 100 did.", Value: 0.5, Baseline: 0.25, Weight: 2},
			{Code: "not_held", Text: "No SAUCE in the last 180 days."},
			{Code: "link_odds", Text: "By the link alone 10.9 in 100 take it within 30 days.", Value: chance, Weight: points},
			{Code: "popularity", Text: "25 in 100 of all customers hold SAUCE.", Value: 0.25, Weight: 0.3},
		},
		WindowStart: day - 179*sales.DayMillis, WindowEnd: day + sales.DayMillis, EventTime: noon, DetectedAt: noon, ExpiresAt: day + 14*sales.DayMillis,
		FromProduct: "PASTA", ToProduct: "SAUCE", Arm: sales.Treatment, Propensity: 0.7, KnowledgeVersion: string(k.Version), RunID: "live",
		Details: sales.NumbersOf(map[string]float64{"confidence": 0.5, "baseline": 0.25, "lift": 2, "lift_low": 0, "lift_high": 0, "g_squared": 30, "q": 0, "support": 50,
			"link_score": 1, "learned_from": 0, "learned_to": 0, "antecedents": 1, "days_since": 0, "by_value": 0,
			"link_chance": 1 - math.Pow(0.5, 30./180), "margin": 1, "margin_known": 0, // of the whole line, as no margin is known
			"similarity": 0, "damped_confidence": 0, "bought_before": 0, "link_odds": chance,
			"popularity": 0.25, "season": 1, "price_ratio_to_usual": 3.01, "past_answers": 0.1, "activity": 0,
			"points.constant": -4.5, "points.similarity": 0, "points.damped_confidence": 0, "points.bought_before": 0, "points.link_odds": points,
			"points.popularity": 0.3, "points.season": 0, "points.price_ratio_to_usual": 0, "points.past_answers": 0, "points.activity": 0, "history": 0, "points.history": 0, "told": 1, "points.told": 0, "log_odds": -3.75,
			"code": 9_478_011_779, "card_version": 3, "candidates": 1, "explored": 0})}
	if diff := cmp.Diff(want, d.Alerts[0]); diff != "" {
		t.Errorf("alert (-want +got):\n%s", diff)
	}
	again := newRig(t, k).step([]sales.Event{e}, 0).Alerts[0].AlertID
	if again != want.AlertID || len(again) != 36 {
		t.Errorf("the same facts gave ids %s and %s", want.AlertID, again)
	}
}

func TestLoadRefusesDamage(t *testing.T) {
	t.Parallel()
	r := newRig(t, emptyKnowledge())
	d := r.step([]sales.Event{buy("anna", noon, "1", "MILK")}, 0)
	blob := d.Changes[0].Blob
	for i := range blob {
		bad := slices.Clone(blob)
		bad[i] ^= 0x10
		if err := r.shard.Load("ben", bad); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	if err := r.shard.Load("ben", blob); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a blob of a commit that was never acknowledged: %v", err)
	}
	r.shard.Acknowledge(1)
	if err := r.shard.Load("ben", blob); err != nil {
		t.Errorf("an intact blob: %v", err)
	}
	if _, err := DecodeCustomer(blob, window.NewItems()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("items that the dictionary lacks: %v", err)
	}
	record := sales.ShardRecord{CSN: 1, Items: 2}
	if err := r.shard.Restore(&record, d.NewItems, nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a dictionary shorter than the record says: %v", err)
	}
}

func TestRulesValidate(t *testing.T) {
	t.Parallel()
	if err := DefaultRules().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Rules){
		"window_days":       func(r *Rules) { r.WindowDays = 0 },
		"slack_days":        func(r *Rules) { r.SlackDays = -1 },
		"link_level":        func(r *Rules) { r.LinkLevel = "brand" },
		"cooldown_days":     func(r *Rules) { r.CooldownDays = 181 },
		"expiry_days":       func(r *Rules) { r.ExpiryDays = 31 },
		"holdout_share":     func(r *Rules) { r.HoldoutShare = 1 },
		"allowed_lateness":  func(r *Rules) { r.AllowedLateness = -1 },
		"baseline_days":     func(r *Rules) { r.Declining.BaselineDays = 151 },
		"alpha":             func(r *Rules) { r.Declining.Alpha = 0.02 },
		"min_baseline_days": func(r *Rules) { r.Declining.MinBaselineDays = 0 },
		"min_purchases":     func(r *Rules) { r.Upsell.MinPurchases = 0 },
		"min_price_ratio":   func(r *Rules) { r.Upsell.MinPriceRatio = 0.9 },
		"min_support":       func(r *Rules) { r.Links.MinSupport = 0 },
		"min_g2":            func(r *Rules) { r.Links.MinG2 = -1 },
		"max_per_item":      func(r *Rules) { r.Links.MaxPerItem = 0 },
		"half_life_days":    func(r *Rules) { r.Links.HalfLifeDays = 27 },
		"max_candidates":    func(r *Rules) { r.Links.MaxCandidates = 0 },
	} {
		r := DefaultRules()
		spoil(&r)
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		if r.Hash() == DefaultRules().Hash() {
			t.Errorf("%s does not show in the hash", name)
		}
	}
}
