package engine

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"leadline/internal/sales"
)

// cell is one difference. Row and column are numbers whose names a ranking knows, and later the ranks of those names.
type cell struct {
	row, col, bucket int32
	either           bool // the row is to be the one of the two whose name comes first
	n                int64
}

// tallies gives the step's differences their names and order. Every commit has one tally of each kind, empty or not: they carry the
// shard's time, and leave no gap in its commit numbers.
func (s *Shard) tallies() []sales.Tally {
	t := &s.step.tally
	t.cells = t.cells[:0]
	out := make([]sales.Tally, 0, 4)
	for _, kind := range sales.TallyKinds() {
		tally := sales.Tally{Kind: kind, Partition: s.cfg.Partition, CSN: s.step.batch.CSN, Now: s.clock.now}
		switch kind {
		case sales.TallyPairs:
			tally.Cells = s.pairCells()
		case sales.TallyTiers:
			tally.Cells = s.tierCells()
		case sales.TallyExamples:
			tally.Cells = t.exampleCells()
		case sales.TallyActivity:
			tally.Cells = slices.Concat(s.channelCells(), addUp(t.outcomes), t.add(t.days, []string{PurchaseDaysRow}, []string{""}), addUp(t.ages))
		}
		out = append(out, tally)
	}
	t.reset()
	return out
}

// reset keeps the memory for the next step, but not that of a step which needed far more than those of late.
func (t *tallies) reset() {
	t.usual = max(t.usual-t.usual/32, len(t.pairs), len(t.tiers), len(t.days))
	if outgrown(t.usual, cap(t.sums)) {
		t.sums, t.spare = nil, nil
	}
	if outgrown(t.usual, cap(t.cells)) {
		t.cells = nil
	}
	t.outcomes, t.ages, t.examples = emptied(t.outcomes, 0), emptied(t.ages, 0), emptied(t.examples, 0)
	t.pairs, t.tiers, t.days = emptied(t.pairs, t.usual), emptied(t.tiers, t.usual), emptied(t.days, t.usual)
}

// emptied keeps a list's memory if it is not many times what the list, or what usually is of its kind, needs.
func emptied[T any](list []T, usual int) []T {
	if outgrown(max(usual, len(list)), cap(list)) {
		return nil
	}
	return list[:0]
}

// outgrown tells whether a list's memory is many times what was needed, and worth giving back.
func outgrown(needed, have int) bool { return have > 1<<14 && needed < have/8 }

// room gives memory for so many cells, which is the decision's until the next step's.
func (t *tallies) room(n int) []sales.Cell {
	if cap(t.cells)-len(t.cells) < n { // what was given so far stays where it is
		t.cells = make([]sales.Cell, 0, max(n, cap(t.cells))+n/4)
	}
	from := len(t.cells)
	t.cells = t.cells[:from+n]
	return t.cells[from : from+n : from+n]
}

func (s *Shard) pairCells() []sales.Cell {
	t, names := &s.step.tally, s.level.ranked()
	t.heldSums.tell(t)
	t.soldSums.tell(t)
	for i := range t.pairs {
		c := &t.pairs[i]
		c.row, c.col = s.level.rank(c.row), s.level.rank(c.col)
		if c.either && c.row > c.col {
			c.row, c.col = c.col, c.row
		}
	}
	return t.add(t.pairs, names.names, names.names)
}

func (s *Shard) tierCells() []sales.Cell {
	t, types := &s.step.tally, s.level.rankedTypes()
	t.columns.rank()
	for i := range t.tiers {
		c := &t.tiers[i]
		c.row, c.col = types.rank(c.row), t.columns.ranking.rank(c.col)
	}
	return t.add(t.tiers, types.names, t.columns.names)
}

// add adds up the cells of equal row, column and bucket, leaves out what comes to nothing, and gives the rest their names, in
// order. It sorts numbers packed into one key, digit by digit, and no names: an order of a household that holds a hundred items
// makes hundreds of cells.
func (t *tallies) add(cells []cell, rows, cols []string) []sales.Cell {
	if len(cells) == 0 {
		return nil
	}
	p := packingOf(cells, len(rows), len(cols))
	t.sums = slices.Grow(t.sums[:0], len(cells))[:len(cells)]
	for i := range cells {
		t.sums[i] = sum{key: p.key(&cells[i]), n: cells[i].n}
	}
	t.spare = slices.Grow(t.spare[:0], len(t.sums))[:len(t.sums)]
	t.sums, t.spare = sortSums(t.sums, t.spare, p.bits())
	sums := merge(t.sums)
	if len(sums) == 0 {
		return nil
	}
	out := t.room(len(sums))
	for i, s := range sums {
		c := p.cell(s.key)
		out[i] = sales.Cell{Row: rows[c.row], Col: cols[c.col], Bucket: c.bucket, N: s.n}
	}
	return out
}

