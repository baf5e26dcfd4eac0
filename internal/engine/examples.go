package engine

import (
	"cmp"
	"slices"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
)

// example is an episode whose end is known, by what was coded when it began.
type example struct {
	card  string
	code  uint64
	taken bool
	week  int32 // in which its time would have been up
	n     int64 // −1: taken back
}

// example notes n times how a coded episode ended, which others will learn from: whether anybody heard of it is among what was coded.
func (s *Shard) example(ep *Episode, taken bool, n int64) {
	if ep.Code == 0 {
		return
	}
	card := scorecard.CrossSell()
	if ep.Kind == sales.Upsell {
		card = scorecard.Upsell()
	}
	t := &s.step.tally
	t.examples = append(t.examples, example{card: card.Name, code: ep.Code, taken: taken, week: ep.ExpiryDay.Week(), n: n})
}

// exampleCells adds up the step's examples, in the order of a tally.
func (t *tallies) exampleCells() []sales.Cell {
	if len(t.examples) == 0 {
		return nil
	}
	cells := make([]sales.Cell, 0, len(t.examples))
	for _, e := range t.examples {
		cells = append(cells, sales.Cell{Row: e.card, Col: scorecard.Col(e.code, e.taken), Bucket: e.week, N: e.n})
	}
	slices.SortFunc(cells, compareCells)
	kept := cells[:0]
	for _, c := range cells {
		if last := len(kept) - 1; last >= 0 && compareCells(kept[last], c) == 0 {
			kept[last].N += c.N
			continue
		}
		kept = append(kept, c)
	}
	return slices.DeleteFunc(kept, func(c sales.Cell) bool { return c.N == 0 })
}

// reportedExample notes n times what a report that ended an offer says about it: that the rep made the sale, or lost it. The others say nothing about
// the offer.
func (s *Shard) reportedExample(r *Report, n int64) {
	if r.Ended != nil && r.Ended.Kind != sales.Declining && (r.Result == Won || r.Result == Lost) {
		s.example(r.Ended, r.Result == Won, n)
	}
}

func compareCells(a, b sales.Cell) int {
	return cmp.Or(cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Bucket, b.Bucket))
}
