package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
)

// linkWords is what all offers by one link say alike. Alerts share the texts.
type linkWords struct {
	title, link, notHeld string
	details              *sheet
}

func (s *Shard) words(f *offer) *linkWords {
	r := f.resolved
	if r.words != nil {
		return r.words
	}
	l, who, did, occasion := r.link, "buy", "bought", r.link.From
	if l.Via != "" {
		did = deeds[l.Via]
		who, occasion = did, "that"
	}
	r.words = &linkWords{
		title: fmt.Sprintf(": %.0f in 100 who %s %s also buy %s within %d days.", 100*l.Confidence, who, l.From, l.To, s.rules.WindowDays),
		link: fmt.Sprintf("%d of %d customers who %s %s also bought %s; of all customers %.0f in 100 did.",
			l.Both, l.FromHolders, did, l.From, l.To, 100*l.Baseline),
		notHeld: fmt.Sprintf("No %s in the last %d days.", l.To, s.rules.WindowDays),
	}
	shared := map[string]float64{"confidence": l.Confidence, "baseline": l.Baseline, "lift": l.Lift, "lift_low": l.LiftLow, "lift_high": l.LiftHigh,
		"g_squared": l.GSquared, "q": l.Q, "support": float64(l.Both), "link_score": l.Score, "link_chance": r.chance,
		"learned_from": float64(l.LearnedFrom), "learned_to": float64(l.LearnedTo)}
	if l.Via != "" {
		shared["via."+l.Via] = 1
	}
	if l.Starts > 0 {
		for within, c := range map[string]sales.Chance{"within_30": l.Within30, "within_90": l.Within90, "within_180": l.Within180} {
			shared[within], shared[within+"_low"], shared[within+"_high"], shared[within+"_baseline"] = c.P, c.Low, c.High, c.Baseline
		}
		w := l.Within180
		r.words.link += fmt.Sprintf(" Within 180 days after %s, %.0f in 100 come to buy %s (%.0f to %.0f), of others as active %.0f: %.1f times as likely.",
			occasion, 100*w.P, l.To, 100*w.Low, 100*w.High, 100*w.Baseline, l.Lift)
		if l.CallTo > 0 {
			r.words.link += fmt.Sprintf(" Best called %d to %d days after.", l.CallFrom, l.CallTo)
			shared["call_from"], shared["call_to"] = float64(l.CallFrom), float64(l.CallTo)
		}
	}
	r.words.details = newSheet(f, shared)
	return r.words
}

func (s *Shard) crossSellWords(e *entry, o *order, f *offer) (title string, reasons []sales.Reason, details *sheet) {
	l, w := f.link, s.words(f)
	code, who, why := "bought", "has just bought "+l.From, "Bought "+l.From+" on "+f.since.String()+"."
	switch {
	case l.Via != "":
		code, who = "touched", deeds[l.Via]+" "+l.From+" on "+f.since.String()
		why = strings.ToUpper(who[:1]) + who[1:] + ", and came to buy on " + o.day.String() + "."
	case f.since != o.day:
		who = "bought " + l.From + " on " + f.since.String()
		why = "Bought " + l.From + " on " + f.since.String() + ", and came again on " + o.day.String() + "."
	}
	title = "Offer " + l.To + " to customer " + e.id + ", who " + who + w.title
	reasons = append(make([]sales.Reason, 0, 3+mostCardReasons+1),
		sales.Reason{Code: code, Text: why, Value: float64(f.antecedents), Weight: 1, Evidence: []sales.Evidence{o.evidence()}},
		sales.Reason{Code: "link", Text: w.link, Value: l.Confidence, Baseline: l.Baseline, Weight: l.Lift},
		sales.Reason{Code: "not_held", Text: w.notHeld})
	return title, reasons, w.details
}

// deeds say what a customer did, or what was done, with a touch of a kind, before what it was about.
var deeds = func() map[string]string {
	said := map[sales.TouchKind]string{
		sales.TouchPageView: "looked at a page about", sales.TouchProductView: "looked at", sales.TouchCartAdd: "put into the cart", sales.TouchSearch: "searched for",
		sales.TouchEmailOpen: "opened an e-mail about", sales.TouchEmailClick: "clicked in an e-mail about", sales.TouchAdClick: "clicked on an advertisement for",
		sales.TouchCouponSent: "got a coupon for", sales.TouchCouponRedeemed: "redeemed a coupon for", sales.TouchCampaignSent: "got a campaign about",
		sales.TouchCall: "called about", sales.TouchVisit: "came to see", sales.TouchSurvey: "answered a survey about", sales.TouchSupport: "asked for help with",
	}
	deeds := map[string]string{}
	for number, name := range sales.TouchKinds() {
		deeds[name] = cmp.Or(said[sales.TouchKind(number)], "had to do with")
	}
	return deeds
}()

