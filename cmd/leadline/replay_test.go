package main

import (
	"encoding/json"
	"os"
	"path/filepath"
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
	s.must("load", "--rate=700", smallSample(t)) // links are published while orders still come, and lead to alerts
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

// TestReplayTools: dry run, snapshot, what-if and backfill as called.
func TestReplayTools(t *testing.T) {
	s := newShop(t)
	s.must("topics", "create")
	stop := s.start("run")
	s.must("load", "--rate=700", smallSample(t))
	s.eventually("everything was read", func() bool { return s.read() == 1422 })
	stop()

	if out := s.must("replay", "verify", "--dry-run"); !strings.Contains(out, "the history is whole") || !strings.Contains(out, "3 shards") {
		t.Errorf("dry run: %s", out)
	}
	dir := t.TempDir()
	snapshot, rulesFile, links, ids := filepath.Join(dir, "snap"), filepath.Join(dir, "rules.yaml"), filepath.Join(dir, "links"), filepath.Join(dir, "ids")
	s.must("replay", "verify", "--snapshot-to", snapshot, "--state", filepath.Join(dir, "state"))
	s.must("replay", "verify", "--snapshot", snapshot)
	s.must("replay", "verify", "--shards", "6")
	for file, text := range map[string]string{rulesFile: "rules:\n  declining: {alpha: 0.2, resolve_above: 0.3}\n  caps: {cross_sell: 2, upsell: 1}\n", links: "{\"remove\":\"x\"}\n", ids: "a\nb\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.must("replay", "verify", "--customer", "@"+ids, "--alert", "one", "--alert", "two", "--rate", "100000")

	var found replay.TrialReport
	if err := json.Unmarshal([]byte(s.must("replay", "what-if", "--rules", rulesFile, "--links", links, "--json")), &found); err != nil {
		t.Fatal(err)
	}
	if !found.Whole || !found.Reconciles || len(found.Groups) == 0 || found.Flows[0].After.Said <= found.Flows[0].Before.Said {
		t.Errorf("declines that are less sure: %+v", found.Flows)
	}
	var mended replay.MendReport
	for _, want := range []bool{true, false} {
		if err := json.Unmarshal([]byte(s.must("replay", "backfill", "--to", "again.", "--json")), &mended); err != nil {
			t.Fatal(err)
		}
		if (mended.Written > 0) != want || !mended.Whole {
			t.Errorf("%+v", mended)
		}
	}
	if out := s.must("replay", "backfill"); !strings.Contains(out, "0 alerts written") {
		t.Errorf("nothing is missing: %s", out)
	}

	for _, tc := range []struct {
		says string
		args []string
	}{
		{"name what to change", []string{"what-if"}},
		{"two ways to begin", []string{"verify", "--snapshot", snapshot, "--warm-up"}},
		{"no such file", []string{"what-if", "--rules", rulesFile + "x"}},
		{"--customer @", []string{"verify", "--customer", "@" + ids + "x"}},
		{"is before --since", []string{"verify", "--since", "1h", "--until", "2h"}},
		{"--rate -1", []string{"verify", "--rate=-1"}},
		{"line 1: not a JSON object", []string{"what-if", "--links", rulesFile}},
	} {
		if out := s.fails(exitUsage, append([]string{"replay"}, tc.args...)...); !strings.Contains(out, tc.says) {
			t.Errorf("%v: %s", tc.args, out)
		}
	}
}
