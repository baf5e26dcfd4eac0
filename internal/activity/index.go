// Package activity answers two questions: how active was everyone on given days, and is one customer less active than
// before beyond what chance and season explain?
//
// It is pure: no clock, no IO. It does not know windows of customers (package window), nor when to look (package
// engine), nor where the everyday sums come from (the analyst's topic forecasts). An Index may be read by several
// goroutines as long as none changes it.
package activity

import "leadline/internal/sales"

// meanDays is over how many of the last complete days the days after them are estimated: four whole weeks, so that every
// weekday counts the same.
const meanDays = 28

// lastDay is in the year 2169. Days beyond it, or before 1970, are no dates of sales; refusing them bounds the memory.
const lastDay = 73_000

// Index is everyone's activity per day: how many purchase days all customers together had. It is the seasonal weight
// of Decline.
//
// The newest days are known only in part: shards are still adding to them, and knowledge reaches a shard later than its
// own customers' purchases. Taken as they are, they would make everybody look as if business was down and hide real
// declines, so every day after the last complete one counts as the mean of the last 28 complete days (of fewer, when
// fewer are known). Days before the first known one count 0.
type Index struct {
	first    sales.Day // day of sums[1]
	values   []float64 // by day since first
	sums     []float64 // sums[i] is the sum of values[:i]
	complete sales.Day // last complete day, valid if known
	known    bool
}

// NewIndex knows of no day.
func NewIndex() *Index { return &Index{sums: []float64{0}} }

// Set says how much activity there was on the day, and whether the day is complete. A later Set of the same day
// replaces the earlier one; the last complete day never moves back. Days before 1970 or after 2169 are ignored, as is an
// n that is not a number of 0 or more.
func (x *Index) Set(day sales.Day, n float64, complete bool) {
	if day < 0 || day > lastDay || !(n >= 0) {
		return
	}
	x.reach(day)
	at := int(day - x.first)
	x.values[at] = n
	for i := at; i < len(x.values); i++ {
		x.sums[i+1] = x.sums[i] + x.values[i]
	}
	if complete && (!x.known || day > x.complete) {
		x.complete, x.known = day, true
	}
}

// reach makes room for the day.
func (x *Index) reach(day sales.Day) {
	if len(x.values) == 0 {
		x.first = day
	}
	if day < x.first {
		x.values = append(make([]float64, x.first-day), x.values...)
		x.sums = append(make([]float64, x.first-day), x.sums...)
		x.first = day
	}
	for int(day-x.first) >= len(x.values) {
		x.values = append(x.values, 0)
		x.sums = append(x.sums, x.sums[len(x.sums)-1])
	}
}

// Sum is the activity of the days in (after, upTo], 0 when nothing is known. Days after the last complete one are
// estimated as the Index says; without any complete day only what was said counts.
func (x *Index) Sum(after, upTo sales.Day) float64 {
	if upTo <= after {
		return 0
	}
	if !x.known || upTo <= x.complete {
		return x.observed(after, upTo)
	}
	estimated := float64(upTo - max(after, x.complete))
	return x.observed(after, x.complete) + estimated*x.mean()
}

// Level is the activity of a day, mean over the given number of days up to upTo, or over as many of them as are not before the first known one; 0
// when there is none.
func (x *Index) Level(upTo sales.Day, days int) float64 {
	if len(x.values) == 0 || upTo < x.first {
		return 0
	}
	after := max(upTo-sales.Day(days), x.first-1)
	return x.Sum(after, upTo) / float64(upTo-after)
}

// mean is the activity of a typical recent day.
func (x *Index) mean() float64 {
	days := min(meanDays, x.complete-x.first+1)
	return x.observed(x.complete-days, x.complete) / float64(days)
}

// observed sums what was said for the days in (after, upTo].
func (x *Index) observed(after, upTo sales.Day) float64 {
	last := x.first + sales.Day(len(x.values)) - 1
	from, to := max(after, x.first-1), min(upTo, last)
	if to <= from {
		return 0
	}
	return x.sums[to-x.first+1] - x.sums[from-x.first+1]
}
