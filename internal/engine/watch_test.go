package engine

import (
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
)

// examples adds up what was told of examples, by card, week and column; those of the push are left out, as they hang on when looks are taken.
func (r *rig) examples() map[sales.Cell]int64 {
	sums := map[sales.Cell]int64{}
	for _, d := range r.decisions {
		for _, tally := range d.Tallies {
			for _, c := range tally.Cells {
				if tally.Kind == sales.TallyExamples && c.Row != scorecard.Declining().Name {
					sums[sales.Cell{Row: c.Row, Col: c.Col, Bucket: c.Bucket}] += c.N
				}
			}
		}
	}
	return sums
}

// begun is a watch as it began, and what must come of it.
type begun struct {
	Watched
	customer string
	over     bool
}

// What is watched ends as a plain reading of the customer's orders says: bought in time, told of, bought before, or not in time; each once, whenever
// and however often events come.
func TestWatchedEnd(t *testing.T) {
	t.Parallel()
	seen := 0
	rapid.Check(t, func(t *rapid.T) {
		k, _ := worldKnowledge(t)
		for day := firstDay - 60; day < firstDay+30; day++ {
			k.Activity.Set(day, 1, true)
		}
		r := newRig(t, k)
		r.shard.rules.SlackDays = 30
		known, want, newest := map[string]bool{}, map[string]int64{}, map[string]sales.Day{}
		var watched []begun
		for _, e := range worldEvents(t) {
			before := map[string][]Watched{}
			for id, c := range r.shard.cache.entries {
				before[id] = slices.Clone(c.state.Watched)
			}
			d := r.step([]sales.Event{e}, 0)
			p := e.Purchase
			if e.Kind != sales.PurchaseEvent || known[p.EventID] || len(d.Late) > 0 || len(d.Rejected) > 0 {
				continue
			}
			known[p.EventID] = true
			day := sales.Day(p.OccurredAt / sales.DayMillis)
			newest[p.CustomerID] = max(newest[p.CustomerID], day)
			for i := range watched {
				w := &watched[i]
				if w.over || w.customer != p.CustomerID || p.Kind == sales.Refund {
					continue
				}
				item := r.shard.items.Item(w.Item).Category
				bought := slices.ContainsFunc(p.Lines, func(l sales.Line) bool { return l.Category == item })
				told := slices.ContainsFunc(d.Alerts, func(a sales.Alert) bool {
					return a.Kind == sales.CrossSell && a.Status == sales.Opened && a.SuppressedBy != sales.ByCap && a.ToProduct == item
				})
				switch w.over = true; {
				case bought && day >= w.Day && day < w.ExpiryDay:
					want[scorecard.Col(w.Code, true)]++
				case bought && day < w.Day && day > w.Day-180:
				case newest[p.CustomerID] >= w.ExpiryDay:
					want[scorecard.Col(w.Code, false)]++
				default:
					w.over = told
				}
			}
			for _, w := range r.shard.cache.entries[p.CustomerID].state.Watched {
				if w.Day == day && !slices.Contains(before[p.CustomerID], w) && !r.hasBegun(watched, p.CustomerID, w) {
					watched = append(watched, begun{Watched: w, customer: p.CustomerID})
				}
			}
		}
		r.step(nil, endOfTime)
		for _, w := range watched {
			if !w.over {
				want[scorecard.Col(w.Code, false)]++
			}
		}
		seen += len(watched)
		got := map[string]int64{}
		for c, n := range r.examples() {
			code, _, err := scorecard.ParseCol(c.Col)
			var attributes [scorecard.MaxCharacteristics]int
			if c.Row == scorecard.CrossSell().Name && err == nil && scorecard.CrossSell().Attributes(code, attributes[:]) && attributes[scorecard.Told] == 0 {
				got[c.Col] += n
			}
		}
		for _, d := range r.decisions { // offers that were held out teach the same way
			for i := range d.Alerts {
				if a := &d.Alerts[i]; a.Kind == sales.CrossSell && a.Status != sales.Opened && a.SuppressedBy == sales.ByHoldout && a.Reasons[0].Code != "contradicted" {
					for id, opened := range r.openings() {
						if id == a.AlertID {
							want[scorecard.Col(uint64(opened.Details.Of("code")), a.Reasons[0].Code == TakenUp)]++
						}
					}
				}
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("(-read plainly +counted):\n%s", diff)
		}
	})
	if seen < 50 {
		t.Errorf("%d were watched: nothing is shown", seen)
	}
}

func (r *rig) hasBegun(all []begun, customer string, w Watched) bool {
	return slices.ContainsFunc(all, func(b begun) bool { return !b.over && b.customer == customer && b.Watched == w })
}

// openings are the first revisions of all alerts.
func (r *rig) openings() map[string]*sales.Alert {
	opened := map[string]*sales.Alert{}
	for _, d := range r.decisions {
		for i := range d.Alerts {
			if d.Alerts[i].Status == sales.Opened {
				opened[d.Alerts[i].AlertID] = &d.Alerts[i]
			}
		}
	}
	return opened
}

// What is watched of a customer who never comes back ends with one look, which alone writes, and soon enough for those who wait until a week has settled.
func TestWatchedOfSilentCustomersSettle(t *testing.T) {
	t.Parallel()
	for phase := range sales.Day(7) {
		k := emptyKnowledge()
		for day := firstDay - 60; day < firstDay+30; day++ {
			k.Activity.Set(day, 1, true)
		}
		for i := range 12 {
			k.Links.Set(sales.Link{Kind: sales.CrossSellLink, Level: "category", From: "PASTA", To: item(i), Score: float64(i + 1), Confidence: 0.3})
		}
		r := newRig(t, k)
		r.shard.rules.HoldoutShare = 0
		bought := firstDay + phase
		r.step([]sales.Event{buy("anna", sales.Millis(bought)*sales.DayMillis+noon%sales.DayMillis, "e1", "PASTA")}, 0)
		if n := len(r.shard.cache.entries["anna"].state.Watched); n != 1 {
			t.Fatalf("%d are watched", n)
		}
		expiry, writes := bought+14, 0
		for day := bought + 1; day <= bought+60; day++ {
			d := r.step(nil, sales.Millis(day)*sales.DayMillis)
			told := 0
			for c, n := range r.examplesOf(&d) {
				if c.Bucket != expiry.Week() {
					t.Errorf("%v is counted in week %d, and ends in %d", c, c.Bucket, expiry.Week())
				}
				told += int(n)
			}
			switch {
			case len(d.Changes) == 0:
				continue
			case day == expiry: // the offer ends
				continue
			case told != 1 || day.Week() > expiry.Week()+scorecard.SettleWeeks:
				t.Errorf("bought on %s: on %s anna is written, and %d examples are told", bought, day, told)
			}
			writes++
		}
		if writes != 1 {
			t.Errorf("bought on %s: %d looks have written", bought, writes)
		}
	}
}

func (r *rig) examplesOf(d *Decision) map[sales.Cell]int64 {
	one := rig{decisions: []Decision{*d}}
	return one.examples()
}
