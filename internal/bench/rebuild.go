package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Rebuild is one emptied Redis while orders go on coming in.
type Rebuild struct {
	Customers   int     `json:"customers"`
	RedisBytes  int64   `json:"redis_bytes"`         // of the whole projection, before
	FirstCommit float64 `json:"first_commit_s"`      // first commit after the emptying that read new orders
	Whole       float64 `json:"whole_s"`             // until all shards are projected up to what is committed
	Meanwhile   int64   `json:"orders_meanwhile"`    // committed in that time
	Shards      []int64 `json:"orders_by_shard"`     // the same, by shard
	CaughtUp    float64 `json:"caught_up_s"`         // until what came meanwhile was read
	PeakBytes   int64   `json:"engine_peak_bytes"`   // resident memory of the engine, the highest seen in that time
	BeforeBytes int64   `json:"engine_before_bytes"` // before the emptying
}

func (b *Bench) rebuilds(ctx context.Context, out *Recovery, e *engine) error {
	if !b.emptied {
		return errors.New("this empties Redis, and there were keys of others in it before: give an empty one")
	}
	if err := b.steady(ctx); err != nil {
		return err
	}
	r := Rebuild{Customers: b.o.Customers}
	var err error
	if r.RedisBytes, err = b.memory(ctx); err != nil {
		return err
	}
	r.BeforeBytes = residentBytes(e)
	began := time.Now()
	if err := b.flush(ctx); err != nil {
		return err
	}
	err = b.await(ctx, 20*time.Millisecond, "the projection is whole again", func() (bool, error) {
		r.PeakBytes = max(r.PeakBytes, residentBytes(e))
		want := b.commits.csn()
		for p, csn := range want {
			meta, ok, err := b.store.Meta(ctx, p)
			if err != nil || !ok || meta.CSN < csn {
				return false, err
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	whole := time.Since(began)
	r.Whole = whole.Seconds()
	made, err := b.commits.since(began)
	if err != nil {
		return err
	}
	r.Shards = make([]int64, b.o.Topics.Partitions)
	for _, c := range made {
		at := c.seen.Sub(began)
		if at > whole || c.purchases == 0 {
			continue
		}
		if r.FirstCommit == 0 {
			r.FirstCommit = at.Seconds()
		}
		r.Meanwhile += c.purchases
		r.Shards[c.partition] += c.purchases
	}
	if err := b.caughtUp(ctx); err != nil {
		return err
	}
	r.CaughtUp = time.Since(began).Seconds()
	out.Rebuilds = append(out.Rebuilds, r)
	b.say("Redis emptied: whole again %.1f s, first commit %.1f s, %d orders meanwhile, caught up %.1f s", r.Whole, r.FirstCommit, r.Meanwhile, r.CaughtUp)
	return nil
}

// residentBytes is 0 where the system does not tell.
func residentBytes(e *engine) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", e.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	var pages int64
	if _, err := fmt.Sscan(fields[1], &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
