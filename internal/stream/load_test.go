//go:build synctests

package stream

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// load is what a few customers do in half a year, event by event, as a seed has it: all inputs, refunds, redeliveries, disorder,
// events that are late, and records that cannot be used.
type load struct {
	w         *world
	rng       *rand.Rand
	customers int
	at        time.Time     // of the newest event
	stride    time.Duration // the mean time to the next
	number    int           // of events
	orders    []*sales.Purchase
	sent      []*kgo.Record
}

func newLoad(w *world, rng *rand.Rand, events int, until time.Time) *load {
	days := []int{2, 40, 170}[rng.IntN(3)]
	span := time.Duration(days) * 24 * time.Hour
	return &load{w: w, rng: rng, customers: 2 + rng.IntN(9), at: until.Add(-span), stride: span / time.Duration(events)}
}

// part is the next n records.
func (l *load) part(n int) []*kgo.Record {
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = l.next()
	}
	l.sent = append(l.sent, records...)
	return records
}

func (l *load) next() *kgo.Record {
	l.number++
	l.at = l.at.Add(time.Duration(l.rng.Int64N(int64(2*l.stride) + 1)))
	who := customer(l.rng.IntN(l.customers))
	switch kind := l.rng.IntN(100); {
	case kind < 55:
		return l.record(l.order(who))
	case kind < 62:
		return l.record(l.refund(who))
	case kind < 74:
		return l.record(&sales.Touchpoint{EventID: l.id(), CustomerID: who, OccurredAt: l.when(), Kind: sales.TouchKind(l.rng.IntN(15)),
			Category: category(l.rng.IntN(6)), Channel: "web"})
	case kind < 80:
		return l.record(&sales.Customer{CustomerID: who, Name: "N. N.", OwnerID: fmt.Sprint("rep-", l.rng.IntN(3)),
			Consent: map[string]bool{"rep": l.rng.IntN(2) == 0}, UpdatedAt: l.when()})
	case kind < 82 && erasable(who):
		return l.routed(&kgo.Record{Topic: "customers", Key: []byte(who)})
	case kind < 86:
		return l.record(&sales.Outcome{EventID: l.id(), AlertID: "none", CustomerID: who, Action: "phone", Result: "won", OccurredAt: l.when()})
	case kind < 88:
		return l.record(&sales.Identity{EventID: l.id(), FromID: who, ToID: customer(l.rng.IntN(l.customers)), OccurredAt: l.when()})
	case kind < 94 && len(l.sent) > 0:
		again := l.sent[l.rng.IntN(len(l.sent))]
		if erasable(string(again.Key)) {
			return l.record(l.order(who))
		}
		return &kgo.Record{Topic: again.Topic, Partition: again.Partition, Key: again.Key, Value: again.Value}
	default:
		return l.bad(who)
	}
}

// erasable tells whether a customer may be erased. Nothing is redelivered of one who may: nothing is kept of the erased, so the event
// would count as new and lead to the same alert again.
func erasable(who string) bool { return (who[len(who)-1]-'0')%2 == 1 }

func (l *load) id() string { return fmt.Sprint("e-", l.number) }

func category(i int) string { return fmt.Sprint("cat-", i) }

// when is about now; one in five comes up to ten days too late, one in fifty beyond what is kept.
func (l *load) when() sales.Millis {
	switch l.rng.IntN(50) {
	case 0:
		return millis(l.at.AddDate(-1, 0, 0))
	case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
		return millis(l.at.Add(-time.Duration(l.rng.IntN(240)) * time.Hour))
	default:
		return millis(l.at)
	}
}

func (l *load) order(who string) *sales.Purchase {
	p := &sales.Purchase{EventID: l.id(), CustomerID: who, OccurredAt: l.when(), OrderID: "o-" + l.id(), Currency: "USD"}
	for range 1 + l.rng.IntN(3) {
		n := l.rng.IntN(12)
		p.Lines = append(p.Lines, sales.Line{ProductID: product(n), Category: category(n % 6), Quantity: 1 + l.rng.Int32N(3),
			AmountMinor: l.rng.Int64N(900)})
	}
	l.orders = append(l.orders, p)
	return p
}

// refund takes back an order or, without one, something.
func (l *load) refund(who string) *sales.Purchase {
	p := l.order(who)
	p.Kind = sales.Refund
	if of := l.orders[l.rng.IntN(len(l.orders))]; l.rng.IntN(4) > 0 {
		p.CustomerID, p.OrderID, p.Lines = of.CustomerID, of.OrderID, of.Lines[:1]
	}
	return p
}

// bad is a record that cannot be used.
func (l *load) bad(who string) *kgo.Record {
	p := l.order(who)
	switch l.rng.IntN(8) {
	case 0:
		return l.routed(&kgo.Record{Topic: "purchases", Key: []byte(who), Value: []byte("hello")})
	case 1:
		p.Lines[0].Quantity = -1
	case 2:
		p.OccurredAt = millis(l.at.AddDate(100, 0, 0))
	case 3:
		p.Currency = "EUR"
	case 4:
		return l.routed(&kgo.Record{Topic: "touchpoints", Key: []byte(who)})
	case 5:
		rec := l.record(p)
		rec.Partition = (rec.Partition + 1) % l.w.n
		return rec
	case 6:
		rec := l.record(p)
		rec.Value = rec.Value[:len(rec.Value)-2]
		return rec
	case 7:
		rec := l.record(p)
		rec.Topic = "touchpoints"
		return rec
	}
	return l.record(p)
}

