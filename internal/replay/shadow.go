package replay

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Shadow is one shard's engine on the journal's rails: Play takes a commit's decisions again, Commit makes them its past. It
// keeps every customer's blob, and belongs to one goroutine.
type Shadow struct {
	o      Options
	p      int32
	core   *engine.Shard
	reader intake.Reader
	events intake.Events
	inputs map[string]*input // by full name
	known  *intake.Knowledge
	begins intake.Positions // of the topics of the knowledge
	topics []*cursor        // and readers of them
	blobs  map[string][]byte
	rules  string                  // hash of those in force
	given  map[sales.Source]string // records that live took for unknown schemas, and the words

	step Played
}

type input struct {
	*cursor
	kind sales.EventKind
}

// Played is what a commit decides.
type Played struct {
	Journal  *sales.Journal
	Records  int64 // read
	Decision engine.Decision
	Refused  []Refused
}

// Refused is a record that goes to dead-letters or late-events.
type Refused struct {
	Topic  string // without prefix
	Record *kgo.Record
	Why    wire.Refusal
}

// cacheBytes is how much decoded customers of one shard may take; the others are in their blobs.
const cacheBytes = 64 << 20

// NewShadow knows nothing yet: it must be given the journal from the first commit on. partitions is the count of the
// customer-keyed topics, begins where those of the knowledge begin, given the records whose schema the live engine did not
// find, with the reason of their dead letters.
func NewShadow(o Options, p, partitions int32, begins intake.Positions, given map[sales.Source]string) *Shadow {
	s := &Shadow{
		o: o, p: p, given: given,
		core: engine.NewShard(engine.Config{Prefix: o.Prefix, Partition: p, Partitions: partitions, Clock: engine.Data, Calendar: o.Calendar,
			Rules: engine.DefaultRules()}),
		reader: intake.Reader{Decoder: o.Decoder, Partitions: partitions},
		inputs: map[string]*input{},
		begins: begins,
		blobs:  map[string][]byte{},
	}
	for _, in := range intake.Inputs {
		s.inputs[o.Prefix+in.Topic] = &input{kind: in.Kind}
	}
	s.forget()
	return s
}

// forget begins the knowledge anew.
func (s *Shadow) forget() {
	s.closeTopics()
	s.known = intake.NewKnowledge(s.o.Calendar, s.o.Decoder)
	s.known.SetRules(s.core.Rules())
	s.topics = nil
	for i, t := range intake.KnowledgeTopics {
		s.topics = append(s.topics, &cursor{opts: s.o.Kafka, topic: s.o.Prefix + t, pos: s.begins[i]})
	}
}

func (s *Shadow) closeTopics() {
	for _, c := range s.topics {
		c.close()
	}
}

// Close ends what is open to Kafka.
func (s *Shadow) Close() {
	s.closeTopics()
	for _, in := range s.inputs {
		if in.cursor != nil {
			in.close()
		}
	}
}

// Play decides about the journal's next commit, whose runs must tile with those before. What it gives is valid until Commit, which
// must follow. A *gapError says that the journal's word cannot be followed.
func (s *Shadow) Play(ctx context.Context, j *sales.Journal) (*Played, error) {
	s.step = Played{Journal: j}
	if err := s.takeRules(j); err != nil {
		return nil, err
	}
	if err := s.learn(ctx, j); err != nil {
		return nil, err
	}
	records, err := s.read(ctx, j)
	if err != nil {
		return nil, err
	}
	plan := s.core.PlanAt(s.events.List, j.Now, j.Watermark)
	if plan.Now != j.Now {
		return nil, &gapError{fmt.Sprintf("time goes back: commit %d is at %s, the shard was at %s", j.CSN, instant(j.Now), instant(plan.Now))}
	}
	for _, id := range plan.Missing {
		if err := s.core.Load(id, s.blobs[id]); err != nil {
			return nil, err
		}
	}
	s.step.Decision = s.core.Step(engine.Batch{CSN: j.CSN, Events: s.events.List, Plan: plan, Clock: j.Clock, Knowledge: s.known.Engine(),
		RunID: sales.LiveRun})
	for _, r := range s.step.Decision.Rejected {
		s.refuse(deadLettersTopic, records[r.Event], r.Class, r.Reason)
	}
	for _, i := range s.step.Decision.Late {
		s.refuse(lateEventsTopic, records[i], wire.LateClass, wire.LateReason)
	}
	return &s.step, nil
}