// sum is a difference under its packed row, column and bucket.
type sum struct {
	key uint64
	n   int64
}

// packing is how row, column and bucket share a key that sorts like them: a full dictionary takes 17 bits of row, 18 of
// column, and all weeks and prices there are 18 of bucket.
type packing struct {
	rowBits, colBits, bucketBits int
	low                          int32 // bucket that is 0 in the key
}

func packingOf(cells []cell, rows, cols int) packing {
	low, high := cells[0].bucket, cells[0].bucket
	for i := range cells {
		low, high = min(low, cells[i].bucket), max(high, cells[i].bucket)
	}
	return packing{rowBits: bits.Len(uint(rows)), colBits: bits.Len(uint(cols)), bucketBits: bits.Len(uint(high - low)), low: low}
}

func (p packing) bits() int { return p.rowBits + p.colBits + p.bucketBits }

func (p *packing) key(c *cell) uint64 {
	return (uint64(c.row)<<(p.colBits&63)|uint64(c.col))<<(p.bucketBits&63) | uint64(c.bucket-p.low)
}

func (p packing) cell(key uint64) cell {
	bucket := int32(key&(1<<p.bucketBits-1)) + p.low
	key >>= p.bucketBits
	return cell{row: int32(key >> p.colBits), col: int32(key & (1<<p.colBits - 1)), bucket: bucket}
}

// sortSums sorts by the keys' low bits, by counting bytes from the lowest up: a byte is counted while that before it puts the sums in their
// places. The result is the first of the slices it gives back.
func sortSums(sums, spare []sum, keyBits int) (sorted, other []sum) {
	var at, next [256]int
	for i := range sums {
		at[uint8(sums[i].key)]++
	}
	for shift := 0; shift < keyBits; shift += 8 {
		from := 0
		for b, n := range at {
			at[b] = from
			from += n
		}
		clear(next[:])
		for i := range sums {
			s := sums[i]
			b := uint8(s.key >> (shift & 63))
			next[uint8(s.key>>((shift+8)&63))]++
			spare[at[b]] = s
			at[b]++
		}
		at = next
		sums, spare = spare, sums
	}
	return sums, spare
}

// merge adds up equal keys, which stand together, in place, and drops what comes to nothing.
func merge(sums []sum) []sum {
	kept := sums[:0]
	for i := 0; i < len(sums); {
		s := sums[i]
		for i++; i < len(sums) && sums[i].key == s.key; i++ {
			s.n += sums[i].n
		}
		if s.n != 0 {
			kept = append(kept, s)
		}
	}
	return kept
}

// ranking knows the names of numbers, and their places among the sorted names.
type ranking struct {
	ranks  []int32  // by number
	names  []string // by rank
	sorted []int32  // the numbers by rank, without the first names
}

// fewNames is how many new names are put in their places one by one instead of sorting all.
const fewNames = 64

// update brings the ranking up to date with numbers below n, which may have grown. Names given as first stand before all others.
func (r *ranking) update(n int, name func(int32) string, first ...string) {
	known := len(r.ranks)
	if known == n {
		return
	}
	byName := func(a, b int32) int { return strings.Compare(name(a), name(b)) }
	if n-known > fewNames {
		known, r.sorted = 0, r.sorted[:0]
	}
	for i := int32(known); int(i) < n; i++ {
		at := len(r.sorted)
		if known > 0 {
			at, _ = slices.BinarySearchFunc(r.sorted, i, byName)
		}
		r.sorted = slices.Insert(r.sorted, at, i)
	}
	if known == 0 {
		slices.SortFunc(r.sorted, byName)
	}
	r.ranks = slices.Grow(r.ranks[:0], n)[:n]
	r.names = append(r.names[:0], first...)
	for _, i := range r.sorted {
		r.ranks[i] = int32(len(r.names))
		r.names = append(r.names, name(i))
	}
}

// rank is the place of a number's name. A number below 0 is itself the place of one of the first names.
func (r *ranking) rank(n int32) int32 {
	if n < 0 {
		return ^n
	}
	return r.ranks[n]
}

// forget is for numbers that may have got other names.
func (r *ranking) forget() { r.ranks, r.sorted = r.ranks[:0], r.sorted[:0] }

// columns numbers the columns of the tiers' tallies.
type columns struct {
	ranking
	ids  map[column]int32
	list []column
}

type column struct {
	word string
	tier int32
}

// id is the column's number.
func (c *columns) id(word string, tier int32) int32 {
	id, ok := c.ids[column{word, tier}]
	if !ok {
		if c.ids == nil {
			c.ids = map[column]int32{}
		}
		id = int32(len(c.list))
		c.ids[column{word, tier}] = id
		c.list = append(c.list, column{word, tier})
	}
	return id
}

func (c *columns) rank() {
	c.update(len(c.list), func(i int32) string { return c.list[i].word + strconv.Itoa(int(c.list[i].tier)) })
}
