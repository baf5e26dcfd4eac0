package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Backfill replays the shards and writes the alerts that are missing: those that the replay decides and that are neither on the alert
// topics nor in the ledger of suppressed ones, of the tenant's own prefix or of another one, whose topics must exist with as many
// partitions. Each bears the run's id instead of "live", so that nobody is told, and otherwise says what was decided then. Written is in
// transactions under an id of each shard's own, after a look at what is there by then: run twice, killed in between or started twice at
// once, each alert is written once. The encoder of the options is that of the prefix written to. With an error comes what was done.
func Backfill(ctx context.Context, o Options, to string) (*MendReport, error) {
	if o.WarmUp {
		return nil, errors.New("backfill: which offer is best goes back to a customer's first purchase: begin at the first commit or with a snapshot, not with a warm-up")
	}
	began := time.Now()
	cl, err := kgo.NewClient(o.Kafka...)
	if err != nil {
		return nil, fmt.Errorf("backfill: %w", err)
	}
	defer cl.Close()
	h, err := openHistory(ctx, o, kadm.NewClient(cl))
	if err == nil {
		err = h.checkTarget(ctx, to)
	}
	var runID string
	if err == nil {
		runID, err = h.openState(asked{Verb: "backfill", Scope: o.Scope, Snapshot: o.Snapshot, Detail: to}, "backfill-"+began.UTC().Format("20060102T150405Z"))
	}
	if err != nil {
		return nil, fmt.Errorf("backfill: %w", err)
	}
	walks, err := h.walkAll(ctx, "backfill", func(ctx context.Context, w *walk) error { return newMending(ctx, w, to, runID) })
	report := newMendReport(h, walks)
	report.RunID, report.To, report.Took, report.Stopped = runID, to, time.Since(began), err != nil
	if err == nil {
		err = h.dropState()
	}
	return report, err
}

// checkTarget refuses topics in which the customers would be elsewhere.
func (h *history) checkTarget(ctx context.Context, to string) error {
	var names []string
	for _, t := range alertTopics() {
		names = append(names, to+t)
	}
	topics, err := h.adm.ListTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	for _, name := range names {
		switch detail := topics[name]; {
		case errors.Is(detail.Err, kerr.UnknownTopicOrPartition):
			return fmt.Errorf("topic %s does not exist", name)
		case detail.Err != nil:
			return fmt.Errorf("topic %s: %w", name, detail.Err)
		case len(detail.Partitions) != int(h.counts[journalTopic]):
			return fmt.Errorf("topic %s has %d partitions, and there are %d shards: alerts must stand where their customers are", name, len(detail.Partitions), h.counts[journalTopic])
		}
	}
	return nil
}

// mending is the backfill of one shard.
type mending struct {
	*walk
	to, runID string
	client    *kgo.Client // transactional
	there     map[string]*shelf
	topics    []string
	batch     []*kgo.Record
	names     []string
}

// shelf is what is there on one partition of a topic.
type shelf struct {
	at    *cursor
	names map[string]bool
	since sales.Millis // retention has taken what was decided before; 0: nothing
	sum   MendTopic
}

// perTransaction bounds what a killed run has to look through again.
const perTransaction = 500

