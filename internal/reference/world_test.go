package reference

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"leadline/internal/committed"
	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/stream/streamtest"
	"leadline/internal/topics"
	"leadline/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testPartitions = 3

// world is a history that is checked, inside a synctest bubble.
type world struct {
	*streamtest.World
	t *testing.T
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{streamtest.New(t, testPrefix, testPartitions), t}
}

func (w *world) verify() *Report {
	w.t.Helper()
	report, err := Verify(context.Background(), Options{Kafka: w.Kafka, Prefix: testPrefix, Decoder: w.Decoder})
	w.Check(err)
	return report
}

// send writes inputs of the trade's types where they belong.
func (w *world) send(inputs ...any) {
	w.t.Helper()
	for _, in := range inputs {
		rec := w.record(in)
		rec.Partition = wire.Partition(rec.Key, testPartitions)
		if rec.Topic == testPrefix+"products" {
			rec.Partition = 0
		}
		w.Write(rec)
	}
}

func (w *world) record(input any) *kgo.Record {
	w.t.Helper()
	topic, key := "", ""
	switch in := input.(type) {
	case *sales.Purchase:
		topic, key = "purchases", in.CustomerID
	case *sales.Touchpoint:
		topic, key = "touchpoints", in.CustomerID
	case *sales.Customer:
		topic, key = "customers", in.CustomerID
		if in.Erased {
			return &kgo.Record{Topic: testPrefix + topic, Key: []byte(key)}
		}
	case *sales.Outcome:
		topic, key = "outcomes", in.CustomerID
	case *sales.Product:
		topic, key = "products", in.ProductID
	}
	value, err := w.Encoder.AppendInput(nil, input)
	w.Check(err)
	return &kgo.Record{Topic: testPrefix + topic, Key: []byte(key), Value: value}
}

func (w *world) learn(links ...sales.Link) {
	w.t.Helper()
	for _, l := range links {
		value, err := w.Encoder.AppendLink(nil, &l)
		w.Check(err)
		w.Write(&kgo.Record{Topic: testPrefix + "product-links", Key: []byte(l.Key()), Value: value})
	}
}

func (w *world) everyone(day time.Time, n float64) {
	w.t.Helper()
	value, err := w.Encoder.AppendForecast(nil, &sales.Forecast{Series: sales.ActivitySeries, PeriodStart: millis(day), PeriodEnd: millis(day.AddDate(0, 0, 1)),
		Observed: n, Complete: true})
	w.Check(err)
	w.Write(&kgo.Record{Topic: testPrefix + "forecasts", Key: []byte(day.Format(time.DateOnly)), Value: value})
}

func millis(at time.Time) sales.Millis { return sales.Millis(at.UnixMilli()) }

// newYear is when each bubble's time begins; the history lies before it.
var newYear = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// past is a history with everything in it, over three lives of an engine, always the same.
func (w *world) past() {
	var links []sales.Link
	for i := range 12 {
		for j := range 3 {
			from, to, share := fmt.Sprintf("cat-%d", i), fmt.Sprintf("cat-%d", (i+5+2*j)%12), float64(3+j)/10
			links = append(links, sales.Link{Kind: sales.CrossSellLink, Level: "category", From: from, To: to, Score: share, Confidence: share,
				Season: float64(i) / 6, Starts: int64(i % 2), Within30: sales.Chance{P: share / 3}, TypicalMinor: int64(50 * i)})
		}
	}
	w.learn(links...)
	for i := range 120 {
		w.everyone(newYear.AddDate(0, 0, i-120), float64(100-i/2))
	}
	orders := w.orders()
	w.Rules.Declining = engine.DeclineRules{RecentDays: 10, BaselineDays: 60, Alpha: 0.2, ResolveAbove: 0.3, MinBaselineDays: 2}
	w.During(engine.Data, func() {
		w.send(orders[:150]...)
		w.send(&sales.Customer{CustomerID: "cj-3", OwnerID: "rep-1", UpdatedAt: millis(newYear), Consent: map[string]bool{"rep": false}},
			&sales.Touchpoint{EventID: "t-1", CustomerID: "cj-4", OccurredAt: millis(newYear.AddDate(0, -2, 0)), Kind: sales.TouchVisit})
	})
	w.Rules.ExpiryDays, w.Rules.CooldownDays, w.Rules.HoldoutShare, w.Rules.Caps.CrossSell = 7, 20, 0.3, 2
	w.During(engine.Data, func() {
		w.send(orders[120:240]...) // thirty of them once more
		w.send(&sales.Product{ProductID: "p-cat-2", Name: "COFFEE 12 OZ", Category: "cat-2", Type: "coffee", Brand: "Private"},
			&sales.Purchase{EventID: "late", CustomerID: "cj-5", OccurredAt: millis(newYear.AddDate(-2, 0, 0)), Currency: "USD", OrderID: "o", Lines: line("cat-1")},
			&sales.Purchase{EventID: "abroad", CustomerID: "cj-5", OccurredAt: millis(newYear.AddDate(0, -1, 0)), Currency: "EUR", OrderID: "o", Lines: line("cat-1")})
		w.Write(&kgo.Record{Topic: testPrefix + "purchases", Key: []byte("cj-1"), Value: []byte("hello")})
		w.send(&sales.Customer{CustomerID: "cj-6", Erased: true})
	})
	w.During(engine.Live, func() {
		w.send(w.outcome())
		w.send(w.outcomes()...)
		w.send(orders[240:]...)
	})
}

