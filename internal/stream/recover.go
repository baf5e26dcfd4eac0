package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/engine"
	"leadline/internal/promise"
	"leadline/internal/sales"
	"leadline/internal/state"
)

// tombstonesLast is how far back the tail of leadline.state still holds every tombstone; the topic's delete.retention.ms is a
// day longer.
const tombstonesLast = 6 * 24 * time.Hour

// recovery makes the projection of one shard equal to what Kafka has committed and, when the shard is not in memory, the
// shard itself. It runs beside the loop, which reads nothing of the shard meanwhile.
type recovery struct {
	r      *Runtime
	p      int32
	epoch  int64
	at     fetched
	core   *engine.Shard // kept; nil: to be restored
	whole  bool          // what the projection holds is not to be trusted: rebuild it
	rules  engine.Rules
	last   placed
	cancel context.CancelFunc
}

// recovered is the result of a recovery.
type recovered struct {
	*recovery
	meta state.Meta
	err  error
}

// run tries until it works, the promise is broken, or the context ends.
func (rc *recovery) run(ctx context.Context) recovered {
	wait := firstBackoff
	for {
		meta, err := rc.once(ctx)
		if err == nil || promise.IsBroken(err) || ctx.Err() != nil {
			return recovered{rc, meta, err}
		}
		rc.r.log.Warn("recover shard: trying again", zap.Int32("partition", rc.p), zap.Duration("in", wait), zap.Error(err))
		if err := sleep(ctx, wait); err != nil {
			return recovered{rc, meta, err}
		}
		wait = min(2*wait, lastBackoff)
	}
}

func (rc *recovery) once(ctx context.Context) (state.Meta, error) {
	if rc.at.csn > 0 && rc.last.next == 0 {
		last, err := rc.r.states.record(ctx, rc.p, rc.at.csn)
		if err != nil {
			return state.Meta{}, err
		}
		if err := errors.Join(rc.r.counted(&last.record), rc.r.sameLevel(&last.record)); err != nil {
			return state.Meta{}, err
		}
		if err := rc.at.agrees(rc.p, rc.r.names, &last.record); err != nil {
			return state.Meta{}, err
		}
		rc.last = last
	}
	meta, err := rc.project(ctx)
	if err != nil || rc.core != nil {
		return meta, err
	}
	core, err := rc.restore(ctx)
	if err == nil {
		err = rc.stood(ctx, meta)
	}
	if err != nil {
		rc.whole = rc.whole || errors.Is(err, state.ErrCorrupt)
		return meta, err
	}
	rc.core = core
	return meta, nil
}

// stood refuses what was read while the store moved: set back to an older snapshot between two reads it may lack the newest timers.
func (rc *recovery) stood(ctx context.Context, meta state.Meta) error {
	have, _, err := rc.r.store.Meta(ctx, rc.p)
	if err != nil {
		return fmt.Errorf("read meta again: %w", err)
	}
	if have != meta {
		return fmt.Errorf("the projection moved from %v to %v while the shard was restored from it", meta, have)
	}
	return nil
}

// agrees holds the group's offsets against the positions in the shard record of the same commit. They differ only when
// somebody else wrote the offsets.
func (f *fetched) agrees(p int32, topics names, rec *sales.ShardRecord) error {
	for i, in := range inputs {
		at := slices.IndexFunc(rec.Inputs, func(pos sales.InputPosition) bool { return pos.Topic == topics.topic(in.Topic) })
		if at < 0 || rec.Inputs[at].Next == f.next[i] {
			continue
		}
		return promise.Break("nothing was changed; restore the group's offsets from the shard records before starting again",
			"the committed offset of %s-%d is %d, its shard record says %d", topics.topic(in.Topic), p, f.next[i], rec.Inputs[at].Next)
	}
	return nil
}

// How a recovery brings the projection to the commit, as the metric names it.
const (
	asItWas  = "as_it_was"
	caughtUp = "caught_up"
	rebuilt  = "rebuilt"
)

const tooOld = "too_old"

