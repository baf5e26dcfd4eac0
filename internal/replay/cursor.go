package replay

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// cursor reads one partition's committed records in order, only ever up to an offset that it is told. Nothing is opened before the
// first record is wanted: most topics of most shards are empty.
type cursor struct {
	opts  []kgo.Opt
	topic string
	p     int32
	pos   int64 // the next offset

	skipped int64 // offsets gone past at which there is nothing: compaction, or an aborted transaction

	client  *kgo.Client
	fetched []*kgo.Record
}

const (
	// patience is how long a record that must be there may take.
	patience = 30 * time.Second
	// fetchBytes is about how much a cursor reads ahead.
	fetchBytes = 2 << 20
)

// next gives the next record before the limit, nil when there is none. Up to the limit all must be committed.
func (c *cursor) next(ctx context.Context, limit int64) (*kgo.Record, error) {
	rec, err := c.peek(ctx, limit)
	if rec != nil {
		c.take()
	}
	return rec, err
}

// peek is next without going past the record.
func (c *cursor) peek(ctx context.Context, limit int64) (*kgo.Record, error) {
	for c.pos < limit {
		if len(c.fetched) == 0 {
			if err := c.fetch(ctx, limit); err != nil {
				return nil, fmt.Errorf("read %s-%d at %d: %w", c.topic, c.p, c.pos, err)
			}
		}
		rec := c.fetched[0]
		c.skipTo(min(rec.Offset, limit))
		if rec.Offset >= limit {
			return nil, nil
		}
		if !rec.Attrs.IsControl() {
			return rec, nil
		}
		c.take() // a transaction's marker
	}
	return nil, nil
}

func (c *cursor) skipTo(offset int64) {
	c.skipped += max(0, offset-c.pos)
	c.pos = max(c.pos, offset)
}

func (c *cursor) take() {
	c.pos = c.fetched[0].Offset + 1
	c.fetched = c.fetched[1:]
}

func (c *cursor) fetch(ctx context.Context, limit int64) error {
	if c.client == nil {
		var err error
		c.client, err = kgo.NewClient(slices.Concat(c.opts, []kgo.Opt{
			kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{c.topic: {c.p: kgo.NewOffset().At(c.pos)}}),
			kgo.ConsumeResetOffset(kgo.NoResetOffset()), // what retention has removed must be loud
			kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.KeepControlRecords(), // the last offset before a limit may be a marker
			kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(fetchBytes)})...)
		if err != nil {
			return err
		}
	}
	wait, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("nothing came for %s, there should be records up to %d", patience, limit))
	defer cancel()
	for {
		fetches := c.client.PollFetches(wait)
		if c.fetched = fetches.Records(); len(c.fetched) > 0 {
			return nil
		}
		if wait.Err() != nil {
			return context.Cause(wait)
		}
		if err := fetches.Err(); err != nil {
			return err
		}
	}
}

func (c *cursor) close() {
	if c.client != nil {
		c.client.Close()
	}
}
