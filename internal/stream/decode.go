package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// schemaPatience is how old a record must be, or how long the shard must have waited at it, before the registry's answer that
// it does not have the schema is believed: a registry that follows another may be behind.
const schemaPatience = 10 * time.Second

// deadLetter is a record that cannot be used, and why.
type deadLetter struct {
	record *kgo.Record
	class  sales.DeadLetterClass
	reason string
}

// events holds the decoded records of one batch; the memory is used again for the next.
type events struct {
	purchases   slab[sales.Purchase]
	touchpoints slab[sales.Touchpoint]
	customers   slab[sales.Customer]
	outcomes    slab[sales.Outcome]
	identities  slab[sales.Identity]
	list        []sales.Event
	sources     []*kgo.Record
}

func (e *events) reset() {
	e.purchases.used, e.touchpoints.used, e.customers.used, e.outcomes.used, e.identities.used = 0, 0, 0, 0, 0
	clear(e.list)
	clear(e.sources)
	e.list, e.sources = e.list[:0], e.sources[:0]
}

// slab hands out structs that stay where they are until it is used again, so that their slices keep their memory.
type slab[T any] struct {
	chunks [][]T
	used   int
}

const slabChunk = 256

func (s *slab[T]) next() *T {
	chunk, at := s.used/slabChunk, s.used%slabChunk
	if chunk == len(s.chunks) {
		s.chunks = append(s.chunks, make([]T, slabChunk))
	}
	s.used++
	return &s.chunks[chunk][at]
}

// decode turns the shard's records into the batch's events. Records that cannot be used become dead letters; an error means
// that it cannot be told yet (the registry is down, or may be behind), and that the same records must be tried again.
func (r *Runtime) decode(ctx context.Context, s *shard, w *work, st *step) error {
	ctx, cancel := context.WithTimeout(ctx, registryTimeout)
	defer cancel()
	s.events.reset()
	for i := range inputs {
		if len(w.in[i]) == 0 {
			continue
		}
		for _, rec := range w.in[i] {
			if rec.Attrs.IsControl() {
				continue
			}
			if err := r.decodeOne(ctx, s, i, rec, st); err != nil {
				return fmt.Errorf("decode %s-%d at %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
			}
		}
		st.next[i] = w.in[i][len(w.in[i])-1].Offset + 1
		st.runs = append(st.runs, sales.Range{Topic: r.names.topic(inputs[i].topic), From: s.next[i], To: st.next[i]})
	}
	st.batch.Events, st.sources = s.events.list, s.events.sources
	return nil
}

func (r *Runtime) decodeOne(ctx context.Context, s *shard, at int, rec *kgo.Record, st *step) error {
	ev := sales.Event{Kind: inputs[at].kind, Source: sales.Source{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}}
	customer, err := r.read(ctx, &s.events, &ev, rec)
	if err == nil {
		err = r.routed(rec, customer)
	}
	if err == nil {
		s.events.list = append(s.events.list, ev)
		s.events.sources = append(s.events.sources, rec)
		st.trace(rec, ev.Source)
		return nil
	}
	var poison *wire.Poison
	switch {
	case errors.As(err, &poison):
		st.dead = append(st.dead, deadLetter{rec, poison.Class, poison.Reason})
	case errors.Is(err, wire.ErrUnknownSchema) && s.waitedEnough(rec):
		st.dead = append(st.dead, deadLetter{rec, sales.DeadUnknownSchema, err.Error()})
	default:
		return err
	}
	return nil
}

// trace remembers the trace of a record, which goes on in the alerts that it causes.
func (st *step) trace(rec *kgo.Record, at sales.Source) {
	for _, h := range rec.Headers {
		if h.Key == "traceparent" {
			if st.traces == nil {
				st.traces = map[sales.Source]kgo.RecordHeader{}
			}
			st.traces[at] = h
		}
	}
}

// waitedEnough tells whether a record of an unknown schema has had its time. It goes by the record's age first, so that many
// of them do not cost that time each.
func (s *shard) waitedEnough(rec *kgo.Record) bool {
	if time.Since(rec.Timestamp) >= schemaPatience {
		return true
	}
	at := sales.Source{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}
	if s.stuckAt != at {
		s.stuckAt, s.stuckSince = at, time.Now()
	}
	return time.Since(s.stuckSince) >= schemaPatience
}

// read decodes one record by its kind and gives the id that must be its key. Moves are counted as read and nothing else: nobody
// writes them before customers can be linked.
func (r *Runtime) read(ctx context.Context, e *events, ev *sales.Event, rec *kgo.Record) (customer string, err error) {
	switch ev.Kind {
	case sales.PurchaseEvent:
		ev.Purchase = e.purchases.next()
		err = r.decoder.Purchase(ctx, rec.Value, ev.Purchase)
		return ev.Purchase.CustomerID, err
	case sales.TouchpointEvent:
		ev.Touchpoint = e.touchpoints.next()
		err = r.decoder.Touchpoint(ctx, rec.Value, ev.Touchpoint)
		return ev.Touchpoint.CustomerID, err
	case sales.CustomerEvent:
		ev.Customer = e.customers.next()
		if rec.Value == nil {
			*ev.Customer = sales.Customer{CustomerID: string(rec.Key), UpdatedAt: sales.Millis(rec.Timestamp.UnixMilli()), Erased: true}
			return ev.Customer.CustomerID, nil
		}
		err = r.decoder.Customer(ctx, rec.Value, ev.Customer)
		return ev.Customer.CustomerID, err
	case sales.OutcomeEvent:
		ev.Outcome = e.outcomes.next()
		err = r.decoder.Outcome(ctx, rec.Value, ev.Outcome)
		return ev.Outcome.CustomerID, err
	case sales.IdentityEvent:
		ev.Identity = e.identities.next()
		err = r.decoder.Identity(ctx, rec.Value, ev.Identity)
		return ev.Identity.FromID, err
	default:
		return string(rec.Key), nil
	}
}

// routed checks the contract's partitioner: the key is the customer, and the partition is Java's murmur2 of the key.
func (r *Runtime) routed(rec *kgo.Record, customer string) error {
	if string(rec.Key) != customer {
		return &wire.Poison{Class: sales.DeadMisrouted, Reason: fmt.Sprintf("the key is not the id %q", customer)}
	}
	if p := wire.Partition(rec.Key, r.partitions); p != rec.Partition {
		return &wire.Poison{Class: sales.DeadMisrouted, Reason: fmt.Sprintf("the key belongs to partition %d (Java's murmur2)", p)}
	}
	return nil
}