// mostCardReasons is how many characteristics are named.
const mostCardReasons = 3

// leastWeight is what a characteristic must say to be named, in log odds: a tenth is a tenth of the odds.
const leastWeight = 0.1

// weighty is a characteristic with what its answer says for or against.
type weighty struct {
	at     int
	weight float64
}

// mostTelling are the characteristics that say most for or against, each with its exact weight: all of them, the means and the constant add up to
// the log odds. That somebody is told says nothing about the customer, and is none of them.
func mostTelling(score *scorecard.Score, values []float64) []weighty {
	told := make([]weighty, 0, mostCardReasons+1)
	for i, v := range values {
		w := weighty{i, score.Weight(i, score.Card().Characteristics[i].Attribute(v))}
		if math.Abs(w.weight) < leastWeight || score.Card().Characteristics[i].Name == scorecard.NameTold {
			continue
		}
		at, _ := slices.BinarySearchFunc(told, math.Abs(w.weight), func(before weighty, weight float64) int {
			if math.Abs(before.weight) >= weight {
				return -1
			}
			return 1
		})
		told = slices.Insert(told, at, w)
		told = told[:min(len(told), mostCardReasons)]
	}
	return told
}

func (f *offer) appendCardReasons(reasons []sales.Reason) []sales.Reason {
	for _, told := range mostTelling(f.score, f.values) {
		name, v := f.score.Card().Characteristics[told.at].Name, f.values[told.at]
		reasons = append(reasons, sales.Reason{Code: name, Text: characteristicText(name, v, f), Value: v, Weight: told.weight})
	}
	return reasons
}

// characteristicText is what a rep can say about the answer to a card's question. Each offer says three of them, so they are put together
// without fmt, which takes several times as long.
func characteristicText(name string, v float64, f *offer) string {
	switch to := f.link.To; name {
	case scorecard.NameSimilarity:
		return to + " goes with what the customer has bought lately " + than(v, "better than", "as well as", "less than") + " most alternatives do."
	case scorecard.NameDamped:
		return "Those who bought the same came to " + to + " " + than(v, "more often than", "as often as", "less often than") + " to most alternatives."
	case scorecard.NameBoughtBefore:
		if v == 0 {
			return "Has not bought " + to + " before, as far as is remembered."
		}
		return "Bought " + to + " on " + inDays(int(v)) + " before, and not for long."
	case scorecard.NameLinkOdds:
		return "By the link alone " + decimal(100*scorecard.Logistic(v), 1) + " in 100 take it within " + strconv.Itoa(f.linkDays()) + " days."
	case scorecard.NamePopularity:
		return decimal(100*v, 0) + " in 100 of all customers hold " + to + "."
	case scorecard.NameSeason:
		return to + " sells " + decimal(v, 1) + " times as well lately as its last half year lets expect."
	case scorecard.NamePrice:
		return "A line of " + to + " costs " + decimal(v, 1) + " times what this customer's lines cost."
	case scorecard.NameRepeated:
		return "Bought the lower tier on " + inDays(int(v)) + "."
	case scorecard.NameTierPrice:
		return "The higher tier costs " + decimal(v, 1) + " times as much."
	case scorecard.NameHistory:
		return "Has been buying for " + inDays(int(v)) + "."
	case scorecard.NameAnswers:
		return "Has taken up earlier offers " + than(v-0.1, "more often than", "as often as", "less often than") + " customers do whose answers are not known."
	default:
		return "Buys " + than(v-usualActivity, "more than", "as much as", "less than") + " a usual customer."
	}
}

// linkDays is for how long the card asks what the link gives.
func (f *offer) linkDays() int {
	if f.kind == sales.CrossSell {
		return linkDays
	}
	return f.stands
}

// usualActivity is the class of a customer with some forty lines in the window.
const usualActivity = 10

// than says more, equal or less.
func than(v float64, more, equal, less string) string {
	switch {
	case v > 0:
		return more
	case v < 0:
		return less
	}
	return equal
}

// decimal is a number with so many places after the point.
func decimal(v float64, places int) string { return strconv.FormatFloat(v, 'f', places, 64) }
