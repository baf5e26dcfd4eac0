package stream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kzap"
	"go.uber.org/zap"

	"leadline/internal/engine"
	"leadline/internal/promise"
)

// session is one life of the transactional group member. It ends with the context (nil), with an error after which only a
// new one can tell where things stand, or with a broken promise.
func (r *Runtime) session(ctx, work context.Context) error {
	if err := r.stillOurs(ctx); err != nil {
		return err
	}
	sess, err := kgo.NewGroupTransactSession(r.sessionOptions()...)
	if err != nil {
		return promise.Break("mend the configuration", "open session: %w", err)
	}
	defer sess.Close()
	defer func() {
		member, _ := sess.Client().GroupMetadata()
		r.place.hold(member)
	}()
	// A producer id at once: it ends what an earlier life left open, and with it the wait for stable offsets.
	if err := producerID(ctx, sess.Client()); err != nil {
		return err
	}
	r.say("joining the group")
	r.adopted = ownership{epoch: -1}
	for ctx.Err() == nil {
		if err := r.cycle(ctx, work, sess); err != nil {
			return err
		}
	}
	return nil
}

func (r *Runtime) sessionOptions() []kgo.Opt {
	var topics []string
	for _, in := range inputs {
		topics = append(topics, r.names.topic(in.Topic))
	}
	return append(slices.Clone(r.cfg.Kafka),
		kgo.ConsumerGroup(r.cfg.group()),
		kgo.InstanceID(r.cfg.InstanceID),
		kgo.Balancers(kgo.RangeBalancer()), // the only one that keeps partition p of all inputs together
		kgo.SessionTimeout(sessionTimeout),
		kgo.HeartbeatInterval(heartbeat),
		kgo.RebalanceTimeout(sessionTimeout), // a cycle is shorter, and the dead hold up the others no longer
		kgo.MetadataMinAge(time.Second),      // a newly assigned partition waits for this before it is read
		kgo.FetchMaxWait(fetchWait),
		kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // out of range must be loud
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that a position can reach the end of an input
		kgo.MaxDecompressBatchBytes(256<<20),
		kgo.TransactionalID(r.cfg.transactionalID()),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytesFn(r.names.batchBytes),
		kgo.MaxBufferedRecords(100_000),
		kgo.OnPartitionsAssigned(r.owned.onAssigned),
		kgo.OnPartitionsRevoked(r.owned.clear),
		kgo.OnPartitionsLost(r.owned.clear),
		kgo.OnOffsetsFetched(r.owned.onFetched),
		kgo.WithLogger(kzap.New(r.log.Named("kafka"), kzap.Level(kgo.LogLevelWarn))),
	)
}

// cycle is one turn of the loop: whatever changed is taken in, then one batch is read and committed.
func (r *Runtime) cycle(ctx, work context.Context, sess *kgo.GroupTransactSession) error {
	if r.owned.changed(r.adopted.epoch) {
		if err := r.adopt(work, sess); err != nil {
			return err
		}
	}
	if err := r.takeIn(work, sess); err != nil {
		return err
	}
	began := time.Now()
	ends := r.endsInTurn(ctx)
	batch, err := r.gather(ctx, sess, began.Add(r.cfg.CommitEvery))
	if err != nil || r.owned.changed(r.adopted.epoch) {
		return err // what was read is read again after the new ownership is adopted
	}
	r.m.stage(stagePoll, time.Since(began))
	began = time.Now()
	done, err := r.process(work, sess, batch, ends)
	r.pace.took(time.Since(began))
	if err != nil || len(done) == 0 {
		return err
	}
	return r.commit(work, sess, done)
}

