package engine

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// recordLimit is what a Kafka record may be large by default, less its key and envelope.
const recordLimit = 1_000_000 - 100_000

// TestHostileCustomer: one customer whose every order, line and touch takes as much room as it can. Its blob stays below what a Kafka record
// takes; what goes beyond is refused with the bound, and half a year later there is room again.
func TestHostileCustomer(t *testing.T) {
	t.Parallel()
	r := newRig(t, emptyKnowledge())
	for i := range window.MaxItems / 2 { // ids that take three bytes
		if _, err := r.shard.items.ID(window.Item{Category: fmt.Sprint("far ", i)}); err != nil {
			t.Fatal(err)
		}
	}
	profile := sales.Event{Kind: sales.CustomerEvent, Customer: &sales.Customer{CustomerID: "bot", OwnerID: strings.Repeat("o", 256)}}
	events := []sales.Event{profile}
	for day := range 200 {
		at := noon + sales.Millis(day)*sales.DayMillis
		events = append(events, hostileOrder(at, fmt.Sprint("o", day)))
		for i := range 40 {
			touch := touched("bot", at, fmt.Sprint("t", day, "-", i))
			touch.Touchpoint.Kind, touch.Touchpoint.Category = sales.TouchSupport, fmt.Sprint("item ", i%240)
			events = append(events, touch)
		}
	}
	r.step(events[:len(events)/2], 0)
	half := r.decisions[0]
	if len(half.Rejected) == 0 {
		t.Fatal("everything was taken")
	}
	for _, rejected := range half.Rejected {
		if rejected.Class != sales.DeadTooLarge || !strings.Contains(rejected.Reason, "40000") {
			t.Fatalf("refused with %+v", rejected)
		}
	}
	size := len(half.Changes[0].Blob)
	if kept := r.shard.cache.entries["bot"].state.Window.Entries(math.MinInt32); kept > maxKept || kept < maxKept-1_000 {
		t.Errorf("%d entries kept", kept)
	}
	if size < recordLimit/2 || size > recordLimit {
		t.Errorf("a blob of %d bytes", size)
	}
	t.Logf("%d bytes", size)
	r.step(events[len(events)/2:], 0)
	later := hostileOrder(noon+400*sales.DayMillis, "later")
	if d := r.step([]sales.Event{later}, 0); len(d.Rejected) != 0 {
		t.Errorf("half a year later: %+v", d.Rejected)
	}
	long := hostileOrder(noon+401*sales.DayMillis, "long")
	for len(long.Purchase.Lines) <= maxLines {
		long.Purchase.Lines = append(long.Purchase.Lines, long.Purchase.Lines[0])
	}
	d := r.step([]sales.Event{long}, 0)
	if len(d.Rejected) != 1 || d.Rejected[0].Class != sales.DeadTooLarge || len(d.Changes) != 0 {
		t.Errorf("an order of %d lines: %+v", len(long.Purchase.Lines), d.Rejected)
	}
}

// TestLargestBlob: the bound on entries is one on bytes, whatever the entries are.
func TestLargestBlob(t *testing.T) {
	t.Parallel()
	owner := strings.Repeat("o", 256)
	lines := Customer{CSN: math.MaxInt64, Day: 20_000, LookDay: 20_007, OwnerID: owner}
	orders := lines
	for i := range maxKept {
		day := sales.Day(19_815 + i/217)
		lines.Window.Add(day, window.ItemID(i%217*300), math.MaxInt64, math.MaxInt64)
		orders.Window.AddOrder(window.Order{Day: day, Event: 1<<40 - 1, Number: 1<<24 - 1})
		for _, kind := range []sales.AlertKind{sales.CrossSell, sales.Upsell} { // an order leads to one of each at most
			orders.Said = append(orders.Said, Said{Kind: kind, Item: 60_000, Day: day})
		}
	}
	for item := range window.ItemID(300) {
		orders.Window.Add(19_000, window.MaxItems-1-3*item, 1, 1)
	}
	orders.Window.Trim(19_000, 180)
	for what, c := range map[string]*Customer{"lines": &lines, "orders": &orders} {
		if n := len(EncodeCustomer(nil, c)); n > recordLimit {
			t.Errorf("%s: %d bytes", what, n)
		}
	}
}

// hostileOrder has 600 lines, whose counts and amounts take as many bytes as there are.
func hostileOrder(at sales.Millis, event string) sales.Event {
	e := buy("bot", at, event)
	for i := range 600 {
		e.Purchase.Lines = append(e.Purchase.Lines, sales.Line{Category: fmt.Sprint("item ", i), Quantity: math.MaxInt32, AmountMinor: math.MaxInt64})
	}
	return e
}

// TestManyItemsMakeNoPairs: whoever holds more items than anybody would is counted among the holders of each, and in no pair; with
// fewer again, in all of them.
func TestManyItemsMakeNoPairs(t *testing.T) {
	t.Parallel()
	r := newRig(t, emptyKnowledge())
	sums := func(d Decision) (holders, pairs int) {
		for _, c := range d.Tallies[0].Cells {
			switch {
			case c.Col == "" && c.Row != "":
				holders += int(c.N)
			case c.Col != "" && c.Col[0] != 1:
				pairs += int(c.N)
			}
		}
		return holders, pairs
	}
	names := func(from, to int) (list []string) {
		for i := from; i < to; i++ {
			list = append(list, fmt.Sprint("item ", i))
		}
		return list
	}
	const pairsOf1000 = 1000 * 999 / 2
	for _, c := range []struct {
		event          sales.Event
		holders, pairs int
	}{
		{buy("bot", noon, "1", names(0, 100)...), 100, 100 * 99 / 2},
		{buy("bot", noon+100*sales.DayMillis, "2", names(100, 1000)...), 900, pairsOf1000 - 100*99/2},
		{buy("bot", noon+101*sales.DayMillis, "3", "one more"), 1, -pairsOf1000},
		{buy("bot", noon+200*sales.DayMillis, "4", "one more"), -100, 901 * 900 / 2},
		{buy("bot", noon+285*sales.DayMillis, "5", "one more"), -900, -901 * 900 / 2},
	} {
		if holders, pairs := sums(r.step([]sales.Event{c.event}, 0)); holders != c.holders || pairs != c.pairs {
			t.Errorf("order %s: %d holders and %d pairs more, want %d and %d", c.event.Purchase.EventID, holders, pairs, c.holders, c.pairs)
		}
	}
}
