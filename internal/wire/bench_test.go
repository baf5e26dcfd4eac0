package wire

import (
	"testing"

	"leadline/internal/sales"
)

// threeLines is the purchase that the decode target is about.
func threeLines() *sales.Purchase {
	return &sales.Purchase{
		EventID: "e-4711", CustomerID: "1823", OccurredAt: 1709296200250, OrderID: "o-99", Currency: "USD", Channel: "store", Store: "367",
		Lines: []sales.Line{
			{ProductID: "p1", Category: "BEEF & PORK", Quantity: 1, AmountMinor: 799},
			{ProductID: "p2", Category: "FLUID MILK", Quantity: 2, AmountMinor: 338},
			{ProductID: "p3", Category: "SOFT DRINKS", Quantity: 6, AmountMinor: 1194},
		},
	}
}

func BenchmarkDecodePurchase(b *testing.B) {
	reg, ids := current()
	value, err := NewEncoder(ids).AppendPurchase(nil, threeLines())
	if err != nil {
		b.Fatal(err)
	}
	d, into := NewDecoder(reg), new(sales.Purchase)
	b.ReportAllocs()
	b.SetBytes(int64(len(value)))
	for b.Loop() {
		if err := d.Purchase(b.Context(), value, into); err != nil {
			b.Fatal(err)
		}
	}
}
