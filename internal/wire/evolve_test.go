package wire

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"

	"leadline/internal/sales"
)

// Schemas of other people's clients: an object of fields by name is written with the schema and must arrive in the
// struct. Fields that no story is about are filled in.
const (
	stringField = `{"name":"%s","type":"string"}`
	otherLines  = `{"name":"lines","type":{"type":"array","items":{"type":"record","name":"Item","fields":[
		{"name":"amount_minor","type":"%s"},{"name":"comment","type":["null",{"type":"map","values":"bytes"}]},
		{"name":"quantity","type":"%s"},{"name":"category","type":"string"},{"name":"product_id","type":"bytes"}]}}}`
)

// otherPurchase is the schema of a client that knows the contract from hearsay: other order, other names inside, more
// fields. Replacements make the cases.
func otherPurchase(replace ...string) string {
	fields := []string{
		`{"name":"kind","type":{"type":"enum","name":"K","symbols":["REFUND","EXCHANGE","ORDER"]}}`,
		fmt.Sprintf(otherLines, "long", "int"),
		`{"name":"tax","type":["double","null",{"type":"fixed","name":"F","size":3}]}`,
		`{"name":"occurred_at","type":"long"}`,
		`{"name":"store","type":["string","null"]}`,
		`{"name":"tags","type":{"type":"array","items":{"type":"array","items":"int"}}}`,
	}
	for _, name := range []string{"currency", "event_id", "order_id", "customer_id"} {
		fields = append(fields, fmt.Sprintf(stringField, name))
	}
	text := `{"type":"record","name":"Purchase","namespace":"shop","fields":[` + strings.Join(fields, ",") + `]}`
	return strings.NewReplacer(replace...).Replace(text)
}

func otherValue(changes map[string]any) map[string]any {
	v := map[string]any{
		"kind": "ORDER", "tax": goavro.Union("shop.F", []byte("abc")), "occurred_at": int64(1709296200250),
		"store": goavro.Union("string", "367"), "tags": []any{[]any{1, 2}, []any{}}, "currency": "USD", "event_id": "e1", "order_id": "o1",
		"customer_id": "c1",
		"lines": []any{map[string]any{"amount_minor": 799, "quantity": 2, "category": "MILK", "product_id": []byte("p1"),
			"comment": goavro.Union("map", map[string]any{"x": []byte{0xff}})}},
	}
	maps.Copy(v, changes)
	return v
}

func otherLine(quantity any) map[string]any {
	return map[string]any{"amount_minor": 1, "quantity": quantity, "category": "", "product_id": []byte("p"), "comment": nil}
}

func otherWant(change func(*sales.Purchase)) *sales.Purchase {
	p := &sales.Purchase{EventID: "e1", CustomerID: "c1", OccurredAt: 1709296200250, OrderID: "o1", Currency: "USD", Store: "367",
		Lines: []sales.Line{{ProductID: "p1", Category: "MILK", Quantity: 2, AmountMinor: 799}}}
	if change != nil {
		change(p)
	}
	return p
}

