package engine

import (
	"leadline/internal/scorecard"
)

// Weighed is an order's candidates of cross-sell as the card was asked about them, for who judges how they are ranked. Nothing hangs on it.
type Weighed struct {
	Event      int // index in Batch.Events
	Candidates []WeighedItem
}

// WeighedItem is one candidate.
type WeighedItem struct {
	Item       string // at the links' level
	Code       uint64 // of what the card asked
	Popularity float64
	Fitness    float64 // decides between equal log odds, the higher first
}

// tellWeighed tells of the candidates, if the batch asks for it.
func (s *Shard) tellWeighed(o *order, candidates []candidate, q *question) {
	if !s.step.batch.Weigh {
		return
	}
	w := Weighed{Event: o.at, Candidates: make([]WeighedItem, 0, len(candidates))}
	for i := range candidates {
		c := &candidates[i]
		values := q.values(c)
		w.Candidates = append(w.Candidates, WeighedItem{Item: c.link.link.To, Code: code(scorecard.CrossSell(), values[:]),
			Popularity: c.link.link.Baseline, Fitness: c.fitness()})
	}
	s.step.out.Weighed = append(s.step.out.Weighed, w)
}
