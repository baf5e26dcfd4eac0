//go:build integration

package chaos

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// fault is one thing that is done to the installation. The seed alone says what, whom, when and for how long.
type fault struct {
	at   time.Duration // since the run began; later when its target is not back from the fault before
	what string
	whom string // also the lane: faults of one target follow each other
	last time.Duration
	luck uint64 // for what else is left to chance
}

func (f fault) String() string {
	return fmt.Sprintf("%-36s %-9s for %.1f s", f.what, f.whom, f.last.Seconds())
}

// between two faults.
const leastGap, mostGap = 1500 * time.Millisecond, 5500 * time.Millisecond

// plan draws n faults. Kinds come from a shuffled deck, so that each has its share; a kind whose targets are all busy waits for the
// next draw.
func plan(seed uint64, l layout, n int) []fault {
	luck := rand.New(rand.NewPCG(seed, 0x6368616f73))
	free := map[string]time.Duration{} // when each lane can be struck again
	var deck []kind
	var faults []fault
	added := false
	for at := leastGap; len(faults) < n; at += between(luck, leastGap, mostGap) {
		if len(deck) < 3 {
			deck = append(deck, shuffled(luck, l)...)
		}
		i, whom := draw(luck, deck, l, free, at)
		if i < 0 {
			continue
		}
		k := deck[i]
		deck = slices.Delete(deck, i, i+1)
		f := fault{at: at, what: k.what, whom: whom, last: between(luck, k.least, k.most), luck: luck.Uint64()}
		if k.what == engineAdded {
			if added {
				f.what = engineRemoved
			}
			added = !added
		}
		free[whom] = at + f.last + k.rest
		faults = append(faults, f)
	}
	return faults
}

func between(luck *rand.Rand, least, most time.Duration) time.Duration {
	if most <= least {
		return least
	}
	return least + time.Duration(luck.Int64N(int64(most-least))).Round(time.Millisecond)
}

func shuffled(luck *rand.Rand, l layout) []kind {
	var deck []kind
	for _, k := range kinds {
		if len(k.targets(l)) == 0 {
			continue
		}
		for range k.often {
			deck = append(deck, k)
		}
	}
	luck.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	return deck
}

// draw gives the first kind of the deck that has an idle target, and the target; -1 if there is none.
func draw(luck *rand.Rand, deck []kind, l layout, free map[string]time.Duration, at time.Duration) (int, string) {
	for i, k := range deck {
		var idle []string
		for _, whom := range k.targets(l) {
			if free[whom] <= at {
				idle = append(idle, whom)
			}
		}
		if len(idle) > 0 {
			return i, idle[luck.IntN(len(idle))]
		}
	}
	return -1, ""
}

// length is when the last fault of a plan is over.
func length(faults []fault) time.Duration {
	end := time.Duration(0)
	for _, f := range faults {
		end = max(end, f.at+f.last)
	}
	return end
}

// counted lists how often each fault is there.
func counted(faults []fault) []string {
	count := map[string]int{}
	for _, f := range faults {
		count[f.what]++
	}
	var lines []string
	for _, what := range slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(a, b))
	}) {
		lines = append(lines, fmt.Sprintf("%3d × %s", count[what], what))
	}
	return lines
}

// A seed is the same faults each time, another one is others, and no kind is left out for long.
func TestPlanFollowsFromTheSeed(t *testing.T) {
	for seed := range uint64(8) {
		l := layoutOf(seed)
		faults := plan(seed, l, 70)
		if !slices.Equal(faults, plan(seed, l, 70)) {
			t.Errorf("seed %d has two plans", seed)
		}
		if slices.Equal(faults, plan(seed+1, l, 70)) {
			t.Errorf("seeds %d and %d have one plan", seed, seed+1)
		}
		seen := map[string]bool{}
		for _, f := range faults {
			seen[f.what] = true
		}
		for _, k := range kinds {
			if len(k.targets(l)) > 0 && !seen[k.what] {
				t.Errorf("seed %d has no %s", seed, k.what)
			}
		}
		if end := length(faults); end < 2*time.Minute || end > 10*time.Minute {
			t.Errorf("seed %d takes %s", seed, end)
		}
	}
}
