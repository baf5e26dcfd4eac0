package declining

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// BenchmarkList counts a hundred thousand customers with some twenty purchase days of three lines, makes the list, and turns to its first page.
func BenchmarkList(b *testing.B) {
	luck := rand.New(rand.NewPCG(1, 2))
	items := window.NewItems()
	for i := range 400 {
		if _, err := items.ID(window.Item{Category: fmt.Sprint("category ", i)}); err != nil {
			b.Fatal(err)
		}
	}
	all := make([]*Customer, 100_000)
	packer, bytes := new(Packer), 0
	for i := range all {
		w := &window.Window{}
		gap := 2 + 13*luck.ExpFloat64()
		for at := 20_000 + gap*luck.ExpFloat64(); at < 20_185; at += max(1, gap*luck.ExpFloat64()) {
			for range 1 + luck.IntN(5) {
				w.Add(sales.Day(at), window.ItemID(luck.IntN(400)), 1, 99+int64(luck.IntN(3000)))
			}
			w.AddOrder(window.Order{Day: sales.Day(at), Event: luck.Uint64()})
		}
		all[i] = &Customer{ID: fmt.Sprintf("customer-%07d", i), Currency: "USD", History: packer.Pack(w, items)}
		bytes += len(all[i].History)
	}
	q := Question{Baseline: Window{20_005, 20_154}, Recent: Window{20_155, 20_184}, HorizonDays: 90, Margin: 1}
	b.ReportMetric(float64(bytes)/float64(len(all)), "bytes/customer")
	for b.Loop() {
		part := NewPart(&q, 0, len(all))
		for _, c := range all {
			part.Add(c)
		}
		l := Count(q, []*Part{part}).List(q, Filter{MaxQ: 1}, ByRisk)
		l.Reach(100)
		if r, _ := l.At(99); r.AtRiskMinor == 0 {
			b.Fatal("nobody declines")
		}
	}
}
