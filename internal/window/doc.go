// Package window keeps one customer's sliding windows in event time: which items were bought on which day, how many orders,
// which touches; and the dictionary of items that the windows of a shard share.
//
// It guarantees that the result depends on the events alone and not on the order of their arrival (but for refunds, which
// never take below zero, for what was trimmed before, and for which touches are among the last 64), that encoding and decoding give back the same window, and that decoding
// never panics nor takes more memory than a fixed multiple of its input.
//
// It is pure: no clock, no IO, no map order in a result. It is not the customer's state (offers, spells and timers are package
// engine's) and has no rules. A Window belongs to one goroutine. Packages engine and catalogue import it.
package window
