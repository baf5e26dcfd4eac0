package replay

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"leadline/internal/sales"
	"leadline/internal/stream/streamtest"
	"leadline/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testPartitions = 3
	prefix         = "acme."
)

// world is a history that is made and played again, inside a synctest bubble.
type world struct {
	*streamtest.World
	t      *testing.T
	shards int32
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{World: streamtest.New(t, prefix, testPartitions), t: t, shards: testPartitions}
}

func (w *world) options() Options {
	return Options{Kafka: w.Kafka, Prefix: prefix, Decoder: w.Schemas.Decoder(), Encoder: w.Encoder}
}

func (w *world) verify(edit ...func(*Options)) *Report {
	w.t.Helper()
	o := w.options()
	for _, e := range edit {
		e(&o)
	}
	report, err := Verify(context.Background(), o, Check{})
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// text is a report as a person reads it.
func text(r *Report) string {
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		panic(err)
	}
	return b.String()
}

func (w *world) send(records ...*kgo.Record) {
	w.t.Helper()
	for _, rec := range records {
		rec.Partition = wire.Partition(rec.Key, w.shards)
	}
	w.Write(records...)
}

var inputTopics = map[string]string{"*sales.Purchase": "purchases", "*sales.Touchpoint": "touchpoints", "*sales.Customer": "customers",
	"*sales.Outcome": "outcomes", "*sales.Identity": "identities", "*sales.Product": "products"}

func (w *world) record(input any, key string) *kgo.Record {
	w.t.Helper()
	value, err := w.Encoder.AppendInput(nil, input)
	if err != nil {
		w.t.Fatal(err)
	}
	return &kgo.Record{Topic: prefix + inputTopics[fmt.Sprintf("%T", input)], Key: []byte(key), Value: value}
}

// purchase is an order of one line.
func purchase(customer, event, category string, at time.Time) *sales.Purchase {
	return &sales.Purchase{EventID: event, CustomerID: customer, OccurredAt: millis(at), OrderID: "o-" + event, Currency: "USD",
		Lines: []sales.Line{{ProductID: "p-" + category, Category: category, Quantity: 1, AmountMinor: 250}}}
}

func millis(at time.Time) sales.Millis { return sales.Millis(at.UnixMilli()) }

func link(from, to string) *sales.Link {
	return &sales.Link{Kind: sales.CrossSellLink, Level: "category", From: from, To: to, Customers: 1000, FromHolders: 100, ToHolders: 100,
		Both: 60, Confidence: 0.6, ConfidenceLow: 0.5, ConfidenceHigh: 0.7, Baseline: 0.1, Lift: 6, LiftLow: 5, LiftHigh: 7, GSquared: 50, Score: 0.2}
}

// learn publishes links, unlearn takes them back.
func (w *world) learn(links ...*sales.Link) {
	w.t.Helper()
	for _, l := range links {
		value, err := w.Encoder.AppendLink(nil, l)
		if err != nil {
			w.t.Fatal(err)
		}
		w.Write(&kgo.Record{Topic: prefix + "product-links", Key: []byte(l.Key()), Value: value})
	}
}

func (w *world) unlearn(l *sales.Link) {
	w.t.Helper()
	w.Write(&kgo.Record{Topic: prefix + "product-links", Key: []byte(l.Key())})
}

// all reads every committed record of a topic.
func (w *world) all(topic string) []*kgo.Record {
	w.t.Helper()
	return w.allOf(prefix + topic)
}

// allOf is all for the full name.
func (w *world) allOf(name string) []*kgo.Record {
	w.t.Helper()
	adm := kadm.NewClient(w.Client)
	ends, err := adm.ListCommittedOffsets(context.Background(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	begins, err := adm.ListStartOffsets(context.Background(), name)
	if err != nil {
		w.t.Fatal(err)
	}
	var records []*kgo.Record
	for _, p := range slices.Sorted(maps.Keys(ends[name])) {
		begin, _ := begins.Lookup(name, p)
		c := cursor{opts: w.Kafka, topic: name, p: p, pos: begin.Offset}
		defer c.close()
		for {
			rec, err := c.next(context.Background(), ends[name][p].Offset)
			if err != nil {
				w.t.Fatal(err)
			}
			if rec == nil {
				break
			}
			records = append(records, rec)
		}
	}
	return records
}

// forget removes the records of a partition before an offset, as retention does.
func (w *world) forget(topic string, p int32, before int64) {
	w.t.Helper()
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: prefix + topic, Partition: p, At: before})
	if _, err := kadm.NewClient(w.Client).DeleteRecords(context.Background(), offsets); err != nil {
		w.t.Fatal(err)
	}
}

// ends is where a partition ends, markers included.
func (w *world) ends(topic string, p int32) int64 {
	w.t.Helper()
	ends, err := kadm.NewClient(w.Client).ListCommittedOffsets(context.Background(), prefix+topic)
	if err != nil {
		w.t.Fatal(err)
	}
	end, _ := ends.Lookup(prefix+topic, p)
	return end.Offset
}

func (w *world) shardOf(customer string) int32 {
	return wire.Partition([]byte(customer), testPartitions)
}

// compact lets the broker compact a topic.
func (w *world) compact(topic string) {
	w.t.Helper()
	value := "compact"
	if _, err := kadm.NewClient(w.Client).AlterTopicConfigs(context.Background(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "cleanup.policy", Value: &value}},
		prefix+topic); err != nil {
		w.t.Fatal(err)
	}
	w.Cluster.Compact()
}
