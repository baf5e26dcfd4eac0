package declining

import (
	"fmt"
	"strconv"
)

// Reason is one ground for a row, in words that a rep can say aloud. The codes are those of declining alerts where they mean the same.
type Reason struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// Reasons are the grounds for a row: days against what was to be expected, how likely that is by chance, silence, and spend on a day.
func (l *List) Reasons(r *Row, v *Verdict) []Reason {
	q := &l.Question
	what := ""
	if q.Category != "" {
		what = " " + q.Category
	}
	out := []Reason{{"fewer_purchase_days", fmt.Sprintf("Bought%s on %s of %d, after %d of the %s; %.1f were to be expected as everyone else bought.",
		what, inDays(int(r.Recent.Days)), q.Recent.Days(), r.Baseline.Days, baselineDays(q), v.Expected)}}
	switch {
	case v.Q <= standsOut:
		out = append(out, Reason{"beyond_chance", fmt.Sprintf("Chance alone makes so deep a fall once in %s times; it stands out among all %d customers.", onceIn(v.P), l.Everyone.Customers)})
	case v.P <= 0.05:
		out = append(out, Reason{"beyond_chance", fmt.Sprintf("Chance alone makes so deep a fall once in %s times; among %d customers some fall so by chance.", onceIn(v.P), l.Everyone.Customers)})
	default:
		out = append(out, Reason{"may_be_chance", "Chance alone often makes a fall like this."})
	}
	if silent := l.SilentDays(r); silent > 0 {
		out = append(out, Reason{"last_purchase", fmt.Sprintf("Last bought%s on %s, %s before the end of the window.", what, r.LastDay, inDays(silent))})
	}
	if r.Recent.Days > 0 {
		if change := perDay(r.Recent)/perDay(r.Baseline) - 1; change <= -0.1 {
			out = append(out, Reason{"smaller_purchases", fmt.Sprintf("Spends %.0f%% less on a day with a purchase.", -100*change)})
		}
	}
	return out
}

func perDay(t Tally) float64 { return float64(t.SpentMinor) / float64(t.Days) }

// baselineDays says how long the baseline is, and when it was if it is not right before the recent window.
func baselineDays(q *Question) string {
	if q.Baseline.To == q.Recent.From-1 {
		return fmt.Sprintf("%d before", q.Baseline.Days())
	}
	return fmt.Sprintf("%d from %s to %s", q.Baseline.Days(), q.Baseline.From, q.Baseline.To)
}

func inDays(n int) string {
	if n == 1 {
		return "1 day"
	}
	return strconv.Itoa(n) + " days"
}

// standsOut is the false discovery rate up to which a fall is said to be beyond chance.
const standsOut = 0.05

// onceIn says how rare a p-value is, in round words.
func onceIn(p float64) string {
	if p < 1e-6 {
		return "more than a million"
	}
	n := 1 / p
	switch {
	case n >= 1000:
		return strconv.Itoa(int(n/1000) * 1000)
	case n >= 100:
		return strconv.Itoa(int(n/100) * 100)
	default:
		return strconv.Itoa(int(n))
	}
}
