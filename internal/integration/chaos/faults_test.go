//go:build integration

package chaos

import (
	"context"
	"time"
)

// kind is one fault by name.
type kind struct {
	what        string
	often       int // in a deck of faults
	least, most time.Duration
	rest        time.Duration // until its target is worth striking again
	targets     func(layout) []string
	strike      func(context.Context, *rig, fault) error // does it, waits for the fault's time, and puts the target back
}

const (
	engineAdded   = "engine added"
	engineRemoved = "engine removed"
	tornInMulti   = "Redis: torn inside a MULTI"
)

// sessionTimeout is the engine's: what is silent for longer loses its shards.
const sessionTimeout = 30 * time.Second

var kinds = []kind{
	{"engine killed", 5, 0, 3 * time.Second, 3 * time.Second, layout.engineNames, killEngine},
	{"engine stopped and started", 1, 0, 3 * time.Second, 3 * time.Second, layout.engineNames, restartEngine},
	{"engine away beyond its session", 1, sessionTimeout + time.Second, sessionTimeout + 6*time.Second, 3 * time.Second, layout.engineNames, restartEngine},
	{"zombie: frozen beyond its session", 1, sessionTimeout + 2*time.Second, sessionTimeout + 8*time.Second, 5 * time.Second, layout.engineNames, zombie},
	{"zombie: its place taken", 2, 5 * time.Second, 15 * time.Second, 5 * time.Second, layout.engineNames, replacedZombie},
	{engineAdded, 2, 0, 0, 8 * time.Second, guest, toggleGuest},
	{"analyst killed", 2, 0, 4 * time.Second, 3 * time.Second, analysts, killEngine},
	{"Redis killed", 2, 0, 3 * time.Second, time.Second, redises, away},
	{"Redis rewound", 2, 4 * time.Second, 12 * time.Second, time.Second, redises, rewindRedis},
	{"Redis: append-only file torn", 2, 0, 2 * time.Second, time.Second, redises, tearRedis},
	{tornInMulti, 2, time.Second, 4 * time.Second, time.Second, redises, tearMulti},
	{"Redis: FLUSHALL", 2, 0, 0, 3 * time.Second, redises, flushRedis},
	{"Redis: replaced by an empty one", 2, 0, 2 * time.Second, 2 * time.Second, redises, emptyRedis},
	{"Redis away for 30 s", 1, 30 * time.Second, 30 * time.Second, time.Second, redises, away},
	{"Redis slow", 2, 3 * time.Second, 10 * time.Second, time.Second, redises, slowRedis},
	{"Redis hangs", 1, 3 * time.Second, 12 * time.Second, time.Second, redises, hang},
	{"broker killed", 3, 0, 4 * time.Second, 10 * time.Second, brokers, away},
	{"registry away", 1, 4 * time.Second, 15 * time.Second, 3 * time.Second, registry, away},
	{"registry hangs", 1, 4 * time.Second, 15 * time.Second, 3 * time.Second, registry, hang},
}

func redises(l layout) []string { return servers("redis", l.masters) }
func brokers(l layout) []string { return servers("kafka", l.brokers) }
func registry(layout) []string  { return []string{"registry"} }
func guest(layout) []string     { return []string{"guest"} }

func analysts(l layout) []string {
	if l.learned {
		return []string{"analyst"}
	}
	return nil
}

func killEngine(ctx context.Context, r *rig, f fault) error {
	r.role(f.whom).Kill()
	if err := pause(ctx, f.last); err != nil {
		return err
	}
	return r.start(f.whom)
}

func restartEngine(ctx context.Context, r *rig, f fault) error {
	if err := r.role(f.whom).Stop(stopWithin); err != nil {
		return err
	}
	if err := pause(ctx, f.last); err != nil {
		return err
	}
	return r.start(f.whom)
}

func zombie(ctx context.Context, r *rig, f fault) error {
	p := r.role(f.whom)
	if err := p.Freeze(); err != nil {
		return err
	}
	if err := pause(ctx, f.last); err != nil {
		return err
	}
	return p.Thaw()
}

// replacedZombie freezes an engine, starts another one under the same name, as an orchestrator does, and lets the first one go on. Once
// the group knows the new one, it is the first that must find out and end. Before that either may, but one has to stay.
func replacedZombie(ctx context.Context, r *rig, f fault) error {
	old, before := r.role(f.whom), r.member(ctx, f.whom)
	worked := r.ready(ctx, f.whom)
	if err := old.Freeze(); err != nil {
		return err
	}
	if err := r.start(f.whom); err != nil {
		return err
	}
	if err := pause(ctx, f.last); err != nil {
		return err
	}
	after := r.member(ctx, f.whom)
	joined := worked && after != "" && after != before
	fresh := r.role(f.whom)
	old.Expect(true)
	fresh.Expect(!joined)
	if err := old.Thaw(); err != nil {
		return err
	}
	return r.oneEnds(ctx, f.whom, old, fresh)
}

func toggleGuest(_ context.Context, r *rig, f fault) error {
	if f.what == engineAdded {
		return r.start(f.whom)
	}
	return r.role(f.whom).Stop(stopWithin)
}

// away kills a server and starts it again.
func away(ctx context.Context, r *rig, f fault) error {
	return r.without(ctx, f, func() error { return nil })
}

// rewindRedis brings back what Redis was some seconds ago.
func rewindRedis(ctx context.Context, r *rig, f fault) error {
	data := redisData(r.servers.data(f.whom))
	snapshot, err := data.snapshot()
	if err != nil {
		return err
	}
	defer snapshot.remove()
	if err := pause(ctx, f.last); err != nil {
		return err
	}
	f.last = 0
	return r.without(ctx, f, func() error { return data.restore(snapshot) })
}

func tearRedis(ctx context.Context, r *rig, f fault) error {
	return r.without(ctx, f, func() error { return redisData(r.servers.data(f.whom)).tear(int64(1 + f.luck%4096)) })
}

// tearMulti tears inside a transaction, lets Redis go on, and kills it once more: what was acknowledged in between may be gone,
// and half of what was torn may be back (Redis 7.0.15).
func tearMulti(ctx context.Context, r *rig, f fault) error {
	whole := f.last
	f.last = 0
	if err := r.without(ctx, f, func() error { return redisData(r.servers.data(f.whom)).tearMulti(f.luck) }); err != nil {
		return err
	}
	if err := pause(ctx, whole); err != nil {
		return err
	}
	return r.without(ctx, f, func() error { return nil })
}

func flushRedis(ctx context.Context, r *rig, f fault) error {
	return r.redis(f.whom).FlushAll(ctx).Err()
}

func emptyRedis(ctx context.Context, r *rig, f fault) error {
	return r.without(ctx, f, redisData(r.servers.data(f.whom)).empty)
}

// slowRedis lets it answer in fits and starts.
func slowRedis(ctx context.Context, r *rig, f fault) error {
	over := time.Now().Add(f.last)
	for n := f.luck; time.Now().Before(over); n = n*6364136223846793005 + 1442695040888963407 {
		stall := time.Duration(100+n>>32%900) * time.Millisecond
		if err := r.redis(f.whom).Do(ctx, "CLIENT", "PAUSE", stall.Milliseconds(), "ALL").Err(); err != nil {
			return err
		}
		if err := pause(ctx, stall+100*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

func hang(ctx context.Context, r *rig, f fault) error {
	thaw, err := r.servers.freeze(f.whom)
	if err != nil {
		return err
	}
	err = pause(ctx, f.last)
	return firstOf(thaw(), err)
}

// pause waits, or gives the context's end.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
