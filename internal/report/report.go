// Package report writes outcomes: what the sales side reports, onto the input topic of the engine, as any other source of outcomes would.
//
// It guarantees that a call's outcomes are all there or none, each in the partition that the contract wants. It does not guarantee that they are
// there once: whoever calls again because it does not know gives them the same event_id, and the engine takes up one. It decides nothing. The
// wiring and the commands import it.
package report

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Reporter writes outcomes. Calls may be made at the same time: each has a client and a transaction of its own, since they are rare.
type Reporter struct {
	Kafka     []kgo.Opt // seeds, TLS, SASL, dialer
	Prefix    string    // of the tenant's topics
	SchemaIDs func(context.Context) (map[string]int, error)
}

const (
	topic        = "outcomes"
	abortTimeout = 10 * time.Second
	commitWithin = 30 * time.Second // how long a killed call can hold up readers
)

// Report writes the outcomes in one transaction. An outcome against the contract is an error, and nothing is written.
func (r *Reporter) Report(ctx context.Context, outcomes []*sales.Outcome) (err error) {
	if len(outcomes) == 0 {
		return nil
	}
	client, err := kgo.NewClient(append(r.Kafka[:len(r.Kafka):len(r.Kafka)], kgo.TransactionalID(r.Prefix+"leadline-report-"+uuid.NewString()),
		kgo.TransactionTimeout(commitWithin), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return fmt.Errorf("report outcomes: %w", err)
	}
	defer client.Close()
	records, err := r.records(ctx, client, outcomes)
	if err == nil {
		err = commit(ctx, client, records)
	}
	if err != nil {
		return fmt.Errorf("report outcomes: %w", err)
	}
	return nil
}

func (r *Reporter) records(ctx context.Context, client *kgo.Client, outcomes []*sales.Outcome) ([]*kgo.Record, error) {
	ids, err := r.SchemaIDs(ctx)
	if err != nil {
		return nil, err
	}
	known, err := kadm.NewClient(client).ListTopics(ctx, r.Prefix+topic)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	n := int32(len(known[r.Prefix+topic].Partitions))
	if n == 0 {
		return nil, fmt.Errorf("topic %s does not exist: create it with 'leadline topics create'", r.Prefix+topic)
	}
	encoder := wire.NewEncoder(ids)
	var records []*kgo.Record
	for _, o := range outcomes {
		if err := wire.CheckOutcome(o); err != nil {
			return nil, fmt.Errorf("outcome %s: %w", o.EventID, err)
		}
		value, err := encoder.AppendOutcome(nil, o)
		if err != nil {
			return nil, fmt.Errorf("outcome %s: %w", o.EventID, err)
		}
		key := []byte(o.CustomerID)
		records = append(records, &kgo.Record{Topic: r.Prefix + topic, Key: key, Value: value, Partition: wire.Partition(key, n)})
	}
	return records, nil
}

func commit(ctx context.Context, client *kgo.Client, records []*kgo.Record) error {
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		// Also when ctx is what failed: an open transaction would hold up every reader until it times out.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
		defer cancel()
		return errors.Join(err, client.EndTransaction(ctx, kgo.TryAbort))
	}
	return client.EndTransaction(ctx, kgo.TryCommit)
}
