// Package replay takes the decisions of the past again and compares them with those that were taken live.
//
// A Shadow is one shard's engine that follows leadline.journal: it reads the very records that each commit read, knows what that
// commit knew, under its rules and its time, and decides. Verify plays whole shards that way and holds what they decide against
// the live topics: alerts, suppressed alerts, dead letters, late events, every customer's state, and the shard's own record. It
// finds 0 differences when the live topics are what the engine would say again, and names each difference with both versions
// when they are not. It proves on the way that the journal's runs tile every input without gap or overlap.
//
// It writes nothing, belongs to no group, and may run beside live engines: what they commit meanwhile is left out. It begins at
// the first commit, so it needs the whole history; where retention has cut that it says so and verifies nothing of the shard.
// Beginning at a snapshot, replaying under other rules (what-if) and backfill are not there yet; they are to follow the
// journal with the same Shadow. Which records were of a schema that the registry did not know then is taken from the live dead
// letters, because nothing else tells it. Of knowledge of such a schema nothing tells it: should the registry know it by now,
// the replay takes it in where the live engine passed over it.
//
// Memory is that of the shards being played at one time, at most four: the blob of every customer (some 300 bytes), the
// differences, and a few megabytes of fetched records for each topic. The commands import it.
package replay

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Options is what a replay is told.
type Options struct {
	Kafka      []kgo.Opt // seeds, TLS, SASL: given to every client that is opened
	Prefix     string    // of the tenant's topics
	Calendar   sales.Calendar
	Decoder    *wire.Decoder
	Encoder    *wire.Encoder // of alerts
	Partitions []int32       // empty: all shards
	Until      time.Time     // zero: all that is committed; else commits up to this time by the wall clock
	Progress   func(Progress)
}

// Progress is how far all shards together are. It is told after each commit, one call at a time.
type Progress struct {
	Commits, Records int64
	Share            float64 // of the journal, 0 to 1
}

// maxShards is how many shards are played at the same time.
const maxShards = 4

