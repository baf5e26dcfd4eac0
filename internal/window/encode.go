package window

import (
	"encoding/binary"
	"math"
	"slices"

	"leadline/internal/sales"
)

// The encoding is day-major, because a day's number and the distance between ids inside it are small:
//
//	currency | days | last purchase | recent touches | past (see appendPast)
//	day      = distance to the day before | head | more counts | orders | refunds | lines | touches
//	head     = lines (4 bits) | orders (2) | has refunds (1) | has touches (1); a full field means "and this many more"
//	order    = 5 bytes of event hash, 3 of order hash       refund = 5 bytes of event hash
//	last     = 0 (none) | 1, event hash (its order was trimmed) | 2 + which order, from the end; then its time from that order's day,
//	           partition, offset
//	line     = distance to the item before ×2 (+1 when there are several units) | units − 2 | amount
//
// Twenty lines in seven orders take about 170 bytes.
const (
	headLines   = 15
	headOrders  = 3
	hasRefunds  = 1 << 6
	hasTouches  = 1 << 7
	eventBytes  = 5
	numberBytes = 3
	touchBytes  = 3
	maxDay      = 1 << 24 // far beyond any date that wire lets through
	farthest    = maxDay * sales.DayMillis
)

// Append encodes the window.
func (w *Window) Append(dst []byte) []byte {
	dst = appendName(dst, w.currency)
	dst = w.appendDays(dst)
	dst = w.appendLast(dst)
	dst = binary.AppendUvarint(dst, uint64(len(w.recent)))
	for _, h := range w.recent {
		dst = appendNumber(dst, uint64(h), touchBytes)
	}
	return w.appendPast(dst)
}

// appendLast names the last purchase by its order, which is one of the newest and has the event's hash and nearly its time.
func (w *Window) appendLast(dst []byte) []byte {
	if w.last == (Purchase{}) {
		return append(dst, 0)
	}
	from := sales.Millis(0)
	i := len(w.orders) - 1
	for i >= 0 && w.orders[i].Event != w.last.Event {
		i--
	}
	if i >= 0 {
		dst = binary.AppendUvarint(dst, uint64(len(w.orders)-i+1))
		from = dayStart(w.orders[i].Day)
	} else {
		dst = appendNumber(append(dst, 1), w.last.Event, eventBytes)
	}
	dst = binary.AppendVarint(dst, int64(w.last.At-from))
	dst = binary.AppendUvarint(dst, uint64(w.last.Partition))
	return binary.AppendUvarint(dst, uint64(w.last.Offset))
}

// dayStart is the day's beginning in UTC, which is near enough to save bytes in any time zone.
func dayStart(d sales.Day) sales.Millis { return sales.Millis(d) * sales.DayMillis }

// appendDays writes the number of days last, into the place kept for it, rather than going through all days twice.
func (w *Window) appendDays(dst []byte) []byte {
	at, days, previous := len(dst), uint64(0), sales.Day(0)
	rest := dayView{w.orders, w.lines, w.touches}
	entries := rest.entries()
	dst = slices.Grow(dst, 1+entries*entryBytes)
	out := writer{b: dst[:cap(dst)], n: at + 1}
	for ; entries > 0; entries = rest.entries() {
		day := rest.first()
		out.varint(int64(day - previous))
		one := rest.cut(day)
		one.write(&out)
		previous = day
		days++
	}
	dst = out.b[:out.n]
	if days < 0x80 {
		dst[at] = byte(days)
		return dst
	}
	return slices.Replace(dst, at, at+1, binary.AppendUvarint(nil, days)...)
}

// entryBytes is more than an order, line or touch takes, with a day of its own.
const entryBytes = 64

// writer writes into memory that was made large enough before.
type writer struct {
	b []byte
	n int
}

func (w *writer) uvarint(v uint64) { w.n = putUvarint(w.b, w.n, v) }

