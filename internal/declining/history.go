package declining

import (
	"encoding/binary"
	"math"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// History is a customer's kept purchases, packed: a fraction of the window's memory, and counted in a fraction of a microsecond. Days with
// orders or lines stand first, with all that questions about all categories ask, then what was bought of each category on them:
//
//	length of the days
//	day   = distance to the day before | orders ×2 (+1 when something was bought) | amount of all categories, if something was bought
//	lines = of each day on which something was bought: categories | per category: number in the shard's dictionary, amount
//
// each a varint: about five bytes a day and three to four a category and day. What a window of at most 40,000 entries packs into is bounded with it.
type History string

// Packer packs windows one after the other into one piece of memory. The zero Packer is ready.
type Packer struct {
	days, lines []byte
	whole       []byte
	categories  []amount
}

type amount struct {
	category int32
	minor    int64
}

// Pack packs a window whose items are ids of the dictionary. Categories keep the dictionary's numbers, which never change.
func (p *Packer) Pack(w *window.Window, items *window.Items) History {
	p.days, p.lines = p.days[:0], p.lines[:0]
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
		sum := int64(0)
		for ; len(lines) > 0 && lines[0].Day == next; lines = lines[1:] {
			p.add(items.Category(lines[0].Item), lines[0].AmountMinor)
			sum = saturating(sum, lines[0].AmountMinor)
		}
		if n == 0 && len(p.categories) == 0 {
			continue // a refund alone
		}
		p.day(next-day, n, sum)
		day = next
	}
	if len(p.days) == 0 {
		return ""
	}
	p.whole = binary.AppendUvarint(p.whole[:0], uint64(len(p.days)))
	p.whole = append(append(p.whole, p.days...), p.lines...)
	return History(p.whole)
}

// day packs one day, whose categories are in p.categories.
func (p *Packer) day(distance sales.Day, orders uint64, sum int64) {
	p.days = binary.AppendVarint(p.days, int64(distance))
	if len(p.categories) == 0 {
		p.days = binary.AppendUvarint(p.days, orders<<1)
		return
	}
	p.days = binary.AppendUvarint(p.days, orders<<1|1)
	p.days = binary.AppendUvarint(p.days, uint64(sum))
	p.lines = binary.AppendUvarint(p.lines, uint64(len(p.categories)))
	for _, c := range p.categories {
		p.lines = binary.AppendUvarint(p.lines, uint64(c.category))
		p.lines = binary.AppendUvarint(p.lines, uint64(c.minor))
	}
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
	if h == "" {
		return
	}
	at := 0
	end := int(h.uvarint(&at))
	end += at
	day, lines := sales.Day(0), end
	for at < end {
		day += sales.Day(unzigzag(h.uvarint(&at)))
		orders := h.uvarint(&at)
		bought, sum := orders&1 != 0, int64(0)
		if bought {
			sum = int64(h.uvarint(&at))
		}
		if category == allCategories {
			each(day, int32(orders>>1), bought, sum)
			continue
		}
		if bought {
			if bought, sum = h.of(category, &lines); bought {
				each(day, 0, true, sum)
			}
		}
	}
}

// of reads a day's lines, and gives the category's.
func (h History) of(category int32, lines *int) (bought bool, minor int64) {
	for range int(h.uvarint(lines)) {
		c, amount := int32(h.uvarint(lines)), int64(h.uvarint(lines))
		if c == category {
			bought, minor = true, amount
		}
	}
	return bought, minor
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
