package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

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
	text, err := e.get(ctx, "/metrics")
	if err != nil {
		return c, fmt.Errorf("ask for metrics: %w", err)
	}
	defer text.Close()
	return readCounted(text)
}

// writeProfile has the engine profile its CPU for a while.
func (e *engine) writeProfile(ctx context.Context, file string) error {
	from, err := e.get(ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%.0f", profileTime.Seconds()))
	if err != nil {
		return fmt.Errorf("ask for a profile: %w", err)
	}
	defer from.Close()
	into, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	_, err = io.Copy(into, from)
	if err = errors.Join(err, into.Close()); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	return nil
}

// get asks the engine over HTTP.
func (e *engine) get(ctx context.Context, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+e.http+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close() // of an answer that is not wanted
		return nil, errors.New(answer.Status)
	}
	return answer.Body, nil
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
