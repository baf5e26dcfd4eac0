// Package engine decides. A Shard is the state of the customers of one partition; Step takes a batch of their events and gives a
// Decision: changed customers, alerts, tallies, refusals. Nothing happens outside: the runtime writes the decision in one transaction and
// then says Commit, or says Rollback, after which the shard is as if the step had never been.
//
// It guarantees that equal batches with equal knowledge give equal decisions, byte for byte, whichever customers happened to be in
// memory; that alerts do not depend on how events were cut into batches as far as Plan.Now, which passes timers, allows; and that a redelivered
// event changes nothing. A customer's timers that were due before one of its purchases fire before it, each as of its own due
// time, which is what makes the cut immaterial.
//
// A look at a customer which finds nothing writes nothing. So a state stands for what it was when it was written, and is read together with its
// shard's time: the weekly looks up to there (Due.After) have taken place and found nothing, or there would be a newer state. What they have made of
// it (the customer's own time goes on, and what is too old is forgotten) follows from the state alone (Customer.CatchUp), and is done when
// the customer is next written. It is done then under the rules of that moment, with the customer in memory or not: between two writes
// the state in memory is the one that was written, and all that looks in vain leave there is the customer's timer.
//
// It is pure: no clock, no IO, no goroutine, no logger, no map order in a result. A Shard belongs to one goroutine. It does not
// check keys and partitions (package stream does), does not know Avro, and stores nothing. Identities and moves are
// accepted and have no effect in this release. Packages stream, state and the readers of blobs import it.
package engine

