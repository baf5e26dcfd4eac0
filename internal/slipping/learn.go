package slipping

import (
	"slices"

	"leadline/internal/logistic"
)

// ridge is the weight of the squares. It was chosen on the Complete Journey, where it matters little between 100 and 500.
const ridge = 300

// crossed are the features by which it differs what the others say: how long, how often and how lately a customer has been buying.
var crossed = numbers("days in 90", "days ever", "age", "silence", "silence per longest gap", "rate, half-life 15", "rate, half-life 60",
	"rate ever", "odds at rate 30", "odds at rate 60")

func numbers(of ...string) (out []int) {
	for _, name := range of {
		out = append(out, slices.Index(names[:], name))
	}
	return out
}

// Learn finds the probabilities of slipping that fit examples with Question.Features best; what came is that they slipped.
func Learn(examples []logistic.Example) (*logistic.Model, error) {
	return logistic.Learn(examples, crossed, ridge)
}
