package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// rails is what the journal leads a shadow along: the records of each commit, the rules and what was known.
type rails struct {
	o        Options
	p        int32
	reader   intake.Reader
	begins   intake.Positions // of the topics of the knowledge
	topics   []*cursor        // and readers of them
	views    []*view
	rules    string                  // hash of those in force
	original engine.Rules            // those, as the journal has them
	given    map[sales.Source]string // records that live took for unknown schemas, and the words
	inputs   map[string]*input       // by full name

	events  intake.Events // of the commit
	sources []*kgo.Record // of each event
	refused []Refused     // records that cannot be used
	removed int64         // records of the topic customers that the journal has read and that are there no more
}

type input struct {
	*cursor
	kind sales.EventKind
}

// view is the rules and the knowledge that cores decide by: those of the journal, or what a what-if makes of them.
type view struct {
	known *intake.Knowledge
	rules engine.Rules
	alter func(engine.Rules) (engine.Rules, error) // nil: the journal's rules as they are
	links *LinkEdits                               // nil: the links as they were
}

func newRails(o Options, p, partitions int32, begins intake.Positions, given map[sales.Source]string) rails {
	r := rails{o: o, p: p, given: given, begins: begins, reader: intake.Reader{Decoder: o.Decoder, Partitions: partitions}, inputs: map[string]*input{}}
	for _, in := range intake.Inputs {
		r.inputs[o.Prefix+in.Topic] = &input{kind: in.Kind}
	}
	return r
}

// addView must be followed by forget.
func (r *rails) addView(alter func(engine.Rules) (engine.Rules, error), links *LinkEdits) *view {
	v := &view{rules: engine.DefaultRules(), alter: alter, links: links}
	r.views = append(r.views, v)
	return v
}

// forget begins the knowledge anew.
func (r *rails) forget() {
	r.closeTopics()
	for _, v := range r.views {
		v.known = intake.NewKnowledge(r.o.Calendar, r.o.Decoder)
		v.known.SetRules(v.rules)
		v.links.apply(v.known.Engine().Links)
	}
	r.topics = nil
	for i, t := range intake.KnowledgeTopics {
		r.topics = append(r.topics, &cursor{opts: r.o.Kafka, topic: r.o.Prefix + t, pos: r.begins[i]})
	}
}

func (r *rails) closeTopics() {
	for _, c := range r.topics {
		c.close()
	}
}

func (r *rails) close() {
	r.closeTopics()
	for _, in := range r.inputs {
		if in.cursor != nil {
			in.close()
		}
	}
}

// takeRules gives the rules of a commit, which names them in full where they differ from those before; nil where they do not.
func (r *rails) takeRules(j *sales.Journal) (*engine.Rules, error) {
	if j.RulesHash == r.rules {
		return nil, nil
	}
	if j.Rules == "" {
		return nil, &gapError{fmt.Sprintf("commit %d is under the rules %s, and the journal does not say what they are", j.CSN, j.RulesHash)}
	}
	rules, err := engine.ParseRules(j.Rules)
	if err != nil {
		return nil, &gapError{fmt.Sprintf("commit %d: %v", j.CSN, err)}
	}
	if rules.Hash() != j.RulesHash {
		return nil, &gapError{fmt.Sprintf("the rules of commit %d are not those of the hash %s: they were written by another release", j.CSN, j.RulesHash)}
	}
	return &rules, nil
}

// learn takes in what the commit knew. A shard that went from one engine to another may have known less afterwards.
func (r *rails) learn(ctx context.Context, j *sales.Journal) error {
	if j.KnowledgeVersion == r.views[0].known.Engine().Version {
		return nil
	}
	to, err := intake.ParseVersion(j.KnowledgeVersion)
	if err != nil {
		return &gapError{fmt.Sprintf("commit %d: %v", j.CSN, err)}
	}
	for i, have := range r.views[0].known.Next() {
		if to[i] < have {
			r.forget()
			break
		}
	}
	for i, name := range intake.KnowledgeTopics {
		if err := r.learnTopic(ctx, i, name, to[i]); err != nil {
			return err
		}
	}
	for _, v := range r.views {
		v.known.StampAs(j.KnowledgeVersion)
	}
	return nil
}

