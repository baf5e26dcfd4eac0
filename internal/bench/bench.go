// Package bench measures the built leadline on real servers: how fast it reads a year of orders and what that costs, how soon an
// alert can be read at a steady rate, how the cost of an order grows, and how soon it works again after a kill, a takeover, or an emptied
// Redis. It is the driver behind the command bench.
//
// It guarantees that load at a rate is an open loop (what is due is sent when it is due, however slow the engine is), that the same seed
// sends the same orders, that times are taken outside the engine, by a reader of what is committed, and that its tenant is
// removed again. It is not a test: it judges nothing, and no test may depend on its figures. It starts nothing but the binary under
// test, and refuses to empty a Redis that holds anything of others. The commands import it.
package bench

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"leadline/internal/comparison"
	"leadline/internal/state"
	"leadline/internal/topics"
	"leadline/internal/wire"
)

// Options say what is measured, and with what. The clients stay the caller's.
type Options struct {
	Binary string   // the leadline under test
	Args   []string // given to each of its processes: how to reach the servers
	Dir    string   // for the logs of the processes, which stay there
	Topics topics.Options
	Out    io.Writer // tells what goes on

	Kafka    []kgo.Opt
	Registry *sr.Client
	Redis    redis.UniversalClient
	Job      bool // measure the job by which stream engines are compared instead of Leadline's own

	Profile string // file for a CPU profile of the engine that drains; empty: none is made

	Seed      uint64
	Customers int     // of the history
	Rate      float64 // new orders a second
	Rounds    int     // of what is repeated
}

// Bench is one tenant of its own for the time of a measurement.
type Bench struct {
	o        Options
	prefix   string
	client   *kgo.Client
	admin    *kadm.Client
	store    *state.Redis
	encoder  *wire.Encoder
	decoder  *wire.Decoder
	orders   orders
	commits  *commits
	engines  []*engine
	emptied  bool // Redis was empty when the tenant was made, so that all of it is the tenant's
	endReads context.CancelFunc
}

// New makes the tenant: topics under a prefix of its own, and schemas.
func New(ctx context.Context, o Options) (_ *Bench, err error) {
	o.Topics.Prefix = "bench-" + strings.ToLower(rand.Text()[:8]) + "-"
	b := &Bench{o: o, prefix: o.Topics.Prefix, store: state.NewRedis(o.Redis, o.Topics.Prefix),
		decoder: wire.NewDecoder(topics.NewSchemaSource(o.Registry)), orders: orders{seed: o.Seed, customers: o.Customers}}
	if o.Job {
		b.decoder = wire.NewDecoder(comparison.Schemas())
	}
	keys, err := b.keys(ctx)
	if err != nil {
		return nil, err
	}
	b.emptied = keys == 0
	if b.client, err = kgo.NewClient(append(append([]kgo.Opt{}, o.Kafka...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxBufferedRecords(20_000), kgo.ProducerLinger(time.Millisecond),
		kgo.ProducerBatchCompression(kgo.NoCompression()))...); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	b.admin = kadm.NewClient(b.client)
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close(context.WithoutCancel(ctx)))
		}
	}()
	if _, err := topics.New(b.client, o.Registry, o.Topics).Create(ctx, false); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	ids, err := topics.IDs(ctx, o.Registry, b.prefix)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	b.encoder = wire.NewEncoder(ids)
	reads, end := context.WithCancel(context.WithoutCancel(ctx))
	b.endReads = end
	b.commits, err = b.follow(reads)
	return b, err
}

// Close ends the engines and removes the tenant's topics and keys.
func (b *Bench) Close(ctx context.Context) error {
	for _, e := range b.engines {
		e.kill()
	}
	if b.endReads != nil {
		b.endReads()
		if b.commits != nil {
			<-b.commits.ended
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := errors.Join(b.removeKeys(ctx), b.removeTopics(ctx))
	b.client.Close()
	return err
}

func (b *Bench) topic(name string) string { return b.prefix + name }

func (b *Bench) say(format string, args ...any) { fmt.Fprintf(b.o.Out, format+"\n", args...) }

func (b *Bench) removeTopics(ctx context.Context) error {
	all, err := b.admin.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("remove the benchmark's topics: %w", err)
	}
	var own []string
	for _, name := range all.Names() {
		if strings.HasPrefix(name, b.prefix) {
			own = append(own, name)
		}
	}
	if _, err := b.admin.DeleteTopics(ctx, own...); err != nil {
		return fmt.Errorf("remove the benchmark's topics: %w", err)
	}
	return nil
}

// await asks until it holds, or an engine ends by itself.
func (b *Bench) await(ctx context.Context, every time.Duration, what string, holds func() (bool, error)) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		ok, err := holds()
		if err != nil {
			return fmt.Errorf("wait until %s: %w", what, err)
		}
		if ok {
			return nil
		}
		for _, e := range b.engines {
			if err := e.ended(); err != nil {
				return fmt.Errorf("wait until %s: %w", what, err)
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		case <-tick.C:
		}
	}
}
