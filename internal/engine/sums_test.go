package engine

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
)

// TestAddAgainstMap adds up random cells by packed keys and by a map.
func TestAddAgainstMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		names := make([]string, rapid.SampledFrom([]int{1, 3, 255, 256, 70_000}).Draw(t, "names"))
		for i := range names {
			names[i] = fmt.Sprintf("%05d", i)
		}
		number := rapid.Int32Range(0, int32(min(len(names)-1, rapid.SampledFrom([]int{2, 100_000}).Draw(t, "different"))))
		low := rapid.SampledFrom([]int32{-5, 0, 2_900, 1 << 20}).Draw(t, "low")
		sums := map[sales.Cell]int64{}
		var cells []cell
		for range rapid.IntRange(0, 50).Draw(t, "cells") {
			c := cell{row: number.Draw(t, "row"), col: number.Draw(t, "col"), bucket: low + rapid.Int32Range(0, 300).Draw(t, "bucket"),
				n: rapid.Int64Range(-2, 2).Draw(t, "n")}
			cells = append(cells, c)
			sums[sales.Cell{Row: names[c.row], Col: names[c.col], Bucket: c.bucket}] += c.n
		}
		var want []sales.Cell
		for c, n := range sums {
			if c.N = n; n != 0 {
				want = append(want, c)
			}
		}
		slices.SortFunc(want, compareCells)
		if diff := cmp.Diff(want, new(tallies).add(cells, names, names)); diff != "" {
			t.Fatalf("(-by map +by keys):\n%s", diff)
		}
	})
}

// TestRankingGrows: however names come, a few at a time or many, and after some were taken back, each number's rank is its name's place.
func TestRankingGrows(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var r ranking
		var all []string
		for range rapid.IntRange(1, 6).Draw(t, "times") {
			if rapid.IntRange(0, 4).Draw(t, "rollback") == 0 {
				all = all[:rapid.IntRange(0, len(all)).Draw(t, "left")]
				r.forget()
			}
			for range rapid.SampledFrom([]int{0, 1, 3, fewNames + 1}).Draw(t, "more") {
				all = append(all, fmt.Sprintf("%016x-%d", rapid.Uint64().Draw(t, "name"), len(all)))
			}
			r.update(len(all), func(n int32) string { return all[n] }, "", "\x01lines")
			want := append([]string{"", "\x01lines"}, slices.Sorted(slices.Values(all))...)
			if len(all) > 0 && !slices.Equal(r.names, want) {
				t.Fatalf("names %q, want %q", r.names, want)
			}
			for n, name := range all {
				if r.names[r.rank(int32(n))] != name {
					t.Fatalf("number %d, %s, has the rank of %s", n, name, r.names[r.rank(int32(n))])
				}
			}
		}
	})
}

// TestTimers: timers come out day by day and in order, whatever the order in which they went in, each once.
func TestTimers(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var armed timers
		left := map[Timer]bool{}
		for range rapid.IntRange(0, 80).Draw(t, "steps") {
			if len(left) > 0 && rapid.IntRange(0, 4).Draw(t, "takes") == 0 {
				all := slices.SortedFunc(maps.Keys(left), compareTimers)
				want := slices.DeleteFunc(slices.Clone(all), func(timer Timer) bool { return timer.Due.Day() != all[0].Due.Day() })
				if got := armed.take(); !slices.Equal(got, want) {
					t.Fatalf("took %v, want %v", got, want)
				}
				for _, timer := range want {
					delete(left, timer)
				}
				continue
			}
			timer := Timer{Due: Due{Expiry: sales.Day(rapid.IntRange(1, 6).Draw(t, "due"))}, CustomerID: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "who")}
			armed.push(timer)
			left[timer] = true
		}
		if !slices.IsSorted(armed.days) || len(armed.days) != len(armed.due) {
			t.Fatalf("days %v of %v", armed.days, armed.due)
		}
	})
}
