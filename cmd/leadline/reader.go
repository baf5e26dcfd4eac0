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

	"leadline/internal/committed"
)

// stretch finds where reading begins and ends: at what was said, up to what is committed now.
func (t tool) stretch(ctx context.Context, topic, from string, last int) (map[int32]committed.Span, error) {
	client := kadm.NewClient(t.Kafka)
	whole, err := committed.Whole(ctx, client, topic)
	if err != nil {
		return nil, offsetError(topic, err)
	}
	parts := whole[topic]
	begin, err := begin(ctx, client, topic, from, last, parts)
	if err != nil {
		return nil, err
	}
	for p, span := range parts {
		parts[p] = committed.Span{From: max(span.From, min(begin(p), span.To)), To: span.To}
	}
	return parts, nil
}

func offsetError(topic string, err error) error {
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("topic %s does not exist: leadline topics list names those there are", topic)
	}
	return fmt.Errorf("offsets of %s: %w", topic, err)
}

// begin reads what --from and --last say. The last N records reach back over at most 2N offsets: each marker of a
// transaction follows at least one of its records.
func begin(ctx context.Context, client *kadm.Client, topic, from string, last int, whole map[int32]committed.Span) (func(int32) int64, error) {
	if last > 0 {
		return func(p int32) int64 { return whole[p].To - 2*int64(last) }, nil
	}
	switch from {
	case "start":
		return func(p int32) int64 { return whole[p].From }, nil
	case "end":
		return func(p int32) int64 { return whole[p].To }, nil
	}
	if offset, err := strconv.ParseInt(from, 10, 64); err == nil && offset >= 0 {
		return func(int32) int64 { return offset }, nil
	}
	at, err := instant(from, time.Now())
	if err != nil {
		return nil, err
	}
	after, err := client.ListOffsetsAfterMilli(ctx, at.UnixMilli(), topic)
	if err == nil {
		err = after.Error()
	}
	if err != nil {
		return nil, offsetError(topic, err)
	}
	return func(p int32) int64 {
		first, _ := after.Lookup(topic, p)
		return first.Offset
	}, nil
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
	parts   map[int32]committed.Span
	wanted  func(*kgo.Record) bool
}

// untilEnd shows everything up to the ends as they were when the stretch was found.
func (r *reader) untilEnd(ctx context.Context, show func(*kgo.Record) (bool, error)) (more bool, err error) {
	more = true
	err = committed.Read(ctx, r.options, committed.Spans{r.topic: r.parts}, func(rec *kgo.Record) error {
		if !r.wanted(rec) {
			return nil
		}
		if more, err = show(rec); err == nil && !more {
			return committed.ErrEnough
		}
		return err
	})
	return more, err
}

// follow shows what comes after the stretch, until the context ends: that is how it is meant to be stopped.
func (r *reader) follow(ctx context.Context, show func(*kgo.Record) (bool, error)) error {
	offsets := map[int32]kgo.Offset{}
	for p, stretch := range r.parts {
		offsets[p] = kgo.NewOffset().At(stretch.To)
	}
	client, err := kgo.NewClient(append(slices.Clone(r.options), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: offsets}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		switch err := fetches.Err(); {
		case errors.Is(err, context.Canceled):
			return nil
		case err != nil:
			return fmt.Errorf("read %s: %w", r.topic, err)
		}
		for rec := range fetches.RecordsAll() {
			if !r.wanted(rec) {
				continue
			}
			if more, err := show(rec); err != nil || !more {
				return err
			}
		}
	}
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
