package bench

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"leadline/internal/state"
)

func (b *Bench) keys(ctx context.Context) (int64, error) {
	var n atomic.Int64
	err := state.EachMaster(ctx, b.o.Redis, func(ctx context.Context, c *redis.Client) error {
		keys, err := c.DBSize(ctx).Result()
		n.Add(keys)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("count the keys in Redis: %w", err)
	}
	return n.Load(), nil
}

func (b *Bench) flush(ctx context.Context) error {
	err := state.EachMaster(ctx, b.o.Redis, func(ctx context.Context, c *redis.Client) error { return c.FlushAllAsync(ctx).Err() })
	if err != nil {
		return fmt.Errorf("empty Redis: %w", err)
	}
	return nil
}

// memory is what Redis says that its data takes.
func (b *Bench) memory(ctx context.Context) (int64, error) { return b.memoryItem(ctx, "used_memory") }

// memoryBefore is the same before a measurement, once Redis has given back what the tenant before took: it does so in the background.
func (b *Bench) memoryBefore(ctx context.Context) (int64, error) {
	err := b.await(ctx, 50*time.Millisecond, "Redis has freed its memory", func() (bool, error) {
		pending, err := b.memoryItem(ctx, "lazyfree_pending_objects")
		return pending == 0, err
	})
	if err != nil {
		return 0, err
	}
	return b.memory(ctx)
}

func (b *Bench) memoryItem(ctx context.Context, name string) (int64, error) {
	var n atomic.Int64
	err := state.EachMaster(ctx, b.o.Redis, func(ctx context.Context, c *redis.Client) error {
		info := c.InfoMap(ctx, "memory")
		var used int64
		_, err := fmt.Sscan(info.Item("Memory", name), &used)
		n.Add(used)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("ask Redis for its memory: %w", err)
	}
	return n.Load(), nil
}

// removeKeys takes the tenant's keys away. A Redis that was empty before is simply emptied.
func (b *Bench) removeKeys(ctx context.Context) error {
	if b.emptied {
		return b.flush(ctx)
	}
	const atOnce = 1000
	err := state.EachMaster(ctx, b.o.Redis, func(ctx context.Context, c *redis.Client) error {
		scan := c.Scan(ctx, 0, "{"+b.prefix+"*", atOnce).Iterator()
		var own []string
		for scan.Next(ctx) {
			own = append(own, scan.Val())
		}
		pipe := c.Pipeline()
		for _, key := range own {
			pipe.Unlink(ctx, key)
		}
		if _, err := pipe.Exec(ctx); err != nil && len(own) > 0 {
			return err
		}
		return scan.Err()
	})
	if err != nil {
		return fmt.Errorf("remove the benchmark's keys: %w", err)
	}
	return nil
}
