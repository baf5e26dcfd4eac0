package engine

import (
	"leadline/internal/affinity"
	"leadline/internal/sales"
)

// Two sorts of the pairs' cells are about single items and the same ones again and again, so they are added up at once. As cells they would be a
// quarter of all that are added up in the end.

// heldSums are of what came while items were held. An order of a household says it of all that it holds.
type heldSums struct {
	block int32                              // of all of them
	by    [horizons][affinity.Strata][]int32 // by number
	some  [horizons][affinity.Strata][]int32 // numbers of which there may be any
}

// horizons is how many columns there are of what came while something was held.
const horizons = len(affinity.HeldCols)

// mostHeld is of how many items at most sums are kept so: of tens of thousands of products each is seldom held twice.
const mostHeld = 1 << 13

// add notes a difference about an item that is held since the horizon, in the bucket of what came.
func (s *heldSums) add(t *tallies, item int32, horizon int, came int32, n int64) {
	if item >= mostHeld {
		t.pair(item, colHeld-int32(horizon), came, n)
		return
	}
	block, stratum := affinity.CameOf(came)
	if block != s.block {
		s.tell(t)
		s.block = block
	}
	sums := &s.by[horizon][stratum]
	if missing := int(item) + 1 - len(*sums); missing > 0 {
		*sums = append(*sums, make([]int32, missing)...)
	}
	one := &(*sums)[item]
	if *one == 0 {
		s.some[horizon][stratum] = append(s.some[horizon][stratum], item)
	}
	*one += int32(n)
}

// tell makes cells of the sums, and empties them.
func (s *heldSums) tell(t *tallies) {
	for horizon := range s.some {
		for stratum, items := range s.some[horizon] {
			for _, item := range items {
				if one := &s.by[horizon][stratum][item]; *one != 0 {
					t.pair(item, colHeld-int32(horizon), affinity.CameIn(s.block, int32(stratum)), int64(*one))
					*one = 0
				}
			}
			s.some[horizon][stratum] = items[:0]
		}
	}
}

// soldSums are of lines and their amounts, by number.
type soldSums struct {
	block int32 // of all of them
	by    []sold
	some  []int32 // numbers of which there may be any
}

type sold struct{ lines, amount int64 }

func (s *soldSums) add(t *tallies, item int32, day sales.Day, lines, amount int64) {
	if block := affinity.Block(day); block != s.block {
		s.tell(t)
		s.block = block
	}
	if missing := int(item) + 1 - len(s.by); missing > 0 {
		s.by = append(s.by, make([]sold, missing)...)
	}
	one := &s.by[item]
	if *one == (sold{}) {
		s.some = append(s.some, item)
	}
	one.lines, one.amount = one.lines+lines, one.amount+amount
}

// tell makes cells of the sums, and empties them.
func (s *soldSums) tell(t *tallies) {
	bucket := affinity.CameIn(s.block, 0)
	for _, item := range s.some {
		if one := s.by[item]; one != (sold{}) {
			t.pair(item, colLines, bucket, one.lines)
			t.pair(item, colAmount, bucket, one.amount)
			s.by[item] = sold{}
		}
	}
	s.some = s.some[:0]
}
