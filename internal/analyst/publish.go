package analyst

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/affinity"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// edition is one commit: the records, and what is published once they are committed.
type edition struct {
	records []*kgo.Record
	links   map[string]sales.Link
	held    bool
	days    map[sales.Day]dayOfActivity

	models   map[string]sales.Model
	fittedIn int32
	// countedIn is the block of event time in which the population was last learned.
	countedIn int32
	weights   map[string]float64 // of feedback, by series
	quiet     quiet
}

// publish commits the changed sums, the statements that they change, and the positions they reach, in one transaction; the sums of pairs,
// with their own position, only when they are to be kept. It goes on for at most the given time, even when the context ends meanwhile.
func (s *session) publish(ctx context.Context, atMost time.Duration, keep bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), atMost)
	defer cancel()
	began := time.Now()
	whole := s.saysAll()
	e, err := s.compose(ctx, keep, whole)
	if err != nil {
		return err
	}
	if err := s.commit(ctx, e.records); err != nil {
		s.metrics.commits.WithLabelValues("failed").Inc()
		return err
	}
	s.memory.sums.committed(keep)
	s.memory.links, s.memory.held, s.memory.days = e.links, e.held, e.days
	s.memory.models, s.memory.fittedIn, s.memory.countedIn = e.models, e.fittedIn, e.countedIn
	s.memory.weights, s.memory.quiet = e.weights, e.quiet
	s.last = published{at: time.Now(), took: time.Since(began), day: s.day()}
	if whole {
		s.whole = s.last
	}
	if keep {
		s.kept = s.last
		s.metrics.keepSeconds.Observe(s.last.took.Seconds())
	}
	s.metrics.commits.WithLabelValues("committed").Inc()
	s.metrics.unpublished.Set(0)
	s.metrics.publishSeconds.Observe(s.last.took.Seconds())
	s.metrics.countLinks(e.links)
	return nil
}

// errAborted ends a session whose commit the group has not let through: another member may work by now.
var errAborted = errors.New("commit: aborted, as the group was rebalancing")

