package intake

import (
	"context"
	"fmt"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Record is an input record as Kafka has it.
type Record struct {
	Source     sales.Source
	Timestamp  sales.Millis
	Key, Value []byte
}

// Events holds the events of one batch. Their structs are used again after Reset; their strings alias the records' bytes.
type Events struct {
	List []sales.Event

	purchases   slab[sales.Purchase]
	touchpoints slab[sales.Touchpoint]
	customers   slab[sales.Customer]
	outcomes    slab[sales.Outcome]
	identities  slab[sales.Identity]
}

// Reset empties it for the next batch. What it gave out before must no longer be used.
func (e *Events) Reset() {
	for i := range e.purchases.used {
		p := e.purchases.at(i)
		clear(p.Lines)
		*p = sales.Purchase{Lines: p.Lines[:0]} // nothing points into the records any more, and the lines keep their memory
	}
	e.purchases.used = 0
	e.touchpoints.reset()
	e.customers.reset()
	e.outcomes.reset()
	e.identities.reset()
	clear(e.List)
	e.List = e.List[:0]
}

// slab hands out structs that stay where they are until it is used again, so that their slices keep their memory.
type slab[T any] struct {
	chunks [][]T
	used   int
}

const slabChunk = 256

// reset lets go what the batch did not need: it still points into the records of an earlier one, and with them into everything that was
// fetched with these.
func (s *slab[T]) reset() {
	needed := (s.used + slabChunk - 1) / slabChunk
	clear(s.chunks[needed:])
	s.chunks, s.used = s.chunks[:needed], 0
}

func (s *slab[T]) next() *T {
	if s.used == len(s.chunks)*slabChunk {
		s.chunks = append(s.chunks, make([]T, slabChunk))
	}
	s.used++
	return s.at(s.used - 1)
}

func (s *slab[T]) at(i int) *T { return &s.chunks[i/slabChunk][i%slabChunk] }

// Reader reads the records of customer-keyed inputs.
type Reader struct {
	Decoder    *wire.Decoder
	Partitions int32 // of each of them
}

// Read appends the record's event. An error is a *wire.Poison: a dead letter; or wraps wire.ErrUnknownSchema: the registry
// answered that it has no such schema; or may pass by trying again. After an error nothing was appended.
func (r Reader) Read(ctx context.Context, kind sales.EventKind, rec Record, into *Events) error {
	ev := sales.Event{Kind: kind, Source: rec.Source}
	customer, err := r.decode(ctx, into, &ev, rec)
	if err == nil {
		err = r.routed(rec, customer)
	}
	if err == nil {
		into.List = append(into.List, ev)
	}
	return err
}

// decode reads one record by its kind and gives the id that must be its key. Moves are counted as read and nothing else:
// nobody writes them before customers can be linked.
func (r Reader) decode(ctx context.Context, e *Events, ev *sales.Event, rec Record) (customer string, err error) {
	switch ev.Kind {
	case sales.PurchaseEvent:
		ev.Purchase = e.purchases.next()
		err = r.Decoder.Purchase(ctx, rec.Value, ev.Purchase)
		return ev.Purchase.CustomerID, err
	case sales.TouchpointEvent:
		ev.Touchpoint = e.touchpoints.next()
		err = r.Decoder.Touchpoint(ctx, rec.Value, ev.Touchpoint)
		return ev.Touchpoint.CustomerID, err
	case sales.CustomerEvent:
		ev.Customer = e.customers.next()
		if rec.Value == nil {
			*ev.Customer = sales.Customer{CustomerID: string(rec.Key), UpdatedAt: rec.Timestamp, Erased: true}
			return ev.Customer.CustomerID, nil
		}
		err = r.Decoder.Customer(ctx, rec.Value, ev.Customer)
		return ev.Customer.CustomerID, err
	case sales.OutcomeEvent:
		ev.Outcome = e.outcomes.next()
		err = r.Decoder.Outcome(ctx, rec.Value, ev.Outcome)
		return ev.Outcome.CustomerID, err
	case sales.IdentityEvent:
		ev.Identity = e.identities.next()
		err = r.Decoder.Identity(ctx, rec.Value, ev.Identity)
		return ev.Identity.FromID, err
	default:
		return string(rec.Key), nil
	}
}

// routed checks the contract's partitioner: the key is the customer, and the partition is Java's murmur2 of the key.
func (r Reader) routed(rec Record, customer string) error {
	if string(rec.Key) != customer {
		return &wire.Poison{Class: sales.DeadMisrouted, Reason: fmt.Sprintf("the key is not the id %q", customer)}
	}
	if p := wire.Partition(rec.Key, r.Partitions); p != rec.Source.Partition {
		return &wire.Poison{Class: sales.DeadMisrouted, Reason: fmt.Sprintf("the key belongs to partition %d (Java's murmur2)", p)}
	}
	return nil
}
