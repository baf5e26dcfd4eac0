package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// counted is what an engine says of itself.
type counted struct {
	stages  map[string]float64 // seconds of each stage, of all shards together
	said    float64            // alerts
	decided float64            // alerts, suppressed ones too
	timers  float64            // fired
	read    float64            // customers that were not in memory
}

// metrics asks the engine.
func (e *engine) metrics(ctx context.Context) (c counted, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.http+"/metrics", nil)
	if err != nil {
		return c, fmt.Errorf("ask for metrics: %w", err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return c, fmt.Errorf("ask for metrics: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return c, fmt.Errorf("ask for metrics: %s", answer.Status)
	}
	return readCounted(answer.Body)
}

func readCounted(text io.Reader) (c counted, err error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return c, fmt.Errorf("read metrics: %w", err)
	}
	c.stages = map[string]float64{}
	for _, m := range families["leadline_stream_stage_seconds"].GetMetric() {
		c.stages[label(m, "stage")] += m.GetHistogram().GetSampleSum()
	}
	for _, m := range families["leadline_stream_alerts_total"].GetMetric() {
		c.decided += m.GetCounter().GetValue()
		if label(m, "suppressed_by") == "" {
			c.said += m.GetCounter().GetValue()
		}
	}
	for _, m := range families["leadline_stream_timers_fired_total"].GetMetric() {
		c.timers = m.GetCounter().GetValue()
	}
	for _, m := range families["leadline_stream_customers_read_total"].GetMetric() {
		c.read = m.GetCounter().GetValue()
	}
	return c, nil
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// since gives what came after an earlier look.
func (c counted) since(before counted) counted {
	spent := counted{stages: map[string]float64{}, said: c.said - before.said, decided: c.decided - before.decided,
		timers: c.timers - before.timers, read: c.read - before.read}
	for stage, seconds := range c.stages {
		spent.stages[stage] = seconds - before.stages[stage]
	}
	return spent
}
