package stream

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/wire"
)

// RestoreOffsets commits for the engine's group the positions that the shard records name: the explicit command after the offsets
// expired or were set by a tool. It gives the csn of each shard restored; one that never committed begins at the first offsets of its
// inputs, as at the first start, whatever the tool has set. No engine may be running: Kafka then refuses.
func RestoreOffsets(ctx context.Context, cfg Config, decoder *wire.Decoder, log *zap.Logger) (map[int32]int64, error) {
	cl, err := kgo.NewClient(cfg.Kafka...)
	if err != nil {
		return nil, fmt.Errorf("restore offsets: %w", err)
	}
	defer cl.Close()
	n, adm := names{cfg.Prefix}, kadm.NewClient(cl)
	states := &stateLog{opts: cfg.Kafka, topic: n.topic(stateTopic), adm: adm, decoder: decoder}
	found, err := adm.ListTopics(ctx, states.topic)
	if err == nil {
		err = found.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("restore offsets: topic %s: %w", states.topic, err)
	}
	starts, err := inputStarts(ctx, adm, n)
	if err != nil {
		return nil, fmt.Errorf("restore offsets: %w", err)
	}
	var offsets kadm.Offsets
	restored := map[int32]int64{}
	for p := range int32(len(found[states.topic].Partitions)) {
		last, ok, err := states.lastRecord(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("restore offsets: %w", err)
		}
		if !ok {
			for _, in := range inputs {
				at, _ := starts.Lookup(n.topic(in.Topic), p)
				offsets.Add(kadm.Offset{Topic: n.topic(in.Topic), Partition: p, At: at.Offset, LeaderEpoch: -1, Metadata: *csnMetadata(0)})
			}
			continue
		}
		for _, in := range last.record.Inputs {
			if !strings.HasPrefix(in.Topic, cfg.Prefix) {
				return nil, fmt.Errorf("restore offsets: shard record of %d names %s, which is another tenant's", p, in.Topic)
			}
			offsets.Add(kadm.Offset{Topic: in.Topic, Partition: p, At: in.Next, LeaderEpoch: -1, Metadata: *csnMetadata(last.record.CSN)})
		}
		restored[p] = last.record.CSN
		log.Info("shard's offsets", zap.Int32("partition", p), zap.Int64("csn", last.record.CSN))
	}
	if err := adm.CommitAllOffsets(ctx, cfg.group(), offsets); err != nil {
		return nil, fmt.Errorf("restore offsets of %s: %w", cfg.group(), err)
	}
	return restored, nil
}

func inputStarts(ctx context.Context, adm *kadm.Client, n names) (kadm.ListedOffsets, error) {
	var topics []string
	for _, in := range inputs {
		topics = append(topics, n.topic(in.Topic))
	}
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("first offsets of the inputs: %w", err)
	}
	return starts, nil
}
