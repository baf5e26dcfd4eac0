package affinity

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
)

// Shards have told what left, and of touches, up to the day of each customer's last purchase or look, a week ago at most. Links are those of histories
// at rest.
func TestLinksDoNotHangOnWhenCustomersWereLookedAt(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	people := town(random, 400, 420)
	rapid.Check(t, func(t *rapid.T) {
		upTo := testBegin + sales.Day(rapid.IntRange(testWindow-30, 420).Draw(t, "up to"))
		end := sales.Calendar{}.Start(upTo+1) - 1
		live, rest := NewCounts(DefaultMaxCandidates), NewCounts(DefaultMaxCandidates)
		seed := rapid.Uint64().Draw(t, "looks")
		looks := rand.New(rand.NewPCG(seed, 1))
		late := 0
		for _, h := range people {
			own := upTo - sales.Day(looks.IntN(ToldWithin+1))
			for _, b := range h {
				if b.Day <= upTo && b.Lines > 0 {
					own = max(own, b.Day)
				}
			}
			told, all := Contribution(h, testWindow, own), Contribution(h, testWindow, upTo)
			late += len(all) - len(told)
			live.Add(sales.TallyPairs, told)
			rest.Add(sales.TallyPairs, all)
		}
		if cut := rapid.Bool().Draw(t, "restarted"); cut {
			live.Forget(testRules(), end)
			live = again(t, live)
		}
		rules := testRules()
		rules.MaxQ = 1 // whatever is said, as long as it is something
		want := rest.Links(rules, end)
		if diff := cmp.Diff(want, live.Links(rules, end)); diff != "" || len(want) == 0 {
			t.Fatalf("day %d, %d departures untold, %d links (-at rest +live):\n%s", upTo, late, len(want), diff)
		}
	})
}

// Holders are counted as of the end of a settled block, and as of now while nothing can have left.
func TestHoldersAreCountedAsOfASettledBlock(t *testing.T) {
	begin := sales.Day(Block(testBegin) * blockDays)
	buy := func(day sales.Day, item string) Bought {
		return Bought{Day: begin + day, Item: item, Lines: 1, AmountMinor: 1}
	}
	histories := [][]Bought{
		{buy(0, "bread"), buy(1, "butter")},
		{buy(150, "bread"), buy(190, "butter")},
		{buy(200, "bread"), buy(200, "butter")},
	}
	for _, c := range []struct{ day, people, bread, butter, both int64 }{
		{30, 1, 1, 1, 1},
		{179, 2, 2, 1, 1}, // as of now
		{180, 2, 2, 1, 1}, // as of day 167, the last of a block
		{201, 2, 2, 1, 1},
		{202, 1, 1, 1, 1}, // as of day 195: the first has left, the third has not come
		{229, 1, 1, 1, 1},
		{230, 2, 2, 2, 2}, // as of day 223
	} {
		counts := learned(histories, begin+sales.Day(c.day), DefaultMaxCandidates)
		j := counts.judge(testRules(), sales.Calendar{}.Start(begin+sales.Day(c.day)))
		bread, butter := counts.ids["bread"], counts.ids["butter"]
		e := counts.items[bread].row.entry(counts, butter, false)
		got := struct{ day, people, bread, butter, both int64 }{c.day, j.people, j.hold[bread], j.hold[butter], e.both - e.cells.since(j.later)}
		if got != c {
			t.Errorf("%+v, want %+v", got, c)
		}
	}
}