// Commit makes what was played the shadow's past.
func (s *Shadow) Commit() {
	for _, ch := range s.step.Decision.Changes {
		if ch.Blob == nil {
			delete(s.blobs, ch.CustomerID)
		} else {
			s.blobs[ch.CustomerID] = ch.Blob
		}
	}
	s.core.Commit()
	s.core.Acknowledge(s.step.Journal.CSN)
	s.core.Evict(cacheBytes)
	s.step = Played{}
}

// takeRules puts the rules of a commit in force, which names them in full where they differ from those before.
func (s *Shadow) takeRules(j *sales.Journal) error {
	if j.RulesHash == s.rules {
		return nil
	}
	if j.Rules == "" {
		return &gapError{fmt.Sprintf("commit %d is under the rules %s, and the journal does not say what they are", j.CSN, j.RulesHash)}
	}
	rules, err := engine.ParseRules(j.Rules)
	if err != nil || rules.Hash() != j.RulesHash {
		return &gapError{fmt.Sprintf("the rules of commit %d are not those of the hash %s: they were written by another release", j.CSN, j.RulesHash)}
	}
	s.core.SetRules(rules)
	s.known.SetRules(rules)
	s.rules = j.RulesHash
	return nil
}

// learn takes in what the commit knew. A shard that went from one engine to another may have known less afterwards.
func (s *Shadow) learn(ctx context.Context, j *sales.Journal) error {
	if j.KnowledgeVersion == s.known.Engine().Version {
		return nil
	}
	to, err := intake.ParseVersion(j.KnowledgeVersion)
	if err != nil {
		return &gapError{fmt.Sprintf("commit %d: %v", j.CSN, err)}
	}
	for i, have := range s.known.Next() {
		if to[i] < have {
			s.forget()
			break
		}
	}
	for i, name := range intake.KnowledgeTopics {
		for {
			rec, err := s.topics[i].next(ctx, to[i])
			if err != nil {
				return err
			}
			if rec == nil {
				break
			}
			if err := s.learnOne(ctx, name, rec); err != nil {
				return fmt.Errorf("%s at %d: %w", rec.Topic, rec.Offset, err)
			}
		}
		if to[i] > 0 {
			s.known.Pass(name, to[i]-1)
		}
	}
	s.known.Stamp()
	return nil
}

func (s *Shadow) learnOne(ctx context.Context, name string, rec *kgo.Record) error {
	err := s.known.Take(ctx, name, rec.Offset, rec.Key, rec.Value)
	var poison *wire.Poison
	if errors.As(err, &poison) || errors.Is(err, wire.ErrUnknownSchema) {
		return nil // passed over, as live
	}
	return err
}

// read decodes the runs of a commit and gives the record of each event. What cannot be used is refused.
func (s *Shadow) read(ctx context.Context, j *sales.Journal) (records []*kgo.Record, err error) {
	s.events.Reset()
	for _, run := range j.Runs {
		in := s.inputs[run.Topic]
		if in.cursor == nil {
			in.cursor = &cursor{opts: s.o.Kafka, topic: run.Topic, p: s.p, pos: run.From}
		}
		for {
			rec, err := in.next(ctx, run.To)
			if err != nil {
				return nil, err
			}
			if rec == nil {
				break
			}
			s.step.Records++
			usable, err := s.readOne(ctx, in.kind, rec)
			if err != nil {
				return nil, fmt.Errorf("decode %s-%d at %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
			}
			if usable {
				records = append(records, rec)
			}
		}
	}
	return records, nil
}

func (s *Shadow) readOne(ctx context.Context, kind sales.EventKind, rec *kgo.Record) (usable bool, err error) {
	in := intake.Record{Source: sourceOf(rec), Timestamp: sales.Millis(rec.Timestamp.UnixMilli()), Key: rec.Key, Value: rec.Value}
	if reason, ok := s.given[in.Source]; ok {
		s.refuse(deadLettersTopic, rec, sales.DeadUnknownSchema, reason)
		return false, nil
	}
	err = s.reader.Read(ctx, kind, in, &s.events)
	var poison *wire.Poison
	if errors.As(err, &poison) {
		s.refuse(deadLettersTopic, rec, poison.Class, poison.Reason)
		return false, nil
	}
	return err == nil, err
}

func (s *Shadow) refuse(topic string, rec *kgo.Record, class sales.DeadLetterClass, reason string) {
	s.step.Refused = append(s.step.Refused, Refused{Topic: topic, Record: rec, Why: wire.Refusal{
		Class: class, Reason: reason, Source: sourceOf(rec), Timestamp: sales.Millis(rec.Timestamp.UnixMilli())}})
}

func sourceOf(rec *kgo.Record) sales.Source {
	return sales.Source{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}
}
