package engine

import (
	"fmt"

	"leadline/internal/sales"
)

// Bounds of what one customer can make a shard keep and do. People stay far below them: a household of the Complete Journey keeps
// some hundreds of entries. Events beyond them are refused, not cut down, so that sums stay those of the events that were taken.
const (
	// maxKept is how many orders, lines and touches one customer keeps. An entry takes at most 21 bytes in the blob, so that it fits
	// into a Kafka record of 1 MB with room to spare.
	maxKept = 40_000
	// maxLines is how many lines one order has.
	maxLines = 5_000
	// maxPaired is how many items one customer may hold and still count in the tally of pairs. Who holds more (a reseller,
	// a wrong id) says nothing about taste and would make half a million cells an order.
	maxPaired = 1_000
)

// full says why the customer cannot take so many more entries on the day; empty when there is room. What is due to be forgotten
// by then does not count.
func (s *Shard) full(c *Customer, day sales.Day, entries int) string {
	w := &c.Window
	if len(w.Orders())+len(w.Lines())+len(w.Touches())+entries <= maxKept {
		return "" // as with everybody
	}
	if kept := w.Entries(max(day, c.Day) - sales.Day(s.rules.keptDays())); kept+entries > maxKept {
		return fmt.Sprintf("%d more entries beside the customer's %d orders, lines and touches: at most %d are kept", entries, kept, maxKept)
	}
	return ""
}
