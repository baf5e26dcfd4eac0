package stream

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/promise"
	"leadline/internal/sales"
)

// topicsPatience is how long topics may be missing at start, for a deployment that creates them at the same moment.
const topicsPatience = 15 * time.Second

// start looks at the cluster before anything is read, says what it found, and refuses what cannot work.
func (r *Runtime) start(ctx context.Context) error {
	began := time.Now()
	err := r.retry(ctx, "look at the topics", func() error {
		err := r.lookAtTopics(ctx)
		if promise.IsBroken(err) && errors.Is(err, kerr.UnknownTopicOrPartition) && time.Since(began) < topicsPatience {
			return errors.New("not there yet: " + err.Error()) // no longer broken
		}
		return err
	})
	if err != nil {
		return err
	}
	r.log.Info("the engine reads customer events and writes alerts",
		zap.String("group", r.cfg.group()), zap.String("instance", r.cfg.InstanceID), zap.String("prefix", r.cfg.Prefix),
		zap.Int32("partitions", r.partitions), zap.String("clock", string(r.cfg.Clock)), zap.String("cluster", r.cluster),
		zap.Duration("commit_every", r.cfg.CommitEvery), zap.Int("max_poll", r.cfg.MaxPoll))
	if err := r.retry(ctx, "end what an earlier life left open", func() error { return r.fence(ctx) }); err != nil {
		return err
	}
	return r.retry(ctx, "look at the group's offsets", func() error { return r.firstOffsets(ctx) })
}

// fence takes a producer id, which aborts the transaction of an earlier life of this engine, if there is one: until that is done its
// offsets are not stable, and everybody who wants to know them waits.
func (r *Runtime) fence(ctx context.Context) error {
	cl, err := kgo.NewClient(slices.Concat(r.cfg.Kafka, []kgo.Opt{
		kgo.TransactionalID(r.cfg.transactionalID()), kgo.TransactionTimeout(transactionTimeout)})...)
	if err != nil {
		return promise.Break("mend the configuration", "open producer: %w", err)
	}
	defer cl.Close()
	return producerID(ctx, cl)
}

func producerID(ctx context.Context, cl *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if _, _, err := cl.ProducerID(ctx); err != nil {
		return fmt.Errorf("get a producer id: %w", err)
	}
	return nil
}

// retry tries until it works, a promise is broken, or the context ends.
func (r *Runtime) retry(ctx context.Context, what string, try func() error) error {
	wait := firstBackoff
	for {
		err := try()
		if err == nil || promise.IsBroken(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.log.Warn(what+": trying again", zap.Duration("in", wait), zap.Error(err))
		r.say("starting: %s: %v", what, err)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, lastBackoff)
	}
}

// lookAtTopics learns cluster, topic ids and partition counts, and compares the counts that must be equal.
func (r *Runtime) lookAtTopics(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var want []string
	for _, t := range allTopics() {
		want = append(want, r.names.topic(t))
	}
	meta, err := r.adm.Metadata(ctx, want...)
	if err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	r.cluster = meta.Cluster
	for _, t := range allTopics() {
		detail := meta.Topics[r.names.topic(t)]
		switch err := detail.Err; {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			return promise.Break("create it with leadline topics create", "topic %s: %w", r.names.topic(t), err)
		case err != nil:
			return fmt.Errorf("topic %s: %w", r.names.topic(t), err)
		}
		r.counts[t] = int32(len(detail.Partitions))
		r.owned.topicNames[detail.ID] = r.names.topic(t)
		if t == stateTopic {
			r.stateTopicID = hex.EncodeToString(detail.ID[:])
		}
	}
	return r.equalCounts()
}

func allTopics() []string {
	return append(append(shardTopics(), singleTopics()...), deadLettersTopic, lateEventsTopic)
}

func (r *Runtime) equalCounts() error {
	r.partitions = r.counts[inputs[purchasesInput].Topic]
	r.owned.partitions = r.partitions
	for _, t := range shardTopics() {
		if n := r.counts[t]; n != r.partitions {
			return promise.Break("if they grew, run leadline topics grow; else give all topics of the shards the same number of partitions",
				"topic %s has %d partitions, %s has %d", r.names.topic(t), n, r.names.topic(inputs[purchasesInput].Topic), r.partitions)
		}
	}
	for _, t := range singleTopics() {
		if n := r.counts[t]; n != 1 {
			return promise.Break("make it anew with one partition", "topic %s has %d partitions", r.names.topic(t), n)
		}
	}
	return nil
}

