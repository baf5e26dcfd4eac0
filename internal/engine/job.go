package engine

import (
	"leadline/internal/sales"
	"leadline/internal/window"
)

// Job is what a shard does about an order. Leadline's own job is a Config without one. Another job has the same events, duplicates and
// late ones sorted out, the same windows, blobs, rollback and commits; it has no timers, and nothing of it is counted for the analyst.
// It must be as pure as a shard: what it remembers of a customer is in the customer's state. One job may serve several shards at once.
type Job interface {
	// Order is called for each order that is new and not too old, once the customer's window holds it.
	Order(o *JobOrder)
}

// JobOrder is an order with what its customer's shard knows. It is the shard's, and good until Order returns.
type JobOrder struct {
	*sales.Purchase
	Source   sales.Source
	Day      sales.Day
	Customer *Customer
	Items    *window.Items // the job may add some
	out      *Decision
}

// Say adds an alert to the decision.
func (o *JobOrder) Say(a sales.Alert) { o.out.Alerts = append(o.out.Alerts, a) }

// hand gives the order to the job.
func (s *Shard) hand(e *entry, o *order) {
	for i, l := range o.Lines {
		e.state.Window.Add(o.day, o.lines[i].item, int64(l.Quantity), l.AmountMinor)
	}
	s.step.scratch.job = JobOrder{Purchase: o.Purchase, Source: o.source, Day: o.day, Customer: &e.state, Items: s.items, out: &s.step.out}
	s.cfg.Job.Order(&s.step.scratch.job)
}
