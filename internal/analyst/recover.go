package analyst

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/channel"
	"leadline/internal/committed"
	"leadline/internal/feedback"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// memory is all that an analyst knows: the sums, and what of them it has said.
type memory struct {
	sums  *sums
	links map[string]sales.Link       // by key
	held  bool                        // some links are a little other than was said last
	said  int64                       // offset of the pairs up to which they may have been judged
	days  map[sales.Day]dayOfActivity // by day

	models   map[string]sales.Model // by name
	fittedIn int32                  // week of event time in which the scorecards were last fitted

	countedIn int32              // block of event time in which the population was last learned
	weights   map[string]float64 // what reps make of alerts and have room for, by series
	quiet     quiet              // which channels have been quiet
}

// dayOfActivity is what a forecast says about a past day.
type dayOfActivity struct {
	n        float64
	complete bool
}

// recover gives what is committed, and from where to read each tally topic on.
func (s *session) recover(ctx context.Context) (*memory, map[string]int64, error) {
	// A producer id first: it ends what an earlier life left open, and fences that life. Nothing can be committed behind
	// what is read now.
	if _, _, err := s.client.Client().ProducerID(ctx); err != nil {
		return nil, nil, fmt.Errorf("get a producer id: %w", err)
	}
	adm := kadm.NewClient(s.client.Client())
	kept, err := s.readBack(ctx, adm)
	if err != nil {
		return nil, nil, err
	}
	m, err := s.remember(ctx, kept)
	if err != nil {
		return nil, nil, err
	}
	positions, err := s.positions(ctx, adm, m.sums)
	if err != nil {
		return nil, nil, err
	}
	m.said, err = s.end(ctx, adm)
	return m, positions, err
}

// positions is where the sums got to. Where a log begins later, it is read from there: retention takes transaction markers away that no
// position counts, and if it took tallies, their missing commit numbers will tell.
func (s *session) positions(ctx context.Context, adm *kadm.Client, sums *sums) (map[string]int64, error) {
	starts, err := adm.ListStartOffsets(ctx, s.topics.inputs()...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("first offsets of the tallies: %w", err)
	}
	positions := map[string]int64{}
	for kind, p := range sums.progress {
		topic := s.topics.of(kind)
		start, _ := starts.Lookup(topic, 0)
		positions[topic] = max(p.next, start.Offset)
	}
	return positions, nil
}

// end is where the tally of pairs ends for now: the sums are as old as they were last kept, but links may have been judged of all of it.
func (s *session) end(ctx context.Context, adm *kadm.Client) (int64, error) {
	topic := s.topics.of(sales.TallyPairs)
	ends, err := adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("last offset of the pairs: %w", err)
	}
	end, _ := ends.Lookup(topic, 0)
	return end.Offset, nil
}

// lasting is the newest value of each key of a compacted topic; without tombstones.
type lasting map[string]*kgo.Record

// remember makes the memory of what was kept.
func (s *session) remember(ctx context.Context, kept map[string]lasting) (*memory, error) {
	m := &memory{sums: newSums(s.deps.Rules().MaxCandidates), links: map[string]sales.Link{}, days: map[sales.Day]dayOfActivity{}, models: map[string]sales.Model{},
		weights: map[string]float64{}, quiet: quiet{episodes: map[string]channel.Episode{}}}
	for _, rec := range kept[s.topics.state] {
		var row wire.KnowledgeRow
		err := s.deps.Decoder.KnowledgeRow(ctx, rec.Value, &row)
		switch {
		case err != nil:
		case row.Kind == channelsKind:
			m.quiet.restore(&row)
		default:
			err = m.sums.restore(&row)
		}
		if err != nil {
			return nil, unreadable(err, rec.Topic, rec.Offset)
		}
	}
	m.sums.welcome()
	m.sums.counts.Saved()
	clear(m.sums.changed)
	for key, rec := range kept[s.topics.links] {
		var l sales.Link
		if err := s.deps.Decoder.Link(ctx, slices.Clone(rec.Value), &l); err != nil { // a copy of its own: the link aliases it
			return nil, unreadable(err, rec.Topic, rec.Offset)
		}
		m.links[key] = l
	}
	for _, rec := range kept[s.topics.forecasts] {
		var f sales.Forecast
		if err := s.deps.Decoder.Forecast(ctx, rec.Value, &f); err != nil {
			return nil, unreadable(err, rec.Topic, rec.Offset)
		}
		if feedback.IsSeries(f.Series) {
			m.weights[strings.Clone(f.Series)] = f.Observed
		}
		if f.Series == sales.ActivitySeries {
			m.days[s.cfg.Calendar.Day(f.PeriodStart)] = dayOfActivity{f.Observed, f.Complete}
		}
	}
	return m, s.rememberModels(ctx, m, kept[s.topics.models])
}

// readBack reads the outputs to their ends.
func (s *session) readBack(ctx context.Context, adm *kadm.Client) (map[string]lasting, error) {
	kept := map[string]lasting{}
	for _, topic := range s.topics.outputs() {
		kept[topic] = lasting{}
	}
	spans, err := committed.Whole(ctx, adm, s.topics.outputs()...)
	if err != nil {
		return nil, err
	}
	return kept, committed.Read(ctx, s.cfg.Kafka, spans, func(rec *kgo.Record) error {
		kept[rec.Topic].put(rec)
		return nil
	})
}

// put takes a record of the topic.
func (l lasting) put(rec *kgo.Record) {
	if rec.Value == nil {
		delete(l, string(rec.Key))
		return
	}
	l[string(rec.Key)] = rec
}