// firstOffsets commits the starts of the topics for shards that were never worked on, so that the consumer never has to choose
// an offset itself. A shard that has a record but no offsets was worked on: then it refuses.
func (r *Runtime) firstOffsets(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	missing, shards, err := r.missingOffsets(ctx)
	if err != nil || len(missing) == 0 {
		return err
	}
	for p := range r.partitions {
		last, ok, err := r.states.lastRecord(ctx, p)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := errors.Join(r.counted(&last.record), r.sameLevel(&last.record)); err != nil {
			return err
		}
		if slices.Contains(shards, p) {
			return r.lostOffsets(ctx, last)
		}
	}
	return r.commitStarts(ctx, missing)
}

// sameLevel tells whether links lead between what they led between when the record was written: what was counted of other items would be mixed
// up with what is counted from now on, and never come out again.
func (r *Runtime) sameLevel(rec *sales.ShardRecord) error {
	was, is := rec.LinkLevel, r.rules.get().LinkLevel
	if was == "" || was == is { // empty: a release that did not say
		return nil
	}
	return promise.Break(fmt.Sprintf("nothing was changed; set link_level back to %s, or learn links of the other level from the start: under another "+
		"topic_prefix, with the history loaded again", was), "the rules say link_level %s, and shard %d has counted links of level %s", is, rec.Partition, was)
}

// counted tells whether the shards are as many as when the record was written: otherwise customers are kept by shards that are not
// theirs any more, and would look new in those that are.
func (r *Runtime) counted(rec *sales.ShardRecord) error {
	switch n := rec.Partitions; {
	case n == 0 || n == r.partitions: // 0: a release that did not say
		return nil
	case n > r.partitions:
		return promise.Break("start again", "the topics had %d partitions when this engine started, and have grown to %d", r.partitions, n)
	default:
		return promise.Break(fmt.Sprintf("nothing was changed; run leadline topics grow --partitions %d, which brings the customers to their new shards", r.partitions),
			"the topics have %d partitions, and the customers are still kept by %d shards", r.partitions, n)
	}
}

// lostOffsets is the verdict on a shard that has a record and had no offsets when they were looked at. Another engine may have
// begun at that very moment: its record came with offsets, so what counts is whether they are missing still.
func (r *Runtime) lostOffsets(ctx context.Context, last placed) error {
	p := last.record.Partition
	_, shards, err := r.missingOffsets(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(shards, p) {
		return fmt.Errorf("shard %d has just been begun by another engine", p)
	}
	return promise.Break("nothing was changed; restore the group's offsets from the shard records before starting again",
		"shard %d has committed %d times, but the group %s has lost its offsets", p, last.record.CSN, r.cfg.group())
}

// missingOffsets lists inputs without a committed offset, and the partitions that have any of them.
func (r *Runtime) missingOffsets(ctx context.Context) (missing map[string][]int32, shards []int32, err error) {
	have, err := r.adm.FetchOffsets(kadm.RequireStable(ctx), r.cfg.group())
	if errors.Is(err, kerr.GroupIDNotFound) {
		err = nil
	}
	if err == nil {
		err = have.Error() // an offset that is not stable yet is not a missing one
	}
	if err != nil {
		return nil, nil, fmt.Errorf("fetch committed offsets: %w", err)
	}
	missing = map[string][]int32{}
	for p := range r.partitions {
		whole := true
		for _, in := range inputs {
			topic := r.names.topic(in.Topic)
			if o, ok := have.Lookup(topic, p); ok && o.At >= 0 {
				continue
			}
			missing[topic] = append(missing[topic], p)
			whole = false
		}
		if !whole {
			shards = append(shards, p)
		}
	}
	return missing, shards, nil
}

func (r *Runtime) commitStarts(ctx context.Context, missing map[string][]int32) error {
	starts, err := inputStarts(ctx, r.adm, r.names)
	if err != nil {
		return err
	}
	var offsets kadm.Offsets
	n := 0
	for t, ps := range missing {
		for _, p := range ps {
			at, _ := starts.Lookup(t, p)
			offsets.Add(kadm.Offset{Topic: t, Partition: p, At: at.Offset, LeaderEpoch: -1, Metadata: *csnMetadata(0)})
			n++
		}
	}
	if err := r.adm.CommitAllOffsets(ctx, r.cfg.group(), offsets); err != nil {
		return fmt.Errorf("commit the starts of the inputs: %w", err)
	}
	r.log.Info("first start: the inputs are read from their beginning", zap.Int("positions", n))
	return nil
}
