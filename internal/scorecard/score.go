package scorecard

import (
	"slices"

	"leadline/internal/sales"
)

// Score is a card with the points that hold now. Several goroutines may use it.
type Score struct {
	card     *Card
	constant float64
	points   [][]float64 // by characteristic and attribute
	means    []float64
	knots    []sales.Knot
}

// NewScore gives the card the model's points; a model of another card or version, or none, leaves it with its prior ones.
func NewScore(c *Card, m *sales.Model) *Score {
	s := &Score{card: c, constant: c.Constant, means: make([]float64, len(c.Characteristics))}
	learned := m != nil && fits(c, m)
	if learned {
		s.constant, s.knots = m.Constant, m.Calibration
	}
	for i := range c.Characteristics {
		s.points = append(s.points, c.Characteristics[i].Prior)
		if learned {
			s.points[i], s.means[i] = m.Characteristics[i].Points, m.Characteristics[i].Mean
		}
	}
	return s
}

func fits(c *Card, m *sales.Model) bool {
	return m.Name == c.Name && m.Version == c.Version && slices.EqualFunc(c.Characteristics, m.Characteristics,
		func(def Characteristic, learned sales.Characteristic) bool {
			return def.Name == learned.Name && len(def.Prior) == len(learned.Points)
		})
}

// Card is the definition.
func (s *Score) Card() *Card { return s.card }

// Constant is where the points begin.
func (s *Score) Constant() float64 { return s.constant }

// LogOdds adds up the attributes' points, before calibration: what ranks.
func (s *Score) LogOdds(attributes []int) float64 {
	z := s.constant
	for i, a := range attributes {
		z += s.points[i][a]
	}
	return z
}

// Points are those of a characteristic's value.
func (s *Score) Points(characteristic int, v float64) float64 {
	return s.points[characteristic][s.card.Characteristics[characteristic].Attribute(v)]
}

// Sum is LogOdds of points that are known already, one for each characteristic, in the card's order.
func (s *Score) Sum(points []float64) float64 {
	z := s.constant
	for _, p := range points {
		z += p
	}
	return z
}

// Probability is that of log odds, calibrated.
func (s *Score) Probability(logOdds float64) float64 { return Logistic(s.calibrated(logOdds)) }

func (s *Score) calibrated(z float64) float64 {
	k := s.knots
	if len(k) == 0 {
		return z
	}
	i, _ := slices.BinarySearchFunc(k, z, func(k sales.Knot, z float64) int {
		if k.LogOdds < z {
			return -1
		}
		return 1
	})
	switch {
	case i == 0:
		return z + k[0].Calibrated - k[0].LogOdds
	case i == len(k):
		return z + k[i-1].Calibrated - k[i-1].LogOdds
	}
	share := (z - k[i-1].LogOdds) / (k[i].LogOdds - k[i-1].LogOdds)
	return k[i-1].Calibrated + share*(k[i].Calibrated-k[i-1].Calibrated)
}

// Weight is what the attribute says for (above 0) or against, in log odds: its points less the mean. The weights of all characteristics, the
// means and the constant add up to LogOdds.
func (s *Score) Weight(characteristic, attribute int) float64 {
	return s.points[characteristic][attribute] - s.means[characteristic]
}

// Models are the scorecards' points, and what else stands on the topic of models, as last published. Several goroutines may read them as long as
// none changes them.
type Models struct{ byName map[string]sales.Model }

// NewModels holds none.
func NewModels() *Models { return &Models{byName: map[string]sales.Model{}} }

// Set adds the model or replaces the one of its name.
func (m *Models) Set(model sales.Model) { m.byName[model.Name] = model }

// Delete takes back the model of the name. An unknown one changes nothing.
func (m *Models) Delete(name string) { delete(m.byName, name) }

// Model gives the model of a name, false if there is none. Nil models have none.
func (m *Models) Model(name string) (model sales.Model, ok bool) {
	if m != nil {
		model, ok = m.byName[name]
	}
	return model, ok
}

// Score gives the card its points of now. Nil models have none.
func (m *Models) Score(c *Card) *Score {
	if model, ok := m.Model(c.Name); ok {
		return NewScore(c, &model)
	}
	return NewScore(c, nil)
}
