package window

import (
	"cmp"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"leadline/internal/sales"
)

// Line is all that was bought of one item on one day. Count is in units, at least 1; AmountMinor is at least 0.
type Line struct {
	Day         sales.Day
	Item        ItemID
	Count       int64
	AmountMinor int64
}

// Order is the trace of one purchase event: enough to know it again and, for an order, to find its day when a refund names it.
type Order struct {
	Day    sales.Day
	Refund bool
	Event  uint64 // 40 bits of the event_id's hash
	Number uint32 // 24 bits of the order_id's hash; 0 for a refund
}

// Touch is how often the customer was touched in one way, about one category or none, on one day.
type Touch struct {
	Day   sales.Day
	Kind  sales.TouchKind
	About ItemID // the item that stands for the category, NoItem for none
	Count uint32
}

// NoItem is the item of a touch that is about no category.
const NoItem = ItemID(math.MaxUint32)

// Purchase names the newest purchase event of the window: the evidence for what only time can decide. The zero Purchase is none.
type Purchase struct {
	Event     uint64 // EventHash of its event_id, which itself would take a tenth of the blob
	At        sales.Millis
	Partition int32
	Offset    int64
}

// recentTouches is how many touch events a customer remembers to know a redelivered one.
const recentTouches = 64

// Window is one customer's history. The zero Window is empty.
type Window struct {
	currency string
	orders   []Order  // by day, within a day orders before refunds, then by arrival
	lines    []Line   // by (day, item)
	touches  []Touch  // by (day, kind, about)
	past     []Past   // by item
	recent   []uint32 // 24 bits of the last touches' hashes, oldest first
	last     Purchase
}

// EventHash is what an order is known by: 40 bits, so that the chance that one of a customer's hundreds of orders is taken for
// another is below one in a thousand million.
func EventHash(eventID string) uint64 { return xxhash.Sum64String(eventID) & (1<<40 - 1) }

// Lot makes a lot in 0..1 of what an order is known by.
func Lot(event uint64) float64 { return float64(event) / (1 << 40) }

// OrderHash is what a refund finds its order by.
func OrderHash(orderID string) uint32 { return uint32(xxhash.Sum64String(orderID) & (1<<24 - 1)) }

// TouchHash is what a touch is known by among a customer's last 64.
func TouchHash(eventID string) uint32 { return uint32(xxhash.Sum64String(eventID) >> 40) }

// Empty tells whether nothing at all is kept.
func (w *Window) Empty() bool { return len(w.orders) == 0 && len(w.lines) == 0 && len(w.touches) == 0 }

// Currency is that of all amounts, empty before the first purchase.
func (w *Window) Currency() string { return w.currency }

// SetCurrency fixes the currency; it is forgotten again when the last order is trimmed.
func (w *Window) SetCurrency(c string) { w.currency = c }

// Last is the newest purchase by event time, of equal ones the later arrival; the zero Purchase when there is none.
func (w *Window) Last() Purchase { return w.last }

// Lines gives the kept lines by (day, item). The slice is the window's own: read it before the next change.
func (w *Window) Lines() []Line { return w.lines }

// Orders gives the kept orders and refunds by day. The slice is the window's own.
func (w *Window) Orders() []Order { return w.orders }

// Touches gives the kept touches by (day, kind, about). The slice is the window's own.
func (w *Window) Touches() []Touch { return w.touches }

// Seen tells whether the purchase event is among the kept days'.
func (w *Window) Seen(event uint64) bool {
	for i := len(w.orders) - 1; i >= 0; i-- { // newest first: redeliveries mostly are of the recent past
		if w.orders[i].Event == event {
			return true
		}
	}
	return false
}

// AddOrder keeps the trace of an order or refund.
func (w *Window) AddOrder(o Order) {
	i := len(w.orders)
	for i > 0 && (w.orders[i-1].Day > o.Day || w.orders[i-1].Day == o.Day && w.orders[i-1].Refund && !o.Refund) {
		i--
	}
	w.orders = insert(w.orders, i, o)
}

// SetLast notes the newest purchase if it is.
func (w *Window) SetLast(p Purchase) {
	if p.At >= w.last.At {
		w.last = p
	}
}

// Add buys count units of the item on the day. Sums beyond 63 bits stay at the largest.
func (w *Window) Add(day sales.Day, item ItemID, count, amountMinor int64) {
	i, found := w.find(day, item)
	if !found {
		w.lines = insert(w.lines, i, Line{Day: day, Item: item, Count: count, AmountMinor: amountMinor})
		return
	}
	l := &w.lines[i]
	l.Count, l.AmountMinor = addSaturating(l.Count, count), addSaturating(l.AmountMinor, amountMinor)
}

