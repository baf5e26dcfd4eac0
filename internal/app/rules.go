package app

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"go.uber.org/zap"

	"leadline/internal/config"
	"leadline/internal/engine"
)

// rulesPoll is how often the file is looked at. Not every file system tells of changes (mounted volumes, network file
// systems), a look tells everywhere.
const rulesPoll = 2 * time.Second

// liveRules are the rules as they count now. A file that can not be read, or is wrong, leaves them as they are.
type liveRules struct {
	path    string
	current atomic.Pointer[engine.Rules]
	seen    os.FileInfo
	log     *zap.Logger
	reloads *prometheus.CounterVec
}

func newLiveRules(c *config.Config, log *zap.Logger, reg prometheus.Registerer) *liveRules {
	r := &liveRules{path: c.File, log: log.Named("rules"), reloads: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "leadline_rules_reloads_total",
		Help: "Times that changed rules were read, by result (ok, failed).",
	}, []string{"result"})}
	r.current.Store(&c.Rules)
	if r.path != "" {
		r.seen, _ = os.Stat(r.path) // a file that vanished since it was read is noticed by the first look
	}
	return r
}

// Rules may answer differently from one moment to the next.
func (r *liveRules) Rules() engine.Rules { return *r.current.Load() }

// watch reads the file again at each signal, and when its time or size changed, until the context ends.
func (r *liveRules) watch(ctx context.Context, hangup <-chan os.Signal) error {
	tick := time.NewTicker(rulesPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-hangup:
			r.reload()
		case <-tick.C:
			if r.changed() {
				r.reload()
			}
		}
	}
}

func (r *liveRules) changed() bool {
	if r.path == "" {
		return false
	}
	now, err := os.Stat(r.path)
	if err != nil {
		return r.seen != nil // told once, by the reload that follows
	}
	return r.seen == nil || !now.ModTime().Equal(r.seen.ModTime()) || now.Size() != r.seen.Size()
}

func (r *liveRules) reload() {
	if r.path == "" {
		r.log.Info("there is no configuration file to read again: the rules stay as they are")
		return
	}
	r.seen, _ = os.Stat(r.path)
	rules, err := config.ReadRules(r.path)
	if err != nil {
		r.reloads.WithLabelValues("failed").Inc()
		r.log.Error("the rules stay as they were: the file can not be used", zap.Error(err))
		return
	}
	if was := r.Rules().LinkLevel; rules.LinkLevel != was {
		r.reloads.WithLabelValues("failed").Inc()
		r.log.Error("the rules stay as they were: link_level cannot change where links have been counted; learn those of another level from the start, "+
			"under another topic_prefix, with the history loaded again", zap.String("link_level", was), zap.String("wanted", rules.LinkLevel))
		return
	}
	r.reloads.WithLabelValues("ok").Inc()
	if before := r.Rules().Hash(); rules.Hash() != before {
		r.current.Store(&rules)
		r.log.Info("new rules count from the next batch on", zap.String("before", before), zap.String("rules", rules.Hash()))
	}
}
