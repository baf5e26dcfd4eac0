package analyst

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/wire"
)

// drawTallies is what a few shards write, each in order of its commits, a commit in one part or several.
func drawTallies(t *rapid.T) [][]sales.Tally {
	name := rapid.SampledFrom([]string{"", "a", "b", "c\x00", "1:d"})
	cell := rapid.Custom(func(t *rapid.T) sales.Cell {
		return sales.Cell{Row: name.Draw(t, "row"), Col: name.Draw(t, "col"), Bucket: rapid.Int32Range(0, 2).Draw(t, "bucket"),
			N: int64(rapid.IntRange(-2, 2).Draw(t, "n"))}
	})
	perShard := make([][]sales.Tally, 3)
	for shard := range perShard {
		for csn := range rapid.IntRange(0, 4).Draw(t, "commits") {
			cells := rapid.SliceOfNDistinct(cell, 0, 8, placeOfValue).Draw(t, "cells")
			slices.SortFunc(cells, func(a, b sales.Cell) int { return placeOf(&a).compare(placeOf(&b)) })
			cut := rapid.IntRange(min(1, len(cells)), len(cells)).Draw(t, "cut")
			tally := sales.Tally{Kind: sales.TallyActivity, Partition: int32(shard), CSN: int64(csn + 1), Now: sales.Millis(100*csn + shard)}
			first, second := tally, tally
			first.Cells, second.Cells = cells[:cut], cells[cut:]
			perShard[shard] = append(perShard[shard], first, second)
		}
	}
	return perShard
}

func placeOfValue(c sales.Cell) cellPlace { return placeOf(&c) }

// rowsOf is what would be kept of the sums.
func rowsOf(s *sums) map[rowKey]wire.KnowledgeRow {
	rows := map[rowKey]wire.KnowledgeRow{}
	for _, key := range s.changedRows() {
		if row := s.row(key); len(row.Cells) > 0 {
			rows[key] = row
		}
	}
	return rows
}

