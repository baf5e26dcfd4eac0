package scorecard

// Declining judges how likely a customer is to slip away: to buy on fewer than half as many days in the next 30 as the 90 before let expect, by
// everyone's activity. Its values are the signs of package slipping, in their order. Taken means slipped.
func Declining() *Card { return declining }

var declining = valid(&Card{Name: "declining", Version: 1, Constant: -1.5, Characteristics: []Characteristic{
	slope("odds", 0.3, -4, -3, -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 2),
	plain("trend", -1.2, -0.8, -0.5, -0.25, 0, 0.25, 0.5),
	plain("purchase days", 2, 3, 4, 5, 7, 10, 15, 25, 40),
	plain("age", 60, 120, 180, 270),
	slope("expected", -0.3, -2, -1.5, -1.2, -1, -0.8, -0.6, -0.4, -0.3, -0.2, -0.1, 0, 0.2),
	plain("recent days", 1, 2, 3, 4, 5, 7, 10, 15),
}})

// Learned gives the card the points that were learned; nil while there are none.
func (m *Models) Learned(c *Card) *Score {
	if model, ok := m.Model(c.Name); ok && fits(c, &model) {
		return NewScore(c, &model)
	}
	return nil
}

// Best is the characteristic's attribute with the most points.
func (s *Score) Best(characteristic int) int {
	best := 0
	for a, points := range s.points[characteristic] {
		if points > s.points[characteristic][best] {
			best = a
		}
	}
	return best
}
