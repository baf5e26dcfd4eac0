package load

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
)

// fileOf is a source that reads the text.
func fileOf(t interface{ Fatal(...any) }, topic, text string, isCSV bool, renames ...string) *source {
	m, err := newMapping(topic, renames)
	if err != nil {
		t.Fatal(err)
	}
	return &source{name: "test", topic: topic, csv: isCSV, fields: m,
		open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

// everything reads a source to its end, without the load's goroutines.
func everything(s *source) ([]item, error) {
	text, done, err := s.text()
	if err != nil {
		return nil, err
	}
	defer done()
	next, err := s.records(text)
	if err != nil {
		return nil, err
	}
	var items []item
	for {
		r, err := next()
		if errors.Is(err, io.EOF) {
			return items, nil
		}
		if err != nil {
			return items, err
		}
		items = append(items, s.parse(r, 0))
	}
}

// told words items for comparison: the order and its products, or where it was refused and why.
func told(items []item) string {
	var out strings.Builder
	for _, it := range items {
		p, ok := it.record.(*sales.Purchase)
		if it.err != nil || !ok {
			fmt.Fprintf(&out, "line %d refused: %v\n", it.line, it.err)
			continue
		}
		fmt.Fprintf(&out, "line %d: %s %s %s", it.line, p.OrderID, p.CustomerID, time.UnixMilli(int64(p.OccurredAt)).UTC().Format(time.RFC3339))
		for _, l := range p.Lines {
			fmt.Fprintf(&out, " %d×%s=%d%s", l.Quantity, l.ProductID, l.AmountMinor, p.Currency)
		}
		out.WriteString("\n")
	}
	return out.String()
}

func TestRowsOfOneOrder(t *testing.T) {
	const head = "event_id,customer_id,occurred_at,order_id,currency,product_id,category,quantity,amount_minor\n"
	for name, c := range map[string]struct{ text, want string }{
		"adjacent rows are one order": {
			head + "e1,c1,2024-05-01,o1,EUR,p1,TEA,1,100\ne1,c1,2024-05-01,o1,EUR,p2,TEA,2,50\ne2,c2,2024-05-02 08:30:00,o2,EUR,p1,TEA,1,100\n",
			"line 2: o1 c1 2024-05-01T00:00:00Z 1×p1=100EUR 2×p2=50EUR\nline 4: o2 c2 2024-05-02T08:30:00Z 1×p1=100EUR\n"},
		"semicolons, byte order mark, Windows line ends": {
			"\ufeff" + strings.NewReplacer(",", ";", "\n", "\r\n").Replace(head+"e1,c1,1714521600000,o1,EUR,p1,TEA,1,100\n"),
			"line 2: o1 c1 2024-05-01T00:00:00Z 1×p1=100EUR\n"},
		"a bad row spoils its order only": {
			head + "e1,c1,2024-05-01,o1,EUR,p1,TEA,1,100\ne1,c1,2024-05-01,o1,EUR,p2,TEA,2\ne2,c2,2024-05-02,o2,EUR,p1,TEA,1,100\n",
			"line 2 refused: line 3 of the order: 8 columns, the header has 9\nline 4: o2 c2 2024-05-02T00:00:00Z 1×p1=100EUR\n"},
		"a row whose order cannot be read spoils its neighbours": {
			head + "e1,c1,2024-05-01,o1,EUR,p1,TEA,1,100\n???\ne2,c2,2024-05-02,o2,EUR,p1,TEA,1,100\ne3,c3,2024-05-03,o3,EUR,p1,TEA,1,100\n",
			"line 2 refused: line 3 of the order: 1 columns, the header has 9\nline 4 refused: line 3 before it cannot be read and may belong to the order\n" +
				"line 5: o3 c3 2024-05-03T00:00:00Z 1×p1=100EUR\n"},
		"rows of one order must agree": {
			head + "e1,c1,2024-05-01,o1,EUR,p1,TEA,1,100\ne1,c9,2024-05-01,o1,EUR,p2,TEA,2,50\n",
			"line 2 refused: line 3: customer_id is \"c9\", but \"c1\" in the order's first line\n"},
		"a quote that is never closed costs its order": {
			head + "e1,c1,2024-05-01,o1,EUR,p1,\"TEA,1,100\ne1,c1,2024-05-01,o1,EUR,p2,TEA,1,100\ne2,c2,2024-05-02,o2,EUR,p1,TEA,1,100\n",
			"line 2 refused: line 2 of the order: a quoted field is not closed\nline 4: o2 c2 2024-05-02T00:00:00Z 1×p1=100EUR\n"},
		"a field may run over lines": {
			head + "e1,c1,2024-05-01,o1,EUR,\"p,1\",\"TEA \"\"X\"\"\",1,100\n",
			"line 2: o1 c1 2024-05-01T00:00:00Z 1×p,1=100EUR\n"},
		"empty file": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			items, err := everything(fileOf(t, "purchases", c.text, true))
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(c.want, told(items)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestColumnsAndKeysAreRenamed(t *testing.T) {
	renames := []string{"id=event_id", "id=order_id", "who=customer_id", "when=occurred_at", "sku=product_id", "n=lines.quantity", "cents=amount_minor",
		"money=currency", "note="}
	want := "line %d: 7 c1 2024-05-01T00:00:00Z 3×p1=100EUR\n"
	fromCSV, err := everything(fileOf(t, "purchases", "id,who,when,sku,category,n,cents,money,note\n7,c1,2024-05-01,p1,TEA,3,100,EUR,hm\n", true, renames...))
	if err != nil || told(fromCSV) != fmt.Sprintf(want, 2) {
		t.Errorf("CSV: %s%v", told(fromCSV), err)
	}
	fromJSON, err := everything(fileOf(t, "purchases", `{"id":"7","who":"c1","when":"2024-05-01T00:00:00Z","money":"EUR","note":{"a":1},`+
		`"lines":[{"sku":"p1","category":"TEA","n":3,"cents":100,"note":1}]}`, false, renames...))
	if err != nil || told(fromJSON) != fmt.Sprintf(want, 1) {
		t.Errorf("JSON: %s%v", told(fromJSON), err)
	}
}

func TestEntriesOfMapsAreFields(t *testing.T) {
	want := &sales.Customer{CustomerID: "c1", UpdatedAt: 1714521600000, Attributes: map[string]string{"age": "44", "town": "Ulm"}, Consent: map[string]bool{"email": true}}
	for name, s := range map[string]*source{
		"CSV": fileOf(t, "customers", "customer_id,updated_at,alter,attributes.town,consent.email\nc1,2024-05-01,44,Ulm,granted\n", true, "alter=attributes.age"),
		"JSON": fileOf(t, "customers", `{"customer_id":"c1","updated_at":"2024-05-01T00:00:00Z","alter":44,"attributes":{"town":"Ulm"},"consent":{"email":"granted"}}`, false,
			"alter=attributes.age"),
	} {
		items, err := everything(s)
		if err != nil || len(items) != 1 || items[0].err != nil {
			t.Fatalf("%s: %+v, %v", name, items, err)
		}
		if diff := gocmp.Diff(want, items[0].record); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// An order in the file arrives whole or is refused; garbage between the rows never makes a part of one, and costs at
// most the orders beside it.
func TestOrdersAreWholeWhateverStandsBetweenThem(t *testing.T) {
	header := []string{"event_id", "customer_id", "occurred_at", "order_id", "currency", "product_id", "category", "quantity", "amount_minor"}
	garbage := []string{`"`, `x`, `a,b`, `e,c,2024-05-01,o0,EUR,p,T,1`, `e,c,2024-05-01,o1,"EUR,p,T,1,1`, "\xff\xfe", `,,,,,,,,`}
	rapid.Check(t, func(t *rapid.T) {
		var text bytes.Buffer
		row := func(cells ...string) {
			w := csv.NewWriter(&text)
			_ = w.Write(cells)
			w.Flush()
		}
		row(header...)
		sizes := rapid.SliceOfN(rapid.IntRange(1, 4), 1, 8).Draw(t, "lines of each order")
		spoilt := make([]bool, len(sizes))
		touch := func(order int) {
			if order >= 0 && order < len(sizes) {
				spoilt[order] = true
			}
		}
		for o, n := range sizes {
			for l := range n {
				if rapid.IntRange(0, 7).Draw(t, "garbage here") == 0 {
					text.WriteString(rapid.SampledFrom(garbage).Draw(t, "garbage") + "\n")
					touch(o)
					if l == 0 {
						touch(o - 1)
					} else {
						touch(o + 1)
					}
				}
				category := rapid.SampledFrom([]string{"TEA", `SAID "HI"`, "A,B", "COFFEE"}).Draw(t, "category")
				row(fmt.Sprintf("e%d", o), "c", "2024-05-01", fmt.Sprintf("o%d", o), "EUR", fmt.Sprintf("p%d", l), category, "1", "5")
			}
		}
		items, err := everything(fileOf(t, "purchases", text.String(), true))
		if err != nil {
			t.Fatal(err)
		}
		arrived := map[string]bool{}
		for _, it := range items {
			if it.err != nil {
				continue
			}
			p := it.record.(*sales.Purchase)
			var o int
			fmt.Sscanf(p.OrderID, "o%d", &o)
			if len(p.Lines) != sizes[o] {
				t.Fatalf("order %d came with %d of %d lines from\n%s", o, len(p.Lines), sizes[o], text.String())
			}
			arrived[p.OrderID] = true
		}
		for o, bad := range spoilt {
			if !bad && !arrived[fmt.Sprintf("o%d", o)] {
				t.Fatalf("order %d is missing from\n%s\n%s", o, text.String(), told(items))
			}
		}
	})
}

// The merge against sorting everything: files in time order come out in time order, ties by file.
func TestEventsOfAllFilesComeInTimeOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type event struct {
			file, at, line int
			bad            bool
		}
		var want []event
		var sources []*source
		for f := range rapid.IntRange(1, 4).Draw(t, "files") {
			times := rapid.SliceOfN(rapid.IntRange(1, 50), 0, 300).Draw(t, "times")
			slices.Sort(times)
			var text strings.Builder
			for i, at := range times {
				millis := sales.Millis(1_700_000_000_000 + at)
				fmt.Fprintf(&text, `{"event_id":"%d","customer_id":"c","occurred_at":%d,"kind":"visit"}`+"\n", i, millis)
				want = append(want, event{file: f, at: at, line: i + 1})
			}
			sources = append(sources, fileOf(t, "touchpoints", text.String(), false))
		}
		slices.SortStableFunc(want, func(a, b event) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.file, b.file)) })
		var got []event
		err := each(t.Context(), sources, 0, func(it item) error {
			got = append(got, event{file: slices.Index(sources, it.source), at: int(it.at - 1_700_000_000_000), line: it.line, bad: it.err != nil})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %v\nwant %v", got, want)
		}
	})
}

func TestPaceFollowsRateAndEventTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		p := pace{rate: 10}
		for range 21 {
			if err := p.wait(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("21 records at 10/s took %s", took)
		}
		began = time.Now()
		p = pace{speedup: 3600}
		for _, at := range []sales.Millis{0, 1_000_000, 1_000_000 + 3_600_000, 1_000_000 + 7_200_000, 1_000_000} {
			if err := p.wait(t.Context(), at); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("two hours at 3,600 took %s", took)
		}
	})
}

