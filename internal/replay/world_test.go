package replay

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

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

const (
	testPartitions = 3
	prefix         = "acme."
)

// world is a cluster, a registry and a store, inside a synctest bubble.
type world struct {
	t       *testing.T
	net     kfake.VirtualNetwork
	cluster *kfake.Cluster
	reg     *registry
	enc     *wire.Encoder
	dec     *wire.Decoder
	store   state.Store
	client  *kgo.Client
	rules   engine.Rules
	shards  int32
}

// registry is a schema source.
type registry struct {
	mu    sync.Mutex
	texts map[int]string
}

func (r *registry) SchemaByID(_ context.Context, id int) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text, ok := r.texts[id]; ok {
		return text, nil
	}
	return "", fmt.Errorf("schema %d: %w", id, wire.ErrUnknownSchema)
}

func (r *registry) set(id int, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts[id] = text
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, reg: &registry{texts: map[int]string{}}, store: state.NewMemory(), rules: engine.DefaultRules(), shards: testPartitions}
	ids := map[string]int{}
	for i, topic := range schemas.Topics() {
		text, _ := schemas.ForTopic(topic)
		w.reg.set(i+1, text)
		ids[schemas.Subject(topic)] = i + 1
	}
	w.enc, w.dec = wire.NewEncoder(ids), wire.NewDecoder(w.reg)
	seed := []kfake.Opt{kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(w.net.Listen)}
	for _, topic := range topics.Catalogue(topics.Options{Prefix: prefix, Partitions: testPartitions}) {
		seed = append(seed, kfake.SeedTopics(topic.Partitions, prefix+topic.Name))
	}
	var err error
	if w.cluster, err = kfake.NewCluster(seed...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.cluster.Close)
	if w.client, err = kgo.NewClient(append(w.kafka(), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	return w
}

func (w *world) kafka() []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.Dialer(w.net.DialContext)}
}

// engine starts an engine, and stop ends it in good order.
func (w *world) engine(clock engine.Clock) (stop func()) {
	w.t.Helper()
	rules := w.rules
	r, err := stream.New(stream.Config{Kafka: w.kafka(), Prefix: prefix, InstanceID: "a", Clock: clock, MaxPoll: 40, CacheBytes: 20_000},
		stream.Deps{Store: w.store, Decoder: w.dec, Encoder: w.enc, Rules: func() engine.Rules { return rules },
			Log: zaptest.NewLogger(w.t, zaptest.Level(zap.ErrorLevel)), Registerer: prometheus.NewRegistry()})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.t.Errorf("engine: %v", err)
		}
	})
	w.t.Cleanup(stop)
	w.eventually("engine is ready", func() bool { return r.Ready() == nil })
	return stop
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

// read waits until the engine has committed the ends of all inputs.
func (w *world) read() {
	w.t.Helper()
	w.eventually("everything is read", func() bool {
		ctx, adm := context.Background(), kadm.NewClient(w.client)
		have, err := adm.FetchOffsets(kadm.RequireStable(ctx), prefix+"leadline-engine")
		if err != nil {
			w.t.Fatal(err)
		}
		for _, in := range intake.Inputs {
			ends, err := adm.ListCommittedOffsets(ctx, prefix+in.Topic)
			if err != nil {
				w.t.Fatal(err)
			}
			for p, end := range ends[prefix+in.Topic] {
				if at, _ := have.Lookup(prefix+in.Topic, p); at.At != end.Offset {
					return false
				}
			}
		}
		return true
	})
}

// during plays one life of an engine, and waits until it has read all that was sent.
func (w *world) during(clock engine.Clock, do func()) {
	w.t.Helper()
	stop := w.engine(clock)
	do()
	w.read()
	stop()
}

func (w *world) options() Options {
	return Options{Kafka: w.kafka(), Prefix: prefix, Decoder: wire.NewDecoder(w.reg), Encoder: w.enc}
}

func (w *world) verify(edit ...func(*Options)) *Report {
	w.t.Helper()
	o := w.options()
	for _, e := range edit {
		e(&o)
	}
	report, err := Verify(context.Background(), o, Check{})
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// text is a report as a person reads it.
func text(r *Report) string {
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		panic(err)
	}
	return b.String()
}

func (w *world) send(records ...*kgo.Record) {
	w.t.Helper()
	for _, rec := range records {
		rec.Partition = wire.Partition(rec.Key, w.shards)
	}
	w.sendTo(records...)
}

