package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"leadline/internal/sales"
)

// Entry is one alert message as it is shown.
type Entry struct {
	Written time.Time // Kafka's timestamp: the order of the page
	Kind    sales.AlertKind
	Status  sales.AlertStatus
	Record  json.RawMessage // the whole record, in the contract's names

	seq int64 // in order of arrival here, from 1
}

// Count is how many alerts of one kind were seen.
type Count struct {
	Opened   int64 `json:"opened"`
	Updated  int64 `json:"updated"`
	Resolved int64 `json:"resolved"`
	Expired  int64 `json:"expired"`
}

// Counts is what was seen since the feed began. HeldOut and the other suppressed alerts are counted and never shown:
// who sees the control group's alerts spoils the experiment.
type Counts struct {
	Kinds      map[string]Count `json:"kinds"`
	Suppressed map[string]int64 `json:"suppressed"`
}

// Feed keeps the newest alerts and hands new ones to whoever listens.
type Feed struct {
	keep int
	boot string // tells the ids of this feed from those of another process

	mu      sync.Mutex
	entries []Entry // by Written, oldest first, at most keep
	seq     int64
	lost    int64 // the highest seq no longer kept
	counts  Counts
	changed int64 // goes up with every change of counts
	subs    map[*subscription]struct{}

	streams prometheus.Gauge
	dropped prometheus.Counter
}

// subscription is one listener. Its channel is closed when it was too slow.
type subscription struct{ entries chan Entry }

// backlog is how far a listener may fall behind.
const backlog = 256

// NewFeed keeps the newest alerts, at most so many.
func NewFeed(keep int, metrics prometheus.Registerer) *Feed {
	f := &Feed{keep: keep, boot: uuid.NewString()[:8], subs: map[*subscription]struct{}{},
		counts:  Counts{Kinds: map[string]Count{}, Suppressed: map[string]int64{}},
		streams: prometheus.NewGauge(prometheus.GaugeOpts{Name: "leadline_web_streams", Help: "Open streams of live alerts."}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "leadline_web_streams_dropped_total",
			Help: "Streams ended because their reader was too slow."}),
	}
	metrics.MustRegister(f.streams, f.dropped)
	return f
}

// Add takes in one alert that was said.
func (f *Feed) Add(e Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count(e)
	f.seq++
	e.seq = f.seq
	at, _ := slices.BinarySearchFunc(f.entries, e, func(a, b Entry) int {
		return cmp.Or(a.Written.Compare(b.Written), cmp.Compare(a.seq, b.seq))
	})
	f.entries = slices.Insert(f.entries, at, e)
	if len(f.entries) > f.keep {
		f.lost = max(f.lost, f.entries[0].seq)
		f.entries = slices.Delete(f.entries, 0, 1)
	}
	for s := range f.subs {
		select {
		case s.entries <- e:
		default:
			delete(f.subs, s)
			close(s.entries)
			f.dropped.Inc()
		}
	}
}

// Suppressed counts one alert that was decided and not said.
func (f *Feed) Suppressed(why sales.Suppression) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Suppressed[why.String()]++
	f.changed++
}

func (f *Feed) count(e Entry) {
	c := f.counts.Kinds[e.Kind.String()]
	switch e.Status {
	case sales.Opened:
		c.Opened++
	case sales.Updated:
		c.Updated++
	case sales.Resolved:
		c.Resolved++
	case sales.Expired:
		c.Expired++
	}
	f.counts.Kinds[e.Kind.String()] = c
	f.changed++
}

// totals gives a copy of the counts and the number of their last change.
func (f *Feed) totals() (Counts, int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := Counts{Kinds: make(map[string]Count, len(f.counts.Kinds)), Suppressed: make(map[string]int64, len(f.counts.Suppressed))}
	for k, v := range f.counts.Kinds {
		c.Kinds[k] = v
	}
	for k, v := range f.counts.Suppressed {
		c.Suppressed[k] = v
	}
	return c, f.changed
}

// newest gives at most limit entries of the kind (0 = all), the newest first.
func (f *Feed) newest(limit int, kind sales.AlertKind) []Entry {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []Entry
	for _, e := range slices.Backward(f.entries) {
		if len(out) == limit {
			break
		}
		if kind == 0 || e.Kind == kind {
			out = append(out, e)
		}
	}
	return out
}

// missed is what a listener has not had yet.
type missed struct {
	entries []Entry
	upTo    string // the id to go on from once all of entries arrived; none of them has one of its own
	fresh   bool   // the listener must forget what it has: its id is empty, of another process, or too old
}

// subscribe begins to listen behind the entry with the id.
func (f *Feed) subscribe(last string) (*subscription, missed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	since, ok := f.parseID(last)
	m := missed{upTo: f.id(Entry{seq: f.seq}), fresh: !ok || since < f.lost}
	for _, e := range f.entries {
		if m.fresh || e.seq > since {
			m.entries = append(m.entries, e)
		}
	}
	s := &subscription{entries: make(chan Entry, backlog)}
	f.subs[s] = struct{}{}
	return s, m
}

func (f *Feed) unsubscribe(s *subscription) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.subs, s)
}

func (f *Feed) id(e Entry) string { return fmt.Sprintf("%s-%d", f.boot, e.seq) }

func (f *Feed) parseID(id string) (int64, bool) {
	boot, number, _ := strings.Cut(id, "-")
	seq, err := strconv.ParseInt(number, 10, 64)
	return seq, err == nil && boot == f.boot
}
