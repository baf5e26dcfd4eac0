package wire

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/avro"

	"leadline/internal/sales"
	"leadline/schemas"
)

// Writers of Purchase and Touchpoint that Avro's own resolution accepts: the current schema, and one that differs from it in
// every way that resolution allows.
const (
	evolvedPurchase = `{"type":"record","name":"Purchase","namespace":"leadline.v1","fields":[
		{"name":"extra","type":["null",{"type":"array","items":{"type":"map","values":["int","boolean","double"]}}]},
		{"name":"kind","type":{"type":"enum","name":"PurchaseKind","symbols":["GIFT","REFUND","ORDER"]}},
		{"name":"currency","type":"bytes"},
		{"name":"lines","type":{"type":"array","items":{"type":"record","name":"PurchaseLine","fields":[
			{"name":"amount_minor","type":"int"},{"name":"color","type":{"type":"fixed","name":"Color","size":3}},
			{"name":"quantity","type":"int"},{"name":"product_id","type":"string"},{"name":"category","type":"bytes"}]}}},
		{"name":"store","type":["string","null"]},
		{"name":"campaign_id","type":"string"},
		{"name":"occurred_at","type":"int"},
		{"name":"order_id","type":"string"},{"name":"customer_id","type":"string"},{"name":"event_id","type":"string"},
		{"name":"trailer","type":{"type":"record","name":"Trailer","fields":[{"name":"f","type":"float"},{"name":"e","type":"PurchaseKind"}]}}]}`
	evolvedTouchpoint = `{"type":"record","name":"Touchpoint","namespace":"leadline.v1","fields":[
		{"name":"customer_id","type":"string"},{"name":"event_id","type":"bytes"},
		{"name":"kind","type":{"type":"enum","name":"TouchpointKind","symbols":["visit","dance","call"]}},
		{"name":"value_minor","type":["int","null"]},
		{"name":"attributes","type":{"type":"map","values":"bytes"}},
		{"name":"occurred_at","type":{"type":"long","logicalType":"timestamp-millis"}}]}`
)

// goavro allocates by what a value claims, up to these bounds. The decoder never lets it see such a value; the tests do.
func init() { goavro.MaxBlockCount, goavro.MaxBlockSize = maxInputItems, 1<<20 }

func FuzzPurchase(f *testing.F) {
	fuzzAgainstOracles(f, "Purchase", evolvedPurchase, func(d *Decoder) *recordReader { return &d.purchase },
		func() unsafe.Pointer { return unsafe.Pointer(new(sales.Purchase)) })
}

func FuzzTouchpoint(f *testing.F) {
	fuzzAgainstOracles(f, "Touchpoint", evolvedTouchpoint, func(d *Decoder) *recordReader { return &d.touchpoint },
		func() unsafe.Pointer { return unsafe.Pointer(new(sales.Touchpoint)) })
}

// fuzzAgainstOracles holds the projection to two others: what it accepts, goavro accepts; what both accept, it accepts, except
// for its bounds; and what it and twmb/avro accept, they read as the same.
func fuzzAgainstOracles(f *testing.F, record, evolved string, reader func(*Decoder) *recordReader, fresh func() unsafe.Pointer) {
	text, _ := schemas.Get(record)
	d := NewDecoder(registry{1: text, 2: evolved})
	rec := reader(d)
	var other [2]oracle
	for i, writer := range []string{text, evolved} {
		other[i] = newOracle(f, writer, text, rec.shape)
	}
	seeds(f, record)
	if err := d.read(f.Context(), rec, framed(2, evolvedSeed(f, record)), fresh()); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, isEvolved bool, body []byte) {
		which := 0
		if isEvolved {
			which = 1
		}
		got := fresh()
		err := d.read(t.Context(), rec, framed(which+1, body), got)
		other[which].check(t, body, got, err)
	})
}

