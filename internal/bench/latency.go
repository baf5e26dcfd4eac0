package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
)

// Latency is one measurement at a fixed rate: from the moment an order was due to be sent until a reader of what is committed
// has the alert that it caused. An order that is sent late does not hide it.
type Latency struct {
	Rate        float64    `json:"orders_per_second"`
	Seconds     float64    `json:"seconds"`
	Alerts      int64      `json:"alerts"`
	P50         float64    `json:"p50_ms"`
	P90         float64    `json:"p90_ms"`
	P99         float64    `json:"p99_ms"`
	P999        float64    `json:"p999_ms"`
	Max         float64    `json:"max_ms"`
	Quantiles   []Quantile `json:"quantiles"`        // the whole curve
	SentLateMax float64    `json:"sent_late_max_ms"` // how late the sender itself was at most; it is in the figures above
	CPU         Seconds    `json:"cpu_cores"`
	PeakBytes   int64      `json:"engine_peak_bytes"`
}

// Quantile is the latency that so many in a hundred alerts stay within.
type Quantile struct {
	Percent float64 `json:"percent"`
	MS      float64 `json:"ms"`
}

// percents are those of the curve: close where the tail is.
var percents = []float64{0, 10, 25, 50, 75, 90, 95, 97.5, 99, 99.5, 99.75, 99.9, 99.95, 99.99, 100}

// Latency measures at a rate, after the year's first orders were read as fast as they could be.
func (b *Bench) Latency(ctx context.Context, y Year, warm int, rate float64) (*Latency, error) {
	all := slices.Collect(y.orders())
	if warm >= len(all) {
		return nil, fmt.Errorf("%d orders to warm up leave none of %d to measure", warm, len(all))
	}
	if err := b.publishLinks(ctx, y.links()); err != nil {
		return nil, err
	}
	b.say("sending %d orders to warm up", warm)
	if err := b.send(ctx, slices.Values(all[:warm])); err != nil {
		return nil, err
	}
	e, err := b.startNew(ctx, "one", dataClock)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(b.caughtUp(ctx), b.projected(ctx)); err != nil {
		return nil, err
	}
	servers, err := b.processes(ctx, e)
	if err != nil {
		return nil, err
	}
	alerts, err := b.readAlerts(ctx)
	if err != nil {
		return nil, err
	}
	b.say("sending %d orders, %.0f a second", len(all)-warm, rate)
	cpu, began := servers.took(), time.Now()
	l := b.beginLoad(ctx, rate, func(n uint64, _ time.Time) *sales.Purchase {
		if warm+int(n) >= len(all) {
			return nil
		}
		return all[warm+int(n)]
	})
	l.done.Wait()
	took := time.Since(began)
	cpu = servers.took().since(cpu)
	late, err := l.end()
	err = errors.Join(err, b.caughtUp(ctx))
	seen := alerts.end() // what is committed was read by then: see end
	if err = errors.Join(err, alerts.err); err != nil {
		return nil, err
	}
	found := &Latency{Rate: rate, Seconds: took.Seconds(), CPU: cpu.by(took.Seconds()), SentLateMax: late.Seconds() * 1000}
	_, found.PeakBytes = residentBytes(e)
	found.count(seen, warm, len(all), l.due)
	b.say("%d alerts: half within %.1f ms, 99 in 100 within %.1f ms", found.Alerts, found.P50, found.P99)
	return found, nil
}

// count sorts out the alerts that an order of the measurement caused.
func (l *Latency) count(seen []seenAlert, warm, end int, due func(uint64) time.Time) {
	hist := hdrhistogram.New(1, time.Hour.Microseconds(), 3)
	for _, a := range seen {
		if n, ok := orderNumber(a.cause); ok && n >= warm && n < end {
			_ = hist.RecordValue(max(1, a.at.Sub(due(uint64(n-warm))).Microseconds())) // an hour is beyond any run
		}
	}
	ms := func(percent float64) float64 { return float64(hist.ValueAtQuantile(percent)) / 1000 }
	l.Alerts = hist.TotalCount()
	for _, p := range percents {
		l.Quantiles = append(l.Quantiles, Quantile{p, ms(p)})
	}
	l.P50, l.P90, l.P99, l.P999, l.Max = ms(50), ms(90), ms(99), ms(99.9), float64(hist.Max())/1000
}

// seenAlert is an alert as a reader of what is committed got it.
type seenAlert struct {
	cause string // event id of the order that the alert names as its evidence
	at    time.Time
}

// alertReader follows the alerts that are said, from now on.
type alertReader struct {
	cancel context.CancelFunc
	ended  chan struct{}
	seen   []seenAlert
	err    error
}

// lastAlerts is how long the reader still listens after all orders were committed.
const lastAlerts = time.Second

func (b *Bench) readAlerts(ctx context.Context) (*alertReader, error) {
	var said []string
	for _, kind := range sales.AlertKinds() {
		said = append(said, b.topic(kind.Topic()))
	}
	ends, err := b.admin.ListCommittedOffsets(ctx, said...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("end of the alerts: %w", err)
	}
	from := map[string]map[int32]kgo.Offset{}
	for topic, parts := range ends {
		from[topic] = map[int32]kgo.Offset{}
		for p, at := range parts {
			from[topic][p] = kgo.NewOffset().At(at.Offset)
		}
	}
	cl, err := kgo.NewClient(slices.Concat(b.o.Kafka, []kgo.Opt{kgo.ConsumePartitions(from), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(500 * time.Millisecond)})...)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	reads, cancel := context.WithCancel(ctx)
	r := &alertReader{cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		defer cl.Close()
		for reads.Err() == nil && r.err == nil {
			records := cl.PollFetches(reads).Records()
			r.take(ctx, b, records)
		}
	}()
	return r, nil
}

func (r *alertReader) take(ctx context.Context, b *Bench, records []*kgo.Record) {
	at := time.Now()
	for _, rec := range records {
		var a sales.Alert
		if err := b.decoder.Alert(ctx, rec.Value, &a); err != nil {
			r.err = fmt.Errorf("read an alert: %w", err)
			return
		}
		for _, reason := range a.Reasons {
			if len(reason.Evidence) > 0 {
				r.seen = append(r.seen, seenAlert{cause: reason.Evidence[0].EventID, at: at})
				break
			}
		}
	}
}

// end waits for the last alerts, which can be read at the same moment as the journal of their commit, and gives all.
func (r *alertReader) end() []seenAlert {
	timer := time.AfterFunc(lastAlerts, r.cancel)
	defer timer.Stop()
	<-r.ended
	return r.seen
}
