package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// shard is the verification of one shard.
type shard struct {
	v       *verification
	p       int32
	journal *journal
	shadow  *Shadow
	ledgers []*ledger // in the order of the topics
	byTopic map[string]*ledger
	found   findings
	sum     ShardReport
}

func newShard(v *verification, p int32) *shard {
	s := &shard{v: v, p: p, byTopic: map[string]*ledger{}, sum: ShardReport{Partition: p}}
	s.journal = &journal{at: s.cursor(journalTopic, p), decoder: v.o.Decoder, prefix: v.o.Prefix, next: map[string]int64{},
		begins: func(topic string) int64 { return v.begins[strings.TrimPrefix(topic, v.o.Prefix)][p] }}
	if !v.o.Until.IsZero() {
		s.journal.until = sales.Millis(v.o.Until.UnixMilli())
	}
	for _, t := range alertTopics() {
		s.ledger(t, p, alerts{v.o.Decoder})
	}
	for _, t := range []string{deadLettersTopic, lateEventsTopic} {
		s.ledger(t, p%v.counts[t], letters{p})
	}
	return s
}

func (s *shard) cursor(topic string, p int32) *cursor {
	return &cursor{opts: s.v.o.Kafka, topic: s.v.topic(topic), p: p, pos: s.v.begins[topic][p]}
}

func (s *shard) ledger(topic string, p int32, k kind) {
	l := newLedger(topic, p, s.cursor(topic, p), s.v.ends[topic][p], k, &s.found)
	s.ledgers = append(s.ledgers, l)
	s.byTopic[topic] = l
}

func (s *shard) close() {
	s.journal.at.close()
	for _, l := range s.ledgers {
		l.live.close()
	}
	if s.shadow != nil {
		s.shadow.Close()
	}
}

// verify plays the shard to its end and compares. A journal that cannot be followed ends it early, and the report says why.
func (s *shard) verify(ctx context.Context) error {
	given, err := s.unknownSchemas(ctx)
	if err != nil {
		return err
	}
	var begins intake.Positions
	for i, t := range intake.KnowledgeTopics {
		begins[i] = s.v.begins[t][0]
	}
	s.shadow = NewShadow(s.v.o, s.p, s.v.counts[journalTopic], begins, given)
	err = s.play(ctx)
	var cut *cutError
	var gap *gapError
	switch {
	case errors.As(err, &cut):
		s.sum.Stopped = cut.reason
		return nil
	case errors.As(err, &gap):
		s.sum.Stopped = gap.reason
		s.found.add(brokenJournal, journalTopic, nil, Difference{Partition: s.p, ID: gap.reason, CSN: s.journal.csn + 1})
		return nil
	case err != nil:
		return err
	}
	for _, l := range s.ledgers {
		if err := l.report(ctx, s.v.o.Kafka); err != nil {
			return fmt.Errorf("%s: %w", l.topic, err)
		}
	}
	return s.compareState(ctx)
}

// play follows the journal to its end. Live records that no commit has said may be of a commit that was just becoming visible
// when the ends were taken: then it goes on with what the journal says by now.
func (s *shard) play(ctx context.Context) error {
	for limit := s.v.ends[journalTopic][s.p]; ; {
		if err := s.playUpTo(ctx, limit); err != nil {
			return err
		}
		extra, err := s.settle(ctx)
		if err != nil || extra == 0 || s.v.until != nil {
			return err
		}
		ends, err := s.v.offsets(ctx, s.v.adm.ListCommittedOffsets, []string{journalTopic})
		if err != nil {
			return err
		}
		if ends[journalTopic][s.p] <= limit {
			return nil
		}
		limit = ends[journalTopic][s.p]
	}
}

func (s *shard) playUpTo(ctx context.Context, limit int64) error {
	for {
		from := s.journal.at.pos
		j, err := s.journal.read(ctx, limit)
		if j == nil || err != nil {
			return err
		}
		done, err := s.shadow.Play(ctx, j)
		if err != nil {
			return fmt.Errorf("play commit %d: %w", j.CSN, err)
		}
		if err := s.compare(ctx, done); err != nil {
			return fmt.Errorf("compare commit %d: %w", j.CSN, err)
		}
		s.count(done)
		s.v.played(done.Records, s.journal.at.pos-from)
		s.shadow.Commit()
	}
}

