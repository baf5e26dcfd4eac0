package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/schemas"
)

// body builds Avro by hand, so that it can lie.
type body []byte

func (b body) long(v int64) body            { return binary.AppendVarint(b, v) }
func (b body) text(s string) body           { return appendString(b, s) }
func (b body) bytes(bs ...byte) body        { return append(b, bs...) }
func (b body) repeat(n int, with body) body { return append(b, bytes.Repeat(with, n)...) }

// head is a purchase up to its lines, tail what follows them.
func head() body          { return body(nil).text("e").text("c").long(1709296200250).text("o") }
func (b body) tail() body { return b.text("USD").bytes(0, 0, 0).long(0) }

var oneLine = body(nil).text("p").text("cat").long(1).long(100)

func TestHostilePurchases(t *testing.T) {
	good := head().long(1).repeat(1, oneLine).long(0).tail()
	cases := []struct {
		name   string
		value  []byte
		class  sales.DeadLetterClass
		reason string
	}{
		{"empty", []byte{}, sales.DeadNotAvro, "header"},
		{"JSON", []byte(`{"event_id":"e"}`), sales.DeadNotAvro, "header"},
		{"header only", framed(1, nil), sales.DeadNotAvro, "ends inside a number"},
		{"bytes behind the value", framed(1, append(good, 0)), sales.DeadNotAvro, "1 bytes behind"},
		{"200 MB array header", framed(1, head().long(200<<20).repeat(1, oneLine).long(0).tail()), sales.DeadNotAvro, "block of 209715200"},
		{"more elements than any number", framed(1, head().long(math.MinInt64).long(4).repeat(1, oneLine).long(0).tail()), sales.DeadNotAvro, "block"},
		{"negative count with a huge block", framed(1, head().long(-1<<40).long(1<<50).repeat(1, oneLine).long(0).tail()), sales.DeadNotAvro, "block"},
		{"too many lines, truly there", framed(1, head().long(10_001).repeat(10_001, oneLine).long(0).tail()), sales.DeadTooLarge, "more than 10000"},
		{"too many lines in small blocks", framed(1, head().repeat(10_001, append(body(nil).long(1), oneLine...)).long(0).tail()), sales.DeadTooLarge, "more than 10000"},
		{"1 MB string", framed(1, body(nil).text(strings.Repeat("x", 1<<20)).text("c")), sales.DeadTooLarge, "string of 1048576"},
		{"string longer than the value", framed(1, body(nil).long(1<<30).text("e")), sales.DeadNotAvro, "remain"},
		{"negative string", framed(1, body(nil).long(-5).text("e")), sales.DeadNotAvro, "string of -5"},
		{"invalid UTF-8", framed(1, body(nil).text("e\xff").text("c")), sales.DeadInvalid, "not UTF-8"},
		{"a number of 11 bytes", framed(1, body(nil).text("e").text("c").repeat(11, body{0x80})), sales.DeadNotAvro, "more than 64 bits"},
		{"an int of 40 bits", framed(1, head().long(1).text("p").text("c").long(1<<40).long(1).long(0).tail()), sales.DeadNotAvro, "more than 32 bits"},
		{"a branch that is not there", framed(1, head().long(1).repeat(1, oneLine).long(0).text("USD").bytes(4)), sales.DeadNotAvro, "branch or symbol 2 of 2"},
		{"a symbol that is not there", framed(1, head().long(1).repeat(1, oneLine).long(0).text("USD").bytes(0, 0, 0).long(2)), sales.DeadNotAvro, "branch or symbol 2 of 2"},
	}
	text, _ := schemas.Get("Purchase")
	d, into := NewDecoder(registry{1: text}), new(sales.Purchase)
	if err := d.Purchase(t.Context(), framed(1, good), into); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			wantPoison(t, d.Purchase(t.Context(), c.value, into), c.class, c.reason)
		})
	}
	for n := range good {
		wantPoison(t, d.Purchase(t.Context(), framed(1, good[:n]), into), sales.DeadNotAvro, "")
	}
}

