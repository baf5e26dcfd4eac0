// Package stream is the engine role's Kafka runtime: it polls the customer-keyed inputs, gives each shard (partition p of all
// of them) its records, and commits what the shards decide.
//
// What it guarantees: alerts, changed state, tallies, journal, dead letters and consumed offsets of a commit are one Kafka
// transaction, and nothing else is a commit point. Whatever fails, and wherever, each input record has its effect in the topics
// exactly once; the Redis projection follows behind and may be lost. A record that cannot be used never stops a shard, a
// dependency that is down never loses one, and what trying again cannot mend stops the process with advice (Broken).
//
// What it is not: it decides nothing about customers (package engine), knows no Avro (wire) and no Redis (state). Its
// design, with the order of effects and what is not obvious, is in DESIGN.md. Wiring may import it, and tools that ask about its group.
package stream

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/engine"
	"leadline/internal/promise"
	"leadline/internal/state"
	"leadline/internal/wire"
)

// Runtime runs the shards that the group gives to this process. All but Ready belongs to the goroutine of Run.
type Runtime struct {
	cfg     Config
	names   names
	store   state.Store
	decoder *wire.Decoder
	encoder *wire.Encoder
	log     *zap.Logger
	m       *metrics
	alerts  AlertWriter

	adm          *kadm.Client
	cluster      string
	stateTopicID string
	partitions   int32
	counts       map[string]int32 // partitions of each topic, without prefix

	owned      *owned
	place      place
	adopted    ownership // the ownership that shards stands for
	shards     map[int32]*shard
	recoveries sync.WaitGroup
	recovering map[int32]*recovery
	recovered  chan recovered
	rebuilds   chan struct{} // taken by those that rebuild

	pace      pace
	endsAsked time.Time
	states    *stateLog
	knowledge *knowledge
	projector *projector
	rules     rules

	unready atomic.Pointer[string] // why it is not ready; nil: it is
}

// rules is what the shards are to work with, and its hash.
type rules struct {
	get     func() engine.Rules
	current engine.Rules
	hash    string
}

// New checks the configuration and registers the metrics. Nothing is opened before Run.
func New(cfg Config, deps Deps) (*Runtime, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	log := deps.Log.Named("stream")
	m := newMetrics(deps.Registerer)
	n := names{cfg.Prefix}
	r := &Runtime{
		cfg: cfg, names: n, store: deps.Store, decoder: deps.Decoder, encoder: deps.Encoder, log: log, m: m,
		alerts:     deps.Alerts,
		counts:     map[string]int32{},
		owned:      &owned{topicNames: map[[16]byte]string{}, inputs: map[string]int{}},
		place:      place{members: map[string]bool{}},
		shards:     map[int32]*shard{},
		recovering: map[int32]*recovery{},
		recovered:  make(chan recovered),
		rebuilds:   make(chan struct{}, rebuildsAtOnce),
		pace:       newPace(cfg.MaxPoll),
		knowledge:  newKnowledge(n, cfg.Calendar, deps.Decoder, log, m),
		projector:  newProjector(deps.Store, log, m),
		rules:      rules{get: deps.Rules},
	}
	if r.alerts == nil {
		r.alerts = cloudEvents{deps.Encoder, n, "/leadline/" + cfg.Prefix + "engine"}
	}
	for i, in := range inputs {
		r.owned.inputs[n.topic(in.Topic)] = i
	}
	r.say("starting")
	return r, nil
}

// say sets why the engine is not ready; an empty reason says that it is.
func (r *Runtime) say(format string, args ...any) {
	if format == "" {
		r.unready.Store(nil)
		return
	}
	why := fmt.Sprintf(format, args...)
	r.unready.Store(&why)
}

// Ready answers nil when the group has been joined and no shard is being rebuilt; else the error says what is going on.
func (r *Runtime) Ready() error {
	if why := r.unready.Load(); why != nil {
		return errors.New(*why)
	}
	return nil
}

// Run works until the context ends, and then commits and projects what is done. It answers nil for that, and a Broken when going
// on would do harm. Everything else it gets over itself.
func (r *Runtime) Run(ctx context.Context) error {
	cl, err := kgo.NewClient(r.cfg.Kafka...)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	defer cl.Close()
	r.adm = kadm.NewClient(cl)
	r.states = &stateLog{opts: r.cfg.Kafka, topic: r.names.topic(stateTopic), adm: r.adm, decoder: r.decoder}
	if err := r.start(ctx); err != nil {
		return unlessEnded(ctx, err)
	}
	known, err := r.knowledge.open(r.cfg.Kafka)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	defer known.Close()

	work, stop := graceful(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer stop()
	background.Go(func() { r.knowledge.fetch(work, known) })
	background.Go(func() { r.projector.run(work) })
	err = r.serve(ctx, work)
	r.say("stopping")
	r.endRecoveries()
	if ctx.Err() != nil && err == nil {
		r.drain(work)
	}
	return err
}

// serve works in one session after the other.
func (r *Runtime) serve(ctx, work context.Context) error {
	err := r.retry(ctx, "read the knowledge", func() error { return r.knowledge.readToEnd(ctx, r.adm) })
	r.takeRules()
	wait := firstBackoff
	for ctx.Err() == nil && err == nil {
		began := time.Now()
		err = r.session(ctx, work)
		if err == nil || promise.IsBroken(err) {
			break
		}
		if time.Since(began) > lastBackoff {
			wait = firstBackoff
		}
		r.log.Warn("starting a new session", zap.Duration("in", wait), zap.Error(err))
		err = nil
		_ = sleep(ctx, wait) // the loop looks at the context itself
		wait = min(2*wait, lastBackoff)
	}
	return unlessEnded(ctx, err)
}

// drain gives the projection time for what was committed. What it does not manage, recovery does at the next start.
func (r *Runtime) drain(ctx context.Context) {
	for !r.projector.empty() {
		if sleep(ctx, 10*time.Millisecond) != nil {
			r.log.Warn("stopped before the projection had everything; the next start completes it")
			return
		}
	}
}

// unlessEnded gives the error, unless it is only the end of the context, or a consequence of it.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil && !promise.IsBroken(err) {
		return nil
	}
	return err
}

// graceful gives a context that outlives ctx by the time that a stop is given to complete what was begun.
func graceful(ctx context.Context) (context.Context, context.CancelFunc) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	timer := time.AfterFunc(time.Hour, cancel)
	timer.Stop()
	detach := context.AfterFunc(ctx, func() { timer.Reset(graceOnStop) })
	return work, func() {
		detach()
		timer.Stop()
		cancel()
	}
}
