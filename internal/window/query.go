package window

import (
	"slices"
	"sort"

	"leadline/internal/sales"
)

// All queries are over the half-open days (after, upTo].

// Between gives the lines of the days, by (day, item). The slice is the window's own.
func (w *Window) Between(after, upTo sales.Day) []Line {
	lines := w.lines[w.linesAfter(after):]
	end := len(lines)
	for end > 0 && lines[end-1].Day > upTo {
		end--
	}
	return lines[:end]
}

// PurchaseDays is on how many of the days anything was bought and not wholly taken back.
func (w *Window) PurchaseDays(after, upTo sales.Day) int {
	return CountDays(w.Between(after, upTo), func(Line) bool { return true })
}

// Entries is how many orders, refunds, lines and touches the days after the given one have: what bounds the size of the encoding.
func (w *Window) Entries(after sales.Day) int {
	return len(w.orders) - w.ordersAfter(after) + len(w.lines) - w.linesAfter(after) + len(w.touches) - w.touchesAfter(after)
}

// OrderCount is how many orders, without refunds, the days had.
func (w *Window) OrderCount(after, upTo sales.Day) int {
	n := 0
	for _, o := range w.orders[w.ordersAfter(after):] {
		if o.Day <= upTo && !o.Refund {
			n++
		}
	}
	return n
}

// CountDays is the number of distinct days among the lines, which are in order of days, that the condition holds for.
func CountDays(lines []Line, holds func(Line) bool) int {
	n := 0
	for i := 0; i < len(lines); {
		day, found := lines[i].Day, false
		for ; i < len(lines) && lines[i].Day == day; i++ {
			found = found || holds(lines[i])
		}
		if found {
			n++
		}
	}
	return n
}

// Sum is what was bought of one category in a stretch of days.
type Sum struct {
	Category    string
	Count       int64
	AmountMinor int64
	LastDay     sales.Day
}

// Sums gives the sums per category, by name.
func (w *Window) Sums(after, upTo sales.Day, items *Items) []Sum {
	var sums []Sum
	for _, l := range w.Between(after, upTo) {
		name := items.Item(l.Item).Category
		i := slices.IndexFunc(sums, func(s Sum) bool { return s.Category == name })
		if i < 0 {
			i = len(sums)
			sums = append(sums, Sum{Category: name})
		}
		s := &sums[i]
		s.Count, s.AmountMinor = addSaturating(s.Count, l.Count), addSaturating(s.AmountMinor, l.AmountMinor)
		s.LastDay = l.Day
	}
	slices.SortFunc(sums, func(a, b Sum) int {
		if a.Category < b.Category {
			return -1
		}
		return 1
	})
	return sums
}

func (w *Window) linesAfter(day sales.Day) int {
	return sort.Search(len(w.lines), func(i int) bool { return w.lines[i].Day > day })
}

func (w *Window) ordersAfter(day sales.Day) int {
	return sort.Search(len(w.orders), func(i int) bool { return w.orders[i].Day > day })
}

func (w *Window) touchesAfter(day sales.Day) int {
	return sort.Search(len(w.touches), func(i int) bool { return w.touches[i].Day > day })
}
