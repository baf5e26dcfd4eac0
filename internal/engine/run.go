package engine

import (
	"fmt"
	"slices"
	"strings"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// step is a step on its way: from Step until Commit or Rollback.
type step struct {
	open        bool
	batch       *Batch
	before      position
	itemsBefore int
	touched     []*entry // in the order of their first touch
	looked      []*entry // at whom a look found nothing
	out         Decision
	alerts      int       // of the step before: about as many are to be expected
	today       sales.Day // how far time has surely come, by this step's events so far
	tally       tallies
	scratch     scratch
}

func (st *step) end() {
	st.open, st.batch, st.alerts, st.out = false, nil, len(st.out.Alerts), Decision{}
	clear(st.touched)
	clear(st.looked)
	st.touched, st.looked = st.touched[:0], st.looked[:0]
}

// Step decides about a batch for which everything that the last Plan named was loaded. The decision's strings may alias the events'.
// Until Commit or Rollback nothing else may be asked of the shard but Record, Newest and Now.
func (s *Shard) Step(b Batch) Decision {
	s.begin(&b)
	for i := range b.Events {
		s.apply(i, &b.Events[i])
	}
	s.fireDue(b.Plan.Now)
	s.clock.now, s.clock.csn = max(s.clock.now, b.Plan.Now), b.CSN
	s.decide()
	return s.step.out
}

func (s *Shard) begin(b *Batch) {
	if s.step.open {
		panic("engine: Step before the end of the last one")
	}
	st := &s.step
	st.open, st.batch, st.before, st.itemsBefore = true, b, s.clock, s.items.Len()
	st.out.Alerts = make([]sales.Alert, 0, st.alerts)
	st.today = s.today()
	st.scratch.use(b.Knowledge)
}

func (s *Shard) apply(i int, e *sales.Event) {
	if at, ok := occurredAt(e); ok {
		if at > s.step.batch.Clock+MaxAhead {
			s.reject(i, sales.DeadTime, "occurred_at is more than 5 minutes ahead of the clock")
			return
		}
		s.clock.newest[e.Kind] = max(s.clock.newest[e.Kind], at)
	}
	switch e.Kind {
	case sales.PurchaseEvent:
		s.purchase(i, e)
	case sales.TouchpointEvent:
		s.touchpoint(i, e.Touchpoint)
	case sales.CustomerEvent:
		s.profile(e)
	case sales.OutcomeEvent:
		s.outcome(i, e)
	case sales.IdentityEvent, sales.MoveEvent:
	}
}

func (s *Shard) reject(event int, class sales.DeadLetterClass, reason string) {
	s.step.out.Rejected = append(s.step.out.Rejected, Rejected{Event: event, Class: class, Reason: reason})
}

// tooOld tells whether an event of the day is older than the history that any customer keeps.
func (s *Shard) tooOld(day sales.Day, kind sales.EventKind) bool {
	sure := s.clock.newest[kind] - sales.Millis(s.rules.AllowedLateness.Milliseconds())
	today := max(s.step.today, s.cfg.Calendar.Day(sure))
	return day <= today-sales.Day(s.rules.keptDays())
}

// customer is one that Plan named. Whatever is about to change it calls touch first.
func (s *Shard) customer(id string) *entry {
	e := s.cache.entries[id]
	if e == nil && s.cache.whole {
		e = s.entry(id)
		s.cache.add(e)
	}
	if e == nil {
		panic(fmt.Sprintf("engine: step about customer %q, which Plan named and nobody loaded", id))
	}
	return e
}

// touch makes the customer part of the step, before its first change: it will be written. What looks in vain have made of it comes first;
// the tallies know of that.
func (s *Shard) touch(e *entry) {
	if e.touched {
		return
	}
	s.tellFirst(e)
	e.state.lookedBefore(e.due.Look, &s.rules)
	e.touched, e.used = true, true
	s.step.touched = append(s.step.touched, e)
}

// wake brings the customer up to the shard's time, for an event about which its own time and what it has forgotten decide. It is written
// then, even if the event changes nothing: it must be the same in memory as when it is loaded, whatever the rules are by then.
func (s *Shard) wake(e *entry) {
	if e.due.Look != e.state.LookDay {
		s.touch(e)
	}
}

// decide turns the touched customers into changes, and all that was collected into its final order.
func (s *Shard) decide() {
	st := &s.step
	st.out.Changes = make([]Change, 0, len(st.touched))
	for _, e := range st.touched {
		e.next = pending{changed: true, due: e.state.Due()}
		if !e.state.empty() {
			e.state.CSN = st.batch.CSN
			st.scratch.blob = EncodeCustomer(st.scratch.blob[:0], &e.state)
			e.next.blob = slices.Clone(st.scratch.blob)
		} else {
			e.state = Customer{}
			e.next.due = Due{}
		}
		if e.next.blob == nil && e.blob == nil {
			e.next = pending{} // it came and went within the step
			continue
		}
		st.out.Changes = append(st.out.Changes, Change{CustomerID: e.id, Blob: e.next.blob, Due: e.next.due})
	}
	slices.SortFunc(st.out.Changes, func(a, b Change) int { return strings.Compare(a.CustomerID, b.CustomerID) })
	st.out.Items = int32(s.items.Len())
	for first := st.itemsBefore; first < s.items.Len(); first += window.RunItems {
		st.out.NewItems = append(st.out.NewItems, ItemsRun{First: int32(first), Run: s.items.AppendRun(first)})
	}
	if s.cfg.Job == nil {
		st.out.Tallies = s.tallies()
	} else {
		st.tally.reset() // of another job nothing is counted
	}
}

// fireDue fires what is due up to now, in the order of (day, customer_id): what Plan took out, and what the events have armed since.
func (s *Shard) fireDue(now sales.Millis) {
	today := s.cfg.Calendar.Day(now)
	var armed timers
	for _, t := range s.timers.staged {
		if t.Due.Day() <= today {
			armed.push(t)
		}
	}
	for _, e := range s.step.touched {
		if due := e.timer(); due.Day() != 0 && due.Day() <= today {
			armed.push(Timer{CustomerID: e.id, Due: due})
		}
	}
	for len(armed.days) > 0 {
		day := armed.days[0]
		for _, t := range armed.take() {
			e := s.customer(t.CustomerID)
			for e.timer().Day() == day { // else it is stale
				s.fire(e)
			}
			if due := e.timer(); due.Day() > day && due.Day() <= today {
				armed.push(Timer{CustomerID: e.id, Due: due})
			}
		}
	}
}

// fireUntil fires the customer's own timers that were due before one of its purchases, whatever the shard's time is: so a purchase
// finds the customer in the same state however the events were cut into batches.
func (s *Shard) fireUntil(e *entry, at sales.Millis) {
	today := s.cfg.Calendar.Day(at)
	for due := e.timer().Day(); due != 0 && due <= today; due = e.timer().Day() {
		s.touch(e) // ahead of the shard's time, so its state must say what has been done
		s.fire(e)
	}
}

// fire does what is due at the customer's next due day, as of its start.
func (s *Shard) fire(e *entry) {
	s.step.out.TimersFired++
	due := e.timer()
	day := due.Day()
	at := s.cfg.Calendar.Start(day)
	if due.Expiry == day {
		s.touch(e)
		s.expireOffers(e, at)
	}
	if due.Look+1 == day && due.Look != 0 {
		s.look(e, due.Look, at)
	}
}