// project brings the store to the commit: nothing to do, the tail of leadline.state, or a new generation.
func (rc *recovery) project(ctx context.Context) (state.Meta, error) {
	want := state.Meta{Cluster: rc.r.cluster, TopicID: rc.r.stateTopicID, CSN: rc.at.csn, StateOffset: rc.last.next}
	have, _, err := rc.r.store.Meta(ctx, rc.p)
	if err != nil && !errors.Is(err, state.ErrCorrupt) {
		return state.Meta{}, fmt.Errorf("read meta: %w", err)
	}
	want.Generation = have.Generation
	because := rc.unusable(have, want, err)
	if because == "" && have == want {
		rc.log("the projection is up to date", asItWas, "", have, want)
		return have, nil
	}
	if because == "" {
		if because, err = rc.unreachable(ctx, have); err != nil {
			return state.Meta{}, err
		}
	}
	if because == "" {
		rc.log("bringing the projection up to date", caughtUp, "", have, want)
		err := rc.catchUp(ctx, have)
		rc.whole = errors.Is(err, state.ErrCorrupt)
		return want, err
	}
	want.Generation++
	rc.log("rebuilding the projection", rebuilt, because, have, want)
	return want, rc.rebuild(ctx, want)
}

// unusable says why nothing of what the store has can be used, in the metric's words; empty: it can.
func (rc *recovery) unusable(have, want state.Meta, err error) (because string) {
	switch {
	case errors.Is(err, state.ErrEarlier):
		return "earlier_release"
	case err != nil:
		return "corrupt_meta"
	case have.Generation == 0:
		return "empty"
	case have.Cluster != want.Cluster:
		return "other_cluster"
	case have.TopicID != want.TopicID:
		return "other_topic"
	case rc.whole:
		return "corrupt"
	case have != want && (have.CSN >= want.CSN || have.StateOffset >= want.StateOffset):
		return "ahead" // in either: a tail that begins behind the commit would never come to it
	}
	return ""
}

func (rc *recovery) log(what, how, because string, have, want state.Meta) {
	rc.r.m.recoveries.WithLabelValues(how, because).Inc()
	rc.r.log.Info(what, zap.String("because", because), zap.Int32("partition", rc.p), zap.Int64("csn", want.CSN),
		zap.Int64("projected_csn", have.CSN), zap.Int64("generation", want.Generation))
}

// unreachable says why the tail of leadline.state from have on no longer holds all that happened since, in the metric's words; empty: it does.
func (rc *recovery) unreachable(ctx context.Context, have state.Meta) (because string, err error) {
	first, _, err := rc.r.states.bounds(ctx, rc.p)
	if err != nil {
		return "", err
	}
	if have.StateOffset < first {
		return tooOld, nil
	}
	young, err := rc.r.states.adm.ListOffsetsAfterMilli(ctx, time.Now().Add(-tombstonesLast).UnixMilli(), rc.r.states.topic)
	if err == nil {
		err = young.Error()
	}
	if err != nil {
		return "", fmt.Errorf("find the age of leadline.state: %w", err)
	}
	if from, ok := young.Lookup(rc.r.states.topic, rc.p); !ok || from.Timestamp < 0 || have.StateOffset < from.Offset {
		return tooOld, nil
	}
	return "", nil
}

// catchUp applies the tail of leadline.state in steps that end at shard records.
func (rc *recovery) catchUp(ctx context.Context, have state.Meta) error {
	w := state.Write{From: have}
	return rc.tail(ctx, have.StateOffset, catchUpStep, func(b *stateBatch, rec *kgo.Record, csn int64) error {
		w.To = have
		w.To.CSN, w.To.StateOffset = csn, rec.Offset+1
		w.Changes, w.ItemRuns = b.changes, b.runs
		if err := rc.r.store.Apply(ctx, rc.p, w); err != nil {
			return err
		}
		w.From = w.To
		return nil
	})
}

// rebuild writes a new generation from the whole topic, when it is this shard's turn.
func (rc *recovery) rebuild(ctx context.Context, want state.Meta) error {
	select {
	case rc.r.rebuilds <- struct{}{}:
		defer func() { <-rc.r.rebuilds }()
	case <-ctx.Done():
		return ctx.Err()
	}
	next, err := rc.r.store.Rebuild(ctx, rc.p, want)
	if err != nil {
		return fmt.Errorf("begin generation %d: %w", want.Generation, err)
	}
	first, _, err := rc.r.states.bounds(ctx, rc.p)
	if err != nil {
		return err
	}
	err = rc.tail(ctx, first, rebuildStep, func(b *stateBatch, _ *kgo.Record, _ int64) error {
		return next.Put(ctx, b.changes, b.runs)
	})
	if err != nil {
		return err
	}
	return next.Finish(ctx)
}

