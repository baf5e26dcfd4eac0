package state

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of one store.
type metrics struct {
	seconds     *prometheus.HistogramVec
	keys        *prometheus.CounterVec
	refused     prometheus.Counter
	swept       prometheus.Counter
	sweepErrors prometheus.Counter
}

func newMetrics() *metrics {
	return &metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "leadline_state_seconds", Help: "Time of one operation on the projection in Redis.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 3, 10),
		}, []string{"operation"}),
		keys: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "leadline_state_customers_total", Help: "Customers read from or written to the projection.",
		}, []string{"operation"}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "leadline_state_refused_total", Help: "Writes refused because a shard's meta was not what the writer believed.",
		}),
		swept: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "leadline_state_swept_keys_total", Help: "Keys of older generations removed after a rebuild.",
		}),
		sweepErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "leadline_state_sweep_errors_total", Help: "Removals of older generations cut short; the next rebuild completes them.",
		}),
	}
}

func (m *metrics) register(reg prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{m.seconds, m.keys, m.refused, m.swept, m.sweepErrors} {
		if err := reg.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// time measures until the returned function is called.
func (m *metrics) time(operation string) func() {
	begun := time.Now()
	return func() { m.seconds.WithLabelValues(operation).Observe(time.Since(begun).Seconds()) }
}
