package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"leadline/internal/sales"
	"leadline/internal/stream"
)

// steadyFor is how long the load runs before something is done to the engine.
const steadyFor = 4 * time.Second

// Recovery is what the recovery measurement found. Times are in seconds, taken from the kill or the emptying.
type Recovery struct {
	Seed       uint64    `json:"seed"`
	Customers  int       `json:"customers"`
	Partitions int32     `json:"partitions"`
	Rate       float64   `json:"orders_per_second"`
	At         time.Time `json:"at"`
	On         Machine   `json:"machine"`

	Kills     []Kill     `json:"kills,omitempty"`
	Takeovers []Takeover `json:"takeovers,omitempty"`
	Removals  []Takeover `json:"removals,omitempty"` // takeovers in which the group is told at once that the dead one does not come back
	Rebuilds  []Rebuild  `json:"rebuilds,omitempty"`
}

// Kill is one kill -9 with a start of the same instance at once.
type Kill struct {
	FirstCommit float64 `json:"first_commit_s"` // until a commit of the new life can be read
	AllShards   float64 `json:"all_shards_s"`   // until every shard has one
	CaughtUp    float64 `json:"caught_up_s"`    // until what came meanwhile was read
}

// Takeover is one kill -9 of one of two engines, which does not come back.
type Takeover struct {
	Shards      int     `json:"shards"`         // that the dead one had
	FirstCommit float64 `json:"first_commit_s"` // of one of these, by the other engine
	AllShards   float64 `json:"all_shards_s"`
}

// Recovery measures what the parts say: kill, takeover, removal, rebuild.
func (b *Bench) Recovery(ctx context.Context, parts []string) (*Recovery, error) {
	if slices.Contains(parts, "rebuild") && !b.emptied {
		return nil, errors.New("rebuild empties Redis, and there are keys of others in it: give an empty one, or name the other parts")
	}
	out := &Recovery{Seed: b.o.Seed, Customers: b.o.Customers, Partitions: b.o.Topics.Partitions, Rate: b.o.Rate, At: time.Now().UTC(), On: ThisMachine()}
	if err := b.publishLinks(ctx, b.orders.links()); err != nil {
		return nil, err
	}
	e, err := b.startNew(ctx, "one")
	if err != nil {
		return nil, err
	}
	if err := b.fill(ctx); err != nil {
		return nil, err
	}
	l := b.beginLoad(ctx, b.o.Rate, func(n uint64, due time.Time) *sales.Purchase {
		return b.orders.present(n, sales.Millis(due.UnixMilli()))
	})
	defer l.cancel()
	for _, part := range parts {
		switch part {
		case "kill":
			e, err = b.kills(ctx, out, e)
		case "takeover":
			out.Takeovers, err = b.takeovers(ctx, func(*engine) error { return nil })
		case "removal":
			out.Removals, err = b.takeovers(ctx, func(dead *engine) error { return stream.Remove(ctx, b.admin, b.prefix, dead.instance) })
		case "rebuild":
			err = b.rebuilds(ctx, out, e)
		}
		if err != nil {
			return out, fmt.Errorf("%s: %w", part, err)
		}
	}
	_, err = l.end()
	return out, err
}

// fill gives the engine its customers.
func (b *Bench) fill(ctx context.Context) error {
	began := time.Now()
	b.say("sending %d customers with %d orders each", b.o.Customers, pastOrders)
	if err := b.sendHistory(ctx); err != nil {
		return err
	}
	b.say("sent in %s; waiting for the engine to read them", time.Since(began).Round(time.Second))
	if err := b.caughtUp(ctx); err != nil {
		return err
	}
	if err := b.projected(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	b.say("read in %s, %.0f orders a second with the sending", took.Round(time.Second), float64(b.o.Customers*pastOrders)/took.Seconds())
	return nil
}

// caughtUp waits until what is in purchases now has been read and committed.
func (b *Bench) caughtUp(ctx context.Context) error {
	ends, err := b.admin.ListEndOffsets(ctx, b.topic("purchases"))
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("end of purchases: %w", err)
	}
	return b.await(ctx, 20*time.Millisecond, "all orders are read", func() (bool, error) {
		read, err := b.commits.read()
		for p := range b.o.Topics.Partitions {
			end, _ := ends.Lookup(b.topic("purchases"), p)
			if read[p] < end.Offset {
				return false, err
			}
		}
		return true, err
	})
}