func (r *rails) learnTopic(ctx context.Context, i int, name string, to int64) error {
	for {
		rec, err := r.topics[i].next(ctx, to)
		if err != nil {
			return err
		}
		if rec == nil {
			break
		}
		for _, v := range r.views {
			if err := v.take(ctx, name, rec); err != nil {
				return fmt.Errorf("%s at %d: %w", rec.Topic, rec.Offset, err)
			}
		}
	}
	if to > 0 {
		for _, v := range r.views {
			v.known.Pass(name, to-1)
		}
	}
	return nil
}

func (v *view) take(ctx context.Context, name string, rec *kgo.Record) error {
	if name == linksTopic && v.links.covers(string(rec.Key)) {
		return nil
	}
	err := v.known.Take(ctx, name, rec.Offset, rec.Key, rec.Value)
	var poison *wire.Poison
	if errors.As(err, &poison) || errors.Is(err, wire.ErrUnknownSchema) {
		return nil // passed over, as live
	}
	return err
}

// read decodes the runs of a commit. What cannot be used is refused.
func (r *rails) read(ctx context.Context, j *sales.Journal) (records int64, err error) {
	r.events.Reset()
	clear(r.sources)
	r.sources = r.sources[:0]
	for _, run := range j.Runs {
		n, err := r.readRun(ctx, run)
		if err != nil {
			return records, err
		}
		records += n
	}
	return records, nil
}

func (r *rails) readRun(ctx context.Context, run sales.Range) (records int64, err error) {
	in := r.inputs[run.Topic]
	if in.cursor == nil {
		in.cursor = &cursor{opts: r.o.Kafka, topic: run.Topic, p: r.p, pos: run.From}
	}
	before := in.skipped
	for {
		rec, err := in.next(ctx, run.To)
		if err != nil {
			return records, err
		}
		if rec == nil {
			if in.kind == sales.CustomerEvent {
				r.removed += in.skipped - before
			}
			return records, nil
		}
		records++
		if err := r.readOne(ctx, in.kind, rec); err != nil {
			return records, fmt.Errorf("decode %s-%d at %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
		}
	}
}

func (r *rails) readOne(ctx context.Context, kind sales.EventKind, rec *kgo.Record) error {
	if kind == sales.CustomerEvent && isRehomed(rec) {
		return nil
	}
	in := intake.Record{Source: sourceOf(rec), Timestamp: sales.Millis(rec.Timestamp.UnixMilli()), Key: rec.Key, Value: rec.Value}
	if reason, ok := r.given[in.Source]; ok {
		r.refuse(deadLettersTopic, rec, sales.DeadUnknownSchema, reason)
		return nil
	}
	err := r.reader.Read(ctx, kind, in, &r.events)
	var poison *wire.Poison
	switch {
	case errors.As(err, &poison):
		r.refuse(deadLettersTopic, rec, poison.Class, poison.Reason)
	case err != nil:
		return err
	default:
		r.sources = append(r.sources, rec)
	}
	return nil
}

// isRehomed tells whether a record of customers was written by a growth of the topics, and says nothing about the customer.
func isRehomed(rec *kgo.Record) bool {
	return slices.ContainsFunc(rec.Headers, func(h kgo.RecordHeader) bool { return h.Key == intake.RehomedHeader })
}

func (r *rails) refuse(topic string, rec *kgo.Record, class sales.DeadLetterClass, reason string) {
	r.refused = append(r.refused, Refused{Topic: topic, Record: rec, Why: wire.Refusal{
		Class: class, Reason: reason, Source: sourceOf(rec), Timestamp: sales.Millis(rec.Timestamp.UnixMilli())}})
}

func sourceOf(rec *kgo.Record) sales.Source {
	return sales.Source{Topic: rec.Topic, Partition: rec.Partition, Offset: rec.Offset}
}
