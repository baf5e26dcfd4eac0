package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// job is what a replay does with the commits of one shard.
type job interface {
	// take decides about a commit through the walk's shadow and makes use of what was decided.
	take(ctx context.Context, j *sales.Journal) error
	// flush completes what take has only begun, because the walk is about to be kept as it is.
	flush(ctx context.Context) error
	// end comes after the last commit.
	end(ctx context.Context) error
	// release closes what the job has opened.
	release()
	// state is plain data that resume takes back, so that a job can go on after the commit just taken, or have ended.
	state() any
	resume(state json.RawMessage) error
}

// walk follows one shard's journal and gives each commit to its job.
type walk struct {
	h       *history
	p       int32
	journal *journal
	shadow  *Shadow
	job     job
	sum     ShardReport
	judged  sales.Millis // the shard's time at which a warm-up is over, 0 without one
	done    bool
	saves   saves
}

// maxShards is how many shards are played at the same time.
const maxShards = 4

// walkAll plays all shards, each with a job of its own, and gives the walks that began, in the shards' order. With an error they tell how
// far the work came.
func (h *history) walkAll(ctx context.Context, verb string, begin func(ctx context.Context, w *walk) error) ([]*walk, error) {
	walks := make([]*walk, len(h.shards))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(maxShards, runtime.GOMAXPROCS(0)))
	for i, p := range h.shards {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			w := h.newWalk(p)
			walks[i] = w
			defer w.close()
			if err := w.run(ctx, begin); err != nil {
				return fmt.Errorf("%s shard %d: %w", verb, p, err)
			}
			return nil
		})
	}
	err := group.Wait()
	begun := walks[:0]
	for _, w := range walks {
		if w != nil && w.job != nil {
			begun = append(begun, w)
		}
	}
	return begun, err
}

func (h *history) newWalk(p int32) *walk {
	w := &walk{h: h, p: p, sum: ShardReport{Partition: p}, saves: saves{last: time.Now()}}
	w.journal = &journal{at: w.cursor(journalTopic, p), decoder: h.o.Decoder, prefix: h.o.Prefix, next: map[string]int64{},
		begins: func(topic string) int64 { return h.begins[strings.TrimPrefix(topic, h.o.Prefix)][p] }}
	if !h.o.Until.IsZero() {
		w.journal.until = sales.Millis(h.o.Until.UnixMilli())
	}
	return w
}

func (w *walk) cursor(topic string, p int32) *cursor {
	return &cursor{opts: w.h.o.Kafka, topic: w.h.topic(topic), p: p, pos: w.h.begins[topic][p]}
}

func (w *walk) close() {
	w.journal.at.close()
	if w.shadow != nil {
		w.shadow.Close()
	}
	if w.job != nil {
		w.job.release()
	}
}

// run plays the shard from where it begins to its end. A journal that cannot be followed ends it early, and the sum says why.
func (w *walk) run(ctx context.Context, begin func(context.Context, *walk) error) error {
	if err := begin(ctx, w); err != nil {
		return err
	}
	err := w.start(ctx)
	if err == nil && !w.done {
		err = w.upTo(ctx, w.h.ends[journalTopic][w.p])
		if err == nil {
			err = w.job.end(ctx)
		}
	}
	if err = w.stopped(err); err != nil {
		return err
	}
	w.done = true
	return w.save(ctx)
}

// stopped notes in the sum that the history cannot be followed any further, which is no error.
func (w *walk) stopped(err error) error {
	var cut *cutError
	var gap *gapError
	switch {
	case errors.As(err, &cut):
		w.sum.Stopped = cut.reason
	case errors.As(err, &gap):
		w.sum.Stopped, w.sum.Broken = gap.reason, true
	default:
		return err
	}
	return nil
}

// start goes to where the work begins: where an earlier run stopped, or at a snapshot, or behind the beginning that is gone, or at the
// first commit.
func (w *walk) start(ctx context.Context) error {
	resumed, err := w.h.resumed(w.p)
	if err != nil {
		return err
	}
	if resumed != nil {
		w.sum, w.judged, w.done = resumed.head.Sum, resumed.head.Judged, resumed.head.Done
		if resumed.head.Job != nil && w.job != nil {
			if err := w.job.resume(resumed.head.Job); err != nil {
				return fmt.Errorf("%w: %w", errDamaged, err)
			}
		}
		w.h.skipped(resumed.head.Journal - w.h.begins[journalTopic][w.p])
		return w.restore(ctx, resumed)
	}
	switch {
	case w.h.o.Snapshot != "":
		return w.startAtSnapshot(ctx)
	case w.h.o.WarmUp:
		return w.startWarm(ctx)
	}
	return nil
}

// upTo plays the commits before an offset of the journal. When the context ends it stops between two commits, and what was done is kept.
func (w *walk) upTo(ctx context.Context, limit int64) error {
	for {
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), w.save(ctx))
		}
		from := w.journal.at.pos
		j, err := w.journal.read(ctx, limit)
		if j == nil || err != nil {
			return err
		}
		if err := w.job.take(ctx, j); err != nil {
			return fmt.Errorf("play commit %d: %w", j.CSN, err)
		}
		records := w.count(j)
		w.shadow.Commit()
		if err := w.saveNowAndThen(ctx); err != nil {
			return err
		}
		if err := w.h.played(ctx, records, w.journal.at.pos-from); err != nil {
			return errors.Join(err, w.save(ctx))
		}
	}
}

func (w *walk) count(j *sales.Journal) (records int64) {
	at := time.UnixMilli(int64(j.Clock)).UTC()
	if w.sum.Commits == 0 {
		w.sum.From = at
	}
	w.sum.To, w.sum.CSN = at, j.CSN
	w.sum.Commits++
	if j.GrownFrom != 0 {
		w.sum.note(&w.shadow.step)
	}
	records = w.shadow.step.Records
	w.sum.Records += records
	for _, c := range w.shadow.cores[:w.shadow.own()] {
		w.sum.Timers += int64(c.last.TimersFired)
		w.sum.Duplicates += int64(c.last.Duplicates)
	}
	w.sum.Removed = w.shadow.removed
	return records
}

// warm tells whether the commit still belongs to a warm-up, of which nothing is judged.
func (w *walk) warm(j *sales.Journal) bool { return j.Now < w.judged }

// positionsOfKnowledge is where the topics of the knowledge begin.
func (h *history) positionsOfKnowledge() (begins intake.Positions) {
	for i, t := range intake.KnowledgeTopics {
		begins[i] = h.begins[t][0]
	}
	return begins
}

// unknownSchemas lists the records that the live engine gave up because the registry did not have their schema: it may have it by now.
func (w *walk) unknownSchemas(ctx context.Context) (map[sales.Source]string, error) {
	p := w.p % w.h.counts[deadLettersTopic]
	c := w.cursor(deadLettersTopic, p)
	defer c.close()
	given := map[sales.Source]string{}
	for {
		rec, err := c.next(ctx, w.h.ends[deadLettersTopic][p])
		if rec == nil || err != nil {
			return given, err
		}
		var why wire.Refusal
		for _, h := range rec.Headers {
			why.Take(h.Key, h.Value)
		}
		if why.Class == sales.DeadUnknownSchema && why.Source.Partition == w.p {
			given[why.Source] = why.Reason
		}
	}
}
