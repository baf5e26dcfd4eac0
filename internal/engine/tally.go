package engine

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"leadline/internal/sales"
)

// The columns of the tallies, as the analyst reads them. An item's own name never begins with a control character.
const (
	colHolders  = iota // links: ("", "") customers that hold anything
	colItem            // links: (A, "") customers that hold A
	colPair            // links: (A, B), A < B: customers that hold both
	colLines           // links: (A, "\x01lines"), of all purchases ever
	colAmount          // links: (A, "\x01amount")
	colDay             // activity: ("purchase-days", "") by day
	colPrice           // tiers: (type, "price:<tier>") lines by price bucket
	colEligible        // tiers: (type, "eligible:<tier>") customers who became ready to go up from the tier
	colSwitched        // tiers: (type, "switched:<tier>") those who then went up
)

// cell is one sum before the numbers get their names.
type cell struct {
	col    uint8
	a, b   int32
	bucket int32
}

// tallies collects a step's differences: integers under numbers; names come at the end.
type tallies struct {
	sums map[cell]int64
	held []int32 // what the touched customers held before, one after the other
}

// holding is where in tallies.held a customer's part is.
type holding struct {
	from, to int
	day      sales.Day
}

func (t *tallies) add(c cell, n int64) {
	if t.sums == nil {
		t.sums = map[cell]int64{}
	}
	t.sums[c] += n
}

func (t *tallies) line(item int32, day sales.Day, lines, amount int64) {
	t.add(cell{col: colLines, a: item, bucket: day.Week()}, lines)
	t.add(cell{col: colAmount, a: item, bucket: day.Week()}, amount)
}

func (t *tallies) purchaseDay(day sales.Day, n int64) {
	t.add(cell{col: colDay, bucket: int32(day)}, n)
}

func (t *tallies) tier(col uint8, typ, tier, bucket int32) {
	t.add(cell{col: col, a: typ, b: tier, bucket: bucket}, 1)
}

// remember keeps what a customer held before the step.
func (t *tallies) remember(e *entry, held []int32) {
	from := len(t.held)
	t.held = append(t.held, held...)
	e.before = holding{from: from, to: len(t.held), day: e.state.Day}
}

// heldBy is what the customer contributes to the links' tallies: a pure function of the state, so that what the step before added can
// be taken away again by any later step, after any restart. The slice is scratch.
func (s *Shard) heldBy(c *Customer) []int32 {
	sc := &s.step.scratch
	sc.own.next(s.level.len())
	sc.ids = sc.ids[:0]
	for _, l := range c.Window.Between(c.Day-sales.Day(s.rules.WindowDays), math.MaxInt32) {
		if n := s.level.of(l.Item); l.AmountMinor > 0 && s.level.takesPart(l.Item) && sc.own.add(n) {
			sc.ids = append(sc.ids, n)
		}
	}
	return sc.ids
}

// countHoldings tallies what the step changed in what the customer holds. The cost is changed × held items; mostly nothing changed.
func (s *Shard) countHoldings(e *entry) {
	t := &s.step.tally
	before, after := t.held[e.before.from:e.before.to], s.heldBy(&e.state)
	week := max(e.before.day, e.state.Day).Week()
	if len(before) == 0 && len(after) > 0 {
		t.add(cell{col: colHolders, bucket: week}, +1)
	}
	if len(before) > 0 && len(after) == 0 {
		t.add(cell{col: colHolders, bucket: week}, -1)
	}
	s.countChanges(after, before, week, +1) // sc.own still marks after, but both lists are in no order: it marks anew
	s.countChanges(before, after, week, -1)
}

// countChanges tallies the items of list that other lacks, and their pairs within list.
func (s *Shard) countChanges(list, other []int32, week int32, n int64) {
	own := &s.step.scratch.own
	own.next(s.level.len())
	for _, id := range other {
		own.add(id)
	}
	for i, a := range list {
		if own.has(a) {
			continue
		}
		s.step.tally.add(cell{col: colItem, a: a, bucket: week}, n)
		for j, b := range list {
			if j < i || own.has(b) { // of two changed ones the pair counts once, at the later
				s.step.tally.add(cell{col: colPair, a: min(a, b), b: max(a, b), bucket: week}, n)
			}
		}
	}
}

// tallies gives the step's differences their names and order. Every commit has one tally of each kind, empty or not: they carry the
// shard's time, and leave no gap in its commit numbers.
func (s *Shard) tallies() []sales.Tally {
	st := &s.step
	out := make([]sales.Tally, 0, 3)
	for _, kind := range sales.TallyKinds() {
		out = append(out, sales.Tally{Kind: kind, Partition: s.cfg.Partition, CSN: st.batch.CSN, Now: s.clock.now})
	}
	for c, n := range st.tally.sums {
		if n == 0 {
			continue
		}
		kind, named := s.named(c)
		named.N = n
		i := slices.Index(sales.TallyKinds(), kind)
		out[i].Cells = append(out[i].Cells, named)
	}
	for i := range out {
		slices.SortFunc(out[i].Cells, func(a, b sales.Cell) int {
			return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Bucket, b.Bucket))
		})
	}
	clear(st.tally.sums)
	st.tally.held = st.tally.held[:0]
	return out
}

func (s *Shard) named(c cell) (sales.TallyKind, sales.Cell) {
	switch c.col {
	case colHolders:
		return sales.TallyLinks, sales.Cell{Bucket: c.bucket}
	case colItem:
		return sales.TallyLinks, sales.Cell{Row: s.level.name(c.a), Bucket: c.bucket}
	case colPair:
		a, b := s.level.name(c.a), s.level.name(c.b)
		return sales.TallyLinks, sales.Cell{Row: min(a, b), Col: max(a, b), Bucket: c.bucket}
	case colLines:
		return sales.TallyLinks, sales.Cell{Row: s.level.name(c.a), Col: "\x01lines", Bucket: c.bucket}
	case colAmount:
		return sales.TallyLinks, sales.Cell{Row: s.level.name(c.a), Col: "\x01amount", Bucket: c.bucket}
	case colDay:
		return sales.TallyActivity, sales.Cell{Row: "purchase-days", Bucket: c.bucket}
	default:
		word := [...]string{colPrice: "price:", colEligible: "eligible:", colSwitched: "switched:"}[c.col]
		return sales.TallyTiers, sales.Cell{Row: s.items.TypeName(c.a), Col: word + strconv.Itoa(int(c.b)), Bucket: c.bucket}
	}
}
