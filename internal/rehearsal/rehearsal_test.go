package rehearsal

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"leadline/internal/affinity"
	"leadline/internal/engine"
	"leadline/internal/sales"
)

const (
	begins = sales.Day(19_723) // 2024-01-01
	days   = 310
	items  = 90
	never  = sales.Day(math.MaxInt32)
)

// shop is a history of customers of one taste each, who buy mostly what is to it; product IDs are categories. From a day on items go by other names.
func shop(renamed sales.Day) *Rehearsal {
	rules := engine.DefaultRules()
	rules.Links.MinSupport, rules.HoldoutShare = 5, 0
	learn := affinity.DefaultLinkRules()
	learn.MinSupport = 5
	r := New(Options{Rules: rules, Links: learn})
	for item := range items {
		for tier := range int32(2) {
			r.Product(&sales.Product{ProductID: product(item, tier), Name: name(item) + " 10 OZ", Type: name(item), Category: name(item), Tier: tier + 1, MarginShare: math.NaN()})
		}
	}
	rng := rand.New(rand.NewPCG(6, 3))
	for c := range 100 {
		at := begins + sales.Day(rng.IntN(20))
		for order := 0; at < begins+days; order++ {
			p := &sales.Purchase{EventID: fmt.Sprint(c, "-", order), OrderID: fmt.Sprint(c, "-", order), CustomerID: fmt.Sprint("c", c), Currency: "EUR",
				OccurredAt: sales.Millis(at)*sales.DayMillis + sales.Millis(rng.IntN(86_400_000))}
			for range 2 + rng.IntN(2) {
				item, tier := rng.IntN(items)*rng.IntN(items)/items, int32(rng.IntN(5)/4)
				if rng.IntN(5) > 0 {
					item = item/3*3 + c%3
				}
				if at >= renamed {
					item = items - 1 - item
				}
				amount := 100 + 100*int64(tier)
				p.Lines = append(p.Lines, sales.Line{ProductID: product(item, tier), Category: name(item), Quantity: 1, AmountMinor: amount})
			}
			r.Purchase(p)
			at += sales.Day(3 + rng.IntN(12))
		}
	}
	return r
}

func name(item int) string { return fmt.Sprintf("I%03d", item) }

func product(item int, tier int32) string { return fmt.Sprint(name(item), "-", tier+1) }

func play(t *testing.T, r *Rehearsal) *Report {
	t.Helper()
	report, err := r.Run()
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func asText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The same history gives the same report; rows are compared with the prior, which is no better than itself, and better than any order; and all arms tell
// offers of both kinds.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	report := play(t, shop(never))
	if again := play(t, shop(never)); asText(t, again) != asText(t, report) {
		t.Error("the same history gives another report")
	}
	of := map[string]Row{}
	for _, row := range report.Rows {
		of[row.Name] = row
	}
	if p := of[Prior].NDCGOverPrior; p.Low != 0 || p.High != 0 || of[Prior].NDCG.Mean <= of[Random].NDCG.Mean || of[Prior].NDCG.Mean > 1 {
		t.Errorf("prior %+v, random %+v", of[Prior], of[Random])
	}
	kinds := map[string]int{}
	for _, told := range report.Told {
		kinds[told.Name+" "+told.Kind] = told.Judged.Offers
	}
	for _, arm := range []string{Prior, Blank, Told, ToldBlank, Learned, LearnedBlank} {
		for _, kind := range []sales.AlertKind{sales.CrossSell, sales.Upsell} {
			if kinds[arm+" "+kind.String()] == 0 {
				t.Errorf("%s has told no offer of %s: %v", arm, kind, kinds)
			}
		}
	}
}

// What comes later has no part in how an order is ranked, nor in what is said of it.
func TestNothingComesFromTheFuture(t *testing.T) {
	t.Parallel()
	const change = begins + 260
	one, other := play(t, shop(never)), play(t, shop(change))
	before := (change - sales.Day(one.ExpiryDays)).String()[:len("2024-01")]
	said, compared := map[string]string{}, 0
	for _, m := range other.Months {
		said[m.Month] = asText(t, m)
	}
	for _, m := range one.Months {
		switch text := asText(t, m); {
		case m.Month < before:
			if compared++; said[m.Month] != text {
				t.Errorf("%s hangs on what came from %s on", m.Month, change)
			}
		case m.Month > change.String() && said[m.Month] == text:
			t.Errorf("%s: another world, and the same report", m.Month)
		}
	}
	if compared < 2 {
		t.Errorf("%d months were compared", compared)
	}
}

// What is taken, and how near to the top it stands, against counting it out.
func TestJudgedAgainstDumb(t *testing.T) {
	t.Parallel()
	r := shop(never)
	slices.SortStableFunc(r.events, func(a, b sales.Event) int { return int(a.Purchase.OccurredAt - b.Purchase.OccurredAt) })
	j := r.newJudge(r.arms())
	taken := 0
	for i := 0; i < len(r.events); i += 37 {
		p := r.events[i].Purchase
		if !judges(p.CustomerID) {
			continue
		}
		for item := range items {
			want := slices.ContainsFunc(r.events[i+1:], func(e sales.Event) bool {
				return e.Purchase.CustomerID == p.CustomerID && j.o.Calendar.Day(e.Purchase.OccurredAt) < j.day(i)+14 &&
					slices.ContainsFunc(e.Purchase.Lines, func(l sales.Line) bool { return l.Category == name(item) })
			})
			if got := j.taken(i, name(item)); got != want {
				t.Fatalf("%s takes %s after %s: %v, want %v", p.CustomerID, name(item), time.UnixMilli(int64(p.OccurredAt)).UTC(), got, want)
			}
			if want {
				taken++
			}
		}
	}
	if taken == 0 {
		t.Error("nothing was taken")
	}
	by := row{score: func(_ string, k *engine.WeighedItem, _ []int) float64 { return k.Popularity }}
	first, ndcg, wanted := by.judge("", []engine.WeighedItem{{Item: "a", Popularity: 1}, {Item: "b", Popularity: 3}, {Item: "c", Popularity: 2}}, make([][]int, 3),
		[]bool{true, false, true})
	if want := (1/math.Log2(3) + 1/math.Log2(4)) / (1 + 1/math.Log2(3)); first != 0 || !wanted || math.Abs(ndcg-want) > 1e-12 {
		t.Errorf("b, c, a of which a and c are taken: %v, %v, %v, want %v", first, ndcg, wanted, want)
	}
}

func TestNothingToJudge(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{Rules: engine.DefaultRules()}).Run(); err == nil {
		t.Error("no purchases, and a report")
	}
	r := shop(never)
	r.events, r.o.From = r.events[:100], begins+days
	if _, err := r.Run(); err == nil {
		t.Error("no order to judge, and a report")
	}
}