func TestSumsDoNotDependOnTheOrderOfShardsNorOnRestarts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perShard := drawTallies(t)
		oneByOne, mixed := newSums(9), newSums(9)
		offset := int64(0)
		for _, tallies := range perShard {
			for i := range tallies {
				if err := oneByOne.fold(&tallies[i], offset); err != nil {
					t.Fatal(err)
				}
				offset++
			}
		}
		for at := range offset {
			shard := rapid.IntRange(0, len(perShard)-1).Draw(t, "next")
			for len(perShard[shard]) == 0 {
				shard = (shard + 1) % len(perShard)
			}
			if err := mixed.fold(&perShard[shard][0], at); err != nil {
				t.Fatal(err)
			}
			perShard[shard] = perShard[shard][1:]
			if rapid.IntRange(0, 3).Draw(t, "restart") == 0 {
				mixed = restart(t, mixed)
			}
		}
		if diff := cmp.Diff(rowsOf(oneByOne), rowsOf(mixed)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// restart gives the sums that a new life reads back. All count as changed, so that they can be compared.
func restart(t *rapid.T, s *sums) *sums {
	next := newSums(9)
	for _, row := range rowsOf(s) {
		if err := next.restore(&row); err != nil {
			t.Fatal(err)
		}
		next.changed[rowKey{kind: row.Kind, row: row.Row}] = struct{}{}
	}
	return next
}

func TestACommitCountsOnceAndNoneIsMissing(t *testing.T) {
	part := func(csn int64, cols ...string) *sales.Tally {
		tally := &sales.Tally{Kind: sales.TallyPairs, CSN: csn, Now: 5}
		for _, col := range cols {
			tally.Cells = append(tally.Cells, sales.Cell{Row: "a", Col: col, N: 1})
		}
		return tally
	}
	for name, c := range map[string]struct {
		then *sales.Tally
		ok   bool
	}{
		"next commit":          {part(3, "a"), true},
		"next part":            {part(2, "f", "g"), true},
		"nothing more":         {part(2), true},
		"the same again":       {part(2, "d", "e"), false},
		"half of it again":     {part(2, "e"), false},
		"an earlier one":       {part(1, "x"), false},
		"one is missing":       {part(4, "a"), false},
		"a shard's first is 2": {&sales.Tally{Kind: sales.TallyPairs, Partition: 9, CSN: 2}, false},
		"no commit":            {&sales.Tally{Kind: sales.TallyPairs, Partition: 9}, false},
		"unknown kind":         {&sales.Tally{Kind: "gossip", CSN: 1}, false},
	} {
		s := newSums(9)
		for offset, tally := range []*sales.Tally{part(1, "a"), part(2, "b", "c"), part(2, "d", "e")} {
			if err := s.fold(tally, int64(offset)); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		before := fmt.Sprint(s.rows)
		err := s.fold(c.then, 3)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && fmt.Sprint(s.rows) != before {
			t.Errorf("%s: was refused and counted", name)
		}
	}
}

func TestAKindOfALaterReleaseJoinsShardsThatAreAtWork(t *testing.T) {
	tally := func(kind sales.TallyKind, csn int64) *sales.Tally { return &sales.Tally{Kind: kind, CSN: csn, Now: 5} }
	for name, c := range map[string]struct {
		then []*sales.Tally
		ok   bool
	}{
		"begins with the next commit":      {[]*sales.Tally{tally(sales.TallyPairs, 3), tally(sales.TallyPairs, 4)}, true},
		"begins after others yet unread":   {[]*sales.Tally{tally(sales.TallyPairs, 9)}, true},
		"begins behind what was kept":      {[]*sales.Tally{tally(sales.TallyPairs, 2)}, true},
		"leaves one out after its first":   {[]*sales.Tally{tally(sales.TallyPairs, 3), tally(sales.TallyPairs, 5)}, false},
		"a kind of old leaves one out":     {[]*sales.Tally{tally(sales.TallyActivity, 4)}, false},
		"a shard that nobody had heard of": {[]*sales.Tally{{Kind: sales.TallyPairs, Partition: 9, CSN: 3}}, false},
	} {
		s := newSums(9)
		for csn := range int64(2) {
			if err := s.fold(tally(sales.TallyActivity, csn+1), csn); err != nil {
				t.Fatal(err)
			}
		}
		s.welcome()
		var err error
		for i, then := range c.then {
			if err == nil {
				err = s.fold(then, int64(i))
			}
		}
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Examples are kept in a row a week, so that no record grows for ever, and let go of when they count no more. The one row that an earlier release has
// kept counts beside them, once.
func TestExamplesAreKeptByWeek(t *testing.T) {
	card := scorecard.CrossSell()
	col := scorecard.Col(card.Code(make([]int, len(card.Characteristics))), true)
	cell := func(week int32) sales.Cell { return sales.Cell{Row: card.Name, Col: col, Bucket: week, N: 1} }
	const first, last = int32(2_800), int32(2_803)
	kept := map[string]wire.KnowledgeRow{"examples|cross-sell": {Kind: sales.TallyExamples, Row: card.Name, Cells: []sales.Cell{cell(first)}}}
	read := func() *sums {
		s := newSums(9)
		for _, row := range kept {
			row.Cells = slices.Clone(row.Cells)
			if err := s.restore(&row); err != nil {
				t.Fatal(err)
			}
		}
		clear(s.changed)
		return s
	}
	keep := func(s *sums) {
		for _, key := range s.changedRows() {
			row := s.row(key)
			if kept[string(row.Kind)+"|"+row.Row] = row; len(row.Cells) == 0 {
				delete(kept, string(row.Kind)+"|"+row.Row)
			}
		}
	}
	for n, csn := first, int64(1); n <= last; n, csn = n+1, csn+1 {
		s := read()
		if err := s.fold(&sales.Tally{Kind: sales.TallyExamples, CSN: csn, Now: 5, Cells: []sales.Cell{cell(n)}}, csn); err != nil {
			t.Fatal(err)
		}
		if got := len(s.changed); got != 2 {
			t.Errorf("%d rows change by one week's cell, and how far was read", got)
		}
		keep(s)
	}
	s := read()
	today := sales.Day(7 * (last + 4))
	taken := s.examples.Examples(card, today)
	if len(taken) != 1 || len(kept) != 6 || math.Abs(taken[0].Taken-(2*math.Exp2(-7./13)+math.Exp2(-6./13)+math.Exp2(-5./13)+math.Exp2(-4./13))) > 1e-9 {
		t.Errorf("%v of the rows %v", taken, slices.Sorted(maps.Keys(kept)))
	}
	s.forgetExamples(today + 7*(scorecard.KeptWeeks-5))
	keep(s)
	if got := slices.Sorted(maps.Keys(kept)); !slices.Equal(got, []string{"examples|cross-sell", "examples|cross-sell|2802", "examples|cross-sell|2803", "progress|examples"}) {
		t.Errorf("%v are kept", got)
	}
	if err := newSums(9).restore(&wire.KnowledgeRow{Kind: sales.TallyExamples, Row: "cross-sell|soon"}); err == nil {
		t.Error("a row of no week was taken")
	}
}