func TestOtherWritersPurchases(t *testing.T) {
	at := func(ms sales.Millis) func(*sales.Purchase) { return func(p *sales.Purchase) { p.OccurredAt = ms } }
	refund := func(p *sales.Purchase) { p.Kind = sales.Refund }
	const timeField = `"occurred_at","type":"long"`
	cases := []struct {
		name   string
		schema string
		value  map[string]any
		want   func(*sales.Purchase)
		slow   bool // has no projection
	}{
		{name: "other order, other types inside, fields we do not know", schema: otherPurchase()},
		{name: "refund at another index", schema: otherPurchase(), value: map[string]any{"kind": "REFUND"}, want: refund},
		{name: "a symbol that we do not know is the default", schema: otherPurchase(), value: map[string]any{"kind": "EXCHANGE"}},
		{name: "null in an optional field", schema: otherPurchase(), value: map[string]any{"store": nil}, want: func(p *sales.Purchase) { p.Store = "" }},
		{name: "int promoted to long", schema: otherPurchase(`"amount_minor","type":"long"`, `"amount_minor","type":"int"`)},
		{name: "long where the number fits an int", schema: otherPurchase(`"quantity","type":"int"`, `"quantity","type":"long"`)},
		{name: "a required field that may be null but is not", schema: otherPurchase(`"order_id","type":"string"`, `"order_id","type":["null","string"]`),
			value: map[string]any{"order_id": goavro.Union("string", "o1")}},
		{name: "microseconds", schema: otherPurchase(timeField, `"occurred_at","type":{"type":"long","logicalType":"timestamp-micros"}`),
			value: map[string]any{"occurred_at": int64(1709296200250999)}},
		{name: "nanoseconds", schema: otherPurchase(timeField, `"occurred_at","type":{"type":"long","logicalType":"timestamp-nanos"}`),
			value: map[string]any{"occurred_at": int64(1709296200250999999)}},
		{name: "days", schema: otherPurchase(timeField, `"occurred_at","type":{"type":"int","logicalType":"date"}`),
			value: map[string]any{"occurred_at": int64(19783)}, want: at(19783 * sales.DayMillis)},
		{name: "time as text", schema: otherPurchase(timeField, `"occurred_at","type":"string"`),
			value: map[string]any{"occurred_at": "2024-03-01T13:30:00.250+01:00"}, slow: true},
		{name: "kind as text", schema: otherPurchase(`{"type":"enum","name":"K","symbols":["REFUND","EXCHANGE","ORDER"]}`, `"string"`),
			value: map[string]any{"kind": "REFUND"}, want: refund, slow: true},
		{name: "whole numbers as double", schema: otherPurchase(`"quantity","type":"int"`, `"quantity","type":"double"`), slow: true},
		{name: "a union of which one branch fits", schema: otherPurchase(`"order_id","type":"string"`, `"order_id","type":["long","string"]`),
			value: map[string]any{"order_id": goavro.Union("string", "o1")}, slow: true},
		{name: "two kinds of time, one of them text", slow: true,
			schema: otherPurchase(timeField, `"occurred_at","type":["string",{"type":"long","logicalType":"timestamp-nanos"}]`),
			value:  map[string]any{"occurred_at": goavro.Union("long", int64(1709296200250999999))}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			value := encodeWith(t, c.schema, otherValue(c.value))
			d := NewDecoder(registry{7: c.schema})
			got := threeLines() // a used struct: nothing of it may remain
			got.Kind, got.CampaignID = sales.Refund, "left over"
			if err := d.Purchase(t.Context(), value, got); err != nil {
				t.Fatal(err)
			}
			if d := diff(otherWant(c.want), got); d != "" {
				t.Error(d)
			}
			if how, _ := d.purchase.writers.get(7); (how.slow != nil) != c.slow {
				t.Errorf("went the slow way: %t, want %t", how.slow != nil, c.slow)
			}
		})
	}
}

func TestOtherWritersAreRefused(t *testing.T) {
	cases := []struct {
		name   string
		schema string
		value  map[string]any
		class  sales.DeadLetterClass
		reason string
	}{
		{"another record", otherPurchase(`"name":"Purchase"`, `"name":"Order"`), nil,
			sales.DeadWrongSchema, "record Order where record Purchase belongs"},
		{"a required field is missing", otherPurchase(`"customer_id"`, `"customer"`), map[string]any{"customer": "c"},
			sales.DeadWrongSchema, "lacks the field customer_id"},
		{"a required field of a line is missing", otherPurchase(`"quantity"`, `"count"`), map[string]any{"lines": []any{}},
			sales.DeadWrongSchema, "lacks the field quantity"},
		{"null in a required field", otherPurchase(`"order_id","type":"string"`, `"order_id","type":["null","string"]`),
			map[string]any{"order_id": nil}, sales.DeadWrongSchema, "order_id"},
		{"a list where a text belongs", otherPurchase(`"order_id","type":"string"`, `"order_id","type":{"type":"array","items":"string"}`),
			map[string]any{"order_id": []any{"a"}}, sales.DeadWrongSchema, "order_id: want a string"},
		{"a fraction where a whole number belongs", otherPurchase(`"quantity","type":"int"`, `"quantity","type":"double"`),
			map[string]any{"lines": []any{otherLine(1.5)}}, sales.DeadWrongSchema, "lines[0].quantity: want a whole number, got 1.5"},
		{"a broken string on the slow way", otherPurchase(`"quantity","type":"int"`, `"quantity","type":"double"`),
			map[string]any{"event_id": "e\xff", "lines": []any{}}, sales.DeadInvalid, "not UTF-8"},
		{"a long that does not fit", otherPurchase(`"quantity","type":"int"`, `"quantity","type":"long"`),
			map[string]any{"lines": []any{otherLine(int64(math.MaxInt32) + 1)}}, sales.DeadInvalid, "quantity is 2147483648"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			value := encodeWith(t, c.schema, otherValue(c.value))
			err := NewDecoder(registry{7: c.schema}).Purchase(t.Context(), value, new(sales.Purchase))
			wantPoison(t, err, c.class, c.reason)
		})
	}
	for name, schema := range map[string]string{"not a schema": `{"type":"recrod"}`, "not a record": `"string"`, "empty": ``} {
		err := NewDecoder(registry{7: schema}).Purchase(t.Context(), framed(7, []byte{0}), new(sales.Purchase))
		t.Run(name, func(t *testing.T) { wantPoison(t, err, sales.DeadWrongSchema, "") })
	}
}

