package analyst

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/promise"
	"leadline/internal/sales"
)

// foldAll adds everything that was polled. Control records only move the position.
func (s *session) foldAll(ctx context.Context, fetches kgo.Fetches) error {
	if err := fetchError(fetches); err != nil {
		return err
	}
	began := time.Now()
	folded := 0
	var tally sales.Tally
	for it := fetches.RecordIter(); !it.Done(); {
		rec := it.Next()
		kind, _ := s.topics.kind(rec.Topic)
		if rec.Attrs.IsControl() {
			s.memory.sums.pass(kind, rec.Offset)
			continue
		}
		if err := s.deps.Decoder.Tally(ctx, rec.Value, &tally); err != nil {
			return unreadable(err, rec.Topic, rec.Offset)
		}
		if kind != tally.Kind {
			return promise.Break("only Leadline may write tallies", "%s-0 at %d holds a tally of %q", rec.Topic, rec.Offset, tally.Kind)
		}
		if err := s.memory.sums.fold(&tally, rec.Offset); err != nil {
			return fmt.Errorf("fold %s-0 at %d: %w", rec.Topic, rec.Offset, err)
		}
		folded++
		s.metrics.tallies.WithLabelValues(string(tally.Kind)).Inc()
	}
	if folded > 0 {
		s.metrics.unpublished.Add(float64(folded))
		s.metrics.foldSeconds.Observe(time.Since(began).Seconds())
	}
	s.observeLag(fetches)
	return nil
}

// fetchError is what of a poll's errors the client cannot get over by itself.
func fetchError(fetches kgo.Fetches) error {
	var all []error
	fetches.EachError(func(topic string, partition int32, err error) {
		switch {
		case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		case errors.Is(err, kerr.OffsetOutOfRange):
			all = append(all, promise.Break("tallies are gone that were never counted; learn anew from leadline.state, or restore the topic",
				"read %s-%d: %w", topic, partition, err))
		default:
			all = append(all, fmt.Errorf("read %s-%d: %w", topic, partition, err))
		}
	})
	return errors.Join(all...)
}

func (s *session) observeLag(fetches kgo.Fetches) {
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if kind, ok := s.topics.kind(p.Topic); ok && p.HighWatermark > 0 {
			s.metrics.lag.WithLabelValues(string(kind)).Set(float64(p.HighWatermark - s.memory.sums.progress[kind].next))
		}
	})
}

// shareOfTime bounds what publishing may cost: it rests at least so many times as long as it took, whatever is due.
const shareOfTime = 4

// due tells whether it is time to publish: something changed, and either a day of event time has passed or Every of the
// wall clock's.
func (s *session) due() bool {
	return s.memory.sums.dirty() && time.Since(s.last.at) >= s.pace()
}

// pace is how long to wait after the last commit.
func (s *session) pace() time.Duration {
	rest := shareOfTime * s.last.took
	if s.day() > s.last.day {
		return rest
	}
	return max(rest, s.cfg.Every)
}

// shareOfKeeping bounds what keeping the sums of pairs may cost: with many customers nearly all of them change all the time.
const shareOfKeeping = 9

// keeps tells whether it is time to keep the sums of pairs.
func (s *session) keeps() bool {
	return s.memory.sums.unkept && time.Since(s.kept.at) >= max(s.cfg.Keep, shareOfKeeping*s.kept.took)
}

// saysAll tells whether it is time to say also what has moved by less than a hundredth: once a day of event time, if it passes slowly.
func (s *session) saysAll() bool {
	return s.day() > s.whole.day && time.Since(s.whole.at) >= s.cfg.Keep
}

// rests tells whether nothing comes any more, and something is left to be kept or said.
func (s *session) rests() bool {
	return !s.memory.sums.dirty() && (s.memory.sums.unkept || s.memory.held) && time.Since(s.kept.at) >= max(s.cfg.Keep, shareOfKeeping*s.kept.took)
}

// day is the event time that the links' sums reach.
func (s *session) day() int32 {
	return int32(s.cfg.Calendar.Day(s.memory.sums.reached(sales.TallyPairs)))
}

// untilDue is how long to wait for tallies. With nothing to publish it only wakes to see whether the group has decided something.
func (s *session) untilDue() time.Duration {
	if s.memory == nil || !s.memory.sums.dirty() {
		return s.cfg.Every
	}
	return max(time.Millisecond, s.pace()-time.Since(s.last.at))
}
