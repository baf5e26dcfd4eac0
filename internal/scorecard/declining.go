package scorecard

// Declining judges how likely a customer is to slip away: to buy on fewer than half as many days in the next 30 as the 90 before let expect, by
// everyone's activity. Its values are the signs of package slipping, in their order. Taken means slipped.
func Declining() *Card { return declining }

// Version 1 asked the first six alone.
var declining = valid(&Card{Name: "declining", Version: 2, Constant: -1.5, Neighbours: 50, Characteristics: []Characteristic{
	slope("odds", 0.3, -4, -3, -2.5, -2, -1.75, -1.5, -1.25, -1, -0.75, -0.5, -0.25, 0, 0.4),
	plain("trend", -0.8, -0.5, -0.25, -0.1, 0, 0.15, 0.3, 0.5),
	plain("purchase days", 2, 3, 4, 5, 7, 10, 15, 25, 40),
	plain("age", 60, 120, 180, 270),
	slope("expected", -0.3, -2, -1.5, -1.25, -1, -0.8, -0.6, -0.4, -0.3, -0.2, -0.1, 0, 0.1, 0.2),
	plain("recent days", 1, 2, 3, 4, 5, 7, 10, 15),
	plain("odds lately", -2.5, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5),
	plain("odds ever", -2.5, -2, -1.6, -1.3, -1, -0.7, -0.4, 0, 0.4, 0.8, 1.2),
	plain("days ever", 3, 4, 6, 10, 20, 35, 60),
	plain("silence", 2, 4, 7, 11, 16, 23, 32, 45, 65),
	plain("silence per longest", 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5),
	plain("uneven gaps", 0.3, 0.5, 0.65, 0.8, 0.95, 1.15),
	plain("earlier days", 1, 2, 3, 5, 8, 12),
	plain("basket", 10, 15, 22, 32, 45, 65, 100),
	plain("spent lately", 1, 25, 60, 110, 180, 280, 450),
	plain("spent in window", 40, 100, 200, 350, 550, 850, 1300),
	plain("breadth", -0.4, -0.2, -0.07, 0.07, 0.2),
	plain("reached", 15, 31, 62, 200),
	plain("shown", 15, 31, 62, 200),
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
