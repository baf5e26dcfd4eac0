package stream

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/engine"
	"leadline/internal/wire"
)

// BenchmarkDrain is the whole pipeline against an embedded broker and the store in memory: one operation is one purchase of 5,000
// customers, read, decided and committed.
func BenchmarkDrain(b *testing.B) {
	w := bareWorld(b)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(testPartitions, shardTopics()...),
		kfake.SeedTopics(1, append(singleTopics(), deadLettersTopic, lateEventsTopic)...))
	if err != nil {
		b.Fatal(err)
	}
	defer cluster.Close()
	w.brokers, w.dial = cluster.ListenAddrs(), new(net.Dialer).DialContext
	w.client = w.open(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	defer w.client.Close()
	for i := range 30 {
		w.link(fmt.Sprintf("cat-%d", i), fmt.Sprintf("cat-%d", (i+7)%30))
	}
	from := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range b.N {
		who := customer(i * 7919 % 5000)
		rec := w.record(purchase(who, fmt.Sprint("e-", i), fmt.Sprintf("cat-%d", i*31%37), from.Add(time.Duration(i)*time.Minute)), who)
		rec.Partition = wire.Partition(rec.Key, testPartitions)
		w.client.Produce(context.Background(), rec, nil)
	}
	if err := w.client.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	reg := prometheus.NewRegistry()
	r, err := New(Config{Kafka: w.kafka(), InstanceID: "bench", Clock: engine.Data}, Deps{Store: w.store, Decoder: w.dec, Encoder: w.enc,
		Rules: w.rules, Log: zap.NewNop(), Registerer: reg})
	if err != nil {
		b.Fatal(err)
	}
	run := &running{Runtime: r, w: w, metrics: reg}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	b.ResetTimer()
	go func() { ended <- r.Run(ctx) }()
	for run.count("events_total", "purchases") < float64(b.N) {
		time.Sleep(5 * time.Millisecond)
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}
