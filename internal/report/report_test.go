package report

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"leadline/internal/committed"
	"leadline/internal/sales"
	"leadline/internal/wire"
	"leadline/internal/wire/wiretest"
	"leadline/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	partitions = 4
	outcomesID = 70 // of the schema in the registry
)

func setup(t *testing.T, topic string) (*Reporter, *kadm.Client) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	kafka := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	client, err := kgo.NewClient(kafka...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &Reporter{Kafka: kafka, Prefix: "acme.", SchemaIDs: func(context.Context) (map[string]int, error) {
		return map[string]int{schemas.Subject("outcomes"): outcomesID}, nil
	}}, kadm.NewClient(client)
}

func outcomes(n int) (all []*sales.Outcome) {
	for i := range n {
		all = append(all, &sales.Outcome{EventID: fmt.Sprint("o", i), AlertID: "a", CustomerID: fmt.Sprint("customer-", i), Action: "none", Result: "assigned",
			OccurredAt: 1_700_000_000_000, Attributes: map[string]string{"list": "declining"}})
	}
	return all
}

// read gives what is committed, by customer; every record must be in its partition.
func read(t *testing.T, r *Reporter, adm *kadm.Client) map[string]sales.Outcome {
	t.Helper()
	text, _ := schemas.ForTopic("outcomes")
	registry := wiretest.New()
	registry.Register(outcomesID, text)
	decoder := registry.Decoder()
	spans, err := committed.Whole(t.Context(), adm, "acme.outcomes")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]sales.Outcome{}
	err = committed.Read(t.Context(), r.Kafka, spans, func(rec *kgo.Record) error {
		var o sales.Outcome
		if err := decoder.Outcome(t.Context(), rec.Value, &o); err != nil {
			return err
		}
		if string(rec.Key) != o.CustomerID || rec.Partition != wire.Partition(rec.Key, partitions) {
			t.Errorf("%s is under key %q in partition %d", o.CustomerID, rec.Key, rec.Partition)
		}
		got[strings.Clone(o.CustomerID)] = o
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAllAreThere(t *testing.T) {
	r, adm := setup(t, "acme.outcomes")
	if err := r.Report(t.Context(), outcomes(100)); err != nil {
		t.Fatal(err)
	}
	got := read(t, r, adm)
	if o := got["customer-17"]; len(got) != 100 || o.EventID != "o17" || o.Attributes["list"] != "declining" {
		t.Errorf("%d outcomes, %+v", len(got), o)
	}
	if err := r.Report(t.Context(), nil); err != nil {
		t.Errorf("nothing to report: %v", err)
	}
}

// One that is against the contract keeps all of them back.
func TestNoneIsThere(t *testing.T) {
	r, adm := setup(t, "acme.outcomes")
	some := outcomes(10)
	some[7].OccurredAt = 5
	if err := r.Report(t.Context(), some); err == nil || !strings.Contains(err.Error(), "outcome o7: time: occurred_at is 5") {
		t.Errorf("%v", err)
	}
	if got := read(t, r, adm); len(got) > 0 {
		t.Errorf("%d outcomes", len(got))
	}
}

func TestWithoutTheTopic(t *testing.T) {
	r, _ := setup(t, "elsewhere")
	if err := r.Report(t.Context(), outcomes(1)); err == nil || !strings.Contains(err.Error(), "acme.outcomes does not exist") {
		t.Errorf("%v", err)
	}
}
