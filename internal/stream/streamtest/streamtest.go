// Package streamtest is for tests of what reads what engines have written: Kafka, a registry and a store, and engines that work on
// them, all in the virtual time of a synctest bubble.
package streamtest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"leadline/internal/committed"
	"leadline/internal/engine"
	"leadline/internal/intake"
	"leadline/internal/state"
	"leadline/internal/stream"
	"leadline/internal/topics"
	"leadline/internal/wire"
	"leadline/internal/wire/wiretest"
)

// World has every topic of the catalogue, with a prefix, and nothing in it.
type World struct {
	Prefix  string
	Cluster *kfake.Cluster
	Kafka   []kgo.Opt   // of every client
	Client  *kgo.Client // writes to the partitions that records name
	Admin   *kadm.Client
	Schemas *wiretest.Registry
	Encoder *wire.Encoder
	Decoder *wire.Decoder
	Store   state.Store
	Rules   engine.Rules // of the next engine

	t testing.TB
}

// New makes a world with so many shards. It must be made inside a bubble, and ends with the test.
func New(t testing.TB, prefix string, partitions int32) *World {
	t.Helper()
	w := &World{t: t, Prefix: prefix, Schemas: wiretest.New(), Store: state.NewMemory(), Rules: engine.DefaultRules()}
	w.Encoder, w.Decoder = w.Schemas.Encoder(), w.Schemas.Decoder()
	var net kfake.VirtualNetwork
	seed := []kfake.Opt{kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(net.Listen)}
	for _, topic := range topics.Catalogue(topics.Options{Prefix: prefix, Partitions: partitions}) {
		seed = append(seed, kfake.SeedTopics(topic.Partitions, prefix+topic.Name))
	}
	var err error
	w.Cluster, err = kfake.NewCluster(seed...)
	w.Check(err)
	t.Cleanup(w.Cluster.Close)
	w.Kafka = []kgo.Opt{kgo.SeedBrokers(w.Cluster.ListenAddrs()...), kgo.Dialer(net.DialContext)}
	w.Open()
	return w
}

// Open opens the client, anew when topics have grown.
func (w *World) Open() {
	w.t.Helper()
	if w.Client != nil {
		w.Client.Close()
	}
	var err error
	w.Client, err = kgo.NewClient(append(slices.Clone(w.Kafka), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))...)
	w.Check(err)
	w.t.Cleanup(w.Client.Close)
	w.Admin = kadm.NewClient(w.Client)
}

// Check ends the test if there is an error.
func (w *World) Check(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// Engine starts an engine with the rules of now; stop ends it in good order, at the latest with the test.
func (w *World) Engine(clock engine.Clock) (stop func()) {
	w.t.Helper()
	rules := w.Rules
	r, err := stream.New(stream.Config{Kafka: w.Kafka, Prefix: w.Prefix, InstanceID: "a", Clock: clock, MaxPoll: 40, CacheBytes: 20_000},
		stream.Deps{Store: w.Store, Decoder: w.Decoder, Encoder: w.Encoder, Rules: func() engine.Rules { return rules },
			Log: zaptest.NewLogger(w.t, zaptest.Level(zap.ErrorLevel)), Registerer: prometheus.NewRegistry()})
	w.Check(err)
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
	w.Eventually("engine is ready", func() bool { return r.Ready() == nil })
	return stop
}

// During plays one life of an engine, and waits until it has read all that was sent.
func (w *World) During(clock engine.Clock, do func()) {
	w.t.Helper()
	stop := w.Engine(clock)
	do()
	w.Read()
	stop()
}

// Read waits until the engine has committed the ends of all inputs.
func (w *World) Read() {
	w.t.Helper()
	ctx := context.Background()
	w.Eventually("everything is read", func() bool {
		have, err := committed.Offsets(ctx, w.Admin, w.Prefix+"leadline-engine")
		w.Check(err)
		for _, in := range intake.Inputs {
			ends, err := w.Admin.ListCommittedOffsets(ctx, w.Prefix+in.Topic)
			w.Check(err)
			for p, end := range ends[w.Prefix+in.Topic] {
				if at, _ := have.Lookup(w.Prefix+in.Topic, p); at.At != end.Offset {
					return false
				}
			}
		}
		return true
	})
}

// Write writes records as they are.
func (w *World) Write(records ...*kgo.Record) {
	w.t.Helper()
	w.Check(w.Client.ProduceSync(context.Background(), records...).FirstErr())
}

// Eventually waits in virtual time.
func (w *World) Eventually(what string, ok func() bool) {
	w.t.Helper()
	for range 15_000 {
		if ok() {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
	w.t.Fatalf("not within five minutes: %s", what)
}
