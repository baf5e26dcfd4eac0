package stream

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// encode makes the records of a step: what it says first, then the state, the journal, and the shard record last, so that whoever
// reads leadline.state up to a shard record has all that belongs to it.
func (r *Runtime) encode(s *shard, st *step) error {
	d := &st.decision
	out := &outbox{r: r, p: s.p}
	out.expect(len(d.Alerts) + len(d.Changes) + len(d.NewItems) + len(d.Rejected) + len(d.Late) + len(st.dead) + len(d.Tallies) + 2)
	for i := range st.decision.Alerts {
		if err := out.alert(&st.decision.Alerts[i], st); err != nil {
			return fmt.Errorf("encode alert %s: %w", st.decision.Alerts[i].AlertID, err)
		}
	}
	for _, d := range st.dead {
		out.refused(deadLettersTopic, d)
	}
	for _, j := range st.decision.Rejected {
		out.refused(deadLettersTopic, deadLetter{st.sources[j.Event], j.Class, j.Reason})
	}
	for _, i := range st.decision.Late {
		out.refused(lateEventsTopic, deadLetter{st.sources[i], wire.LateClass, wire.LateReason})
	}
	if err := out.tallies(st); err != nil {
		return err
	}
	out.state(st)
	if err := out.journal(s, st); err != nil {
		return err
	}
	if err := out.shardRecord(s, st); err != nil {
		return err
	}
	st.records = out.records
	return nil
}

// outbox gathers the records of one step, in order. Records, keys and alerts of a step share memory: they go together when it is committed.
type outbox struct {
	r       *Runtime
	p       int32
	records []*kgo.Record
	slab    []kgo.Record // that records point into
	bytes   []byte       // whose end is free
}

// expect makes room for about so many records.
func (o *outbox) expect(n int) {
	o.records, o.slab = make([]*kgo.Record, 0, n), make([]kgo.Record, 0, n)
}

func (o *outbox) put(rec kgo.Record) {
	if len(o.slab) == cap(o.slab) { // what was expected did not suffice: the records so far stay where they are
		o.slab = make([]kgo.Record, 0, 64)
	}
	o.slab = append(o.slab, rec)
	o.records = append(o.records, &o.slab[len(o.slab)-1])
}

func (o *outbox) add(topic string, p int32, key, value []byte, headers []kgo.RecordHeader) {
	o.put(kgo.Record{Topic: o.r.names.topic(topic), Partition: p, Key: key, Value: value, Headers: headers})
}

// room gives memory to append to; what is longer than usual moves elsewhere by itself.
func (o *outbox) room() []byte {
	const chunk, usual = 64 << 10, 2 << 10
	if cap(o.bytes)-len(o.bytes) < usual {
		o.bytes = make([]byte, 0, chunk)
	}
	return o.bytes[len(o.bytes):]
}

// keep takes what was appended to room, which nobody else may append to any more.
func (o *outbox) keep(b []byte) []byte {
	if len(b) <= cap(o.bytes)-len(o.bytes) {
		o.bytes = o.bytes[:len(o.bytes)+len(b)]
	}
	return b[:len(b):len(b)]
}

// key copies a customer's id.
func (o *outbox) key(id string) []byte { return o.keep(append(o.room(), id...)) }

func (o *outbox) alert(a *sales.Alert, st *step) error {
	topic, value, headers, err := o.r.alerts.Alert(o.room(), a)
	if err != nil {
		return err
	}
	value = o.keep(value)
	if parent, ok := st.traceparent(a); ok {
		headers = append(headers, parent)
	}
	o.put(kgo.Record{Topic: topic, Partition: o.p, Key: o.key(a.CustomerID), Value: value, Headers: headers})
	return nil
}

// cloudEvents is how Leadline writes its alerts.
type cloudEvents struct {
	encoder *wire.Encoder
	names   names
	source  string // ce_source
}

