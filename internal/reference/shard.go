package reference

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/committed"
	"leadline/internal/engine"
	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// shard is one shard's model on its way along the journal.
type shard struct {
	v       *verification
	p       int32
	letters letters // the live ones
	model   *Model
	rules   string // hash of those in force
	known   intake.Positions
	csn     int64            // of the last commit
	next    map[string]int64 // of each input that was read, by full name
	inputs  map[string]*input
	events  intake.Events
	records []*kgo.Record // of each event
}

// input is one input's records in order, pulled as the journal names them.
type input struct {
	kind sales.EventKind
	pull func() (*kgo.Record, error, bool)
	stop func()
	head *kgo.Record // pulled, and not taken yet
}

func newShard(v *verification, p int32, live letters) *shard {
	return &shard{v: v, p: p, letters: live, next: map[string]int64{}, inputs: map[string]*input{},
		model: NewModel(v.o.Prefix, p, v.o.Calendar, engine.Rules{}, NewKnowledge())}
}

// errStopped says that the journal cannot be followed further; what is wrong is in the report, and nothing else of the shard is compared.
var errStopped = errors.New("the journal cannot be followed")

func (s *shard) verify(ctx context.Context) error {
	s.open(ctx)
	defer s.close()
	journal := s.v.topic(journalTopic)
	err := committed.Read(ctx, s.v.o.Kafka, committed.Spans{journal: {s.p: s.v.spans[journal][s.p]}}, func(rec *kgo.Record) error {
		return s.follow(ctx, rec)
	})
	if errors.Is(err, errStopped) {
		s.v.unfollowed[s.p] = true
		return nil
	}
	if err != nil {
		return err
	}
	s.compareEnds()
	return s.compareState(ctx)
}

func (s *shard) open(ctx context.Context) {
	for _, in := range intake.Inputs {
		topic := s.v.topic(in.Topic)
		spans := committed.Spans{topic: {s.p: s.v.spans[topic][s.p]}}
		pull, stop := iter.Pull2(func(yield func(*kgo.Record, error) bool) {
			err := committed.Read(ctx, s.v.o.Kafka, spans, func(rec *kgo.Record) error {
				if !yield(rec, nil) {
					return committed.ErrEnough
				}
				return nil
			})
			if err != nil {
				yield(nil, err)
			}
		})
		s.inputs[topic] = &input{kind: in.Kind, pull: pull, stop: stop}
	}
}

func (s *shard) close() {
	for _, in := range s.inputs {
		in.stop()
	}
}

// before gives the next record before the offset, nil when there is none.
func (in *input) before(offset int64) (*kgo.Record, error) {
	if in.head == nil {
		rec, err, more := in.pull()
		if !more || err != nil {
			return nil, err
		}
		in.head = rec
	}
	if in.head.Offset >= offset {
		return nil, nil
	}
	rec := in.head
	in.head = nil
	return rec, nil
}

// follow takes one commit: proves that it goes on where the last one ended, and lets the model decide about it.
func (s *shard) follow(ctx context.Context, rec *kgo.Record) error {
	var j sales.Journal
	err := s.v.o.Decoder.Journal(ctx, rec.Value, &j)
	var poison *wire.Poison
	if errors.As(err, &poison) {
		return s.stop(s.v.report.Journal.different, "the journal's record at %d cannot be read: %v", rec.Offset, err)
	}
	if err != nil {
		return fmt.Errorf("decode journal at %d: %w", rec.Offset, err)
	}
	if j.GrownFrom != 0 {
		return s.stop(s.v.report.Journal.different, "commit %d brought it customers when %d shards became %d: the model knows one count only", j.CSN, j.GrownFrom, j.Partitions)
	}
	s.v.report.Journal.Live++
	for _, check := range []func(*sales.Journal) error{s.goesOn, s.tiles, s.takeRules} {
		if err := check(&j); err != nil {
			return err
		}
	}
	if err := s.learn(ctx, &j); err != nil {
		return err
	}
	if err := s.read(ctx, &j); err != nil {
		return err
	}
	s.decide(&j)
	return nil
}

// stop notes what is wrong with the journal and ends the following.
func (s *shard) stop(note func(string, ...any), format string, args ...any) error {
	note("shard %d, which is not followed further: %s", s.p, fmt.Sprintf(format, args...))
	return errStopped
}

