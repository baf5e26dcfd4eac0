package stream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest"
	"go.uber.org/zap/zaptest/observer"

	"leadline/internal/committed"
	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/wire"
	"leadline/internal/wire/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testPartitions = 3

// world is a cluster, a registry and a store, inside a synctest bubble.
type world struct {
	t       testing.TB
	net     kfake.VirtualNetwork
	n       int32 // partitions of the shards
	cluster *kfake.Cluster
	brokers []string
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	prefix  string
	reg     *wiretest.Registry
	enc     *wire.Encoder
	dec     *wire.Decoder
	store   state.Store
	client  *kgo.Client // produces inputs
	opts    []kgo.Opt   // given to every client beside the brokers
	rules   func() engine.Rules
	ask     func(storeCall) error // before each call of an engine to the store
	answer  func(storeCall) error // and after it
}

func newWorld(t testing.TB, seed ...kfake.Opt) *world {
	t.Helper()
	return newWorldOf(t, testPartitions, seed...)
}

func newWorldOf(t testing.TB, partitions int32, seed ...kfake.Opt) *world {
	t.Helper()
	w := bareWorld(t)
	w.n = partitions
	w.dial = w.net.DialContext
	seed = append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(w.net.Listen),
		kfake.SeedTopics(partitions, append(shardTopics(), rehomedTopic)...),
		kfake.SeedTopics(1, append(singleTopics(), deadLettersTopic, lateEventsTopic)...),
	}, seed...)
	var err error
	if w.cluster, err = kfake.NewCluster(seed...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.cluster.Close)
	w.brokers = w.cluster.ListenAddrs()
	w.client = w.open(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	t.Cleanup(w.client.Close)
	return w
}

// bareWorld has no brokers yet.
func bareWorld(t testing.TB) *world {
	w := &world{t: t, reg: wiretest.New(), store: state.NewMemory(), rules: engine.DefaultRules, n: testPartitions}
	w.enc, w.dec = w.reg.Encoder(), w.reg.Decoder()
	return w
}

func (w *world) kafka() []kgo.Opt {
	return append([]kgo.Opt{kgo.SeedBrokers(w.brokers...), kgo.Dialer(w.dial), kgo.DisableClientMetrics()}, w.opts...)
}

