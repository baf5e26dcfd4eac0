package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/sales"
)

// Trial is what a what-if changes.
type Trial struct {
	Rules func(engine.Rules) (engine.Rules, error) // the rules to try instead of the journal's; nil: those
	Links *LinkEdits                               // nil: the links as they were
	Asked string                                   // both as they were told, to know a run again
}

// WhatIf replays the shards twice side by side, as the journal has it and with the trial's rules and links from the first commit played
// on, and tells what the sales side would have been told otherwise. Records, time, and what else was known are those of the journal.
// With an error comes what was found until then.
func WhatIf(ctx context.Context, o Options, t Trial) (*TrialReport, error) {
	began := time.Now()
	cl, err := kgo.NewClient(o.Kafka...)
	if err != nil {
		return nil, fmt.Errorf("what-if: %w", err)
	}
	defer cl.Close()
	h, err := openHistory(ctx, o, kadm.NewClient(cl))
	if err == nil {
		_, err = h.openState(asked{Verb: "what-if", Scope: o.Scope, Snapshot: o.Snapshot, WarmUp: o.WarmUp, Detail: t.Asked}, "")
	}
	if err != nil {
		return nil, fmt.Errorf("what-if: %w", err)
	}
	walks, err := h.walkAll(ctx, "what-if", func(ctx context.Context, w *walk) error { return newTrial(ctx, w, t) })
	report := newTrialReport(h, walks)
	report.Took, report.Stopped = time.Since(began), err != nil
	if err == nil {
		err = h.dropState()
	}
	return report, err
}

// trial is the what-if of one shard.
type trial struct {
	*walk
	scope    scope
	pending  [2]map[string]told // ends of episodes that only one side has said so far
	openings map[string]string  // by alert_id: why the opening is not the same
	firsts   map[string]First   // by customer
	flows    map[string]*Flow   // by kind
	changes  []Change
}

// told is an alert with when it was decided.
type told struct {
	Alert sales.Alert  `json:"alert"`
	CSN   int64        `json:"csn"`
	At    sales.Millis `json:"at"`
	Why   string       `json:"why"`
}

const (
	asItWas = iota
	asTried
)

func newTrial(ctx context.Context, w *walk, tr Trial) error {
	given, err := w.unknownSchemas(ctx)
	if err != nil {
		return err
	}
	s := &Shadow{rails: newRails(w.h.o, w.p, w.h.counts[journalTopic], w.h.positionsOfKnowledge(), given)}
	s.addCore(s.addView(nil, nil))
	s.addCore(s.addView(tr.Rules, tr.Links))
	s.forget()
	w.shadow = s
	w.job = &trial{walk: w, scope: w.h.scope, pending: [2]map[string]told{{}, {}}, openings: map[string]string{}, firsts: map[string]First{}, flows: map[string]*Flow{}}
	return nil
}

// take lets both sides decide and compares.
func (t *trial) take(ctx context.Context, j *sales.Journal) error {
	if j.GrownFrom != 0 {
		_, err := t.shadow.grow(ctx, j) // says why it cannot
		return err
	}
	if err := t.shadow.follow(ctx, j); err != nil {
		return err
	}
	var sides [2]*side
	for i, c := range t.shadow.cores {
		d, err := c.step(j, t.shadow.events.List, true)
		if err != nil {
			return err
		}
		sides[i] = newSide(c, d, t.shadow.events.List)
	}
	if t.warm(j) {
		return nil
	}
	if t.judged != 0 && t.sum.JudgedFrom.IsZero() {
		t.sum.JudgedFrom = time.UnixMilli(int64(j.Clock)).UTC()
	}
	for i, s := range sides {
		for k := range s.decided.Alerts {
			a := &s.decided.Alerts[k]
			if err := t.compare(ctx, j, i, a, sides); err != nil {
				return err
			}
		}
	}
	return nil
}

// compare holds one alert of a side against the other side. Both sides open an episode in the same commit or not at all; they may end it
// at different times.
func (t *trial) compare(ctx context.Context, j *sales.Journal, i int, a *sales.Alert, sides [2]*side) error {
	name, other := alertName(a), sides[1-i]
	t.countSide(i, a, j.Clock)
	if same := other.alert(name); same != nil {
		if i == asItWas {
			return t.both(ctx, j, a, same, sides)
		}
		return nil // it was compared from the other side
	}
	if a.Revision > 1 {
		if before, ok := t.pending[1-i][name]; ok {
			delete(t.pending[1-i], name)
			pair := [2]*sales.Alert{a, a}
			pair[1-i] = &before.Alert
			return t.both(ctx, j, pair[asItWas], pair[asTried], sides)
		}
		why := t.whyEnd(a, sides)
		t.first(a, j, why)
		t.pending[i][name] = told{Alert: *a, CSN: j.CSN, At: j.Clock, Why: why}
		return nil
	}
	why := other.whyNot(a, sides[i])
	if why == "" {
		why = t.story(a.CustomerID)
	}
	t.openings[a.AlertID] = why
	t.first(a, j, why)
	return t.only(ctx, i, told{Alert: *a, CSN: j.CSN, At: j.Clock, Why: why})
}

