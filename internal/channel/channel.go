// Package channel tells which channels have gone quiet: segments of the customers (a category; an attribute's value) whose purchases as a whole
// fall behind everyone else's, and which of them come back to life.
//
// Once a week every segment is put to the exact conditional test of package activity: its purchase days of the recent weeks against those of the
// weeks before, with all other purchase days of the same weeks as what was to be expected. Over all segments that had enough before, the false
// discovery rate is held (Y. Benjamini and Y. Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical Society B 57,
// 1995, pp. 289-300). Purchase days of one customer are not independent of one another, so a large segment soon is beyond chance: an alert also
// wants a fall that matters.
//
// Strawberries go quiet in autumn, which is no news. Where more than a year of a channel is known, it must fall behind the same weeks of last year too, and its
// growth since. Where less is known, one that has moved much by itself before is judged more strictly, as the end of a season is likelier.
//
// It is pure: integers by week in, what is to be said out. Package engine counts, analyst adds up, tests and says.
package channel

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"leadline/internal/sales"
)

// Rules say when a channel counts as quiet.
type Rules struct {
	RecentWeeks   int      `json:"recent_weeks" yaml:"recent_weeks"`
	BaselineWeeks int      `json:"baseline_weeks" yaml:"baseline_weeks"` // before the recent ones
	MaxQ          float64  `json:"max_q" yaml:"max_q"`                   // at most this share of false alerts
	MinDrop       float64  `json:"min_drop" yaml:"min_drop"`             // the share of what was to be expected that must be missing, 0..1
	MinDays       int64    `json:"min_days" yaml:"min_days"`             // purchase days in the baseline
	Attributes    []string `json:"attributes" yaml:"attributes"`         // of the profiles, whose values are channels beside the categories
}

// DefaultRules are in force where nothing else is said.
func DefaultRules() Rules {
	return Rules{RecentWeeks: 4, BaselineWeeks: 20, MaxQ: 0.01, MinDrop: 0.5, MinDays: 50}
}

// IsZero tells whether the rules are left out in JSON: there was a time before they were.
func (r Rules) IsZero() bool {
	d := DefaultRules()
	return len(r.Attributes) == 0 && r.RecentWeeks == d.RecentWeeks && r.BaselineWeeks == d.BaselineWeeks && r.MaxQ == d.MaxQ && r.MinDrop == d.MinDrop && r.MinDays == d.MinDays
}

// maxAttributes keeps what a customer adds to blobs and tallies small.
const maxAttributes = 8

// Validate names everything that is wrong.
func (r Rules) Validate() error {
	var errs []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	must(r.RecentWeeks >= 1 && r.BaselineWeeks >= 1 && r.RecentWeeks+r.BaselineWeeks <= 520,
		"channels: recent_weeks %d and baseline_weeks %d: must be 1 or more and together at most 520", r.RecentWeeks, r.BaselineWeeks)
	must(r.MaxQ > 0 && r.MaxQ < 1, "channels: max_q %g: must be between 0 and 1", r.MaxQ)
	must(r.MinDrop > 0 && r.MinDrop < 1, "channels: min_drop %g: must be between 0 and 1", r.MinDrop)
	must(r.MinDays >= 1, "channels: min_days %d: must be 1 or more", r.MinDays)
	must(len(r.Attributes) <= maxAttributes, "channels: %d attributes: at most %d", len(r.Attributes), maxAttributes)
	must(!slices.ContainsFunc(r.Attributes, func(a string) bool { return a == "" || strings.Contains(a, "=") }),
		"channels: attributes %q: none may be empty or have a =", r.Attributes)
	return errors.Join(errs...)
}

// Weeks is purchase days by week.
type Weeks map[int32]int64

// sum adds up the weeks (after, upTo].
func (w Weeks) sum(after, upTo int32) int64 {
	n := int64(0)
	for week := after + 1; week <= upTo; week++ {
		n += w[week]
	}
	return n
}

// control sets q: p·m/rank, made monotone from the largest p down.
func control(found []Finding) {
	slices.SortFunc(found, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.P, b.P), strings.Compare(a.Channel, b.Channel)) })
	least := 1.0
	for i := len(found) - 1; i >= 0; i-- {
		least = min(least, found[i].P*float64(len(found))/float64(i+1))
		found[i].Q = least
	}
}

// Episode is what is remembered of a channel that has been quiet. The zero Episode is one that never was.
type Episode struct {
	Open     bool
	Opened   int32 // the week
	Ended    int32
	Revision int32 // that was said last
	Times    int64 // how often it has been quiet
	Returned int64 // and how often it came back
}

// Saying is an alert about a channel.
type Saying struct {
	Finding
	Status sales.AlertStatus // Opened, Resolved (it is back) or Expired (it has been quiet for as long as it was looked at before)
	Episode
}

// coolDown is for how many weeks after its end a channel does not begin again.
const coolDown = 4

// Decide says what the findings of a week change, and makes the episodes so. The sayings are sorted by channel.
func Decide(episodes map[string]Episode, found []Finding, week int32, r Rules) []Saying {
	var said []Saying
	say := func(f Finding, status sales.AlertStatus, ep Episode) {
		ep.Revision++
		episodes[f.Channel] = ep
		said = append(said, Saying{f, status, ep})
	}
	for _, f := range found {
		ep := episodes[f.Channel]
		switch {
		case !ep.Open && f.fell(r) && (ep.Times == 0 || week-ep.Ended >= coolDown):
			say(f, sales.Opened, Episode{Open: true, Opened: week, Times: ep.Times + 1, Returned: ep.Returned})
		case ep.Open && f.Missing() <= r.MinDrop/2:
			ep.Open, ep.Ended = false, week
			ep.Returned++
			say(f, sales.Resolved, ep)
		}
	}
	for name, ep := range episodes {
		if ep.Open && week-ep.Opened >= int32(r.RecentWeeks+r.BaselineWeeks) {
			ep.Open, ep.Ended = false, week
			say(Finding{Channel: name}, sales.Expired, ep)
		}
	}
	slices.SortFunc(said, func(a, b Saying) int { return strings.Compare(a.Channel, b.Channel) })
	return said
}
