package wire

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unsafe"

	"github.com/linkedin/goavro/v2"
	"pgregory.net/rapid"

	"leadline/schemas"
)

// What the encoder writes is what goavro writes, and the decoder gives it back, into a struct that held something else
// before.
func TestEveryRecordRoundTrips(t *testing.T) {
	reg, ids := current()
	for _, rec := range allRecords() {
		t.Run(rec.name, func(t *testing.T) {
			text, _ := schemas.Get(rec.name)
			oracle, err := goavro.NewCodec(text)
			if err != nil {
				t.Fatal(err)
			}
			reused, encoder := rec.fresh(), NewEncoder(ids)
			rapid.Check(t, func(t *rapid.T) {
				v := draw(t, rec)
				value, err := rec.encode(encoder, v)
				if err != nil {
					t.Fatal(err)
				}
				sameAsOracle(t, oracle, rec.shape, v, value)
				if err := rec.decode(NewDecoder(reg), value, reused); err != nil {
					t.Fatal(err)
				}
				if d := diff(v, reused); d != "" {
					t.Fatalf("decoded differs (-encoded +decoded):\n%s", d)
				}
			})
		})
	}
}

// sameAsOracle compares what goavro makes of the value. Go's maps have no order and goavro keeps none, so where the
// record has a map the bytes are compared after goavro has read them.
func sameAsOracle(t *rapid.T, oracle *goavro.Codec, s *shape, v any, value []byte) {
	native, err := s.native(reflect.ValueOf(v).UnsafePointer())
	if err != nil {
		t.Fatal(err)
	}
	want, err := oracle.BinaryFromNative(nil, native)
	if err != nil {
		t.Fatal(err)
	}
	got := value[HeaderSize:]
	if bytes.Equal(want, got) {
		return
	}
	wantNative, _, err1 := oracle.NativeFromBinary(want)
	gotNative, rest, err2 := oracle.NativeFromBinary(got)
	if err1 != nil || err2 != nil || len(rest) != 0 || diff(wantNative, gotNative) != "" || len(want) != len(got) {
		t.Fatalf("goavro writes\n%x\nwe\n%x\n%v %v", want, got, err1, err2)
	}
}

// Every field of the Go types is bound, or it is known why not.
func TestEveryGoFieldIsBound(t *testing.T) {
	unbound := map[string]bool{"Customer.Erased": true, "KnowledgeCell.Row": true}
	var visit func(name string, s *shape)
	visit = func(name string, s *shape) {
		switch s.kind {
		case listKind:
			visit(name, s.elem)
		case recordKind:
			offsets := map[uintptr]bool{}
			for _, m := range s.members {
				offsets[m.offset] = true
				visit(m.name, m.shape)
			}
			for _, f := range reflect.VisibleFields(s.goType) {
				if path := s.name + "." + f.Name; !offsets[f.Offset] && !unbound[path] {
					t.Errorf("%s (%s) has no field in the schema", path, s.goType)
				}
			}
		}
	}
	for _, rec := range allRecords() {
		visit(rec.name, rec.shape)
	}
}

// JSON is a form in which inputs can be kept: what is rendered loads again as the same record.
func TestInputsRoundTripThroughJSON(t *testing.T) {
	reg, ids := current()
	for _, rec := range allRecords()[:8] {
		t.Run(rec.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := draw(t, rec)
				value, err := NewEncoder(ids).AppendInput(nil, v)
				if err != nil {
					t.Fatal(err)
				}
				text, err := NewDecoder(reg).JSON(t.Context(), value)
				if err != nil {
					t.Fatal(err)
				}
				got, err := FromJSON(rec.name, text)
				if err != nil {
					t.Fatalf("%v in %s", err, text)
				}
				if d := diff(v, got); d != "" {
					t.Fatalf("%s gives another record (-want +got):\n%s", text, d)
				}
			})
		})
	}
}

func TestJSONOfAPurchase(t *testing.T) {
	reg, ids := current()
	value, err := NewEncoder(ids).AppendPurchase(nil, threeLines())
	if err != nil {
		t.Fatal(err)
	}
	got, err := NewDecoder(reg).JSON(t.Context(), value)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"event_id":"e-4711","customer_id":"1823","occurred_at":"2024-03-01T12:30:00.250Z","order_id":"o-99",` +
		`"lines":[{"product_id":"p1","category":"BEEF & PORK","quantity":1,"amount_minor":799},` +
		`{"product_id":"p2","category":"FLUID MILK","quantity":2,"amount_minor":338},` +
		`{"product_id":"p3","category":"SOFT DRINKS","quantity":6,"amount_minor":1194}],` +
		`"currency":"USD","channel":"store","store":"367","campaign_id":null,"kind":"ORDER"}`
	if string(got) != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !json.Valid(got) {
		t.Error("not JSON")
	}
}

func TestEncoderRefuses(t *testing.T) {
	_, ids := current()
	e := NewEncoder(ids)
	for _, rec := range allRecords() {
		for _, m := range rec.shape.members {
			if m.shape.kind != enumKind || m.shape.optional || m.shape.symbols[0] != neverWritten {
				continue
			}
			var unset uint8
			if _, err := m.shape.append(nil, unsafe.Pointer(&unset)); err == nil {
				t.Errorf("%s without %s is written", rec.name, m.name)
			}
		}
	}
	dst := []byte("before")
	delete(ids, "purchases-value")
	got, err := e.AppendPurchase(dst, threeLines())
	if err == nil || !strings.Contains(err.Error(), "purchases-value") || string(got) != "before" {
		t.Errorf("without a schema id: %q, %v", got, err)
	}
}

func TestShapesDoNotMix(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), "quantity") {
			t.Errorf("a Go type that does not fit is not noticed: %v", r)
		}
	}()
	type line struct {
		ProductID, Category string
		Quantity            int64 // the schema says int
		AmountMinor         int64
	}
	type purchase struct {
		EventID, CustomerID, OrderID string
		OccurredAt                   int64
		Lines                        []line
	}
	shapeOf("Purchase", reflect.TypeFor[purchase](), 1)
}
