package comparison

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/stream"
	"leadline/internal/topics"
	"leadline/internal/wire"
)

// Options say where the engine of the comparison works. The clients stay the caller's.
type Options struct {
	Kafka      []kgo.Opt
	Redis      redis.UniversalClient
	Topics     topics.Options // of the tenant; the input is its topic purchases
	Alerts     string         // the topic of the alerts, without the tenant's prefix
	Instance   string
	CacheBytes int
	Rules      []Rule
	First      func(time.Time) // told when the first order is decided about
	Log        *zap.Logger
	Metrics    prometheus.Registerer
}

// Run makes the tenant's topics that are missing, and works until the context ends.
func Run(ctx context.Context, o Options) error {
	if err := createTopics(ctx, o); err != nil {
		return err
	}
	var once sync.Once
	schemas, ids := newSource()
	runtime, err := stream.NewEngine(stream.Config{Kafka: o.Kafka, Prefix: o.Topics.Prefix, InstanceID: o.Instance, Clock: engine.Data,
		Calendar: sales.NewCalendar(time.UTC), CacheBytes: o.CacheBytes, Job: newJob(o.Rules, func() { once.Do(func() { o.First(time.Now()) }) })},
		stream.Deps{Store: state.NewRedis(o.Redis, o.Topics.Prefix), Decoder: wire.NewDecoder(schemas), Encoder: wire.NewEncoder(ids),
			Alerts: alerts{o.Alerts}, Rules: rules, Log: o.Log, Registerer: o.Metrics})
	if err != nil {
		return err
	}
	return runtime.Run(ctx)
}

// createTopics makes the topics of the catalogue without a registry.
func createTopics(ctx context.Context, o Options) error {
	cl, err := kgo.NewClient(o.Kafka...)
	if err != nil {
		return fmt.Errorf("comparison: %w", err)
	}
	defer cl.Close()
	admin, replication := kadm.NewClient(cl), o.Topics.Replication
	if replication == 0 {
		replication = -1 // the broker's own
	}
	for _, t := range topics.Catalogue(o.Topics) {
		configs := map[string]*string{}
		for name, value := range t.Configs {
			configs[name] = &value
		}
		_, err := admin.CreateTopic(ctx, t.Partitions, replication, configs, o.Topics.Prefix+t.Name)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("create %s: %w", t.Name, err)
		}
	}
	return nil
}
