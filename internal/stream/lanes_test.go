package stream

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"go.uber.org/zap/zaptest"

	"leadline/internal/engine"
)

// process is an engine's lanes at work.
type process struct {
	*Engine
	stop func()
}

// lanes starts an engine with all its lanes.
func (w *world) lanes(instance string) (process, *prometheus.Registry) {
	w.t.Helper()
	reg := prometheus.NewRegistry()
	e, err := NewEngine(Config{Kafka: w.kafka(), InstanceID: instance, Clock: engine.Live},
		Deps{Store: w.store, Decoder: w.dec, Encoder: w.enc, Rules: engine.DefaultRules, Log: zaptest.NewLogger(w.t), Registerer: reg})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Error(err)
		}
	})
	w.t.Cleanup(stop)
	return process{e, stop}, reg
}

// The lanes of a process share its shards, look like one engine to whoever lists or removes engines, and both commit.
func TestLanesShareAProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.link("coffee", "filters")
		e, reg := w.lanes("a")
		w.eventually("both lanes have shards", func() bool {
			group := (&Config{}).group()
			groups, err := w.admin().DescribeGroups(t.Context(), group)
			if err != nil || e.Ready() != nil || len(groups[group].Members) != lanes {
				return false
			}
			return !slices.ContainsFunc(groups[group].Members, func(m kadm.DescribedGroupMember) bool {
				assigned, ok := m.Assigned.AsConsumer()
				return !ok || len(assigned.Topics) == 0
			})
		})
		if have := w.shards(); len(have) != 1 || !slices.Equal(have["a"], []int32{0, 1, 2}) {
			t.Errorf("the group has %v", have)
		}
		for i := range 20 {
			w.buy(customer(i), customer(i), "coffee", time.Now())
		}
		w.eventually("all is read", w.allRead)
		if n := len(w.said()); n != 20 {
			t.Errorf("%d alerts, want 20", n)
		}
		both := running{w: w, metrics: reg}
		for _, lane := range []string{"1", "2"} {
			if both.count("transactions_total", "commit", lane) == 0 {
				t.Errorf("lane %s committed nothing", lane)
			}
		}
		e.stop()
		if err := Remove(t.Context(), w.admin(), w.prefix, "a"); err != nil {
			t.Error(err)
		}
		if have := w.shards(); len(have) != 0 {
			t.Errorf("after the removal the group has %v", have)
		}
	})
}

func TestInstanceIDWithALaneIsRefused(t *testing.T) {
	_, err := NewEngine(Config{InstanceID: laneOf("a", 1)}, Deps{})
	if err == nil || !strings.Contains(err.Error(), `"a~2"`) {
		t.Errorf("got %v", err)
	}
}

// A cycle comes to take about workTime whatever a record takes, within its bounds; short batches teach nothing.
func TestPace(t *testing.T) {
	for _, x := range []struct {
		name      string
		perRecord time.Duration
		want      int
	}{
		{"fits", 20 * time.Microsecond, 3_000},
		{"fast", time.Microsecond, 6_000},
		{"slow", time.Millisecond, fewestRecords},
	} {
		p := newPace(6_000)
		for range 30 {
			p.full = true
			p.took(time.Duration(p.records) * x.perRecord)
		}
		if p.records < x.want*99/100 || p.records > x.want*101/100 {
			t.Errorf("%s: %d records a cycle, want %d", x.name, p.records, x.want)
		}
		before := p.records
		p.full = false
		p.took(time.Second)
		if p.records != before {
			t.Errorf("%s: a cycle that was not full changed the pace to %d", x.name, p.records)
		}
	}
	if p := newPace(20); p.records != 20 {
		t.Errorf("at most 20 begins with %d", p.records)
	}
}

// A lane without shards, as with fewer shards than lanes, is at work too.
func TestLaneWithoutShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorldOf(t, 1)
		w.link("coffee", "filters")
		e, _ := w.lanes("a")
		w.eventually("it is ready", func() bool { return e.Ready() == nil })
		w.buy("cj-1", "e-1", "coffee", time.Now())
		w.eventually("all is read", w.allRead)
		if n := len(w.said()); n != 1 {
			t.Errorf("%d alerts, want 1", n)
		}
	})
}
