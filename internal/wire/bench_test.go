package wire

import (
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/avro"

	"leadline/internal/sales"
	"leadline/schemas"
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

// The oracles, for the ratio on the same machine at the same time.
func BenchmarkDecodePurchaseTwmb(b *testing.B) {
	body, schema := purchaseBody(b)
	codec := avro.MustParse(schema)
	var into struct {
		EventID    string `avro:"event_id"`
		CustomerID string `avro:"customer_id"`
		OccurredAt int64  `avro:"occurred_at"`
		OrderID    string `avro:"order_id"`
		Lines      []struct {
			ProductID   string `avro:"product_id"`
			Category    string `avro:"category"`
			Quantity    int32  `avro:"quantity"`
			AmountMinor int64  `avro:"amount_minor"`
		} `avro:"lines"`
		Currency   string  `avro:"currency"`
		Channel    *string `avro:"channel"`
		Store      *string `avro:"store"`
		CampaignID *string `avro:"campaign_id"`
		Kind       string  `avro:"kind"`
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := codec.Decode(body, &into, avro.AliasInput()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodePurchaseGoavro(b *testing.B) {
	body, schema := purchaseBody(b)
	codec, err := goavro.NewCodec(schema)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := codec.NativeFromBinary(body); err != nil {
			b.Fatal(err)
		}
	}
}

func purchaseBody(b *testing.B) (body []byte, schema string) {
	b.Helper()
	_, ids := current()
	value, err := NewEncoder(ids).AppendPurchase(nil, threeLines())
	if err != nil {
		b.Fatal(err)
	}
	schema, _ = schemas.Get("Purchase")
	return value[HeaderSize:], schema
}

// crossSell is an alert as the engine says it.
func crossSell() *sales.Alert {
	value := int64(412)
	return &sales.Alert{AlertID: "5f0c6d2e-7c0e-5d0c-9a51-0f6c6ad2b1aa", Revision: 1, Kind: sales.CrossSell, Status: sales.Opened,
		SubjectType: "customer", SubjectID: "1823", CustomerID: "1823", OwnerID: "rep-7", Title: "Bought milk; 31% of milk buyers take cereal too.",
		Score: 0.3125, Grade: "B", ExpectedValueMinor: &value, Currency: "USD",
		Reasons: []sales.Reason{{Code: "link", Text: "Milk buyers take cereal 1.6 times as often as others.", Value: 0.31, Baseline: 0.19, Weight: 1,
			Evidence: []sales.Evidence{{Source: sales.Source{Topic: "purchases", Partition: 3, Offset: 4711}, EventID: "till-367-20240301-0042"}}},
			{Code: "none", Text: "No cereal in 180 days.", Baseline: 1}},
		WindowStart: 1693744200250, WindowEnd: 1709296200250, EventTime: 1709296200250, DetectedAt: 1709296201000, ExpiresAt: 1710505801000,
		FromProduct: "FLUID MILK PRODUCTS", ToProduct: "COLD CEREAL", Arm: sales.Treatment, Propensity: 0.9,
		KnowledgeVersion: "forecasts:12,product-links:907,products:4012", RunID: "live", Details: sales.NumbersOf(map[string]float64{"lift": 1.6, "support": 212})}
}

func BenchmarkEncodeAlert(b *testing.B) {
	_, ids := current()
	e, a := NewEncoder(ids), crossSell()
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = e.AppendAlert(dst[:0], a); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeTally(b *testing.B) {
	_, ids := current()
	e, tally := NewEncoder(ids), &sales.Tally{Kind: sales.TallyPairs, CSN: 1, Now: 1709296200250}
	for i := range 1000 {
		tally.Cells = append(tally.Cells, sales.Cell{Row: "FLUID MILK", Col: "SOFT DRINKS", Bucket: int32(i), N: int64(i)})
	}
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = e.AppendTally(dst[:0], tally); err != nil {
			b.Fatal(err)
		}
	}
}

// An alert is encoded a few hundred thousand times a minute when much waits: into a buffer that is there, nothing but the one
// place for the values of its map may be allocated.
func TestEncodeAlertAllocatesOnce(t *testing.T) {
	_, ids := current()
	e, a, dst := NewEncoder(ids), crossSell(), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { _, _ = e.AppendAlert(dst[:0], a) }); n > 1 {
		t.Errorf("%v allocations", n)
	}
}

// Each order is decoded into memory that was used before, its strings are those of the record.
func TestDecodePurchaseAllocatesNothing(t *testing.T) {
	reg, ids := current()
	value, err := NewEncoder(ids).AppendPurchase(nil, threeLines())
	if err != nil {
		t.Fatal(err)
	}
	d, into := NewDecoder(reg), new(sales.Purchase)
	if n := testing.AllocsPerRun(100, func() { _ = d.Purchase(t.Context(), value, into) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