func (w *world) open(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	cl, err := kgo.NewClient(append(w.kafka(), opts...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return cl
}

// running is an engine at work.
type running struct {
	*Runtime
	w       *world
	cancel  context.CancelFunc
	ended   chan error
	line    *cuttable
	store   *faulty
	metrics *prometheus.Registry
	log     *observer.ObservedLogs // what it has logged, from info on
}

// engine starts an engine; edit may change its configuration.
func (w *world) engine(instance string, edit ...func(*Config)) *running {
	w.t.Helper()
	line := &cuttable{dial: w.dial}
	reg := prometheus.NewRegistry()
	cfg := Config{Kafka: append(w.kafka(), kgo.Dialer(line.DialContext)), Prefix: w.prefix, InstanceID: instance, Clock: engine.Live}
	for _, e := range edit {
		e(&cfg)
	}
	core, logged := observer.New(zap.InfoLevel)
	log := zaptest.NewLogger(w.t, zaptest.Level(zap.WarnLevel), zaptest.WrapOptions(zap.Fields(zap.String("engine", instance)),
		zap.WrapCore(func(c zapcore.Core) zapcore.Core { return zapcore.NewTee(c, core) })))
	store := &faulty{Store: w.store, before: w.ask, after: w.answer}
	r, err := New(cfg, Deps{Store: store, Decoder: w.dec, Encoder: w.enc, Rules: func() engine.Rules { return w.rules() }, Log: log,
		Registerer: reg})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	run := &running{Runtime: r, w: w, cancel: cancel, ended: make(chan error, 1), line: line, store: store, metrics: reg,
		log: logged}
	go func() {
		run.ended <- r.Run(ctx)
		close(run.ended)
	}()
	w.t.Cleanup(func() {
		cancel()
		<-run.ended
	})
	return run
}

// stop ends an engine in good order.
func (r *running) stop() {
	r.w.t.Helper()
	r.cancel()
	if err := <-r.ended; err != nil {
		r.w.t.Fatalf("stop: %v", err)
	}
}

// kill ends an engine as a power cut does, as far as the cluster and the store can see.
func (r *running) kill() {
	r.line.cut()
	r.store.away.Store(true)
	r.cancel()
	<-r.ended
}

// ready waits until the engine says that it is.
func (r *running) ready() {
	r.w.t.Helper()
	r.w.eventually("engine is ready", func() bool {
		select {
		case err := <-r.ended:
			r.w.t.Fatalf("ended: %v", err)
		default:
		}
		return r.Ready() == nil
	})
}

// count reads a counter by its name and labels.
func (r *running) count(name string, labels ...string) float64 {
	families, err := r.metrics.Gather()
	if err != nil {
		r.w.t.Fatal(err)
	}
	total := 0.0
	for _, f := range families {
		if f.GetName() != "leadline_stream_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			var have []string
			for _, l := range m.GetLabel() {
				have = append(have, l.GetValue())
			}
			if len(labels) == 0 || slices.Equal(have, labels) {
				total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return total
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

// cuttable is a network whose connections can all be cut at once, slowed down, or frozen.
type cuttable struct {
	dial  func(ctx context.Context, network, address string) (net.Conn, error)
	delay atomic.Int64 // of each write, in nanoseconds

	mu     sync.Mutex
	conns  []net.Conn
	gone   bool
	frozen chan struct{} // closed when it thaws
}

func (c *cuttable) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return nil, errors.New("the line is cut")
	}
	conn, err := c.dial(ctx, network, address)
	if err == nil {
		c.conns = append(c.conns, conn)
		conn = &cuttableConn{conn, c}
	}
	return conn, err
}

type cuttableConn struct {
	net.Conn
	c *cuttable
}

func (c *cuttableConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.c.wait()
	return n, err
}

func (c *cuttableConn) Write(b []byte) (int, error) {
	time.Sleep(time.Duration(c.c.delay.Load()))
	c.c.wait()
	return c.Conn.Write(b)
}

// freeze holds up everything in both directions until it thaws.
func (c *cuttable) freeze() (thaw func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	frozen := make(chan struct{})
	c.frozen = frozen
	return sync.OnceFunc(func() { close(frozen) })
}

func (c *cuttable) wait() {
	c.mu.Lock()
	frozen := c.frozen
	c.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

func (c *cuttable) cut() {
	c.mu.Lock()
	c.gone = true
	c.mu.Unlock()
	c.blip()
}

// mend lets connections be opened again.
func (c *cuttable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = false
}

// blip cuts the connections, which may be opened again.
func (c *cuttable) blip() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		_ = conn.Close()
	}
	c.conns = nil
}

// send produces raw records; their partition is that of the key.
func (w *world) send(records ...*kgo.Record) {
	w.t.Helper()
	for _, rec := range records {
		rec.Partition = wire.Partition(rec.Key, w.n)
	}
	w.sendTo(records...)
}

func (w *world) sendTo(records ...*kgo.Record) {
	w.t.Helper()
	if err := w.client.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

// purchase is an order of one line.
func purchase(customer, event, category string, at time.Time) *sales.Purchase {
	return &sales.Purchase{EventID: event, CustomerID: customer, OccurredAt: millis(at), OrderID: "o-" + event, Currency: "USD",
		Lines: []sales.Line{{ProductID: "p-" + category, Category: category, Quantity: 1, AmountMinor: 250}}}
}

func (w *world) record(input any, key string) *kgo.Record {
	w.t.Helper()
	value, err := w.enc.AppendInput(nil, input)
	if err != nil {
		w.t.Fatal(err)
	}
	topic := map[string]string{"*sales.Purchase": "purchases", "*sales.Touchpoint": "touchpoints", "*sales.Customer": "customers",
		"*sales.Outcome": "outcomes", "*sales.Identity": "identities"}[fmt.Sprintf("%T", input)]
	return &kgo.Record{Topic: w.prefix + topic, Key: []byte(key), Value: value}
}

func (w *world) buy(customer, event, category string, at time.Time) {
	w.t.Helper()
	w.send(w.record(purchase(customer, event, category, at), customer))
}

// link publishes that who buys from is likelier to buy to.
func (w *world) link(from, to string) {
	w.t.Helper()
	l := &sales.Link{Kind: sales.CrossSellLink, Level: "category", From: from, To: to, Customers: 1000, FromHolders: 100, ToHolders: 100,
		Both: 60, Confidence: 0.6, ConfidenceLow: 0.5, ConfidenceHigh: 0.7, Baseline: 0.1, Lift: 6, LiftLow: 5, LiftHigh: 7, GSquared: 50, Score: 0.2}
	value, err := w.enc.AppendLink(nil, l)
	if err != nil {
		w.t.Fatal(err)
	}
	w.sendTo(&kgo.Record{Topic: w.prefix + "product-links", Key: []byte(l.Key()), Value: value})
}

// all reads every committed record of a topic.
func (w *world) all(topic string) []*kgo.Record {
	w.t.Helper()
	spans, err := committed.Whole(context.Background(), kadm.NewClient(w.client), w.prefix+topic)
	if err != nil {
		w.t.Fatal(err)
	}
	var records []*kgo.Record
	err = committed.Read(context.Background(), w.kafka(), spans, func(rec *kgo.Record) error {
		records = append(records, rec)
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	slices.SortFunc(records, func(a, b *kgo.Record) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return records
}

// alerts reads everything that was decided, said or suppressed, as "kind status customer from>to" with the id and revision in front
// when asked for.
func (w *world) alerts() []sales.Alert {
	w.t.Helper()
	var alerts []sales.Alert
	topics := []string{suppressedTopic}
	for _, k := range customerAlerts {
		topics = append(topics, k.Topic())
	}
	for _, topic := range topics {
		for _, rec := range w.all(topic) {
			var a sales.Alert
			if err := w.dec.Alert(context.Background(), rec.Value, &a); err != nil {
				w.t.Fatal(err)
			}
			if string(rec.Key) != a.CustomerID || rec.Partition != wire.Partition(rec.Key, w.n) && rec.Partition != wire.Partition(rec.Key, testPartitions) {
				w.t.Errorf("alert about %s stands under key %s in partition %d", a.CustomerID, rec.Key, rec.Partition)
			}
			alerts = append(alerts, a)
		}
	}
	return alerts
}

// said gives "id.revision" of all alerts, sorted, and fails on one said twice.
func (w *world) said() []string {
	w.t.Helper()
	var ids []string
	for _, a := range w.alerts() {
		ids = append(ids, a.AlertID+"."+strconv.Itoa(int(a.Revision)))
	}
	slices.Sort(ids)
	if len(slices.Compact(slices.Clone(ids))) != len(ids) {
		w.t.Errorf("an alert was said twice: %s", strings.Join(ids, " "))
	}
	return ids
}

func (w *world) journal() []sales.Journal {
	w.t.Helper()
	var out []sales.Journal
	for _, rec := range w.all(journalTopic) {
		var j sales.Journal
		if err := w.dec.Journal(context.Background(), rec.Value, &j); err != nil {
			w.t.Fatal(err)
		}
		out = append(out, j)
	}
	return out
}
