package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"leadline/internal/desk"
	"leadline/internal/embedded"
	"leadline/internal/sample"
)

func matches(text, pattern string) bool { return regexp.MustCompile(pattern).MatchString(text) }

// shop is an installation on embedded servers, driven by command lines only.
type shop struct {
	t   *testing.T
	env []string
	log *output // of the last roles that were started
}

// rules learn from few customers: the small sample has 25.
const rules = `
rules:
  holdout_share: 0.2
  links: {min_support: 4, min_g2: 0.5}
`

func newShop(t *testing.T) *shop {
	t.Helper()
	servers, err := embedded.Start(t.Context(), embedded.Options{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := servers.Stop(); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(t.TempDir(), "leadline.yaml")
	if err := os.WriteFile(file, []byte(rules), 0o600); err != nil {
		t.Fatal(err)
	}
	return &shop{t: t, env: []string{"LEADLINE_KAFKA_BROKERS=" + servers.KafkaAddr, "LEADLINE_REGISTRY_URL=" + servers.RegistryURL,
		"LEADLINE_REDIS_ADDRS=" + servers.RedisAddr, "LEADLINE_HTTP_ADDR=127.0.0.1:0", "LEADLINE_CLOCK=data", "LEADLINE_CONFIG=" + file,
		"LEADLINE_TOPIC_PREFIX=shop.", "LEADLINE_TOPICS_PARTITIONS=3", "LEADLINE_ENGINE_INSTANCE=one"}}
}

// must runs a command that has to succeed.
func (s *shop) must(args ...string) string {
	s.t.Helper()
	code, out, stderr := leadline(s.t, s.env, args...)
	if code != 0 {
		s.t.Fatalf("leadline %v: exit %d: %s%s", args, code, out, stderr)
	}
	return out
}

// fails runs a command that has to end with the code, and gives what it said.
func (s *shop) fails(code int, args ...string) string {
	s.t.Helper()
	got, out, stderr := leadline(s.t, s.env, args...)
	if got != code {
		s.t.Fatalf("leadline %v: exit %d, want %d: %s%s", args, got, code, out, stderr)
	}
	return out + stderr
}

// start runs roles until the returned stop, which wants them to end well.
func (s *shop) start(args ...string) (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	log := &output{}
	s.log = log
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, args, &process{environ: s.env, stdin: strings.NewReader(""), stdout: log, stderr: log})
	}()
	return func() {
		s.t.Helper()
		cancel()
		if code := <-ended; code != 0 {
			s.t.Errorf("leadline %v: exit %d:\n%s", args, code, log)
		}
	}
}

func (s *shop) eventually(what string, yes func() bool) {
	s.t.Helper()
	patience := time.After(60 * time.Second)
	for !yes() {
		select {
		case <-patience:
			s.t.Fatalf("never: %s\n%s", what, s.log)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// records reads a whole topic through tail --json.
func (s *shop) records(topic string) (all []record) {
	s.t.Helper()
	for line := range strings.Lines(s.must("tail", topic, "--from", "start", "--json")) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			s.t.Fatalf("%v in %s", err, line)
		}
		all = append(all, r)
	}
	return all
}

type record struct {
	Partition int32             `json:"partition"`
	Offset    int64             `json:"offset"`
	Key       string            `json:"key"`
	Headers   map[string]string `json:"headers"`
	Value     map[string]any    `json:"value"`
}

// read counts how many purchases the engine has committed, by its journal.
func (s *shop) read() (purchases int64) {
	for _, r := range s.records("leadline.journal") {
		runs, _ := r.Value["runs"].([]any)
		for _, run := range runs {
			if of := run.(map[string]any); strings.HasSuffix(of["topic"].(string), "purchases") {
				purchases += int64(of["to"].(float64) - of["from"].(float64))
			}
		}
	}
	return purchases
}

// smallSample lies in a directory, as a user would have it.
func smallSample(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, sample.Small()); err != nil {
		t.Fatal(err)
	}
	if files, err := fs.Glob(os.DirFS(dir), "*.jsonl.zst"); err != nil || len(files) != 5 {
		t.Fatalf("%v, %v", files, err)
	}
	return dir
}

