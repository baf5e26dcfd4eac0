package channel

import (
	"math"
	"slices"
	"strings"

	"leadline/internal/activity"
)

// Finding is what a week's test says about a channel.
type Finding struct {
	Channel        string
	Recent, Before int64   // its purchase days
	Expected       float64 // recent ones, had it gone the way of everyone else, and of itself a year ago if that is known and is less
	P, Q           float64
	// LastYear is its purchase days in the same weeks of last year, of those that may be meant the ones that let expect least; -1: not known.
	LastYear int64
	// Least are the days that its least share of everything lets expect, of all stretches as long as the recent weeks that are known. It is asked without last
	// year only: a channel that has been as low before may have a season.
	Least float64
	// Moves is how many times as much as by chance it moved against everyone else in the weeks before: 1 or more. Without last year, a purchase day
	// counts as so much less.
	Moves float64
}

// Missing is the share of what was to be expected that is missing, below 0 if there is more.
func (f *Finding) Missing() float64 { return 1 - float64(f.Recent)/f.Expected }

// fell tells whether the channel has gone quiet by so large a share.
func (f *Finding) fell(r Rules) bool {
	return f.Q <= r.MaxQ && f.Missing() >= r.MinDrop && float64(f.Recent+1) <= (1-r.MinDrop)*f.Least
}

// Test puts every channel to the test when the week is over. Those that had too little before are not tested, nor those of which by last year nothing is to
// be expected now, nor those that were alone: there is nobody to compare them with. One that is quiet already is compared with the weeks before
// it was, and counts in nobody's q. The findings are sorted by channel.
func Test(everyone Weeks, channels map[string]Weeks, episodes map[string]Episode, week int32, r Rules) []Finding {
	var fresh, open []Finding
	t := tester{everyone: everyone, first: everyone.First(), week: week, rules: r}
	for name, days := range channels {
		t.days, t.until = days, week-int32(r.RecentWeeks)
		into := &fresh
		if ep := episodes[name]; ep.Open {
			t.until, into = ep.Opened-int32(r.RecentWeeks), &open
		}
		if f, ok := t.test(); ok {
			f.Channel = name
			*into = append(*into, f)
		}
	}
	control(fresh)
	found := slices.Concat(fresh, open)
	slices.SortFunc(found, func(a, b Finding) int { return strings.Compare(a.Channel, b.Channel) })
	return found
}

// First is the first week of which anything is known, and that perhaps in part; the greatest number if there is none.
func (w Weeks) First() int32 {
	first := int32(math.MaxInt32)
	for week := range w {
		first = min(first, week)
	}
	return first
}

// tester compares the weeks up to one with those before until, which is included.
type tester struct {
	everyone, days     Weeks
	first, week, until int32
	rules              Rules
}

// of counts the channel's purchase days and those of all others in the weeks (after, upTo].
func (t *tester) of(after, upTo int32) (own int64, others float64) {
	own = max(0, t.days.sum(after, upTo))
	return own, float64(t.everyone.sum(after, upTo) - own)
}

func (t *tester) test() (f Finding, ok bool) {
	recent, others := t.of(t.week-int32(t.rules.RecentWeeks), t.week)
	before, othersBefore := t.of(t.until-int32(t.rules.BaselineWeeks), t.until)
	f = Finding{Recent: recent, Before: before, Q: 1, LastYear: -1, Least: math.Inf(1), Moves: t.moves()}
	if before < t.rules.MinDays || others <= 0 || othersBefore <= 0 {
		return f, false
	}
	f.Expected = float64(before) * others / othersBefore
	if !t.lastYear(&f, others) {
		f.Least = t.least(others)
		f.P = activity.Decline(int(math.Ceil(float64(recent)/f.Moves)), int(float64(before)/f.Moves), others, othersBefore)
		return f, true
	}
	f.P = max(f.P, activity.Decline(int(recent), int(before), others, othersBefore))
	return f, f.Expected*float64(t.rules.BaselineWeeks) >= float64(t.rules.MinDays*int64(t.rules.RecentWeeks))
}

// yearWeeks is a year, and seasonShift by how many weeks a season may come earlier or later than last year: Easter does by four.
const (
	yearWeeks   = 52
	seasonShift = 4
)

// lastYear adds what the same weeks of last year let expect: the channel's share of everything in the weeks before, times what became of it a year ago. A
// season that comes earlier or later than last year moves both by as much; of all such moves the one that lets expect least counts. Hence the
// largest of all p-values holds, as in an intersection-union test (R. L. Berger, "Multiparameter hypothesis testing and acceptance sampling", Technometrics 24,
// 1982, pp. 295-300). false: too little is known.
func (t *tester) lastYear(f *Finding, others float64) bool {
	recentWeeks := int32(t.rules.RecentWeeks)
	start := max(t.until-int32(t.rules.BaselineWeeks), t.first+yearWeeks+seasonShift)
	is, othersAre := t.of(start, t.until)
	if t.until-start < recentWeeks || othersAre <= 0 {
		return false
	}
	g := *f
	for back := int32(yearWeeks - seasonShift); back <= yearWeeks+seasonShift; back++ {
		was, othersWere := t.of(start-back, t.until-back)
		then, othersThen := t.of(t.week-recentWeeks-back, t.week-back)
		if was*int64(t.rules.BaselineWeeks) < t.rules.MinDays*int64(t.until-start) || othersWere <= 0 || othersThen <= 0 {
			return false
		}
		growth := float64(is) / othersAre * othersWere / float64(was)
		expected := float64(then) * growth * others / othersThen
		g.P = max(g.P, activity.Decline(int(g.Recent), int(then), growth*others, othersThen))
		if g.LastYear < 0 || expected < g.Expected {
			g.LastYear = then
		}
		g.Expected = min(g.Expected, expected)
	}
	*f = g
	return true
}

// least is what the least of the stretches lets expect.
func (t *tester) least(others float64) float64 {
	length, least := int32(t.rules.RecentWeeks), math.Inf(1)
	for upTo := t.until; upTo-length >= t.first; upTo -= length {
		if own, of := t.of(upTo-length, upTo); of > 0 {
			least = min(least, float64(own)*others/of)
		}
	}
	return least
}

// moves is how much more the channel's share of everything moved in the baseline, from stretch to stretch as long as the recent weeks, than chance has it: Pearson's χ²
// over its degrees of freedom, the factor of quasi-likelihood (R. W. M. Wedderburn, Biometrika 61, 1974, pp. 439-447).
func (t *tester) moves() float64 {
	length := int32(t.rules.RecentWeeks)
	stretches := int32(t.rules.BaselineWeeks) / length
	own, others := t.of(t.until-stretches*length, t.until)
	if stretches < 2 || own == 0 || others <= 0 {
		return 1
	}
	chi := 0.0
	for from := t.until - stretches*length; from < t.until; from += length {
		n, of := t.of(from, from+length)
		if expected := float64(own) * of / others; expected > 0 {
			chi += (float64(n) - expected) * (float64(n) - expected) / expected
		}
	}
	return max(1, chi/float64(stretches-1))
}
