package engine

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
)

// linkWords is what all offers by one link say alike. Alerts share the texts.
type linkWords struct {
	title, bought, link, notHeld string
	details                      map[string]float64
}

func (s *Shard) words(r *resolved) *linkWords {
	if r.words != nil {
		return r.words
	}
	l := r.link
	r.words = &linkWords{
		title: fmt.Sprintf(", who has just bought %s: %.0f in 100 who buy %s also buy %s within %d days.", l.From, 100*l.Confidence, l.From,
			l.To, s.rules.WindowDays),
		bought: "Bought " + l.From + " on ",
		link: fmt.Sprintf("%d of %d customers who bought %s also bought %s; of all customers %.0f in 100 did.",
			l.Both, l.FromHolders, l.From, l.To, 100*l.Baseline),
		notHeld: fmt.Sprintf("No %s in the last %d days.", l.To, s.rules.WindowDays),
		details: map[string]float64{"confidence": l.Confidence, "lift": l.Lift, "g_squared": l.GSquared, "support": float64(l.Both),
			"link_score": l.Score, "link_chance": r.chance},
	}
	if l.Starts > 0 {
		w := l.Within180
		r.words.link += fmt.Sprintf(" Within 180 days after %s, %.0f in 100 come to buy %s (%.0f to %.0f), of others as active %.0f: %.1f times as likely.",
			l.From, 100*w.P, l.To, 100*w.Low, 100*w.High, 100*w.Baseline, l.Lift)
		if l.CallTo > 0 {
			r.words.link += fmt.Sprintf(" Best called %d to %d days after.", l.CallFrom, l.CallTo)
		}
	}
	return r.words
}

func (s *Shard) crossSellWords(e *entry, o *order, f *offer) (title string, reasons []sales.Reason, details map[string]float64) {
	l, w := f.link, s.words(f.resolved)
	title = "Offer " + l.To + " to customer " + e.id + w.title
	reasons = append(make([]sales.Reason, 0, 3+mostCardReasons+1),
		sales.Reason{Code: "bought", Text: w.bought + o.day.String() + ".", Value: 1, Weight: 1, Evidence: []sales.Evidence{o.evidence()}},
		sales.Reason{Code: "link", Text: w.link, Value: l.Confidence, Baseline: l.Baseline, Weight: l.Lift},
		sales.Reason{Code: "not_held", Text: w.notHeld})
	return title, reasons, f.withDecision(w.details)
}

// withDecision gives the details with what the decision rested on.
func (f *offer) withDecision(shared map[string]float64) map[string]float64 {
	const decision, worth = 4, 2
	details := make(map[string]float64, len(shared)+len(f.values)+decision+worth)
	maps.Copy(details, shared)
	card := f.score.Card()
	for i, v := range f.values {
		details[card.Characteristics[i].Name] = v
	}
	details["code"], details["card_version"] = float64(f.code), float64(card.Version)
	details["candidates"], details["explored"] = float64(f.of), flag(f.explored)
	return details
}

// mostCardReasons is how many characteristics are named.
const mostCardReasons = 3

// leastWeight is what a characteristic must say to be named, in log odds: a tenth is a tenth of the odds.
const leastWeight = 0.1

// appendCardReasons names the characteristics that say most for or against, each with its exact weight: all of them, the means and the
// constant add up to the log odds.
func (f *offer) appendCardReasons(reasons []sales.Reason) []sales.Reason {
	card := f.score.Card()
	var weights [scorecard.MaxCharacteristics]float64
	told := make([]int, 0, scorecard.MaxCharacteristics)
	for i, v := range f.values {
		if weights[i] = f.score.Weight(i, card.Characteristics[i].Attribute(v)); math.Abs(weights[i]) >= leastWeight {
			told = append(told, i)
		}
	}
	slices.SortStableFunc(told, func(i, j int) int { return cmp.Compare(math.Abs(weights[j]), math.Abs(weights[i])) })
	for _, i := range told[:min(len(told), mostCardReasons)] {
		name, v := card.Characteristics[i].Name, f.values[i]
		reasons = append(reasons, sales.Reason{Code: name, Text: characteristicText(name, v, f), Value: v, Weight: weights[i]})
	}
	return reasons
}

// characteristicText is what a rep can say about the answer to a card's question.
func characteristicText(name string, v float64, f *offer) string {
	switch to := f.link.To; name {
	case scorecard.NameSimilarity:
		return to + than(v, " goes with what the customer has bought lately %s most alternatives do.", "better than", "as well as", "less than")
	case scorecard.NameDamped:
		return than(v, "Those who bought the same came to "+to+" %s to most alternatives.", "more often than", "as often as", "less often than")
	case scorecard.NameBoughtBefore:
		if v == 0 {
			return "Has not bought " + to + " before, as far as is remembered."
		}
		return fmt.Sprintf("Bought %s on %s before, and not for long.", to, inDays(int(v)))
	case scorecard.NameLinkOdds:
		return fmt.Sprintf("By the link alone %.1f in 100 take it within the offer's time.", 100*scorecard.Logistic(v))
	case scorecard.NamePopularity:
		return fmt.Sprintf("%.0f in 100 of all customers hold %s.", 100*v, to)
	case scorecard.NamePrice:
		return fmt.Sprintf("A line of %s costs %.1f times what this customer's lines cost.", to, v)
	case scorecard.NameRepeated:
		return fmt.Sprintf("Bought the lower tier on %s.", inDays(int(v)))
	case scorecard.NameTierPrice:
		return fmt.Sprintf("The higher tier costs %.1f times as much.", v)
	case scorecard.NameAnswers:
		return than(v-0.1, "Has taken up earlier offers %s customers do whose answers are not known.", "more often than", "as often as", "less often than")
	default:
		return than(v-usualActivity, "Buys %s a usual customer.", "more than", "as much as", "less than")
	}
}

// usualActivity is the class of a customer with some forty lines in the window.
const usualActivity = 10

// than puts more, equal or less into a sentence.
func than(v float64, sentence, more, equal, less string) string {
	switch {
	case v > 0:
		return fmt.Sprintf(sentence, more)
	case v < 0:
		return fmt.Sprintf(sentence, less)
	}
	return fmt.Sprintf(sentence, equal)
}
