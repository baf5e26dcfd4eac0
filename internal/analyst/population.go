package analyst

import (
	"leadline/internal/sales"
	"leadline/internal/slipping"
)

// addPopulation learns anew how customers come and leave when a block of event time is over for every shard, and says it if it has changed: from
// customers who came to an age in the blocks before, so that what is learned hangs on event time and not on how fast tallies are read.
func (s *session) addPopulation(e *edition) error {
	reached := s.activeUntil()
	e.countedIn = slipping.Block(reached)
	if e.countedIn == s.memory.countedIn {
		return nil
	}
	learned, ok := s.memory.sums.buyers().Learn(reached)
	if !ok {
		return nil
	}
	m := learned.Model()
	m.LearnedFrom, m.LearnedTo = s.cfg.Calendar.Start(learned.From), s.cfg.Calendar.Start(learned.To)
	return s.addModel(e, m)
}

// buyers gives the customers that were counted at an age.
func (s *sums) buyers() slipping.Cells {
	cells := slipping.Cells{}
	for name, row := range s.activity() {
		if !slipping.CountsBuyers(name) {
			continue
		}
		for at, n := range row {
			cells.Add(&sales.Cell{Row: name, Col: at.col, Bucket: at.bucket, N: n})
		}
	}
	return cells
}
