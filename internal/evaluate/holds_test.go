package evaluate

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"leadline/internal/sales"
)

// Of two strata only the one with others counts: two holders of a, of whom one takes up b, where one in four others does.
func TestTakenUp(t *testing.T) {
	const a, b = 0, 1
	person := func(stratum int32, holds, takes bool) followed {
		return followed{stratum: stratum, held: map[int32]bool{a: holds}, took: map[int32]bool{b: takes}}
	}
	f := followUp{items: 2, people: []followed{
		person(3, true, true), person(3, true, false), person(3, false, true), person(3, false, false), person(3, false, false), person(3, false, false),
		person(5, true, true),
		{stratum: 3, held: map[int32]bool{a: true, b: true}, took: map[int32]bool{}},
	}}
	if got := f.of(a, b); got != (takenUp{1, 0.5}) {
		t.Errorf("%+v", got)
	}
	s := shareHeld([]takenUp{{1, 0.5}, {1, 2}, {3, 0}})
	if s.Statements != 2 || s.Unjudged != 1 || s.Held != 1 || s.Share.Mean != 0.5 || s.PooledLift != 0.8 {
		t.Errorf("%+v", s)
	}
}

// Half of the customers buy from one half of the shelf, the others from the other; some buy much more than others. The links within the halves
// are published and hold; pairs drawn among all do so less.
func TestPublishedLinksHold(t *testing.T) {
	h := NewHistory(Merchandise{Level: ByProduct})
	rng := rand.New(rand.NewPCG(5, 5))
	for c := range 600 {
		for range 10 + rng.IntN(30) {
			item := rng.IntN(40)
			if rng.IntN(5) > 0 {
				item = item/2*2 + c%2 // of its own half
			}
			buy(h, fmt.Sprint("c", c), sales.Day(rng.IntN(290)), fmt.Sprint("i", item))
		}
	}
	report, err := h.Links(LinksOptions{Cuts: []Cut{{begin + 200, 60}}, WindowDays: 180, MinBuyers: 5, Offers: 5, Holds: true})
	if err != nil {
		t.Fatal(err)
	}
	got := report.Cuts[0].Holds
	if got == nil || got.Published < 100 || got.Top.Share.Mean < 0.9 || got.Top.PooledLift < 1.3 || len(got.Links) != 100 {
		t.Fatalf("%+v", got)
	}
	if got.Random.PooledLift >= got.Top.PooledLift || got.Random.Statements < 500 {
		t.Errorf("drawn pairs %+v, published ones %+v", got.Random, got.Top)
	}
	for _, l := range got.Links {
		var from, to int
		if _, err := fmt.Sscanf(l.From+" "+l.To, "i%d i%d", &from, &to); err != nil || from%2 != to%2 {
			t.Errorf("from one half to the other: %+v", l)
		}
	}
	none, err := h.Links(LinksOptions{Cuts: []Cut{{begin + 250, 20}}, WindowDays: 180, MinBuyers: 5, Offers: 5, Holds: true})
	if err != nil || none.Cuts[0].Holds != nil {
		t.Errorf("judged by sixty days that are not there: %v", err)
	}
}
