//go:build synctests

package stream

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/committed"
	"leadline/internal/engine"
	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/wire"
)

// written is all that is committed in all topics, by topic and partition, in order.
type written map[string]map[int32][]*kgo.Record

func (w *world) written() written {
	w.t.Helper()
	var topics []string
	for _, t := range allTopics() {
		topics = append(topics, w.prefix+t)
	}
	spans, err := committed.Whole(context.Background(), kadm.NewClient(w.client), topics...)
	if err != nil {
		w.t.Fatal(err)
	}
	all := written{}
	err = committed.Read(context.Background(), w.kafka(), spans, func(rec *kgo.Record) error {
		topic := strings.TrimPrefix(rec.Topic, w.prefix)
		if all[topic] == nil {
			all[topic] = map[int32][]*kgo.Record{}
		}
		all[topic][rec.Partition] = append(all[topic][rec.Partition], rec)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// follower takes one shard's decisions again, alone and undisturbed, from its journal, its inputs and the knowledge: what it
// says must stand in the topics, record by record, in this order and nothing else.
type follower struct {
	w     *world
	p     int32
	all   written
	clock engine.Clock
	core  *engine.Shard
	known *intake.Knowledge
	rules engine.Rules

	csn   int64
	next  positions
	hash  string // of the rules
	now   sales.Millis
	blobs map[string][]byte
	due   map[string]engine.Due
	runs  []engine.ItemsRun

	alerts  map[string][]sales.Alert
	refused map[string][]refused
	tallies map[sales.TallyKind][]sales.Tally
	state   []stateRecord
}

// refused is a record on dead-letters or late-events.
type refused struct {
	why        wire.Refusal
	key, value string
	tombstone  bool
}

// stateRecord is a record of leadline.state; shard records are compared by what they say.
type stateRecord struct {
	key, value string
	tombstone  bool
	shard      sales.ShardRecord
}

// follow holds one shard's topics against its follower, which it gives back.
func (w *world) follow(all written, p int32, clock engine.Clock) *follower {
	w.t.Helper()
	f := &follower{w: w, p: p, all: all, clock: clock, rules: engine.DefaultRules(),
		core:  engine.NewShard(engine.Config{Prefix: w.prefix, Partition: p, Partitions: w.n, Clock: clock, Rules: engine.DefaultRules()}),
		blobs: map[string][]byte{}, due: map[string]engine.Due{},
		alerts: map[string][]sales.Alert{}, refused: map[string][]refused{}, tallies: map[sales.TallyKind][]sales.Tally{}}
	f.forget()
	for _, rec := range all[journalTopic][p] {
		var j sales.Journal
		if err := w.dec.Journal(context.Background(), rec.Value, &j); err != nil {
			w.t.Fatal(err)
		}
		f.play(&j)
	}
	f.compare()
	return f
}

func (f *follower) forget() {
	f.known = intake.NewKnowledge(sales.Calendar{}, f.w.dec)
	f.known.SetRules(f.rules)
}

func (f *follower) play(j *sales.Journal) {
	f.w.t.Helper()
	if j.Partition != f.p || j.CSN != f.csn+1 {
		f.w.t.Fatalf("shard %d: after commit %d the journal has %d of shard %d", f.p, f.csn, j.CSN, j.Partition)
	}
	if j.Now < f.now {
		f.w.t.Fatalf("shard %d: time goes back at commit %d", f.p, j.CSN)
	}
	f.csn, f.now = j.CSN, j.Now
	f.takeRules(j)
	f.learn(j)
	var events intake.Events
	sources := f.read(j, &events)
	plan := f.core.PlanAt(events.List, j.Now, j.Watermark)
	for _, id := range plan.Missing {
		if err := f.core.Load(id, f.blobs[id]); err != nil {
			f.w.t.Fatal(err)
		}
	}
	f.take(j, sources, f.core.Step(engine.Batch{CSN: j.CSN, Events: events.List, Plan: plan, Clock: j.Clock, Knowledge: f.known.Engine(),
		RunID: sales.LiveRun}))
	f.core.Commit()
	f.core.Acknowledge(j.CSN)
	f.core.Evict(0)
}

func (f *follower) takeRules(j *sales.Journal) {
	if j.RulesHash == f.hash {
		return
	}
	if err := json.Unmarshal([]byte(j.Rules), &f.rules); err != nil || f.rules.Hash() != j.RulesHash {
		f.w.t.Fatalf("shard %d, commit %d: rules %q are not those of hash %s: %v", f.p, j.CSN, j.Rules, j.RulesHash, err)
	}
	f.hash = j.RulesHash
	f.core.SetRules(f.rules)
	f.known.SetRules(f.rules)
}

// learn brings the knowledge to the version of a commit. An engine that took the shard over may know less than the one before.
func (f *follower) learn(j *sales.Journal) {
	to, err := intake.ParseVersion(j.KnowledgeVersion)
	if err != nil {
		f.w.t.Fatal(err)
	}
	for i, next := range f.known.Next() {
		if to[i] < next {
			f.forget()
			break
		}
	}
	for i, topic := range intake.KnowledgeTopics {
		for _, rec := range f.all[topic][0] {
			if rec.Offset < f.known.Next()[i] || rec.Offset >= to[i] {
				continue
			}
			if err := f.known.Take(context.Background(), topic, rec.Offset, rec.Key, rec.Value); err != nil {
				f.w.t.Fatal(err)
			}
		}
	}
	f.known.Stamp()
}

// read gives the records of a commit, whose runs must begin where those before ended.
func (f *follower) read(j *sales.Journal, into *intake.Events) (sources []*kgo.Record) {
	f.w.t.Helper()
	last := -1
	for _, run := range j.Runs {
		at := slices.IndexFunc(inputs[:], func(in intake.Input) bool { return f.w.prefix+in.Topic == run.Topic })
		if at <= last || run.From != f.next[at] || run.To <= run.From {
			f.w.t.Fatalf("shard %d, commit %d has read %v, the inputs are read up to %v", f.p, j.CSN, j.Runs, f.next)
		}
		last, f.next[at] = at, run.To
		for _, rec := range f.all[inputs[at].Topic][f.p] {
			if rec.Offset < run.From || rec.Offset >= run.To {
				continue
			}
			in := intake.Record{Source: sourceOf(rec), Timestamp: sales.Millis(rec.Timestamp.UnixMilli()), Key: rec.Key, Value: rec.Value}
			err := intake.Reader{Decoder: f.w.dec, Partitions: f.w.n}.Read(context.Background(), inputs[at].Kind, in, into)
			var poison *wire.Poison
			switch {
			case errors.As(err, &poison):
				f.refuse(deadLettersTopic, rec, poison.Class, poison.Reason)
			case err != nil:
				f.w.t.Fatal(err)
			default:
				sources = append(sources, rec)
			}
		}
	}
	return sources
}

func (f *follower) refuse(topic string, rec *kgo.Record, class sales.DeadLetterClass, reason string) {
	why := wire.Refusal{Class: class, Reason: reason, Source: sourceOf(rec), Timestamp: sales.Millis(rec.Timestamp.UnixMilli())}
	f.refused[topic] = append(f.refused[topic], refused{why, string(rec.Key), string(rec.Value), rec.Value == nil})
}

// take notes what a commit must have written.
func (f *follower) take(j *sales.Journal, sources []*kgo.Record, d engine.Decision) {
	f.w.t.Helper()
	if int(j.Alerts) != len(d.Alerts) || int(j.Changed) != len(d.Changes) {
		f.w.t.Errorf("shard %d, commit %d counts %d alerts and %d changes, decided are %d and %d", f.p, j.CSN, j.Alerts, j.Changed, len(d.Alerts),
			len(d.Changes))
	}
	for i := range d.Alerts {
		topic := wire.AlertTopic(&d.Alerts[i])
		value, err := f.w.enc.AppendAlert(nil, &d.Alerts[i])
		if err != nil {
			f.w.t.Fatal(err)
		}
		f.alerts[topic] = append(f.alerts[topic], f.alert(value))
	}
	for _, r := range d.Rejected {
		f.refuse(deadLettersTopic, sources[r.Event], r.Class, r.Reason)
	}
	for _, i := range d.Late {
		f.refuse(lateEventsTopic, sources[i], wire.LateClass, wire.LateReason)
	}
	for _, t := range d.Tallies {
		t.Cells = slices.Clone(t.Cells) // good until the next step
		f.tallies[t.Kind] = append(f.tallies[t.Kind], t)
	}
	for _, run := range d.NewItems {
		f.runs = append(f.runs, run)
		f.state = append(f.state, stateRecord{key: string(itemsKey(run.First)), value: string(run.Run)})
	}
	for _, c := range d.Changes {
		f.blobs[c.CustomerID], f.due[c.CustomerID] = c.Blob, c.Due
		f.state = append(f.state, stateRecord{key: c.CustomerID, value: string(c.Blob), tombstone: c.Blob == nil})
	}
	at := make([]sales.InputPosition, len(inputs))
	for i, in := range inputs {
		at[i] = sales.InputPosition{Topic: f.w.prefix + in.Topic, Next: f.next[i]}
	}
	record := f.core.Record(j.CSN, at)
	record.Partitions = f.w.n
	f.state = append(f.state, stateRecord{key: sales.ShardRecordKey, shard: record})
}

func (f *follower) alert(value []byte) (a sales.Alert) {
	if err := f.w.dec.Alert(context.Background(), value, &a); err != nil {
		f.w.t.Fatal(err)
	}
	return a
}

// compare holds the topics against what the follower says.
func (f *follower) compare() {
	f.w.t.Helper()
	for _, k := range customerAlerts {
		f.compareAlerts(k.Topic())
	}
	f.compareAlerts(suppressedTopic)
	for _, topic := range []string{deadLettersTopic, lateEventsTopic} {
		f.compareRefused(topic)
	}
	for _, k := range sales.TallyKinds() {
		f.compareTallies(k)
	}
	f.compareState()
	for i, in := range inputs {
		records := f.all[in.Topic][f.p]
		if n := len(records); n > 0 && f.next[i] != records[n-1].Offset+1 {
			f.w.t.Errorf("shard %d has read %s up to %d, it ends at %d", f.p, in.Topic, f.next[i], records[n-1].Offset+1)
		}
	}
}

func same[T any](f *follower, what string, want, have []T) {
	f.w.t.Helper()
	if len(want) == 0 && len(have) == 0 || reflect.DeepEqual(want, have) {
		return
	}
	f.w.t.Errorf("shard %d: %s (-following the journal +in the topic):\n%s", f.p, what, cmp.Diff(want, have, cmp.AllowUnexported(refused{}, stateRecord{})))
}

func (f *follower) compareAlerts(topic string) {
	f.w.t.Helper()
	var have []sales.Alert
	for _, rec := range f.all[topic][f.p] {
		have = append(have, f.alert(rec.Value))
	}
	same(f, topic, f.alerts[topic], have)
}

func (f *follower) compareRefused(topic string) {
	f.w.t.Helper()
	var have []refused
	for _, rec := range f.all[topic][0] {
		r := refused{key: string(rec.Key), value: string(rec.Value), tombstone: rec.Value == nil}
		for _, h := range rec.Headers {
			r.why.Take(h.Key, h.Value)
		}
		if r.why.Source.Partition == f.p {
			have = append(have, r)
		}
	}
	same(f, topic, f.refused[topic], have)
}

func (f *follower) compareTallies(kind sales.TallyKind) {
	f.w.t.Helper()
	var have []sales.Tally
	for _, rec := range f.all[talliesTopic+string(kind)][0] {
		if string(rec.Key) != strconv.Itoa(int(f.p)) {
			continue
		}
		var t sales.Tally
		if err := f.w.dec.Tally(context.Background(), rec.Value, &t); err != nil {
			f.w.t.Fatal(err)
		}
		if len(t.Cells) == 0 {
			t.Cells = nil
		}
		have = append(have, t)
	}
	want := slices.Clone(f.tallies[kind])
	for i := range want {
		if len(want[i].Cells) == 0 {
			want[i].Cells = nil
		}
	}
	same(f, string(kind), want, have)
}

func (f *follower) compareState() {
	f.w.t.Helper()
	var have []stateRecord
	for _, rec := range f.all[stateTopic][f.p] {
		r := stateRecord{key: string(rec.Key), value: string(rec.Value), tombstone: rec.Value == nil}
		if isShardRecord(rec) {
			r.value = ""
			if err := f.w.dec.ShardRecord(context.Background(), rec.Value, &r.shard); err != nil {
				f.w.t.Fatal(err)
			}
		}
		have = append(have, r)
	}
	same(f, stateTopic, f.state, have)
}

// rotten is what damaged blobs hold. Damage that nobody has read yet may still be there.
const rotten = "rot"

// projected holds the store against the follower: customers, timers and dictionary.
func (f *follower) projected(store state.Store) {
	f.w.t.Helper()
	ctx := context.Background()
	ids := slices.Sorted(maps.Keys(f.blobs))
	meta, blobs, err := store.Load(ctx, f.p, ids)
	if err != nil || meta.CSN != f.csn {
		f.w.t.Fatalf("shard %d: the store is at %v, %v; Kafka at %d", f.p, meta, err, f.csn)
	}
	if f.csn == 0 {
		return
	}
	var timers, armed []engine.Timer
	for i, id := range ids {
		if !bytes.Equal(blobs[i], f.blobs[id]) && string(blobs[i]) != rotten {
			f.w.t.Errorf("shard %d, customer %s: the store has %x, it should be %x", f.p, id, blobs[i], f.blobs[id])
		}
		if f.due[id] != (engine.Due{}) {
			timers = append(timers, engine.Timer{CustomerID: id, Due: f.due[id]})
		}
	}
	err = store.Timers(ctx, f.p, func(t engine.Timer) error {
		armed = append(armed, t)
		return nil
	})
	runs, errRuns := store.Items(ctx, f.p)
	if err := errors.Join(err, errRuns); err != nil {
		f.w.t.Fatal(err)
	}
	slices.SortFunc(armed, func(a, b engine.Timer) int { return strings.Compare(a.CustomerID, b.CustomerID) })
	same(f, "timers of the store", timers, armed)
	same(f, "dictionary of the store", f.runs, runs)
}
