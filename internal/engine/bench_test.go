package engine

import (
	"fmt"
	"testing"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// BenchmarkStep is what one order of three lines costs a shard whose customers, with 40 lines each, are all in memory: rules, tallies and
// blobs included, in batches of 2,000 over 10,000 customers and a link table of 200 items. Customers choose among 15 items of
// their own and, in one order of eight, try a new one.
func BenchmarkStep(b *testing.B) {
	const customers, items, batch = 10_000, 200, 2_000
	k := emptyKnowledge()
	for i := range items {
		for j := range 20 {
			k.Links.Set(sales.Link{Kind: sales.CrossSellLink, Level: "category", From: item(i), To: item(i + 7*j + 1), Score: float64((i*31+j*17)%100 + 1), Confidence: 0.3})
		}
	}
	r := newRig(b, k)
	rules := DefaultRules()
	r.shard.SetRules(rules)
	n := 0
	next := func() []sales.Event {
		events := make([]sales.Event, batch)
		for i := range events {
			id, round := n%customers, n/customers
			own := func(j int) string { return item(id*7 + (j*j+round*j)%15) }
			third := own(round + 5)
			if (id+round)%8 == 0 {
				third = item(id*31 + round*17)
			}
			e := buy(fmt.Sprint("cj-", id), noon+sales.Millis(n)*60_000, fmt.Sprint("e", n), own(round), own(round+3), third)
			e.Source.Offset = int64(n)
			events[i] = e
			n++
		}
		return events
	}
	for n < 14*customers {
		r.attempt(next(), 0)
		r.shard.Commit()
		r.csn++
	}
	lines, blobs := 0, 0
	for _, e := range r.shard.cache.entries {
		lines += len(e.state.Window.Lines())
		blobs += len(e.blob)
	}
	b.Logf("%.1f lines, %.0f bytes a customer", float64(lines)/customers, float64(blobs)/customers)
	b.ReportAllocs()
	alerts, events := 0, 0
	for b.Loop() {
		b.StopTimer()
		in := next()
		b.StartTimer()
		d := r.attempt(in, 0)
		r.shard.Commit()
		r.csn++
		alerts, events = alerts+len(d.Alerts), events+batch
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
	b.ReportMetric(float64(alerts)/float64(events), "alerts/event")
}

// BenchmarkDecodeCustomer is what it costs to bring a customer of 20 lines into memory.
func BenchmarkDecodeCustomer(b *testing.B) {
	items := someItems(b, 100)
	c := Customer{CSN: 5, Day: 20_100}
	for i := range 20 {
		c.Window.AddOrder(window.Order{Day: 20_000 + sales.Day(5*(i/3)), Event: uint64(i)})
		c.Window.Add(20_000+sales.Day(5*(i/3)), window.ItemID(i*4), 1, 299)
	}
	blob := EncodeCustomer(nil, &c)
	var into Customer
	var windows window.Decoder // reused, as a shard does
	b.ReportAllocs()
	for b.Loop() {
		if err := decodeCustomer(&into, blob, items, &windows); err != nil {
			b.Fatal(err)
		}
	}
}

func item(i int) string { return fmt.Sprintf("ITEM-%03d", i%200) }
