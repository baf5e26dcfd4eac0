package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Check is what Verify may be told beside Options.
type Check struct {
	// Shards divides the customers as they would be among so many shards; 0 leaves them as they are. The alerts must not depend on it.
	Shards     int32
	SnapshotTo string // file into which the shards are written as of the last commits played; empty: none
}

// Verify replays the shards and compares. Differences and cut histories are in the report, not an error; an error says that the
// work could not be done, and with it comes a report of what was.
func Verify(ctx context.Context, o Options, c Check) (*Report, error) {
	if c.Shards > 0 && (o.Snapshot != "" || o.WarmUp || c.SnapshotTo != "") {
		return nil, errors.New("verify: another number of shards is played from the first commit on, without snapshot or warm-up")
	}
	began := time.Now()
	cl, err := kgo.NewClient(o.Kafka...)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	defer cl.Close()
	h, err := openHistory(ctx, o, kadm.NewClient(cl))
	if err == nil {
		_, err = h.openState(asked{Verb: "verify", Scope: o.Scope, Snapshot: o.Snapshot, WarmUp: o.WarmUp, Detail: c}, "")
	}
	var snapshot *snapshotFile
	if err == nil && c.SnapshotTo != "" {
		snapshot, err = newSnapshot(c.SnapshotTo, h.place)
	}
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	walks, err := h.walkAll(ctx, "verify", func(ctx context.Context, w *walk) error { return newVerification(ctx, w, c.Shards, snapshot) })
	if snapshot != nil {
		err = snapshot.end(err)
	}
	report := newReport(h, walks)
	report.Until, report.Took, report.Stopped = o.Until, time.Since(began), err != nil
	report.note(c, h)
	if err == nil {
		err = h.dropState()
	}
	return report, err
}

// asked is all that makes a run the one it is.
type asked struct {
	Verb     string `json:"verb"`
	Scope    Scope  `json:"scope"`
	Snapshot string `json:"snapshot,omitempty"`
	WarmUp   bool   `json:"warm_up,omitempty"`
	Detail   any    `json:"detail,omitempty"`
}

// verification is the verification of one shard.
type verification struct {
	*walk
	scope    scope
	ledgers  []*ledger // in the order of the topics
	found    findings
	snapshot *snapshotFile
}

func newVerification(ctx context.Context, w *walk, divide int32, snapshot *snapshotFile) error {
	v := &verification{walk: w, scope: w.h.scope, snapshot: snapshot}
	v.scope.warm = w.h.o.WarmUp
	w.job = v
	given, err := w.unknownSchemas(ctx)
	if err != nil {
		return err
	}
	if v.found.erased, err = w.erasedCustomers(ctx); err != nil {
		return err
	}
	if divide > 0 {
		w.shadow = newDivided(w.h.o, w.p, w.h.counts[journalTopic], w.h.positionsOfKnowledge(), given, divide)
	} else {
		w.shadow = NewShadow(w.h.o, w.p, w.h.counts[journalTopic], w.h.positionsOfKnowledge(), given)
	}
	for _, t := range alertTopics() {
		v.ledger(t, w.p, alerts{w.h.o.Decoder})
	}
	for _, t := range []string{deadLettersTopic, lateEventsTopic} {
		v.ledger(t, w.p%w.h.counts[t], letters{w.p})
	}
	return nil
}

func (v *verification) ledger(topic string, p int32, k kind) {
	v.ledgers = append(v.ledgers, newLedger(topic, p, v.cursor(topic, p), v.h.ends[topic][p], k, &v.scope, &v.found))
}

func (v *verification) release() {
	for _, l := range v.ledgers {
		l.live.close()
	}
}