func (s *session) commit(ctx context.Context, records []*kgo.Record) error {
	if err := s.client.Begin(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	produced := kgo.AbortingFirstErrPromise(s.client.Client())
	for _, rec := range records {
		s.client.Produce(ctx, rec, produced.Promise())
	}
	if err := produced.Err(); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	switch committed, err := s.client.End(ctx, kgo.TryCommit); {
	case err != nil:
		return fmt.Errorf("commit: %w", err)
	case !committed:
		return errAborted
	}
	return nil
}

// compose says what is to be written: changed rows, then changed statements, in an order that depends on the sums alone.
func (s *session) compose(ctx context.Context, keep, whole bool) (*edition, error) {
	e := &edition{}
	s.memory.sums.forgetActivity(s.activeUntil())
	s.memory.sums.forgetExamples(s.cfg.Calendar.Day(s.memory.sums.reached(sales.TallyExamples)))
	if err := s.addRows(e); err != nil {
		return nil, err
	}
	if keep {
		if err := s.addPairs(e); err != nil {
			return nil, err
		}
	}
	if err := s.addLinks(e, whole); err != nil {
		return nil, err
	}
	if err := s.addDays(e); err != nil {
		return nil, err
	}
	if err := s.addWeights(e); err != nil {
		return nil, err
	}
	if err := s.addChannels(ctx, e); err != nil {
		return nil, err
	}
	if err := s.addModels(e); err != nil {
		return nil, err
	}
	return e, s.addPopulation(e)
}

func (e *edition) add(topic, key string, value []byte) {
	e.records = append(e.records, &kgo.Record{Topic: topic, Key: []byte(key), Value: value})
}

func (s *session) addRows(e *edition) error {
	for _, key := range s.memory.sums.obsolete {
		e.add(s.topics.state, key, nil)
	}
	for _, key := range s.memory.sums.changedRows() {
		if err := s.addRow(e, s.memory.sums.row(key)); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) addRow(e *edition, row wire.KnowledgeRow) error {
	key := string(row.Kind) + "|" + row.Row
	if len(row.Cells) == 0 {
		e.add(s.topics.state, key, nil)
		return nil
	}
	value, err := s.deps.Encoder.AppendKnowledgeRow(nil, &row)
	if err != nil {
		return err
	}
	e.add(s.topics.state, key, value)
	return nil
}

// addPairs keeps the sums of pairs and how far they reach.
func (s *session) addPairs(e *edition) error {
	sums := s.memory.sums
	sums.counts.Forget(s.deps.Rules(), sums.reached(sales.TallyPairs))
	err := sums.counts.EachChanged(func(row affinity.Row) error {
		return s.addRow(e, wire.KnowledgeRow{Kind: sales.TallyPairs, Row: row.Name, Cells: row.Cells})
	})
	if err != nil {
		return err
	}
	return s.addRow(e, sums.row(rowKey{kind: progressKind, row: string(sales.TallyPairs)}))
}

// addLinks says links that are new or have moved, or all that are in any way other than was said, and takes back those that no longer hold.
func (s *session) addLinks(e *edition, whole bool) error {
	sums := s.memory.sums
	if sums.progress[sales.TallyPairs].next < s.memory.said {
		e.links, e.held = s.memory.links, s.memory.held // what has been said already is of later sums
		return nil
	}
	e.links = map[string]sales.Link{}
	for _, l := range sums.counts.Links(s.deps.Rules(), sums.reached(sales.TallyPairs)) {
		key := l.Key()
		if before, ok := s.memory.links[key]; ok && (same(before, l) || !whole && !moved(&before, &l)) {
			e.held = e.held || !same(before, l)
			e.links[key] = before
			continue
		}
		value, err := s.deps.Encoder.AppendLink(nil, &l)
		if err != nil {
			return err
		}
		e.links[key] = l
		e.add(s.topics.links, key, value)
	}
	for _, key := range slices.Sorted(maps.Keys(s.memory.links)) {
		if _, ok := e.links[key]; !ok {
			e.add(s.topics.links, key, nil)
		}
	}
	return nil
}

// same tells whether a link says the same as before, whatever the time that it reaches.
func same(before, now sales.Link) bool {
	before.LearnedTo = now.LearnedTo
	return before == now
}

// moved tells whether a link says something else than before by more than a hundredth: every customer moves every link
// a little, and nobody needs to hear that at once. A season moves by more than a tenth.
func moved(before, now *sales.Link) bool {
	return before.FromTier != now.FromTier || before.ToTier != now.ToTier ||
		differ(before.Confidence, now.Confidence) || differ(before.Lift, now.Lift) || differ(before.Score, now.Score) ||
		differ(float64(before.TypicalMinor), float64(now.TypicalMinor)) || differ(before.PriceRatio, now.PriceRatio) ||
		differ(before.Within180.P, now.Within180.P) || math.Abs(before.Q-now.Q) > 0.001 || math.Abs(before.Season-now.Season) > 0.1*before.Season
}

func differ(a, b float64) bool { return math.Abs(a-b) > 0.01*math.Abs(a) }

// addDays says everyone's activity on days that changed or became complete, days without any in between included.
func (s *session) addDays(e *edition) error {
	days := s.memory.sums.days()
	e.days = maps.Clone(s.memory.days)
	if len(days) == 0 {
		return nil
	}
	known := slices.Sorted(maps.Keys(days))
	complete := s.completeBefore()
	for day := known[0]; day <= known[len(known)-1]; day++ {
		now := dayOfActivity{n: float64(days[day]), complete: day < complete}
		if before, ok := s.memory.days[day]; ok && before == now {
			continue
		}
		e.days[day] = now
		f := sales.Forecast{Series: sales.ActivitySeries, PeriodStart: s.cfg.Calendar.Start(day), PeriodEnd: s.cfg.Calendar.Start(day + 1),
			Observed: now.n, Complete: now.complete}
		value, err := s.deps.Encoder.AppendForecast(nil, &f)
		if err != nil {
			return err
		}
		e.add(s.topics.forecasts, f.Series+"|"+strconv.FormatInt(int64(f.PeriodStart), 10), value)
	}
	return nil
}

// completeBefore is the first day that some shard may still add to without an event being late.
func (s *session) completeBefore() sales.Day {
	reached := s.memory.sums.reached(sales.TallyActivity)
	return s.cfg.Calendar.Day(reached - sales.Millis(s.cfg.Lateness.Milliseconds()))
}