// Verify replays the shards and compares. Differences and cut histories are in the report, not an error; an error says that the
// work could not be done.
func Verify(ctx context.Context, o Options) (*Report, error) {
	began := time.Now()
	cl, err := kgo.NewClient(o.Kafka...)
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	defer cl.Close()
	v := &verification{o: o, adm: kadm.NewClient(cl)}
	if err := v.look(ctx); err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	shards := make([]*shard, len(v.shards))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(min(maxShards, runtime.GOMAXPROCS(0)))
	for i, p := range v.shards {
		group.Go(func() error {
			shards[i] = newShard(v, p)
			defer shards[i].close()
			if err := shards[i].verify(ctx); err != nil {
				return fmt.Errorf("verify shard %d: %w", p, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	report := newReport(shards)
	report.Until, report.Took = o.Until, time.Since(began)
	return report, nil
}

// verification is what all shards of one Verify share.
type verification struct {
	o      Options
	adm    *kadm.Client
	counts map[string]int32 // partitions of each topic, without prefix
	shards []int32
	begins extents // of all topics
	ends   extents // of the topics written by the engine; taken in this order: outputs, then the journal
	until  extents // how far outputs of the last commit may reach when Options.Until is set

	mu       sync.Mutex
	total    int64 // offsets of the journals
	progress Progress
}

// extents are one offset of each partition, by topic without prefix.
type extents map[string]map[int32]int64

const (
	journalTopic     = "leadline.journal"
	stateTopic       = "leadline.state"
	deadLettersTopic = "dead-letters"
	lateEventsTopic  = "late-events"
	suppressedTopic  = "alerts.suppressed"
)

// alertTopics are those on which a shard says what it decided.
func alertTopics() []string {
	topics := []string{suppressedTopic}
	for _, k := range []sales.AlertKind{sales.CrossSell, sales.Upsell, sales.Declining, sales.Opportunity} {
		topics = append(topics, k.Topic())
	}
	return topics
}

func (v *verification) topic(name string) string { return v.o.Prefix + name }

// look learns where everything begins and ends. The outputs' ends are taken before the journal's, so that whatever stands before
// them belongs to a commit that is played, or to one that follows at once.
func (v *verification) look(ctx context.Context) error {
	outputs := append(alertTopics(), deadLettersTopic, lateEventsTopic)
	all := append(slices.Clone(outputs), stateTopic, journalTopic)
	for _, in := range intake.Inputs {
		all = append(all, in.Topic)
	}
	all = append(all, intake.KnowledgeTopics[:]...)
	if err := v.count(ctx, all); err != nil {
		return err
	}
	var err error
	if v.begins, err = v.offsets(ctx, v.adm.ListStartOffsets, all); err != nil {
		return err
	}
	if v.ends, err = v.offsets(ctx, v.adm.ListCommittedOffsets, outputs); err != nil {
		return err
	}
	if !v.o.Until.IsZero() {
		committed := v.ends
		if v.ends, err = v.before(ctx, v.o.Until, outputs, committed); err != nil {
			return err
		}
		if v.until, err = v.before(ctx, v.o.Until.Add(commitTakes), outputs, committed); err != nil {
			return err
		}
	}
	journal, err := v.offsets(ctx, v.adm.ListCommittedOffsets, []string{journalTopic})
	if err != nil {
		return err
	}
	v.ends[journalTopic] = journal[journalTopic]
	for _, p := range v.shards {
		v.total += v.ends[journalTopic][p] - v.begins[journalTopic][p]
	}
	return nil
}

// commitTakes is how long after its batch's clock a commit may write at most: longer than a transaction can last.
const commitTakes = time.Minute

// count learns the partitions and chooses the shards.
func (v *verification) count(ctx context.Context, topics []string) error {
	var names []string
	for _, t := range topics {
		names = append(names, v.topic(t))
	}
	meta, err := v.adm.ListTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	v.counts = map[string]int32{}
	for _, t := range topics {
		detail := meta[v.topic(t)]
		if errors.Is(detail.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("topic %s does not exist", v.topic(t))
		}
		if detail.Err != nil {
			return fmt.Errorf("topic %s: %w", v.topic(t), detail.Err)
		}
		v.counts[t] = int32(len(detail.Partitions))
	}
	v.shards = slices.Compact(slices.Sorted(slices.Values(v.o.Partitions)))
	if len(v.shards) == 0 {
		for p := range v.counts[journalTopic] {
			v.shards = append(v.shards, p)
		}
	}
	for _, p := range v.shards {
		if p < 0 || p >= v.counts[journalTopic] {
			return fmt.Errorf("there is no shard %d: %s has partitions 0 to %d", p, v.topic(journalTopic), v.counts[journalTopic]-1)
		}
	}
	return nil
}

type lister = func(context.Context, ...string) (kadm.ListedOffsets, error)

// before gives the offsets at which records of a time begin, or what is committed ends.
func (v *verification) before(ctx context.Context, at time.Time, topics []string, committed extents) (extents, error) {
	found, err := v.offsets(ctx, func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
		return v.adm.ListOffsetsAfterMilli(ctx, at.UnixMilli(), topics...)
	}, topics)
	for t, ps := range found {
		for p, offset := range ps {
			ps[p] = min(offset, committed[t][p])
		}
	}
	return found, err
}

func (v *verification) offsets(ctx context.Context, list lister, topics []string) (extents, error) {
	var names []string
	for _, t := range topics {
		names = append(names, v.topic(t))
	}
	listed, err := list(ctx, names...)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	out := extents{}
	for _, t := range topics {
		out[t] = map[int32]int64{}
		for p, o := range listed[v.topic(t)] {
			out[t][p] = o.Offset
		}
	}
	return out, nil
}

// played tells that a shard has played one more commit, of so many records and journal offsets.
func (v *verification) played(records, offsets int64) {
	if v.o.Progress == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.progress.Commits++
	v.progress.Records += records
	if v.total > 0 {
		v.progress.Share = min(1, v.progress.Share+float64(offsets)/float64(v.total))
	}
	v.o.Progress(v.progress)
}
