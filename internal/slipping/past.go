// Package slipping says how likely a customer is to buy far less from now on than it used to: features of one customer's purchase days,
// a ridge logistic that learns from the past which of them told, the MBG/NBD model of silence beside it, and the few signs that shards code for
// a scorecard, measured in everyone's time.
//
// It guarantees that the same past gives the same probability, and that a customer is seen through what its window holds (KeptDays, or a
// longer window if the question has one), its first purchase day and its number of purchase days: no other customer, nothing from the day
// of asking on. It is pure: no clock, no IO, no random source. It does not say who is to be told nor when to look, and not whether the
// past was above chance (package activity does). Package evaluate measures it.
package slipping

import (
	"slices"

	"leadline/internal/sales"
)

// KeptDays is how far back features look; an engine's window holds as much.
const KeptDays = 180

// Visit is a day with a purchase.
type Visit struct {
	Day        sales.Day
	SpentMinor int64
	Kinds      int32 // of items
}

// Past is what is known of a customer when the day At begins.
type Past struct {
	At     sales.Day
	Visits []Visit   // of the last KeptDays (or the question's longer window) before At, by day; at least one
	First  sales.Day // of all purchase days
	Days   int       // how many purchase days there were ever, at least 2
}

// Question is whose rate over the horizon falls below half of that in the window.
type Question struct {
	WindowDays  int
	HorizonDays int
}

// See takes a customer's past at the start of a day from all its purchase days. ok is false without two purchase days before it, one of
// them in the window.
func (q Question) See(all []Visit, at sales.Day) (p Past, ok bool) {
	before := all[:search(all, at)]
	p = Past{At: at, Visits: before[search(before, at-sales.Day(max(KeptDays, q.WindowDays))):], Days: len(before)}
	if p.Days < 2 || p.in(0, q.WindowDays) == 0 {
		return p, false
	}
	p.First = before[0].Day
	return p, true
}

// Halved says whether so many purchase days in the horizon are a rate below half of the window's.
func (q Question) Halved(window, horizon int) bool {
	return 2*horizon*q.WindowDays < window*q.HorizonDays
}

// most is the largest number of purchase days in the horizon that is still halved.
func (q Question) most(window int) int { return (window*q.HorizonDays - 1) / (2 * q.WindowDays) }

// InWindow counts the purchase days in the question's window.
func (q Question) InWindow(p *Past) int { return p.in(0, q.WindowDays) }

// Silence is how many days ago the customer last bought.
func (p *Past) Silence() int { return int(p.At - p.Visits[len(p.Visits)-1].Day) }

// Age is how many days ago the customer first bought.
func (p *Past) Age() int { return int(p.At - p.First) }

// in counts the purchase days in [At-from, At-upTo).
func (p *Past) in(upTo, from int) int {
	return search(p.Visits, p.At-sales.Day(upTo)) - search(p.Visits, p.At-sales.Day(from))
}

// Spent is what the customer spent in the last days.
func (p *Past) Spent(days int) (minor int64) {
	for _, v := range p.Visits[search(p.Visits, p.At-sales.Day(days)):] {
		minor += v.SpentMinor
	}
	return minor
}

// search gives the index of the first visit on the day or later.
func search(all []Visit, day sales.Day) int {
	i, _ := slices.BinarySearchFunc(all, day, func(v Visit, d sales.Day) int { return int(v.Day - d) })
	return i
}