// projected waits until Redis has what is committed now.
func (b *Bench) projected(ctx context.Context) error {
	want := b.commits.csn()
	return b.await(ctx, 20*time.Millisecond, "Redis has all commits", func() (bool, error) {
		for p, csn := range want {
			meta, _, err := b.store.Meta(ctx, p)
			if err != nil || meta.CSN < csn {
				return false, err
			}
		}
		return true, nil
	})
}

// steady waits until every shard has committed lately, and then lets some time pass.
func (b *Bench) steady(ctx context.Context) error {
	began := time.Now()
	if _, _, err := b.committing(ctx, began, b.allShards()); err != nil {
		return err
	}
	if err := b.caughtUp(ctx); err != nil {
		return err
	}
	return b.await(ctx, 100*time.Millisecond, "the load is steady", func() (bool, error) { return time.Since(began) >= steadyFor, nil })
}

func (b *Bench) allShards() []int32 {
	var all []int32
	for p := range b.o.Topics.Partitions {
		all = append(all, p)
	}
	return all
}

// committing waits until each of the shards has a commit that was written after the moment, and tells how long the first and the
// last took until it could be read.
func (b *Bench) committing(ctx context.Context, from time.Time, shards []int32) (first, last time.Duration, err error) {
	err = b.await(ctx, 5*time.Millisecond, "every shard commits", func() (bool, error) {
		made, err := b.commits.since(from)
		seen := map[int32]time.Duration{}
		for _, c := range made {
			if _, ok := seen[c.partition]; !ok {
				seen[c.partition] = c.seen.Sub(from)
			}
		}
		first, last = 0, 0
		for _, p := range shards {
			at, ok := seen[p]
			if !ok {
				return false, err
			}
			if first == 0 || at < first {
				first = at
			}
			last = max(last, at)
		}
		return true, err
	})
	return first, last, err
}

func (b *Bench) kills(ctx context.Context, out *Recovery, e *engine) (*engine, error) {
	for range b.o.Rounds {
		if err := b.steady(ctx); err != nil {
			return e, err
		}
		next, killed, err := b.restart(ctx, e)
		if err != nil {
			return e, err
		}
		e = next
		first, last, err := b.committing(ctx, killed, b.allShards())
		if err != nil {
			return e, err
		}
		if err := b.caughtUp(ctx); err != nil {
			return e, err
		}
		k := Kill{FirstCommit: first.Seconds(), AllShards: last.Seconds(), CaughtUp: time.Since(killed).Seconds()}
		out.Kills = append(out.Kills, k)
		b.say("kill -9, started again: first commit %.2f s, all shards %.2f s, caught up %.2f s", k.FirstCommit, k.AllShards, k.CaughtUp)
	}
	return e, nil
}

// takeovers starts a second engine each time, kills it, and calls after.
func (b *Bench) takeovers(ctx context.Context, after func(dead *engine) error) (all []Takeover, err error) {
	for range b.o.Rounds {
		dies, err := b.startNew(ctx, fmt.Sprintf("dies-%d", time.Now().UnixMilli()))
		if err != nil {
			return all, err
		}
		var shards []int32
		err = b.await(ctx, 100*time.Millisecond, "both engines have shards", func() (bool, error) {
			shards, err = b.assigned(ctx, dies.instance)
			return len(shards) > 0, err
		})
		if err != nil {
			return all, err
		}
		if err := b.steady(ctx); err != nil {
			return all, err
		}
		killed := b.gone(dies)
		if err := after(dies); err != nil {
			return all, err
		}
		first, last, err := b.committing(ctx, killed, shards)
		if err != nil {
			return all, err
		}
		t := Takeover{Shards: len(shards), FirstCommit: first.Seconds(), AllShards: last.Seconds()}
		all = append(all, t)
		b.say("takeover of %d shards: first commit %.2f s, all %.2f s", t.Shards, t.FirstCommit, t.AllShards)
	}
	return all, nil
}

// assigned gives the shards that the group has given to an instance.
func (b *Bench) assigned(ctx context.Context, instance string) ([]int32, error) {
	members, err := stream.Members(ctx, b.admin, b.prefix)
	for _, m := range members {
		if m.Instance == instance {
			return m.Shards, err
		}
	}
	return nil, err
}