func (s *shard) goesOn(j *sales.Journal) error {
	c := &s.v.report.Journal
	switch {
	case j.Partition != s.p:
		return s.stop(c.foreign, "after commit %d comes one of shard %d", s.csn, j.Partition)
	case j.CSN > s.csn+1:
		return s.stop(c.lost, "after commit %d comes commit %d", s.csn, j.CSN)
	case j.CSN <= s.csn:
		return s.stop(c.duplicated, "after commit %d comes commit %d", s.csn, j.CSN)
	case j.Now < s.model.now:
		return s.stop(c.different, "commit %d is at %d, and the one before it at %d", j.CSN, j.Now, s.model.now)
	}
	s.csn = j.CSN
	c.Wanted++
	return nil
}

// tiles proves that the commit reads each input from where the last one ended, in the order of the inputs.
func (s *shard) tiles(j *sales.Journal) error {
	c, last := &s.v.report.Journal, -1
	for _, run := range j.Runs {
		place := slices.IndexFunc(intake.Inputs[:], func(in intake.Input) bool { return s.v.topic(in.Topic) == run.Topic })
		if place < 0 {
			return s.stop(c.foreign, "commit %d has read %s, which is no input", j.CSN, run.Topic)
		}
		span := s.v.spans[run.Topic][s.p]
		at, known := s.next[run.Topic]
		if !known {
			at = span.From
		}
		switch {
		case place <= last:
			return s.stop(c.different, "commit %d has read %s out of its order", j.CSN, run.Topic)
		case run.From > at:
			return s.stop(c.lost, "%s was read up to %d, and commit %d goes on at %d", run.Topic, at, j.CSN, run.From)
		case run.From < at:
			return s.stop(c.duplicated, "%s was read up to %d, and commit %d reads again from %d", run.Topic, at, j.CSN, run.From)
		case run.To <= run.From || run.To > span.To:
			return s.stop(c.different, "commit %d has read %s from %d to %d, and the topic ends at %d", j.CSN, run.Topic, run.From, run.To, span.To)
		}
		s.next[run.Topic], last = run.To, place
	}
	return nil
}

func (s *shard) takeRules(j *sales.Journal) error {
	if j.RulesHash == s.rules {
		return nil
	}
	rules, err := engine.ParseRules(j.Rules)
	if err != nil || rules.Hash() != j.RulesHash {
		return s.stop(s.v.report.Journal.different, "commit %d does not say what the rules %s are", j.CSN, j.RulesHash)
	}
	s.model.SetRules(rules)
	s.rules = j.RulesHash
	return nil
}

// learn takes in what the commit knew. A shard that has gone from one engine to another may know less than before.
func (s *shard) learn(ctx context.Context, j *sales.Journal) error {
	to, err := intake.ParseVersion(j.KnowledgeVersion)
	if err != nil {
		return s.stop(s.v.report.Journal.different, "commit %d: %v", j.CSN, err)
	}
	for i := range to {
		if to[i] < s.known[i] {
			s.known, s.model.known = intake.Positions{}, NewKnowledge()
			break
		}
	}
	for i, topic := range intake.KnowledgeTopics {
		for _, rec := range s.v.known[topic] {
			if rec.Offset < s.known[i] || rec.Offset >= to[i] {
				continue
			}
			if err := s.model.known.take(ctx, s.v.o, topic, rec); err != nil {
				return err
			}
		}
	}
	s.known = to
	return nil
}

