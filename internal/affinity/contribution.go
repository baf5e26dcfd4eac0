package affinity

import (
	"cmp"
	"slices"

	"leadline/internal/sales"
)

// Bought is that a customer bought an item on a day, or touched one (TouchItem).
type Bought struct {
	Day         sales.Day
	Item        string
	Lines       int64 // 0 for a touch
	AmountMinor int64
}

// spell is a time during which an item is held.
type spell struct {
	item     int // index of the name
	from     sales.Day
	to       sales.Day // the first day on which it is not held
	earlier  int       // index of the item's spell before, −1 = none
	activity int32     // stratum before from
	touch    bool
}

// Contribution is what one customer's whole history adds to the tally of kind "pairs" by the end of the day upTo, with a window of W
// days, in no order and with cells of the same place side by side. It is the plain way to say what shards tell in differences, for
// histories at rest and as what they are tested against.
func Contribution(history []Bought, window int, upTo sales.Day) []sales.Cell {
	var cells []sales.Cell
	add := func(row, col string, bucket int32, n int64) {
		cells = append(cells, sales.Cell{Row: row, Col: col, Bucket: bucket, N: n})
	}
	days, names := byDay(history, upTo)
	for _, b := range days {
		if b.Lines != 0 {
			add(b.Item, LinesCol, Came(b.Day, 0), b.Lines)
			add(b.Item, AmountCol, Came(b.Day, 0), b.AmountMinor)
		}
	}
	w := sales.Day(window)
	spells := spellsOf(days, names, w)
	for _, s := range anything(days, w) {
		add("", "", Came(s.from, 0), 1)
		if s.to <= upTo {
			add("", "", Left(s.to), -1)
		}
	}
	for i, s := range spells {
		add(names[s.item], "", Came(s.from, s.activity), 1)
		if s.to <= upTo {
			add(names[s.item], "", Left(s.to), -1)
		}
		for _, o := range spells[:i] { // from no later than s
			if o.to <= s.from || o.touch && s.touch {
				continue
			}
			since := o.from
			if s.from-since >= w {
				since = 0
			}
			row, col, bucket := s.item, o.item, Again(s.from, since)
			switch {
			case o.from == s.from:
				row, col = paired(names, s, o)
				bucket = SameDay(s.from)
			case s.touch:
				row, col, bucket = o.item, s.item, TouchCame(s.from)
			case since > 0 && (s.earlier < 0 || spells[s.earlier].to <= o.from):
				bucket = CameAfter(s.from, since)
			}
			add(names[row], names[col], bucket, 1)
			if o.from < s.from && !s.touch {
				add(names[o.item], HeldCols[Horizon(s.from, since)], Came(s.from, s.activity), 1)
			}
			if end := min(s.to, o.to); end <= upTo {
				row, col = paired(names, s, o)
				add(names[row], names[col], Left(end), -1)
			}
		}
	}
	return cells
}

// paired orders a pair of which it does not matter which came first: a touch is never the row.
func paired(names []string, a, b spell) (row, col int) {
	if b.touch || !a.touch && names[a.item] < names[b.item] {
		return a.item, b.item
	}
	return b.item, a.item
}

// byDay adds up what was bought on a day, by day and item, and lists the items.
func byDay(history []Bought, upTo sales.Day) (days []Bought, names []string) {
	days = slices.DeleteFunc(slices.Clone(history), func(b Bought) bool { return b.Day > upTo })
	slices.SortStableFunc(days, func(a, b Bought) int { return cmp.Or(cmp.Compare(a.Day, b.Day), cmp.Compare(a.Item, b.Item)) })
	n := 0
	for _, b := range days {
		if n > 0 && days[n-1].Day == b.Day && days[n-1].Item == b.Item {
			days[n-1].Lines += b.Lines
			days[n-1].AmountMinor += b.AmountMinor
			continue
		}
		days[n] = b
		n++
	}
	days = days[:n]
	for _, b := range days {
		names = append(names, b.Item)
	}
	slices.Sort(names)
	return days, slices.Compact(names)
}

// spellsOf gives the spells in the order of their beginning.
func spellsOf(days []Bought, names []string, window sales.Day) []spell {
	var spells []spell
	open, activity := make([]int, len(names)), activityBefore(days, window)
	for i := range open {
		open[i] = -1
	}
	for i, b := range days {
		item, _ := slices.BinarySearch(names, b.Item)
		if last := open[item]; last >= 0 && b.Day < spells[last].to {
			spells[last].to = b.Day + window
			continue
		}
		_, _, touch := touchOf(b.Item)
		spells = append(spells, spell{item: item, from: b.Day, to: b.Day + window, earlier: open[item], activity: activity[i], touch: touch})
		open[item] = len(spells) - 1
	}
	return spells
}

// activityBefore is the customer's stratum before each entry's day.
func activityBefore(days []Bought, window sales.Day) []int32 {
	strata := make([]int32, len(days))
	count := func(from, to int) (n int) {
		for _, b := range days[from:to] {
			if _, _, touch := touchOf(b.Item); !touch {
				n++
			}
		}
		return n
	}
	first, today := 0, 0
	for i := range days {
		if days[i].Day != days[today].Day {
			today = i
		}
		for days[first].Day <= days[i].Day-window {
			first++
		}
		if i == today {
			strata[i] = Stratum(count(first, today))
		} else {
			strata[i] = strata[today]
		}
	}
	return strata
}

// anything gives the spells of holding anything that was bought.
func anything(days []Bought, window sales.Day) []spell {
	var spells []spell
	for _, b := range days {
		if _, _, touch := touchOf(b.Item); touch {
			continue
		}
		if n := len(spells); n > 0 && b.Day < spells[n-1].to {
			spells[n-1].to = b.Day + window
			continue
		}
		spells = append(spells, spell{from: b.Day, to: b.Day + window})
	}
	return spells
}