// compare gives what a commit says to the ledgers.
func (s *shard) compare(ctx context.Context, done *Played) error {
	said := map[string][]item{}
	for i := range done.Decision.Alerts {
		a := &done.Decision.Alerts[i]
		value, err := s.v.o.Encoder.AppendAlert(nil, a)
		if err != nil {
			return err
		}
		topic := wire.AlertTopic(a)
		said[topic] = append(said[topic], item{id: alertName(a), customer: a.CustomerID, value: value, csn: done.Journal.CSN})
	}
	for _, r := range done.Refused {
		it := replayedLetter(r)
		it.csn = done.Journal.CSN
		said[r.Topic] = append(said[r.Topic], it)
	}
	for _, l := range s.ledgers {
		if err := l.expect(ctx, said[l.topic]); err != nil {
			return fmt.Errorf("%s: %w", l.topic, err)
		}
	}
	s.compareCounts(done)
	return nil
}

// compareCounts holds a commit's own sums against the shadow's: the first that differ tell where things went apart.
func (s *shard) compareCounts(done *Played) {
	j := done.Journal
	type counts struct {
		Alerts  int `json:"alerts"`
		Changed int `json:"changed"`
	}
	live, replayed := counts{int(j.Alerts), int(j.Changed)}, counts{len(done.Decision.Alerts), len(done.Decision.Changes)}
	if live == replayed {
		return
	}
	d := Difference{Partition: s.p, ID: fmt.Sprintf("commit %d", j.CSN), CSN: j.CSN, Live: plainJSON(live), Replayed: plainJSON(replayed)}
	s.found.add(different, journalTopic, fieldsThatDiffer(d.Live, d.Replayed), d)
}

func (s *shard) count(done *Played) {
	j := done.Journal
	if s.sum.Commits == 0 {
		s.sum.From = time.UnixMilli(int64(j.Clock)).UTC()
	}
	s.sum.To, s.sum.CSN = time.UnixMilli(int64(j.Clock)).UTC(), j.CSN
	s.sum.Commits++
	s.sum.Records += done.Records
	s.sum.Timers += int64(done.Decision.TimersFired)
	s.sum.Duplicates += int64(done.Decision.Duplicates)
}

// settle lets the ledgers read what belongs to the commits played, and gives how many live records are left over.
func (s *shard) settle(ctx context.Context) (extra int, err error) {
	ends := s.v.until
	if ends == nil {
		var topics []string
		for _, l := range s.ledgers {
			topics = append(topics, l.topic)
		}
		if ends, err = s.v.offsets(ctx, s.v.adm.ListCommittedOffsets, topics); err != nil {
			return 0, err
		}
	}
	for _, l := range s.ledgers {
		if err := l.settle(ctx, ends[l.topic][l.p]); err != nil {
			return 0, fmt.Errorf("%s: %w", l.topic, err)
		}
		extra += len(l.extra())
	}
	return extra, nil
}

// unknownSchemas lists the records that the live engine gave up because the registry did not have their schema: it may have it by now.
func (s *shard) unknownSchemas(ctx context.Context) (map[sales.Source]string, error) {
	p := s.p % s.v.counts[deadLettersTopic]
	c := s.cursor(deadLettersTopic, p)
	defer c.close()
	given := map[sales.Source]string{}
	for {
		rec, err := c.next(ctx, s.v.ends[deadLettersTopic][p])
		if rec == nil || err != nil {
			return given, err
		}
		var why wire.Refusal
		for _, h := range rec.Headers {
			why.Take(h.Key, h.Value)
		}
		if why.Class == sales.DeadUnknownSchema && why.Source.Partition == s.p {
			given[why.Source] = why.Reason
		}
	}
}

// compareState holds every customer's state against leadline.state.
func (s *shard) compareState(ctx context.Context) error {
	if s.sum.Commits == 0 {
		return nil
	}
	ends, err := s.v.offsets(ctx, s.v.adm.ListCommittedOffsets, []string{stateTopic})
	if err != nil {
		return err
	}
	st := newStates(s.shadow, s.sum.CSN, &s.found)
	c := s.cursor(stateTopic, s.p)
	defer c.close()
	for {
		var rec *kgo.Record
		if rec, err = c.next(ctx, ends[stateTopic][s.p]); rec == nil || err != nil {
			break
		}
		if err = st.read(ctx, rec); err != nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", stateTopic, err)
	}
	s.sum.Customers, s.sum.Moved = st.compare(s.journal.next)
	return nil
}
