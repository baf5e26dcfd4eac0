//go:build integration

package integration

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/committed"
	"leadline/internal/sales"
	"leadline/internal/topics"
	"leadline/internal/wire"
)

// limit is how long anything may take that usually takes a second.
const limit = time.Minute

// partitions is how many shards a tenant has by default.
const partitions = 4

// decoder reads Leadline's records through the registry.
func (in *installation) decoder() *wire.Decoder {
	return wire.NewDecoder(topics.NewSchemaSource(in.registry))
}

// records are all committed records of the topics (without the prefix) at this moment.
func (in *installation) records(names ...string) []*kgo.Record {
	in.t.Helper()
	spans, err := committed.Whole(in.t.Context(), in.admin, in.prefixed(names)...)
	in.check(err)
	var found []*kgo.Record
	brokers := kgo.SeedBrokers(strings.Split(os.Getenv("LEADLINE_KAFKA_BROKERS"), ",")...)
	in.check(committed.Read(in.t.Context(), []kgo.Opt{brokers}, spans, func(r *kgo.Record) error {
		found = append(found, r)
		return nil
	}))
	slices.SortFunc(found, func(a, b *kgo.Record) int {
		return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return found
}

// alerts are all alerts decided until now, said and suppressed.
func (in *installation) alerts() []sales.Alert {
	in.t.Helper()
	d := in.decoder()
	names := []string{"alerts.suppressed"}
	for _, kind := range sales.AlertKinds() {
		names = append(names, kind.Topic())
	}
	var found []sales.Alert
	for _, r := range in.records(names...) {
		var a sales.Alert
		in.check(d.Alert(in.t.Context(), r.Value, &a))
		found = append(found, a)
	}
	return found
}

// onlyOnce fails the test for every (alert_id, revision) that was said twice, on whatever topics.
func onlyOnce(t *testing.T, alerts []sales.Alert) {
	t.Helper()
	seen := map[string]int{}
	for _, a := range alerts {
		seen[fmt.Sprint(a.AlertID, ".", a.Revision)]++
	}
	for id, n := range seen {
		if n > 1 {
			t.Errorf("%s was decided %d times", id, n)
		}
	}
}

// offsets gives how far the engine has committed each partition of the inputs, and where they end.
func (in *installation) offsets(inputs ...string) (committed kadm.OffsetResponses, ends kadm.ListedOffsets) {
	in.t.Helper()
	ends, err := in.admin.ListEndOffsets(in.t.Context(), in.prefixed(inputs)...)
	in.check(err)
	committed, err = in.admin.FetchOffsets(in.t.Context(), in.prefix+"leadline-engine")
	// Not found: it has not begun. Retriable: on a fresh broker nothing has, and whoever waits asks again.
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) && !kerr.IsRetriable(err) {
		in.t.Fatal(err)
	}
	return committed, ends
}

// committed is how many records of an input the engine has done with.
func (in *installation) committed(input string) int64 {
	in.t.Helper()
	committed, ends := in.offsets(input)
	var sum int64
	ends.Each(func(end kadm.ListedOffset) {
		if at, ok := committed.Lookup(end.Topic, end.Partition); ok {
			sum += max(at.At, 0)
		}
	})
	return sum
}

// advance waits until the engine has committed n purchases more than it had.
func (in *installation) advance(p *process, n int64) {
	in.t.Helper()
	before := in.committed("purchases")
	within(in.t, 2*limit, "the engine goes on", func() bool {
		p.alive()
		return in.committed("purchases") >= before+n
	})
}

// drained waits until the engine has committed all that was sent, and time has gone as far as the events carry it: timers that
// are due by then have fired.
func (in *installation) drained(p *process) {
	in.t.Helper()
	within(in.t, 2*limit, "the engine has read everything", func() bool {
		p.alive()
		committed, ends := in.offsets("purchases", "touchpoints", "customers")
		behind := false
		ends.Each(func(end kadm.ListedOffset) {
			at, ok := committed.Lookup(end.Topic, end.Partition)
			behind = behind || end.Offset > 0 && (!ok || at.At < end.Offset)
		})
		return !behind
	})
	newest := in.newest()
	within(in.t, limit, "time has gone to the newest event", func() bool {
		p.alive()
		now := in.now()
		for partition, at := range newest {
			if now[partition] < at-sales.Millis(time.Hour.Milliseconds()) {
				return false
			}
		}
		return true
	})
}

// newest is the newest event time of each shard.
func (in *installation) newest() map[int32]sales.Millis {
	in.t.Helper()
	d := in.decoder()
	newest := map[int32]sales.Millis{}
	for _, r := range in.records("purchases", "touchpoints") {
		if r.Partition != wire.Partition(r.Key, in.partitions) {
			continue // misrouted: a dead letter, or sent before the shards were so many
		}
		var at sales.Millis
		if r.Topic == in.prefix+"purchases" {
			var purchase sales.Purchase
			in.check(d.Purchase(in.t.Context(), r.Value, &purchase))
			at = purchase.OccurredAt
		} else {
			var touch sales.Touchpoint
			in.check(d.Touchpoint(in.t.Context(), r.Value, &touch))
			at = touch.OccurredAt
		}
		newest[r.Partition] = max(newest[r.Partition], at)
	}
	return newest
}

// now is how far each shard's time has gone, by its journal.
func (in *installation) now() map[int32]sales.Millis {
	in.t.Helper()
	now := map[int32]sales.Millis{}
	for _, r := range in.records("leadline.journal") {
		var j sales.Journal
		in.check(in.decoder().Journal(in.t.Context(), r.Value, &j))
		now[j.Partition] = max(now[j.Partition], j.Now)
	}
	return now
}

// prefixed gives the tenant's topics.
func (in *installation) prefixed(names []string) []string {
	own := make([]string, len(names))
	for i, name := range names {
		own[i] = in.prefix + name
	}
	return own
}

func (in *installation) check(err error) {
	in.t.Helper()
	if err != nil {
		in.t.Fatal(err)
	}
}

// installWithLinks is a tenant without an analyst: its links are given, so that what is decided depends on the events alone.
func installWithLinks(t *testing.T, settings ...func(*installation)) *installation {
	t.Helper()
	in := install(t, settings...)
	schema, err := in.registry.SchemaByVersion(t.Context(), in.prefix+"product-links-value", -1)
	in.check(err)
	encoder := wire.NewEncoder(map[string]int{"product-links-value": schema.ID})
	for i, from := range antecedents {
		for j, to := range consequents {
			link := sales.Link{Kind: sales.CrossSellLink, Level: "category", From: from, To: to, Customers: 100, FromHolders: 50, ToHolders: 40,
				Both: 30, Confidence: 0.6, Baseline: 0.4, Lift: 1.5, Score: 1 / float64(1+i+10*j)}
			value, err := encoder.AppendLink(nil, &link)
			in.check(err)
			record := &kgo.Record{Topic: in.prefix + "product-links", Key: []byte(link.Key()), Value: value}
			in.check(in.kafka.ProduceSync(t.Context(), record).FirstErr())
		}
	}
	return in
}

// What almost everyone in the small sample buys, and what some of them do.
var (
	antecedents = []string{"SOFT DRINKS", "FLUID MILK PRODUCTS", "BAKED BREAD/BUNS/ROLLS", "CHEESE"}
	consequents = []string{"DOG FOODS", "BEERS/ALES", "CANNED JUICES", "BAKING MIXES", "COOKIES/CONES", "CHICKEN", "POTATOES", "CITRUS"}
)

// header is the text of a header, empty when there is none.
func header(headers []kgo.RecordHeader, name string) string {
	for _, h := range headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}
