package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/promise"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// stateLog reads leadline.state, the topic from which everything else about a shard can be made again.
type stateLog struct {
	opts    []kgo.Opt
	topic   string
	adm     *kadm.Client
	decoder *wire.Decoder
}

// errEnough ends a reading early without being an error.
var errEnough = errors.New("enough")

// read gives each committed record of partition p from an offset on, until each answers errEnough or an error, or the context
// ends. With a quiet time it also ends when nothing came for that long. Control records come too: they show how far
// reading got.
func (l *stateLog) read(ctx context.Context, p int32, from int64, quiet time.Duration, each func(*kgo.Record) error) error {
	opts := slices.Concat(l.opts, []kgo.Opt{
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{l.topic: {p: kgo.NewOffset().At(from)}}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords()})
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return fmt.Errorf("open %s-%d: %w", l.topic, p, err)
	}
	defer cl.Close()
	for {
		records, err := pollOnce(ctx, cl, quiet)
		if err != nil {
			return fmt.Errorf("read %s-%d: %w", l.topic, p, err)
		}
		if len(records) == 0 {
			return nil
		}
		for _, rec := range records {
			switch err := each(rec); {
			case errors.Is(err, errEnough):
				return nil
			case err != nil:
				return fmt.Errorf("read %s-%d at %d: %w", l.topic, p, rec.Offset, err)
			}
		}
	}
}

// pollOnce waits for records, at most the quiet time if there is one; none mean that it was quiet.
func pollOnce(ctx context.Context, cl *kgo.Client, quiet time.Duration) ([]*kgo.Record, error) {
	wait, cancel := ctx, context.CancelFunc(func() {})
	if quiet > 0 {
		wait, cancel = context.WithTimeout(ctx, quiet)
	}
	defer cancel()
	for {
		fetches := cl.PollFetches(wait)
		if records := fetches.Records(); len(records) > 0 {
			return records, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if wait.Err() != nil {
			return nil, nil
		}
		if err := fetches.Err(); err != nil {
			return nil, err
		}
	}
}

// bounds gives the first offset of partition p and its last stable one: everything before is committed or aborted.
func (l *stateLog) bounds(ctx context.Context, p int32) (first, stable int64, err error) {
	starts, err := l.adm.ListStartOffsets(ctx, l.topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("first offset of %s: %w", l.topic, err)
	}
	ends, err := l.adm.ListCommittedOffsets(ctx, l.topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("stable offset of %s: %w", l.topic, err)
	}
	start, _ := starts.Lookup(l.topic, p)
	end, _ := ends.Lookup(l.topic, p)
	return start.Offset, end.Offset, nil
}

// placed is a shard record and the offset after it.
type placed struct {
	record sales.ShardRecord
	next   int64
}

// lastRecord finds the newest shard record of p; ok is false if the topic holds none.
func (l *stateLog) lastRecord(ctx context.Context, p int32) (last placed, ok bool, err error) {
	first, stable, err := l.bounds(ctx, p)
	if err != nil {
		return placed{}, false, err
	}
	for back := int64(32); !ok; back *= 16 {
		from := max(first, stable-back)
		last, ok, err = l.scan(ctx, p, from, stable)
		if err != nil || from == first {
			break
		}
	}
	return last, ok, err
}

// scan finds the newest shard record in [from, to). Where the log ends in something invisible (a record of an aborted
// transaction), it is the quiet time that ends it.
func (l *stateLog) scan(ctx context.Context, p int32, from, to int64) (last placed, ok bool, err error) {
	if from >= to {
		return placed{}, false, nil
	}
	err = l.read(ctx, p, from, 2*time.Second, func(rec *kgo.Record) error {
		if isShardRecord(rec) {
			if err := l.decoder.ShardRecord(ctx, rec.Value, &last.record); err != nil {
				return err
			}
			last.next, ok = rec.Offset+1, true
		}
		if rec.Offset >= to-1 {
			return errEnough
		}
		return nil
	})
	return last, ok, err
}

// record finds the shard record of a commit that the group's offsets name. It must come, though the marker that makes it
// visible may be a moment behind the offsets.
func (l *stateLog) record(ctx context.Context, p int32, csn int64) (placed, error) {
	wait := firstBackoff
	for range 10 {
		last, ok, err := l.lastRecord(ctx, p)
		switch {
		case err != nil:
			return placed{}, err
		case ok && last.record.CSN == csn:
			return last, nil
		case ok && last.record.CSN > csn:
			return placed{}, fmt.Errorf("shard %d is at commit %d, its offsets at %d: somebody else commits", p, last.record.CSN, csn)
		}
		if err := sleep(ctx, wait); err != nil {
			return placed{}, err
		}
		wait = min(2*wait, lastBackoff)
	}
	return placed{}, promise.Break("was leadline.state deleted? restore it, or delete the group's offsets to begin anew",
		"the offsets of shard %d name commit %d, and leadline.state has no record of it", p, csn)
}

func isShardRecord(rec *kgo.Record) bool {
	return !rec.Attrs.IsControl() && string(rec.Key) == sales.ShardRecordKey
}

// sleep waits, or gives the context's error when that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
