package stream

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"leadline/internal/promise"
	"leadline/internal/wire"
)

// owned is what the group says this engine owns. The group's callbacks write it, the loop reads it; nothing else ever
// happens inside a callback. Each change has a new epoch, and ownership is replaced whole.
type owned struct {
	topicNames map[[16]byte]string // for answers that name topics by id
	inputs     map[string]int      // full topic name → place in inputs
	partitions int32               // that the topics had when the engine started

	mu    sync.Mutex
	epoch int64
	now   ownership
}

// ownership is one answer of the group. Commits are made under its member and generation, whatever the client's have
// become since: so the broker refuses what a later owner could contradict.
type ownership struct {
	epoch      int64
	member     string
	generation int32
	shards     map[int32]fetched // nil: not known
	err        error             // the answer cannot be worked with
}

// fetched is where the group's stable committed offsets say a shard stands.
type fetched struct {
	csn  int64
	next positions
}

func (o *owned) get() ownership {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.now
}

func (o *owned) changed(epoch int64) bool { return o.get().epoch != epoch }

func (o *owned) set(next ownership) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.epoch++
	next.epoch = o.epoch
	o.now = next
}

// clear is the callback of revoked and lost: nothing is owned until the group answers anew.
func (o *owned) clear(context.Context, *kgo.Client, map[string][]int32) { o.set(ownership{}) }

// onAssigned is the callback of an answer. Of one with partitions the offsets are fetched next, and ownership waits for them.
func (o *owned) onAssigned(_ context.Context, cl *kgo.Client, parts map[string][]int32) {
	next := ownership{}
	if len(parts) == 0 {
		next.member, next.generation = cl.GroupMetadata()
		next.shards = map[int32]fetched{}
	}
	o.set(next)
}

// onFetched is the callback in which ownership begins.
func (o *owned) onFetched(_ context.Context, cl *kgo.Client, resp *kmsg.OffsetFetchResponse) error {
	next := ownership{}
	next.member, next.generation = cl.GroupMetadata()
	next.shards, next.err = o.read(resp)
	o.set(next)
	return nil
}

// read makes shards of an answer about offsets, and refuses one in which a shard is not whole.
func (o *owned) read(resp *kmsg.OffsetFetchResponse) (map[int32]fetched, error) {
	shards, seen := map[int32]fetched{}, map[int32]int{}
	for _, g := range resp.Groups {
		for _, t := range g.Topics {
			name := t.Topic
			if name == "" {
				name = o.topicNames[t.TopicID]
			}
			at, ok := o.inputs[name]
			if !ok {
				continue
			}
			for _, p := range t.Partitions {
				if p.ErrorCode != 0 {
					continue // the client asks again, or surfaces it
				}
				if p.Partition >= o.partitions {
					return nil, promise.Break("stop all engines, then run leadline topics grow, which brings the customers to their new shards",
						"%s has grown beyond the %d partitions that it had when this engine started", name, o.partitions)
				}
				f := shards[p.Partition]
				if err := f.take(at, p); err != nil {
					return nil, err
				}
				shards[p.Partition] = f
				seen[p.Partition]++
			}
		}
	}
	for p, n := range maps.All(seen) {
		if n != len(inputs) {
			return nil, promise.Break("let every member of the group be a leadline engine of the same release",
				"partition %d of only %d of %d inputs is assigned here", p, n, len(inputs))
		}
	}
	return shards, nil
}

// take notes the offset of one input. The position of purchases carries the csn; every commit names it.
func (f *fetched) take(at int, p kmsg.OffsetFetchResponseGroupTopicPartition) error {
	if p.Offset < 0 {
		return missingOffsets(p.Partition, inputs[at].Topic)
	}
	f.next[at] = p.Offset
	if at != purchasesInput {
		return nil
	}
	csn, ok := parseCSN(p.Metadata)
	if !ok {
		return missingOffsets(p.Partition, inputs[at].Topic)
	}
	f.csn = csn
	return nil
}

func missingOffsets(p int32, topic string) error {
	return promise.Break("nothing was changed; restore the group's offsets from the shard records before starting again",
		"the committed offset of %s-%d is missing or was not written by an engine", topic, p)
}

const csnPrefix = "csn:"

func csnMetadata(csn int64) *string {
	m := csnPrefix + strconv.FormatInt(csn, 10)
	return &m
}

func parseCSN(metadata *string) (int64, bool) {
	if metadata == nil {
		return 0, false
	}
	digits, ok := strings.CutPrefix(*metadata, csnPrefix)
	if !ok {
		return 0, false
	}
	csn, err := strconv.ParseInt(digits, 10, 64)
	return csn, err == nil && csn >= 0
}

// topicID is the id of a topic, zero when it has none.
func (o *owned) topicID(name string) [16]byte {
	for id, n := range o.topicNames {
		if n == name {
			return id
		}
	}
	return [16]byte{}
}

// shardParts lists partition p of every input, as the client wants it for pausing.
func (n names) shardParts(p int32) map[string][]int32 {
	parts := make(map[string][]int32, len(inputs))
	for _, in := range inputs {
		parts[n.topic(in.Topic)] = []int32{p}
	}
	return parts
}

// names puts the tenant's prefix before topics.
type names struct{ prefix string }

func (n names) topic(name string) string { return n.prefix + name }

// defaultBatch is Kafka's usual bound of a batch, which every topic takes.
const defaultBatch = 1_000_012

// batchBytes bounds what is sent to a topic at once. A refused record is as large as it came, and grows by its headers.
func (n names) batchBytes(topic string) int32 {
	if topic == n.topic(deadLettersTopic) || topic == n.topic(lateEventsTopic) {
		return wire.MaxRefused
	}
	return defaultBatch
}
