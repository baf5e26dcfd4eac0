package reference

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"leadline/internal/committed"
	"leadline/internal/engine"
	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/stream"
	"leadline/internal/topics"
	"leadline/internal/wire"
	"leadline/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testPartitions = 3

// world is a cluster, a registry and a store, inside a synctest bubble.
type world struct {
	t      *testing.T
	kafka  []kgo.Opt
	enc    *wire.Encoder
	dec    *wire.Decoder
	store  state.Store
	client *kgo.Client
	adm    *kadm.Client
	rules  engine.Rules
}

// registry is a schema source that has them all.
type registry map[int]string

func (r registry) SchemaByID(_ context.Context, id int) (string, error) {
	if text, ok := r[id]; ok {
		return text, nil
	}
	return "", fmt.Errorf("schema %d: %w", id, wire.ErrUnknownSchema)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ids, texts := map[string]int{}, registry{}
	for i, topic := range schemas.Topics() {
		texts[i+1], _ = schemas.ForTopic(topic)
		ids[schemas.Subject(topic)] = i + 1
	}
	w := &world{t: t, store: state.NewMemory(), rules: engine.DefaultRules(), enc: wire.NewEncoder(ids), dec: wire.NewDecoder(texts)}
	var net kfake.VirtualNetwork
	seed := []kfake.Opt{kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(net.Listen)}
	for _, topic := range topics.Catalogue(topics.Options{Prefix: testPrefix, Partitions: testPartitions}) {
		seed = append(seed, kfake.SeedTopics(topic.Partitions, testPrefix+topic.Name))
	}
	cluster, err := kfake.NewCluster(seed...)
	w.check(err)
	t.Cleanup(cluster.Close)
	w.kafka = []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.Dialer(net.DialContext)}
	w.client, err = kgo.NewClient(append(w.kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))...)
	w.check(err)
	t.Cleanup(w.client.Close)
	w.adm = kadm.NewClient(w.client)
	return w
}

