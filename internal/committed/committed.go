// Package committed reads stretches of topics: what is committed in them at a moment, to the last record of it, and no more.
//
// It guarantees that each committed record of a stretch is given exactly once, each partition's in order, and that reading ends
// there and nowhere earlier: it goes by offsets and not by silence, because a broker under load is silent too. What retention has
// taken from a stretch is an error. Likewise a group's offsets are what is committed, never what a transaction may yet change. It belongs
// to no group and commits nothing. It is not for following a topic that grows. Roles, tools and tests import it.
package committed

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Span is a stretch of one partition, [From, To).
type Span struct{ From, To int64 }

// Spans are stretches by topic and partition.
type Spans map[string]map[int32]Span

// Whole gives all that is committed in the topics now. An error names a topic that does not exist or cannot be asked about.
func Whole(ctx context.Context, adm *kadm.Client, topics ...string) (Spans, error) {
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("first offsets of %v: %w", topics, err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("committed ends of %v: %w", topics, err)
	}
	spans := Spans{}
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		if spans[end.Topic] == nil {
			spans[end.Topic] = map[int32]Span{}
		}
		spans[end.Topic][end.Partition] = Span{start.Offset, end.Offset}
	})
	return spans, nil
}

// unstable is how long offsets may be unclear: Leadline's own transactions end after 10 s.
const unstable = 15 * time.Second

// Offsets gives a group's committed offsets; none if there is no such group. While a transaction that has written some is being ended, which
// takes a broker longer than it says to whoever ends it, or no broker coordinates the group, it waits, for at most 15 seconds.
func Offsets(ctx context.Context, adm *kadm.Client, group string) (kadm.OffsetResponses, error) {
	ctx, cancel := context.WithTimeout(ctx, unstable)
	defer cancel()
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		have, err := adm.FetchOffsets(kadm.RequireStable(ctx), group)
		if err == nil {
			err = have.Error()
		}
		if errors.Is(err, kerr.GroupIDNotFound) {
			return nil, nil
		}
		if err == nil {
			return have, nil
		}
		if !kerr.IsRetriable(err) {
			return nil, fmt.Errorf("offsets of group %s: %w", group, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("offsets of group %s: %w", group, err)
		case <-time.After(wait):
		}
	}
}

// ErrEnough ends a reading early, and is no error of it.
var ErrEnough = errors.New("enough was read")

// Read gives the committed records of the spans, several partitions' interleaved, until all are read or each answers an error, which
// is given back. Opts are those of the cluster. Records are not used again after each has returned, so it may keep them.
func Read(ctx context.Context, opts []kgo.Opt, spans Spans, each func(*kgo.Record) error) error {
	from, left := spans.begin()
	if len(left) == 0 {
		return nil
	}
	// A span often ends with the marker of a transaction: without control records its end would not be seen. It is always there, since
	// brokers neither compact nor drop the segment that a partition ends with.
	reader, err := kgo.NewClient(slices.Concat(opts, []kgo.Opt{kgo.ConsumePartitions(from), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords()})...)
	if err != nil {
		return fmt.Errorf("open a reader of %v: %w", slices.Sorted(maps.Keys(spans)), err)
	}
	defer reader.Close()
	for len(left) > 0 {
		fetches := reader.PollFetches(ctx)
		if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
			return fmt.Errorf("read %v: %w", slices.Sorted(maps.Keys(spans)), err)
		}
		for rec := range fetches.RecordsAll() {
			if err := left.take(rec, each); err != nil {
				if errors.Is(err, ErrEnough) {
					return nil
				}
				return err
			}
		}
	}
	return nil
}

// place is one partition.
type place struct {
	topic string
	p     int32
}

// ends is where the partitions end that are not read to their ends.
type ends map[place]int64

func (s Spans) begin() (map[string]map[int32]kgo.Offset, ends) {
	from, left := map[string]map[int32]kgo.Offset{}, ends{}
	for topic, parts := range s {
		for p, span := range parts {
			if span.From >= span.To {
				continue
			}
			if from[topic] == nil {
				from[topic] = map[int32]kgo.Offset{}
			}
			from[topic][p] = kgo.NewOffset().At(span.From)
			left[place{topic, p}] = span.To
		}
	}
	return from, left
}

// take gives the record on if it is in its span, and strikes the span off when it is through.
func (left ends) take(rec *kgo.Record, each func(*kgo.Record) error) error {
	at := place{rec.Topic, rec.Partition}
	end, open := left[at]
	if !open || rec.Offset >= end {
		delete(left, at) // compaction may have taken the very last of the span
		return nil
	}
	if rec.Offset == end-1 {
		delete(left, at)
	}
	if rec.Attrs.IsControl() {
		return nil
	}
	return each(rec)
}
