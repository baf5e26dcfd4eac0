package demo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

const (
	suppressedTopic  = "alerts.suppressed"
	deadLettersTopic = "dead-letters"
	lateTopic        = "late-events"
	newestShown      = 6
)

// kindCount is what became of the alerts of one kind.
type kindCount struct {
	decided  int // opened, said or not
	said     int
	notSaid  map[sales.Suppression]int
	resolved int
	expired  int
}

// seen is what stands on the output topics, from their beginning: a run on old data counts what earlier runs said.
type seen struct {
	kinds                   map[sales.AlertKind]*kindCount
	newest                  []sales.Alert // said and opened, the newest last, at most newestShown
	total                   int           // of those ever put into newest
	deadLetters, lateEvents int
	example                 map[sales.AlertKind]string // a customer with an alert of the kind, for the hints at the end
}

// watch reads the output topics from their beginning, committed records only.
type watch struct {
	prefix  string
	client  *kgo.Client
	decoder *wire.Decoder

	mu  sync.Mutex
	all seen
	at  map[string]map[int32]int64 // next offsets
}

func newWatch(prefix string, connection []kgo.Opt, source wire.SchemaSource) (*watch, error) {
	w := &watch{prefix: prefix, decoder: wire.NewDecoder(source), at: map[string]map[int32]int64{},
		all: seen{kinds: map[sales.AlertKind]*kindCount{}, example: map[sales.AlertKind]string{}}}
	var err error
	w.client, err = kgo.NewClient(append([]kgo.Opt{
		kgo.ConsumeTopics(w.topics()...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // they end transactions: without them the end of a topic is never reached
	}, connection...)...)
	if err != nil {
		return nil, fmt.Errorf("watch alerts: %w", err)
	}
	return w, nil
}

func (w *watch) topics() []string {
	names := []string{w.prefix + suppressedTopic, w.prefix + deadLettersTopic, w.prefix + lateTopic}
	for _, k := range sales.AlertKinds() {
		names = append(names, w.prefix+k.Topic())
	}
	return names
}

// run reads until the context ends.
func (w *watch) run(ctx context.Context) error {
	defer w.client.Close()
	for {
		fetches := w.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for r := range fetches.RecordsAll() {
			if err := w.take(ctx, r); err != nil {
				return fmt.Errorf("read %s at %d:%d: %w", r.Topic, r.Partition, r.Offset, err)
			}
		}
	}
}

func (w *watch) take(ctx context.Context, r *kgo.Record) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at[r.Topic] == nil {
		w.at[r.Topic] = map[int32]int64{}
	}
	w.at[r.Topic][r.Partition] = r.Offset + 1
	switch {
	case r.Attrs.IsControl():
		return nil
	case r.Topic == w.prefix+deadLettersTopic:
		w.all.deadLetters++
		return nil
	case r.Topic == w.prefix+lateTopic:
		w.all.lateEvents++
		return nil
	}
	var a sales.Alert
	if err := w.decoder.Alert(ctx, r.Value, &a); err != nil {
		return err
	}
	w.all.add(a)
	return nil
}

func (s *seen) add(a sales.Alert) {
	k := s.kinds[a.Kind]
	if k == nil {
		k = &kindCount{notSaid: map[sales.Suppression]int{}}
		s.kinds[a.Kind] = k
	}
	switch {
	case a.Status == sales.Resolved:
		k.resolved++
	case a.Status == sales.Expired:
		k.expired++
	case a.Status != sales.Opened:
	case a.SuppressedBy != sales.NotSuppressed:
		k.decided++
		k.notSaid[a.SuppressedBy]++
	default:
		k.decided++
		k.said++
		s.total++
		s.example[a.Kind] = a.CustomerID
		s.newest = append(s.newest, a)
		s.newest = s.newest[max(0, len(s.newest)-newestShown):]
	}
}

// look gives a copy of what was seen so far.
func (w *watch) look() seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.all
	out.newest = slices.Clone(w.all.newest)
	out.kinds = make(map[sales.AlertKind]*kindCount, len(w.all.kinds))
	for k, c := range w.all.kinds {
		copied := *c
		copied.notSaid = make(map[sales.Suppression]int, len(c.notSaid))
		for why, n := range c.notSaid {
			copied.notSaid[why] = n
		}
		out.kinds[k] = &copied
	}
	out.example = make(map[sales.AlertKind]string, len(w.all.example))
	for k, c := range w.all.example {
		out.example[k] = c
	}
	return out
}

// reached tells whether everything before the ends was read.
func (w *watch) reached(ends kadm.ListedOffsets) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := true
	ends.Each(func(o kadm.ListedOffset) { all = all && w.at[o.Topic][o.Partition] >= o.Offset })
	return all
}

// settled waits until all inputs were read, decided upon, projected, learned from and seen by the watch, and nothing more comes of it.
func (d *demo) settled(ctx context.Context) error {
	const still = 1500 * time.Millisecond // longer than the engine takes from one step to the next
	adm := kadm.NewClient(d.tools.Kafka)
	var journal int64 = -1
	since := time.Now()
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		done, now, err := d.idle(ctx, adm)
		if err != nil {
			tick.Stop()
			return err
		}
		if !done || now != journal {
			journal, since = now, time.Now()
		}
		if time.Since(since) > still {
			tick.Stop()
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return context.Cause(ctx)
		}
	}
}

// idle tells whether there is nothing left to do at this moment, and how long the journal is.
func (d *demo) idle(ctx context.Context, adm *kadm.Client) (done bool, journal int64, err error) {
	group := d.config.TopicPrefix + "leadline-engine"
	lags, err := adm.Lag(ctx, group)
	if err != nil {
		return false, 0, fmt.Errorf("ask how far the engine is: %w", err)
	}
	lag := lags[group]
	if err := lag.Error(); err != nil {
		return false, 0, fmt.Errorf("ask how far the engine is: %w", err)
	}
	ends, err := adm.ListCommittedOffsets(ctx, append(d.watch.topics(), d.config.TopicPrefix+"leadline.journal")...)
	if err != nil {
		return false, 0, fmt.Errorf("ask how long the topics are: %w", err)
	}
	for _, o := range ends[d.config.TopicPrefix+"leadline.journal"] {
		journal += o.Offset
	}
	delete(ends, d.config.TopicPrefix+"leadline.journal")
	waiting := 0.0 // for the projection, and for the analyst, which says alerts too
	for _, name := range []string{"leadline_stream_csn_gap", "leadline_analyst_lag_records", "leadline_analyst_unpublished_tallies"} {
		n, err := d.measured(name)
		if err != nil {
			return false, 0, err
		}
		waiting += n
	}
	return lag.Lag.Total() == 0 && waiting == 0 && d.watch.reached(ends), journal, nil
}

// measured sums a metric of the roles over its labels.
func (d *demo) measured(name string) (float64, error) {
	families, err := d.app.Metrics().Gather()
	if err != nil {
		return 0, fmt.Errorf("gather metrics: %w", err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum, nil
}
