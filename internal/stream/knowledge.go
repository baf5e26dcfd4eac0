package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/engine"
	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// knowledge follows the knowledge topics. Its goroutine only fetches; the loop applies what came, between steps, so that
// all shards of a cycle know the same.
type knowledge struct {
	names   names
	log     *zap.Logger
	m       *metrics
	fetched chan []*kgo.Record

	pending []*kgo.Record // fetched, not yet applied
	notYet  time.Time     // after an error
	known   *intake.Knowledge
}

func newKnowledge(n names, calendar sales.Calendar, decoder *wire.Decoder, log *zap.Logger, m *metrics) *knowledge {
	return &knowledge{names: n, known: intake.NewKnowledge(calendar, decoder), log: log, m: m, fetched: make(chan []*kgo.Record, 4)}
}

// current is what is known now; the loop's goroutine alone changes it, and only between steps.
func (k *knowledge) current() *engine.Knowledge { return k.known.Engine() }

// open makes the reader of the three topics, from their starts.
func (k *knowledge) open(opts []kgo.Opt) (*kgo.Client, error) {
	parts := map[string]map[int32]kgo.Offset{}
	for _, t := range intake.KnowledgeTopics {
		parts[k.names.topic(t)] = map[int32]kgo.Offset{0: kgo.NewOffset().AtStart()}
	}
	return kgo.NewClient(slices.Concat(opts, []kgo.Opt{
		kgo.ConsumePartitions(parts), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords()})...)
}

// fetch reads on until the context ends. Kafka's troubles are the client's to get over.
func (k *knowledge) fetch(ctx context.Context, cl *kgo.Client) {
	for ctx.Err() == nil {
		fetches := cl.PollFetches(ctx)
		fetches.EachError(func(topic string, p int32, err error) {
			if !errors.Is(err, context.Canceled) {
				k.log.Warn("read knowledge", zap.String("topic", topic), zap.Int32("partition", p), zap.Error(err))
			}
		})
		records := fetches.Records()
		if len(records) == 0 {
			continue
		}
		select {
		case k.fetched <- records:
		case <-ctx.Done():
		}
	}
}

// readToEnd applies all that the topics held when it was called: an engine that starts knows at least what was known then.
func (k *knowledge) readToEnd(ctx context.Context, adm *kadm.Client) error {
	var topics []string
	for _, t := range intake.KnowledgeTopics {
		topics = append(topics, k.names.topic(t))
	}
	listed, err := adm.ListCommittedOffsets(ctx, topics...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return fmt.Errorf("ends of the knowledge topics: %w", err)
	}
	for !k.reached(listed) {
		if len(k.pending) == 0 {
			select {
			case k.pending = <-k.fetched:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := k.applyPending(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (k *knowledge) reached(ends kadm.ListedOffsets) bool {
	next := k.known.Next()
	for i, t := range intake.KnowledgeTopics {
		if end, ok := ends.Lookup(k.names.topic(t), 0); ok && next[i] < end.Offset {
			return false
		}
	}
	return true
}

// apply takes what has come since the last cycle. After an error (the registry is down) what is known stands still, and the
// next call goes on where this one stopped.
func (k *knowledge) apply(ctx context.Context) error {
	if time.Now().Before(k.notYet) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, registryTimeout)
	defer cancel()
	for {
		if err := k.applyPending(ctx); err != nil {
			k.notYet = time.Now().Add(lastBackoff)
			return err
		}
		select {
		case k.pending = <-k.fetched:
		default:
			return nil
		}
	}
}

func (k *knowledge) applyPending(ctx context.Context) error {
	defer k.known.Stamp() // also of what was taken in before an error: the journal must not name less than the shards knew
	for len(k.pending) > 0 {
		rec := k.pending[0]
		if err := k.applyOne(ctx, rec); err != nil {
			return fmt.Errorf("read %s-0 at %d: %w", rec.Topic, rec.Offset, err)
		}
		k.pending = k.pending[1:]
	}
	return nil
}

// applyOne takes one statement in, or passes over one that cannot be read.
func (k *knowledge) applyOne(ctx context.Context, rec *kgo.Record) error {
	name := strings.TrimPrefix(rec.Topic, k.names.prefix)
	if rec.Attrs.IsControl() {
		k.known.Pass(name, rec.Offset)
		return nil
	}
	err := k.known.Take(ctx, name, rec.Offset, rec.Key, rec.Value)
	var poison *wire.Poison
	if errors.As(err, &poison) || errors.Is(err, wire.ErrUnknownSchema) && time.Since(rec.Timestamp) >= schemaPatience {
		k.m.unreadable.WithLabelValues(name).Inc()
		k.log.Warn("knowledge that cannot be read", zap.String("topic", rec.Topic), zap.Int32("partition", 0),
			zap.Int64("offset", rec.Offset), zap.Error(err))
		k.known.Pass(name, rec.Offset)
		return nil
	}
	return err
}