// TestStory is a first day with Leadline, from empty servers on.
func TestStory(t *testing.T) {
	s := newShop(t)
	if said := s.fails(exitFailed, "topics", "check"); !strings.Contains(said, "shop.purchases: topic is missing") {
		t.Errorf("check on empty servers: %s", said)
	}
	if said := s.fails(exitFailed, "load", smallSample(t)); !strings.Contains(said, "run leadline topics create") {
		t.Errorf("load without schemas: %s", said)
	}
	if out := s.must("topics", "create"); !strings.Contains(out, "created     shop.purchases\n") || !strings.Contains(out, "registered  shop.purchases-value\n") {
		t.Errorf("create: %s", out)
	}
	if out := s.must("topics", "create"); out != "nothing to do: all topics and schemas are there\n" {
		t.Errorf("create again: %s", out)
	}
	s.must("topics", "check")
	if out := s.must("check"); strings.Contains(out, "FAILED") {
		t.Errorf("check: %s", out)
	}

	stop := s.start("run")
	const orders = 1422
	if out := s.must("load", "--rate=700", smallSample(t)); !strings.Contains(out, "0 rejected") || !matches(out, fmt.Sprintf(`purchases +%d\n`, orders)) {
		t.Errorf("load: %s", out)
	}
	s.eventually("everything was read", func() bool { return s.read() == orders })
	s.rejects()
	s.tails()
	s.customer()
	s.declining()
	s.links()
	if out := s.must("topics", "list"); !matches(out, `shop\.purchases +3 +1 +1422 `) {
		t.Errorf("list: %s", out)
	}
	stop()
	s.restartSaysNothingTwice()
	if said := s.fails(exitFailed, "state", "restore-offsets"); !strings.Contains(said, "the group still counts on an engine: stop all, wait") {
		t.Errorf("restore beside an engine that may come back: %s", said)
	}
}

// rejects loads a file with one line that is no purchase.
func (s *shop) rejects() {
	s.t.Helper()
	dir := s.t.TempDir()
	bad := filepath.Join(dir, "bad.purchases.jsonl")
	if err := os.WriteFile(bad, []byte(`{"event_id":"x"}`+"\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	rejects := filepath.Join(dir, "rejects.jsonl")
	if said := s.fails(exitRejects, "load", bad, "--rejects", rejects); !strings.Contains(said, "1 rejected") {
		s.t.Errorf("rejects: %s", said)
	}
	if _, err := os.Stat(rejects); err != nil {
		s.t.Error(err)
	}
}

func (s *shop) tails() {
	s.t.Helper()
	if all := s.records("purchases"); len(all) != 1422 {
		s.t.Errorf("tail from the start shows %d purchases", len(all))
	}
	if out := s.must("tail", "purchases"); strings.Count(out, "\n") != 10 || !strings.Contains(out, "minor units of USD in") {
		s.t.Errorf("tail shows the last ten:\n%s", out)
	}
	last := strings.Fields(s.must("tail", "purchases", "--last", "1"))
	customer := last[3]
	own := s.must("tail", "purchases", "--key", customer)
	if n := strings.Count(own, "\n"); n < 2 || strings.Count(own, "  "+customer+"  ") != n {
		s.t.Errorf("tail of %s:\n%s", customer, own)
	}
	if out := s.must("tail", "purchases", "--from", "1h", "--limit", "3"); strings.Count(out, "\n") != 3 {
		s.t.Errorf("tail from an hour ago, three of them:\n%s", out)
	}
	if out := s.must("tail", "purchases", "--from", "end"); out != "" {
		s.t.Errorf("tail from the end:\n%s", out)
	}
	s.follows(customer)
	if said := s.fails(exitFailed, "tail", "nope"); !strings.Contains(said, "topic nope does not exist") {
		s.t.Errorf("tail of no topic: %s", said)
	}
	if said := s.fails(exitUsage, "tail", "purchases", "--from", "yore"); !strings.Contains(said, "want start, end, an offset") {
		s.t.Errorf("tail from nowhere: %s", said)
	}
}

// follows shows the last one, waits for more, and ends well when it is interrupted.
func (s *shop) follows(customer string) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	var out output
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"tail", "purchases", "--last", "1", "--follow"}, &process{environ: s.env, stdout: &out, stderr: &out})
	}()
	s.eventually("the last one shows", func() bool { return strings.Contains(out.String(), customer) })
	cancel()
	if code := <-ended; code != 0 {
		s.t.Errorf("interrupted: exit %d: %s", code, &out)
	}
}

