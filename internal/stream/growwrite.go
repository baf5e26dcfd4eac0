package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"leadline/internal/engine"
	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// write carries out the plan in one transaction.
func (g *growth) write(ctx context.Context) (err error) {
	if err := g.newShards(ctx); err != nil {
		return err
	}
	if err := g.cl.BeginTransaction(); err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	if err = g.produce(ctx); err == nil {
		err = g.commitOffsets(ctx)
	}
	if err != nil {
		// Also when ctx is what failed: an open transaction would hold up every reader until it times out.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
		defer cancel()
		return errors.Join(err, g.cl.EndTransaction(ctx, kgo.TryAbort))
	}
	if err := g.cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("end transaction (doing it again tells whether it was committed, and completes it): %w", err)
	}
	return nil
}

// newShards gives the shards that are new their place: the starts of their inputs. What was sent there meanwhile is read by them.
func (g *growth) newShards(ctx context.Context) error {
	for i, in := range inputs {
		topic := g.names.topic(in.Topic)
		starts, err := g.adm.ListStartOffsets(ctx, topic)
		if err == nil {
			err = starts.Error()
		}
		if err != nil {
			return fmt.Errorf("starts of %s: %w", topic, err)
		}
		for p := g.done.From; p < g.done.To; p++ {
			at, ok := starts.Lookup(topic, p)
			if !ok {
				return fmt.Errorf("%s has no partition %d", topic, p)
			}
			f := g.at[p]
			f.next[i] = at.Offset
			g.at[p] = f
		}
	}
	for _, c := range g.plan {
		f := g.at[c.p]
		f.csn = c.csn // the last one counts
		g.at[c.p] = f
	}
	return nil
}

// sender produces, and remembers the first error.
type sender struct {
	cl *kgo.Client

	mu    sync.Mutex
	first error
}

func (s *sender) send(ctx context.Context, rec *kgo.Record) {
	s.cl.Produce(ctx, rec, func(rec *kgo.Record, err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil && s.first == nil {
			s.first = fmt.Errorf("produce to %s-%d: %w", rec.Topic, rec.Partition, err)
		}
	})
}

