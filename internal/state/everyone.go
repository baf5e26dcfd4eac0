package state

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"strings"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// Steps of Everyone: how many keys the server looks at, and how many customers it gives, in one go.
const (
	walkAtOnce = 4096
	readAtOnce = 512
)

// Everyone gives the blobs of all customers of the shards 0 to partitions-1, in no order, calling each from several goroutines. It is no
// instant: each is as it was at some moment of the reading, one that changes meanwhile may come more than once or, if it is new, not at all.
// Whoever needs more reads the metas before, and goes on with leadline.state from their offsets. What comes back are the metas at the end; a
// shard that has no projection, or whose generation changed meanwhile, has none there.
func (r *Redis) Everyone(ctx context.Context, partitions int32, each func(p int32, id string, blob []byte) error) (map[int32]Meta, error) {
	defer r.metrics.time("everyone")()
	before, err := r.metas(ctx, partitions)
	if err != nil {
		return nil, fmt.Errorf("read all customers: %w", err)
	}
	w := walk{shards: map[string]walked{}, each: each}
	for p, m := range before {
		k := shardKeys(r.prefix, p)
		w.shards[k.tag] = walked{p, k.customers(m.Generation)}
	}
	if len(before) > 0 {
		if err := EachMaster(ctx, r.client, func(ctx context.Context, node *redis.Client) error { return w.over(ctx, node, "{"+r.prefix+"*") }); err != nil {
			return nil, fmt.Errorf("read all customers: %w", classify(err))
		}
	}
	after, err := r.metas(ctx, partitions)
	if err != nil {
		return nil, fmt.Errorf("read all customers: %w", err)
	}
	maps.DeleteFunc(after, func(p int32, m Meta) bool {
		return m.Generation != before[p].Generation || m.TopicID != before[p].TopicID
	})
	return after, nil
}

func (r *Redis) metas(ctx context.Context, partitions int32) (map[int32]Meta, error) {
	all := map[int32]Meta{}
	for p := range partitions {
		m, ok, err := r.Meta(ctx, p)
		if err != nil {
			return nil, err
		}
		if ok {
			all[p] = m
		}
	}
	return all, nil
}

// walk is one reading of all customers.
type walk struct {
	shards map[string]walked // by tag
	each   func(p int32, id string, blob []byte) error
}

type walked struct {
	p      int32
	before string // what precedes a customer's id in a key
}

// portion is keys of one shard.
type portion struct {
	of   walked
	keys []string
}

// over goes once over the server's keys, for all shards together: a walk for each would look at all keys as often.
func (w *walk) over(ctx context.Context, node *redis.Client, pattern string) error {
	group, ctx := errgroup.WithContext(ctx)
	portions := make(chan portion, 4)
	group.Go(func() error {
		defer close(portions)
		return w.scan(ctx, node, pattern, portions)
	})
	for range max(2, runtime.GOMAXPROCS(0)) {
		group.Go(func() error {
			for p := range portions {
				if err := w.read(ctx, node, p); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (w *walk) scan(ctx context.Context, node *redis.Client, pattern string, portions chan<- portion) error {
	waiting := map[int32]*portion{}
	send := func(p *portion) error {
		select {
		case portions <- *p:
			p.keys = nil
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for cursor := uint64(0); ; {
		keys, next, err := node.Scan(ctx, cursor, pattern, walkAtOnce).Result()
		if err != nil {
			return err
		}
		for _, key := range keys {
			of, ok := w.shards[key[:strings.IndexByte(key, '}')+1]]
			if !ok || !strings.HasPrefix(key, of.before) {
				continue
			}
			p := waiting[of.p]
			if p == nil {
				p = &portion{of: of}
				waiting[of.p] = p
			}
			if p.keys = append(p.keys, key); len(p.keys) == readAtOnce {
				if err := send(p); err != nil {
					return err
				}
			}
		}
		if cursor = next; cursor == 0 {
			break
		}
	}
	for _, p := range waiting {
		if len(p.keys) > 0 {
			if err := send(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) read(ctx context.Context, node *redis.Client, p portion) error {
	values, err := node.MGet(ctx, p.keys...).Result()
	if err != nil {
		return err
	}
	for i, blob := range blobsOf(values) {
		if blob == nil {
			continue // gone since it was seen
		}
		if err := w.each(p.of.p, p.keys[i][len(p.of.before):], blob); err != nil {
			return err
		}
	}
	return nil
}