// both notes an alert that both sides say, if they do not say the same.
func (t *trial) both(ctx context.Context, j *sales.Journal, was, tried *sales.Alert, sides [2]*side) error {
	if reflect.DeepEqual(was, tried) {
		return nil
	}
	b, a, err := t.show(ctx, was, tried)
	if err != nil {
		return err
	}
	fields := fieldsThatDiffer(b, a)
	why := whyChanged(was, tried, fields, sides)
	if opening, ok := t.openings[was.AlertID]; ok && was.Revision > 1 {
		why = opening
	}
	if was.Revision == 1 {
		t.openings[was.AlertID] = why
	}
	t.first(was, j, why)
	if !t.counts(was, j.Clock) {
		return nil
	}
	f := t.flow(was.Kind)
	f.Changed++
	switch said := [2]bool{was.SuppressedBy == sales.NotSuppressed, tried.SuppressedBy == sales.NotSuppressed}; {
	case said[asItWas] && !said[asTried]:
		f.Withheld++
	case !said[asItWas] && said[asTried]:
		f.Released++
	}
	t.add(Change{Verdict: verdictChanged, Kind: was.Kind.String(), Why: why, Fields: fields, ID: alertName(was), Customer: was.CustomerID, Partition: t.p,
		CSN: j.CSN, Title: tried.Title, Before: b, After: a})
	return nil
}

// only notes an alert that one side alone says.
func (t *trial) only(ctx context.Context, i int, it told) error {
	if !t.counts(&it.Alert, it.At) {
		return nil
	}
	f, a := t.flow(it.Alert.Kind), &it.Alert
	c := Change{Verdict: verdictGone, Kind: a.Kind.String(), Why: it.Why, ID: alertName(a), Customer: a.CustomerID, Partition: t.p, CSN: it.CSN, Title: a.Title}
	text, _, err := t.show(ctx, a, a)
	if err != nil {
		return err
	}
	said := int64(0)
	if a.SuppressedBy == sales.NotSuppressed {
		said = 1
	}
	if i == asTried {
		c.Verdict, c.After = verdictAdded, text
		f.Added++
		f.AddedSaid += said
	} else {
		c.Before = text
		f.Gone++
		f.GoneSaid += said
	}
	t.add(c)
	return nil
}

func (t *trial) add(c Change) {
	if first, ok := t.firsts[c.Customer]; ok {
		c.First = &first
	}
	t.changes = append(t.changes, c)
}

func (t *trial) counts(a *sales.Alert, at sales.Millis) bool {
	return t.scope.hasAlert(alertName(a), a.CustomerID, at) && (t.judged == 0 || a.Kind != sales.Declining)
}

func (t *trial) countSide(i int, a *sales.Alert, at sales.Millis) {
	if t.counts(a, at) {
		f := t.flow(a.Kind)
		[]*Counted{asItWas: &f.Before, asTried: &f.After}[i].add(a)
	}
}

func (t *trial) flow(kind sales.AlertKind) *Flow {
	f := t.flows[kind.String()]
	if f == nil {
		f = &Flow{Kind: kind.String()}
		t.flows[kind.String()] = f
	}
	return f
}

// first notes the first decision in a customer's story that is not the same, wherever in the past it is.
func (t *trial) first(a *sales.Alert, j *sales.Journal, why string) {
	if _, known := t.firsts[a.CustomerID]; !known {
		t.firsts[a.CustomerID] = First{CSN: j.CSN, At: time.UnixMilli(int64(a.EventTime)).UTC(), ID: alertName(a), Why: why}
	}
}

// story is why something differs that no rule stands against: the customer's past does.
func (t *trial) story(customer string) string {
	if first, ok := t.firsts[customer]; ok {
		return first.Why
	}
	return whyUnknown
}

func (t *trial) show(ctx context.Context, was, tried *sales.Alert) (before, after json.RawMessage, err error) {
	var texts [2]json.RawMessage
	for i, a := range []*sales.Alert{was, tried} {
		value, err := t.h.o.Encoder.AppendAlert(nil, a)
		if err != nil {
			return nil, nil, err
		}
		if texts[i], err = t.h.o.Decoder.JSON(ctx, value); err != nil {
			return nil, nil, err
		}
	}
	return texts[0], texts[1], nil
}

// end lists the ends of episodes that one side alone has said.
func (t *trial) end(ctx context.Context) error {
	for i := range t.pending {
		for _, name := range sortedKeys(t.pending[i]) {
			if err := t.only(ctx, i, t.pending[i][name]); err != nil {
				return err
			}
		}
		t.pending[i] = map[string]told{}
	}
	return nil
}

func (t *trial) flush(context.Context) error { return nil }

func (t *trial) release() {}

// savedTrial is where a trial stands.
type savedTrial struct {
	Pending  [2]map[string]told `json:"pending"`
	Openings map[string]string  `json:"openings"`
	Firsts   map[string]First   `json:"firsts"`
	Flows    map[string]*Flow   `json:"flows"`
	Changes  []Change           `json:"changes"`
}

func (t *trial) state() any {
	return savedTrial{t.pending, t.openings, t.firsts, t.flows, t.changes}
}

func (t *trial) resume(text json.RawMessage) error {
	s := savedTrial{[2]map[string]told{{}, {}}, map[string]string{}, map[string]First{}, map[string]*Flow{}, nil}
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	t.pending, t.openings, t.firsts, t.flows, t.changes = s.Pending, s.Openings, s.Firsts, s.Flows, s.Changes
	return nil
}
