package state

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/redis/go-redis/v9"

	"leadline/internal/engine"
)

// redisRebuild holds the shard's claim: a key that every write of the rebuild compares. Whoever begins a later rebuild
// replaces it, so a process that was stopped in the middle and wakes up again cannot mix its data into the keys. The claim
// also counts the writes: a Redis that was restarted in the middle and has lost the last of them has an older claim, and
// the rebuild is refused instead of being finished with a hole.
type redisRebuild struct {
	store    *Redis
	p        int32
	from, to Meta
	token    string // generation|uuid
	written  int64  // writes of this rebuild
}

func (b *redisRebuild) claim() string { return b.token + "|" + strconv.FormatInt(b.written, 10) }

// Rebuild implements Store. Remains of an abandoned attempt, which may have the same generation, go first.
func (r *Redis) Rebuild(ctx context.Context, p int32, to Meta) (Rebuild, error) {
	k := shardKeys(r.prefix, p)
	from, _, err := r.Meta(ctx, p)
	unreadable := errors.Is(err, ErrCorrupt)
	if unreadable {
		err = r.discard(ctx, k)
	}
	if err != nil {
		return nil, fmt.Errorf("begin rebuild: %w", err)
	}
	if to.Generation <= from.Generation {
		return nil, ErrRefused{Have: from}
	}
	abandoned, err := r.client.Exists(ctx, k.claim()).Result()
	if err != nil {
		return nil, fmt.Errorf("begin rebuild of shard %d: %w", p, err)
	}
	b := &redisRebuild{store: r, p: p, from: from, to: to, token: fmt.Sprintf("%d|%s", to.Generation, uuid.NewString())}
	if err := b.turn(ctx, "*", ""); err != nil {
		return nil, fmt.Errorf("begin rebuild of shard %d: %w", p, err)
	}
	if abandoned > 0 || unreadable {
		if err := b.sweep(ctx, from.Generation); err != nil {
			return nil, fmt.Errorf("begin rebuild of shard %d: %w", p, err)
		}
	}
	return b, nil
}

// discard removes a meta that cannot be read. The generation it spoke of is among the remains.
func (r *Redis) discard(ctx context.Context, k keys) error {
	value, err := r.client.Get(ctx, k.meta()).Result()
	if err != nil && !errors.Is(err, redis.Nil) && !errors.Is(classify(err), ErrCorrupt) {
		return err
	}
	return discardScript.Run(ctx, r.client, []string{k.meta()}, value).Err()
}

// turn sets the claim, and the meta unless empty, if meta and claim are as expected.
func (b *redisRebuild) turn(ctx context.Context, claim, meta string) error {
	k := shardKeys(b.store.prefix, b.p)
	have, done, err := verdict(turnScript.Run(ctx, b.store.client, []string{k.meta(), k.claim()}, b.from.encode(), claim, meta, b.claim()).Result())
	if err != nil {
		return err
	}
	if !done && (meta == "" || have != meta) { // have == meta: an earlier try did it and its answer was lost
		return b.store.refused(b.p, have)
	}
	return nil
}

// putAtOnce bounds how long one write of a rebuild occupies the server that other shards are waiting for.
const putAtOnce = 2000

// Put implements Rebuild.
func (b *redisRebuild) Put(ctx context.Context, changes []engine.Change, runs []engine.ItemsRun) error {
	defer b.store.metrics.time("put")()
	for len(changes) > putAtOnce {
		if err := b.put(ctx, changes[:putAtOnce], nil); err != nil {
			return err
		}
		changes = changes[putAtOnce:]
	}
	return b.put(ctx, changes, runs)
}

func (b *redisRebuild) put(ctx context.Context, changes []engine.Change, runs []engine.ItemsRun) error {
	k := shardKeys(b.store.prefix, b.p)
	want := b.claim()
	b.written++
	have, done, err := b.store.write(ctx, k, guard{key: k.claim(), want: want, set: b.claim()}, b.to.Generation, changes, runs)
	if err != nil {
		return fmt.Errorf("rebuild shard %d: %w", b.p, err)
	}
	if !done && have != b.claim() { // have == claim: an earlier try did it and its answer was lost
		return b.lost(ctx)
	}
	b.store.metrics.keys.WithLabelValues("put").Add(float64(len(changes)))
	return nil
}

// lost reports that a later rebuild took over, or that Redis was emptied.
func (b *redisRebuild) lost(ctx context.Context) error {
	have, _, err := b.store.Meta(ctx, b.p)
	if err != nil {
		return err
	}
	return b.store.refused(b.p, have.encode())
}

// Finish implements Rebuild.
func (b *redisRebuild) Finish(ctx context.Context) error {
	if err := b.turn(ctx, b.claim(), b.to.encode()); err != nil {
		return fmt.Errorf("finish rebuild of shard %d: %w", b.p, err)
	}
	b.store.saw(b.p, b.to)
	if b.tidy(ctx) != nil {
		b.store.metrics.sweepErrors.Inc()
	}
	return nil
}

// tidy removes what is older, and last the claim: while that stands, the next rebuild knows that there are remains. Where there was no
// meta there is no older generation, and no need to look at every key of the server: an abandoned attempt's went at the beginning.
func (b *redisRebuild) tidy(ctx context.Context) error {
	if b.from != (Meta{}) {
		if err := b.sweep(ctx, b.to.Generation); err != nil {
			return err
		}
	}
	return b.drop(ctx, []string{shardKeys(b.store.prefix, b.p).claim()})
}

// Steps of a sweep: how many keys the server looks at, and removes, in one go.
const (
	scanAtOnce = 1000
	dropAtOnce = 500
)

// sweep removes all generations of the shard but one. On a cluster it asks only the node that has the shard's slot.
func (b *redisRebuild) sweep(ctx context.Context, keep int64) error {
	defer b.store.metrics.time("sweep")()
	k := shardKeys(b.store.prefix, b.p)
	node, err := b.store.node(ctx, k)
	if err != nil {
		return fmt.Errorf("remove older generations: %w", err)
	}
	var old []string
	scan := node.Scan(ctx, 0, k.tag+"*", scanAtOnce).Iterator()
	for scan.Next(ctx) {
		if gen, ok := k.belongs(scan.Val()); ok && gen != keep {
			old = append(old, scan.Val())
		}
		if len(old) == dropAtOnce {
			if err := b.drop(ctx, old); err != nil {
				return err
			}
			old = old[:0]
		}
	}
	if err := scan.Err(); err != nil {
		return fmt.Errorf("remove older generations: %w", err)
	}
	return b.drop(ctx, old)
}

// drop removes keys if the claim still is this rebuild's: without that check a slow sweep could take away what a later
// rebuild is writing.
func (b *redisRebuild) drop(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	claim := shardKeys(b.store.prefix, b.p).claim()
	_, done, err := verdict(dropScript.Run(ctx, b.store.client, append([]string{claim}, names...), b.claim()).Result())
	if err != nil {
		return fmt.Errorf("remove %d keys: %w", len(names), err)
	}
	if !done {
		return b.lost(ctx)
	}
	b.store.metrics.swept.Add(float64(len(names)))
	return nil
}

// node is the server that has the shard's keys.
func (r *Redis) node(ctx context.Context, k keys) (redis.Cmdable, error) {
	if cluster, ok := r.client.(*redis.ClusterClient); ok {
		return cluster.MasterForKey(ctx, k.meta())
	}
	return r.client, nil
}

func claimedGeneration(claim string) string {
	gen, _, _ := strings.Cut(claim, "|")
	return gen
}
