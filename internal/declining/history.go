package declining

import (
	"encoding/binary"
	"math"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// History is a customer's kept purchases, packed: a seventh of the window's memory, and counted in a fraction of a microsecond. Per day with
// orders or lines
//
//	distance to the day before | orders | categories | per category: number in the shard's dictionary, amount
//
// each a varint. It takes about four bytes a category and day. What a window of at most 40,000 entries packs into is bounded with it.
type History string

// Packer packs windows one after the other into one piece of memory. The zero Packer is ready.
type Packer struct {
	buf        []byte
	categories []amount
}

type amount struct {
	category int32
	minor    int64
}

// Pack packs a window whose items are ids of the dictionary. Categories keep the dictionary's numbers, which never change.
func (p *Packer) Pack(w *window.Window, items *window.Items) History {
	p.buf = p.buf[:0]
	orders, lines := w.Orders(), w.Lines()
	day := sales.Day(0)
	for len(orders) > 0 || len(lines) > 0 {
		next := sales.Day(math.MaxInt32)
		if len(orders) > 0 {
			next = orders[0].Day
		}
		if len(lines) > 0 {
			next = min(next, lines[0].Day)
		}
		n := uint64(0)
		for ; len(orders) > 0 && orders[0].Day == next; orders = orders[1:] {
			if !orders[0].Refund {
				n++
			}
		}
		p.categories = p.categories[:0]
		for ; len(lines) > 0 && lines[0].Day == next; lines = lines[1:] {
			p.add(items.Category(lines[0].Item), lines[0].AmountMinor)
		}
		if n == 0 && len(p.categories) == 0 {
			continue // a refund alone
		}
		p.buf = binary.AppendVarint(p.buf, int64(next-day))
		p.buf = binary.AppendUvarint(p.buf, n)
		p.buf = binary.AppendUvarint(p.buf, uint64(len(p.categories)))
		for _, c := range p.categories {
			p.buf = binary.AppendUvarint(p.buf, uint64(c.category))
			p.buf = binary.AppendUvarint(p.buf, uint64(c.minor))
		}
		day = next
	}
	return History(p.buf)
}

// add sums the items of one category, which are next to each other or nearly.
func (p *Packer) add(category int32, minor int64) {
	for i := len(p.categories) - 1; i >= 0; i-- {
		if p.categories[i].category == category {
			p.categories[i].minor = saturating(p.categories[i].minor, minor)
			return
		}
	}
	p.categories = append(p.categories, amount{category, minor})
}

// saturating adds two amounts that are not negative.
func saturating(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// allCategories stands for no number of a dictionary.
const allCategories = int32(-1)

// visit gives each day on which something of the category was bought, and each day with orders when all categories are asked for.
func (h History) visit(category int32, each func(day sales.Day, orders int32, bought bool, minor int64)) {
	day := sales.Day(0)
	for at := 0; at < len(h); {
		day += sales.Day(unzigzag(h.uvarint(&at)))
		orders, n := int32(h.uvarint(&at)), int(h.uvarint(&at))
		bought, sum := false, int64(0)
		for range n {
			c, minor := int32(h.uvarint(&at)), int64(h.uvarint(&at))
			if category == allCategories || c == category {
				bought, sum = true, saturating(sum, minor)
			}
		}
		if category != allCategories {
			orders = 0
		}
		if bought || orders > 0 {
			each(day, orders, bought, sum)
		}
	}
}

// uvarint reads what Pack wrote: a History is made by nobody else, so there is nothing to check.
func (h History) uvarint(at *int) uint64 {
	b := h[*at]
	*at++
	if b < 0x80 {
		return uint64(b)
	}
	v := uint64(b & 0x7f)
	for shift := 7; ; shift += 7 {
		b = h[*at]
		*at++
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return v
		}
	}
}

func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }
