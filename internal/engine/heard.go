package engine

import (
	"fmt"
	"slices"

	"leadline/internal/feedback"
	"leadline/internal/sales"
)

// heard is what reports say about one alert: a bit for each result, and one more for an alert that was of use.
type heard uint16

const ofUse heard = 1 << len(resultNames)

// columnNames are the tally's columns by bit.
var columnNames = append(slices.Clone(resultNames[:]), feedback.OfUse)

// heard is what the standing reports say about the alert.
func (c *Customer) heard(ref alertRef) heard {
	var all heard
	reached := false
	for i := range c.Reports {
		if r := &c.Reports[i]; r.isAbout(ref) && !r.Undone && r.Result != Assigned {
			all |= 1 << r.Result
			reached = reached || r.Result.reached()
		}
	}
	if reached && all&(1<<NotUseful) == 0 {
		all |= ofUse
	}
	return all
}

// countHeard tallies what a report has changed in what is said about its alert, also for the segments that the customer is of now.
func (s *Shard) countHeard(c *Customer, r *Report, before, after heard) {
	if before == after {
		return
	}
	segment := r.Rep
	if r.Kind != sales.Declining {
		segment = s.offerName(r.Kind, r.Item)
	}
	row, week := feedback.Row(r.Kind, segment), r.Opened.Week()
	for bit, column := range columnNames {
		is, was := int64(after>>bit&1), int64(before>>bit&1)
		if is != was {
			t := &s.step.tally
			t.outcomes = append(t.outcomes, sales.Cell{Row: row, Col: column, Bucket: week, N: is - was})
			s.countSegments(c.Segments, column, week, is-was)
		}
	}
}

// weight is what reps make of alerts of the kind in the segment: package feedback.
func (s *Shard) weight(kind sales.AlertKind, segment string) float64 {
	return s.step.batch.Knowledge.Feedback.Weight(kind, segment)
}

// useless tells whether alerts of the kind are not said in the segment any more.
func (s *Shard) useless(kind sales.AlertKind, segment string) bool {
	return s.weight(kind, segment) < s.rules.Feedback.MinWeight
}

// seldomUseful adds to an alert's reasons that reps have complained about such alerts, if they have.
func seldomUseful(reasons []sales.Reason, weight float64) []sales.Reason {
	if weight >= 1 {
		return reasons
	}
	return append(reasons, sales.Reason{Code: "seldom_useful", Value: weight, Baseline: 1, Weight: weight - 1,
		Text: fmt.Sprintf("Reps have found alerts like this one not useful: it counts %.0f in 100.", 100*weight)})
}
