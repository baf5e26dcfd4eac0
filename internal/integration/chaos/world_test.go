//go:build integration

package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/simulate"
	"leadline/internal/wire"
)

// history is the share of the records that is there when the faults begin; the rest is sent while they last.
const history = 0.6

// item is one record to be sent. Records that no encoder makes are given as bytes.
type item struct {
	topic  string
	due    sales.Millis
	record any // a pointer to one of the sales types; the same pointer again is the same record redelivered
	raw    *raw
}

type raw struct {
	key, value []byte
	partition  int32 // negative: where the key belongs
}

// world draws the records of a seed in the order of sending: a simulated world, and what it does not have: refunds, changed profiles,
// erasures, links of identities, and records that nobody can use.
func world(seed uint64, customers int) ([]item, simulate.World, error) {
	w := simulate.Default()
	w.Seed, w.Customers, w.Days = seed, customers, 200
	w.Campaigns = w.Campaigns[:2]
	w.Delivery = simulate.Delivery{DelayedShare: 0.1, DelayMinutes: 180, LateShare: 0.01, LateDays: 20, RepeatedShare: 0.03}
	luck := rand.New(rand.NewPCG(seed, 0x776f726c64))
	var items []item
	_, err := w.Generate(func(e simulate.Event) error {
		items = append(items, item{topic: e.Topic, due: e.Due, record: e.Record})
		items = append(items, besides(luck, e)...)
		return nil
	})
	slices.SortStableFunc(items, func(a, b item) int { return int(a.due/1000 - b.due/1000) })
	return items, w, err
}

// besides is what follows a record by chance.
func besides(luck *rand.Rand, e simulate.Event) []item {
	p, ok := e.Record.(*sales.Purchase)
	if !ok {
		return nil
	}
	at := e.Due + 1
	id := fmt.Sprintf("%s-%d", p.EventID, luck.Uint32())
	switch u := luck.Float64(); {
	case u < 0.04:
		back := *p
		back.EventID, back.Kind, back.Lines = id, sales.Refund, p.Lines[:1]
		back.OccurredAt += sales.Millis(luck.Int64N(10 * sales.DayMillis))
		return []item{{topic: "purchases", due: max(at, back.OccurredAt), record: &back}}
	case u < 0.05:
		return []item{{topic: "customers", due: at, record: &sales.Customer{CustomerID: p.CustomerID, OwnerID: fmt.Sprintf("rep-%d", luck.IntN(20)),
			Consent: map[string]bool{"phone": luck.IntN(3) > 0, "rep": luck.IntN(3) > 0}, UpdatedAt: p.OccurredAt}}}
	case u < 0.052:
		return []item{{topic: "customers", due: at, raw: &raw{key: []byte(p.CustomerID), partition: -1}}}
	case u < 0.054:
		return []item{{topic: "identities", due: at, record: &sales.Identity{EventID: id, FromID: p.CustomerID, ToID: p.CustomerID + "-old", OccurredAt: p.OccurredAt}}}
	case u < 0.06:
		return []item{{topic: []string{"purchases", "touchpoints"}[luck.IntN(2)], due: at, raw: poison(luck, p.CustomerID)}}
	}
	return nil
}

// poison is a record that cannot be used: no Avro, cut off, without a value, where it does not belong, or (seldom, for each holds its shard
// up for ten seconds) of a schema that nobody knows.
func poison(luck *rand.Rand, customer string) *raw {
	r := &raw{key: []byte(customer), partition: -1}
	switch n := luck.IntN(40); {
	case n == 0:
		r.value = []byte{0, 0, 0x7f, 1, 1, 2, 3}
	case n%4 == 0:
		r.value = []byte("not avro")
	case n%4 == 1:
		r.value = []byte{0, 0, 0, 0, 1, 2}
	case n%4 == 2:
		r.value = nil
	default:
		r.value, r.partition = []byte{0, 0, 0, 0, 2, 6, 'a', 'b', 'c'}, int32(luck.IntN(partitions))
	}
	return r
}

// load sends the items, the history at once and the rest evenly until the given time after the start of the faults.
type load struct {
	*rig
	producer *kgo.Client
	items    []item
	sent     map[any]any // of a record that is sent again: as it was sent first
	luck     *rand.Rand
	shift    sales.Millis // of the history, under the live clock
}

