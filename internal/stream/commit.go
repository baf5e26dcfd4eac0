package stream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
)

// process gives each shard its part of the batch, all at the same time, and returns those that have something to commit. A
// shard that cannot finish is left out and its records will be read again; the others go on.
func (r *Runtime) process(ctx context.Context, sess *kgo.GroupTransactSession, b batch, ends map[int32]ends) ([]*shard, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	var wg sync.WaitGroup
	errs := map[int32]*error{}
	for _, p := range slices.Sorted(maps.Keys(r.shards)) {
		s := r.shards[p]
		w := &work{ends: ends[p], clock: millis(time.Now())}
		if in := b[p]; in != nil {
			w.in = *in
		}
		if r.adopted.shards == nil || !s.due(w, r.cfg.TickEvery) {
			continue
		}
		err := new(error)
		errs[p] = err
		wg.Go(func() { s.pending, *err = r.take(ctx, s, w) })
	}
	wg.Wait()
	var done []*shard
	for _, p := range slices.Sorted(maps.Keys(errs)) {
		s := r.shards[p]
		switch err := *errs[p]; {
		case err != nil:
			r.leaveOut(sess, s, err)
		case s.pending != nil:
			done = append(done, s)
		}
	}
	return done, nil
}

// due tells whether the shard has anything to do in this cycle.
func (s *shard) due(w *work, tickEvery time.Duration) bool {
	if s.recovering || time.Now().Before(s.holdUntil) {
		return false
	}
	if w.empty() && time.Since(s.lastTick) < tickEvery {
		return false
	}
	s.lastTick = time.Now()
	return true
}

// leaveOut makes the consumer read the shard's records again, after recovery or after a while.
func (r *Runtime) leaveOut(sess *kgo.GroupTransactSession, s *shard, err error) {
	r.rewind(sess, s.p)
	var behind errBehind
	if errors.As(err, &behind) {
		r.log.Warn("shard waits for its projection", zap.Int32("partition", s.p), zap.Error(err))
		if behind.corrupt {
			s.core = nil // it may have been made from the same damage: a torn write takes timers with it
		}
		r.recover(s, fetched{s.csn, s.next}, s.core, behind.corrupt)
		return
	}
	wait := s.hold()
	r.m.held.Inc()
	r.log.Warn("shard waits", zap.Int32("partition", s.p), zap.Duration("for", wait), zap.Error(err))
}

// commit writes what the shards decided in one transaction, and learns what became of it. Nothing waits between the first
// record and the end.
func (r *Runtime) commit(ctx context.Context, sess *kgo.GroupTransactSession, done []*shard) error {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := sess.Begin(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	try, produced := kgo.TryCommit, r.produce(ctx, sess, done)
	if produced != nil {
		try = kgo.TryAbort
		r.log.Warn("the transaction cannot be completed", zap.Error(produced))
	}
	committed, err := sess.End(kgo.PreTxnCommitFnContext(ctx, func(req *kmsg.TxnOffsetCommitRequest) error {
		return r.offsets(req, done)
	}), try)
	switch {
	case committed:
		r.m.transaction("commit")
		r.m.stage(stageCommit, time.Since(began))
		for _, s := range done {
			st := s.committed()
			r.committed(s, st)
			s.written(st.out)
		}
		return nil
	case err != nil:
		r.m.transaction("unknown")
		return fmt.Errorf("end transaction: %w", err) // the next session learns from the stable offsets what became of it
	case produced != nil:
		r.m.transaction("abort")
		r.rollBack(done)
		return nil
	}
	r.m.transaction("refused")
	return r.settle(ctx, done)
}

func (r *Runtime) rollBack(done []*shard) {
	for _, s := range done {
		s.rolledBack()
		s.hold()
	}
}

// produce writes the records of all shards and waits until the broker has them. The shard record is each shard's last, and its
// place is where the projection's next reading of leadline.state begins.
func (r *Runtime) produce(ctx context.Context, sess *kgo.GroupTransactSession, done []*shard) error {
	var mu sync.Mutex
	var first error
	acknowledged := func(rec *kgo.Record, err error) {
		if err == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = fmt.Errorf("produce to %s-%d: %w", rec.Topic, rec.Partition, err)
		}
	}
	for _, s := range done {
		for _, rec := range s.pending.records {
			sess.Produce(ctx, rec, acknowledged)
		}
	}
	if err := sess.Client().Flush(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	mu.Lock()
	defer mu.Unlock()
	return first
}

// offsets completes the offsets of the transaction: the csn as metadata, and the position of purchases for shards in which no
// purchase was read, ticks included. Member and generation are those under which the shards were given to us: the client may
// have learned newer ones, under which the broker would no longer refuse us. Offsets of a shard that is not in the
// transaction must not get in.
func (r *Runtime) offsets(req *kmsg.TxnOffsetCommitRequest, done []*shard) error {
	req.MemberID, req.Generation = r.adopted.member, r.adopted.generation
	csn := map[int32]*string{}
	named := map[int32]bool{}
	for _, s := range done {
		csn[s.p] = csnMetadata(s.pending.csn)
	}
	purchases := r.names.topic(inputs[purchasesInput].Topic)
	at := -1
	for i := range req.Topics {
		t := &req.Topics[i]
		if t.Topic == purchases {
			at = i
		}
		for j := range t.Partitions {
			p := &t.Partitions[j]
			if csn[p.Partition] == nil {
				return fmt.Errorf("%s-%d was read but is not in the transaction", t.Topic, p.Partition)
			}
			p.Metadata = csn[p.Partition]
			named[p.Partition] = named[p.Partition] || t.Topic == purchases
		}
	}
	if at < 0 {
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic = purchases
		t.TopicID = r.owned.topicID(purchases)
		at = len(req.Topics)
		req.Topics = append(req.Topics, t)
	}
	for _, s := range done {
		if !named[s.p] {
			p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = s.p, s.pending.next[purchasesInput], -1, csn[s.p]
			req.Topics[at].Partitions = append(req.Topics[at].Partitions, p)
		}
	}
	return nil
}

// settle learns from the stable committed offsets what became of a transaction that did not clearly commit. A shard that is
// neither where it was nor where it wanted to be is somebody else's, and waits for the group's next answer.
func (r *Runtime) settle(ctx context.Context, done []*shard) error {
	topic := r.names.topic(inputs[purchasesInput].Topic)
	have, err := r.adm.FetchOffsetsForTopics(kadm.RequireStable(ctx), r.cfg.group(), topic)
	if err == nil {
		err = have.Error()
	}
	if err != nil {
		return fmt.Errorf("learn what became of the transaction: %w", err)
	}
	sure := true
	for _, s := range done {
		o, _ := have.Lookup(topic, s.p)
		csn, ok := parseCSN(&o.Metadata)
		switch {
		case ok && csn == s.csn:
			s.rolledBack()
		case ok && csn == s.pending.csn:
			r.committed(s, s.committed())
			sure = false
		default:
			sure = false
		}
	}
	if !sure {
		return errors.New("the transaction was refused and its end is not clear")
	}
	return nil
}

// committed passes a committed step on: to the projection, and to the metrics.
func (r *Runtime) committed(s *shard, st *step) {
	c := commit{csn: st.csn, stateOffset: st.records[len(st.records)-1].Offset + 1,
		changes: st.decision.Changes, runs: st.decision.NewItems}
	r.projector.add(s.p, c)
	r.m.committed(s, st)
}
