package topics

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// Grow gives all topics that have Options.Partitions at least so many partitions. It moves nothing: package stream's Grow calls it when it is
// sure that it can bring the customers along. Kafka cannot make partitions fewer, so that is refused, before anything is changed; and so are
// compacted topics that hold records which nobody would bring along.
func (a *Admin) Grow(ctx context.Context, partitions int32) error {
	have, err := a.cluster(ctx)
	if err != nil {
		return err
	}
	o := a.opts
	o.Partitions = max(partitions, 2) // so that a topic of one is none of them
	growing := map[string]Topic{}
	for _, t := range Catalogue(o) {
		if t.Partitions != o.Partitions {
			continue
		}
		if !have.has(a.name(t)) {
			return fmt.Errorf("topic %s is missing: run leadline topics create first", a.name(t))
		}
		switch n := int32(len(have.topics[a.name(t)].Partitions)); {
		case n > partitions:
			return fmt.Errorf("topic %s has %d partitions: Kafka cannot make them fewer", a.name(t), n)
		case n < partitions:
			growing[a.name(t)] = t
		}
	}
	if err := a.leftBehind(ctx, growing); err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(growing))
	if len(names) == 0 {
		return nil
	}
	done, err := a.kafka.UpdatePartitions(ctx, int(partitions), names...)
	if err == nil {
		err = done.Error()
	}
	if err != nil {
		return fmt.Errorf("give topics %d partitions: %w", partitions, err)
	}
	return nil
}

// leftBehind refuses if a compacted topic that nobody brings along holds anything.
func (a *Admin) leftBehind(ctx context.Context, growing map[string]Topic) error {
	var names []string
	for name, t := range growing {
		if t.Compacted() && t.Name != "leadline.state" && t.Name != "customers" {
			names = append(names, name)
		}
	}
	counts, err := a.counts(ctx, names)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		if counts[name] > 0 {
			return fmt.Errorf("topic %s holds records, and this release cannot bring them to their new partitions: nothing was changed", name)
		}
	}
	return nil
}