func newMending(ctx context.Context, w *walk, to, runID string) error {
	m := &mending{walk: w, to: to, runID: runID, there: map[string]*shelf{}, topics: alertTopics()}
	w.job = m
	given, err := w.unknownSchemas(ctx)
	if err != nil {
		return err
	}
	w.shadow = NewShadow(w.h.o, w.p, w.h.counts[journalTopic], w.h.positionsOfKnowledge(), given)
	m.client, err = kgo.NewClient(append(w.h.o.Kafka[:len(w.h.o.Kafka):len(w.h.o.Kafka)], kgo.TransactionalID(fmt.Sprintf("%sleadline-backfill-%d", to, w.p)),
		kgo.TransactionTimeout(10*time.Second), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return err
	}
	// This ends what an earlier or another run has open, and keeps it from writing any more, before it is looked what is there.
	if _, _, err := m.client.ProducerID(ctx); err != nil {
		return fmt.Errorf("get a producer id: %w", err)
	}
	return m.openShelves(ctx)
}

func (m *mending) openShelves(ctx context.Context) error {
	names := m.targets()
	starts, err := m.h.adm.ListStartOffsets(ctx, names...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("list offsets: %w", err)
	}
	for _, t := range m.topics {
		start, _ := starts.Lookup(m.to+t, m.p)
		m.there[t] = &shelf{at: &cursor{opts: m.h.o.Kafka, topic: m.to + t, p: m.p, pos: start.Offset}, names: map[string]bool{}, sum: MendTopic{Topic: t}}
		if start.Offset > 0 {
			m.there[t].since = math.MaxInt64 // until the first record that is left tells
		}
	}
	return m.look(ctx)
}

func (m *mending) targets() (names []string) {
	for _, t := range m.topics {
		names = append(names, m.to+t)
	}
	return names
}

// look reads what has come since the last look. Whatever was written before it is seen, for it waits until every transaction that has
// written by now has ended: alerts of a commit may become visible after its journal does.
func (m *mending) look(ctx context.Context) error {
	written, err := m.h.adm.ListEndOffsets(ctx, m.targets()...)
	if err == nil {
		err = written.Error()
	}
	if err != nil {
		return fmt.Errorf("list offsets: %w", err)
	}
	for {
		ended, err := m.h.adm.ListCommittedOffsets(ctx, m.targets()...)
		if err == nil {
			err = ended.Error()
		}
		if err != nil {
			return fmt.Errorf("list offsets: %w", err)
		}
		open := false
		for _, name := range m.targets() {
			w, _ := written.Lookup(name, m.p)
			e, _ := ended.Lookup(name, m.p)
			open = open || e.Offset < w.Offset
		}
		if !open {
			return m.readShelves(ctx, ended)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (m *mending) readShelves(ctx context.Context, ends kadm.ListedOffsets) error {
	kind := alerts{m.h.o.Decoder}
	for _, t := range m.topics {
		s := m.there[t]
		end, _ := ends.Lookup(m.to+t, m.p)
		for {
			rec, err := s.at.next(ctx, end.Offset)
			if err != nil {
				return err
			}
			if rec == nil {
				break
			}
			it, _, err := kind.item(ctx, rec)
			if err != nil {
				return err
			}
			s.names[it.ID] = true
			s.since = min(s.since, it.At)
		}
	}
	return nil
}

// take puts what is missing of a commit's alerts into the batch.
func (m *mending) take(ctx context.Context, j *sales.Journal) error {
	done, err := m.shadow.Play(ctx, j)
	if err != nil || m.warm(j) {
		return err
	}
	if m.judged != 0 && m.sum.JudgedFrom.IsZero() {
		m.sum.JudgedFrom = time.UnixMilli(int64(j.Clock)).UTC()
	}
	for i := range done.Decision.Alerts {
		a := &done.Decision.Alerts[i]
		name := alertName(a)
		if !m.h.scope.hasAlert(name, a.CustomerID, j.Clock) {
			continue
		}
		if err := m.mend(name, a, j); err != nil {
			return err
		}
	}
	if len(m.batch) >= perTransaction {
		return m.flush(ctx)
	}
	return nil
}

func (m *mending) mend(name string, a *sales.Alert, j *sales.Journal) error {
	s := m.there[wire.AlertTopic(a)]
	s.sum.Decided++
	switch {
	case s.names[name]:
		s.sum.There++
		return nil
	case j.Clock+commitTakes < s.since:
		s.sum.Gone++
		return nil
	}
	again := *a
	again.RunID = m.runID
	value, err := m.h.o.Encoder.AppendAlert(nil, &again)
	if err != nil {
		return err
	}
	rec := &kgo.Record{Topic: m.to + s.sum.Topic, Partition: m.p, Key: []byte(a.CustomerID), Value: value}
	for _, h := range wire.CloudEvent(&again, "/leadline/"+m.h.o.Prefix+"replay") {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	m.batch, m.names = append(m.batch, rec), append(m.names, name)
	return nil
}

// flush writes the batch, all of it or nothing, but for what has come there meanwhile.
func (m *mending) flush(ctx context.Context) error {
	if len(m.batch) == 0 {
		return nil
	}
	if err := m.look(ctx); err != nil {
		return err
	}
	var missing []*kgo.Record
	for i, rec := range m.batch {
		s := m.there[rec.Topic[len(m.to):]]
		if s.names[m.names[i]] {
			s.sum.There++
			continue
		}
		missing = append(missing, rec)
	}
	if err := m.write(ctx, missing); err != nil {
		return fmt.Errorf("write %d alerts: %w", len(missing), err)
	}
	for _, rec := range missing {
		m.there[rec.Topic[len(m.to):]].sum.Written++
	}
	m.batch, m.names = nil, nil
	return nil
}

func (m *mending) write(ctx context.Context, records []*kgo.Record) error {
	if len(records) == 0 {
		return nil
	}
	if err := m.client.BeginTransaction(); err != nil {
		return err
	}
	if err := m.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWork) // an open transaction would hold up every reader
		defer cancel()
		if errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) {
			err = fmt.Errorf("another backfill of this shard has begun: %w", err)
		}
		return errors.Join(err, m.client.EndTransaction(ctx, kgo.TryAbort))
	}
	return m.client.EndTransaction(ctx, kgo.TryCommit)
}

func (m *mending) end(ctx context.Context) error { return m.flush(ctx) }

func (m *mending) release() {
	for _, s := range m.there {
		s.at.close()
	}
	if m.client != nil {
		m.client.Close()
	}
}

func (m *mending) state() any { return m.sums() }

func (m *mending) sums() (list []MendTopic) {
	for _, t := range m.topics {
		if s := m.there[t]; s != nil {
			list = append(list, s.sum)
		}
	}
	return list
}

func (m *mending) resume(text json.RawMessage) error {
	var list []MendTopic
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	for _, sum := range list {
		if s := m.there[sum.Topic]; s != nil {
			s.sum = sum
		}
	}
	return nil
}

// MendTopic is what a backfill did to one topic: decided = there + written + gone.
type MendTopic struct {
	Topic   string `json:"topic"`
	Decided int64  `json:"decided"` // in the replay
	There   int64  `json:"there"`   // of these, on the topic already
	Written int64  `json:"written"`
	Gone    int64  `json:"gone"` // of these, older than what retention has left of the topic: not missing
}

// MendReport is the outcome of a backfill.
type MendReport struct {
	Whole   bool          `json:"whole"`   // every shard was played to its end
	Stopped bool          `json:"stopped"` // before the end: this is what was done
	RunID   string        `json:"run_id"`
	To      string        `json:"to"` // prefix of the topics written to
	Written int64         `json:"written"`
	Took    time.Duration `json:"took_ns"`
	Shards  []ShardReport `json:"shards"`
	Topics  []MendTopic   `json:"topics"`
}

func newMendReport(h *history, walks []*walk) *MendReport {
	r := &MendReport{Whole: len(walks) == len(h.shards)}
	for _, w := range walks {
		r.Shards = append(r.Shards, w.sum)
		r.Whole = r.Whole && w.done && w.sum.Stopped == ""
		for i, t := range w.job.(*mending).sums() {
			if i == len(r.Topics) {
				r.Topics = append(r.Topics, MendTopic{Topic: t.Topic})
			}
			sum := &r.Topics[i]
			sum.Decided, sum.There, sum.Written, sum.Gone = sum.Decided+t.Decided, sum.There+t.There, sum.Written+t.Written, sum.Gone+t.Gone
			r.Written += t.Written
		}
	}
	return r
}

// WriteText writes it for a person.
func (r *MendReport) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "TOPIC\tDECIDED\tTHERE\tWRITTEN\tNOT KEPT ANY MORE")
	var records int64
	for _, t := range r.Topics {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", r.To+t.Topic, t.Decided, t.There, t.Written, t.Gone)
	}
	fmt.Fprintln(w)
	for _, s := range r.Shards {
		records += s.Records
	}
	writeShards(w, r.Shards, "played")
	if r.Stopped {
		fmt.Fprintln(w, "Stopped before the end; until then:")
	}
	fmt.Fprintf(w, "%d alerts written under run_id %s; %s records played in %s\n", r.Written, r.RunID, strconv.FormatInt(records, 10), r.Took.Round(time.Millisecond))
	return w.Flush()
}