// putUvarint writes a number at a place, and gives the place after it.
func putUvarint(b []byte, at int, v uint64) int {
	for v >= 0x80 {
		b[at] = byte(v) | 0x80
		at++
		v >>= 7
	}
	b[at] = byte(v)
	return at + 1
}

func (w *writer) varint(v int64) { w.uvarint(uint64(v)<<1 ^ uint64(v>>63)) }

// number writes the n low bytes of v, least significant first. There is room for eight.
func (w *writer) number(v uint64, n int) {
	binary.LittleEndian.PutUint64(w.b[w.n:], v)
	w.n += n
}

// more writes what does not fit into a count's field in the head.
func (w *writer) more(n, full int) {
	if n >= full {
		w.uvarint(uint64(n - full))
	}
}

// dayView is a stretch of a window's days.
type dayView struct {
	orders  []Order
	lines   []Line
	touches []Touch
}

func (v *dayView) entries() int { return len(v.orders) + len(v.lines) + len(v.touches) }

// first is the earliest day of the stretch, which is not empty.
func (v *dayView) first() sales.Day {
	day := sales.Day(math.MaxInt32)
	if len(v.orders) > 0 {
		day = v.orders[0].Day
	}
	if len(v.lines) > 0 {
		day = min(day, v.lines[0].Day)
	}
	if len(v.touches) > 0 {
		day = min(day, v.touches[0].Day)
	}
	return day
}

// cut takes the first day off the stretch.
func (v *dayView) cut(day sales.Day) dayView {
	var o, l, t int
	for o < len(v.orders) && v.orders[o].Day == day {
		o++
	}
	for l < len(v.lines) && v.lines[l].Day == day {
		l++
	}
	for t < len(v.touches) && v.touches[t].Day == day {
		t++
	}
	one := dayView{v.orders[:o], v.lines[:l], v.touches[:t]}
	v.orders, v.lines, v.touches = v.orders[o:], v.lines[l:], v.touches[t:]
	return one
}

// write writes one day.
func (v *dayView) write(out *writer) {
	orders := len(v.orders)
	for orders > 0 && v.orders[orders-1].Refund { // they stand last
		orders--
	}
	refunds := v.orders[orders:]
	head := byte(min(len(v.lines), headLines)) | byte(min(orders, headOrders))<<4
	if len(refunds) > 0 {
		head |= hasRefunds
	}
	if len(v.touches) > 0 {
		head |= hasTouches
	}
	out.b[out.n] = head
	out.n++
	out.more(len(v.lines), headLines)
	out.more(orders, headOrders)
	for i := range orders {
		o := &v.orders[i]
		out.number(o.Event|uint64(o.Number)<<(8*eventBytes), eventBytes+numberBytes)
	}
	if len(refunds) > 0 {
		out.uvarint(uint64(len(refunds)))
		for i := range refunds {
			out.number(refunds[i].Event, eventBytes)
		}
	}
	v.writeLines(out)
	v.writeTouches(out)
}

func (v *dayView) writeLines(out *writer) {
	b, n, previous := out.b, out.n, ItemID(0) // in registers: this is most of an encoding
	for i := range v.lines {
		l := &v.lines[i]
		if l.Count == 1 {
			n = putUvarint(b, n, uint64(l.Item-previous)<<1)
		} else {
			n = putUvarint(b, n, uint64(l.Item-previous)<<1|1)
			n = putUvarint(b, n, uint64(l.Count-2))
		}
		n = putUvarint(b, n, uint64(l.AmountMinor))
		previous = l.Item
	}
	out.n = n
}

func (v *dayView) writeTouches(out *writer) {
	if len(v.touches) == 0 {
		return
	}
	out.uvarint(uint64(len(v.touches)))
	for i := range v.touches {
		t := &v.touches[i]
		out.b[out.n] = byte(t.Kind)
		out.n++
		out.uvarint(uint64(t.About + 1)) // NoItem is 0
		out.uvarint(uint64(t.Count))
	}
}