// customer looks at one from both sides: Redis must say what the changelog says.
func (s *shop) customer() {
	s.t.Helper()
	last := strings.Fields(s.must("tail", "purchases", "--last", "1"))
	id := last[3]
	show := func(args ...string) (string, map[string]any) {
		var view map[string]any
		out := s.must(append([]string{"state", "show", id, "--json"}, args...)...)
		if err := json.Unmarshal([]byte(out), &view); err != nil {
			s.t.Fatal(err)
		}
		delete(view, "source")
		delete(view, "shard_csn")
		delete(view, "timer_as_written") // with the data clock Redis does not tell how far time has come
		same, err := json.Marshal(view)
		if err != nil {
			s.t.Fatal(err)
		}
		return string(same), view
	}
	decided, view := show("--changelog")
	if view["orders"].(float64) < 1 || view["timer"] == nil || len(view["categories"].([]any)) == 0 {
		s.t.Errorf("%s: %s", id, decided)
	}
	s.eventually("redis has what Kafka decided", func() bool {
		projected, _ := show()
		return projected == decided
	})
	if out := s.must("state", "show", id); !matches(out, `CATEGORY +COUNT +AMOUNT, MINOR UNITS OF USD`) {
		s.t.Errorf("state show: %s", out)
	}
	if said := s.fails(exitFailed, "state", "show", "nobody"); !strings.Contains(said, "nothing is kept of customer nobody") {
		s.t.Errorf("state of nobody: %s", said)
	}
}

// links asks what is bought with what.
func (s *shop) links() {
	s.t.Helper()
	s.eventually("the list and the table tell the same links", func() bool { // so few customers let come and go what is published
		var all desk.LinksAnswer
		if err := json.Unmarshal([]byte(s.must("links", "--json", "--limit", "0", "--kind", "cross_sell")), &all); err != nil {
			s.t.Fatal(err)
		}
		rows := strings.Count(s.must("links", "--csv", "--limit", "0", "--kind", "CROSS_SELL"), "\n") - 1
		return rows == len(all.Links) && rows == all.Matched
	})
	if said := s.fails(exitUsage, "links", "--sort", "best"); !strings.Contains(said, "sort: want one of") {
		s.t.Errorf("no such sort: %s", said)
	}
}

// declining asks for the list, as text, as a table and as JSON.
func (s *shop) declining() {
	s.t.Helper()
	out := s.must("declining", "--recent", "45d", "--sort", "p", "--limit", "3")
	if !matches(out, `\(45 days\) against .* \(\d+ days\)\n\d+ of \d+ customers buy less`) || !matches(out, `AT RISK\n( +cj-\d+ .* USD\n){3}$`) {
		s.t.Errorf("declining:\n%s", out)
	}
	table := s.must("declining", "--recent", "45d", "--csv", "--limit", "0")
	var answer struct {
		Listed    []struct{ Customers int }
		Customers []struct{ CustomerID string }
	}
	if err := json.Unmarshal([]byte(s.must("declining", "--recent", "45d", "--json", "--limit", "2")), &answer); err != nil {
		s.t.Fatal(err)
	}
	if len(answer.Customers) != 2 || strings.Count(table, "\n") != answer.Listed[0].Customers+1 {
		s.t.Errorf("%+v, and the table\n%s", answer, table)
	}
	if said := s.fails(exitUsage, "declining", "--recent", "2001-01-01..2001-02-01"); !strings.Contains(said, "is not within the days that are kept") {
		s.t.Errorf("long ago: %s", said)
	}
}

// restartSaysNothingTwice loads the same file again after a restart.
func (s *shop) restartSaysNothingTwice() {
	s.t.Helper()
	said := func() map[string]bool {
		ids := map[string]bool{}
		for _, topic := range []string{"alerts.cross-sell", "alerts.upsell", "alerts.declining", "alerts.suppressed"} {
			for _, r := range s.records(topic) {
				if ids[r.Headers["ce_id"]] {
					s.t.Errorf("%s was said twice", r.Headers["ce_id"])
				}
				ids[r.Headers["ce_id"]] = true
			}
		}
		return ids
	}
	before := said()
	if len(before) == 0 {
		s.t.Error("no alert was decided at all")
	}
	stop := s.start("run")
	s.must("load", smallSample(s.t))
	s.eventually("everything was read again", func() bool { return s.read() == 2*1422 })
	stop()
	opened := func(ids map[string]bool) (n int) {
		for id := range ids {
			if strings.HasSuffix(id, ".1") {
				n++
			}
		}
		return n
	}
	if after := said(); opened(after) != opened(before) {
		s.t.Errorf("%d alerts were opened, after loading the same again %d", opened(before), opened(after))
	}
}