// take compares what a commit says with what was said.
func (v *verification) take(ctx context.Context, j *sales.Journal) error {
	done, err := v.shadow.Play(ctx, j)
	if err != nil {
		return err
	}
	unjudged := v.warm(j)
	if v.judged != 0 && !unjudged && v.sum.JudgedFrom.IsZero() {
		v.sum.JudgedFrom = time.UnixMilli(int64(j.Clock)).UTC()
	}
	said := map[string][]item{}
	for i := range done.Decision.Alerts {
		a := &done.Decision.Alerts[i]
		value, err := v.h.o.Encoder.AppendAlert(nil, a)
		if err != nil {
			return err
		}
		topic := wire.AlertTopic(a)
		said[topic] = append(said[topic], item{ID: alertName(a), Customer: a.CustomerID, Value: value, CSN: j.CSN, At: j.Clock, Unjudged: unjudged})
	}
	for _, r := range done.Refused {
		it := replayedLetter(r)
		it.CSN, it.At, it.Unjudged = j.CSN, j.Clock, unjudged
		said[r.Topic] = append(said[r.Topic], it)
	}
	for _, l := range v.ledgers {
		if err := l.expect(ctx, said[l.topic]); err != nil {
			return fmt.Errorf("%s: %w", l.topic, err)
		}
	}
	if !unjudged && v.judged == 0 && v.scope.all() && j.Clock >= v.scope.since {
		v.compareCounts(done)
	}
	return nil
}

// compareCounts holds a commit's own sums against the shadow's: the first that differ tell where things went apart.
func (v *verification) compareCounts(done *Played) {
	j := done.Journal
	type counts struct {
		Alerts  int `json:"alerts"`
		Changed int `json:"changed"`
	}
	live, replayed := counts{int(j.Alerts), int(j.Changed)}, counts{len(done.Decision.Alerts), len(done.Decision.Changes)}
	if live == replayed {
		return
	}
	d := Difference{Partition: v.p, ID: fmt.Sprintf("commit %d", j.CSN), CSN: j.CSN, Live: plainJSON(live), Replayed: plainJSON(replayed)}
	if v.shadow.removed > 0 && len(v.found.erased) > 0 {
		v.found.addApart(different, journalTopic, fieldsThatDiffer(d.Live, d.Replayed), d) // a sum over all customers, the erased among them
		return
	}
	v.found.add(different, journalTopic, fieldsThatDiffer(d.Live, d.Replayed), d)
}

// end plays what has become visible meanwhile, and reports what found no match.
func (v *verification) end(ctx context.Context) error {
	if v.judged != 0 { // live records from before belong to commits that are not judged
		v.scope.since = math.MaxInt64
		if !v.sum.JudgedFrom.IsZero() {
			v.scope.since = max(v.h.scope.since, sales.Millis(v.sum.JudgedFrom.UnixMilli()))
		}
	}
	if err := v.playRest(ctx); err != nil {
		return err
	}
	for _, l := range v.ledgers {
		if err := l.report(ctx, v.h.o.Kafka); err != nil {
			return fmt.Errorf("%s: %w", l.topic, err)
		}
	}
	if err := v.compareState(ctx); err != nil {
		return err
	}
	if v.shadow.removed == 0 {
		v.found.noneErased()
	}
	if v.snapshot != nil {
		return v.snapshot.add(v.walk)
	}
	return nil
}

func (v *verification) flush(context.Context) error { return nil }

// playRest lets the ledgers settle. Live records that no commit has said may be of a commit that was just becoming visible when the ends
// were taken: then it goes on with what the journal says by now.
func (v *verification) playRest(ctx context.Context) error {
	for {
		extra, err := v.settle(ctx)
		if err != nil || extra == 0 || !v.h.o.Until.IsZero() {
			return err
		}
		ends, err := v.h.offsets(ctx, v.h.adm.ListCommittedOffsets, []string{journalTopic})
		if err != nil {
			return err
		}
		if ends[journalTopic][v.p] <= v.journal.at.pos {
			return nil
		}
		before := v.sum.Commits
		if err := v.upTo(ctx, ends[journalTopic][v.p]); err != nil || v.sum.Commits == before {
			return err
		}
	}
}

