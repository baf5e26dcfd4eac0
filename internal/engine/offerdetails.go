package engine

import (
	"slices"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
)

// sheet is the details of offers, sorted by name as an alert has them: what all by one link share is written, what each decision rested on
// is to be filled in. Names are looked for once a link.
type sheet struct {
	numbers sales.Numbers
	places  []int // of what is to be filled in, in the order of blanks
}

// pointsOf begins the names under which the details have the card's points.
const pointsOf = "points."

// mostBlanks is how many there are at most.
const mostBlanks = 2*scorecard.MaxCharacteristics + 11

// blanks names what differs from offer to offer: the answers to the card's questions and, behind pointsOf, what points each got, which with the
// constant add up to the log odds; what the decision was; and of a cross-sell what it is worth, if the amount of a typical line is known.
func (f *offer) blanks() []string {
	names := make([]string, 0, mostBlanks)
	for _, ch := range f.score.Card().Characteristics {
		names = append(names, ch.Name, pointsOf+ch.Name)
	}
	names = append(names, pointsOf+"constant", "log_odds", "code", "card_version", "candidates", "explored")
	if f.kind == sales.CrossSell {
		names = append(names, "antecedents", "days_since", "by_value")
	}
	if f.kind == sales.CrossSell && f.link.TypicalMinor > 0 {
		names = append(names, "margin", "margin_known")
	}
	return names
}

// decided appends what belongs into the blanks.
func (f *offer) decided(values []float64, day sales.Day, margin float64, marginKnown bool) []float64 {
	for i, v := range f.values {
		values = append(values, v, f.score.Points(i, v))
	}
	values = append(values, f.score.Constant(), f.logOdds, float64(f.code), float64(f.score.Card().Version), float64(f.of), flag(f.explored))
	if f.kind == sales.CrossSell {
		values = append(values, float64(f.antecedents), float64(day-f.since), flag(f.byValue))
	}
	if f.kind == sales.CrossSell && f.link.TypicalMinor > 0 {
		values = append(values, margin, flag(marginKnown))
	}
	return values
}

func newSheet(f *offer, shared map[string]float64) *sheet {
	names := f.blanks()
	for _, name := range names {
		shared[name] = 0
	}
	t := &sheet{numbers: sales.NumbersOf(shared)}
	for _, name := range names {
		t.places = append(t.places, t.numbers.Place(name))
	}
	return t
}

// filled is a copy with what the decision of the day rested on.
func (t *sheet) filled(f *offer, day sales.Day, margin float64, marginKnown bool) sales.Numbers {
	numbers := slices.Clone(t.numbers)
	for i, v := range f.decided(make([]float64, 0, mostBlanks), day, margin, marginKnown) {
		numbers[t.places[i]].Value = v
	}
	return numbers
}
