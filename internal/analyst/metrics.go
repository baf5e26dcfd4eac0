package analyst

import (
	"github.com/prometheus/client_golang/prometheus"

	"leadline/internal/sales"
)

type metrics struct {
	tallies        *prometheus.CounterVec
	lag            *prometheus.GaugeVec
	unpublished    prometheus.Gauge
	links          *prometheus.GaugeVec
	commits        *prometheus.CounterVec
	foldSeconds    prometheus.Histogram
	publishSeconds prometheus.Histogram
	keepSeconds    prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		tallies: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leadline_analyst_tallies_total",
			Help: "Tallies folded into the sums."}, []string{"kind"}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "leadline_analyst_lag_records",
			Help: "Records of the tally topic that are not folded yet."}, []string{"kind"}),
		unpublished: prometheus.NewGauge(prometheus.GaugeOpts{Name: "leadline_analyst_unpublished_tallies",
			Help: "Tallies folded into the sums since the last commit."}),
		links: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "leadline_analyst_links",
			Help: "Links that hold as last published."}, []string{"kind"}),
		commits: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leadline_analyst_commits_total",
			Help: "Transactions of sums, statements and positions, by how they ended."}, []string{"end"}),
		foldSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "leadline_analyst_fold_seconds",
			Help: "Time to decode and fold what one poll gave.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 8)}),
		publishSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "leadline_analyst_publish_seconds",
			Help: "Time to judge the links and commit.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}),
		keepSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "leadline_analyst_keep_seconds",
			Help: "The same, when the sums of pairs were kept too.", Buckets: prometheus.ExponentialBuckets(0.001, 4, 8)}),
	}
	reg.MustRegister(m.tallies, m.lag, m.unpublished, m.links, m.commits, m.foldSeconds, m.publishSeconds, m.keepSeconds)
	return m
}

func (m *metrics) countLinks(links map[string]sales.Link) {
	n := map[sales.LinkKind]int{sales.CrossSellLink: 0, sales.UpsellLink: 0}
	for _, l := range links {
		n[l.Kind]++
	}
	for kind, count := range n {
		m.links.WithLabelValues(kind.String()).Set(float64(count))
	}
}