func (c cloudEvents) Alert(dst []byte, a *sales.Alert) (topic string, value []byte, headers []kgo.RecordHeader, err error) {
	value, err = c.encoder.AppendAlert(dst, a)
	headers = make([]kgo.RecordHeader, 0, 8)
	for _, h := range wire.CloudEvent(a, c.source) {
		headers = append(headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return c.names.topic(wire.AlertTopic(a)), value, headers, err
}

// traceparent finds the trace of the record that caused the alert. A timer's alert has no such record.
func (st *step) traceparent(a *sales.Alert) (kgo.RecordHeader, bool) {
	for i := range a.Reasons {
		for _, e := range a.Reasons[i].Evidence {
			if h, ok := st.traces[e.Source]; ok {
				return h, true
			}
		}
	}
	return kgo.RecordHeader{}, false
}

// refused passes a record on untouched, with headers that say where it stood and why it could not be used.
func (o *outbox) refused(topic string, d deadLetter) {
	rec := d.record
	why := wire.Refusal{Class: d.class, Reason: d.reason, Source: sourceOf(rec), Timestamp: sales.Millis(rec.Timestamp.UnixMilli())}
	headers := slices.Clone(rec.Headers)
	for _, h := range why.Headers() {
		headers = append(headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	o.add(topic, o.p%o.r.counts[topic], rec.Key, rec.Value, headers)
}

// tallyPart is how many cells of a tally one record holds. Two names of 256 bytes a cell, the most there can be, stay below a
// megabyte, which every broker takes.
const tallyPart = 1_800

// tallies writes each tally in parts of the same csn, in the order of its cells. One without cells goes out too: it tells the
// analyst that nothing is missing, and how far the shard's time has come.
func (o *outbox) tallies(st *step) error {
	for i := range st.decision.Tallies {
		t := st.decision.Tallies[i]
		for rest := t.Cells; ; {
			n := min(len(rest), tallyPart)
			t.Cells, rest = rest[:n], rest[n:]
			value, err := o.r.encoder.AppendTally(nil, &t)
			if err != nil {
				return fmt.Errorf("encode tally %s: %w", t.Kind, err)
			}
			o.add(talliesTopic+string(t.Kind), 0, strconv.AppendInt(nil, int64(o.p), 10), value, nil)
			if len(rest) == 0 {
				break
			}
		}
	}
	return nil
}

// state writes the dictionary's new runs before the blobs that use it.
func (o *outbox) state(st *step) {
	for _, run := range st.decision.NewItems {
		o.add(stateTopic, o.p, itemsKey(run.First), run.Run, nil)
	}
	topic := o.r.names.topic(stateTopic) // made once, for there are many
	for _, c := range st.decision.Changes {
		o.put(kgo.Record{Topic: topic, Partition: o.p, Key: o.key(c.CustomerID), Value: c.Blob})
	}
}

func itemsKey(first int32) []byte {
	return fmt.Appendf(nil, "%s%08x", sales.ItemsKeyPrefix, first)
}

func (o *outbox) journal(s *shard, st *step) error {
	j := sales.Journal{
		Partition: s.p, CSN: st.csn, Runs: st.runs,
		Now: st.batch.Plan.Now, Watermark: st.batch.Plan.Watermark, Clock: st.batch.Clock,
		KnowledgeVersion: st.batch.Knowledge.Version, RulesHash: st.hash,
		Alerts: int32(len(st.decision.Alerts)), Changed: int32(len(st.decision.Changes)), Partitions: o.r.partitions,
	}
	if st.hash != s.rules {
		j.Rules = string(o.r.rules.current.JSON())
	}
	value, err := o.r.encoder.AppendJournal(nil, &j)
	if err != nil {
		return fmt.Errorf("encode journal: %w", err)
	}
	o.add(journalTopic, o.p, nil, value, nil)
	return nil
}

func (o *outbox) shardRecord(s *shard, st *step) error {
	at := make([]sales.InputPosition, len(inputs))
	for i, in := range inputs {
		at[i] = sales.InputPosition{Topic: o.r.names.topic(in.Topic), Next: st.next[i]}
	}
	rec := s.core.Record(st.csn, at)
	rec.Partitions = o.r.partitions
	value, err := o.r.encoder.AppendShardRecord(nil, &rec)
	if err != nil {
		return fmt.Errorf("encode shard record: %w", err)
	}
	o.add(stateTopic, o.p, []byte(sales.ShardRecordKey), value, nil)
	return nil
}
