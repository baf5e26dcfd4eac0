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

// cell is one difference before the numbers get their names.
type cell struct {
	n      int64
	a, b   int32
	bucket int32
	col    uint8
}

// tallies collects a step's differences as they come: integers under numbers. Adding up and names come at the end.
type tallies struct {
	links  []cell
	others []cell
	held   []int32 // what the touched customers held before, one after the other
}

// holding is where in tallies.held a customer's part is.
type holding struct {
	from, to int
	day      sales.Day
}

// link notes a difference of the links' tallies, which are by far the most.
func (t *tallies) link(col uint8, a, b, bucket int32, n int64) {
	t.links = append(t.links, cell{col: col, a: a, b: b, bucket: bucket, n: n})
}

func (t *tallies) line(item int32, day sales.Day, lines, amount int64) {
	t.link(colLines, item, 0, day.Week(), lines)
	t.link(colAmount, item, 0, day.Week(), amount)
}

func (t *tallies) purchaseDay(day sales.Day, n int64) {
	t.others = append(t.others, cell{col: colDay, bucket: int32(day), n: n})
}

func (t *tallies) tier(col uint8, typ, tier, bucket int32) {
	t.others = append(t.others, cell{col: col, a: typ, b: tier, bucket: bucket, n: 1})
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
		t.link(colHolders, 0, 0, week, +1)
	}
	if len(before) > 0 && len(after) == 0 {
		t.link(colHolders, 0, 0, week, -1)
	}
	s.countItems(after, before, week, +1)
	s.countItems(before, after, week, -1)
	before, after = paired(before), paired(after)
	s.countPairs(after, before, week, +1)
	s.countPairs(before, after, week, -1)
}

// paired is what of the held items counts in pairs.
func paired(held []int32) []int32 {
	if len(held) > maxPaired {
		return nil
	}
	return held
}

// countItems tallies the items of list that other lacks.
func (s *Shard) countItems(list, other []int32, week int32, n int64) {
	own := s.markOwn(other)
	for _, id := range list {
		if !own.has(id) {
			s.step.tally.link(colItem, id, 0, week, n)
		}
	}
}

// countPairs tallies the pairs within list of which other lacks one or both.
func (s *Shard) countPairs(list, other []int32, week int32, n int64) {
	own := s.markOwn(other)
	for i, a := range list {
		if own.has(a) {
			continue
		}
		for j, b := range list {
			if j < i || own.has(b) { // of two changed ones the pair counts once, at the later
				s.step.tally.link(colPair, a, b, week, n)
			}
		}
	}
}

func (s *Shard) markOwn(ids []int32) *marks {
	own := &s.step.scratch.own
	own.next(s.level.len())
	for _, id := range ids {
		own.add(id)
	}
	return own
}

// tallies gives the step's differences their names and order. Every commit has one tally of each kind, empty or not: they carry the
// shard's time, and leave no gap in its commit numbers.
func (s *Shard) tallies() []sales.Tally {
	st := &s.step
	out := make([]sales.Tally, 0, 3)
	for _, kind := range sales.TallyKinds() {
		out = append(out, sales.Tally{Kind: kind, Partition: s.cfg.Partition, CSN: st.batch.CSN, Now: s.clock.now})
	}
	for _, c := range st.tally.others {
		kind, named := s.named(c)
		i := slices.Index(sales.TallyKinds(), kind)
		out[i].Cells = append(out[i].Cells, named)
	}
	for i := range out {
		out[i].Cells = sum(out[i].Cells)
	}
	out[slices.Index(sales.TallyKinds(), sales.TallyLinks)].Cells = s.linkCells()
	st.tally.links, st.tally.others, st.tally.held = st.tally.links[:0], st.tally.others[:0], st.tally.held[:0]
	return out
}

// sum sorts cells and adds up equal ones.
func sum(cells []sales.Cell) []sales.Cell {
	slices.SortFunc(cells, func(a, b sales.Cell) int {
		return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Bucket, b.Bucket))
	})
	sums := cells[:0]
	for _, c := range cells {
		if last := len(sums) - 1; last >= 0 && sums[last].Row == c.Row && sums[last].Col == c.Col && sums[last].Bucket == c.Bucket {
			sums[last].N += c.N
		} else {
			sums = append(sums, c)
		}
	}
	return slices.DeleteFunc(sums, func(c sales.Cell) bool { return c.N == 0 })
}

// The links' columns in their order, before those that are names.
const (
	rankNone = iota
	rankAmount
	rankLines
	rankNames
)

// linkCells adds up the links' differences and gives them their names. It sorts by the names' ranks, not by the names: an
// order of a household that holds a hundred items makes hundreds of cells.
func (s *Shard) linkCells() []sales.Cell {
	cells := s.step.tally.links
	if len(cells) == 0 {
		return nil
	}
	s.level.rank()
	for i := range cells {
		c := &cells[i]
		switch c.col {
		case colHolders:
			c.a, c.b = rankNone, rankNone
		case colItem:
			c.a, c.b = rankNames+s.level.ranks[c.a], rankNone
		case colPair:
			a, b := s.level.ranks[c.a], s.level.ranks[c.b]
			c.a, c.b = rankNames+min(a, b), rankNames+max(a, b)
		case colLines:
			c.a, c.b = rankNames+s.level.ranks[c.a], rankLines
		case colAmount:
			c.a, c.b = rankNames+s.level.ranks[c.a], rankAmount
		}
	}
	slices.SortFunc(cells, func(x, y cell) int {
		if x.a != y.a {
			return int(x.a - y.a)
		}
		if x.b != y.b {
			return int(x.b - y.b)
		}
		return int(x.bucket - y.bucket)
	})
	var out []sales.Cell
	for i := 0; i < len(cells); {
		c := cells[i]
		n := int64(0)
		for ; i < len(cells) && cells[i].a == c.a && cells[i].b == c.b && cells[i].bucket == c.bucket; i++ {
			n += cells[i].n
		}
		if n != 0 {
			out = append(out, sales.Cell{Row: s.rankName(c.a), Col: s.rankName(c.b), Bucket: c.bucket, N: n})
		}
	}
	return out
}

// rankName is the name of a row or column of the links' tallies.
func (s *Shard) rankName(rank int32) string {
	if rank < rankNames {
		return [...]string{rankNone: "", rankAmount: "\x01amount", rankLines: "\x01lines"}[rank]
	}
	return s.level.byRank[rank-rankNames]
}

func (s *Shard) named(c cell) (sales.TallyKind, sales.Cell) {
	if c.col == colDay {
		return sales.TallyActivity, sales.Cell{Row: "purchase-days", Bucket: c.bucket, N: c.n}
	}
	word := [...]string{colPrice: "price:", colEligible: "eligible:", colSwitched: "switched:"}[c.col]
	return sales.TallyTiers, sales.Cell{Row: s.items.TypeName(c.a), Col: word + strconv.Itoa(int(c.b)), Bucket: c.bucket, N: c.n}
}
