package analyst

import (
	"leadline/internal/feedback"
	"leadline/internal/sales"
)

// week is the first week of event time in which shards may still count what they would say to reps.
func (s *session) week() int32 {
	return s.cfg.Calendar.Day(s.memory.sums.reached(sales.TallyActivity)).Week()
}

// leastWorths gives what an alert that somebody slips away must be worth for each rep who has not room for all of the last weeks before the given one, by
// series; none where the capacity is 0.
func (s *sums) leastWorths(capacity int, week int32) map[string]float64 {
	least := map[string]float64{}
	if capacity == 0 {
		return least
	}
	demand := map[string][]sales.Cell{}
	s.eachDemand(func(series string, key rowKey, at column, n int64) {
		if at.bucket < week && at.bucket >= week-feedback.DemandWeeks {
			demand[series] = append(demand[series], sales.Cell{Row: key.row, Col: at.col, Bucket: at.bucket, N: n})
		}
	})
	for series, cells := range demand {
		if worth := feedback.LeastWorth(int64(capacity)*feedback.DemandWeeks, cells); worth > 0 {
			least[series] = worth
		}
	}
	return least
}

// forgetDemand drops what there was to say so long ago that nothing follows from it any more.
func (s *sums) forgetDemand(week int32) {
	s.eachDemand(func(_ string, key rowKey, at column, _ int64) {
		if at.bucket < week-feedback.DemandWeeks {
			delete(s.rows[key], at)
			s.changed[key] = struct{}{}
		}
	})
}

func (s *sums) eachDemand(do func(series string, key rowKey, at column, n int64)) {
	for key, row := range s.rows {
		series, ok := feedback.CapacitySeries(key.row)
		if !ok || key.kind != sales.TallyActivity {
			continue
		}
		for at, n := range row {
			do(series, key, at, n)
		}
	}
}