// take takes in one record. One that cannot be read is passed over, as by every engine.
func (k *Knowledge) take(ctx context.Context, o Options, topic string, rec *kgo.Record) error {
	var err error
	switch topic {
	case "product-links":
		var l sales.Link
		if err = o.Decoder.Link(ctx, rec.Value, &l); err == nil {
			k.SetLink(l)
		} else if errors.Is(err, wire.ErrTombstone) {
			k.DeleteLink(string(rec.Key))
		}
	case "leadline.models":
		var m sales.Model
		if err = o.Decoder.Model(ctx, rec.Value, &m); err == nil {
			k.SetModel(m)
		} else if errors.Is(err, wire.ErrTombstone) {
			k.DeleteModel(string(rec.Key))
		}
	case "products":
		var p sales.Product
		if err = o.Decoder.Product(ctx, rec.Value, &p); err == nil {
			k.SetProduct(p)
		} else if errors.Is(err, wire.ErrTombstone) {
			k.DeleteProduct(string(rec.Key))
		}
	default:
		var f sales.Forecast
		err = o.Decoder.Forecast(ctx, rec.Value, &f)
		segment, isWeight := strings.CutPrefix(f.Series, "usefulness|")
		rep, isLeast := strings.CutPrefix(f.Series, "capacity|")
		switch {
		case errors.Is(err, wire.ErrTombstone):
			series := strings.TrimSuffix(string(rec.Key), "|always")
			k.DeleteWeight(strings.TrimPrefix(series, "usefulness|"))
			k.DeleteLeastWorth(strings.TrimPrefix(series, "capacity|"))
		case err == nil && isWeight:
			k.SetWeight(strings.Clone(segment), f.Observed)
		case err == nil && isLeast:
			k.SetLeastWorth(strings.Clone(rep), f.Observed)
		case err == nil && f.Series == sales.ActivitySeries:
			k.SetActivity(o.Calendar.Day(f.PeriodStart), f.Observed, f.Complete)
		}
	}
	var poison *wire.Poison
	if err == nil || errors.Is(err, wire.ErrTombstone) || errors.As(err, &poison) || errors.Is(err, wire.ErrUnknownSchema) {
		return nil
	}
	return fmt.Errorf("decode %s at %d: %w", topic, rec.Offset, err)
}

// read decodes what the commit has read. What cannot be read is wanted among the dead letters.
func (s *shard) read(ctx context.Context, j *sales.Journal) error {
	s.events.Reset()
	s.records = s.records[:0]
	for _, run := range j.Runs {
		in := s.inputs[run.Topic]
		for {
			rec, err := in.before(run.To)
			if err != nil {
				return err
			}
			if rec == nil {
				break
			}
			s.v.report.Records++
			if err := s.readOne(ctx, in.kind, rec); err != nil {
				return fmt.Errorf("decode %s-%d at %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
			}
		}
	}
	return nil
}

func (s *shard) readOne(ctx context.Context, kind sales.EventKind, rec *kgo.Record) error {
	for _, l := range s.letters[sourceOf(rec)] {
		// Only the live engine knows that the registry did not have the schema then.
		if l.class == sales.DeadUnknownSchema {
			s.refuse(deadLettersTopic, l.class, rec)
			return nil
		}
	}
	reader := intake.Reader{Decoder: s.v.o.Decoder, Partitions: int32(len(s.v.spans[s.v.topic(journalTopic)]))}
	err := reader.Read(ctx, kind, intake.Record{Source: sourceOf(rec), Timestamp: sales.Millis(rec.Timestamp.UnixMilli()), Key: rec.Key,
		Value: rec.Value}, &s.events)
	var poison *wire.Poison
	if errors.As(err, &poison) {
		s.refuse(deadLettersTopic, poison.Class, rec)
		return nil
	}
	if err == nil {
		s.records = append(s.records, rec)
	}
	return err
}

func sourceOf(rec *kgo.Record) sales.Source {
	return sales.Source{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}
}

func (s *shard) refuse(topic string, class sales.DeadLetterClass, rec *kgo.Record) {
	s.v.refused[sourceOf(rec)] = wantedLetter{topic, class, contentOf(rec)}
}

func (s *shard) decide(j *sales.Journal) {
	d := s.model.Play(Commit{CSN: j.CSN, Events: s.events.List, Now: j.Now, Clock: j.Clock, Knowledge: j.KnowledgeVersion})
	for _, a := range d.Alerts {
		s.v.want(s.p, j.CSN, a)
	}
	for _, r := range d.Refused {
		s.refuse(deadLettersTopic, r.Class, s.records[r.Event])
	}
	for _, i := range d.Late {
		s.refuse(lateEventsTopic, wire.LateClass, s.records[i])
	}
	if int(j.Alerts) != len(d.Alerts) || int(j.Changed) != len(d.Changed) {
		s.v.report.Journal.different("commit %d of shard %d says %d alerts and %d changed customers, the model %d and %d", j.CSN, s.p, j.Alerts,
			j.Changed, len(d.Alerts), len(d.Changed))
	}
}
