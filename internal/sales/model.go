package sales

// Model is one published statement of the topic leadline.models, keyed by Name: the points of a scorecard, as learned from coded examples
// that had ended before LearnedTo (package scorecard), or the parameters of a population (package slipping). The probability of an example of a
// scorecard is the logistic function of Constant plus the points of its attributes, after Calibration.
type Model struct {
	Name            string
	Version         int32   // of the card's definition, 1 to 63: points of another version mean nothing
	Constant        float64 // log odds
	Characteristics []Characteristic
	Calibration     []Knot // ascending; empty: the log odds are calibrated as they are
	Examples        float64
	Taken           float64 // of the examples; both fade with the half-life of learning
	LearnedTo       Millis  // event time before whose week the examples had ended

	// Of a population: MBG/NBD's r, alpha, a and b. Examples are its customers, and what was counted of them is of [LearnedFrom, LearnedTo).
	Parameters  []float64
	LearnedFrom Millis // 0: not said
}

// Characteristic is one question of a scorecard. Attribute i is that of the values which have i of the cuts at or below them.
type Characteristic struct {
	Name   string
	Cuts   []float64 // ascending
	Points []float64 // log odds of each attribute: one more than cuts
	Mean   float64   // of the points, over the examples
}

// Knot says what log odds turned out to be.
type Knot struct{ LogOdds, Calibrated float64 }
