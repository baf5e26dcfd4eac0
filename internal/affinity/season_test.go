package affinity

import (
	"math"
	"testing"

	"leadline/internal/sales"
)

// An item has its season when it comes more often than its own share of all comings of half a year; that everybody buys more is nobody's season, and a
// few comings are none.
func TestSeasons(t *testing.T) {
	t.Parallel()
	const today = sales.Day(20_000)
	c := NewCounts(DefaultMaxCandidates)
	for block := Block(today) - 11; block <= Block(today); block++ {
		day := sales.Day(block * blockDays)
		more := int64(1)
		if block > Block(today)-seasonNow {
			more = 2 // everybody buys twice as much
		}
		for item, n := range map[string]int64{"always": 200, "stone fruit": 5, "rare": 0} {
			if more == 2 && item == "stone fruit" {
				n = 200
			}
			if more == 2 && item == "rare" {
				n = 1
			}
			c.Add(sales.TallyPairs, []sales.Cell{{Row: item, Bucket: Came(day, 3), N: n * more}})
		}
	}
	rules := DefaultLinkRules()
	j := c.judge(rules, rules.Calendar.Start(today))
	seasons := j.seasons()
	of := func(item string) float64 { return seasons[c.ids[item]] }
	if s := of("stone fruit"); s < 1.3 || s > 2.5 {
		t.Errorf("stone fruit in summer: %g", s)
	}
	if s := of("always"); s < 0.7 || s > 1 {
		t.Errorf("what is bought all the time: %g", s)
	}
	if s := of("rare"); math.Abs(s-1) > 0.4 {
		t.Errorf("two comings make a season of %g", s)
	}
}
