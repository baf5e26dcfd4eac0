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
	out := s.takeOutbox(r)
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
	st.records, st.out = out.records, out
	return nil
}

func (o *outbox) alert(a *sales.Alert, st *step) error {
	from := len(o.headers)
	topic, value, headers, err := o.r.alerts.Alert(o.room(), o.headers, a)
	if err != nil {
		return err
	}
	value = o.keep(value)
	if parent, ok := st.traceparent(a); ok {
		headers = append(headers, parent)
	}
	o.headers = headers
	o.put(kgo.Record{Topic: topic, Partition: o.p, Key: o.key(a.CustomerID), Value: value, Headers: headers[from:len(headers):len(headers)]})
	return nil
}

// cloudEvents is how Leadline writes its alerts.
type cloudEvents struct {
	encoder *wire.Encoder
	names   names
	source  string // ce_source
}

func (c cloudEvents) Alert(dst []byte, headers []kgo.RecordHeader, a *sales.Alert) (topic string, value []byte, _ []kgo.RecordHeader, err error) {
	value, err = c.encoder.AppendAlert(dst, a)
	for _, h := range wire.CloudEvent(a, c.source) {
		headers = append(headers, kgo.RecordHeader(h))
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
			value, err := o.r.encoder.AppendTally(o.page(), &t)
			if err != nil {
				return fmt.Errorf("encode tally %s: %w", t.Kind, err)
			}
			o.turn(value)
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
