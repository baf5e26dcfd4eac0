package window

import (
	"encoding/binary"
	"math"
	"slices"

	"leadline/internal/sales"
)

// The encoding is day-major, because a day's number and the distance between ids inside it are small:
//
//	currency | days | last purchase | recent touches
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
	return dst
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
	at := len(dst)
	dst = append(dst, 0)
	days := uint64(0)
	previous := sales.Day(0)
	for rest := (dayView{w.orders, w.lines, w.touches}); ; days++ {
		day, ok := rest.first()
		if !ok {
			break
		}
		dst = binary.AppendVarint(dst, int64(day-previous))
		dst = rest.cut(day).append(dst)
		previous = day
	}
	if days < 0x80 {
		dst[at] = byte(days)
		return dst
	}
	return slices.Replace(dst, at, at+1, binary.AppendUvarint(nil, days)...)
}

// dayView is a stretch of a window's days.
type dayView struct {
	orders  []Order
	lines   []Line
	touches []Touch
}

// first is the earliest day of the stretch.
func (v *dayView) first() (sales.Day, bool) {
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
	return day, len(v.orders)+len(v.lines)+len(v.touches) > 0
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

func (v dayView) append(dst []byte) []byte {
	refunds := 0
	for _, o := range v.orders {
		if o.Refund {
			refunds++
		}
	}
	orders := len(v.orders) - refunds
	head := byte(min(len(v.lines), headLines)) | byte(min(orders, headOrders))<<4
	if refunds > 0 {
		head |= hasRefunds
	}
	if len(v.touches) > 0 {
		head |= hasTouches
	}
	dst = append(dst, head)
	dst = appendMore(dst, len(v.lines), headLines)
	dst = appendMore(dst, orders, headOrders)
	for _, o := range v.orders {
		if !o.Refund {
			dst = binary.LittleEndian.AppendUint64(dst, o.Event|uint64(o.Number)<<(8*eventBytes))
		}
	}
	if refunds > 0 {
		dst = binary.AppendUvarint(dst, uint64(refunds))
		for _, o := range v.orders {
			if o.Refund {
				dst = appendNumber(dst, o.Event, eventBytes)
			}
		}
	}
	return v.appendTouches(v.appendLines(dst))
}

func (v dayView) appendLines(dst []byte) []byte {
	previous := ItemID(0)
	for _, l := range v.lines {
		several := uint64(0)
		if l.Count != 1 {
			several = 1
		}
		dst = binary.AppendUvarint(dst, uint64(l.Item-previous)<<1|several)
		if several == 1 {
			dst = binary.AppendUvarint(dst, uint64(l.Count-2))
		}
		dst = binary.AppendUvarint(dst, uint64(l.AmountMinor))
		previous = l.Item
	}
	return dst
}

func (v dayView) appendTouches(dst []byte) []byte {
	if len(v.touches) == 0 {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(len(v.touches)))
	for _, t := range v.touches {
		dst = append(dst, byte(t.Kind))
		dst = binary.AppendUvarint(dst, uint64(t.About+1)) // NoItem is 0
		dst = binary.AppendUvarint(dst, uint64(t.Count))
	}
	return dst
}

func appendMore(dst []byte, n, full int) []byte {
	if n < full {
		return dst
	}
	return binary.AppendUvarint(dst, uint64(n-full))
}