func (l *load) record(input any) *kgo.Record {
	key := wire.Key(input)
	return l.routed(l.w.record(input, key))
}

func (l *load) routed(rec *kgo.Record) *kgo.Record {
	rec.Partition = wire.Partition(rec.Key, l.w.n)
	return rec
}

// schemaStep is how far apart the ids of one schema's versions are.
const schemaStep = 1000

// newSchemas makes the records of another schema id than those before, which the registry knows under the same text: who has not
// seen it must ask.
func (l *load) newSchemas(records []*kgo.Record, version int) {
	for _, rec := range records {
		if len(rec.Value) < 5 || rec.Value[0] != 0 {
			continue
		}
		id := int(binary.BigEndian.Uint32(rec.Value[1:])) % schemaStep
		l.w.reg.Alias(id+version*schemaStep, id)
		rec.Value = append([]byte(nil), rec.Value...)
		binary.BigEndian.PutUint32(rec.Value[1:], uint32(id+version*schemaStep))
	}
}

func product(i int) string { return fmt.Sprint("p-", i) }

// learn publishes knowledge: twelve products of two tiers, who buys what leads to what, and how active everyone was.
func (l *load) learn() {
	var records []*kgo.Record
	add := func(topic, key string, value []byte, err error) {
		if err != nil {
			l.w.t.Fatal(err)
		}
		records = append(records, &kgo.Record{Topic: topic, Key: []byte(key), Value: value})
	}
	for i := range 12 {
		p := &sales.Product{ProductID: product(i), Name: product(i), Type: "type-" + category(i%6), Category: category(i % 6),
			Brand: []string{"Private", "National"}[i/6], Tier: int32(1 + i/6)}
		value, err := l.w.enc.AppendProduct(nil, p)
		add("products", p.ProductID, value, err)
	}
	for i := range 6 {
		cross := &sales.Link{Kind: sales.CrossSellLink, Level: "category", From: category(i), To: category((i + 1 + l.rng.IntN(5)) % 6),
			Customers: 1000, FromHolders: 100, ToHolders: 100, Both: 60, Confidence: 0.6, ConfidenceLow: 0.5, ConfidenceHigh: 0.7, Baseline: 0.1,
			Lift: 6, LiftLow: 5, LiftHigh: 7, GSquared: 50, Score: l.rng.Float64()}
		value, err := l.w.enc.AppendLink(nil, cross)
		add("product-links", cross.Key(), value, err)
		up := &sales.Link{Kind: sales.UpsellLink, Level: "type", From: "type-" + category(i), To: "type-" + category(i), FromTier: 1, ToTier: 2,
			Customers: 1000, FromHolders: 100, ToHolders: 100, Both: 60, Confidence: 0.6, ConfidenceLow: 0.5, ConfidenceHigh: 0.7, Baseline: 0.1,
			Lift: 6, LiftLow: 5, LiftHigh: 7, GSquared: 50, Score: l.rng.Float64(), TypicalMinor: 300, PriceRatio: 1.5}
		value, err = l.w.enc.AppendLink(nil, up)
		add("product-links", up.Key(), value, err)
	}
	day := time.Date(l.at.Year(), l.at.Month(), l.at.Day(), 0, 0, 0, 0, time.UTC).AddDate(0, 0, -30)
	for range l.rng.IntN(3) {
		day = day.AddDate(0, 0, 1+l.rng.IntN(5))
		f := &sales.Forecast{Series: sales.ActivitySeries, PeriodStart: millis(day), PeriodEnd: millis(day.AddDate(0, 0, 1)),
			Observed: float64(5 + l.rng.IntN(9)), Complete: true}
		value, err := l.w.enc.AppendForecast(nil, f)
		add("forecasts", strings.Join([]string{f.Series, fmt.Sprint(f.PeriodStart)}, "|"), value, err)
	}
	l.rng.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	l.w.sendTo(records...)
}

// someRules are short and easily met, so that offers expire and customers decline in few events.
func someRules(rng *rand.Rand) engine.Rules {
	r := engine.DefaultRules()
	r.CooldownDays = 2 + rng.IntN(20)
	r.ExpiryDays = 1 + rng.IntN(r.CooldownDays)
	r.HoldoutShare = []float64{0, 0.3}[rng.IntN(2)]
	r.AllowedLateness = time.Duration(rng.IntN(48)) * time.Hour
	r.Declining = engine.DeclineRules{RecentDays: 3 + rng.IntN(20), BaselineDays: 60, Alpha: 0.2, ResolveAbove: 0.4,
		MinBaselineDays: 1}
	r.Upsell.MinPurchases = 1
	return r
}
