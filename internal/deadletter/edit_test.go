package deadletter

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// broken is a purchase that decodes and breaks a rule of the contract: its only line has no quantity.
func (w *world) broken(customer string) []byte {
	w.t.Helper()
	value, err := w.enc.AppendPurchase(nil, &sales.Purchase{EventID: "e", CustomerID: customer, OccurredAt: 1_700_000_000_000, OrderID: "o",
		Currency: "EUR", Lines: []sales.Line{{ProductID: "p", Category: "BEEF & PORK", Quantity: -1, AmountMinor: 5}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return value
}

// export gives the letters' lines, by place.
func (w *world) export() map[Position]Line {
	w.t.Helper()
	lines := map[Position]Line{}
	err := w.box.Each(w.t.Context(), Filter{}, func(l *Letter) error {
		line, err := w.box.Line(w.t.Context(), l)
		lines[l.Position] = line
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return lines
}

// file is what an editor would have saved.
func file(t *testing.T, lines ...Line) *Edits {
	t.Helper()
	var text bytes.Buffer
	for _, l := range lines {
		if err := json.NewEncoder(&text).Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	edits, err := ReadEdits(&text)
	if err != nil {
		t.Fatal(err)
	}
	return edits
}

// with replaces text in a line's decoded value.
func with(l Line, old, text string) Line {
	l.Value = json.RawMessage(strings.ReplaceAll(string(l.Value), old, text))
	return l
}

func (w *world) retryEdited(edits *Edits, dry bool) Report {
	w.t.Helper()
	report, err := w.box.RetryEdited(w.t.Context(), edits, dry)
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// The way of a letter that somebody mends: what arrives is the edit, once, and says that it was one.
func TestAnEditedLetterIsSentOnce(t *testing.T) { anEditedLetterIsSentOnce(t, setup(t)) }

func anEditedLetterIsSentOnce(t *testing.T, w *world) {
	first := w.broken("ann")
	w.refuse(0, sales.DeadInvalid, w.prefix+"purchases", "ann", first)
	w.refuse(0, sales.DeadInvalid, w.prefix+"purchases", "bob", w.broken("bob"))
	line := w.export()[Position{0, 0}]
	if !strings.Contains(string(line.Value), "BEEF & PORK") {
		t.Errorf("exported value is %s", line.Value)
	}
	mended := with(line, `"quantity":-1`, `"quantity":2`)

	want := Report{Chosen: 1, Sent: 1, Edited: 1, Topics: map[string]int{w.prefix + "purchases": 1}, Dry: true}
	if diff := cmp.Diff(want, w.retryEdited(file(t, mended), true)); diff != "" || len(w.arrived(w.prefix+"purchases")) != 0 {
		t.Errorf("dry: %s", diff)
	}
	want.Dry = false
	if diff := cmp.Diff(want, w.retryEdited(file(t, mended), false)); diff != "" {
		t.Error(diff)
	}
	if got := w.retryEdited(file(t, mended), false); got.Sent != 0 || got.Before != 1 {
		t.Errorf("a second time: %+v", got)
	}
	got := w.arrived(w.prefix + "purchases")
	if len(got) != 1 {
		t.Fatalf("%d records arrived", len(got))
	}
	var p sales.Purchase
	if err := w.box.Decoder.Purchase(t.Context(), got[0].Value, &p); err != nil || p.Lines[0].Quantity != 2 || p.CustomerID != "ann" {
		t.Errorf("%+v, %v", p, err)
	}
	headers := []kgo.RecordHeader{{Key: HeaderRetried, Value: []byte("1")}, {Key: HeaderLetter, Value: []byte("0/0")},
		{Key: HeaderEdited, Value: fmt.Appendf(nil, "%x", sha256.Sum256(first))}}
	if diff := cmp.Diff(headers, got[0].Headers); diff != "" {
		t.Error(diff)
	}
}

func TestWaysToEdit(t *testing.T) {
	w := setup(t)
	encoded := func(b []byte) *string { s := base64.StdEncoding.EncodeToString(b); return &s }
	text := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		topic, key string
		value      []byte
		edit       func(Line) Line
		wantKey    string
		edited     bool
		wantBytes  []byte // nil: whatever JSON made of it
		tombstone  bool
	}{
		"not at all":     {"purchases", "k", w.broken("c"), func(l Line) Line { return l }, "k", false, w.broken("c"), false},
		"only the place": {"purchases", "k", w.broken("c"), func(l Line) Line { return Line{At: l.At} }, "k", false, w.broken("c"), false},
		"the bytes": {"purchases", "c", []byte("no Avro"), func(l Line) Line { l.ValueBase64 = encoded(w.purchase("d")); return l },
			"d", true, w.purchase("d"), false},
		"JSON for what could not be decoded": {"purchases", "c", []byte("no Avro"), func(l Line) Line {
			l.Value = json.RawMessage(`{"event_id":"e","customer_id":"c","occurred_at":"2026-01-01T00:00:00Z","order_id":"o","currency":"EUR","lines":[{"product_id":"p","category":"c","quantity":1,"amount_minor":5}]}`)
			return l
		}, "c", true, nil, false},
		"another customer": {"purchases", "c", w.broken("c"), func(l Line) Line {
			return with(with(l, `"customer_id":"c"`, `"customer_id":"客戶"`), `"quantity":-1`, `"quantity":1`)
		},
			"客戶", true, nil, false},
		"only the key":      {"purchases", "wrong", w.purchase("c"), func(l Line) Line { l.Key = text("c"); return l }, "c", true, w.purchase("c"), false},
		"to a tombstone":    {"customers", "c", []byte("no Avro"), func(l Line) Line { l.Value = json.RawMessage(" null"); return l }, "c", true, nil, true},
		"a tombstone's key": {"customers", "c", nil, func(l Line) Line { l.Key = nil; l.KeyBase64 = encoded([]byte("d")); return l }, "d", true, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(w.arrived(w.prefix + c.topic))
			w.refuse(0, sales.DeadInvalid, w.prefix+c.topic, c.key, c.value)
			page, err := w.box.List(t.Context(), Filter{}, 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			line := c.edit(w.export()[page.Letters[0].Position])
			report := w.retryEdited(file(t, line), false)
			all := w.arrived(w.prefix + c.topic)
			if report.Sent != 1 || (report.Edited == 1) != c.edited || len(all) != before+1 {
				t.Fatalf("%+v, %d records arrived", report, len(all)-before)
			}
			var got *kgo.Record
			for _, r := range all {
				for _, h := range r.Headers {
					if h.Key == HeaderLetter && string(h.Value) == line.At {
						got = r
					}
				}
			}
			if string(got.Key) != c.wantKey || c.wantBytes != nil && !bytes.Equal(got.Value, c.wantBytes) || (got.Value == nil) != c.tombstone {
				t.Errorf("key %q, value %q", got.Key, got.Value)
			}
			if got.Partition != wire.Partition(got.Key, partitions) {
				t.Errorf("%s is in partition %d", got.Key, got.Partition)
			}
		})
	}
}

// Of many edits one is wrong: it is named, and nothing is sent.
func TestWrongEditsAreNamedAndNothingIsSent(t *testing.T) {
	w := setup(t)
	w.refuse(0, sales.DeadInvalid, w.prefix+"purchases", "ann", w.broken("ann"))
	w.refuse(0, sales.DeadInvalid, w.prefix+"purchases", "bob", w.broken("bob"))
	w.refuse(1, sales.DeadInvalid, "elsewhere", "cyd", []byte("x"))
	lines := w.export()
	good, line := with(lines[Position{0, 0}], `"quantity":-1`, `"quantity":1`), lines[Position{0, 1}]
	text := func(s string) *string { return &s }
	large := strings.Repeat("x", 60_000)
	for name, c := range map[string]struct {
		edit Line
		why  string
	}{
		"still wrong":       {with(line, `"quantity":-1`, `"quantity":0`), "line 2 (letter 0/1): value: invalid: lines[0].quantity is 0"},
		"a field too many":  {with(line, `"event_id"`, `"evnt_id"`), "event_id: required field is missing"},
		"no such field":     {with(line, `{"event_id"`, `{"colour":"red","event_id"`), "colour: unknown field"},
		"a wrong type":      {with(line, `"quantity":-1`, `"quantity":"some"`), "lines[0].quantity: want a whole number"},
		"no object":         {Line{At: "0/1", Value: json.RawMessage(`[1]`)}, "not a JSON object"},
		"no value":          {Line{At: "0/1", Value: json.RawMessage(`null`)}, "a record of purchases needs a value"},
		"another's key":     {func() Line { l := with(line, `"quantity":-1`, `"quantity":1`); l.Key = text("eve"); return l }(), `the key is "eve", but the value belongs to "bob"`},
		"only the key":      {Line{At: "0/1", Key: text("bob2")}, "it would be refused again: invalid: lines[0].quantity is -1"},
		"no base64":         {Line{At: "0/1", ValueBase64: text("!")}, "value_base64: illegal base64"},
		"no Avro":           {Line{At: "0/1", ValueBase64: text("AAAA")}, "it would be refused again: not_avro"},
		"a foreign schema":  {Line{At: "0/1", ValueBase64: text("AAAAAGMA")}, "it would be refused again"},
		"both":              {func() Line { l := with(line, `"quantity":-1`, `"quantity":1`); l.ValueBase64 = text("AAAA"); return l }(), "value and value_base64 were both edited"},
		"too large":         {with(line, `"quantity":-1,`, `"quantity":1,"colour":"`+strings.Repeat(large, 20)+`",`), "unknown field"},
		"a text too long":   {with(line, `"o"`, `"`+large+large+`"`), "at most 65536 are accepted"},
		"nothing there":     {Line{At: "0/99"}, "line 2 (letter 0/99): no dead letter stands there"},
		"from no input":     {Line{At: "1/0", ValueBase64: text("AAAA")}, `it came from "elsewhere": not an input topic`},
		"a terminal's code": {with(line, `"quantity":-1`, `"quantity":"\u001b[2J"`), `want a whole number, got "\u001b[2J"`},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := w.box.RetryEdited(t.Context(), file(t, good, c.edit), false)
			var wrong EditErrors
			if !errors.As(err, &wrong) || len(wrong) != 1 || !strings.Contains(err.Error(), c.why) || report.Sent != 0 {
				t.Errorf("%+v, %v, want %q", report, err, c.why)
			}
			if n := len(w.arrived(w.prefix + "purchases")); n != 0 {
				t.Errorf("%d records were sent", n)
			}
		})
	}
	w.asked = func() error { return errors.New("registry is down") }
	w.box.Decoder = wire.NewDecoder(w)
	if report, err := w.box.RetryEdited(t.Context(), file(t, good), false); err == nil || errors.As(err, new(EditErrors)) || report.Sent != 0 {
		t.Errorf("without the registry: %+v, %v", report, err)
	}
}

func TestFilesThatAreNoneOfOurs(t *testing.T) {
	for name, c := range map[string]struct{ file, why string }{
		"an empty line is none": {"\n \n", ""},
		"no JSON":               {"x", "line 1: not a letter as export writes it"},
		"a misspelt field":      {`{"at":"0/1","vaule":{}}`, `unknown field "vaule"`},
		"no place":              {"\n" + `{"value":{}}`, `line 2: at: "": want PARTITION/OFFSET`},
		"a spoilt place":        {`{"at":"0/-1"}`, "want PARTITION/OFFSET"},
		"twice":                 {`{"at":"0/1"}` + "\n" + `{"at":"0/1"}`, "line 2 (letter 0/1): the same letter as line 1"},
		"two on a line":         {`{"at":"0/1"}{"at":"0/2"}`, "more than one JSON value"},
		"no UTF-8":              {`{"at":"0/1","key":"` + "\xff" + `"}`, "not UTF-8"},
		"two keys":              {`{"at":"0/1","key":"a","key_base64":"YQ=="}`, "keep one"},
		"a line without end":    {strings.Repeat(" ", maxLine+1), "longer than 16 MiB"},
		"all that is wrong":     {strings.Repeat("x\n", 12), "and 2 more"},
	} {
		edits, err := ReadEdits(strings.NewReader(c.file))
		if (err == nil) != (c.why == "") || err != nil && !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v, %v", name, edits, err)
		}
	}
}

// FuzzReadEdits: whatever the file is, reading it ends, with letters at different places or with errors that name lines. What was
// read is written and read again as the same.
func FuzzReadEdits(f *testing.F) {
	f.Add([]byte(`{"at":"0/1","class":"invalid","key":"ann","value":{"event_id":"e"},"value_base64":"AAAA","headers":[{"name":"h","value":"v"}]}`))
	f.Add([]byte("{\"at\":\"0/1\"}\n\n{\"at\":\"1/2\",\"value\":null,\"key_base64\":\"/w==\"}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		edits, err := ReadEdits(bytes.NewReader(text))
		var wrong EditErrors
		if errors.As(err, &wrong) {
			for _, l := range wrong {
				if l.Line < 1 || l.Line > bytes.Count(text, []byte("\n"))+1 || l.Why == "" {
					t.Errorf("%+v", l)
				}
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		for at, line := range edits.lines {
			again := file(t, line.Line).lines[at]
			letter := &Letter{Key: []byte("k"), Value: []byte("v")}
			as := Line{Value: json.RawMessage(`{"a":1}`)}
			one, err1 := line.changes(letter, &as)
			two, err2 := again.changes(letter, &as)
			if diff := cmp.Diff(one, two, cmp.AllowUnexported(changes{})); diff != "" || (err1 == nil) != (err2 == nil) {
				t.Errorf("%s: %s, %v, %v", at, diff, err1, err2)
			}
		}
	})
}
