// Package analyst is the role that turns the shards' tallies into what everyone knows: it sums the differences, keeps the sums in
// leadline.knowledge-state, and publishes links (product-links), everyone's activity and what reps make of alerts and have room for (forecasts) and the points of
// scorecards (leadline.models). It says which channels have gone quiet (alerts.channel): of them no shard knows enough.
//
// It guarantees that each tally counts exactly once, whatever kills it: changed sums and the positions in the tally topics that they reach
// are one Kafka transaction, and each assignment starts from what that topic says. What is published goes along; the sums of pairs are kept
// less often than links are published. The sums do not depend on the order in which shards' tallies come, nor on how many shards there
// are. One member of the group works at a time, the others wait.
//
// It is not where links are judged (package affinity), nor where they are used (package engine). Pairs fade with time, and examples, when
// scorecards are learned from them; other sums are kept for all time. Only app imports it.
package analyst

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/affinity"
	"leadline/internal/channel"
	"leadline/internal/promise"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Config is what one analyst is told. Zero durations take the defaults named here.
type Config struct {
	Kafka    []kgo.Opt // seeds, TLS, SASL, dialer: given to every client that the analyst opens
	Prefix   string    // of the tenant's topics, the group and the transactional id
	Calendar sales.Calendar
	Lateness time.Duration // a day is complete when every shard's time has passed its end by so much
	Every    time.Duration // how often what changed is published while time hardly passes, 1 s
	Keep     time.Duration // how often the sums of pairs are kept, 30 s
}

// Deps is what the analyst works with.
type Deps struct {
	Decoder    *wire.Decoder
	Encoder    *wire.Encoder
	Rules      func() affinity.LinkRules // may answer differently from one moment to the next, as may Channels and Capacity
	Channels   func() channel.Rules
	Capacity   func() int                                       // alerts a week for which a rep has room, 0 = all
	Members    func(context.Context, Channel) ([]Member, error) // ShownMembers at most, those who are missed most first; nil = nobody can tell
	Log        *zap.Logger
	Registerer prometheus.Registerer
}

const (
	transactionTimeout = 10 * time.Second // how long a killed analyst can hold up readers of what is committed
	sessionTimeout     = 10 * time.Second // how long a killed analyst can hold up the one that stands by
	requestTimeout     = 20 * time.Second
	graceOnStop        = 5 * time.Second // for committing what is done
	firstBackoff       = 100 * time.Millisecond
	lastBackoff        = 5 * time.Second
	steadyAfter        = time.Minute // a session that lived so long was no failed try
	maxPoll            = 1_000
)

// Analyst is the role.
type Analyst struct {
	cfg     Config
	deps    Deps
	topics  topics
	log     *zap.Logger
	metrics *metrics
	state   atomic.Pointer[string] // why it is not ready, nil when it is
}

// New makes an analyst; Run starts it.
func New(cfg Config, deps Deps) *Analyst {
	if cfg.Every == 0 {
		cfg.Every = time.Second
	}
	if cfg.Keep == 0 {
		cfg.Keep = 30 * time.Second
	}
	a := &Analyst{cfg: cfg, deps: deps, topics: newTopics(cfg.Prefix), log: deps.Log.Named("analyst"), metrics: newMetrics(deps.Registerer)}
	a.say("not started")
	return a
}

// Ready is nil when the analyst has its sums, or stands by while another member of the group works.
func (a *Analyst) Ready() error {
	if why := a.state.Load(); why != nil {
		return errors.New(*why)
	}
	return nil
}

// say tells Ready what the analyst is doing; empty is that it is ready.
func (a *Analyst) say(why string) {
	if why == "" {
		a.state.Store(nil)
		return
	}
	a.state.Store(&why)
}

// Run works until the context ends, which is no error, or a promise that the sums rest on is broken: a tally that is missing, comes
// twice or cannot be read. Everything else passes, and it begins anew from what is committed.
func (a *Analyst) Run(ctx context.Context) error {
	backoff := firstBackoff
	for {
		began := time.Now()
		err := a.session(ctx)
		switch {
		case ctx.Err() != nil && !promise.IsBroken(err):
			a.say("stopped")
			return nil
		case promise.IsBroken(err):
			a.say(err.Error())
			return fmt.Errorf("analyst: %w", err)
		}
		if time.Since(began) > steadyAfter {
			backoff = firstBackoff
		}
		a.say(err.Error())
		a.log.Warn("begin anew", zap.Error(err), zap.Duration("in", backoff))
		select {
		case <-ctx.Done():
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, lastBackoff)
	}
}

// unreadable sorts an error of the decoder: what Leadline wrote itself must be readable, unless the registry is away.
func unreadable(err error, topic string, offset int64) error {
	err = fmt.Errorf("read %s-0 at %d: %w", topic, offset, err)
	var poison *wire.Poison
	if errors.As(err, &poison) {
		return promise.Break("only Leadline may write to this topic; sums without the record would be wrong", "%w", err)
	}
	return err
}
