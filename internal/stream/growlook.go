package stream

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/committed"
	"leadline/internal/sales"
	"leadline/internal/window"
	"leadline/internal/wire"
)

// home is a shard as it stands on leadline.state.
type home struct {
	items  *window.Items
	record *sales.ShardRecord // nil: it never committed
	blobs  map[string][]byte  // by customer_id
}

func (h *home) now() sales.Millis {
	if h.record == nil {
		return 0
	}
	return h.record.Now
}

// look learns from how many shards it goes, and reads them. Grown tells whether any topic has its new count already.
func (g *growth) look(ctx context.Context) (grown bool, err error) {
	counts, err := g.counts(ctx)
	if err != nil {
		return false, err
	}
	for topic, n := range counts {
		if n > g.done.To {
			return false, fmt.Errorf("%s has %d partitions: Kafka cannot make them fewer", topic, n)
		}
		grown = grown || n == g.done.To
	}
	if g.homes, err = g.readHomes(ctx); err != nil {
		return false, err
	}
	if g.done.From, err = g.from(counts); err != nil {
		return false, err
	}
	for _, h := range g.homes {
		g.done.Customers += int64(len(h.blobs))
	}
	g.done.Before = g.done.From == g.done.To
	if g.done.From < int32(len(g.homes)) {
		g.homes = g.homes[:g.done.From] // those beyond are new, and hold nothing yet
	}
	return grown, nil
}

// from is how many shards there have been: their records say so. The new ones beyond have none.
func (g *growth) from(counts map[string]int32) (int32, error) {
	n := int32(0)
	for p, h := range g.homes {
		switch {
		case h.record == nil:
			continue
		case h.record.Partitions == 0:
			return 0, fmt.Errorf("shard %d was last written by a release that did not say how many shards there are: run an engine of this release "+
				"until each shard has committed (a minute under the live clock), stop it, then do it again", p)
		case n != 0 && h.record.Partitions != n:
			return 0, fmt.Errorf("the shards' records contradict each other: %d of %d, shard %d of %d", n, n, p, h.record.Partitions)
		}
		n = h.record.Partitions
	}
	if n > 0 {
		return n, nil
	}
	n = g.done.To // nothing was ever committed: the topics alone tell
	for _, have := range counts {
		n = min(n, have)
	}
	return n, nil
}

// counts are the partitions of the shards' topics.
func (g *growth) counts(ctx context.Context) (map[string]int32, error) {
	var topics []string
	for _, t := range append(shardTopics(), rehomedTopic) {
		topics = append(topics, g.names.topic(t))
	}
	meta, err := g.adm.ListTopics(ctx, topics...)
	if err == nil {
		err = meta.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("look at the topics (leadline topics create makes those that are missing): %w", err)
	}
	counts := map[string]int32{}
	for _, t := range topics {
		counts[t] = int32(len(meta[t].Partitions))
	}
	return counts, nil
}

// visible waits until brokers answer with the new counts.
func (g *growth) visible(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		counts, err := g.counts(ctx)
		if err != nil {
			return err
		}
		waiting := ""
		for topic, n := range counts {
			if n != g.done.To {
				waiting = topic
			}
		}
		if waiting == "" {
			return nil
		}
		if err := sleep(ctx, firstBackoff); err != nil {
			return fmt.Errorf("%s does not show its %d partitions: %w", waiting, g.done.To, err)
		}
	}
}

// settled waits until no transaction is open on leadline.state: brokers answer that one was committed before they have put its markers
// into all partitions, and until then its records are not there for those who read what is committed.
func (g *growth) settled(ctx context.Context, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		ends, err := g.adm.ListEndOffsets(ctx, topic)
		if err == nil {
			err = ends.Error()
		}
		if err != nil {
			return fmt.Errorf("ends of %s: %w", topic, err)
		}
		stable, err := g.adm.ListCommittedOffsets(ctx, topic)
		if err == nil {
			err = stable.Error()
		}
		if err != nil {
			return fmt.Errorf("stable offsets of %s: %w", topic, err)
		}
		open := false
		ends.Each(func(end kadm.ListedOffset) {
			at, _ := stable.Lookup(end.Topic, end.Partition)
			open = open || at.Offset < end.Offset
		})
		if !open {
			return nil
		}
		if err := sleep(ctx, firstBackoff); err != nil {
			return fmt.Errorf("a transaction on %s does not end; does an engine run? %w", topic, err)
		}
	}
}

// readHomes reads all that is committed on leadline.state.
func (g *growth) readHomes(ctx context.Context) ([]home, error) {
	topic := g.names.topic(stateTopic)
	if err := g.settled(ctx, topic); err != nil {
		return nil, err
	}
	spans, err := committed.Whole(ctx, g.adm, topic)
	if err != nil {
		return nil, err
	}
	homes := make([]home, len(spans[topic]))
	for p := range homes {
		homes[p] = home{items: window.NewItems(), blobs: map[string][]byte{}}
	}
	err = committed.Read(ctx, g.cfg.Kafka, spans, func(rec *kgo.Record) error {
		if err := homes[rec.Partition].take(ctx, g.deps.Decoder, rec); err != nil {
			return fmt.Errorf("%s-%d at %d: %w", rec.Topic, rec.Partition, rec.Offset, err)
		}
		return nil
	})
	return homes, err
}

// take takes one record of leadline.state in. Blobs are copied: a record's bytes are those of the whole batch that it came in.
func (h *home) take(ctx context.Context, decoder *wire.Decoder, rec *kgo.Record) error {
	key := string(rec.Key)
	switch index, isItems := strings.CutPrefix(key, sales.ItemsKeyPrefix); {
	case isItems:
		var first int
		if _, err := fmt.Sscanf(index, "%08x", &first); err != nil {
			return fmt.Errorf("key %q of a run of the dictionary: %w", key, err)
		}
		return h.items.AddRun(first, rec.Value)
	case key == sales.ShardRecordKey:
		h.record = &sales.ShardRecord{}
		return decoder.ShardRecord(ctx, slices.Clone(rec.Value), h.record)
	case rec.Value == nil:
		delete(h.blobs, key)
	default:
		h.blobs[key] = slices.Clone(rec.Value)
	}
	return nil
}

// profile is the newest record of a customer who moves, on the compacted topic customers.
type profile struct {
	record   *kgo.Record
	from, to int32
}

// readProfiles finds them. They go with their customer, because a tombstone takes away only what stands in its own partition: what
// stayed behind could never be erased.
func (g *growth) readProfiles(ctx context.Context) error {
	topic := g.names.topic(inputs[customersInput].Topic)
	spans, err := committed.Whole(ctx, g.adm, topic)
	if err != nil {
		return err
	}
	g.profiles = map[string]*profile{}
	err = committed.Read(ctx, g.cfg.Kafka, spans, func(rec *kgo.Record) error {
		from, to := wire.Partition(rec.Key, g.done.From), wire.Partition(rec.Key, g.done.To)
		switch key := string(rec.Key); {
		case rec.Partition != from || from == to: // misrouted ones stay what they are
		case rec.Value == nil:
			delete(g.profiles, key)
		default:
			copied := *rec
			copied.Key, copied.Value = slices.Clone(rec.Key), slices.Clone(rec.Value)
			g.profiles[key] = &profile{record: &copied, from: from, to: to}
		}
		return nil
	})
	g.done.Profiles = int64(len(g.profiles))
	return err
}
