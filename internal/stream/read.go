package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/promise"
)

// pause makes the consumer read all shards but those, and forgets what it has read of them beyond their committed offsets.
func (r *Runtime) pause(sess *kgo.GroupTransactSession, ps []int32) {
	cl := sess.Client()
	want := map[string][]int32{}
	for _, p := range ps {
		for t, parts := range r.names.shardParts(p) {
			want[t] = append(want[t], parts...)
		}
	}
	resume := map[string][]int32{}
	for t, parts := range cl.PauseFetchPartitions(nil) {
		for _, p := range parts {
			if !slices.Contains(want[t], p) {
				resume[t] = append(resume[t], p)
			}
		}
	}
	if len(want) > 0 {
		cl.PauseFetchPartitions(want)
	}
	if len(resume) > 0 {
		cl.ResumeFetchPartitions(resume)
	}
}

// rewind makes the consumer read a shard's records again.
func (r *Runtime) rewind(sess *kgo.GroupTransactSession, p int32) {
	back := map[string]map[int32]kgo.EpochOffset{}
	committed := sess.Client().CommittedOffsets()
	for t := range r.names.shardParts(p) {
		if at, ok := committed[t][p]; ok {
			back[t] = map[int32]kgo.EpochOffset{p: at}
		}
	}
	sess.Client().SetOffsets(back)
}

// batch is what one cycle has read, by partition.
type batch map[int32]*[len(inputs)][]*kgo.Record

// gather reads until there is enough for one transaction, or it is time.
func (r *Runtime) gather(ctx context.Context, sess *kgo.GroupTransactSession, until time.Time) (batch, error) {
	got, n := batch{}, 0
	wait, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	for n < r.pace.records {
		fetches := sess.PollRecords(wait, r.pace.records-n)
		if err := r.fetchErrors(fetches); err != nil {
			return nil, err
		}
		fetches.EachPartition(func(tp kgo.FetchTopicPartition) {
			at, ok := r.owned.inputs[tp.Topic]
			if !ok || len(tp.Records) == 0 {
				return
			}
			in := got[tp.Partition]
			if in == nil {
				in = new([len(inputs)][]*kgo.Record)
				got[tp.Partition] = in
			}
			in[at] = append(in[at], tp.Records...)
			n += len(tp.Records)
			r.m.lag(tp.Topic, tp.Partition, tp.HighWatermark-tp.Records[len(tp.Records)-1].Offset-1)
		})
		if wait.Err() != nil || r.owned.changed(r.adopted.epoch) {
			break
		}
	}
	r.pace.full = n >= r.pace.records
	return got, nil
}

// pace is how many records a cycle reads at most: as many as are decided about in workTime, so that alerts are committed nearly as often
// while the engine catches up as they are when it has. What the transaction itself takes has no say: it hardly depends on the records, and
// with fewer of them a slow broker would only be asked for more transactions.
type pace struct {
	records int
	most    int
	full    bool // the last cycle read so many
}

const (
	workTime      = 60 * time.Millisecond
	fewestRecords = 500
)

func newPace(most int) pace { return pace{records: max(most/4, min(most, fewestRecords)), most: most} }

// took learns from a full cycle; it goes half the way, for one may have met with a pause of the machine.
func (p *pace) took(d time.Duration) {
	if !p.full || d <= 0 {
		return
	}
	fitting := int(float64(p.records) * min(float64(workTime)/float64(d), 2))
	p.records = min(max((p.records+fitting)/2, fewestRecords), p.most)
}

// fetchErrors sorts what the consumer complains about: lost data breaks a promise, a lost place ends the session, the rest passes.
func (r *Runtime) fetchErrors(fetches kgo.Fetches) (broke error) {
	fetches.EachError(func(topic string, p int32, err error) {
		var loss *kgo.ErrDataLoss
		var group *kgo.ErrGroupSession
		switch {
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed):
		case errors.Is(err, kerr.OffsetOutOfRange), errors.As(err, &loss):
			broke = promise.Break("its retention was shorter than the engine's absence, or it was made anew; decide where to go on "+
				"and set the group's offsets by hand", "%s-%d is not there at the committed offset: %w", topic, p, err)
		case errors.Is(err, kerr.FencedInstanceID):
			// It may be a request that an earlier life of ours left in the broker's queue: the next session looks who stays (stillOurs).
			broke = fmt.Errorf("the place of %q in the group is taken: %w", r.cfg.InstanceID, err)
		case errors.As(err, &group):
			r.log.Warn("not in the group, joining again", zap.Error(err))
		default:
			r.log.Warn("read", zap.String("topic", topic), zap.Int32("partition", p), zap.Error(err))
		}
	})
	return broke
}

// endsInTurn asks for the ends, but once a tick while the engine catches up: then hardly a shard has read up to them, and one that has
// waits for its tick at most.
func (r *Runtime) endsInTurn(ctx context.Context) map[int32]ends {
	if r.pace.full && time.Since(r.endsAsked) < r.cfg.TickEvery {
		return r.unknownEnds()
	}
	r.endsAsked = time.Now()
	return r.inputEnds(ctx)
}

// unknownEnds is when no shard counts as read up.
func (r *Runtime) unknownEnds() map[int32]ends {
	out := map[int32]ends{}
	for p := range r.shards {
		out[p] = ends{-1, -1}
	}
	return out
}

// inputEnds lists the stable ends of the watermarked inputs, before the poll: a shard read up to them has seen all there was.
// Without an answer no shard counts as read up.
func (r *Runtime) inputEnds(ctx context.Context) map[int32]ends {
	out := r.unknownEnds()
	if len(r.shards) == 0 {
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	touchpoints, purchases := r.names.topic(inputs[touchpointsInput].Topic), r.names.topic(inputs[purchasesInput].Topic)
	listed, err := r.adm.ListCommittedOffsets(ctx, touchpoints, purchases)
	if err != nil {
		return out
	}
	for p := range r.shards {
		t, okT := listed.Lookup(touchpoints, p)
		b, okB := listed.Lookup(purchases, p)
		if okT && okB && t.Err == nil && b.Err == nil {
			out[p] = ends{touchpoints: t.Offset, purchases: b.Offset}
		}
	}
	return out
}