// settle lets the ledgers read what belongs to the commits played, and gives how many live records are left over.
func (v *verification) settle(ctx context.Context) (extra int, err error) {
	var topics []string
	for _, l := range v.ledgers {
		topics = append(topics, l.topic)
	}
	ends, err := v.h.offsets(ctx, v.h.adm.ListCommittedOffsets, topics)
	if err != nil {
		return 0, err
	}
	for _, l := range v.ledgers {
		if err := l.settle(ctx, ends[l.topic][l.p]); err != nil {
			return 0, fmt.Errorf("%s: %w", l.topic, err)
		}
		extra += len(l.extra())
	}
	return extra, nil
}

// compareState holds every customer's state against leadline.state. After a warm-up the state is not whole: cool-downs and looks may
// reach back further.
func (v *verification) compareState(ctx context.Context) error {
	if v.sum.Commits == 0 || v.scope.alerts != nil || v.judged != 0 {
		return nil
	}
	if err := v.shadow.takeUp(); err != nil {
		return err
	}
	ends, err := v.h.offsets(ctx, v.h.adm.ListCommittedOffsets, []string{stateTopic})
	if err != nil {
		return err
	}
	st := newStates(v.shadow, v.sum.CSN, v.scope.customers, &v.found)
	c := v.cursor(stateTopic, v.p)
	defer c.close()
	for {
		var rec *kgo.Record
		if rec, err = c.next(ctx, ends[stateTopic][v.p]); rec == nil || err != nil {
			break
		}
		if err = st.read(ctx, rec); err != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", stateTopic, err)
	}
	v.sum.Customers, v.sum.Moved = st.compare(v.journal.next)
	return nil
}

// erasedCustomers lists those of whom the topic customers has a tombstone today.
func (w *walk) erasedCustomers(ctx context.Context) (map[string]bool, error) {
	ends, err := w.h.offsets(ctx, w.h.adm.ListCommittedOffsets, []string{customersTopic})
	if err != nil {
		return nil, err
	}
	c := w.cursor(customersTopic, w.p)
	defer c.close()
	erased := map[string]bool{}
	for {
		rec, err := c.next(ctx, ends[customersTopic][w.p])
		if rec == nil || err != nil {
			return erased, err
		}
		if rec.Value == nil && !isRehomed(rec) {
			erased[string(rec.Key)] = true
		}
	}
}

// savedVerification is where a verification stands.
type savedVerification struct {
	Ledgers  []savedLedger `json:"ledgers"`
	Findings findings      `json:"findings"`
}

func (v *verification) state() any {
	s := savedVerification{Findings: v.found}
	for _, l := range v.ledgers {
		s.Ledgers = append(s.Ledgers, l.save())
	}
	return s
}

func (v *verification) resume(text json.RawMessage) error {
	s, err := v.parse(text)
	if err != nil {
		return err
	}
	v.found.Groups, v.found.Erased = s.Findings.Groups, s.Findings.Erased
	for i, l := range v.ledgers {
		l.load(s.Ledgers[i])
	}
	return nil
}

// startAt takes only the places from a snapshot: what was found before does not belong to what is asked now.
func (v *verification) startAt(text json.RawMessage) error {
	s, err := v.parse(text)
	if err != nil {
		return err
	}
	for i, l := range v.ledgers {
		at := s.Ledgers[i]
		at.Sum = TopicReport{Topic: l.topic}
		l.load(at)
	}
	return nil
}

func (v *verification) parse(text json.RawMessage) (s savedVerification, err error) {
	if err := json.Unmarshal(text, &s); err != nil {
		return s, err
	}
	if len(s.Ledgers) != len(v.ledgers) {
		return s, fmt.Errorf("%d ledgers where there must be %d", len(s.Ledgers), len(v.ledgers))
	}
	return s, nil
}
