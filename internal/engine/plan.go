package engine

import (
	"math"
	"slices"

	"leadline/internal/sales"
)

// Plan says what a step with these events is about to do. It changes nothing that a decision rests on, so it may be called again
// with other events; Step then takes the last plan.
func (s *Shard) Plan(events []sales.Event, r Readiness) Plan {
	watermark := s.watermark(events, r)
	now := watermark
	if s.cfg.Clock == Live {
		// Only when everything was read is silence silence. A watermark ahead of the clock, as slightly wrong clocks give,
		// must not fire timers early either.
		now = min(watermark, r.Clock)
		if r.PurchasesDrained && r.TouchpointsDrained {
			now = r.Clock
		}
	}
	return s.plan(events, max(now, s.clock.now), watermark, maxTimers)
}

// PlanAt is the plan of a step whose time is known from the journal.
func (s *Shard) PlanAt(events []sales.Event, now, watermark sales.Millis) Plan {
	return s.plan(events, max(now, s.clock.now), watermark, math.MaxInt)
}

func (s *Shard) plan(events []sales.Event, now, watermark sales.Millis, limit int) Plan {
	p := Plan{Now: now, Watermark: watermark}
	if day := s.cfg.Calendar.Day(now); s.timers.stage(day, limit) < day {
		p.Now = max(s.clock.now, s.cfg.Calendar.Start(s.timers.staged[len(s.timers.staged)-1].Due.Day()))
	}
	missing := func(id string) {
		if id != "" && !s.cache.whole && s.cache.entries[id] == nil {
			p.Missing = append(p.Missing, id)
		}
	}
	for i := range events {
		missing(customerOf(&events[i]))
	}
	for _, t := range s.timers.staged {
		missing(t.CustomerID)
	}
	slices.Sort(p.Missing)
	p.Missing = slices.Compact(p.Missing)
	return p
}

// customerOf is whose state the event may change, empty for none.
func customerOf(e *sales.Event) string {
	switch e.Kind {
	case sales.PurchaseEvent:
		return e.Purchase.CustomerID
	case sales.TouchpointEvent:
		return e.Touchpoint.CustomerID
	case sales.CustomerEvent:
		return e.Customer.CustomerID
	case sales.OutcomeEvent:
		return e.Outcome.CustomerID
	default:
		return ""
	}
}

// occurredAt is the event's time if its input carries a watermark.
func occurredAt(e *sales.Event) (sales.Millis, bool) {
	switch e.Kind {
	case sales.PurchaseEvent:
		return e.Purchase.OccurredAt, true
	case sales.TouchpointEvent:
		return e.Touchpoint.OccurredAt, true
	default:
		return 0, false
	}
}

// watermark is the time before which no more events are expected once these events are in: the minimum over the inputs' newest
// events less the allowed lateness. An input that is silent and fully read has no say, unless all are. 0 = not known.
func (s *Shard) watermark(events []sales.Event, r Readiness) sales.Millis {
	newest := s.clock.newest
	var arrived [len(newest)]bool
	for i := range events {
		if at, ok := occurredAt(&events[i]); ok && at <= r.Clock+MaxAhead {
			newest[events[i].Kind] = max(newest[events[i].Kind], at)
			arrived[events[i].Kind] = true
		}
	}
	purchases, touches := newest[sales.PurchaseEvent], newest[sales.TouchpointEvent]
	ignorePurchases := r.PurchasesDrained && !arrived[sales.PurchaseEvent]
	ignoreTouches := r.TouchpointsDrained && !arrived[sales.TouchpointEvent]
	var mark sales.Millis
	switch {
	case ignorePurchases && ignoreTouches:
		mark = max(purchases, touches)
	case ignorePurchases:
		mark = touches
	case ignoreTouches:
		mark = purchases
	default:
		mark = min(purchases, touches)
	}
	if mark == 0 {
		return 0
	}
	return mark - sales.Millis(s.rules.AllowedLateness.Milliseconds())
}
