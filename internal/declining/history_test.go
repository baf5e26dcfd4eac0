package declining

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// dictionary has three categories, of two types each.
func dictionary(t interface{ Fatal(...any) }) *window.Items {
	items := window.NewItems()
	for i := range 6 {
		if _, err := items.ID(window.Item{Category: fmt.Sprint("c", i%3), Type: fmt.Sprint("t", i)}); err != nil {
			t.Fatal(err)
		}
	}
	return items
}

// drawWindow draws what a customer did on the days from 20,000 on.
func drawWindow(t *rapid.T, days int) *window.Window {
	w := &window.Window{}
	for i := range rapid.IntRange(0, 25).Draw(t, "deeds") {
		day := sales.Day(20_000 + rapid.IntRange(0, days-1).Draw(t, "day"))
		trace := window.Order{Day: day, Event: uint64(i), Number: uint32(i)}
		if rapid.IntRange(0, 5).Draw(t, "refund") == 0 {
			w.TakeBack(day, window.ItemID(rapid.IntRange(0, 5).Draw(t, "item")), 1, 500)
			trace = window.Order{Day: day, Event: uint64(i), Refund: true}
		} else {
			for range rapid.IntRange(0, 4).Draw(t, "lines") {
				w.Add(day, window.ItemID(rapid.IntRange(0, 5).Draw(t, "item")), 1, rapid.Int64Range(0, 2000).Draw(t, "minor"))
			}
		}
		w.AddOrder(trace)
	}
	return w
}

// dumb counts one window of days by going through all lines and orders.
func dumb(w *window.Window, items *window.Items, days Window, category string) Tally {
	var t Tally
	seen := map[sales.Day]bool{}
	for _, l := range w.Lines() {
		if days.holds(l.Day) && (category == "" || items.Item(l.Item).Category == category) {
			seen[l.Day] = true
			t.SpentMinor += l.AmountMinor
		}
	}
	t.Days = int32(len(seen))
	for _, o := range w.Orders() {
		if days.holds(o.Day) && !o.Refund && category == "" {
			t.Orders++
		}
	}
	return t
}

// What was packed counts as the window does, for every window of days and every category.
func TestCountsAreThoseOfTheWindow(t *testing.T) {
	t.Parallel()
	items := dictionary(t)
	rapid.Check(t, func(t *rapid.T) {
		w := drawWindow(t, 40)
		at := func(name string, low, high int) sales.Day {
			return sales.Day(20_000 + rapid.IntRange(low, high).Draw(t, name))
		}
		q := &Question{Baseline: Window{at("a", -2, 10), at("b", 10, 20)}, Recent: Window{at("c", 21, 30), at("d", 30, 45)}}
		number := int32(0)
		if q.Category = rapid.SampledFrom([]string{"", "c0", "c1", "c2"}).Draw(t, "category"); q.Category != "" {
			number, _ = items.FindCategory(q.Category)
		}
		part := NewPart(q, number, 1)
		part.Add(&Customer{ID: "ann", History: new(Packer).Pack(w, items)})
		recent, baseline := dumb(w, items, q.Recent, q.Category), dumb(w, items, q.Baseline, q.Category)
		if recent.Days+baseline.Days == 0 {
			if len(part.rows) != 0 {
				t.Fatalf("a customer who bought nothing takes part: %+v", part.rows)
			}
			return
		}
		row := part.rows[0]
		if diff := cmp.Diff([]Tally{recent, baseline}, []Tally{row.Recent, row.Baseline}); diff != "" {
			t.Fatalf("-dumb +packed\n%s", diff)
		}
		last := sales.Day(0)
		for _, l := range w.Lines() {
			if q.Category == "" || items.Item(l.Item).Category == q.Category {
				last = l.Day
			}
		}
		if row.LastDay != last {
			t.Fatalf("last purchase %v, want %v", row.LastDay, last)
		}
	})
}