func (s *sender) flush(ctx context.Context) error {
	if err := s.cl.Flush(ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.first
}

func (g *growth) produce(ctx context.Context) error {
	out := &sender{cl: g.cl}
	mark := kgo.RecordHeader{Key: intake.RehomedHeader, Value: fmt.Appendf(nil, "%d/%d", g.done.From, g.done.To)}
	for _, pr := range g.profiles {
		rec := pr.record
		out.send(ctx, &kgo.Record{Topic: rec.Topic, Partition: pr.to, Key: rec.Key, Value: rec.Value, Headers: append(slices.Clone(rec.Headers), mark),
			Timestamp: rec.Timestamp})
		out.send(ctx, &kgo.Record{Topic: rec.Topic, Partition: pr.from, Key: rec.Key, Headers: []kgo.RecordHeader{mark}})
	}
	clock := millis(time.Now())
	for i := range g.plan {
		c := &g.plan[i]
		if err := g.produceCommit(ctx, out, c, clock); err != nil {
			return fmt.Errorf("encode commit %d of shard %d: %w", c.csn, c.p, err)
		}
		if i%100 == 0 {
			g.deps.Log.Info("bringing customers home", zap.Int("commits", i), zap.Int("of", len(g.plan)))
		}
	}
	return out.flush(ctx)
}

// produceCommit writes what an engine's commit has: state and the shard record last, journal, tallies. The state stands once more on
// leadline.rehomed, which is not compacted, for replays.
func (g *growth) produceCommit(ctx context.Context, out *sender, c *growCommit, clock sales.Millis) error {
	send := func(topic string, p int32, key, value []byte) {
		out.send(ctx, &kgo.Record{Topic: g.names.topic(topic), Partition: p, Key: key, Value: value})
	}
	record := g.record(c, g.at[c.p].next)
	shard, err := g.deps.Encoder.AppendShardRecord(nil, &record)
	if err != nil {
		return err
	}
	for _, topic := range []string{stateTopic, rehomedTopic} {
		for _, run := range c.runs {
			send(topic, c.p, itemsKey(run.First), run.Run)
		}
		for _, ch := range c.changes {
			send(topic, c.p, []byte(ch.CustomerID), ch.Blob)
		}
		send(topic, c.p, []byte(sales.ShardRecordKey), shard)
	}
	j := sales.Journal{Partition: c.p, CSN: c.csn, Now: record.Now, Watermark: record.Now, Clock: clock, Changed: int32(len(c.changes)),
		Partitions: g.done.To, GrownFrom: g.done.From}
	journal, err := g.deps.Encoder.AppendJournal(nil, &j)
	if err != nil {
		return err
	}
	send(journalTopic, c.p, nil, journal)
	for _, kind := range sales.TallyKinds() {
		// Nobody's contribution changes: it goes by what the customer holds, wherever that is.
		tally, err := g.deps.Encoder.AppendTally(nil, &sales.Tally{Kind: kind, Partition: c.p, CSN: c.csn, Now: record.Now})
		if err != nil {
			return err
		}
		send(talliesTopic+string(kind), 0, strconv.AppendInt(nil, int64(c.p), 10), tally)
	}
	return nil
}

// commitOffsets makes the group's offsets part of the transaction, as the client does it for members of a group.
func (g *growth) commitOffsets(ctx context.Context) error {
	id, epoch, err := g.cl.ProducerID(ctx)
	if err != nil {
		return fmt.Errorf("get the producer id: %w", err)
	}
	transactionalID := g.cfg.growID()
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = transactionalID, id, epoch, g.cfg.group()
	added, err := add.RequestWith(ctx, g.cl)
	if err == nil {
		err = kerr.ErrorForCode(added.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("add offsets to the transaction: %w", err)
	}
	commit := kmsg.NewPtrTxnOffsetCommitRequest()
	commit.TransactionalID, commit.ProducerID, commit.ProducerEpoch, commit.Group = transactionalID, id, epoch, g.cfg.group()
	if commit.Topics, err = g.offsets(ctx); err != nil {
		return err
	}
	done, err := commit.RequestWith(ctx, g.cl)
	if err != nil {
		return fmt.Errorf("commit offsets: %w", err)
	}
	for _, t := range done.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("commit the offset of an input's partition %d: %w", p.Partition, err)
			}
		}
	}
	return nil
}

func (g *growth) offsets(ctx context.Context) ([]kmsg.TxnOffsetCommitRequestTopic, error) {
	var all []kmsg.TxnOffsetCommitRequestTopic
	for i, in := range inputs {
		t := kmsg.NewTxnOffsetCommitRequestTopic()
		t.Topic = g.names.topic(in.Topic)
		found, err := g.adm.ListTopics(ctx, t.Topic)
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", t.Topic, err)
		}
		t.TopicID = found[t.Topic].ID
		for p := range g.done.To {
			o := kmsg.NewTxnOffsetCommitRequestTopicPartition()
			o.Partition, o.Offset, o.LeaderEpoch, o.Metadata = p, g.at[p].next[i], -1, csnMetadata(g.at[p].csn)
			t.Partitions = append(t.Partitions, o)
		}
		all = append(all, t)
	}
	return all, nil
}

// verify reads leadline.state again: every customer stands exactly once, at home, can be read under the shard's dictionary, and is what it
// was meant to be.
func (g *growth) verify(ctx context.Context) error {
	homes, err := g.readHomes(ctx)
	if err != nil {
		return fmt.Errorf("read the state back: %w", err)
	}
	want := g.expected()
	var have fingerprint
	for p, h := range homes {
		if h.record != nil && h.record.Partitions != g.done.To {
			return fmt.Errorf("after the growth shard %d says that it is one of %d", p, h.record.Partitions)
		}
		for customer, blob := range h.blobs {
			if at := wire.Partition([]byte(customer), g.done.To); at != int32(p) {
				return fmt.Errorf("after the growth customer %s is kept by shard %d and belongs to %d", customer, p, at)
			}
			if _, err := engine.DecodeCustomer(blob, h.items); err != nil {
				return fmt.Errorf("after the growth customer %s cannot be read: %w", customer, err)
			}
			have.add(customer, blob)
		}
	}
	if have != want {
		return fmt.Errorf("after the growth %d customers are kept where %d should be, or not as they should be: this is a defect, start no engine and report it",
			have.customers, want.customers)
	}
	return nil
}
