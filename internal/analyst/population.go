package analyst

import (
	"slices"
	"strings"

	"leadline/internal/sales"
	"leadline/internal/slipping"
)

// addPopulation learns anew how customers come and leave when a block of event time is over for every shard, and says it if it has changed: from
// customers who came to an age in the blocks before, so that what is learned hangs on event time and not on how fast tallies are read.
func (s *session) addPopulation(e *edition) error {
	reached := s.cfg.Calendar.Day(s.memory.sums.reached(sales.TallyActivity))
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
	if before, ok := e.models[m.Name]; ok && sameParameters(&before, &m) {
		return nil
	}
	value, err := s.deps.Encoder.AppendModel(nil, &m)
	if err != nil {
		return err
	}
	e.models[m.Name] = m
	e.add(s.topics.models, m.Name, value)
	return nil
}

func sameParameters(a, b *sales.Model) bool {
	return a.Version == b.Version && slices.EqualFunc(a.Parameters, b.Parameters, func(a, b float64) bool { return !differ(a, b) })
}

// buyers gives the customers that were counted at an age.
func (s *sums) buyers() slipping.Cells {
	cells := slipping.Cells{}
	s.eachAge(func(key rowKey, at column, n int64) {
		cells.Add(&sales.Cell{Row: key.row, Col: at.col, Bucket: at.bucket, N: n})
	})
	return cells
}

// forgetBuyers drops customers who were counted so long ago that nothing is learned from them any more.
func (s *sums) forgetBuyers(reached sales.Day) {
	s.eachAge(func(key rowKey, at column, _ int64) {
		if slipping.Outlived(at.bucket, reached) {
			delete(s.rows[key], at)
			s.changed[key] = struct{}{}
		}
	})
}

func (s *sums) eachAge(do func(key rowKey, at column, n int64)) {
	for key, row := range s.rows {
		if key.kind != sales.TallyActivity || !strings.HasPrefix(key.row, slipping.BuyersRow) {
			continue
		}
		for at, n := range row {
			do(key, at, n)
		}
	}
}