const (
	// rebuildsAtOnce is how many shards of this process are rebuilt at the same time: while one waits for the store the other reads
	// and decodes. With all at once none would be back at work before the last.
	rebuildsAtOnce = 2
	// rebuildStep is about how much of leadline.state a rebuild holds before it writes. The more it holds, the more versions of the
	// same customer become one.
	rebuildStep = 32 << 20
	// catchUpStep likewise; each step is one write, which holds up all others in Redis while it runs.
	catchUpStep = 1 << 20
)

// stateBatch is a stretch of leadline.state: the newest state of each customer in it.
type stateBatch struct {
	changes []engine.Change
	at      map[string]int // customer → place in changes
	runs    []engine.ItemsRun
	bytes   int // of the log that was read for it
}

// tail reads leadline.state from an offset up to the shard record of the commit, and gives it in steps of about so many bytes that
// end at shard records.
func (rc *recovery) tail(ctx context.Context, from int64, step int, give func(b *stateBatch, rec *kgo.Record, csn int64) error) error {
	if rc.at.csn == 0 {
		return nil
	}
	b := &stateBatch{at: map[string]int{}}
	return rc.r.states.read(ctx, rc.p, from, 0, func(rec *kgo.Record) error {
		if rec.Attrs.IsControl() {
			return nil
		}
		if !isShardRecord(rec) {
			return b.add(rec)
		}
		var shard sales.ShardRecord
		if err := rc.r.decoder.ShardRecord(ctx, rec.Value, &shard); err != nil {
			return err
		}
		if shard.CSN > rc.at.csn {
			return fmt.Errorf("shard record of commit %d beyond %d: somebody else commits", shard.CSN, rc.at.csn)
		}
		done := shard.CSN == rc.at.csn
		if done || b.bytes >= step {
			if err := b.arm(); err != nil {
				return err
			}
			if err := give(b, rec, shard.CSN); err != nil {
				return err
			}
			b = &stateBatch{at: map[string]int{}}
		}
		if done {
			return errEnough
		}
		return nil
	})
}

// recordBytes is what a record takes in memory beside key and value.
const recordBytes = 200

func (b *stateBatch) add(rec *kgo.Record) error {
	b.bytes += recordBytes + len(rec.Key) + len(rec.Value)
	if index, ok := strings.CutPrefix(string(rec.Key), sales.ItemsKeyPrefix); ok {
		var first int32
		if _, err := fmt.Sscanf(index, "%08x", &first); err != nil {
			return fmt.Errorf("key %q of a run of the dictionary: %w", rec.Key, err)
		}
		b.runs = append(b.runs, engine.ItemsRun{First: first, Run: rec.Value})
		return nil
	}
	at, ok := b.at[string(rec.Key)]
	if !ok {
		id := string(rec.Key)
		at = len(b.changes)
		b.at[id] = at
		b.changes = append(b.changes, engine.Change{CustomerID: id})
	}
	b.changes[at].Blob = rec.Value
	return nil
}

// arm sets what is due of the customers.
func (b *stateBatch) arm() error {
	for i := range b.changes {
		c := &b.changes[i]
		if c.Blob == nil {
			continue
		}
		due, err := engine.BlobDue(c.Blob)
		if errors.Is(err, engine.ErrNewer) {
			return promise.Break("run the release that wrote it: there is no way back to an earlier one", "state of customer %s: %w", c.CustomerID, err)
		}
		if err != nil {
			return fmt.Errorf("state of customer %s: %w", c.CustomerID, err)
		}
		c.Due = due
	}
	return nil
}

// restore makes the shard from its record and what the projection holds.
func (rc *recovery) restore(ctx context.Context) (*engine.Shard, error) {
	var record *sales.ShardRecord
	if rc.at.csn > 0 {
		record = &rc.last.record
	}
	items, err := rc.r.store.Items(ctx, rc.p)
	if err != nil {
		return nil, fmt.Errorf("read the dictionary: %w", err)
	}
	var timers []engine.Timer
	err = rc.r.store.Timers(ctx, rc.p, func(t engine.Timer) error {
		timers = append(timers, t)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the timers: %w", err)
	}
	core := engine.NewShard(engine.Config{Prefix: rc.r.cfg.Prefix, Partition: rc.p, Partitions: rc.r.partitions,
		Clock: rc.r.cfg.Clock, Calendar: rc.r.cfg.Calendar, Rules: rc.rules, Job: rc.r.cfg.Job})
	if err := core.Restore(record, items, timers); err != nil {
		return nil, fmt.Errorf("restore: %w: %w", state.ErrCorrupt, err)
	}
	return core, nil
}
