package affinity_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	"leadline/internal/affinity"
	"leadline/internal/sales"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const viewed = "\x02product_view\x02"

// histories draws what a customer bought and viewed, so that spells are longer and shorter than the window, and touch.
func histories(window int) *rapid.Generator[[]affinity.Bought] {
	return rapid.Custom(func(t *rapid.T) []affinity.Bought {
		var history []affinity.Bought
		day := sales.Day(20_000)
		for range rapid.IntRange(0, 25).Draw(t, "events") {
			day += sales.Day(rapid.SampledFrom([]int{0, 0, 1, 5, window - 1, window, window + 1, 40}).Draw(t, "days later"))
			item := rapid.SampledFrom([]string{"bread", "butter", "milk", viewed + "bread", viewed + "milk"}).Draw(t, "item")
			b := affinity.Bought{Day: day, Item: item, Lines: 1, AmountMinor: 100}
			if item[0] == viewed[0] {
				b.Lines, b.AmountMinor = 0, 0
			}
			history = append(history, b)
		}
		return history
	})
}

// dayByDay says the same by walking through every day and looking at every item.
func dayByDay(history []affinity.Bought, window int, upTo sales.Day) map[sales.Cell]int64 {
	cells := map[sales.Cell]int64{}
	add := func(row, col string, bucket int32, n int64) {
		cells[sales.Cell{Row: row, Col: col, Bucket: bucket}] += n
	}
	on := func(item string, d sales.Day) bool {
		return slices.ContainsFunc(history, func(b affinity.Bought) bool { return b.Item == item && b.Day == d })
	}
	items := map[string]bool{}
	first := upTo + 1
	for _, b := range history {
		items[b.Item], first = true, min(first, b.Day)
		if b.Day <= upTo && b.Lines > 0 {
			add(b.Item, affinity.LinesCol, affinity.Came(b.Day, 0), b.Lines)
			add(b.Item, affinity.AmountCol, affinity.Came(b.Day, 0), b.AmountMinor)
		}
	}
	names := slices.Sorted(maps.Keys(items))
	held := func(item string, d sales.Day, ago int) bool { // bought in the window of d, at least so many days before
		for p := d - sales.Day(window) + 1; p <= d-sales.Day(ago); p++ {
			if on(item, p) {
				return true
			}
		}
		return false
	}
	touch := func(item string) bool { return item[0] == viewed[0] }
	since := func(item string, d sales.Day) sales.Day { // when what is held on the day before d had come
		for d--; held(item, d, 1); d-- {
		}
		return d
	}
	for d := first; d <= upTo; d++ {
		bought := 0
		for _, item := range names {
			for p := d - sales.Day(window) + 1; p < d; p++ {
				if !touch(item) && on(item, p) {
					bought++
				}
			}
		}
		came := func(item string) bool { return on(item, d) && !held(item, d, 1) }
		some := func(f func(item string) bool) bool {
			return slices.ContainsFunc(names, func(item string) bool { return !touch(item) && f(item) })
		}
		if some(func(item string) bool { return on(item, d) }) && !some(func(item string) bool { return held(item, d, 1) }) {
			add("", "", affinity.Came(d, 0), 1)
		}
		if some(func(item string) bool { return held(item, d-1, 0) }) && !some(func(item string) bool { return held(item, d, 1) }) {
			add("", "", affinity.Left(d), -1)
		}
		left := func(item string) bool { return held(item, d-1, 0) && !held(item, d, 1) }
		for _, a := range names {
			if came(a) {
				add(a, "", affinity.Came(d, affinity.Stratum(bought)), 1)
			}
			if left(a) {
				add(a, "", affinity.Left(d), -1)
			}
			for _, b := range names {
				switch {
				case a == b || touch(a) && touch(b):
				case came(a) && held(b, d, 1):
					if touch(a) {
						add(b, a, affinity.TouchCame(d), 1)
						break
					}
					bucket, s := affinity.NoClock(d), since(b, d)
					switch {
					case d-s >= sales.Day(window): // nobody remembers
					case held(a, s, 1):
						bucket = affinity.Again(d, s)
					default:
						bucket = affinity.CameAfter(d, s)
					}
					add(a, b, bucket, 1)
					col := "\x01held"
					switch ago := d - s; {
					case ago >= sales.Day(window): // nobody remembers
					case ago < 28:
						col = "\x01held4"
					case ago < 91:
						col = "\x01held13"
					}
					add(b, col, affinity.Came(d, affinity.Stratum(bought)), 1)
				case came(a) && came(b) && !touch(a) && (a < b || touch(b)):
					add(a, b, affinity.SameDay(d), 1)
				}
				if held(a, d-1, 0) && held(b, d-1, 0) && (left(a) || left(b)) && !touch(a) && (a < b || touch(b)) {
					add(a, b, affinity.Left(d), -1)
				}
			}
		}
	}
	return cells
}

func TestContributionIsWhatEveryDaySays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.SampledFrom([]int{10, 30, 180}).Draw(t, "window")
		history := histories(window).Draw(t, "history")
		upTo := sales.Day(20_000 + rapid.IntRange(0, 300).Draw(t, "up to"))
		want := dayByDay(history, window, upTo)
		got := map[sales.Cell]int64{}
		for _, c := range affinity.Contribution(rapid.Permutation(history).Draw(t, "order"), window, upTo) {
			got[sales.Cell{Row: c.Row, Col: c.Col, Bucket: c.Bucket}] += c.N
		}
		if d := gocmp.Diff(listed(want), listed(got)); d != "" {
			t.Fatalf("window %d, history %+v up to %d (-every day +contribution):\n%s", window, history, upTo, d)
		}
	})
	kinds := map[string]bool{} // of what happens in such histories
	for seed := range 500 {
		for _, c := range affinity.Contribution(histories(30).Example(seed), 30, 30_000) {
			kinds[fmt.Sprint(c.Row != "", c.Col != "" && c.Col[0] >= ' ', c.Col != "" && c.Col[0] == viewed[0], max(c.Bucket&63, 51))] = true
		}
	}
	if len(kinds) != 17 {
		t.Errorf("other things happen than there are: %v", slices.Sorted(maps.Keys(kinds)))
	}
}

func listed(cells map[sales.Cell]int64) []sales.Cell {
	var list []sales.Cell
	for c, n := range cells {
		if n != 0 {
			c.N = n
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b sales.Cell) int {
		return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Bucket, b.Bucket))
	})
	return list
}
