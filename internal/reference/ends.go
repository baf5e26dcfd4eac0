package reference

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/committed"
	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// compareEnds proves that the commits have read each input to its end, and that the group's committed offsets say the same.
func (s *shard) compareEnds() {
	for _, in := range intake.Inputs {
		topic := s.v.topic(in.Topic)
		span := s.v.spans[topic][s.p]
		next, read := s.next[topic]
		if !read {
			next = span.From
		}
		if next < span.To {
			s.v.report.Journal.lost("%s-%d was read up to %d of %d", topic, s.p, next, span.To)
		}
		c := &s.v.report.Offsets
		c.Wanted++
		have, ok := s.v.offsets.Lookup(topic, s.p)
		if !ok || have.At < 0 {
			if read {
				c.lost("%s-%d: none is committed, the journal has read up to %d", topic, s.p, next)
			}
			continue
		}
		c.Live++
		if have.At != next {
			c.different("%s-%d: %d is committed, the journal has read up to %d", topic, s.p, have.At, next)
		}
		if csn := fmt.Sprintf("csn:%d", s.csn); in.Kind == sales.PurchaseEvent && have.Metadata != csn {
			c.different("%s-%d: the metadata is %q, the journal's last commit %q", topic, s.p, have.Metadata, csn)
		}
	}
}

// stateLog is leadline.state of one shard.
type stateLog struct {
	blobs  map[string][]byte
	items  *window.Items
	record []byte
}

func (s *shard) readState(ctx context.Context) (*stateLog, error) {
	l := &stateLog{blobs: map[string][]byte{}, items: window.NewItems()}
	topic := s.v.topic(stateTopic)
	return l, committed.Read(ctx, s.v.o.Kafka, committed.Spans{topic: {s.p: s.v.spans[topic][s.p]}}, func(rec *kgo.Record) error {
		key := string(rec.Key)
		run, isRun := strings.CutPrefix(key, sales.ItemsKeyPrefix)
		switch {
		case key == sales.ShardRecordKey:
			l.record = rec.Value
		case isRun:
			var first int
			if _, err := fmt.Sscanf(run, "%08x", &first); err != nil {
				return fmt.Errorf("%s-%d at %d: key %q: %w", topic, s.p, rec.Offset, key, err)
			}
			return l.items.AddRun(first, rec.Value)
		case rec.Value == nil:
			delete(l.blobs, key)
		default:
			l.blobs[key] = rec.Value
		}
		return nil
	})
}

// compareState holds every customer, the dictionary and the shard's record against the model.
func (s *shard) compareState(ctx context.Context) error {
	live, err := s.readState(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", stateTopic, err)
	}
	names := maps.Clone(live.blobs)
	for name := range s.model.customers {
		names[name] = nil
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		s.compareCustomer(name, live)
	}
	s.compareItems(live.items)
	return s.compareRecord(ctx, live.record)
}

func (s *shard) compareCustomer(name string, live *stateLog) {
	c := &s.v.report.Customers
	want, blob := s.model.State(name), live.blobs[name]
	if want != nil {
		c.Wanted++
	}
	if blob != nil {
		c.Live++
	}
	got, err := EngineState(blob, live.items)
	switch d := diff(want, got); {
	case err != nil:
		c.different("%s in shard %d cannot be read: %v", name, s.p, err)
	case d == "":
	case got == nil:
		c.lost("%s in shard %d:\n%s", name, s.p, d)
	case want == nil:
		c.foreign("%s in shard %d:\n%s", name, s.p, d)
	default:
		c.different("%s in shard %d:\n%s", name, s.p, d)
	}
}

func (s *shard) compareItems(live *window.Items) {
	var got []window.Item
	for i := range live.Len() {
		got = append(got, live.Item(window.ItemID(i)))
	}
	if !slices.Equal(got, s.model.items) {
		s.v.report.Shards.different("the dictionary of shard %d: the model has %d items, there are %d:\n  %v\n  %v", s.p, len(s.model.items), len(got),
			s.model.items, got)
	}
}

// compareRecord holds the shard's own record against the journal and the model.
func (s *shard) compareRecord(ctx context.Context, value []byte) error {
	c := &s.v.report.Shards
	if s.csn > 0 {
		c.Wanted++
	}
	if value == nil {
		if s.csn > 0 {
			c.lost("shard %d has no record", s.p)
		}
		return nil
	}
	c.Live++
	var live sales.ShardRecord
	if err := s.v.o.Decoder.ShardRecord(ctx, value, &live); err != nil {
		return fmt.Errorf("decode the record of shard %d: %w", s.p, err)
	}
	if d := diff(s.recordLines(), liveRecordLines(&live, s.next)); d != "" {
		c.different("the record of shard %d:\n%s", s.p, d)
	}
	return nil
}

func (s *shard) recordLines() []string {
	record := sales.ShardRecord{Partition: s.p, CSN: s.csn, Now: s.model.now, RulesHash: s.rules, Items: int32(len(s.model.items))}
	for _, in := range intake.Inputs {
		at := sales.InputPosition{Topic: s.v.topic(in.Topic), Next: s.next[s.v.topic(in.Topic)], Newest: s.model.newest[in.Kind]}
		record.Inputs = append(record.Inputs, at)
	}
	return liveRecordLines(&record, s.next)
}

// liveRecordLines puts a record into words. The position of an input that was never read says nothing.
func liveRecordLines(r *sales.ShardRecord, read map[string]int64) []string {
	lines := []string{fmt.Sprintf("shard %d at commit %d", r.Partition, r.CSN), fmt.Sprintf("now %d", r.Now), "rules " + r.RulesHash,
		fmt.Sprintf("%d items", r.Items)}
	for _, in := range r.Inputs {
		if _, ok := read[in.Topic]; ok {
			lines = append(lines, fmt.Sprintf("%s read up to %d, newest %d", in.Topic, in.Next, in.Newest))
		}
	}
	slices.Sort(lines)
	return lines
}