// adopt makes the shards those of the current ownership. Ending without a transaction clears the session's mark that a
// rebalance happened, and puts the consumer back to the committed offsets.
func (r *Runtime) adopt(ctx context.Context, sess *kgo.GroupTransactSession) error {
	now := r.owned.get()
	if now.err != nil {
		return now.err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if _, err := sess.End(ctx, kgo.TryAbort); err != nil {
		return fmt.Errorf("end before adopting: %w", err)
	}
	r.endRecoveries()
	r.adopted = now
	if now.shards == nil {
		r.log.Info("no shard is owned")
		return nil // the shards stay in memory: the next answer may give them back unchanged
	}
	for p, s := range r.shards {
		if _, ok := now.shards[p]; !ok {
			r.drop(s)
		}
	}
	kept := 0
	for p, at := range now.shards {
		if r.keep(p, at) {
			kept++
		}
	}
	r.place.hold(now.member)
	r.log.Info("shards owned", zap.Int("shards", len(now.shards)), zap.Int("kept_in_memory", kept),
		zap.Int32("generation", now.generation))
	return nil
}

func (r *Runtime) drop(s *shard) {
	r.projector.end(s.p)
	r.m.forget(s.p)
	delete(r.shards, s.p)
}

// keep goes on with a shard that is in memory exactly as committed; otherwise recovery begins.
func (r *Runtime) keep(p int32, at fetched) bool {
	if s := r.shards[p]; s != nil && s.core != nil {
		st, agreed := s.settle(at)
		if st != nil {
			r.committed(s, st)
		}
		if agreed && !s.recovering {
			return true
		}
		if agreed {
			r.recover(s, at, s.core, false)
			return false
		}
		r.drop(s)
	}
	s := &shard{p: p}
	r.shards[p] = s
	r.recover(s, at, nil, false)
	return false
}

// recover begins the recovery of a shard. With a core the shard goes on from memory, and only its projection is mended.
func (r *Runtime) recover(s *shard, at fetched, core *engine.Shard, whole bool) {
	s.recovering = true
	r.projector.end(s.p)
	ctx, cancel := context.WithCancel(context.Background())
	rc := &recovery{r: r, p: s.p, epoch: r.adopted.epoch, at: at, core: core, whole: whole, rules: r.rules.current, cancel: cancel}
	r.recovering[s.p] = rc
	r.m.rebuilding.Set(float64(len(r.recovering)))
	r.recoveries.Go(func() {
		res := rc.run(ctx)
		select {
		case r.recovered <- res:
		case <-ctx.Done():
		}
	})
}

func (r *Runtime) endRecoveries() {
	for p, rc := range r.recovering {
		rc.cancel()
		delete(r.recovering, p)
	}
	r.recoveries.Wait()
	r.m.rebuilding.Set(0)
}

// install puts a recovered shard to work.
func (r *Runtime) install(res recovered) error {
	res.cancel()
	delete(r.recovering, res.p)
	r.m.rebuilding.Set(float64(len(r.recovering)))
	s := r.shards[res.p]
	if res.err != nil {
		return res.err
	}
	s.core, s.recovering, s.holdUntil = res.core, false, time.Time{}
	s.csn, s.next = res.at.csn, res.at.next
	s.rules, s.applied = res.last.record.RulesHash, ""
	s.lastCommit = time.Now()
	r.projector.begin(s.p, res.meta)
	s.core.Acknowledge(res.meta.CSN)
	r.log.Info("shard is at work", zap.Int32("partition", s.p), zap.Int64("csn", s.csn), zap.Int64("generation", res.meta.Generation))
	return nil
}

// takeIn brings in what happened beside the loop since the last cycle: recoveries, acknowledgements, knowledge, rules.
func (r *Runtime) takeIn(ctx context.Context, sess *kgo.GroupTransactSession) error {
	for done := false; !done; {
		select {
		case res := <-r.recovered:
			if err := r.install(res); err != nil {
				return err
			}
		default:
			done = true
		}
	}
	r.takeRules()
	if err := r.knowledge.apply(ctx); err != nil {
		r.log.Warn("knowledge stands still", zap.Error(err))
	}
	if r.adopted.shards == nil {
		r.say("joining the group")
		return nil
	}
	var paused []int32
	for p, s := range r.shards {
		if r.lookAfter(s) {
			paused = append(paused, p)
		}
	}
	slices.Sort(paused)
	r.pause(sess, paused)
	r.sayReady()
	return nil
}

func (r *Runtime) sayReady() {
	if len(r.recovering) == 0 {
		r.say("")
		return
	}
	r.say("rebuilding shards %v", slices.Sorted(maps.Keys(r.recovering)))
}

func (r *Runtime) takeRules() {
	next := r.rules.get()
	hash := next.Hash()
	if hash == r.rules.hash {
		return
	}
	r.rules.current, r.rules.hash = next, hash
	r.knowledge.known.SetRules(next)
	r.log.Info("rules", zap.String("hash", hash))
}

// lookAfter brings one shard up to date and tells whether nothing is to be read for it now.
func (r *Runtime) lookAfter(s *shard) (paused bool) {
	if s.recovering {
		return true
	}
	meta, bytes, behind := r.projector.look(s.p)
	r.m.gap(s.p, s.csn-meta.CSN, bytes)
	if behind != nil && s.pending == nil {
		r.log.Warn("the projection is not what it was", zap.Int32("partition", s.p), zap.Error(behind))
		r.recover(s, fetched{s.csn, s.next}, s.core, false)
		return true
	}
	s.core.Acknowledge(meta.CSN)
	s.core.Evict(r.cfg.CacheBytes / len(r.shards))
	if s.applied != r.rules.hash {
		s.core.SetRules(r.rules.current)
		s.applied = r.rules.hash
	}
	return bytes > r.cfg.QueueBytes || time.Now().Before(s.holdUntil)
}
