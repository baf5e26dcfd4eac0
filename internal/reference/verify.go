package reference

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/committed"
	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Options says which history to verify.
type Options struct {
	Kafka    []kgo.Opt // seeds, TLS, SASL: given to every client that is opened
	Prefix   string    // of the tenant's topics
	Calendar sales.Calendar
	Decoder  *wire.Decoder
}

const (
	journalTopic     = "leadline.journal"
	stateTopic       = "leadline.state"
	deadLettersTopic = "dead-letters"
	lateEventsTopic  = "late-events"
)

// alertTopics are those on which shards say what they decide.
var alertTopics = []string{"alerts.suppressed", sales.CrossSell.Topic(), sales.Upsell.Topic(), sales.Declining.Topic(), sales.Opportunity.Topic()}

// Verify leads a model of each shard along the journal and compares what it says with what the topics hold. The history must be whole, from
// the first commit on, and nobody may commit meanwhile. What differs is in the report; an error says that it could not be found out.
func Verify(ctx context.Context, o Options) (*Report, error) {
	report, err := verify(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("verify against the reference model: %w", err)
	}
	return report, nil
}

func verify(ctx context.Context, o Options) (*Report, error) {
	cl, err := kgo.NewClient(o.Kafka...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	v := &verification{o: o, report: &Report{}, wanted: map[string]*wantedAlert{}, refused: map[sales.Source]wantedLetter{},
		unfollowed: map[int32]bool{}}
	if err := v.look(ctx, kadm.NewClient(cl)); err != nil {
		return nil, err
	}
	if err := v.readKnowledge(ctx); err != nil {
		return nil, err
	}
	letters, err := v.readLetters(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range slices.Sorted(maps.Keys(v.spans[v.topic(journalTopic)])) {
		s := newShard(v, p, letters)
		if err := s.verify(ctx); err != nil {
			return nil, fmt.Errorf("shard %d: %w", p, err)
		}
	}
	v.compareLetters(letters)
	if err := v.compareAlerts(ctx); err != nil {
		return nil, err
	}
	return v.report, nil
}

// verification is one Verify on its way.
type verification struct {
	o       Options
	report  *Report
	spans   committed.Spans // of all topics
	offsets kadm.OffsetResponses
	known   map[string][]*kgo.Record // of the knowledge topics, without prefix

	wanted     map[string]*wantedAlert // by id and revision
	refused    map[sales.Source]wantedLetter
	unfollowed map[int32]bool // shards whose journal cannot be followed to its end
}

func (v *verification) topic(name string) string { return v.o.Prefix + name }

func (v *verification) look(ctx context.Context, adm *kadm.Client) error {
	names := append([]string{journalTopic, stateTopic, deadLettersTopic, lateEventsTopic}, alertTopics...)
	names = append(names, intake.KnowledgeTopics[:]...)
	for _, in := range intake.Inputs {
		names = append(names, in.Topic)
	}
	for i := range names {
		names[i] = v.topic(names[i])
	}
	var err error
	if v.spans, err = committed.Whole(ctx, adm, names...); err != nil {
		return err
	}
	v.offsets, err = committed.Offsets(ctx, adm, v.topic("leadline-engine"))
	return err
}

// read gives the records of some topics, one after the other.
func (v *verification) read(ctx context.Context, each func(topic string, rec *kgo.Record) error, topics ...string) error {
	for _, topic := range topics {
		spans := committed.Spans{v.topic(topic): v.spans[v.topic(topic)]}
		err := committed.Read(ctx, v.o.Kafka, spans, func(rec *kgo.Record) error { return each(topic, rec) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (v *verification) readKnowledge(ctx context.Context) error {
	v.known = map[string][]*kgo.Record{}
	return v.read(ctx, func(topic string, rec *kgo.Record) error {
		v.known[topic] = append(v.known[topic], rec)
		return nil
	}, intake.KnowledgeTopics[:]...)
}

// wantedAlert is an alert that the model says.
type wantedAlert struct {
	alert sales.Alert
	p     int32
	csn   int64
	found int // how often it was said
}

func alertName(a *sales.Alert) string { return fmt.Sprintf("%s.%d", a.AlertID, a.Revision) }

// want notes what the model says.
func (v *verification) want(p int32, csn int64, a sales.Alert) {
	name := alertName(&a)
	if v.wanted[name] != nil {
		v.report.Alerts.different("the model itself says %s twice, the second time in commit %d of shard %d", name, csn, p)
		return
	}
	v.wanted[name] = &wantedAlert{alert: a, p: p, csn: csn}
	v.report.Alerts.Wanted++
}

func (v *verification) compareAlerts(ctx context.Context) error {
	err := v.read(ctx, func(topic string, rec *kgo.Record) error { return v.compareAlert(ctx, topic, rec) }, alertTopics...)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(v.wanted)) {
		if w := v.wanted[name]; w.found == 0 && !v.unfollowed[w.p] {
			v.report.Alerts.lost("%s, %s %s about %s, commit %d of shard %d", name, w.alert.Kind, w.alert.Status, w.alert.CustomerID, w.csn, w.p)
		}
	}
	return nil
}

func (v *verification) compareAlert(ctx context.Context, topic string, rec *kgo.Record) error {
	if v.unfollowed[rec.Partition] {
		return nil
	}
	v.report.Alerts.Live++
	at := fmt.Sprintf("%s-%d at %d", topic, rec.Partition, rec.Offset)
	var a sales.Alert
	err := v.o.Decoder.Alert(ctx, rec.Value, &a)
	var poison *wire.Poison
	switch {
	case errors.As(err, &poison):
		v.report.Alerts.foreign("%s cannot be read: %v", at, err)
		return nil
	case err != nil:
		return fmt.Errorf("decode %s: %w", at, err)
	}
	name := alertName(&a)
	w := v.wanted[name]
	if w == nil {
		v.report.Alerts.foreign("%s, %s %s about %s, %s", name, a.Kind, a.Status, a.CustomerID, at)
		return nil
	}
	if w.found++; w.found > 1 {
		v.report.Alerts.duplicated("%s, %s %s about %s, %s", name, a.Kind, a.Status, a.CustomerID, at)
	}
	want := append(alertLines(&w.alert), placeLine(wire.AlertTopic(&w.alert), w.p, w.alert.CustomerID))
	got := append(alertLines(&a), placeLine(topic, rec.Partition, string(rec.Key)))
	slices.Sort(want)
	slices.Sort(got)
	if d := diff(want, got); d != "" {
		v.report.Alerts.different("%s about %s, %s, commit %d:\n%s", name, a.CustomerID, at, w.csn, d)
	}
	return nil
}

func placeLine(topic string, p int32, key string) string {
	return fmt.Sprintf("on %s-%d, key %q", topic, p, key)
}
