package analyst

import (
	"maps"
	"slices"

	"leadline/internal/feedback"
	"leadline/internal/sales"
)

// addWeights says what reps make of alerts, per kind and segment, and what alerts they have room for, where that has changed. Where nobody complains any
// more, or there is room for all, it is taken back.
func (s *session) addWeights(e *edition) error {
	e.weights = s.memory.sums.weights()
	maps.Copy(e.weights, s.memory.sums.leastWorths(s.deps.Capacity(), s.activeUntil().Week()))
	names := maps.Clone(e.weights)
	maps.Copy(names, s.memory.weights)
	for _, series := range slices.Sorted(maps.Keys(names)) {
		now, known := e.weights[series]
		if before, said := s.memory.weights[series]; said && known && before == now {
			continue
		}
		if !known {
			e.add(s.topics.forecasts, feedback.Key(series), nil)
			continue
		}
		value, err := s.deps.Encoder.AppendForecast(nil, &sales.Forecast{Series: series, PeriodEnd: s.memory.sums.reached(sales.TallyActivity), Observed: now})
		if err != nil {
			return err
		}
		e.add(s.topics.forecasts, feedback.Key(series), value)
	}
	return nil
}

// weights gives the weight of each kind and segment of alerts about which anybody has complained, by series.
func (s *sums) weights() map[string]float64 {
	weights := map[string]float64{}
	for name, row := range s.activity() {
		series, ok := feedback.Series(name)
		if !ok {
			continue
		}
		var ofUse, notUseful int64
		for at, n := range row {
			switch at.col {
			case feedback.OfUse:
				ofUse += n
			case feedback.NotUseful:
				notUseful += n
			}
		}
		if notUseful > 0 {
			weights[series] = feedback.Weight(ofUse, notUseful)
		}
	}
	return weights
}