// Blocks may come in several pieces and with their size in bytes; that is no attack.
func TestLinesInSeveralBlocks(t *testing.T) {
	text, _ := schemas.Get("Purchase")
	value := framed(1, head().long(1).repeat(1, oneLine).long(-2).long(int64(2*len(oneLine))).repeat(2, oneLine).long(0).tail())
	var got sales.Purchase
	if err := NewDecoder(registry{1: text}).Purchase(t.Context(), value, &got); err != nil || len(got.Lines) != 3 {
		t.Errorf("got %d lines, %v", len(got.Lines), err)
	}
}

// A few bytes must not cost megabytes, in none of the ways: decoding, the slow way, rendering.
func TestNothingIsAllocatedOnAClaim(t *testing.T) {
	nulls := strings.Replace(otherPurchase(), `"fields":[`,
		`"fields":[{"name":"junk","type":{"type":"array","items":{"type":"array","items":"null"}}},`, 1)
	slow := strings.Replace(nulls, `"occurred_at","type":"long"`, `"occurred_at","type":"string"`, 1)
	claims := framed(1, body(nil).long(1000).repeat(1000, body(nil).long(1_000_000).long(0)).long(0))
	lines, _ := schemas.Get("Purchase")
	for _, c := range []struct {
		schema string
		value  []byte
		class  sales.DeadLetterClass
	}{
		{nulls, claims, sales.DeadTooLarge},
		{slow, claims, sales.DeadTooLarge},
		{lines, framed(1, head().long(1<<30).repeat(1, oneLine)), sales.DeadNotAvro},
	} {
		d, into := NewDecoder(registry{1: c.schema}), new(sales.Purchase)
		attempt := func() {
			wantPoison(t, d.Purchase(t.Context(), c.value, into), c.class, "")
			_, err := d.JSON(t.Context(), c.value)
			wantPoison(t, err, c.class, "")
		}
		attempt() // learns the schema
		if n := allocated(attempt); n > 64<<10 {
			t.Errorf("%d bytes allocated for a value of %d", n, len(c.value))
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestPrintable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := []byte(rapid.StringMatching(`[ -~]{0,30}`).Draw(t, "text"))
		if len(b) > 0 && rapid.Bool().Draw(t, "spoil") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		dumb := true
		for _, c := range b {
			dumb = dumb && c >= 0x20 && c <= 0x7e
		}
		if printable(string(b)) != dumb {
			t.Fatalf("printable(%q) = %t", b, !dumb)
		}
	})
}

// flaky is a registry that fails until it is mended.
type flaky struct {
	err  error
	text string
	asks atomic.Int32
}

func (f *flaky) SchemaByID(context.Context, int) (string, error) {
	f.asks.Add(1)
	return f.text, f.err
}

// A registry that is down, or behind, poisons nothing: the same value is read once it answers, and then it is asked no more.
func TestSchemasThatCannotBeHad(t *testing.T) {
	text, _ := schemas.Get("Purchase")
	value := framed(9, head().long(1).repeat(1, oneLine).long(0).tail())
	for _, reason := range []error{ErrUnknownSchema, errors.New("connection refused")} {
		source := &flaky{err: reason}
		d := NewDecoder(source)
		var p *Poison
		err := d.Purchase(t.Context(), value, new(sales.Purchase))
		if !errors.Is(err, reason) || errors.As(err, &p) {
			t.Errorf("decoding with %v: %v", reason, err)
		}
		if _, err := d.JSON(t.Context(), value); !errors.Is(err, reason) {
			t.Errorf("rendering with %v: %v", reason, err)
		}
		source.err, source.text = nil, text
		for range 3 {
			if err := d.Purchase(t.Context(), value, new(sales.Purchase)); err != nil {
				t.Errorf("after %v: %v", reason, err)
			}
		}
		if n := source.asks.Load(); n != 3 {
			t.Errorf("asked %d times", n)
		}
	}
}

// Shards share one decoder and one encoder, and meet new schemas at the same time.
func TestSharedByManyGoroutines(t *testing.T) {
	reg, ids := current()
	d, e := NewDecoder(reg), NewEncoder(ids)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				var alert sales.Alert
				value, err := e.AppendAlert(nil, crossSell())
				if err == nil {
					err = d.Alert(context.Background(), value, &alert)
				}
				if d := diff(crossSell(), &alert); err != nil || d != "" {
					t.Error(err, d)
				}
				if _, err := d.JSON(context.Background(), value); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
