package engine

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/sales"
	"leadline/internal/sample"
)

// sampleRow is what of a product or an order of the sample counts here.
type sampleRow struct {
	EventID    string    `json:"event_id"`
	CustomerID string    `json:"customer_id"`
	OccurredAt time.Time `json:"occurred_at"`
	OrderID    string    `json:"order_id"`
	Currency   string    `json:"currency"`
	ProductID  string    `json:"product_id"`
	Name       string    `json:"name"`
	Type       string    `json:"type"`
	Category   string    `json:"category"`
	Brand      string    `json:"brand"`
	Lines      []struct {
		ProductID   string `json:"product_id"`
		Category    string `json:"category"`
		Quantity    int32  `json:"quantity"`
		AmountMinor int64  `json:"amount_minor"`
	} `json:"lines"`
}

func sampleRows(b testing.TB, files fs.FS, topic string, each func(r *sampleRow)) {
	file, err := files.Open(sample.Path(topic))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	plain, err := zstd.NewReader(file)
	if err != nil {
		b.Fatal(err)
	}
	defer plain.Close()
	for d := json.NewDecoder(plain); d.More(); {
		var r sampleRow
		if err := d.Decode(&r); err != nil {
			b.Fatal(err)
		}
		each(&r)
	}
}

func (r *sampleRow) event() sales.Event {
	p := &sales.Purchase{EventID: r.EventID, CustomerID: r.CustomerID, OccurredAt: sales.Millis(r.OccurredAt.UnixMilli()), OrderID: r.OrderID, Currency: r.Currency}
	for _, l := range r.Lines {
		p.Lines = append(p.Lines, sales.Line(l))
	}
	return sales.Event{Kind: sales.PurchaseEvent, Purchase: p}
}

// sampleWorld is the sample's products and orders.
func sampleWorld(b *testing.B) (*catalogue.Catalogue, []sales.Event) {
	products := catalogue.New()
	sampleRows(b, sample.Full(), "products", func(r *sampleRow) {
		products.Set(sales.Product{ProductID: r.ProductID, Name: r.Name, Type: r.Type, Category: r.Category, Brand: r.Brand, MarginShare: math.NaN()})
	})
	var events []sales.Event
	sampleRows(b, sample.Full(), "purchases", func(r *sampleRow) { events = append(events, r.event()) })
	return products, events
}

// BenchmarkSample is what an order of the Complete Journey sample (9 lines, up to 300 held) costs a shard with all its 800 households in
// memory, in batches of 250, with links that a first pass has learned from the shard's own tallies. One operation is the year.
func BenchmarkSample(b *testing.B) {
	const batch, relearn = 250, 8
	products, events := sampleWorld(b)
	learned := []*Knowledge{emptyKnowledge()}
	counts := affinity.NewCounts(affinity.DefaultMaxCandidates)
	play := func(after func(i int, d *Decision)) {
		r := newRig(b, learned[0])
		r.shard.SetRules(DefaultRules())
		for i := 0; i*batch < len(events); i++ {
			r.knowledge = learned[i/relearn]
			r.knowledge.Catalogue = products
			d := r.attempt(events[i*batch:min(len(events), (i+1)*batch)], 0)
			r.shard.Commit()
			r.csn++
			after(i, &d)
		}
	}
	play(func(i int, d *Decision) {
		for _, t := range d.Tallies {
			counts.Add(t.Kind, t.Cells)
		}
		if (i+1)%relearn == 0 {
			k := emptyKnowledge()
			k.Version = sales.KnowledgeVersion(fmt.Sprint(i))
			last := events[min(len(events), (i+1)*batch)-1].Purchase.OccurredAt
			for _, l := range counts.Links(affinity.DefaultLinkRules(), last) {
				k.Links.Set(l)
			}
			learned = append(learned, k)
		}
	})
	b.ReportAllocs()
	alerts, cells, passes := 0, 0, 0
	for b.Loop() {
		play(func(_ int, d *Decision) { alerts, cells = alerts+len(d.Alerts), cells+len(d.Tallies[0].Cells) })
		passes++
	}
	n := float64(passes * len(events))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/order")
	b.ReportMetric(float64(alerts)/n, "alerts/order")
	b.ReportMetric(float64(cells)/n, "cells/order")
}
