package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// part is how far one partition is read: [next, end).
type part struct{ next, end int64 }

// stretch finds where reading begins and ends: at what was said, up to what is committed now.
func (t tool) stretch(ctx context.Context, topic, from string, last int) (map[int32]part, error) {
	client := kadm.NewClient(t.Kafka)
	starts, err := listed(client.ListStartOffsets(ctx, topic))
	if err != nil {
		return nil, offsetError(topic, err)
	}
	ends, err := listed(client.ListCommittedOffsets(ctx, topic))
	if err != nil {
		return nil, offsetError(topic, err)
	}
	begin, err := begin(ctx, client, topic, from, last, starts, ends)
	if err != nil {
		return nil, err
	}
	parts := map[int32]part{}
	for p, end := range ends {
		parts[p] = part{next: max(starts[p], min(begin(p), end)), end: end}
	}
	return parts, nil
}

func offsetError(topic string, err error) error {
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("topic %s does not exist: leadline topics list names those there are", topic)
	}
	return fmt.Errorf("offsets of %s: %w", topic, err)
}

func listed(offsets kadm.ListedOffsets, err error) (map[int32]int64, error) {
	if err == nil {
		err = offsets.Error()
	}
	found := map[int32]int64{}
	offsets.Each(func(o kadm.ListedOffset) { found[o.Partition] = o.Offset })
	return found, err
}

// begin reads what --from and --last say. The last N records reach back over at most 2N offsets: each marker of a
// transaction follows at least one of its records.
func begin(ctx context.Context, client *kadm.Client, topic, from string, last int, starts, ends map[int32]int64) (func(int32) int64, error) {
	if last > 0 {
		return func(p int32) int64 { return ends[p] - 2*int64(last) }, nil
	}
	switch from {
	case "start":
		return func(p int32) int64 { return starts[p] }, nil
	case "end":
		return func(p int32) int64 { return ends[p] }, nil
	}
	if offset, err := strconv.ParseInt(from, 10, 64); err == nil && offset >= 0 {
		return func(int32) int64 { return offset }, nil
	}
	at, err := instant(from, time.Now())
	if err != nil {
		return nil, err
	}
	after, err := listed(client.ListOffsetsAfterMilli(ctx, at.UnixMilli(), topic))
	if err != nil {
		return nil, offsetError(topic, err)
	}
	return func(p int32) int64 { return after[p] }, nil
}

func instant(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, usage("--from %q: want start, end, an offset, a time like 2026-07-01T08:00:00Z, or how long ago, like 2h", text)
}

// reader reads one topic's committed records.
type reader struct {
	options []kgo.Opt
	topic   string
	parts   map[int32]part
	wanted  func(*kgo.Record) bool
}

// untilEnd shows everything up to the ends as they were when the stretch was found.
func (r *reader) untilEnd(ctx context.Context, show func(*kgo.Record) (bool, error)) (more bool, err error) {
	open := 0
	for _, p := range r.parts {
		if p.next < p.end {
			open++
		}
	}
	if open == 0 {
		return true, nil
	}
	err = r.each(ctx, func(rec *kgo.Record) (bool, error) {
		p := r.parts[rec.Partition]
		if rec.Offset >= p.end {
			return true, nil
		}
		p.next = rec.Offset + 1
		r.parts[rec.Partition] = p
		if p.next == p.end {
			open--
		}
		more = true
		if !rec.Attrs.IsControl() && r.wanted(rec) {
			if more, err = show(rec); err != nil || !more {
				return false, err
			}
		}
		return open > 0, nil
	})
	return more, err
}

// follow shows what comes, from where the reader is, until the context ends: that is how it is meant to be stopped.
func (r *reader) follow(ctx context.Context, show func(*kgo.Record) (bool, error)) error {
	err := r.each(ctx, func(rec *kgo.Record) (bool, error) {
		if rec.Attrs.IsControl() || !r.wanted(rec) {
			return true, nil
		}
		return show(rec)
	})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// newest gives the last n records of all partitions, in the order of their timestamps.
func (r *reader) newest(ctx context.Context, n int) ([]*kgo.Record, error) {
	var all []*kgo.Record
	_, err := r.untilEnd(ctx, func(rec *kgo.Record) (bool, error) {
		all = append(all, rec)
		return true, nil
	})
	slices.SortStableFunc(all, func(a, b *kgo.Record) int {
		return cmp.Or(a.Timestamp.Compare(b.Timestamp), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return all[max(0, len(all)-n):], err
}

// each hands on records, markers of transactions among them: without those the end of a partition would be waited for in
// vain.
func (r *reader) each(ctx context.Context, do func(*kgo.Record) (more bool, err error)) error {
	offsets := map[int32]kgo.Offset{}
	for p, stretch := range r.parts {
		offsets[p] = kgo.NewOffset().At(stretch.next)
	}
	client, err := kgo.NewClient(append(slices.Clone(r.options), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: offsets}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())...)
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read %s: %w", r.topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			if more, err := do(it.Next()); err != nil || !more {
				return err
			}
		}
	}
}
