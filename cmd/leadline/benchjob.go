package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"leadline/internal/app"
	"leadline/internal/bench"
	"leadline/internal/comparison"
	"leadline/internal/web"
)

// benchJobCmd is what a comparison of engines starts as this engine's process.
type benchJobCmd struct {
	Sparse bool   `help:"The 40 rules about rare categories instead of all 200."`
	Alerts string `default:"alerts" help:"The topic of the alerts, without the tenant's prefix."`
}

// Run works on the tenant's purchases until a signal ends it. When the first order is decided about, it says FIRST and the time in
// milliseconds on the standard output.
func (cmd benchJobCmd) Run(ctx context.Context, p *process) (err error) {
	c, log, err := p.logged()
	if err != nil {
		return err
	}
	kafka, err := app.KafkaOptions(c, log)
	if err != nil {
		return err
	}
	redis, err := app.NewRedis(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, redis.Close()) }()
	metrics := prometheus.NewRegistry()
	http, err := web.New(web.Options{Addr: c.HTTPAddr, Metrics: metrics, Pprof: c.HTTPProfiling, Log: log})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return http.Run(ctx) })
	group.Go(func() error {
		return comparison.Run(ctx, comparison.Options{Kafka: kafka, Redis: redis, Topics: app.TopicOptions(c), Alerts: cmd.Alerts,
			Instance: c.Engine.Instance, CacheBytes: c.Engine.CacheMiB << 20, Rules: bench.Year{Sparse: cmd.Sparse}.Rules(), Log: log, Metrics: metrics,
			First: func(at time.Time) { fmt.Fprintln(p.stdout, "FIRST", at.UnixMilli()) }})
	})
	return group.Wait()
}
