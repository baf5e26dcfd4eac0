package state

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"leadline/internal/engine"
)

// guard is what a write compares before it writes: the shard's meta (Apply) or the claim (Rebuild.Put). Where no meta is
// expected there must be no claim either: an abandoned rebuild may have left keys of the generation.
type guard struct{ key, want, set string }

// write changes a shard's keys if the guard is as wanted, all or nothing; done is false, and have the guard's value, when it was not.
//
// The comparison is optimistic: WATCH, read, then MULTI to EXEC on the same connection, which Redis refuses if anything watched was
// touched in between. (A script, which compares and writes in one go, costs Redis twice as much: each blob becomes a Lua string and
// back.) With the connection the watch dies, and the transaction too unless its EXEC had been sent; then it may have happened, which
// the caller finds out by trying again.
func (r *Redis) write(ctx context.Context, k keys, g guard, gen int64, changes []engine.Change, runs []engine.ItemsRun) (have string, done bool, err error) {
	watched := []string{g.key, k.claim(), k.timers(gen), k.items(gen)}
	for range triesToWrite {
		err = r.client.Watch(ctx, func(tx *redis.Tx) error {
			seen, err := look(ctx, tx, watched)
			have, done = seen.guard, false
			if err != nil || have != g.want || have == "" && seen.claimed {
				return err
			}
			pipe := tx.TxPipeline()
			setCustomers(ctx, pipe, k.customers(gen), changes)
			setTimers(ctx, pipe, k.timers(gen), changes)
			if err := addRuns(ctx, pipe, k.items(gen), seen.lastRun, runs); err != nil {
				return err
			}
			pipe.Set(ctx, g.key, g.set, 0)
			_, err = pipe.Exec(ctx)
			done = err == nil
			return err
		}, watched...)
		if !errors.Is(err, redis.TxFailedErr) {
			break
		}
	}
	if err != nil {
		return "", false, classify(err)
	}
	return have, done, nil
}

// triesToWrite: who is overtaken looks again, and as a rule is refused then.
const triesToWrite = 3

// seen is what a write depends on.
type seen struct {
	guard   string
	claimed bool
	lastRun string // of items, empty if there is none
}

// look reads under the watch. It asks for the timers too, though only for their type: a transaction goes on after a command that
// fails, and would move the meta on over it.
func look(ctx context.Context, tx *redis.Tx, watched []string) (seen, error) {
	pipe := tx.Pipeline()
	claims, _, last, value := pipe.Exists(ctx, watched[1]), pipe.HLen(ctx, watched[2]), pipe.LRange(ctx, watched[3], -1, -1), pipe.Get(ctx, watched[0])
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return seen{}, err
	}
	s := seen{guard: value.Val(), claimed: claims.Val() > 0}
	if len(last.Val()) > 0 {
		s.lastRun = last.Val()[0]
	}
	return s, nil
}

// setCustomers sets and deletes blobs.
func setCustomers(ctx context.Context, pipe redis.Pipeliner, prefix string, changes []engine.Change) {
	set, del := newMany(len(changes), "mset"), newMany(len(changes), "unlink")
	names := customerKeys(prefix, changes)
	for i := range changes {
		if c := &changes[i]; len(c.Blob) > 0 {
			set.add(&names[i], (*blob)(&c.Blob))
		} else {
			del.add(&names[i])
		}
	}
	set.send(ctx, pipe)
	del.send(ctx, pipe)
}

// customerKeys are parts of one string: a string each would be most of what a write allocates.
func customerKeys(prefix string, changes []engine.Change) []string {
	var all strings.Builder
	size := len(changes) * len(prefix)
	for i := range changes {
		size += len(changes[i].CustomerID)
	}
	all.Grow(size)
	for i := range changes {
		all.WriteString(prefix)
		all.WriteString(changes[i].CustomerID)
	}
	rest, names := all.String(), make([]string, len(changes))
	for i := range changes {
		n := len(prefix) + len(changes[i].CustomerID)
		names[i], rest = rest[:n], rest[n:]
	}
	return names
}

// setTimers arms and disarms.
func setTimers(ctx context.Context, pipe redis.Pipeliner, key string, changes []engine.Change) {
	arm, disarm := newMany(len(changes), "hset", key), newMany(len(changes), "hdel", key)
	dues := make([]int64, len(changes))
	for i := range changes {
		if c := &changes[i]; c.Due != (engine.Due{}) {
			dues[i] = encodeDue(c.Due)
			arm.add(&c.CustomerID, &dues[i])
		} else {
			disarm.add(&c.CustomerID)
		}
	}
	arm.send(ctx, pipe)
	disarm.send(ctx, pipe)
}

// addRuns appends the runs that the list does not have yet.
func addRuns(ctx context.Context, pipe redis.Pipeliner, key, last string, runs []engine.ItemsRun) error {
	reached := int32(-1)
	if last != "" {
		run, err := decodeRun(last)
		if err != nil {
			return err
		}
		reached = run.First
	}
	push := newMany(len(runs), "rpush", key)
	for _, run := range runs {
		if run.First > reached {
			push.add(encodeRun(run))
			reached = run.First
		}
	}
	push.send(ctx, pipe)
	return nil
}

// many is one command for many things; very many are several commands, for a server takes a bounded number of arguments. Arguments are
// pointers where that spares a piece of memory each; what they point to stays as it is until the pipeline has run.
type many struct {
	head []any
	full [][]any
	args []any
	left int // things that may still come
}

// manyAtOnce is how many things one command is for.
const manyAtOnce = 2000

func newMany(most int, head ...any) *many { return &many{head: head, left: most} }

func (m *many) add(thing ...any) {
	if m.args == nil {
		m.args = append(make([]any, 0, len(m.head)+len(thing)*min(m.left, manyAtOnce)), m.head...)
	}
	m.args = append(m.args, thing...)
	m.left--
	if len(m.args) == cap(m.args) {
		m.full, m.args = append(m.full, m.args), nil
	}
}

func (m *many) send(ctx context.Context, pipe redis.Pipeliner) {
	for _, args := range m.full {
		pipe.Do(ctx, args...)
	}
	if m.args != nil {
		pipe.Do(ctx, m.args...)
	}
}

// blob is a pointer's way to hand bytes to the client.
type blob []byte

// MarshalBinary implements encoding.BinaryMarshaler.
func (b *blob) MarshalBinary() ([]byte, error) { return *b, nil }
