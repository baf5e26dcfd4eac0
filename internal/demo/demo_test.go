package demo

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"leadline/internal/config"
	"leadline/internal/load"
	"leadline/internal/sales"
	"leadline/internal/sample"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settings lets few customers teach, and takes no address that something else could want.
func settings() *config.Config {
	c := config.Default()
	c.Kafka.Brokers, c.Redis.Addrs, c.Registry.URL, c.HTTPAddr = []string{"127.0.0.1:0"}, []string{"127.0.0.1:0"}, "http://127.0.0.1:0", "127.0.0.1:0"
	c.Rules.Links.MinSupport, c.Rules.Links.MinG2 = 3, 1
	return c
}

// display is what the demo prints, safe to look at while it runs; it calls meet once the text stands on it.
type display struct {
	mu   sync.Mutex
	text bytes.Buffer
	wait string
	meet func()
}

func (s *display) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	if s.meet != nil && strings.Contains(s.text.String(), s.wait) {
		s.meet()
		s.meet = nil
	}
	return len(p), nil
}

// table is the summary's table and the counts below it.
func (s *display) table(t *testing.T) string {
	t.Helper()
	from := strings.Index(s.text.String(), "decided")
	to := strings.Index(s.text.String(), "late events")
	if from < 0 || to < from {
		t.Fatalf("there is no summary in\n%s", s.text.String())
	}
	return s.text.String()[from:to]
}

func TestASecondRunSaysNothingTwice(t *testing.T) {
	dir := t.TempDir()
	run := func(want string) *display {
		out := &display{}
		err := Run(t.Context(), Options{Config: settings(), DataDir: dir, Once: true, Within: 3 * time.Second, Sample: sample.Small(), Out: out})
		if err != nil || !strings.Contains(out.text.String(), want) {
			t.Fatalf("%v\n%s", err, out.text.String())
		}
		return out
	}
	first := run("1,513 events in ")
	if !strings.Contains(first.table(t), "declining") || !strings.Contains(first.table(t), "dead letters 0") {
		t.Errorf("first run:\n%s", first.text.String())
	}
	second := run("already: nothing was loaded or said again")
	if first.table(t) != second.table(t) {
		t.Errorf("first run:\n%s\nsecond run:\n%s", first.table(t), second.table(t))
	}
}

func TestTheDemoGoesOnWithOrdersUntilItIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &display{wait: "as if they were made now", meet: cancel}
	err := Run(ctx, Options{Config: settings(), DataDir: t.TempDir(), Within: time.Second, Sample: sample.Small(), Out: out})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.text.String())
	}
	if !strings.Contains(out.text.String(), "export LEADLINE_KAFKA_BROKERS=127.0.0.1:") {
		t.Errorf("other ports than the usual ones must be told:\n%s", out.text.String())
	}
}

// A demo that was broken off loads the very same records again.
func TestTheShiftIsSettledOnce(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	first, err := readMarker(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	later, err := readMarker(dir, now.AddDate(0, 2, 0))
	if err != nil || later != first || first.Weeks != load.WeeksBetween(sample.Newest, now) {
		t.Errorf("%+v, then %+v, %v", first, later, err)
	}
}

func TestCountsOfKinds(t *testing.T) {
	s := seen{kinds: map[sales.AlertKind]*kindCount{}, example: map[sales.AlertKind]string{}}
	for _, a := range []sales.Alert{
		{Status: sales.Opened}, {Status: sales.Opened, SuppressedBy: sales.ByHoldout}, {Status: sales.Opened, SuppressedBy: sales.ByCap},
		{Status: sales.Updated}, {Status: sales.Resolved}, {Status: sales.Expired}, {Status: sales.Expired},
	} {
		a.Kind = sales.Upsell
		s.add(a)
	}
	c := s.kinds[sales.Upsell]
	if c.decided != 3 || c.said != 1 || c.notSaid[sales.ByHoldout] != 1 || c.notSaid[sales.ByCap] != 1 || c.resolved != 1 || c.expired != 2 || s.total != 1 {
		t.Errorf("%+v", c)
	}
}
