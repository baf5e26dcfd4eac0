package book

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/committed"
	"leadline/internal/declining"
	"leadline/internal/engine"
	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/window"
	"leadline/internal/wire"
)

// Source is where the customers are read.
type Source struct {
	Kafka   []kgo.Opt // how to reach the cluster
	Prefix  string    // of the tenant's topics
	Redis   *state.Redis
	Decoder *wire.Decoder
	Log     *zap.Logger
}

func (o *Source) stateTopic() string    { return o.Prefix + "leadline.state" }
func (o *Source) profilesTopic() string { return o.Prefix + "customers" }

// errGrown says that there are more shards than were read: customers have moved.
var errGrown = errors.New("the topics have grown")

// reading is one reading of everything.
type reading struct {
	*Source
	edition *edition
	next    committed.Spans // From of each: where the topics go on behind what was read

	mu     sync.Mutex
	unread map[place]error // blobs in Redis that could not be read: of later commits than the dictionary, or damaged
}

type place struct {
	p  int32
	id string
}

// read reads Redis, then what the topics have beyond that, to the ends as they are now.
func (o *Source) read(ctx context.Context) (*reading, error) {
	client, err := kgo.NewClient(o.Kafka...)
	if err != nil {
		return nil, fmt.Errorf("read customers: %w", err)
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	details, err := adm.ListTopics(ctx, o.stateTopic())
	if err == nil {
		err = details[o.stateTopic()].Err
	}
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", o.stateTopic(), err)
	}
	meta, err := adm.BrokerMetadata(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the cluster: %w", err)
	}
	detail := details[o.stateTopic()]
	r := &reading{Source: o, edition: newEdition(int32(len(detail.Partitions))), unread: map[place]error{}}
	tails := r.windows(ctx, meta.Cluster, hex.EncodeToString(detail.ID[:]))
	spans, err := r.ends(ctx, adm, tails)
	if err != nil {
		return nil, err
	}
	for p, tail := range tails {
		span := spans[o.stateTopic()][p]
		if tail.From < span.From || tail.To > span.To {
			r.forget(p) // of another history: the topic alone counts
			continue
		}
		spans[o.stateTopic()][p] = committed.Span{From: tail.From, To: span.To}
	}
	r.next = committed.Spans{}
	for topic, parts := range spans {
		r.next[topic] = map[int32]committed.Span{}
		for p, span := range parts {
			r.next[topic][p] = committed.Span{From: span.To}
		}
	}
	if err := r.tail(ctx, spans); err != nil {
		return nil, err
	}
	return r, r.again(ctx, adm)
}

// windows reads the customers from Redis, and tells for each shard from where to where leadline.state must be read beyond that. A shard that
// is not in Redis as it should be is not among them.
func (r *reading) windows(ctx context.Context, cluster, topicID string) map[int32]committed.Span {
	tails, err := r.tryWindows(ctx, cluster, topicID)
	if err != nil {
		r.Log.Warn("redis cannot be read, leadline.state is read instead", zap.Error(err))
		r.edition, r.unread = newEdition(int32(len(r.edition.shards))), map[place]error{}
	}
	return tails
}

// tryWindows reads each shard's meta first, then the dictionary, then the customers: what is in neither of them then is in the topic beyond
// the meta's offset. What the projection has at the end must be read there too, so that nobody is as of an earlier commit than others.
func (r *reading) tryWindows(ctx context.Context, cluster, topicID string) (map[int32]committed.Span, error) {
	shards := r.edition.shards
	before := map[int32]state.Meta{}
	for _, s := range shards {
		m, ok, err := r.Redis.Meta(ctx, s.partition)
		if err != nil {
			return nil, err
		}
		if !ok || m.Cluster != cluster || m.TopicID != topicID {
			continue
		}
		runs, err := r.Redis.Items(ctx, s.partition)
		if err == nil {
			err = addRuns(s.items, runs)
		}
		if err != nil {
			return nil, err
		}
		before[s.partition] = m
	}
	readers := sync.Pool{New: func() any { return new(blobs) }}
	after, err := r.Redis.Everyone(ctx, int32(len(shards)), func(p int32, id string, blob []byte) error {
		reader := readers.Get().(*blobs)
		defer readers.Put(reader)
		r.window(reader, p, id, blob)
		return nil
	})
	if err != nil {
		return nil, err
	}
	tails := map[int32]committed.Span{}
	for i := range shards {
		p := int32(i)
		m, ok := before[p]
		if !ok || after[p].Generation != m.Generation {
			r.forget(p)
			continue
		}
		tails[p], shards[p].csn = committed.Span{From: m.StateOffset, To: after[p].StateOffset}, m.CSN
	}
	return tails, nil
}

// A commit that Redis has may be on its way to those who read Kafka for so many waits of so long.
const (
	settleTries = 50
	settleWait  = 100 * time.Millisecond
)

// ends gives what is committed, once that is all that Redis has: a transaction is answered before its markers are in all partitions.
func (r *reading) ends(ctx context.Context, adm *kadm.Client, tails map[int32]committed.Span) (committed.Spans, error) {
	for try := 0; ; try++ {
		spans, err := committed.Whole(ctx, adm, r.stateTopic(), r.profilesTopic())
		if err != nil {
			return nil, err
		}
		behind := false
		for p, tail := range tails {
			behind = behind || tail.To > spans[r.stateTopic()][p].To
		}
		if !behind || try == settleTries {
			return spans, nil
		}
		if err := settle(ctx); err != nil {
			return nil, err
		}
	}
}