func TestWeeksBetweenNeverPassesNow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		newest := time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "newest"))
		now := time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "now"))
		weeks := WeeksBetween(newest, now)
		moved := newest.Add(time.Duration(weeks) * 7 * 24 * time.Hour)
		if moved.After(now) || now.Sub(moved) >= 7*24*time.Hour {
			t.Fatalf("%s moved by %d weeks is %s, now is %s", newest, weeks, moved, now)
		}
	})
}

func TestProgressIsWorded(t *testing.T) {
	for want, s := range map[string]standing{
		"1,200 sent, 120/s, 25%, 30s left":       {sent: 1200, share: 0.25},
		"1,000,000 sent, 100,000/s, 12 rejected": {sent: 1_000_000, rejected: 12, share: -1},
	} {
		if got := s.line(10 * time.Second); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// FuzzRead: whatever the bytes are, reading ends without a panic, and each item has a record or a reason.
func FuzzRead(f *testing.F) {
	f.Add([]byte("order_id,customer_id\no1,c1\no1,\"c\n1\"\n"), true)
	f.Add([]byte(`{"event_id":"e1","customer_id":"c1"}`+"\n{"), false)
	f.Add([]byte{0x1f, 0x8b, 8, 0}, false)
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0}, true)
	f.Fuzz(func(t *testing.T, text []byte, isCSV bool) {
		items, _ := everything(fileOf(t, "purchases", string(text), isCSV, "id=order_id", "sku=product_id"))
		for _, it := range items {
			if (it.record == nil) == (it.err == nil) || it.line < 1 {
				t.Fatalf("%+v", it)
			}
		}
	})
}
