package replay

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/committed"
	"leadline/internal/engine"
	"leadline/internal/sales"
)

const rehomedTopic = "leadline.rehomed"

// rehomed follows what growths of the topics brought to a shard and took from it: the same records as on leadline.state, never compacted.
type rehomed struct {
	at    *cursor // nil before the first growth
	limit int64

	record *sales.ShardRecord // of a growth that the core has not taken up yet
	runs   []engine.ItemsRun
}

// GrowthReport is one growth of the topics, as one shard saw it.
type GrowthReport struct {
	From    int32     `json:"from"` // how many shards there had been
	To      int32     `json:"to"`   // and were then
	At      time.Time `json:"at"`
	Arrived int64     `json:"arrived"` // customers
	Left    int64     `json:"left"`
}

// grow plays a commit by which customers came and left. It decides nothing: what came is taken as it is, and what was decided about it
// before is for the shard that it came from to verify.
func (s *Shadow) grow(ctx context.Context, j *sales.Journal) (*Played, error) {
	s.step = Played{Journal: j}
	if s.divide > 0 || len(s.cores) > 1 {
		return nil, &cutError{fmt.Sprintf("at commit %d %d shards became %d: customers came whose past is in other shards, so from there on they can only be followed "+
			"as they were, not divided otherwise or under other rules", j.CSN, j.GrownFrom, j.Partitions)}
	}
	if err := s.openRehomed(ctx); err != nil {
		return nil, err
	}
	came, err := s.arrivals(ctx, j)
	if err != nil {
		return nil, err
	}
	s.step.Decision.Changes = came
	s.cores[0].last = s.step.Decision
	s.reader.Partitions = j.Partitions
	if s.rules == "" { // a new shard: its next commit names its rules in full
		err = s.setRules(engine.DefaultRules())
	}
	return &s.step, err
}

func (s *Shadow) openRehomed(ctx context.Context) error {
	if s.rehomed.at != nil {
		return nil
	}
	cl, err := kgo.NewClient(s.o.Kafka...)
	if err != nil {
		return err
	}
	defer cl.Close()
	topic := s.o.Prefix + rehomedTopic
	spans, err := committed.Whole(ctx, kadm.NewClient(cl), topic)
	if err != nil {
		return err
	}
	span := spans[topic][s.p]
	s.rehomed.at, s.rehomed.limit = &cursor{opts: s.o.Kafka, topic: topic, p: s.p, pos: span.From}, span.To
	return nil
}

// arrivals reads what the commit changed, up to its shard record. What stands there of earlier commits was taken up in an earlier run.
func (s *Shadow) arrivals(ctx context.Context, j *sales.Journal) (changes []engine.Change, err error) {
	gone := &cutError{fmt.Sprintf("commit %d brought customers to this shard when %d shards became %d, and %s does not hold them any more",
		j.CSN, j.GrownFrom, j.Partitions, rehomedTopic)}
	runs := s.rehomed.runs
	for {
		rec, err := s.rehomed.at.next(ctx, s.rehomed.limit)
		if err != nil {
			return nil, err
		}
		if rec == nil {
			return nil, gone
		}
		key := string(rec.Key)
		switch index, isItems := strings.CutPrefix(key, sales.ItemsKeyPrefix); {
		case key == sales.ShardRecordKey:
			var record sales.ShardRecord
			if err := s.o.Decoder.ShardRecord(ctx, slices.Clone(rec.Value), &record); err != nil {
				return nil, fmt.Errorf("%s at %d: %w", rec.Topic, rec.Offset, err)
			}
			switch {
			case record.CSN < j.CSN:
				changes, runs = nil, s.rehomed.runs
			case record.CSN > j.CSN || len(changes) != int(j.Changed):
				return nil, gone
			default:
				s.rehomed.record, s.rehomed.runs = &record, runs
				return changes, nil
			}
		case isItems:
			var first int32
			if _, err := fmt.Sscanf(index, "%08x", &first); err != nil {
				return nil, fmt.Errorf("key %q at %s-%d, %d: %w", key, rec.Topic, rec.Partition, rec.Offset, err)
			}
			runs = append(runs, engine.ItemsRun{First: first, Run: slices.Clone(rec.Value)})
		default:
			changes = append(changes, engine.Change{CustomerID: key, Blob: slices.Clone(rec.Value)})
		}
	}
}

// takeUp makes the core what the growths played since its last step have made of the shard. One growth is many commits, so this waits until
// it matters.
func (s *Shadow) takeUp() error {
	if s.rehomed.record == nil {
		return nil
	}
	c := s.cores[0]
	k := keptCore{record: *s.rehomed.record, items: append(runs(c.shard.Items()), s.rehomed.runs...), customers: c.blobs}
	if err := c.restore(&k); err != nil {
		return &cutError{fmt.Sprintf("what %s brought up to commit %d does not fit what the shard had, as after a warm-up: %v", rehomedTopic, k.record.CSN, err)}
	}
	s.rehomed.record, s.rehomed.runs = nil, nil
	return nil
}

// note counts a commit of a growth.
func (r *ShardReport) note(done *Played) {
	j := done.Journal
	if n := len(r.Grown); n == 0 || r.Grown[n-1].To != j.Partitions {
		r.Grown = append(r.Grown, GrowthReport{From: j.GrownFrom, To: j.Partitions, At: time.UnixMilli(int64(j.Clock)).UTC()})
	}
	g := &r.Grown[len(r.Grown)-1]
	for _, ch := range done.Decision.Changes {
		if ch.Blob == nil {
			g.Left++
		} else {
			g.Arrived++
		}
	}
}
