package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/replay"
)

// TestReplayVerify: what an engine decided is decided again, and an alert that somebody else said is found.
func TestReplayVerify(t *testing.T) {
	s := newShop(t)
	s.must("topics", "create")
	stop := s.start("run")
	s.must("load", smallSample(t))
	s.eventually("everything was read", func() bool { return s.read() == 1422 })
	stop()

	var report replay.Report
	if err := json.Unmarshal([]byte(s.must("replay", "verify", "--json")), &report); err != nil {
		t.Fatal(err)
	}
	compared := int64(0)
	for _, topic := range report.Topics {
		compared += topic.Compared
	}
	said := 0
	for _, topic := range []string{"alerts.cross-sell", "alerts.upsell", "alerts.declining", "alerts.suppressed"} {
		said += len(s.records(topic))
	}
	if !report.Verified || len(report.Shards) != 3 || compared != int64(said) || said == 0 {
		t.Errorf("%d alerts were said, the report is %+v", said, report)
	}

	s.say("shop.alerts.declining", 1, []byte("nobody"))
	out := s.fails(exitFailed, "replay", "verify", "--partitions", "1")
	if !strings.Contains(out, "alerts.declining: 1 only live") {
		t.Errorf("a record that no commit has said: %s", out)
	}
	s.must("replay", "verify", "--partitions", "0,2")
	s.must("replay", "verify", "--until", "1h")
	if out := s.fails(exitFailed, "replay", "verify", "--partitions", "3"); !strings.Contains(out, "there is no shard 3") {
		t.Errorf("a shard too many: %s", out)
	}
	if out := s.fails(exitUsage, "replay", "verify", "--until", "yore"); !strings.Contains(out, "want a time like") {
		t.Errorf("until nobody knows when: %s", out)
	}
}

// say writes a record that no engine would.
func (s *shop) say(topic string, p int32, value []byte) {
	s.t.Helper()
	brokers := strings.TrimPrefix(s.env[0], "LEADLINE_KAFKA_BROKERS=")
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		s.t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(s.t.Context(), &kgo.Record{Topic: topic, Partition: p, Value: value}).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}
