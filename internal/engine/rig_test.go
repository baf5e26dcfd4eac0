package engine

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadline/internal/activity"
	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/window"
)

// farClock is a wall clock that no event is ahead of.
const farClock = sales.Millis(1 << 42)

const firstDay = sales.Day(20_454) // 2026-01-01

// tb is what rapid and testing have in common here.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
}

// rig runs a shard as the runtime does: it loads what the plan misses from a projection that lags behind the commits.
type rig struct {
	tb
	shard     *Shard
	knowledge *Knowledge
	take      func(*Shard, Batch) Decision
	blobs     map[string][]byte // the projection
	due       map[string]Due    // its timers
	runs      []ItemsRun        // its dictionary
	behind    []Decision        // commits that the projection has not seen yet
	csn       int64
	decisions []Decision
}

func testRules() Rules {
	r := DefaultRules()
	r.HoldoutShare = 0.3
	r.AllowedLateness = 72 * time.Hour // of the events below
	return r
}

func emptyKnowledge() *Knowledge {
	return &Knowledge{Version: "forecasts:0,product-links:0,products:0", Links: affinity.NewTable(), Activity: activity.NewIndex(), Catalogue: catalogue.New(), Models: scorecard.NewModels()}
}

func newRig(t tb, k *Knowledge) *rig {
	return &rig{tb: t, knowledge: k, take: (*Shard).Step, blobs: map[string][]byte{}, due: map[string]Due{},
		shard: NewShard(Config{Partitions: 1, Clock: Data, Rules: testRules()})}
}

func (r *rig) load(p Plan) {
	r.Helper()
	for _, id := range p.Missing {
		if err := r.shard.Load(id, r.blobs[id]); err != nil {
			r.Fatalf("load: %v", err)
		}
	}
}

// attempt plans, loads and steps, without an end.
func (r *rig) attempt(events []sales.Event, now sales.Millis) Decision {
	r.Helper()
	var p Plan
	if now != 0 {
		p = r.shard.PlanAt(events, now, now)
	} else {
		p = r.shard.Plan(events, Readiness{Clock: farClock, PurchasesDrained: true, TouchpointsDrained: true})
	}
	r.load(p)
	return r.take(r.shard, Batch{CSN: r.csn + 1, Events: events, Plan: p, Clock: farClock, Knowledge: r.knowledge, RunID: "live"})
}

func (r *rig) step(events []sales.Event, now sales.Millis) Decision {
	r.Helper()
	d := r.attempt(events, now)
	r.shard.Commit()
	r.csn++
	r.behind = append(r.behind, d)
	for i := range d.Tallies {
		d.Tallies[i].Cells = slices.Clone(d.Tallies[i].Cells) // good until the next step
	}
	r.decisions = append(r.decisions, d)
	for id, e := range r.shard.cache.entries {
		if due := e.due.Day(); due != 0 && due <= r.shard.today() {
			r.Fatalf("customer %s's timer was due on %s and has not fired on %s", id, due, r.shard.today())
		}
		if want := e.state.Due().After(r.shard.today()); want != e.due {
			r.Fatalf("customer %s's timer is %v, and %v by the state as it was written", id, e.due, want)
		}
	}
	return d
}

// project lets the projection catch up and says so.
func (r *rig) project() {
	for _, d := range r.behind {
		r.runs = append(r.runs, d.NewItems...)
		for _, c := range d.Changes {
			if r.blobs[c.CustomerID], r.due[c.CustomerID] = c.Blob, c.Due; c.Blob == nil {
				delete(r.blobs, c.CustomerID)
			}
			if c.Due == (Due{}) {
				delete(r.due, c.CustomerID)
			}
		}
	}
	r.behind = nil
	r.shard.Acknowledge(r.csn)
}

// restart lets the projection catch up and begins anew from it, with nobody in memory.
func (r *rig) restart() {
	r.project()
	r.begin(r.record(), r.runs)
}

func (r *rig) record() sales.ShardRecord {
	return r.shard.Record(r.csn, []sales.InputPosition{{Topic: "purchases"}, {Topic: "touchpoints"}})
}

func (r *rig) begin(record sales.ShardRecord, runs []ItemsRun) {
	r.Helper()
	var timers []Timer
	for id, due := range r.due {
		timers = append(timers, Timer{CustomerID: id, Due: due})
	}
	rules := r.shard.rules
	r.shard = NewShard(r.shard.cfg)
	r.shard.SetRules(rules)
	if err := r.shard.Restore(&record, runs, timers); err != nil {
		r.Fatalf("restart: %v", err)
	}
}

// dump is everything that a shard's decisions rest on, in words.
func (r *rig) dump() string {
	s := r.shard
	var b strings.Builder
	fmt.Fprintf(&b, "%+v %d items\n", s.clock, s.items.Len())
	for i := range s.items.Len() {
		fmt.Fprintln(&b, s.items.Item(window.ItemID(i)))
	}
	armed := slices.Clone(s.timers.staged)
	for _, day := range s.timers.days {
		armed = append(armed, s.timers.due[day]...)
	}
	slices.SortFunc(armed, compareTimers)
	fmt.Fprintln(&b, armed)
	for _, id := range slices.Sorted(maps.Keys(s.cache.entries)) {
		e := s.cache.entries[id]
		fmt.Fprintf(&b, "%s %x %x due %v csn %d\n", id, EncodeCustomer(nil, &e.state), e.blob, e.due, e.csn)
	}
	return b.String()
}

