package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/intake"
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
	intake.Events
	sources []*kgo.Record // of each event
}

func (e *events) reset() {
	e.Reset()
	clear(e.sources)
	e.sources = e.sources[:0]
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
			if rec.Attrs.IsControl() || i == customersInput && rehomed(rec) {
				continue
			}
			if err := r.decodeOne(ctx, s, i, rec, st); err != nil {
				return fmt.Errorf("decode %s-%d at %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
			}
		}
		st.next[i] = w.in[i][len(w.in[i])-1].Offset + 1
		st.runs = append(st.runs, sales.Range{Topic: r.names.topic(inputs[i].Topic), From: s.next[i], To: st.next[i]})
	}
	st.batch.Events, st.sources = s.events.List, s.events.sources
	return nil
}

func rehomed(rec *kgo.Record) bool {
	return slices.ContainsFunc(rec.Headers, func(h kgo.RecordHeader) bool { return h.Key == intake.RehomedHeader })
}

func (r *Runtime) decodeOne(ctx context.Context, s *shard, at int, rec *kgo.Record, st *step) error {
	in := intake.Record{Source: sourceOf(rec), Timestamp: sales.Millis(rec.Timestamp.UnixMilli()), Key: rec.Key, Value: rec.Value}
	err := intake.Reader{Decoder: r.decoder, Partitions: r.partitions}.Read(ctx, inputs[at].Kind, in, &s.events.Events)
	if err == nil {
		s.events.sources = append(s.events.sources, rec)
		st.trace(rec, in.Source)
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

func sourceOf(rec *kgo.Record) sales.Source {
	return sales.Source{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}
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
	at := sourceOf(rec)
	if s.stuckAt != at {
		s.stuckAt, s.stuckSince = at, time.Now()
	}
	return time.Since(s.stuckSince) >= schemaPatience
}
