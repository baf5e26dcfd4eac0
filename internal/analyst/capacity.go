package analyst

import (
	"leadline/internal/feedback"
	"leadline/internal/sales"
)

// activeUntil is the day that all shards have come to, as the tally "activity" says: until it is over they may still count on it.
func (s *session) activeUntil() sales.Day {
	return s.cfg.Calendar.Day(s.memory.sums.reached(sales.TallyActivity))
}

// leastWorths gives what an alert that somebody slips away must be worth for each rep who has not room for all of the last weeks before the given one, by
// series; none where the capacity is 0.
func (s *sums) leastWorths(capacity int, week int32) map[string]float64 {
	least := map[string]float64{}
	if capacity == 0 {
		return least
	}
	for name, row := range s.activity() {
		series, ok := feedback.CapacitySeries(name)
		if !ok {
			continue
		}
		var demand []sales.Cell
		for at, n := range row {
			if at.bucket < week && !feedback.Outlived(at.bucket, week) {
				demand = append(demand, sales.Cell{Row: name, Col: at.col, Bucket: at.bucket, N: n})
			}
		}
		if worth := feedback.LeastWorth(int64(capacity)*feedback.DemandWeeks, demand); worth > 0 {
			least[series] = worth
		}
	}
	return least
}