// trace is what was said about each customer, in order, without what depends on how events were cut into batches.
func (r *rig) trace(say func(a *sales.Alert) string) map[string][]string {
	said := map[string][]string{}
	for _, d := range r.decisions {
		for i := range d.Alerts {
			if text := say(&d.Alerts[i]); text != "" {
				said[d.Alerts[i].CustomerID] = append(said[d.Alerts[i].CustomerID], text)
			}
		}
	}
	return said
}

var categories = []string{"BREAD", "BUTTER", "CHEESE", "PASTA", "SAUCE", "WINE"}

// worldKnowledge draws links between the categories, two of equal score now and then.
func worldKnowledge(t *rapid.T) (*Knowledge, []sales.Link) {
	k := emptyKnowledge()
	for _, name := range categories {
		for tier := range int32(3) {
			k.Catalogue.Set(sales.Product{ProductID: fmt.Sprintf("%s-%d", name, tier), Name: name + " 10 OZ", Type: name, Category: name, Tier: tier, MarginShare: math.NaN()})
		}
		k.Links.Set(sales.Link{Kind: sales.UpsellLink, Level: "type", From: name, To: name, FromTier: 1, ToTier: 2, Confidence: 0.2, Score: 0.2})
	}
	if rapid.Bool().Draw(t, "everyone is known") { // so that something is watched
		for day := firstDay - 60; day < firstDay+30; day++ {
			k.Activity.Set(day, 1, true)
		}
	}
	if rapid.Bool().Draw(t, "push") {
		k.Models.Set(slipModel(func() float64 { return float64(rapid.IntRange(-2, 2).Draw(t, "points")) / 2 }))
	}
	var links []sales.Link
	for _, from := range categories {
		for _, to := range categories {
			if score := rapid.IntRange(0, 6).Draw(t, "score"); from != to && score > 2 {
				l := sales.Link{Kind: sales.CrossSellLink, Level: "category", From: from, To: to, Score: float64(score), Confidence: float64(score) / 10}
				k.Links.Set(l)
				links = append(links, l)
			}
		}
	}
	return k, links
}

// slipModel is points for the scorecard of slipping away.
func slipModel(points func() float64) sales.Model {
	card := scorecard.Declining()
	m := sales.Model{Name: card.Name, Version: card.Version, Constant: points()}
	for _, of := range card.Characteristics {
		c := sales.Characteristic{Name: of.Name, Cuts: of.Cuts}
		for range of.Prior {
			c.Points = append(c.Points, points())
		}
		m.Characteristics = append(m.Characteristics, c)
	}
	return m
}

// worldEvents draws what three customers do over most of a year, now and then with half a year of silence: out of order by up to
// three days, with redeliveries, refunds of known and unknown orders, lines without an amount, touches and owners.
func worldEvents(t *rapid.T) []sales.Event {
	var events []sales.Event
	at := sales.Millis(firstDay) * sales.DayMillis
	for i := range rapid.IntRange(1, 60).Draw(t, "events") {
		at += sales.Millis(rapid.IntRange(0, 12*24).Draw(t, "hours")) * 3_600_000
		if rapid.IntRange(0, 19).Draw(t, "silence") == 0 {
			at += 200 * sales.DayMillis
		}
		who := rapid.SampledFrom([]string{"anna", "ben", "carl"}).Draw(t, "who")
		when := at - sales.Millis(rapid.IntRange(0, 71).Draw(t, "late"))*3_600_000
		e := sales.Event{Source: sales.Source{Offset: int64(i)}}
		switch what := rapid.IntRange(0, 19).Draw(t, "what"); {
		case what < 2 && i > 0:
			e = events[rapid.IntRange(0, len(events)-1).Draw(t, "again")]
		case what < 4:
			e.Kind = sales.TouchpointEvent
			e.Touchpoint = &sales.Touchpoint{EventID: fmt.Sprint("t", i), CustomerID: who, OccurredAt: when, Category: rapid.SampledFrom(categories).Draw(t, "about")}
		case what < 5:
			e.Kind = sales.CustomerEvent
			e.Customer = &sales.Customer{CustomerID: who, OwnerID: rapid.SampledFrom([]string{"", "rep-1", "rep-2"}).Draw(t, "owner")}
		default:
			e.Kind, e.Purchase = sales.PurchaseEvent, worldPurchase(t, i, who, when, what < 8)
		}
		events = append(events, e)
	}
	return events
}

func worldPurchase(t *rapid.T, i int, who string, at sales.Millis, refund bool) *sales.Purchase {
	p := &sales.Purchase{EventID: fmt.Sprint("e", i), CustomerID: who, OccurredAt: at, Currency: "USD",
		OrderID: fmt.Sprint("o", rapid.IntRange(max(0, i-8), i).Draw(t, "order"))}
	if refund {
		p.Kind = sales.Refund
	}
	for range rapid.IntRange(1, 4).Draw(t, "lines") {
		name := rapid.SampledFrom(categories).Draw(t, "category")
		p.Lines = append(p.Lines, sales.Line{ProductID: fmt.Sprintf("%s-%d", name, rapid.IntRange(0, 2).Draw(t, "tier")), Category: name,
			Quantity: int32(rapid.IntRange(1, 2).Draw(t, "quantity")), AmountMinor: int64(rapid.IntRange(0, 3).Draw(t, "amount"))})
	}
	return p
}

// cuts draws where a stream of n events is cut into batches.
func cuts(t *rapid.T, n int) []int {
	at := rapid.SliceOfNDistinct(rapid.IntRange(0, n), 0, n, rapid.ID[int]).Draw(t, "cuts")
	at = append(at, n)
	slices.Sort(at)
	return slices.Compact(at)
}

var _ tb = (*testing.T)(nil)
