package bench

import (
	"context"
	"time"
)

// Rebuild is one emptied Redis while orders go on coming in.
type Rebuild struct {
	Customers   int     `json:"customers"`
	RedisBytes  int64   `json:"redis_bytes"`         // of the whole projection, before
	FirstShard  float64 `json:"first_shard_s"`       // until the first shard commits again, after it noticed
	AllShards   float64 `json:"all_shards_s"`        // until all do
	Whole       float64 `json:"whole_s"`             // until all shards are projected up to what is committed
	Meanwhile   int64   `json:"orders_meanwhile"`    // committed in that time
	CaughtUp    float64 `json:"caught_up_s"`         // until what came meanwhile was read
	PeakBytes   int64   `json:"engine_peak_bytes"`   // resident memory of the engine, the highest seen in that time
	BeforeBytes int64   `json:"engine_before_bytes"` // before the emptying
}

func (b *Bench) rebuilds(ctx context.Context, out *Recovery, e *engine) error {
	if err := b.steady(ctx); err != nil {
		return err
	}
	r := Rebuild{Customers: b.o.Customers}
	var err error
	if r.RedisBytes, err = b.memory(ctx); err != nil {
		return err
	}
	r.BeforeBytes, _ = residentBytes(e)
	began := time.Now()
	if err := b.flush(ctx); err != nil {
		return err
	}
	err = b.await(ctx, 20*time.Millisecond, "every shard has a projection again", func() (bool, error) {
		now, _ := residentBytes(e)
		r.PeakBytes = max(r.PeakBytes, now)
		for _, p := range b.allShards() {
			if _, ok, err := b.store.Meta(ctx, p); err != nil || !ok {
				return false, err
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	if err := b.projected(ctx); err != nil { // what was committed by then
		return err
	}
	whole := time.Since(began)
	if err := b.caughtUp(ctx); err != nil {
		return err
	}
	caughtUp := time.Since(began)
	made, err := b.commits.since(began)
	if err != nil {
		return err
	}
	for _, c := range made {
		if c.seen.Sub(began) <= whole {
			r.Meanwhile += c.purchases
		}
	}
	first, last := backAtWork(began, made)
	r.FirstShard, r.AllShards, r.Whole, r.CaughtUp = first.Seconds(), last.Seconds(), whole.Seconds(), caughtUp.Seconds()
	out.Rebuilds = append(out.Rebuilds, r)
	b.say("Redis emptied: first shard back %.1f s, all %.1f s, projection whole %.1f s, %d orders meanwhile, caught up %.1f s",
		r.FirstShard, r.AllShards, r.Whole, r.Meanwhile, r.CaughtUp)
	return nil
}

// backAtWork tells when the first and the last of the shards were through their longest silence.
func backAtWork(began time.Time, made []commit) (first, last time.Duration) {
	type silence struct {
		since       time.Time
		longest, at time.Duration
	}
	shards := map[int32]*silence{}
	for _, c := range made {
		s := shards[c.partition]
		if s == nil {
			s = &silence{since: began}
			shards[c.partition] = s
		}
		if d := c.seen.Sub(s.since); d > s.longest {
			s.longest, s.at = d, c.seen.Sub(began)
		}
		s.since = c.seen
	}
	for _, s := range shards {
		if first == 0 || s.at < first {
			first = s.at
		}
		last = max(last, s.at)
	}
	return first, last
}