import (
	"fmt"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// Clock tells what moves a shard's time.
type Clock string

// With the live clock the wall clock moves time once all inputs are read; with the data clock events alone do.
const (
	Live Clock = "live"
	Data Clock = "data"
)

// MaxAhead is how far ahead of the batch's clock an event may be.
const MaxAhead = 5 * 60 * 1000

// Config is what does not change while a shard lives.
type Config struct {
	Prefix     string // of the tenant's topics
	Partition  int32
	Partitions int32
	Clock      Clock
	Calendar   sales.Calendar // fixed for the life of the state: its days are in every blob
	Rules      Rules
	Job        Job // nil: Leadline's own
}

// Shard is the state of one partition's customers.
type Shard struct {
	cfg   Config
	rules Rules
	hash  string // of rules
	items *window.Items
	level level

	clock  position // as of the last step, committed or not yet
	acked  int64
	cache  cache
	timers timers
	step   step
}

// position is where a shard stands in time and in its commits.
type position struct {
	csn    int64
	now    sales.Millis
	newest [sales.MoveEvent + 1]sales.Millis // per input; only purchases and touchpoints move
}

// NewShard is a shard of which nothing is known yet: Restore it before the first Plan, unless nothing was ever committed.
func NewShard(cfg Config) *Shard {
	s := &Shard{cfg: cfg, items: window.NewItems(), cache: newCache()}
	s.SetRules(cfg.Rules)
	return s
}

// SetRules changes the rules for the steps to come. Not between Step and its Commit or Rollback.
func (s *Shard) SetRules(r Rules) {
	s.rules, s.hash = r, r.Hash()
	s.level = newLevel(s.items, &s.rules)
	s.step.scratch.forget()
}

// ItemsRun is a part of the dictionary, as committed.
type ItemsRun struct {
	First int32
	Run   []byte
}

// Restore begins anew from what was committed: the shard record (nil when nothing ever was), the runs of the dictionary by first
// index, and the timers. Customers are loaded as they are needed. ErrCorrupt when the parts do not fit together.
func (s *Shard) Restore(record *sales.ShardRecord, items []ItemsRun, timers []Timer) error {
	fresh := NewShard(s.cfg)
	fresh.SetRules(s.rules)
	for _, run := range items {
		if err := fresh.items.AddRun(int(run.First), run.Run); err != nil {
			return fmt.Errorf("restore shard %d: %w", s.cfg.Partition, err)
		}
	}
	if record != nil {
		if int(record.Items) != fresh.items.Len() {
			return fmt.Errorf("restore shard %d: %d items where the record says %d: %w",
				s.cfg.Partition, fresh.items.Len(), record.Items, ErrCorrupt)
		}
		fresh.cache.whole = false
		fresh.clock.csn, fresh.clock.now, fresh.acked = record.CSN, record.Now, record.CSN
		for _, in := range record.Inputs {
			switch in.Topic {
			case s.cfg.Prefix + topicPurchases:
				fresh.clock.newest[sales.PurchaseEvent] = in.Newest
			case s.cfg.Prefix + topicTouchpoints:
				fresh.clock.newest[sales.TouchpointEvent] = in.Newest
			}
		}
	}
	fresh.timers.reset(timers, fresh.today())
	*s = *fresh
	return nil
}

const (
	topicPurchases   = "purchases"
	topicTouchpoints = "touchpoints"
)

// Record is the shard record of the last step. The positions come without Newest, which is filled in.
func (s *Shard) Record(csn int64, inputs []sales.InputPosition) sales.ShardRecord {
	for i := range inputs {
		switch inputs[i].Topic {
		case s.cfg.Prefix + topicPurchases:
			inputs[i].Newest = s.clock.newest[sales.PurchaseEvent]
		case s.cfg.Prefix + topicTouchpoints:
			inputs[i].Newest = s.clock.newest[sales.TouchpointEvent]
		}
	}
	return sales.ShardRecord{Partition: s.cfg.Partition, CSN: csn, Inputs: inputs, Now: s.clock.now, RulesHash: s.hash,
		Items: int32(s.items.Len()), LinkLevel: s.rules.LinkLevel}
}

// Now is the time up to which timers have fired.
func (s *Shard) Now() sales.Millis { return s.clock.now }

// today is the day to which the shard's time has come.
func (s *Shard) today() sales.Day { return s.cfg.Calendar.Day(s.clock.now) }

// Newest is the newest event time seen in an input, 0 for none. Only purchases and touchpoints carry one.
func (s *Shard) Newest(kind sales.EventKind) sales.Millis { return s.clock.newest[kind] }

// Rules are those of the steps to come.
func (s *Shard) Rules() Rules { return s.rules }

// Items is the shard's dictionary, to read blobs with. Only the shard changes it.
func (s *Shard) Items() *window.Items { return s.items }

// Commit says that the transaction with the last step's decision was committed.
func (s *Shard) Commit() {
	for _, e := range s.step.touched {
		if e.next.changed {
			e.blob, e.csn = e.next.blob, s.clock.csn
			if day := e.next.due.Day(); day != 0 && (e.looked || day != e.due.Day()) {
				s.timers.push(Timer{CustomerID: e.id, Due: e.next.due})
			}
			e.due = e.next.due
			s.cache.resize(e)
		}
		e.touched, e.looked, e.next = false, false, pending{}
	}
	for _, e := range s.step.looked {
		if e.looked { // and not touched later in the step
			s.timers.push(Timer{CustomerID: e.id, Due: e.due})
			e.looked = false
		}
	}
	s.timers.drop(s.today())
	s.step.end()
}

// Rollback says that it was not: every touched customer, the dictionary, the timers and the time are as before the step.
func (s *Shard) Rollback() {
	if !s.step.open {
		return
	}
	s.items.Truncate(s.step.itemsBefore)
	s.level.forget()
	s.step.scratch.forget()
	s.clock = s.step.before // what the last plan took from the timers, the next one puts back
	for _, e := range s.step.touched {
		if err := s.restore(e); err != nil {
			panic(fmt.Sprintf("roll back customer %q: %v", e.id, err)) // we wrote that blob ourselves: memory is broken
		}
		e.touched, e.next = false, pending{}
	}
	for _, e := range s.step.looked {
		e.looked, e.due = false, e.state.Due().After(s.today())
	}
	s.step.end()
}
