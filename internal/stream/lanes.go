package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
)

// lanes is how many runtimes one engine process has. Within a runtime the shards' work and the transaction follow one another; with two,
// one decides while the other waits for the broker. More would only make more transactions.
const lanes = 2

// Engine is the runtimes of one process, each with a part of its shards and a transaction of its own. To the group they are members of
// their own: the first under the process's instance id, the others under that with a laneMark and a number.
type Engine struct{ lanes []*Runtime }

// laneMark stands between an instance id, which cannot hold it, and the number of a lane.
const laneMark = "~"

// laneOf is the instance id of a lane.
func laneOf(instance string, lane int) string {
	if lane == 0 {
		return instance
	}
	return instance + laneMark + strconv.Itoa(lane+1)
}

// processOf is the instance id of the process that a member of the group belongs to.
func processOf(member string) string {
	instance, _, _ := strings.Cut(member, laneMark)
	return instance
}

// NewEngine checks the configuration and registers the metrics, which have the label lane. Nothing is opened before Run. The lanes share
// the memory that cfg gives.
func NewEngine(cfg Config, deps Deps) (*Engine, error) {
	if strings.Contains(cfg.InstanceID, laneMark) {
		return nil, fmt.Errorf("engine: instance id %q: %q is kept for the lanes of a process", cfg.InstanceID, laneMark)
	}
	cfg.setDefaults()
	cfg.CacheBytes /= lanes
	e := &Engine{}
	for i := range lanes {
		of, with := cfg, deps
		of.InstanceID = laneOf(cfg.InstanceID, i)
		with.Registerer = prometheus.WrapRegistererWith(prometheus.Labels{"lane": strconv.Itoa(i + 1)}, deps.Registerer)
		r, err := New(of, with)
		if err != nil {
			return nil, err
		}
		e.lanes = append(e.lanes, r)
	}
	return e, nil
}

// Run works until the context ends, or a lane finds a promise broken; see Runtime.Run.
func (e *Engine) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, r := range e.lanes {
		group.Go(func() error { return r.Run(ctx) })
	}
	return group.Wait()
}

// Ready answers nil when all lanes are at work; see Runtime.Ready.
func (e *Engine) Ready() error {
	var errs []error
	for _, r := range e.lanes {
		errs = append(errs, r.Ready())
	}
	return errors.Join(errs...)
}
