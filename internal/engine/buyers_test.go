package engine

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/slipping"
)

// However orders were cut into batches, came late, were tried in vain or read by a new life: what is told adds up to each customer once at
// each age to which it has come, by the purchase days before it.
func TestCustomersAreCountedOnceAtEachAge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := newRig(t, emptyKnowledge())
		var events []sales.Event
		bought := map[string]map[sales.Day]bool{"anna": {}, "ben": {}, "cleo": {}}
		for i := range rapid.IntRange(1, 40).Draw(t, "orders") {
			who := rapid.SampledFrom([]string{"anna", "ben", "cleo"}).Draw(t, "who")
			day := firstDay + sales.Day(i*4-rapid.SampledFrom([]int{0, 0, 0, 3, 20}).Draw(t, "late"))
			e := ordered(who, day)
			e.Purchase.EventID = fmt.Sprint("order ", i)
			events = append(events, e)
			bought[who][day] = true
		}
		playOver(t, r, events)
		r.step(nil, sales.Calendar{}.Start(firstDay+400))
		got := slipping.Cells{}
		for _, d := range r.decisions {
			for i := range d.Tallies[2].Cells {
				got.Add(&d.Tallies[2].Cells[i])
			}
		}
		want := slipping.Cells{}
		for _, days := range bought {
			all := slices.Sorted(maps.Keys(days))
			for _, age := range slipping.Ages {
				if len(all) > 0 {
					c := slipping.CellOf(all[0], all, age)
					want.Add(&sales.Cell{Row: c.Row(), Col: c.Col(), Bucket: slipping.Block(all[0] + age), N: 1})
				}
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatalf("(-counted anew +told):\n%s", diff)
		}
	})
}
