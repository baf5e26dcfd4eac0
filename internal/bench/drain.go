package bench

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
)

// Speed is what the measurements of one input found, round by round.
type Speed struct {
	Year       Year      `json:"year"`
	Partitions int32     `json:"partitions"`
	At         time.Time `json:"at"`
	On         Machine   `json:"machine"`
	Drains     []Drain   `json:"drains,omitempty"`
	Latencies  []Latency `json:"latencies,omitempty"`
}

// Drain is one reading of an input that waited for the engine. Span, rate, stages and CPU begin with the engine's first commit, which
// goes out, so that the start of the process is not in it. CPU ends when Redis has everything, the others with the last commit.
type Drain struct {
	Start       float64            `json:"start_s"` // from the start of the process to the first commit that can be read
	Span        float64            `json:"span_s"`  // from there to the last
	Rate        float64            `json:"orders_per_second"`
	CPU         Seconds            `json:"cpu_us_per_order"`
	Stages      map[string]float64 `json:"stages_us_per_order"` // wall time; the shards' own stages of all shards added up
	PeakBytes   int64              `json:"engine_peak_bytes"`
	RedisBytes  int64              `json:"redis_bytes"`
	Projected   float64            `json:"projected_s"` // after the last commit until Redis had it
	Said        float64            `json:"alerts_said"`
	Decided     float64            `json:"alerts_decided"`
	TimersFired float64            `json:"timers_fired"`
	Job         *Sameness          `json:"job,omitempty"` // of the comparison's job
	ColdReads   float64            `json:"cold_reads"`    // customers read from Redis because they were not in memory, new ones too
}

// Drain measures how fast an engine reads a year of orders that waits for it. Time is the data's.
func (b *Bench) Drain(ctx context.Context, y Year) (*Drain, error) {
	if b.o.Job {
		return b.drainJob(ctx, y)
	}
	if err := b.publishLinks(ctx, y.links()); err != nil {
		return nil, err
	}
	return b.drainYear(ctx, y, dataClock)
}

func (b *Bench) drainYear(ctx context.Context, y Year, extra ...string) (*Drain, error) {
	b.say("sending %d orders", y.Orders)
	if err := b.send(ctx, y.orders()); err != nil {
		return nil, err
	}
	if b.o.Profile != "" {
		extra = append(extra, "--http-profiling")
	}
	e, err := b.startNew(ctx, "one", extra...)
	if err != nil {
		return nil, err
	}
	return b.drained(ctx, e, e.began, counted{})
}

// drained measures how the engine reads what waits for it, from its first commit after the moment on. Counters began at before.
func (b *Bench) drained(ctx context.Context, e *engine, from time.Time, before counted) (*Drain, error) {
	servers, err := b.processes(ctx, e)
	if err != nil {
		return nil, err
	}
	first, err := b.firstCommit(ctx, from)
	if err != nil {
		return nil, err
	}
	profiled := b.profile(ctx, e)
	cpu := servers.took()
	atFirst, err := e.metrics(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.caughtUp(ctx); err != nil {
		return nil, err
	}
	last, orders := b.commits.span(from)
	orders -= first.purchases
	atLast, err := e.metrics(ctx)
	if err != nil {
		return nil, err
	}
	if err := b.projected(ctx); err != nil {
		return nil, err
	}
	projected := time.Since(last)
	cpu = servers.took().since(cpu)
	span := last.Sub(first.seen)
	if span <= 0 {
		return nil, errors.New("all was read in one commit: send more orders")
	}
	all := atLast.since(before)
	d := &Drain{Start: first.seen.Sub(from).Seconds(), Span: span.Seconds(), Rate: float64(orders) / span.Seconds(),
		CPU: cpu.by(float64(orders) / 1e6), Stages: atLast.since(atFirst).stages, Projected: projected.Seconds(),
		Said: all.said, Decided: all.decided, TimersFired: all.timers, ColdReads: all.read}
	for stage := range d.Stages {
		d.Stages[stage] *= 1e6 / float64(orders)
	}
	_, d.PeakBytes = residentBytes(e)
	d.RedisBytes, err = b.memory(ctx)
	b.say("drained: %.0f orders a second, %.1f µs CPU an order in the engine, %.1f in Redis, %.1f in Kafka, at most %d MiB",
		d.Rate, d.CPU.Engine, d.CPU.Redis, d.CPU.Kafka, d.PeakBytes>>20)
	return d, errors.Join(err, <-profiled)
}

// profileTime is for how long an engine's CPU is profiled: what is drained should take as long.
const profileTime = 10 * time.Second

// profile has the engine write what it spends its CPU on from now on, if that is wanted, and says when it has.
func (b *Bench) profile(ctx context.Context, e *engine) <-chan error {
	done := make(chan error, 1)
	if b.o.Profile == "" {
		done <- nil
		return done
	}
	go func() { done <- e.writeProfile(ctx, b.o.Profile) }()
	return done
}

// dataClock makes time pass by the orders alone: the year lies in the past.
const dataClock = "--clock=data"

// send sends orders as fast as Kafka takes them.
func (b *Bench) send(ctx context.Context, orders iter.Seq[*sales.Purchase]) error {
	var failed atomic.Pointer[error]
	for p := range orders {
		rec, err := b.purchase(p)
		if err != nil {
			return err
		}
		b.client.Produce(ctx, rec, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
		if failed.Load() != nil || ctx.Err() != nil {
			break
		}
	}
	err := b.client.Flush(ctx)
	if first := failed.Load(); first != nil {
		err = errors.Join(err, *first)
	}
	if err != nil {
		return fmt.Errorf("send orders: %w", err)
	}
	return nil
}

// firstCommit waits for the first commit after the moment that read orders, and adds up what came to be seen with it.
func (b *Bench) firstCommit(ctx context.Context, from time.Time) (first commit, err error) {
	err = b.await(ctx, 5*time.Millisecond, "the engine commits", func() (bool, error) {
		made, err := b.commits.since(from)
		for _, c := range made {
			switch {
			case c.purchases == 0:
			case first.seen.IsZero():
				first = c
			case c.seen.Equal(first.seen):
				first.purchases += c.purchases
			}
		}
		return !first.seen.IsZero(), err
	})
	return first, err
}