func seeds(f *testing.F, record string) {
	_, ids := current()
	e := NewEncoder(ids)
	value, err := e.AppendPurchase(nil, threeLines())
	amount := int64(12)
	if record == "Touchpoint" {
		value, err = e.AppendTouchpoint(nil, &sales.Touchpoint{EventID: "e", CustomerID: "c", Kind: sales.TouchVisit, ValueMinor: &amount,
			Attributes: map[string]string{"a": "b", "c": "ü"}})
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Add(false, value[HeaderSize:])
	f.Add(true, evolvedSeed(f, record))
}

func evolvedSeed(f *testing.F, record string) []byte {
	if record == "Touchpoint" {
		return encodeWith(f, evolvedTouchpoint, map[string]any{"customer_id": "c", "event_id": "e", "kind": "call", "occurred_at": 1,
			"value_minor": goavro.Union("int", 5), "attributes": map[string]any{"k": []byte("v")}})[HeaderSize:]
	}
	return encodeWith(f, evolvedPurchase, map[string]any{
		"extra": goavro.Union("array", []any{map[string]any{"k": goavro.Union("double", 1.5), "l": goavro.Union("boolean", true)}}),
		"kind":  "GIFT", "currency": []byte("USD"), "store": goavro.Union("string", "3"), "campaign_id": "", "occurred_at": -7,
		"lines":    []any{map[string]any{"amount_minor": 3, "color": []byte("rgb"), "quantity": 2, "product_id": "p", "category": []byte("ü")}},
		"order_id": "o", "customer_id": "c", "event_id": "e", "trailer": map[string]any{"f": float32(1), "e": "REFUND"}})[HeaderSize:]
}

// oracle is what two libraries make of one writer's values.
type oracle struct {
	shape    *shape
	goavro   *goavro.Codec
	resolved *avro.Schema // twmb: writer's bytes as the reader's record
	reader   *avro.Schema
}

func newOracle(f *testing.F, writer, reader string, s *shape) oracle {
	f.Helper()
	codec, err := goavro.NewCodec(writer)
	if err != nil {
		f.Fatal(err)
	}
	o := oracle{shape: s, goavro: codec, reader: avro.MustParse(reader)}
	if o.resolved, err = avro.Resolve(avro.MustParse(writer), o.reader); err != nil {
		f.Fatal(err)
	}
	return o
}

func (o oracle) check(t *testing.T, body []byte, got unsafe.Pointer, err error) {
	var p *Poison
	if err != nil && !errors.As(err, &p) {
		t.Fatalf("neither read nor poison: %v", err)
	}
	var value any
	rest, otherErr := o.resolved.Decode(body, &value)
	resolves := otherErr == nil && len(rest) == 0
	_, rest, otherErr = o.goavro.NativeFromBinary(body)
	reads := otherErr == nil && len(rest) == 0
	switch {
	case err == nil && !reads:
		t.Fatalf("read, but goavro says %v, %d bytes left", otherErr, len(rest))
	case err == nil && resolves:
		o.same(t, value, got)
	case err != nil && reads && resolves && !stricter(p):
		t.Fatalf("refused (%v), but twmb/avro reads %v", err, value)
	}
}

// stricter says that a value was refused for a reason that is ours alone: bounds, UTF-8, and ints of more than 32 bits, which
// goavro cuts and twmb/avro skips.
func stricter(p *Poison) bool {
	return p.Class == sales.DeadTooLarge || p.Class == sales.DeadInvalid || strings.Contains(p.Reason, "more than 32 bits")
}

// same compares by way of the reader's own bytes, which the decoder is known to read (TestEveryRecordRoundTrips).
func (o oracle) same(t *testing.T, value any, got unsafe.Pointer) {
	body, err := o.reader.Encode(value)
	if err != nil {
		t.Fatalf("twmb/avro encodes %v: %v", value, err)
	}
	want := reflect.New(o.shape.goType)
	text, _ := schemas.Get(o.shape.name)
	w, err := parseWriter(text)
	if err != nil {
		t.Fatal(err)
	}
	ops, err := w.project(o.shape)
	if err != nil {
		t.Fatal(err)
	}
	r := reader{buf: body}
	if bad := r.run(ops, want.UnsafePointer()); bad != nil {
		t.Fatal(bad)
	}
	if d := diff(want.Interface(), reflect.NewAt(o.shape.goType, got).Interface()); d != "" {
		t.Fatalf("twmb/avro reads otherwise (-its +ours):\n%s", d)
	}
}

// FuzzAnything feeds every decoder, and JSON, with every record's schema and any bytes: whatever comes, it is read or
// refused.
func FuzzAnything(f *testing.F) {
	reg, ids := current()
	records := allRecords()
	for i, rec := range records {
		f.Add(uint8(i), ids[schemas.Subject(rec.topic)], []byte{2, 'a', 2, 'b', 0, 0, 0})
	}
	d := NewDecoder(reg)
	f.Fuzz(func(t *testing.T, which uint8, id int, body []byte) {
		rec := records[int(which)%len(records)]
		value := framed(id%(len(reg)+1), body)
		var p *Poison
		err := rec.decode(d, value, rec.fresh())
		if err != nil && !errors.As(err, &p) && !errors.Is(err, ErrUnknownSchema) {
			t.Fatal(err)
		}
		if _, err := d.JSON(t.Context(), value); err != nil && !errors.As(err, &p) && !errors.Is(err, ErrUnknownSchema) {
			t.Fatal(err)
		}
	})
}

// FuzzFromJSON: whatever a file holds, a line is a record that can be written and read again, or an error.
func FuzzFromJSON(f *testing.F) {
	f.Add("Purchase", []byte(`{"event_id":"e","customer_id":"c","occurred_at":"2024-03-01T12:30:00Z","order_id":"o","currency":"EUR",`+
		`"lines":[{"product_id":"p","category":"c","quantity":"1","amount_minor":3.0}]}`))
	f.Add("Customer", []byte(`{"customer_id":"c","updated_at":1709296200250,"consent":{"email":"denied"}}`))
	reg, ids := current()
	d, e := NewDecoder(reg), NewEncoder(ids)
	f.Fuzz(func(t *testing.T, record string, line []byte) {
		v, err := FromJSON(record, line)
		if err != nil {
			return
		}
		value, err := e.AppendInput(nil, v)
		if err != nil {
			t.Fatal(err)
		}
		for _, rec := range allRecords() {
			if rec.name != record {
				continue
			}
			again := rec.fresh()
			if err := rec.decode(d, value, again); err != nil {
				t.Fatalf("%+v was accepted but is not read: %v", v, err)
			}
			if d := diff(v, again); d != "" {
				t.Fatal(d)
			}
		}
	})
}
