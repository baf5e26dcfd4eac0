//go:build integration

package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// reader is a CRM: it follows what is said all the time, and answers some of it.
type reader struct {
	*rig
	client *kgo.Client
	mu     sync.Mutex
	heard  map[string]int // by alert and revision
	silent bool           // it answers no more
}

func alertTopics() []string {
	names := []string{prefix + "alerts.suppressed"}
	for _, kind := range sales.AlertKinds() {
		names = append(names, prefix+kind.Topic())
	}
	return names
}

func newReader(r *rig) (*reader, error) {
	client, err := kgo.NewClient(append(r.kafkaOptions(), kgo.ConsumeTopics(alertTopics()...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return nil, fmt.Errorf("follow the alerts: %w", err)
	}
	return &reader{rig: r, client: client, heard: map[string]int{}}, nil
}

// run follows until the context ends.
func (c *reader) run(ctx context.Context) {
	defer c.client.Close()
	for ctx.Err() == nil {
		fetches := c.client.PollFetches(ctx)
		fetches.EachRecord(func(rec *kgo.Record) {
			if err := c.hear(ctx, rec); err != nil && ctx.Err() == nil {
				c.fail(err)
			}
		})
	}
}

func (c *reader) hear(ctx context.Context, rec *kgo.Record) error {
	var a sales.Alert
	if err := retried(ctx, func() error { return c.decoder.Alert(ctx, rec.Value, &a) }); err != nil {
		return fmt.Errorf("read an alert: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard[said(&a)]++
	if c.silent || rec.Topic == prefix+"alerts.suppressed" || rec.Offset%3 != 0 {
		return nil
	}
	o := sales.Outcome{EventID: "outcome-" + said(&a), AlertID: a.AlertID, CustomerID: a.CustomerID, Action: "phone", Result: "contacted",
		OccurredAt: a.DetectedAt}
	value, err := c.encoder.AppendOutcome(nil, &o)
	if err != nil {
		return fmt.Errorf("encode outcome: %w", err)
	}
	key := []byte(o.CustomerID)
	c.client.Produce(ctx, &kgo.Record{Topic: prefix + "outcomes", Key: key, Value: value, Partition: wire.Partition(key, partitions)}, nil)
	return nil
}

// silence ends the answers: one that came after everything was read would be read by no engine.
func (c *reader) silence(ctx context.Context) error {
	c.mu.Lock()
	c.silent = true
	c.mu.Unlock()
	return c.client.Flush(ctx)
}

func said(a *sales.Alert) string { return fmt.Sprintf("%s.%d", a.AlertID, a.Revision) }

// retried tries again while a server is away.
func retried(ctx context.Context, try func() error) error {
	for {
		err := try()
		var poison *wire.Poison
		if err == nil || errors.As(err, &poison) {
			return err
		}
		if ended := pause(ctx, 200*time.Millisecond); ended != nil {
			return err
		}
	}
}

func (c *reader) count() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, times := range c.heard {
		n += times
	}
	return n
}