// A recursive type that nobody wants is walked over, however it nests, up to a bound.
func TestRecursiveTypesAreSkipped(t *testing.T) {
	schema := otherPurchase(`{"name":"occurred_at"`, `{"name":"tree","type":{"type":"record","name":"Tree","fields":[
		{"name":"left","type":["null","Tree"]},{"name":"children","type":{"type":"array","items":"Tree"}}]}},{"name":"occurred_at"`)
	tree := func(depth int) any {
		node := map[string]any{"left": nil, "children": []any{}}
		for range depth {
			node = map[string]any{"left": goavro.Union("shop.Tree", node), "children": []any{node}}
			if depth > 4 {
				node["children"] = []any{}
			}
		}
		return node
	}
	d := NewDecoder(registry{7: schema})
	if err := d.Purchase(t.Context(), encodeWith(t, schema, otherValue(map[string]any{"tree": tree(3)})), new(sales.Purchase)); err != nil {
		t.Fatal(err)
	}
	err := d.Purchase(t.Context(), encodeWith(t, schema, otherValue(map[string]any{"tree": tree(200)})), new(sales.Purchase))
	wantPoison(t, err, sales.DeadTooLarge, "nested deeper")
}

// Numbers of every kind become doubles.
func TestPromotionToDouble(t *testing.T) {
	for typ, v := range map[string]any{"int": 3, "long": int64(3), "float": float32(3), "double": 3.0} {
		schema := `{"type":"record","name":"Signal","fields":[{"name":"event_id","type":"string"},{"name":"series","type":"string"},
			{"name":"kind","type":{"type":"enum","name":"K","symbols":["weather","macro"]}},
			{"name":"value","type":"` + typ + `"},{"name":"unit","type":"string"},
			{"name":"occurred_at","type":{"type":"long","logicalType":"timestamp-millis"}}]}`
		at := time.UnixMilli(1709296200250)
		value := encodeWith(t, schema, map[string]any{"event_id": "e", "series": "s", "kind": "weather", "value": v, "unit": "u", "occurred_at": at})
		var got sales.Signal
		if err := NewDecoder(registry{7: schema}).Signal(t.Context(), value, &got); err != nil {
			t.Fatalf("%s: %v", typ, err)
		}
		if got.Value != 3 || got.Kind != "unknown" || got.OccurredAt != sales.Millis(at.UnixMilli()) {
			t.Errorf("%s: got %+v", typ, got)
		}
	}
}

func TestTombstones(t *testing.T) {
	d := NewDecoder(registry{})
	tombstone := []error{
		d.Product(t.Context(), nil, new(sales.Product)), d.Campaign(t.Context(), nil, new(sales.Campaign)),
		d.Link(t.Context(), nil, new(sales.Link)), d.Forecast(t.Context(), nil, new(sales.Forecast)),
		d.KnowledgeRow(t.Context(), nil, new(KnowledgeRow)),
	}
	for i, err := range tombstone {
		if !errors.Is(err, ErrTombstone) {
			t.Errorf("%d: got %v, want ErrTombstone", i, err)
		}
	}
	c := sales.Customer{CustomerID: "old", Name: "old"}
	if err := d.Customer(t.Context(), nil, &c); err != nil || diff(sales.Customer{Erased: true}, c) != "" {
		t.Errorf("customer: %+v, %v", c, err)
	}
	wantPoison(t, d.Purchase(t.Context(), nil, new(sales.Purchase)), sales.DeadTombstone, "")
	wantPoison(t, d.Outcome(t.Context(), nil, new(sales.Outcome)), sales.DeadTombstone, "")
	wantPoison(t, d.Purchase(t.Context(), []byte{}, new(sales.Purchase)), sales.DeadNotAvro, "")
}

func encodeWith(t testing.TB, schema string, native map[string]any) []byte {
	t.Helper()
	codec, err := goavro.NewCodec(schema)
	if err != nil {
		t.Fatal(err)
	}
	body, err := codec.BinaryFromNative(nil, native)
	if err != nil {
		t.Fatal(err)
	}
	return framed(7, body)
}

func wantPoison(t *testing.T, err error, class sales.DeadLetterClass, reason string) {
	t.Helper()
	var p *Poison
	if !errors.As(err, &p) || p.Class != class || !strings.Contains(p.Reason, reason) {
		t.Errorf("got %v, want %s with %q", err, class, reason)
	}
}