// TakeBack undoes the purchase of count units of the item on the day, never below zero. An item of which no unit is left is no
// longer held: then after is all zero. Without anything to take from, found is false.
func (w *Window) TakeBack(day sales.Day, item ItemID, count, amountMinor int64) (before, after Line, found bool) {
	i, found := w.find(day, item)
	if !found {
		return Line{}, Line{}, false
	}
	l := &w.lines[i]
	before = *l
	if l.Count <= count {
		w.lines = slices.Delete(w.lines, i, i+1)
		return before, Line{}, true
	}
	l.Count, l.AmountMinor = l.Count-count, max(0, l.AmountMinor-amountMinor)
	return before, *l, true
}

// OrderDay finds the day of the order with the hash of OrderHash; of several the newest.
func (w *Window) OrderDay(number uint32) (sales.Day, bool) {
	for i := len(w.orders) - 1; i >= 0; i-- {
		if o := w.orders[i]; !o.Refund && o.Number == number {
			return o.Day, true
		}
	}
	return 0, false
}

// SeenTouch tells whether the touch is among the last 64.
func (w *Window) SeenTouch(hash uint32) bool { return slices.Contains(w.recent, hash) }

// AddTouch counts a touch and tells whether it is a new one: one among the last 64 changes nothing.
func (w *Window) AddTouch(day sales.Day, kind sales.TouchKind, about ItemID, hash uint32) bool {
	if w.SeenTouch(hash) {
		return false
	}
	if len(w.recent) == recentTouches {
		w.recent = slices.Delete(w.recent, 0, 1)
	}
	w.recent = append(w.recent, hash)
	t := Touch{Day: day, Kind: kind, About: about, Count: 1}
	i, found := slices.BinarySearchFunc(w.touches, t, compareTouches)
	if !found {
		w.touches = insert(w.touches, i, t)
	} else if w.touches[i].Count < math.MaxUint32 {
		w.touches[i].Count++
	}
	return true
}

// Trim forgets the days up to and including through, but for what Past remembers of them: items that were bought on those days, until their
// last purchase is more than another so many days ago; and of touches about something that go on, without a pause of so many days, the last. Of a
// customer of whose purchases nothing else is left it remembers none.
func (w *Window) Trim(through sales.Day, remembered int) {
	orders, lines := w.ordersAfter(through), w.linesAfter(through)
	w.fold(w.lines[:lines], sales.Day(remembered))
	w.forgetThrough(through - sales.Day(remembered) - 1)
	w.orders = slices.Delete(w.orders, 0, orders)
	w.lines = slices.Delete(w.lines, 0, lines)
	w.trimTouches(through, sales.Day(remembered))
	if len(w.orders) == 0 && len(w.lines) == 0 {
		w.currency, w.last, w.past = "", Purchase{}, nil
	}
	if len(w.touches) == 0 {
		w.recent = w.recent[:0]
	}
}

// trimTouches forgets touches, but for the last one about something before each of those that are kept, if it is less than so many days before:
// else a touch that goes on would look like one that began when memory does.
func (w *Window) trimTouches(through, days sales.Day) {
	old := w.touchesAfter(through)
	if old == 0 {
		return
	}
	kept := w.touches[:0]
	for i, t := range w.touches[:old] {
		later := w.touches[i+1:]
		next := slices.IndexFunc(later, func(o Touch) bool { return o.Kind == t.Kind && o.About == t.About })
		if next >= 0 && t.About != NoItem && later[next].Day > through && later[next].Day-t.Day < days {
			kept = append(kept, t)
		}
	}
	w.touches = append(kept, w.touches[old:]...)
}

// find is where the line of the day and item is or belongs. Most changes are at the newest day, so it looks from there.
func (w *Window) find(day sales.Day, item ItemID) (int, bool) {
	i := len(w.lines)
	for i > 0 && (w.lines[i-1].Day > day || w.lines[i-1].Day == day && w.lines[i-1].Item > item) {
		i--
	}
	if i > 0 && w.lines[i-1].Day == day && w.lines[i-1].Item == item {
		return i - 1, true
	}
	return i, false
}

func compareTouches(a, b Touch) int {
	return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.About, b.About))
}

// insert makes a full list longer by a quarter, where append would double it: there are very many short ones.
func insert[T any](list []T, at int, v T) []T {
	if len(list) == cap(list) {
		list = append(make([]T, 0, len(list)+len(list)/4+2), list...)
	}
	return slices.Insert(list, at, v)
}

// addSaturating adds two numbers that are not negative.
func addSaturating(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
