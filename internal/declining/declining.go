// Package declining answers "whose purchases decreased in this window?": for two windows of days, each customer's purchase days, orders
// and spend in both, how far the rate fell and whether chance and season explain it, and what is at risk; filtered, ordered, in pages.
//
// It guarantees that the answer depends on the customers and the question alone, not on the order in which customers are added nor on how
// they are divided into parts; that the order of a list is total; and that counts are exact to the day. It is pure: no clock, no IO, no
// goroutine, so parts can be filled by several. It does not decide who is to be told (package engine does, by a rule of its own), and says
// nothing of what comes: a fall is in the past. Package book holds the customers, desk and the commands ask.
package declining

import "leadline/internal/sales"

// Customer is what a list needs of one customer. Nobody changes one that was given away: whoever has something new makes another.
type Customer struct {
	ID       string
	Name     string // of the profile, empty when none is known
	OwnerID  string // the rep, empty when none is known
	Currency string // of all amounts, empty before the first purchase
	Segments []Segment
	Last     uint64 // window.EventHash of the last purchase's event_id, by which the alert about this silence is named; 0 without one
	History  History
}

// Segment is the number of an attribute's value in the customers' profiles, from 1 on, as whoever holds the customers counts them.
type Segment int32

// Window is the days from From to To, both included.
type Window struct{ From, To sales.Day }

// Days is its length.
func (w Window) Days() int { return int(w.To-w.From) + 1 }

func (w Window) holds(d sales.Day) bool { return d >= w.From && d <= w.To }

// String gives the form that Parse reads.
func (w Window) String() string { return w.From.String() + ".." + w.To.String() }

// Question is what is asked of everybody: of it alone depend counts, p- and q-values and money.
type Question struct {
	Recent, Baseline Window
	Category         string // lines of this category only; empty = all
	HorizonDays      int    // money at risk is over so many days
	Margin           float64
}

// Tally is what one customer bought in a window.
type Tally struct {
	Days       int32 // days with something bought and not wholly taken back
	Orders     int32 // 0 in a question about a category: a window does not keep which order a line is of
	SpentMinor int64 // refunds are taken off
}
