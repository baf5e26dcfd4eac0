// Package feedback turns what reps made of alerts into what alerts are worth: per kind of alert and segment, how many were of use and how many
// were not, and the weight that follows. A segment is what an offer offers (a category or a type), and for declining alerts the rep who was told.
//
// Shards count (Row, and the columns of a report), the analyst adds up and publishes (Weight, Series), and shards weigh by it (Table). What is
// counted are alerts, not reports: whoever reports twice about one counts once, and one alert reported as not useful is not of use, whatever else
// was reported.
//
// In the same way it turns what there is to say, and how much of it a rep has room for, into the least that must be at stake (capacity.go).
//
// It is pure: integers and names in, weights out. Packages engine, analyst and intake import it.
package feedback

import (
	"math"
	"strings"

	"leadline/internal/sales"
)

// The columns that a weight follows from. The others are the names of results, one alert each.
const (
	OfUse     = "of_use"
	NotUseful = "not_useful"
)

// prior is how many alerts of use are taken for granted about every segment: one rep's bad day is no reason.
const prior = 10

// Weight is the share of alerts that were of use, as far as it is known: 1 without any complaint, (of use + 10) / (judged + 10) with.
func Weight(ofUse, notUseful int64) float64 {
	ofUse, notUseful = max(0, ofUse), max(0, notUseful)
	return float64(ofUse+prior) / float64(ofUse+notUseful+prior)
}

const (
	rowPrefix    = "outcome|"
	seriesPrefix = "usefulness|"
	keySuffix    = "|always" // in the place of the other series' period
)

// Row is the row of the shards' tallies that counts the segment's alerts.
func Row(kind sales.AlertKind, segment string) string {
	return rowPrefix + kind.String() + "|" + segment
}

// Series is under which name the weight of a row is published among the forecasts; false for a row that counts something else.
func Series(row string) (string, bool) {
	segment, ok := strings.CutPrefix(row, rowPrefix)
	return seriesPrefix + segment, ok
}

// Key is under which key a series is published: it has no periods, so a later word on it replaces an earlier one.
func Key(series string) string { return series + keySuffix }

// SeriesOfKey gives the series of a key of the forecasts that Key has made; what it gives for others is no series of a weight.
func SeriesOfKey(key string) string { return strings.TrimSuffix(key, keySuffix) }

// Table is what is known of all segments. A nil Table knows of none.
type Table struct {
	weights map[string]float64 // by series; of a CapacitySeries the least worth
}

// NewTable knows of no complaint.
func NewTable() *Table { return &Table{weights: map[string]float64{}} }

// IsSeries tells whether a series of the forecasts is a weight, or a least worth.
func IsSeries(series string) bool {
	return strings.HasPrefix(series, seriesPrefix) || strings.HasPrefix(series, capacityPrefix)
}

// Set takes a published weight, or least worth. A weight that is no share is not believed, nor a worth that is no number.
func (t *Table) Set(series string, value float64) {
	most := 1.0
	if strings.HasPrefix(series, capacityPrefix) {
		most = math.MaxFloat64
	}
	if IsSeries(series) && value >= 0 && value <= most {
		t.weights[strings.Clone(series)] = value
	}
}

// Delete forgets what was taken back.
func (t *Table) Delete(series string) { delete(t.weights, series) }

// Weight is what an alert of the kind is worth in the segment, 0..1; 1 where nobody has complained.
func (t *Table) Weight(kind sales.AlertKind, segment string) float64 {
	if t == nil || len(t.weights) == 0 {
		return 1
	}
	if w, ok := t.weights[seriesPrefix+kind.String()+"|"+segment]; ok {
		return w
	}
	return 1
}

// LeastWorth is what an alert that somebody slips away must be worth to be said to the rep, in minor units; 0 where there is room for all.
func (t *Table) LeastWorth(owner string) float64 {
	if t == nil {
		return 0
	}
	return t.weights[capacityPrefix+owner]
}
