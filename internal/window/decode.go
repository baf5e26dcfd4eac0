package window

import (
	"math"

	"leadline/internal/sales"
)

var touchKinds = len(sales.TouchKinds())

// Decode reads a window from the front of b and gives the rest. Its items must be ids of the dictionary. A broken encoding
// is ErrCorrupt.
func Decode(b []byte, items *Items) (*Window, []byte, error) {
	w := &Window{}
	rest, err := new(Decoder).Decode(w, b, items)
	if err != nil {
		return nil, nil, err
	}
	return w, rest, nil
}

// Decoder decodes windows one after the other with little garbage: how long a window's lists are shows only at their end, so it
// collects them in memory of its own. The zero Decoder is ready.
type Decoder struct {
	orders  []Order
	lines   []Line
	touches []Touch
	past    []Past
}

// Room for what is about to be added to a window that was just decoded.
const (
	roomForOrders = 2
	roomForLines  = 12
)

// Decode is the function Decode into a window that is given.
func (x *Decoder) Decode(w *Window, b []byte, items *Items) (rest []byte, err error) {
	return x.decode(w, b, items, (*decoder).window)
}

// DecodeV2 reads a window of blobs of version 2, which had no past.
func (x *Decoder) DecodeV2(w *Window, b []byte, items *Items) (rest []byte, err error) {
	return x.decode(w, b, items, (*decoder).windowV2)
}

// DecodeV1 reads a window of blobs of version 1.
func (x *Decoder) DecodeV1(w *Window, b []byte, items *Items) (rest []byte, err error) {
	return x.decode(w, b, items, (*decoder).windowV1)
}

func (x *Decoder) decode(w *Window, b []byte, items *Items, window func(*decoder)) (rest []byte, err error) {
	d := decoder{reader: reader{b: b}, items: uint64(items.Len())}
	d.w = Window{orders: x.orders[:0], lines: x.lines[:0], touches: x.touches[:0], past: x.past[:0]}
	window(&d)
	x.orders, x.lines, x.touches, x.past = d.w.orders, d.w.lines, d.w.touches, d.w.past
	if d.bad {
		return nil, ErrCorrupt
	}
	*w = d.w
	w.orders, w.lines, w.touches = own(d.w.orders, roomForOrders), own(d.w.lines, roomForLines), own(d.w.touches, 0)
	w.past = own(d.w.past, 0)
	return d.b, nil
}

// own copies a list, with room for more. An empty one stays nil.
func own[T any](list []T, room int) []T {
	if len(list) == 0 {
		return nil
	}
	return append(make([]T, 0, len(list)+room), list...)
}

type decoder struct {
	reader
	w     Window
	items uint64
}

func (d *decoder) window() {
	d.windowV2()
	d.past()
}

func (d *decoder) windowV2() {
	d.w.currency = d.name()
	d.days()
	d.last()
	d.recent()
}

// windowV1 is a window in which the last purchase stood before the days, written out in full.
func (d *decoder) windowV1() {
	d.w.currency = d.name()
	var last Purchase
	if last.At = sales.Millis(d.varint(-farthest, farthest)); last.At != 0 {
		last.Event = d.number(eventBytes)
		last.Partition = int32(d.uvarint(math.MaxInt32))
		last.Offset = int64(d.uvarint(math.MaxInt64))
	}
	d.days()
	d.w.last = last
	d.recent()
}

func (d *decoder) days() {
	day := int64(0)
	for i := range d.count(2) {
		step := d.varint(-maxDay, maxDay)
		if day += step; i > 0 && step <= 0 || day > maxDay || day < -maxDay {
			d.fail()
		}
		d.day(sales.Day(day))
	}
}

func (d *decoder) recent() {
	if n := d.count(touchBytes); n > recentTouches {
		d.fail()
	} else if n > 0 {
		d.w.recent = make([]uint32, 0, n)
		for range n {
			d.w.recent = append(d.w.recent, uint32(d.number(touchBytes)))
		}
	}
}

func (d *decoder) last() {
	place := d.uvarint(uint64(len(d.w.orders) + 1))
	if place == 0 {
		return
	}
	l, from := &d.w.last, sales.Millis(0)
	if place == 1 {
		l.Event = d.number(eventBytes)
	} else {
		o := d.w.orders[len(d.w.orders)+1-int(place)]
		l.Event, from = o.Event, dayStart(o.Day)
	}
	l.At = from + sales.Millis(d.varint(-2*farthest, 2*farthest))
	if l.At > farthest || l.At < -farthest {
		d.fail()
	}
	l.Partition = int32(d.uvarint(math.MaxInt32))
	l.Offset = int64(d.uvarint(math.MaxInt64))
}

func (d *decoder) day(day sales.Day) {
	head := d.byte()
	lines := d.more(int(head&headLines), headLines, 2)
	orders := d.more(int(head>>4&headOrders), headOrders, eventBytes+numberBytes)
	for range orders {
		d.w.orders = append(d.w.orders, Order{Day: day, Event: d.number(eventBytes), Number: uint32(d.number(numberBytes))})
	}
	if head&hasRefunds != 0 {
		for range d.count(eventBytes) {
			d.w.orders = append(d.w.orders, Order{Day: day, Refund: true, Event: d.number(eventBytes)})
		}
	}
	d.lines(day, lines)
	if head&hasTouches != 0 {
		d.touches(day)
	}
}

func (d *decoder) lines(day sales.Day, n int) {
	item := uint64(0)
	for i := range n {
		v := d.uvarint(math.MaxUint32 << 1)
		if item += v >> 1; item >= d.items || i > 0 && v>>1 == 0 {
			d.fail()
			return
		}
		count := int64(1)
		if v&1 != 0 {
			count = int64(d.uvarint(math.MaxInt64-2)) + 2
		}
		d.w.lines = append(d.w.lines, Line{Day: day, Item: ItemID(item), Count: count, AmountMinor: int64(d.uvarint(math.MaxInt64))})
	}
}

func (d *decoder) touches(day sales.Day) {
	for range d.count(3) {
		t := Touch{Day: day, Kind: sales.TouchKind(d.byte())}
		t.About = ItemID(d.uvarint(d.items)) - 1
		t.Count = uint32(d.uvarint(math.MaxUint32))
		if int(t.Kind) >= touchKinds || t.Count == 0 {
			d.fail()
			return
		}
		if n := len(d.w.touches); n > 0 && compareTouches(d.w.touches[n-1], t) >= 0 {
			d.fail()
			return
		}
		d.w.touches = append(d.w.touches, t)
	}
}

// more reads a count whose field in the head was full. A count that the rest of the input cannot hold is a defect.
func (d *decoder) more(n, full, size int) int {
	if n == full {
		n += d.count(size)
	}
	if n*size > len(d.b) {
		d.fail()
		return 0
	}
	return n
}

func (d *decoder) past() {
	n := d.count(2)
	if n > maxPast {
		d.fail()
	}
	if n == 0 || d.bad {
		return
	}
	newest, item := d.varint(-maxDay, maxDay), uint64(0)
	for i := range n {
		v := d.uvarint(math.MaxUint32 << 1)
		if item += v >> 1; item >= d.items || i > 0 && v>>1 == 0 {
			d.fail()
			return
		}
		p := Past{Item: ItemID(item), Days: 1}
		if v&1 != 0 {
			p.Days = uint32(d.uvarint(math.MaxUint32-2)) + 2
		}
		p.Last = sales.Day(newest - int64(d.uvarint(maxDay)))
		d.w.past = append(d.w.past, p)
	}
}