// orders is 400 orders and refunds of 25 customers in four months, some of them out of order.
func (w *world) orders() []any {
	rng := rand.New(rand.NewPCG(1, 2))
	var orders []any
	for i := range 400 {
		at := newYear.AddDate(0, -4, 0).Add(time.Duration(i)*7*time.Hour - time.Duration(rng.IntN(4)*rng.IntN(72))*time.Hour)
		p := &sales.Purchase{EventID: fmt.Sprint("e-", i), CustomerID: fmt.Sprint("cj-", rng.IntN(25)), OccurredAt: millis(at), Currency: "USD",
			OrderID: fmt.Sprint("o-", i-i%3), Lines: line(fmt.Sprint("cat-", rng.IntN(12)))}
		if i%11 == 0 {
			p.Kind = sales.Refund
		}
		orders = append(orders, p)
	}
	return orders
}

func line(category string) []sales.Line {
	return []sales.Line{{ProductID: "p-" + category, Category: category, Quantity: 1, AmountMinor: 250}}
}

// outcome is a rep's sale after the newest alert.
func (w *world) outcome() *sales.Outcome {
	w.t.Helper()
	all := w.all("alerts.cross-sell")
	var a sales.Alert
	w.Check(w.Decoder.Alert(context.Background(), all[len(all)-1].Value, &a))
	return &sales.Outcome{EventID: "out-1", AlertID: a.AlertID, CustomerID: a.CustomerID, Action: "phone", Result: "won", OccurredAt: millis(newYear)}
}

// outcomes are what reps report about the alerts of the last weeks, one of each result, some of them taken back.
func (w *world) outcomes() []any {
	w.t.Helper()
	var reported []any
	for i, rec := range append(w.all("alerts.cross-sell"), w.all("alerts.declining")...) {
		var a sales.Alert
		w.Check(w.Decoder.Alert(context.Background(), rec.Value, &a))
		o := &sales.Outcome{EventID: fmt.Sprint("said-", i), AlertID: strings.Clone(a.AlertID), CustomerID: strings.Clone(a.CustomerID), Action: "email",
			Result: results[i%len(results)], ToRepID: "rep-2", Until: millis(newYear.AddDate(0, 0, 20)), OccurredAt: millis(newYear)}
		reported = append(reported, o)
		if i%4 == 0 {
			reported = append(reported, &sales.Outcome{EventID: fmt.Sprint("undo-", i), AlertID: o.AlertID, CustomerID: o.CustomerID, Action: "none", Result: "unknown",
				Undoes: o.EventID, OccurredAt: millis(newYear)})
		}
	}
	return append(reported, reported[len(reported)/2:]...) // and half of them once more
}

// all gives every committed record of a topic, by partition.
func (w *world) all(topic string) []*kgo.Record {
	w.t.Helper()
	spans, err := committed.Whole(context.Background(), w.Admin, testPrefix+topic)
	w.Check(err)
	var records []*kgo.Record
	w.Check(committed.Read(context.Background(), w.Kafka, spans, func(rec *kgo.Record) error {
		records = append(records, rec)
		return nil
	}))
	slices.SortStableFunc(records, func(a, b *kgo.Record) int { return int(a.Partition - b.Partition) })
	return records
}

// edit says what becomes of a record in a copy: none, one or several.
type edit func(topic string, at int, rec *kgo.Record) []*kgo.Record

// copied is another world with the same history but for the edit.
func (w *world) copied(change edit, offsets func(kadm.Offsets)) *world {
	w.t.Helper()
	to := newWorld(w.t)
	for _, topic := range topics.Catalogue(topics.Options{Prefix: testPrefix, Partitions: testPartitions}) {
		for i, rec := range w.all(topic.Name) {
			kept := &kgo.Record{Topic: rec.Topic, Partition: rec.Partition, Key: rec.Key, Value: rec.Value, Headers: rec.Headers, Timestamp: rec.Timestamp}
			to.Write(change(topic.Name, i, kept)...)
		}
	}
	have, err := w.Admin.FetchOffsets(context.Background(), testPrefix+"leadline-engine")
	w.Check(err)
	committed := have.Offsets()
	for _, topic := range slices.Sorted(maps.Keys(committed)) {
		for p, o := range committed[topic] {
			o.LeaderEpoch = -1
			committed[topic][p] = o
		}
	}
	offsets(committed)
	w.Check(to.Admin.CommitAllOffsets(context.Background(), testPrefix+"leadline-engine", committed))
	return to
}