func (w *world) check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// during plays one life of an engine, and waits until it has read all that was sent.
func (w *world) during(clock engine.Clock, do func()) {
	w.t.Helper()
	rules := w.rules
	r, err := stream.New(stream.Config{Kafka: w.kafka, Prefix: testPrefix, InstanceID: "a", Clock: clock, MaxPoll: 40, CacheBytes: 20_000},
		stream.Deps{Store: w.store, Decoder: w.dec, Encoder: w.enc, Rules: func() engine.Rules { return rules },
			Log: zaptest.NewLogger(w.t, zaptest.Level(zap.ErrorLevel)), Registerer: prometheus.NewRegistry()})
	w.check(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	defer func() {
		cancel()
		w.check(<-ended)
	}()
	w.eventually("engine is ready", func() bool { return r.Ready() == nil })
	do()
	w.eventually("everything is read", w.read)
}

// eventually waits in virtual time.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	for range 15_000 {
		if ok() {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	w.t.Fatalf("not within five minutes: %s", what)
}

// read tells whether the engine has committed the ends of all inputs.
func (w *world) read() bool {
	have, err := w.adm.FetchOffsets(kadm.RequireStable(context.Background()), testPrefix+"leadline-engine")
	w.check(err)
	for _, in := range intake.Inputs {
		ends, err := w.adm.ListCommittedOffsets(context.Background(), testPrefix+in.Topic)
		w.check(err)
		for p, end := range ends[testPrefix+in.Topic] {
			if at, _ := have.Lookup(testPrefix+in.Topic, p); at.At != end.Offset {
				return false
			}
		}
	}
	return true
}

func (w *world) verify() *Report {
	w.t.Helper()
	report, err := Verify(context.Background(), Options{Kafka: w.kafka, Prefix: testPrefix, Decoder: w.dec})
	w.check(err)
	return report
}

// send writes inputs of the trade's types where they belong.
func (w *world) send(inputs ...any) {
	w.t.Helper()
	for _, in := range inputs {
		rec := w.record(in)
		rec.Partition = wire.Partition(rec.Key, testPartitions)
		if rec.Topic == testPrefix+"products" {
			rec.Partition = 0
		}
		w.write(rec)
	}
}

func (w *world) write(records ...*kgo.Record) {
	w.t.Helper()
	w.check(w.client.ProduceSync(context.Background(), records...).FirstErr())
}

func (w *world) record(input any) *kgo.Record {
	w.t.Helper()
	topic, key := "", ""
	switch in := input.(type) {
	case *sales.Purchase:
		topic, key = "purchases", in.CustomerID
	case *sales.Touchpoint:
		topic, key = "touchpoints", in.CustomerID
	case *sales.Customer:
		topic, key = "customers", in.CustomerID
		if in.Erased {
			return &kgo.Record{Topic: testPrefix + topic, Key: []byte(key)}
		}
	case *sales.Outcome:
		topic, key = "outcomes", in.CustomerID
	case *sales.Product:
		topic, key = "products", in.ProductID
	}
	value, err := w.enc.AppendInput(nil, input)
	w.check(err)
	return &kgo.Record{Topic: testPrefix + topic, Key: []byte(key), Value: value}
}

func (w *world) learn(links ...sales.Link) {
	w.t.Helper()
	for _, l := range links {
		value, err := w.enc.AppendLink(nil, &l)
		w.check(err)
		w.write(&kgo.Record{Topic: testPrefix + "product-links", Key: []byte(l.Key()), Value: value})
	}
}

func (w *world) everyone(day time.Time, n float64) {
	w.t.Helper()
	value, err := w.enc.AppendForecast(nil, &sales.Forecast{Series: sales.ActivitySeries, PeriodStart: millis(day), PeriodEnd: millis(day.AddDate(0, 0, 1)),
		Observed: n, Complete: true})
	w.check(err)
	w.write(&kgo.Record{Topic: testPrefix + "forecasts", Key: []byte(day.Format(time.DateOnly)), Value: value})
}

func millis(at time.Time) sales.Millis { return sales.Millis(at.UnixMilli()) }

// newYear is when each bubble's time begins; the history lies before it.
var newYear = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// past is a history with everything in it, over three lives of an engine, always the same.
func (w *world) past() {
	var links []sales.Link
	for i := range 12 {
		for j := range 3 {
			from, to, share := fmt.Sprintf("cat-%d", i), fmt.Sprintf("cat-%d", (i+5+2*j)%12), float64(3+j)/10
			links = append(links, sales.Link{Kind: sales.CrossSellLink, Level: "category", From: from, To: to, Score: share, Confidence: share,
				Season: float64(i) / 6, Starts: int64(i % 2), Within30: sales.Chance{P: share / 3}, TypicalMinor: int64(50 * i)})
		}
	}
	w.learn(links...)
	for i := range 120 {
		w.everyone(newYear.AddDate(0, 0, i-120), float64(100-i/2))
	}
	orders := w.orders()
	w.rules.Declining = engine.DeclineRules{RecentDays: 10, BaselineDays: 60, Alpha: 0.2, ResolveAbove: 0.3, MinBaselineDays: 2}
	w.during(engine.Data, func() {
		w.send(orders[:150]...)
		w.send(&sales.Customer{CustomerID: "cj-3", OwnerID: "rep-1", UpdatedAt: millis(newYear), Consent: map[string]bool{"rep": false}},
			&sales.Touchpoint{EventID: "t-1", CustomerID: "cj-4", OccurredAt: millis(newYear.AddDate(0, -2, 0)), Kind: sales.TouchVisit})
	})
	w.rules.ExpiryDays, w.rules.CooldownDays, w.rules.HoldoutShare, w.rules.Caps.CrossSell = 7, 20, 0.3, 2
	w.during(engine.Data, func() {
		w.send(orders[120:240]...) // thirty of them once more
		w.send(&sales.Product{ProductID: "p-cat-2", Name: "COFFEE 12 OZ", Category: "cat-2", Type: "coffee", Brand: "Private"},
			&sales.Purchase{EventID: "late", CustomerID: "cj-5", OccurredAt: millis(newYear.AddDate(-2, 0, 0)), Currency: "USD", OrderID: "o", Lines: line("cat-1")},
			&sales.Purchase{EventID: "abroad", CustomerID: "cj-5", OccurredAt: millis(newYear.AddDate(0, -1, 0)), Currency: "EUR", OrderID: "o", Lines: line("cat-1")})
		w.write(&kgo.Record{Topic: testPrefix + "purchases", Key: []byte("cj-1"), Value: []byte("hello")})
		w.send(&sales.Customer{CustomerID: "cj-6", Erased: true})
	})
	w.during(engine.Live, func() {
		w.send(w.outcome())
		w.send(w.outcomes()...)
		w.send(orders[240:]...)
	})
}

// orders is 400 orders and refunds of 25 customers in four months, some of them out of order.
func (w *world) orders() []any {
	rng := rand.New(rand.NewPCG(1, 2))
	var orders []any
	for i := range 400 {
		at := newYear.AddDate(0, -4, 0).Add(time.Duration(i)*7*time.Hour - time.Duration(rng.IntN(4)*rng.IntN(72))*time.Hour)
		p := &sales.Purchase{EventID: fmt.Sprint("e-", i), CustomerID: fmt.Sprint("cj-", rng.IntN(25)), OccurredAt: millis(at), Currency: "USD",
			OrderID: fmt.Sprint("o-", i-i%3), Lines: line(fmt.Sprint("cat-", rng.IntN(12)))}
		if i%11 == 0 {
			p.Kind = sales.Refund
		}
		orders = append(orders, p)
	}
	return orders
}

func line(category string) []sales.Line {
	return []sales.Line{{ProductID: "p-" + category, Category: category, Quantity: 1, AmountMinor: 250}}
}

// outcome is a rep's sale after the newest alert.
func (w *world) outcome() *sales.Outcome {
	w.t.Helper()
	all := w.all("alerts.cross-sell")
	var a sales.Alert
	w.check(w.dec.Alert(context.Background(), all[len(all)-1].Value, &a))
	return &sales.Outcome{EventID: "out-1", AlertID: a.AlertID, CustomerID: a.CustomerID, Action: "phone", Result: "won", OccurredAt: millis(newYear)}
}

// outcomes are what reps report about the alerts of the last weeks, one of each result, some of them taken back.
func (w *world) outcomes() []any {
	w.t.Helper()
	var reported []any
	for i, rec := range append(w.all("alerts.cross-sell"), w.all("alerts.declining")...) {
		var a sales.Alert
		w.check(w.dec.Alert(context.Background(), rec.Value, &a))
		o := &sales.Outcome{EventID: fmt.Sprint("said-", i), AlertID: strings.Clone(a.AlertID), CustomerID: strings.Clone(a.CustomerID), Action: "email",
			Result: results[i%len(results)], ToRepID: "rep-2", Until: millis(newYear.AddDate(0, 0, 20)), OccurredAt: millis(newYear)}
		reported = append(reported, o)
		if i%4 == 0 {
			reported = append(reported, &sales.Outcome{EventID: fmt.Sprint("undo-", i), AlertID: o.AlertID, CustomerID: o.CustomerID, Action: "none", Result: "unknown",
				Undoes: o.EventID, OccurredAt: millis(newYear)})
		}
	}
	return append(reported, reported[len(reported)/2:]...) // and half of them once more
}

// all gives every committed record of a topic, by partition.
func (w *world) all(topic string) []*kgo.Record {
	w.t.Helper()
	spans, err := committed.Whole(context.Background(), w.adm, testPrefix+topic)
	w.check(err)
	var records []*kgo.Record
	w.check(committed.Read(context.Background(), w.kafka, spans, func(rec *kgo.Record) error {
		records = append(records, rec)
		return nil
	}))
	slices.SortStableFunc(records, func(a, b *kgo.Record) int { return int(a.Partition - b.Partition) })
	return records
}

// edit says what becomes of a record in a copy: none, one or several.
type edit func(topic string, at int, rec *kgo.Record) []*kgo.Record

// copied is another world with the same history but for the edit.
func (w *world) copied(change edit, offsets func(kadm.Offsets)) *world {
	w.t.Helper()
	to := newWorld(w.t)
	for _, topic := range topics.Catalogue(topics.Options{Prefix: testPrefix, Partitions: testPartitions}) {
		for i, rec := range w.all(topic.Name) {
			kept := &kgo.Record{Topic: rec.Topic, Partition: rec.Partition, Key: rec.Key, Value: rec.Value, Headers: rec.Headers, Timestamp: rec.Timestamp}
			to.write(change(topic.Name, i, kept)...)
		}
	}
	have, err := w.adm.FetchOffsets(context.Background(), testPrefix+"leadline-engine")
	w.check(err)
	committed := have.Offsets()
	for _, topic := range slices.Sorted(maps.Keys(committed)) {
		for p, o := range committed[topic] {
			o.LeaderEpoch = -1
			committed[topic][p] = o
		}
	}
	offsets(committed)
	w.check(to.adm.CommitAllOffsets(context.Background(), testPrefix+"leadline-engine", committed))
	return to
}
