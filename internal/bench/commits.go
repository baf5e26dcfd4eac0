package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
)

// commit is one commit of one shard, as a reader of what is committed sees it.
type commit struct {
	partition  int32
	csn        int64
	purchases  int64     // orders in it
	next       int64     // of purchases, 0 when it read none
	made, seen time.Time // when the engine wrote it, and when it could be read
}

// commits follows the journal, which has one record for each commit of a shard.
type commits struct {
	ended chan struct{}

	mu  sync.Mutex
	all []commit
	err error
}

func (b *Bench) follow(ctx context.Context) (*commits, error) {
	cl, err := kgo.NewClient(append(append([]kgo.Opt{}, b.o.Kafka...), kgo.ConsumeTopics(b.topic("leadline.journal")),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(250*time.Millisecond))...)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	c := &commits{ended: make(chan struct{})}
	go func() {
		defer close(c.ended)
		defer cl.Close()
		for ctx.Err() == nil {
			records := cl.PollFetches(ctx).Records()
			c.take(ctx, b, records)
		}
	}()
	return c, nil
}

func (c *commits) take(ctx context.Context, b *Bench, records []*kgo.Record) {
	seen := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rec := range records {
		var j sales.Journal
		if err := b.decoder.Journal(ctx, rec.Value, &j); err != nil {
			c.err = fmt.Errorf("read the journal: %w", err)
			return
		}
		at := commit{partition: j.Partition, csn: j.CSN, made: rec.Timestamp, seen: seen}
		for _, run := range j.Runs {
			if run.Topic == b.topic("purchases") {
				at.purchases, at.next = run.To-run.From, run.To
			}
		}
		c.all = append(c.all, at)
	}
}

// since gives the commits that were written after a moment, in the order in which they were seen.
func (c *commits) since(at time.Time) ([]commit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []commit
	for i := len(c.all) - 1; i >= 0 && c.all[i].seen.After(at); i-- {
		if c.all[i].made.After(at) {
			out = append(out, c.all[i])
		}
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out, c.err
}

// read gives how far purchases were read, by partition.
func (c *commits) read() (map[int32]int64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := map[int32]int64{}
	for i := range c.all {
		next[c.all[i].partition] = max(next[c.all[i].partition], c.all[i].next)
	}
	return next, c.err
}

// csn gives each shard's newest commit.
func (c *commits) csn() map[int32]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	csn := map[int32]int64{}
	for i := range c.all {
		csn[c.all[i].partition] = max(csn[c.all[i].partition], c.all[i].csn)
	}
	return csn
}

// span tells when the newest commit was seen that read orders, and how many the commits read that were written after a moment.
func (c *commits) span(from time.Time) (last time.Time, orders int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.all {
		if c.all[i].purchases > 0 && c.all[i].made.After(from) {
			last = c.all[i].seen
			orders += c.all[i].purchases
		}
	}
	return last, orders
}
