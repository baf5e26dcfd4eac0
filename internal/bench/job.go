package bench

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/committed"
	"leadline/internal/comparison"
)

// jobAlerts is the topic on which the comparison's job says its alerts.
const jobAlerts = "alerts"

// Sameness is what an engine said in the comparison's job, beside what the job to the letter says of the same orders.
type Sameness struct {
	Alerts   int    `json:"alerts"`
	Checksum string `json:"checksum"` // sum of xxhash64 over keys and values, in hexadecimal
	Lost     int    `json:"lost"`
	Twice    int    `json:"twice"`
	Foreign  int    `json:"foreign"`
}

// drainJob measures the comparison's job, and reads what was said.
func (b *Bench) drainJob(ctx context.Context, y Year) (*Drain, error) {
	if _, err := b.admin.CreateTopic(ctx, b.o.Topics.Partitions, -1, nil, b.topic(jobAlerts)); err != nil {
		return nil, fmt.Errorf("create the topic of the alerts: %w", err)
	}
	var extra []string
	if y.Sparse {
		extra = append(extra, "--sparse")
	}
	d, err := b.drainYear(ctx, y, extra...)
	if err != nil {
		return nil, err
	}
	said := &comparison.Alerts{}
	all, err := committed.Whole(ctx, b.admin, b.topic(jobAlerts))
	if err == nil {
		err = committed.Read(ctx, b.o.Kafka, all, func(rec *kgo.Record) error { said.Add(rec.Key, rec.Value); return nil })
	}
	if err != nil {
		return nil, fmt.Errorf("read the alerts: %w", err)
	}
	d.Job = &Sameness{Alerts: said.N, Checksum: fmt.Sprintf("%016x", said.Sum)}
	d.Job.Lost, d.Job.Twice, d.Job.Foreign = said.Against(comparison.Expect(y.Rules(), y.orders()))
	b.say("%d alerts, checksum %s: %d lost, %d twice, %d foreign", d.Job.Alerts, d.Job.Checksum, d.Job.Lost, d.Job.Twice, d.Job.Foreign)
	return d, nil
}