func (w *world) sendTo(records ...*kgo.Record) {
	w.t.Helper()
	if err := w.client.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

var inputTopics = map[string]string{"*sales.Purchase": "purchases", "*sales.Touchpoint": "touchpoints", "*sales.Customer": "customers",
	"*sales.Outcome": "outcomes", "*sales.Identity": "identities", "*sales.Product": "products"}

func (w *world) record(input any, key string) *kgo.Record {
	w.t.Helper()
	value, err := w.enc.AppendInput(nil, input)
	if err != nil {
		w.t.Fatal(err)
	}
	return &kgo.Record{Topic: prefix + inputTopics[fmt.Sprintf("%T", input)], Key: []byte(key), Value: value}
}

// purchase is an order of one line.
func purchase(customer, event, category string, at time.Time) *sales.Purchase {
	return &sales.Purchase{EventID: event, CustomerID: customer, OccurredAt: millis(at), OrderID: "o-" + event, Currency: "USD",
		Lines: []sales.Line{{ProductID: "p-" + category, Category: category, Quantity: 1, AmountMinor: 250}}}
}

func millis(at time.Time) sales.Millis { return sales.Millis(at.UnixMilli()) }

func link(from, to string) *sales.Link {
	return &sales.Link{Kind: sales.CrossSellLink, Level: "category", From: from, To: to, Customers: 1000, FromHolders: 100, ToHolders: 100,
		Both: 60, Confidence: 0.6, ConfidenceLow: 0.5, ConfidenceHigh: 0.7, Baseline: 0.1, Lift: 6, LiftLow: 5, LiftHigh: 7, GSquared: 50, Score: 0.2}
}

// learn publishes links, unlearn takes them back.
func (w *world) learn(links ...*sales.Link) {
	w.t.Helper()
	for _, l := range links {
		value, err := w.enc.AppendLink(nil, l)
		if err != nil {
			w.t.Fatal(err)
		}
		w.sendTo(&kgo.Record{Topic: prefix + "product-links", Key: []byte(l.Key()), Value: value})
	}
}

func (w *world) unlearn(l *sales.Link) {
	w.t.Helper()
	w.sendTo(&kgo.Record{Topic: prefix + "product-links", Key: []byte(l.Key())})
}

// all reads every committed record of a topic.
func (w *world) all(topic string) []*kgo.Record {
	w.t.Helper()
	return w.allOf(prefix + topic)
}

// allOf is all for the full name.
func (w *world) allOf(name string) []*kgo.Record {
	w.t.Helper()
	adm := kadm.NewClient(w.client)
	ends, err := adm.ListCommittedOffsets(context.Background(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	begins, err := adm.ListStartOffsets(context.Background(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	var records []*kgo.Record
	for _, p := range slices.Sorted(maps.Keys(ends[name])) {
		begin, _ := begins.Lookup(name, p)
		c := cursor{opts: w.kafka(), topic: name, p: p, pos: begin.Offset}
		defer c.close()
		for {
			rec, err := c.next(context.Background(), ends[name][p].Offset)
			if err != nil {
				w.t.Fatal(err)
			}
			if rec == nil {
				break
			}
			records = append(records, rec)
		}
	}
	return records
}

// forget removes the records of a partition before an offset, as retention does.
func (w *world) forget(topic string, p int32, before int64) {
	w.t.Helper()
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: prefix + topic, Partition: p, At: before})
	if _, err := kadm.NewClient(w.client).DeleteRecords(context.Background(), offsets); err != nil {
		w.t.Fatal(err)
	}
}

// ends is where a partition ends, markers included.
func (w *world) ends(topic string, p int32) int64 {
	w.t.Helper()
	ends, err := kadm.NewClient(w.client).ListCommittedOffsets(context.Background(), prefix+topic)
	if err != nil {
		w.t.Fatal(err)
	}
	end, _ := ends.Lookup(prefix+topic, p)
	return end.Offset
}

func (w *world) shardOf(customer string) int32 {
	return wire.Partition([]byte(customer), testPartitions)
}

// compact lets the broker compact a topic.
func (w *world) compact(topic string) {
	w.t.Helper()
	value := "compact"
	if _, err := kadm.NewClient(w.client).AlterTopicConfigs(context.Background(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &value}},
		prefix+topic); err != nil {
		w.t.Fatal(err)
	}
	w.cluster.Compact()
}
