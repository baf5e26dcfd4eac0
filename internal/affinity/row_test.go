package affinity

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
)

// scanned is a row as the definition has it: who leaves is found by looking at all.
type scanned struct {
	room    int
	entries map[string]*entry
	evicted int64
}

func (r *scanned) add(name string, bucket int32, n int64) {
	came := bucket&left != left
	e := r.entries[name]
	if e == nil && len(r.entries) >= r.room {
		if !came || n <= 0 {
			return
		}
		victim := ""
		for other, o := range r.entries {
			if victim == "" || cmp.Or(cmp.Compare(o.count, r.entries[victim].count), -cmp.Compare(other, victim)) < 0 {
				victim = other
			}
		}
		count := r.entries[victim].count
		delete(r.entries, victim)
		r.evicted = max(r.evicted, count)
		e = &entry{count: count, missed: count}
		r.entries[name] = e
	}
	if e == nil {
		e = &entry{}
		r.entries[name] = e
	}
	e.add(bucket, n)
}

// list names all that is counted.
func (r *scanned) list() []string {
	list := []string{fmt.Sprint("evicted ", r.evicted)}
	for name, e := range r.entries {
		list = append(list, described(name, e))
	}
	slices.Sort(list)
	return list
}

func described(name string, e *entry) string {
	return fmt.Sprintf("%s: %d hold both, came %d, missed %d, %v", name, e.both, e.count, e.missed, e.cells)
}

func (r *row) list(c *Counts) []string {
	list := []string{fmt.Sprint("evicted ", r.evicted)}
	for i, to := range r.to {
		list = append(list, described(c.items[to].name, r.at(i)))
	}
	slices.Sort(list)
	return list
}

// The same leave as when all are looked at each time, with what is taken back, and with a restart in between, after which ids are others.
func TestWhoLeavesARow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		room := rapid.IntRange(1, 12).Draw(t, "room")
		names := rapid.IntRange(1, 30).Draw(t, "names")
		c, want := NewCounts(room), &scanned{room: room, entries: map[string]*entry{}}
		day := sales.Day(20_000)
		for range rapid.IntRange(1, 300).Draw(t, "cells") {
			name := fmt.Sprint("to", rapid.IntRange(1, names).Draw(t, "to"))
			bucket := rapid.SampledFrom([]int32{SameDay(day), Left(day), NoClock(day + 30)}).Draw(t, "bucket")
			n := rapid.SampledFrom([]int64{1, 1, 1, 1, 2, 5, -1}).Draw(t, "n")
			c.addTo(c.id("from"), toAdd{c.id(name), bucket, n})
			want.add(name, bucket, n)
			if rapid.IntRange(0, 99).Draw(t, "restart") == 0 {
				c = again(t, c)
				maps.DeleteFunc(want.entries, func(_ string, e *entry) bool {
					return e.both == 0 && e.count == 0 && e.missed == 0 && len(e.cells) == 0
				})
			}
			if diff := gocmp.Diff(want.list(), c.items[c.id("from")].row.list(c)); diff != "" {
				t.Fatalf("(-by looking at all +by the heap)\n%s", diff)
			}
		}
	})
}

// BenchmarkFullRow is what a cell costs whose consequent finds a row full of others that came once or twice.
func BenchmarkFullRow(b *testing.B) {
	const items = 4 * DefaultMaxCandidates
	c := NewCounts(DefaultMaxCandidates)
	for i := range items {
		c.id(fmt.Sprint("to", i*7919%items))
	}
	from, day, n := c.id("from"), sales.Day(20_000), 0
	b.ReportAllocs()
	for b.Loop() {
		c.addTo(from, toAdd{uint32(n * 31 % items), SameDay(day), 1})
		n++
	}
}
