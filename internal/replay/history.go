package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// history is what all shards of one replay share: where everything begins and ends, what is asked, and how far the work is.
type history struct {
	o      Options
	scope  scope
	adm    *kadm.Client
	counts map[string]int32 // partitions of each topic, without prefix
	shards []int32
	begins extents // of all topics
	ends   extents // of the topics written by the engine; taken in this order: outputs, then the journal
	place  place

	pacing   pacing
	mu       sync.Mutex
	total    int64 // offsets of the journals
	progress Progress
}

// place names the topics that a history is of, so that nothing that was kept of one is taken for another's.
type place struct {
	Cluster    string `json:"cluster"`
	Prefix     string `json:"prefix"`
	Partitions int32  `json:"partitions"`
	TopicID    string `json:"topic_id"` // of the journal
	Zone       string `json:"zone"`     // whose days are counted
}

// extents are one offset of each partition, by topic without prefix.
type extents map[string]map[int32]int64

const (
	journalTopic     = "leadline.journal"
	stateTopic       = "leadline.state"
	deadLettersTopic = "dead-letters"
	lateEventsTopic  = "late-events"
	suppressedTopic  = "alerts.suppressed"
	linksTopic       = "product-links"
	customersTopic   = "customers"
)

// alertTopics are those on which a shard says what it decided.
func alertTopics() []string {
	topics := []string{suppressedTopic}
	for _, k := range []sales.AlertKind{sales.CrossSell, sales.Upsell, sales.Declining, sales.Opportunity} {
		topics = append(topics, k.Topic())
	}
	return topics
}

func outputTopics() []string { return append(alertTopics(), deadLettersTopic, lateEventsTopic) }

// openHistory looks at the topics, and goes on as an earlier run of the state directory had found them.
func openHistory(ctx context.Context, o Options, adm *kadm.Client) (*history, error) {
	h := &history{o: o, adm: adm, scope: newScope(o.Scope), pacing: pacing{rate: o.Rate, began: time.Now()}}
	if err := h.look(ctx); err != nil {
		return nil, err
	}
	for _, p := range h.shards {
		h.total += h.ends[journalTopic][p] - h.begins[journalTopic][p]
	}
	return h, nil
}

func (h *history) topic(name string) string { return h.o.Prefix + name }

// look learns where everything begins and ends. The outputs' ends are taken before the journal's, so that whatever stands before
// them belongs to a commit that is played, or to one that follows at once.
func (h *history) look(ctx context.Context) error {
	outputs := outputTopics()
	all := append(slices.Clone(outputs), stateTopic, journalTopic)
	for _, in := range intake.Inputs {
		all = append(all, in.Topic)
	}
	all = append(all, intake.KnowledgeTopics[:]...)
	if err := h.count(ctx, all); err != nil {
		return err
	}
	var err error
	if h.begins, err = h.offsets(ctx, h.adm.ListStartOffsets, all); err != nil {
		return err
	}
	if h.ends, err = h.offsets(ctx, h.adm.ListCommittedOffsets, outputs); err != nil {
		return err
	}
	if !h.o.Until.IsZero() {
		if h.ends, err = h.before(ctx, h.o.Until, outputs, h.ends); err != nil {
			return err
		}
	}
	journal, err := h.offsets(ctx, h.adm.ListCommittedOffsets, []string{journalTopic})
	if err != nil {
		return err
	}
	h.ends[journalTopic] = journal[journalTopic]
	return nil
}

// count learns the partitions and chooses the shards.
func (h *history) count(ctx context.Context, topics []string) error {
	var names []string
	for _, t := range topics {
		names = append(names, h.topic(t))
	}
	meta, err := h.adm.Metadata(ctx, names...)
	if err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	h.counts = map[string]int32{}
	for _, t := range topics {
		detail := meta.Topics[h.topic(t)]
		if errors.Is(detail.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("topic %s does not exist", h.topic(t))
		}
		if detail.Err != nil {
			return fmt.Errorf("topic %s: %w", h.topic(t), detail.Err)
		}
		h.counts[t] = int32(len(detail.Partitions))
	}
	h.place = place{Cluster: meta.Cluster, Prefix: h.o.Prefix, Partitions: h.counts[journalTopic],
		TopicID: meta.Topics[h.topic(journalTopic)].ID.String(), Zone: h.o.Calendar.String()}
	return h.choose()
}

// choose takes the shards that were asked for, or those of the customers that were.
func (h *history) choose() error {
	n := h.counts[journalTopic]
	chosen := map[int32]bool{}
	for _, p := range h.o.Partitions {
		if p < 0 || p >= n {
			return fmt.Errorf("there is no shard %d: %s has partitions 0 to %d", p, h.topic(journalTopic), n-1)
		}
		chosen[p] = true
	}
	if len(chosen) == 0 {
		for p := range n {
			chosen[p] = true
		}
	}
	if len(h.o.Customers) > 0 {
		theirs := map[int32]bool{}
		for _, c := range h.o.Customers {
			theirs[wire.Partition([]byte(c), n)] = true
		}
		maps.DeleteFunc(chosen, func(p int32, _ bool) bool { return !theirs[p] })
		if len(chosen) == 0 {
			return fmt.Errorf("the chosen customers are in the shards %v, and none of these was chosen", slices.Sorted(maps.Keys(theirs)))
		}
	}
	h.shards = slices.Sorted(maps.Keys(chosen))
	return nil
}

type lister = func(context.Context, ...string) (kadm.ListedOffsets, error)

// before gives the offsets at which records of a time begin, or what is committed ends.
func (h *history) before(ctx context.Context, at time.Time, topics []string, committed extents) (extents, error) {
	found, err := h.offsets(ctx, func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
		return h.adm.ListOffsetsAfterMilli(ctx, at.UnixMilli(), topics...)
	}, topics)
	for t, ps := range found {
		for p, offset := range ps {
			ps[p] = min(offset, committed[t][p])
		}
	}
	return found, err
}

func (h *history) offsets(ctx context.Context, list lister, topics []string) (extents, error) {
	var names []string
	for _, t := range topics {
		names = append(names, h.topic(t))
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
		for p, o := range listed[h.topic(t)] {
			out[t][p] = o.Offset
		}
	}
	return out, nil
}

// played tells that a shard has played one more commit, of so many records and journal offsets, and waits if that was too fast.
func (h *history) played(ctx context.Context, records, offsets int64) error {
	h.mu.Lock()
	h.progress.Commits++
	h.progress.Records += records
	all := h.progress.Records
	h.pass(offsets)
	h.mu.Unlock()
	return h.pacing.wait(ctx, all)
}

// skipped tells that a shard begins later in its journal: what is before needs no work any more.
func (h *history) skipped(offsets int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pass(offsets)
}

// pass tells how much further the work is. The lock is held.
func (h *history) pass(offsets int64) {
	if h.total > 0 {
		h.progress.Share = min(1, h.progress.Share+float64(offsets)/float64(h.total))
	}
	if h.o.Progress != nil {
		h.o.Progress(h.progress)
	}
}

// pacing bounds how many records a second are played.
type pacing struct {
	rate  int // 0: no bound
	began time.Time
}

// wait returns when so many records since the beginning are not too many.
func (p *pacing) wait(ctx context.Context, records int64) error {
	if p.rate == 0 {
		return nil
	}
	early := time.Until(p.began.Add(time.Duration(float64(records) / float64(p.rate) * float64(time.Second))))
	if early <= 0 {
		return nil
	}
	timer := time.NewTimer(early)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
