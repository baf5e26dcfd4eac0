package stream

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"leadline/internal/sales"
)

// Stages of a batch.
const (
	stagePoll    = "poll"
	stageDecode  = "decode"
	stageLoad    = "load"
	stageStep    = "step"
	stageEncode  = "encode"
	stageCommit  = "commit"
	stageProject = "project"
)

// metrics are counted when a commit is certain, so that nothing counts twice.
type metrics struct {
	events, alerts, deadLetters, transactions, unreadable, recoveries *prometheus.CounterVec
	late, duplicates, unheeded, decided, timers, held, read           prometheus.Counter
	inputLag, watermarkLag, csnGap, queueBytes                        *prometheus.GaugeVec
	rebuilding                                                        prometheus.Gauge
	stages                                                            *prometheus.HistogramVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "leadline_stream_" + name, Help: help}, labels)
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "leadline_stream_" + name, Help: help})
	}
	gauges := func(name, help string, labels ...string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "leadline_stream_" + name, Help: help}, labels)
	}
	m := &metrics{
		events:       counters("events_total", "Input records committed, dead letters included.", "input"),
		alerts:       counters("alerts_total", "Alerts decided, by kind, status and why they were suppressed (empty: said).", "kind", "status", "suppressed_by"),
		deadLetters:  counters("dead_letters_total", "Records that could not be used.", "class"),
		transactions: counters("transactions_total", "Transactions by how they ended.", "end"),
		unreadable:   counters("unreadable_knowledge_total", "Records of the knowledge topics passed over.", "topic"),
		late:         counter("late_events_total", "Events older than the history that is kept."),
		duplicates:   counter("duplicates_total", "Redelivered events, which changed nothing."),
		unheeded:     counter("unheeded_outcomes_total", "Outcomes about alerts that are not remembered, or of an unknown result: they changed nothing."),
		decided:      counter("decided_total", "Alerts decided: said, suppressed and expired together."),
		timers:       counter("timers_fired_total", "Timers fired."),
		held:         counter("shard_waits_total", "Times a shard waited for the registry or the store."),
		read:         counter("customers_read_total", "Customers read from the store because they were not in memory, new ones too."),
		inputLag:     gauges("input_lag_records", "Records of an input partition not yet read.", "topic", "partition"),
		watermarkLag: gauges("watermark_lag_seconds", "Wall clock minus the shard's watermark.", "partition"),
		csnGap:       gauges("csn_gap", "Commits of a shard in Kafka that its projection does not have; never negative.", "partition"),
		queueBytes:   gauges("projection_queue_bytes", "Committed state waiting for the projection.", "partition"),
		recoveries: counters("recoveries_total", "Attempts to bring a shard's projection to its commit: as_it_was, caught_up, or rebuilt and because of what.",
			"how", "because"),
		rebuilding: prometheus.NewGauge(prometheus.GaugeOpts{Name: "leadline_stream_rebuilding_shards", Help: "Shards in recovery."}),
		stages: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "leadline_stream_stage_seconds",
			Help: "Time of a batch by stage.", Buckets: prometheus.ExponentialBuckets(0.0001, 4, 9)}, []string{"stage"}),
	}
	reg.MustRegister(m.events, m.alerts, m.deadLetters, m.transactions, m.unreadable, m.late, m.duplicates, m.unheeded, m.decided, m.timers, m.held, m.read,
		m.inputLag, m.watermarkLag, m.csnGap, m.queueBytes, m.rebuilding, m.recoveries, m.stages)
	return m
}

func (m *metrics) stage(stage string, took time.Duration) {
	m.stages.WithLabelValues(stage).Observe(took.Seconds())
}

func (m *metrics) transaction(end string) { m.transactions.WithLabelValues(end).Inc() }

func (m *metrics) lag(topic string, p int32, records int64) {
	m.inputLag.WithLabelValues(topic, strconv.Itoa(int(p))).Set(float64(max(0, records)))
}

func (m *metrics) gap(p int32, commits int64, bytes int) {
	label := strconv.Itoa(int(p))
	m.csnGap.WithLabelValues(label).Set(float64(commits))
	m.queueBytes.WithLabelValues(label).Set(float64(bytes))
}

// forget drops the gauges of a shard that is owned no more.
func (m *metrics) forget(p int32) {
	label := prometheus.Labels{"partition": strconv.Itoa(int(p))}
	m.inputLag.DeletePartialMatch(label)
	m.watermarkLag.DeletePartialMatch(label)
	m.csnGap.DeletePartialMatch(label)
	m.queueBytes.DeletePartialMatch(label)
}

// committed counts a step that is certain.
func (m *metrics) committed(s *shard, st *step) {
	for _, run := range st.runs {
		m.events.WithLabelValues(run.Topic).Add(float64(run.To - run.From))
	}
	for i := range st.decision.Alerts {
		a := &st.decision.Alerts[i]
		m.alerts.WithLabelValues(a.Kind.String(), a.Status.String(), a.SuppressedBy.String()).Inc()
	}
	for _, d := range st.dead {
		m.deadLetters.WithLabelValues(string(d.class)).Inc()
	}
	for _, d := range st.decision.Rejected {
		m.deadLetters.WithLabelValues(string(d.Class)).Inc()
	}
	m.decided.Add(float64(len(st.decision.Alerts)))
	m.late.Add(float64(len(st.decision.Late)))
	m.duplicates.Add(float64(st.decision.Duplicates))
	m.unheeded.Add(float64(st.decision.Unheeded))
	m.timers.Add(float64(st.decision.TimersFired))
	m.watermarkLag.WithLabelValues(strconv.Itoa(int(s.p))).Set(float64(st.batch.Clock-st.batch.Plan.Watermark) / 1000)
	for stage, took := range map[string]time.Duration{stageDecode: st.taken.decode, stageLoad: st.taken.load,
		stageStep: st.taken.step, stageEncode: st.taken.encode} {
		m.stage(stage, took)
	}
}

func millis(t time.Time) sales.Millis { return sales.Millis(t.UnixMilli()) }
