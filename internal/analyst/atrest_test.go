package analyst

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/affinity"
	"leadline/internal/committed"
	"leadline/internal/engine"
	"leadline/internal/evaluate"
	"leadline/internal/load"
	"leadline/internal/sales"
	"leadline/internal/sample"
	"leadline/internal/stream/streamtest"
	"leadline/internal/wire"
)

// sampleYear is the small sample's products and events, in the order of time, from before the year 2000, in which a bubble begins. Its touches are about nothing, so to these are added some that are: of
// every third order the customer has viewed a product up to forty days before, or been sent a coupon for its category.
func sampleYear(t *testing.T) (products []*sales.Product, events []any) {
	t.Helper()
	_, err := load.Each(t.Context(), load.Options{Paths: []string{"."}, FS: sample.Small(), Weeks: -940}, func(record any) error {
		switch r := record.(type) {
		case *sales.Product:
			products = append(products, r)
		case *sales.Touchpoint:
			events = append(events, r)
		case *sales.Purchase:
			if events = append(events, r); len(events)%3 == 0 {
				touch := &sales.Touchpoint{EventID: "of " + r.EventID, CustomerID: r.CustomerID, OccurredAt: r.OccurredAt - sales.Millis(len(events)%41)*sales.DayMillis,
					Kind: sales.TouchProductView, ProductID: r.Lines[0].ProductID}
				if len(events)%2 == 0 {
					touch.Kind, touch.ProductID, touch.Category = sales.TouchCouponSent, "", r.Lines[0].Category
				}
				events = append(events, touch)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(events, func(a, b any) int { return cmp.Compare(occurred(a), occurred(b)) })
	return products, events
}

func occurred(event any) sales.Millis {
	if touch, ok := event.(*sales.Touchpoint); ok {
		return touch.OccurredAt
	}
	return event.(*sales.Purchase).OccurredAt
}

// record is an input where it belongs.
func record(t *testing.T, w *streamtest.World, input any) *kgo.Record {
	t.Helper()
	var topic, key string
	switch in := input.(type) {
	case *sales.Product:
		topic, key = "products", in.ProductID
	case *sales.Touchpoint:
		topic, key = "touchpoints", in.CustomerID
	case *sales.Purchase:
		topic, key = "purchases", in.CustomerID
	}
	value, err := w.Encoder.AppendInput(nil, input)
	w.Check(err)
	r := &kgo.Record{Topic: w.Prefix + topic, Key: []byte(key), Value: value}
	if topic != "products" {
		r.Partition = wire.Partition(r.Key, shards)
	}
	return r
}

// TestLiveIsAtRest: what shards tell of a year of the sample, and the links of every kind that are learned from it, are what a batch of the same
// events at rest comes to, count for count.
func TestLiveIsAtRest(t *testing.T) {
	products, events := sampleYear(t)
	synctest.Test(t, func(t *testing.T) {
		w := streamtest.New(t, "x.", shards)
		r := w.Rules
		batch := evaluate.NewBatch(evaluate.BatchOptions{Level: r.LinkLevel, WindowDays: r.WindowDays, ExcludeCategories: r.Links.ExcludeCategories,
			MinPurchases: r.Upsell.MinPurchases, BrandTiers: r.Upsell.BrandTiers})
		for _, p := range products {
			batch.Product(p)
			w.Write(record(t, w, p))
		}
		w.During(engine.Data, func() {
			for first := 0; first < len(events); { // three days at a time: an input that is read sooner must not make the other one late
				var records []*kgo.Record
				for until := occurred(events[first]) + 3*sales.DayMillis; first < len(events) && occurred(events[first]) < until; first++ {
					records = append(records, record(t, w, events[first]))
				}
				w.Write(records...)
				w.Read()
			}
		})
		for _, event := range events {
			switch e := event.(type) {
			case *sales.Touchpoint:
				batch.Touch(e)
			case *sales.Purchase:
				w.Check(batch.Purchase(e))
			}
		}
		live, counts, end := tallies(t, w)
		compareAtRest(t, batch, live, counts, end)
	})
}

// tallies reads what shards have told, and the time that all of them have reached.
func tallies(t *testing.T, w *streamtest.World) (map[evaluate.Place]int64, *affinity.Counts, sales.Millis) {
	t.Helper()
	var topics []string
	for _, kind := range [...]sales.TallyKind{sales.TallyPairs, sales.TallyTiers} {
		topics = append(topics, w.Prefix+"leadline.tallies."+string(kind))
	}
	spans, err := committed.Whole(context.Background(), kadm.NewClient(w.Client), topics...)
	w.Check(err)
	sums, counts, reached := map[evaluate.Place]int64{}, affinity.NewCounts(affinity.DefaultMaxCandidates), map[int32]sales.Millis{}
	w.Check(committed.Read(context.Background(), w.Kafka, spans, func(rec *kgo.Record) error {
		var tally sales.Tally
		if err := w.Decoder.Tally(context.Background(), rec.Value, &tally); err != nil {
			return err
		}
		reached[tally.Partition] = tally.Now
		evaluate.AddUp(sums, tally.Kind, tally.Cells)
		counts.Add(tally.Kind, tally.Cells)
		return nil
	}))
	end := reached[0]
	for p := range int32(shards) {
		end = min(end, reached[p])
	}
	return sums, counts, end
}

func compareAtRest(t *testing.T, batch *evaluate.Batch, live map[evaluate.Place]int64, counts *affinity.Counts, end sales.Millis) {
	t.Helper()
	today := sales.Calendar{}.Day(end)
	const ever = sales.Day(1 << 20)
	settled := func(sums map[evaluate.Place]int64) (list []string) {
		for _, at := range evaluate.Sorted(sums) {
			if at.Tally == sales.TallyTiers || affinity.Settled(&sales.Cell{Row: at.Row, Col: at.Col, Bucket: at.Bucket}, today) {
				list = append(list, fmt.Sprint(at, " ", sums[at]))
			}
		}
		return list
	}
	rest := batch.Sums(ever)
	if diff := gocmp.Diff(settled(rest), settled(live)); diff != "" || len(live) < 1_000 {
		t.Errorf("%d cells (-at rest +live):\n%s", len(live), diff)
	}
	lenient := affinity.DefaultLinkRules() // so few households show little for sure
	lenient.MinSupport, lenient.MaxQ, lenient.MinPrices, lenient.MinSwitched = 3, 10, 1, 1
	want := batch.Counts(lenient, ever).Links(lenient, end)
	if diff := gocmp.Diff(want, counts.Links(lenient, end)); diff != "" {
		t.Errorf("%d links (-at rest +live):\n%s", len(want), diff)
	}
	kinds := map[string]int{}
	for _, l := range want {
		kinds[l.Kind.String()+" "+l.Via]++
	}
	if kinds["CROSS_SELL "] < 50 || kinds["CROSS_SELL product_view"] < 5 || kinds["CROSS_SELL coupon_sent"] < 5 || kinds["UPSELL "] < 5 {
		t.Errorf("too few links of a kind: %v", kinds)
	}
}
