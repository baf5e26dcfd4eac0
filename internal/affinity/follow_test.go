package affinity

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"leadline/internal/sales"
)

// Of more antecedents than are followed never more have rows, all are known alone, and nothing is said too much of.
func TestSoManyAntecedentsAreFollowed(t *testing.T) {
	upTo := testBegin + 299
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64Range(0, 1_000).Draw(t, "seed")
		people := town(rand.New(rand.NewPCG(seed, 23)), 20, 300)
		exact, bounded := learned(people, upTo, 100), NewCounts(100)
		bounded.maxFollowed = rapid.IntRange(2, 9).Draw(t, "followed")
		for i, h := range people {
			bounded.Add(sales.TallyPairs, Contribution(h, testWindow, upTo))
			if i == len(people)/2 {
				most := bounded.maxFollowed
				bounded = again(t, bounded)
				bounded.maxFollowed = most
			}
		}
		followed := 0
		for id := range exact.items {
			all, own := &exact.items[id], &bounded.items[bounded.ids[exact.items[id].name]]
			if all.starts != own.starts || all.holders != own.holders || !slices.EqualFunc(all.heldAt[:], own.heldAt[:], slices.Equal[sums]) {
				t.Fatalf("%s is known alone as %d, %d, want %d, %d", all.name, own.starts, own.holders, all.starts, all.holders)
			}
			if !own.follows {
				if len(own.row.to) != 0 {
					t.Fatalf("%s is not followed, and has a row", own.name)
				}
				continue
			}
			followed++
			for i, to := range own.row.to {
				most := all.row.find(exact.ids[bounded.items[to].name]).count
				if got := own.row.at(i).count; got > most {
					t.Fatalf("%s to %s: %d, and it came %d times", own.name, bounded.items[to].name, got, most)
				}
			}
		}
		if followed != bounded.followed || followed > bounded.maxFollowed || len(exact.items) > bounded.maxFollowed && bounded.bar == 0 {
			t.Fatalf("%d of %d are followed, %d counted, bar %d", followed, len(exact.items), bounded.followed, bounded.bar)
		}
	})
}