func newLoad(r *rig, seed uint64, items []item) (*load, error) {
	producer, err := kgo.NewClient(append(r.kafkaOptions(), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return nil, fmt.Errorf("make producer: %w", err)
	}
	l := &load{rig: r, producer: producer, items: items, sent: map[any]any{}, luck: rand.New(rand.NewPCG(seed, 0x6c6f6164))}
	if r.live() {
		l.shift = sales.Millis(time.Now().Add(-time.Hour).UnixMilli()) - items[l.cut()-1].due
	}
	return l, nil
}

func (l *load) cut() int { return int(history * float64(len(l.items))) }

func (l *load) run(ctx context.Context, until time.Duration) error {
	defer l.producer.Close()
	cut := l.cut()
	rest := len(l.items) - cut
	for i, it := range l.items {
		if i >= cut {
			due := l.began.Add(until * time.Duration(i-cut) / time.Duration(rest))
			if err := pause(ctx, time.Until(due)); err != nil {
				return err
			}
		}
		if err := l.send(ctx, it, i < cut); err != nil {
			return err
		}
	}
	return l.producer.Flush(ctx)
}

func (l *load) send(ctx context.Context, it item, past bool) error {
	rec, err := l.encode(it, past)
	if err != nil {
		return err
	}
	l.producer.Produce(ctx, rec, func(rec *kgo.Record, err error) {
		if err != nil && ctx.Err() == nil {
			l.fail(fmt.Errorf("the load's record for %s-%d: %w", rec.Topic, rec.Partition, err))
		}
	})
	return context.Cause(ctx)
}

func (l *load) encode(it item, past bool) (*kgo.Record, error) {
	rec := &kgo.Record{Topic: prefix + it.topic, Partition: -1}
	if it.raw != nil {
		rec.Key, rec.Value, rec.Partition = it.raw.key, it.raw.value, it.raw.partition
	} else {
		record := l.timed(it.record, past)
		value, err := l.encoder.AppendInput(nil, record)
		if err != nil {
			return nil, fmt.Errorf("encode for %s: %w", it.topic, err)
		}
		rec.Key, rec.Value = []byte(wire.Key(record)), value
	}
	if rec.Partition < 0 {
		rec.Partition = wire.Partition(rec.Key, partitionsOf(it.topic))
	}
	return rec, nil
}

func partitionsOf(topic string) int32 {
	if topic == "products" || topic == "campaigns" {
		return 1
	}
	return partitions
}

// timed gives a record its time. Under the data clock it keeps its own. Under the live clock history ends just now, and what is sent
// after that happened just now, or a while ago when it is out of order.
func (l *load) timed(record any, past bool) any {
	if !l.live() {
		return record
	}
	if before, ok := l.sent[record]; ok {
		return before
	}
	at := func(was sales.Millis) sales.Millis {
		if past {
			return was + l.shift
		}
		now := sales.Millis(time.Now().UnixMilli())
		switch u := l.luck.Float64(); {
		case u < 0.02:
			return now - sales.Millis(l.luck.Int64N(3*sales.DayMillis))
		case u < 0.12:
			return now - sales.Millis(l.luck.Int64N(int64(2*time.Hour/time.Millisecond)))
		}
		return now
	}
	moved := record
	switch r := record.(type) {
	case *sales.Purchase:
		c := *r
		c.OccurredAt, moved = at(r.OccurredAt), &c
	case *sales.Touchpoint:
		c := *r
		c.OccurredAt, moved = at(r.OccurredAt), &c
	case *sales.Customer:
		c := *r
		c.UpdatedAt, moved = at(r.UpdatedAt), &c
	case *sales.Identity:
		c := *r
		c.OccurredAt, moved = at(r.OccurredAt), &c
	}
	l.sent[record] = moved
	return moved
}

// giveLinks publishes links where there is no analyst to learn any.
func (r *rig) giveLinks(ctx context.Context, w simulate.World) error {
	var links []sales.Link
	add := func(from, to string, score float64) {
		links = append(links, sales.Link{Kind: sales.CrossSellLink, Level: "category", From: from, To: to, Customers: 1000, FromHolders: 500,
			ToHolders: 400, Both: 300, Confidence: 0.6, Baseline: 0.4, Lift: 1.5, Score: score})
	}
	for i, l := range w.Links {
		add(l.From, l.To, 1/float64(2+i))
	}
	for i := range 8 {
		add(fmt.Sprintf("Category %02d", i+1), fmt.Sprintf("Category %02d", 12-i), 1/float64(20+i))
	}
	var errs []error
	for _, l := range links {
		value, err := r.encoder.AppendLink(nil, &l)
		if err != nil {
			return fmt.Errorf("encode link: %w", err)
		}
		errs = append(errs, r.kafka.ProduceSync(ctx, &kgo.Record{Topic: prefix + "product-links", Key: []byte(l.Key()), Value: value}).FirstErr())
	}
	return errors.Join(errs...)
}
