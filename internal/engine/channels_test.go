package engine

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
)

// TestChannelsAddUp: however orders, refunds, late ones, profiles and restarts come, the sums of all differences are the purchase days of each
// category and of each attribute's value, counted anew from what the customers hold: no day is older than the window.
func TestChannelsAddUp(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k, _ := worldKnowledge(t)
		r := newRig(t, k)
		rules := testRules()
		rules.Channels.Attributes = []string{"age", "town"}
		r.shard.SetRules(rules)
		var events []sales.Event
		for i := range rapid.IntRange(1, 50).Draw(t, "events") {
			at := noon + sales.Millis(rapid.IntRange(0, 90).Draw(t, "day"))*sales.DayMillis
			who := rapid.SampledFrom([]string{"anna", "ben"}).Draw(t, "who")
			e := sales.Event{Source: sales.Source{Offset: int64(i)}}
			if what := rapid.IntRange(0, 5).Draw(t, "what"); what == 0 {
				e.Kind, e.Customer = sales.CustomerEvent, &sales.Customer{CustomerID: who, Attributes: map[string]string{
					"age": rapid.SampledFrom([]string{"", "young", "old"}).Draw(t, "age"), "town": rapid.SampledFrom([]string{"", "here", "there"}).Draw(t, "town"), "shoes": "red"}}
			} else {
				e.Kind, e.Purchase = sales.PurchaseEvent, worldPurchase(t, i, who, at, what == 1)
			}
			events = append(events, e)
		}
		playOver(t, r, events)
		got := map[string]int64{}
		for _, d := range r.decisions {
			for _, c := range d.Tallies[2].Cells {
				if c.N == 0 {
					t.Fatalf("an empty difference: %+v", c)
				}
				if strings.HasPrefix(c.Row, CategoryRow) || strings.HasPrefix(c.Row, AttributeRow) {
					got[fmt.Sprintf("%s %s %d", c.Row, c.Col, c.Bucket)] += c.N
				}
			}
		}
		maps.DeleteFunc(got, func(_ string, n int64) bool { return n == 0 })
		want := map[string]int64{}
		r.project()
		for _, blob := range r.blobs {
			c, err := DecodeCustomer(blob, r.shard.items)
			if err != nil {
				t.Fatal(err)
			}
			dumbChannels(r.shard, c, want)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("(-counted +summed):\n%s", diff)
		}
	})
}

// dumbChannels counts each day and category, and each day and attribute's value, once.
func dumbChannels(s *Shard, c *Customer, sums map[string]int64) {
	seen := map[string]bool{}
	count := func(row string, day sales.Day) {
		if key := fmt.Sprint(row, day); !seen[key] {
			seen[key] = true
			sums[fmt.Sprintf("%s  %d", row, day.Week())]++
		}
	}
	for _, l := range c.Window.Lines() {
		count("category|"+s.items.Item(l.Item).Category, l.Day)
		for _, segment := range c.Segments {
			count("attribute|"+segment, l.Day)
		}
	}
	for _, segment := range c.Segments {
		sums["attribute|"+segment+" members 0"]++
	}
}
