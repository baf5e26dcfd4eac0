package simulate

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// small is a world that takes a moment.
func small(customers, days int) World {
	w := Default()
	w.Customers, w.Days = customers, days
	return w
}

// made is a world with all its events.
type made struct {
	truth  *Truth
	events []Event
	orders map[string][]*sales.Purchase // by customer in the order of their numbers, each once
}

func generate(t *testing.T, w World) made {
	t.Helper()
	var m made
	truth, err := w.Generate(func(e Event) error {
		m.events = append(m.events, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	m.truth, m.orders = truth, ordersOf(m.events)
	return m
}

func ordersOf(events []Event) map[string][]*sales.Purchase {
	byCustomer := map[string][]*sales.Purchase{}
	seen := map[*sales.Purchase]bool{}
	for _, e := range events {
		if p, ok := e.Record.(*sales.Purchase); ok && !seen[p] {
			seen[p] = true
			byCustomer[p.CustomerID] = append(byCustomer[p.CustomerID], p)
		}
	}
	for _, orders := range byCustomer {
		slices.SortFunc(orders, func(a, b *sales.Purchase) int { return strings.Compare(a.OrderID, b.OrderID) })
	}
	return byCustomer
}

func (m made) day(at sales.Millis) int { return int((at - m.truth.World.first()) / sales.DayMillis) }

// days are the days on which any of the orders holds the product.
func (m made) days(orders []*sales.Purchase, product string) []int {
	var days []int
	for _, p := range orders {
		if slices.ContainsFunc(p.Lines, func(l sales.Line) bool { return l.ProductID == product }) {
			days = append(days, m.day(p.OccurredAt))
		}
	}
	return days
}

func (m made) lines() []byte {
	var text []byte
	for _, e := range m.events {
		text = e.AppendLine(text)
	}
	return text
}

// likely fails unless a count is within 3.5 standard deviations of its expectation: one false alarm in 2,000 counts, and none with the
// seeds that stand here.
func likely(t *testing.T, what string, count, expected, variance float64) {
	t.Helper()
	if math.Abs(count-expected) > 3.5*math.Sqrt(variance)+1e-9 {
		t.Errorf("%s: %g, expected %.1f with a standard deviation of %.1f", what, count, expected, math.Sqrt(variance))
	}
}

// TestSameBytes holds a world to what it was: who changes what is drawn changes all figures measured on it, and must say so.
func TestSameBytes(t *testing.T) {
	a := sha256.Sum256(generate(t, small(60, 200)).lines())
	const want = "cae304b94fb036c7"
	if got := hex.EncodeToString(a[:8]); got != want {
		t.Errorf("the world's hash is %s, was %s", got, want)
	}
	other := small(60, 200)
	other.Seed++
	if b := sha256.Sum256(generate(t, other).lines()); a == b {
		t.Error("another seed, the same world")
	}
}

func TestWorldOfFewIsPrefixOfMany(t *testing.T) {
	few, many := generate(t, small(30, 250)), generate(t, small(90, 250))
	known := map[string]bool{}
	for _, e := range few.events {
		known[wire.Key(e.Record)] = true
	}
	of := slices.DeleteFunc(many.events, func(e Event) bool { return !known[wire.Key(e.Record)] })
	if diff := cmp.Diff(few.events, of); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(few.truth.Decliners, slices.DeleteFunc(many.truth.Decliners, func(d Decliner) bool { return !known[d.CustomerID] })); diff != "" {
		t.Error(diff)
	}
}

// TestLinesAreTheContract reads every line as the command load does.
func TestLinesAreTheContract(t *testing.T) {
	records := map[string]string{"products": "Product", "campaigns": "Campaign", "customers": "Customer", "purchases": "Purchase", "touchpoints": "Touchpoint"}
	seen := map[string]bool{}
	for _, e := range generate(t, small(40, 300)).events {
		seen[e.Topic] = true
		read, err := wire.FromJSON(records[e.Topic], e.AppendLine(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e.Record, read, equateEmptyMaps); diff != "" {
			t.Fatal(diff)
		}
	}
	if len(seen) != len(records) {
		t.Errorf("records of %v only", slices.Sorted(maps.Keys(seen)))
	}
}

var equateEmptyMaps = cmp.FilterValues(func(a, b map[string]string) bool { return len(a)+len(b) == 0 }, cmp.Ignore())

// TestShock: the same customers order less from the day on, and nobody else declines for it.
func TestShock(t *testing.T) {
	calm, shaken := small(1500, 300), small(1500, 300)
	shaken.Shocks = []Shock{{From: 150, Factor: 0.7}}
	a, b := generate(t, calm), generate(t, shaken)
	before, after := ordersSplit(a, 150)
	shockedBefore, shockedAfter := ordersSplit(b, 150)
	if before != shockedBefore {
		t.Errorf("%g orders before the shock, %g without any", shockedBefore, before)
	}
	likely(t, "orders after the shock", shockedAfter, 0.7*after, 0.7*after+0.49*after)
	if diff := cmp.Diff(a.truth.Decliners, b.truth.Decliners); diff != "" {
		t.Error(diff)
	}
}

func ordersSplit(m made, at int) (before, after float64) {
	for _, orders := range m.orders {
		for _, p := range orders {
			if m.day(p.OccurredAt) < at {
				before++
			} else {
				after++
			}
		}
	}
	return before, after
}

// TestDecliners counts what those who left still order: nothing, or the share that is told; and what they order once back.
func TestDecliners(t *testing.T) {
	w := small(3000, 365)
	w.Campaigns, w.Prospects.Share, w.Season, w.Absence.PerYear = nil, 0, Season{Week: [7]float64{1, 1, 1, 1, 1, 1, 1}, Peak: 1}, 1
	m := generate(t, w)
	orders := m.orders
	var gone, slipped, back, slippedExpected, backExpected float64
	for i, d := range m.truth.Decliners {
		end, again := w.Days, w.Days
		if d.Back != nil {
			end = *d.Back
		}
		for _, next := range m.truth.Decliners[i+1:] {
			if next.CustomerID == d.CustomerID {
				again = next.Day
				break
			}
		}
		in := func(from, to int) (n float64) {
			for _, p := range orders[d.CustomerID] {
				if day := m.day(p.OccurredAt); day >= from && day < to {
					n++
				}
			}
			return n
		}
		if d.Factor == 0 {
			gone += in(d.Day, end)
		} else {
			slipped += in(d.Day, end)
			slippedExpected += d.Factor * d.PerDay * float64(end-d.Day)
		}
		back += in(end, again)
		backExpected += d.PerDay * float64(again-end)
	}
	if gone != 0 || slippedExpected < 500 || backExpected < 500 {
		t.Errorf("%g orders of customers who are gone; expected %g of those who slip and %g of those who are back", gone, slippedExpected, backExpected)
	}
	likely(t, "orders of those who slip", slipped, slippedExpected, slippedExpected)
	likely(t, "orders of those who are back", back, backExpected, backExpected)
}

// TestCampaigns compares those who were sent a campaign with those who were not.
func TestCampaigns(t *testing.T) {
	w := small(6000, 300)
	w.Orders.Shape = 20 // much alike, so that the comparison is sharp
	m := generate(t, w)
	orders := m.orders
	for i, k := range w.Campaigns {
		sent := map[string]bool{}
		for _, e := range m.events {
			if touch, ok := e.Record.(*sales.Touchpoint); ok && touch.Kind == sales.TouchCampaignSent && touch.CampaignID == k.ID {
				sent[touch.CustomerID] = true
			}
		}
		var with, named float64
		for customer, list := range orders {
			for _, p := range list {
				if day := m.day(p.OccurredAt); day > k.From && day <= k.From+k.Days && sent[customer] {
					with++
					if p.CampaignID == k.ID {
						named++
					}
				}
			}
		}
		truth := m.truth.Campaigns[i]
		if int64(len(sent)) != truth.Sent || truth.NotSent == 0 {
			t.Errorf("%s: sent to %d, %d are told, and %d were not", k.ID, len(sent), truth.Sent, truth.NotSent)
		}
		expected := truth.OrdersWithout + truth.OrdersExtra
		likely(t, k.ID+" orders", with, expected, expected)
		if extra := truth.OrdersExtra/truth.OrdersWithout + 1; math.Abs(extra-k.Effect) > 1e-9 {
			t.Errorf("%s: planted with %g, told with %g", k.ID, k.Effect, extra)
		}
		if share := named / with; math.Abs(share-k.OpenShare) > 0.05 {
			t.Errorf("%s: %.2f of the orders name it, %.2f opened it", k.ID, share, k.OpenShare)
		}
	}
}

// TestProspects: as many buy as the probabilities say, likelier ones more often, and nobody before the touches or after the day.
func TestProspects(t *testing.T) {
	w := small(8000, 365)
	w.Prospects.Share, w.Absence.PerYear = 1, 0
	m := generate(t, w)
	orders := m.orders
	var bought, expected, variance [2]float64
	for _, p := range m.truth.Prospects {
		if p.Decided >= w.Days {
			continue
		}
		half := 0
		if p.Probability > 0.15 {
			half = 1
		}
		expected[half] += p.Probability
		variance[half] += p.Probability * (1 - p.Probability)
		if list := orders[p.CustomerID]; len(list) > 0 {
			bought[half]++
			if day := m.day(list[0].OccurredAt); day < p.Arrives+touchDays || day > p.Decided {
				t.Fatalf("%s arrives on day %d, is decided by %d, first buys on %d", p.CustomerID, p.Arrives, p.Decided, day)
			}
		}
	}
	likely(t, "prospects who buy, unlikely ones", bought[0], expected[0], variance[0])
	likely(t, "prospects who buy, likely ones", bought[1], expected[1], variance[1])
	if expected[0] < 100 || expected[1] < 100 {
		t.Errorf("expected %g: too few to tell", expected)
	}
}

// TestTiers counts, at each purchase of a type once the basic one was bought often enough, who takes the better.
func TestTiers(t *testing.T) {
	w := small(4000, 365)
	m := generate(t, w)
	for _, tier := range w.Tiers {
		var chances, switched float64
		for _, orders := range m.orders {
			basics, better := 0, false
			for _, p := range orders {
				for _, l := range p.Lines {
					switch {
					case l.ProductID == tier.Type+"-1" && better:
						t.Fatalf("%s went back to the basic %s", p.CustomerID, tier.Type)
					case l.ProductID == tier.Type+"-1":
						if basics++; basics > tier.Ready {
							chances++
						}
					case l.ProductID == tier.Type+"-2" && !better:
						better = true
						chances++
						switched++
					}
				}
			}
		}
		if chances < 1000 {
			t.Errorf("%s: %g chances", tier.Type, chances)
		}
		likely(t, tier.Type+" switches", switched, chances*tier.Switch, chances*tier.Switch*(1-tier.Switch))
	}
}

// TestDelivery: some records come twice, the same bytes; some come after younger ones, some days late; all others in order.
func TestDelivery(t *testing.T) {
	w := small(800, 365)
	w.Delivery = Delivery{DelayedShare: 0.1, DelayMinutes: 60, LateShare: 0.02, LateDays: 10, RepeatedShare: 0.05}
	m := generate(t, w)
	first := map[string]Event{}
	var repeated, delayed, late, n float64
	var due sales.Millis
	for _, e := range m.events {
		if e.Due < due {
			t.Fatalf("%v is delivered before %v", e, due)
		}
		due = e.Due
		p, ok := e.Record.(*sales.Purchase)
		if !ok {
			continue
		}
		if before, again := first[p.EventID]; again {
			repeated++
			if a, b := string(before.AppendLine(nil)), string(e.AppendLine(nil)); a != b || e.Due <= before.Due {
				t.Errorf("delivered first as %s then as %s", a, b)
			}
			continue
		}
		first[p.EventID] = e
		n++
		switch by := e.Due - p.OccurredAt; {
		case by < 0:
			t.Errorf("%s is delivered before it happens", p.EventID)
		case by >= sales.DayMillis:
			late++
		case by > 0:
			delayed++
		}
	}
	likely(t, "repeated", repeated, 0.05*n, 0.05*n)
	likely(t, "late", late, 0.02*n, 0.02*n)
	likely(t, "delayed", delayed, 0.1*n, 0.1*n)
}

func TestSeason(t *testing.T) {
	w := small(1500, 365)
	w.Season, w.Absence.PerYear, w.Campaigns, w.Prospects.Share = Season{Week: [7]float64{0, 1, 1, 1, 1, 1, 2}, Swing: 0.5, Peak: 1}, 0, nil, 0
	var week [7]float64
	var winter, summer float64
	m := generate(t, w)
	for _, orders := range m.orders {
		for _, p := range orders {
			day := m.day(p.OccurredAt) // the world begins on a Monday, January 6th
			week[day%7]++
			switch {
			case day < 40:
				winter++
			case day >= 155 && day < 195:
				summer++
			}
		}
	}
	if week[0] != 0 || week[6] < 1.9*week[1] || week[6] > 2.1*week[1] {
		t.Errorf("orders by day of the week: %v", week)
	}
	if ratio := winter / summer; ratio < 2.6 || ratio > 3.1 { // 1.47 to 0.52
		t.Errorf("%g times the orders in winter", ratio)
	}
}
