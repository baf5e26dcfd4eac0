package stream

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"leadline/internal/promise"
)

// A shard of which only some inputs are assigned here cannot be worked on: its commits would not be fenced by one generation.
func TestHalfAShardIsRefused(t *testing.T) {
	o := &owned{inputs: map[string]int{}, partitions: 3}
	resp := &kmsg.OffsetFetchResponse{Groups: []kmsg.OffsetFetchResponseGroup{{}}}
	for i, in := range inputs {
		o.inputs[in.Topic] = i
		part := kmsg.OffsetFetchResponseGroupTopicPartition{Partition: 2, Offset: int64(10 + i), Metadata: csnMetadata(7)}
		resp.Groups[0].Topics = append(resp.Groups[0].Topics, kmsg.OffsetFetchResponseGroupTopic{Topic: in.Topic,
			Partitions: []kmsg.OffsetFetchResponseGroupTopicPartition{part}})
	}
	shards, err := o.read(resp)
	if err != nil || len(shards) != 1 || shards[2] != (fetched{csn: 7, next: positions{10, 11, 12, 13, 14, 15}}) {
		t.Fatalf("read %v, %v", shards, err)
	}
	resp.Groups[0].Topics = resp.Groups[0].Topics[1:]
	if _, err := o.read(resp); !promise.IsBroken(err) {
		t.Errorf("a shard without its customers: %v", err)
	}
}

func FuzzCSN(f *testing.F) {
	for _, s := range []string{"csn:0", "csn:9223372036854775807", "csn:-1", "csn:", "a-member-id", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, metadata string) {
		csn, ok := parseCSN(&metadata)
		if !ok {
			return
		}
		if again, ok := parseCSN(csnMetadata(csn)); !ok || again != csn || csn < 0 {
			t.Errorf("%q is %d, and that is %d", metadata, csn, again)
		}
	})
}
