package engine

import (
	"fmt"
	"math"
	"strings"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/slipping"
)

// signNames are those of the signs in an alert's details and reasons.
var signNames = func() (names [slipping.Signs]string) {
	for i, ch := range scorecard.Declining().Characteristics {
		names[i] = strings.ReplaceAll(ch.Name, " ", "_")
	}
	return names
}()

// slipWords says that the customer is slipping away, why, and by what signs.
func (s *Shard) slipWords(e *entry, a *sales.Alert, v *slip, day sales.Day) {
	l, season, counts := s.slipKnown(&e.state, day+1, day+1)
	var signs [slipping.Signs]float64
	s.slipSigns(&e.state, day+1, season, &l, &counts, &signs)
	last := l.Days[len(l.Days)-1]
	silent, usual := int(day-last), float64(last-l.First)/float64(max(1, l.Ever-1))
	recent, before := 0, 0
	for _, bought := range l.Days {
		switch {
		case bought > day-30:
			recent++
		case bought > day-sales.Day(SlipQuestion.WindowDays):
			before++
		}
	}
	a.Title = fmt.Sprintf("Customer %s is slipping away: nothing for %s, and usually bought every %.1f days. %.0f of 100 such customers will buy less than half as often.",
		e.id, inDays(silent), usual, 100*v.chance)
	reasons := []sales.Reason{
		{Code: "slipping_away", Text: fmt.Sprintf("Nothing bought for %s, where %.1f were usual.", inDays(silent), usual),
			Value: float64(silent), Baseline: usual, Weight: v.chance},
		{Code: "fewer_lately", Text: fmt.Sprintf("%s with a purchase in the last 30, after %d in the 60 before.", inDays(recent), before),
			Value: float64(recent), Baseline: float64(before) / 2}}
	if v.held() {
		reasons = append(reasons, sales.Reason{Code: "no_room", Value: v.worth, Baseline: v.least,
			Text: "Other customers of the rep are worth more, and there is no room for all of them."})
	}
	score := s.slipCard()
	for _, told := range mostTelling(score, signs[:]) {
		reasons = append(reasons, sales.Reason{Code: signNames[told.at], Text: signText(told.at, signs[told.at]), Value: signs[told.at], Weight: told.weight})
	}
	a.Reasons = append(reasons, a.Reasons...)
	points := make([]float64, len(signs))
	for i, v := range signs {
		points[i] = score.Points(i, v)
	}
	details := map[string]float64{"probability": v.chance, "silent_days": float64(silent), "usual_gap_days": usual, "at_risk_minor": v.atRisk,
		"worth_minor": v.worth, "least_worth_minor": v.least, pointsOf + "constant": score.Constant(), "log_odds": score.Sum(points),
		"card_version": float64(score.Card().Version)}
	for i, name := range signNames {
		details[name], details[pointsOf+name] = signs[i], points[i]
	}
	a.Details = sales.NumbersOf(details)
}

// signText is what a rep can say of a sign. Its days are such as everyone's activity makes them (slipping.Season).
func signText(sign int, v float64) string {
	switch sign {
	case slipping.SignOdds:
		return byChance(v, "the rate of the last months")
	case slipping.SignOddsLately:
		return byChance(v, "the rate of the last weeks")
	case slipping.SignOddsEver:
		return byChance(v, "the rate since the first purchase")
	case slipping.SignTrend:
		return "In the last two weeks it bought " + than(v, "more often than", "as often as", "less often than") + " in the last months."
	case slipping.SignDays:
		return "Bought on " + inDays(int(v)) + " in the last 90."
	case slipping.SignAge:
		return "First bought " + inDays(int(v)) + " ago."
	case slipping.SignExpected:
		return "After this silence few buyers go on as before: their rates let expect " + decimal(100*math.Exp(v), 0) + "% of the purchase days of the last 90 days."
	case slipping.SignRecent:
		return "Bought on " + inDays(int(v)) + " in the last 30."
	case slipping.SignEver:
		return "Bought on " + inDays(int(v)) + " in all."
	case slipping.SignSilence:
		return "Bought nothing for " + decimal(v, 0) + " days, as days usually are."
	case slipping.SignGap:
		return "The silence is " + decimal(v, 1) + " times the longest one before plus five days."
	case slipping.SignUneven:
		return "The times between its purchases vary by " + decimal(100*v, 0) + "% of their mean."
	case slipping.SignEarlier:
		return "Bought on " + inDays(int(v)) + " from 60 to 90 days ago."
	default:
		return boughtText(sign, v)
	}
}

// boughtText is that of a sign about money, kinds of items, or touches.
func boughtText(sign int, v float64) string {
	switch sign {
	case slipping.SignBasket:
		return "Spends " + decimal(v, 2) + " on a day with a purchase."
	case slipping.SignSpent:
		return "Spent " + decimal(v, 2) + " in the last 30 days."
	case slipping.SignSpentWindow:
		return "Spent " + decimal(v, 2) + " in the last 90 days."
	case slipping.SignBreadth:
		return "Buys " + than(v, "more", "as many", "fewer") + " kinds of items a day than before."
	case slipping.SignReached:
		return touchText(v, "Was last contacted", "Nobody has contacted it")
	default:
		return touchText(v, "Last showed interest beside its purchases", "It has shown no interest beside its purchases")
	}
}

func byChance(logOdds float64, rate string) string {
	return "At " + rate + " chance alone would make " + decimal(100*scorecard.Logistic(logOdds), 0) + " in 100 buy less than half as often."
}

func touchText(days float64, last, never string) string {
	if days >= slipping.NotTouched {
		return never + " in the last " + inDays(slipping.Reach) + "."
	}
	return last + " " + inDays(int(days)) + " ago."
}
