package window

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sort"

	"leadline/internal/sales"
)

// Past is what is kept of an item once its days have been trimmed: of paid purchases only, and of those since the item was last not
// bought for longer than a window.
type Past struct {
	Item ItemID
	Days uint32 // on which it was bought
	Last sales.Day
}

// maxPast is how many items a window remembers so. Beyond it those bought last on the earliest day are forgotten, all of them, because an
// order among them would be the dictionary's.
const maxPast = 2_048

// Past gives the items that were bought on days which have been trimmed, by item. The slice is the window's own.
func (w *Window) Past() []Past { return w.past }

// ForgetPast forgets what it tells.
func (w *Window) ForgetPast() { w.past = nil }

// fold takes lines that are about to be trimmed into the past, day by day, so that it comes to the same whether they are trimmed at once
// or bit by bit.
func (w *Window) fold(lines []Line, days sales.Day) {
	for i := 0; i < len(lines); {
		day := lines[i].Day
		for ; i < len(lines) && lines[i].Day == day; i++ {
			if lines[i].AmountMinor > 0 {
				w.foldOne(lines[i].Item, day, days)
			}
		}
		for len(w.past) > maxPast {
			w.forgetThrough(slices.MinFunc(w.past, byLast).Last)
		}
	}
}

func (w *Window) foldOne(item ItemID, day, days sales.Day) {
	at := sort.Search(len(w.past), func(i int) bool { return w.past[i].Item >= item })
	if at == len(w.past) || w.past[at].Item != item {
		w.past = insert(w.past, at, Past{Item: item, Days: 1, Last: day})
		return
	}
	p := &w.past[at]
	if day-p.Last > days { // fold by fold it would have been forgotten by now
		p.Days = 0
	}
	p.Days, p.Last = p.Days+1, day
}

// forgetThrough forgets the items that were not bought after the day.
func (w *Window) forgetThrough(day sales.Day) {
	w.past = slices.DeleteFunc(w.past, func(p Past) bool { return p.Last <= day })
}

func byLast(a, b Past) int { return cmp.Compare(a.Last, b.Last) }

// appendPast encodes the past:
//
//	items | day of the newest | item = distance to the item before ×2 (+1 when bought on several days) | days − 2 | distance to the newest
func (w *Window) appendPast(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(w.past)))
	if len(w.past) == 0 {
		return dst
	}
	newest, previous := slices.MaxFunc(w.past, byLast).Last, ItemID(0)
	dst = binary.AppendVarint(dst, int64(newest))
	for _, p := range w.past {
		if p.Days == 1 {
			dst = binary.AppendUvarint(dst, uint64(p.Item-previous)<<1)
		} else {
			dst = binary.AppendUvarint(dst, uint64(p.Item-previous)<<1|1)
			dst = binary.AppendUvarint(dst, uint64(p.Days-2))
		}
		dst = binary.AppendUvarint(dst, uint64(newest-p.Last))
		previous = p.Item
	}
	return dst
}