// settle waits a little for what will soon be there.
func settle(ctx context.Context) error {
	timer := time.NewTimer(settleWait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// forget takes a shard for one of which Redis has told nothing.
func (r *reading) forget(p int32) {
	r.edition.shards[p] = newShard(p)
	maps.DeleteFunc(r.unread, func(at place, _ error) bool { return at.p == p })
}

// blobs is what one goroutine reads blobs with.
type blobs struct {
	reader engine.Reader
	packer declining.Packer
}

// window takes in a customer from Redis. Decoding is most of the work, so it is done before the shard is locked.
func (r *reading) window(with *blobs, p int32, id string, blob []byte) {
	s := r.edition.shards[p]
	c, err := with.reader.Read(blob, s.items)
	if err != nil {
		r.mu.Lock()
		r.unread[place{p, id}] = err
		r.mu.Unlock()
		return
	}
	history := with.packer.Pack(&c.Window, s.items)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(id, packed{day: c.Day, owner: c.Owner(), currency: c.Window.Currency(), last: c.Window.Last().Event, history: history})
}

func addRuns(items *window.Items, runs []engine.ItemsRun) error {
	for _, run := range runs {
		if err := items.AddRun(int(run.First), run.Run); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) tail(ctx context.Context, spans committed.Spans) error {
	err := committed.Read(ctx, r.Kafka, spans, func(rec *kgo.Record) error {
		if rec.Topic == r.stateTopic() {
			delete(r.unread, place{rec.Partition, string(rec.Key)}) // what comes later counts
		}
		return r.take(ctx, rec)
	})
	if err != nil {
		return fmt.Errorf("read customers: %w", err)
	}
	return nil
}

// again reads the shards from the topic's beginning that hold blobs which nothing later has replaced: they are damaged.
func (r *reading) again(ctx context.Context, adm *kadm.Client) error {
	damaged := map[int32]committed.Span{}
	for at, err := range r.unread {
		r.Log.Warn("customer in redis cannot be read, its shard is read from leadline.state", zap.String("customer", at.id), zap.Error(err))
		damaged[at.p] = committed.Span{To: r.next[r.stateTopic()][at.p].From}
	}
	if len(damaged) == 0 {
		return nil
	}
	starts, err := adm.ListStartOffsets(ctx, r.stateTopic())
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("read customers: %w", err)
	}
	for p, span := range damaged {
		start, _ := starts.Lookup(r.stateTopic(), p)
		before := r.edition.shards[p].customers
		r.edition.shards[p] = newShard(p)
		for _, was := range before {
			r.edition.shards[p].change(was.ID, func(c *declining.Customer) { c.Name, c.Segments = was.Name, was.Segments })
		}
		damaged[p] = committed.Span{From: start.Offset, To: span.To}
	}
	return r.tail(ctx, committed.Spans{r.stateTopic(): damaged})
}

// take takes in one record of a topic.
func (r *reading) take(ctx context.Context, rec *kgo.Record) error {
	s := r.edition.shards[rec.Partition]
	s.mu.Lock()
	defer s.mu.Unlock()
	if rec.Topic == r.profilesTopic() {
		return r.profile(ctx, s, rec)
	}
	if err := r.state(ctx, s, rec); err != nil {
		return fmt.Errorf("%s-%d at %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
	}
	return nil
}

// state takes in a record of leadline.state.
func (r *reading) state(ctx context.Context, s *shard, rec *kgo.Record) error {
	key := string(rec.Key)
	index, isItems := strings.CutPrefix(key, sales.ItemsKeyPrefix)
	switch {
	case key == sales.ShardRecordKey:
		var record sales.ShardRecord
		if err := r.Decoder.ShardRecord(ctx, rec.Value, &record); err != nil {
			return err
		}
		if int(record.Partitions) > len(r.edition.shards) { // fewer: from before a growth
			return errGrown
		}
		s.csn, s.committed = record.CSN, sales.Millis(rec.Timestamp.UnixMilli())
		return nil
	case isItems:
		var first int
		if _, err := fmt.Sscanf(index, "%08x", &first); err != nil {
			return fmt.Errorf("key %q of a run of the dictionary: %w", key, err)
		}
		return s.items.AddRun(first, rec.Value)
	}
	return s.take(key, rec.Value)
}

// profile takes in a record of customers. One that the engine takes for a dead letter is passed over here too. A tombstone erases.
func (r *reading) profile(ctx context.Context, s *shard, rec *kgo.Record) error {
	if rec.Value == nil {
		if !slices.ContainsFunc(rec.Headers, func(h kgo.RecordHeader) bool { return h.Key == intake.RehomedHeader }) { // else the profile went on to another partition
			s.change(string(rec.Key), func(c *declining.Customer) { c.Name, c.Segments = "", nil })
		}
		return nil
	}
	var c sales.Customer
	err := r.Decoder.Customer(ctx, rec.Value, &c)
	var poison *wire.Poison
	switch {
	case errors.As(err, &poison), errors.Is(err, wire.ErrUnknownSchema):
		return nil
	case err != nil:
		return fmt.Errorf("%s-%d at %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
	}
	of := r.edition.segments.of(maps.Clone(c.Attributes))
	name := strings.Clone(c.Name)
	s.change(string(rec.Key), func(c *declining.Customer) { c.Name, c.Segments = name, of })
	return nil
}
