package window

import (
	"math/rand/v2"
	"testing"

	"leadline/internal/sales"
)

// BenchmarkAppend encodes a window of 40 lines in 18 orders.
func BenchmarkAppend(b *testing.B) {
	luck := rand.New(rand.NewPCG(1, 1))
	var w Window
	w.SetCurrency("EUR")
	for day := sales.Day(20_000); day < 20_180; day += 10 {
		w.AddOrder(Order{Day: day, Event: luck.Uint64N(1 << 40), Number: luck.Uint32N(1 << 24)})
		w.SetLast(Purchase{Event: w.orders[len(w.orders)-1].Event, At: dayStart(day) + 1, Offset: 1_000_000})
		for range 1 + luck.IntN(4) {
			w.Add(day, ItemID(luck.IntN(300)), int64(1+luck.IntN(2)), int64(100+luck.IntN(20_000)))
		}
	}
	dst := w.Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		dst = w.Append(dst[:0])
	}
	b.SetBytes(int64(len(dst)))
}
