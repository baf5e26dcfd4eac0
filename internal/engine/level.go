package engine

import (
	"leadline/internal/affinity"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// level sees the dictionary as links do: by what they call the items, numbered densely.
type level struct {
	items    *window.Items
	is       string          // of sales.LinkLevels
	numbers  *window.Numbers // of the names at the level
	excluded map[string]bool
	facts    []fact  // by ItemID, as far as asked for
	byName   ranking // of the level's numbers
	typeRows ranking // of the types' numbers, whatever the level

	categoryRows ranking // of the categories' numbers, as rows of the tally of channels

	touchNumbers []int32  // one more than the number of a kind of touch about a category, by category and kind; 0 = none yet
	touchNames   []string // by number
	touchRows    ranking
}

// fact is what the rules ask about an item all the time.
type fact struct {
	number    int32 // of its name at the level
	typ, tier int32
	excluded  bool // its category is excluded from links
	takesPart bool // it is not, and has a name at the level
}

func newLevel(items *window.Items, r *Rules) level {
	l := level{items: items, is: r.LinkLevel, numbers: items.By(r.LinkLevel), excluded: map[string]bool{}}
	for _, name := range r.Links.ExcludeCategories {
		l.excluded[name] = true
	}
	return l
}

// of is what is known of the item.
func (l *level) of(id window.ItemID) *fact {
	if int(id) >= len(l.facts) {
		l.learn()
	}
	return &l.facts[id]
}

// learn takes up what the dictionary has got since. What was bought while links led between something else has no name at the level if that is
// the product or the department.
func (l *level) learn() {
	named := l.is == sales.LevelProduct || l.is == sales.LevelDepartment
	for id := window.ItemID(len(l.facts)); int(id) < l.items.Len(); id++ {
		it := l.items.Item(id)
		f := fact{number: l.numbers.Of(id), typ: l.items.Type(id), tier: it.Tier, excluded: l.excluded[it.Category]}
		f.takesPart = !f.excluded && (!named || it.At(l.is) != "")
		l.facts = append(l.facts, f)
	}
}

func (l *level) name(n int32) string { return l.numbers.Name(n) }

func (l *level) find(name string) (int32, bool) { return l.numbers.Find(name) }

// item is what stands in a blob for the name itself.
func (l *level) item(name string) window.Item { return window.StandIn(l.is, name) }

// leadsFrom is the item that stands for what a link leads from: touches are about categories, whatever the level.
func (l *level) leadsFrom(link *sales.Link) window.Item {
	if link.Via != "" {
		return window.Item{Category: link.From}
	}
	return l.item(link.From)
}

func (l *level) len() int { return l.numbers.Len() }

// ranked is the order of the names, those of the pairs' own columns first, then those of touches.
func (l *level) ranked() *ranking {
	first := pairColumns
	if len(l.touchNames) > 0 {
		l.touchRows.update(len(l.touchNames), func(n int32) string { return l.touchNames[n] }, pairColumns...)
		first = l.touchRows.names
	}
	if len(l.byName.names)-len(l.byName.sorted) != len(first) {
		l.byName.forget()
	}
	l.byName.update(l.len(), l.name, first...)
	return &l.byName
}

// rank is the place of a row's or column's name in the order, which is ranked already.
func (l *level) rank(code int32) int32 {
	if touch := ^code - int32(len(pairColumns)); code < 0 && touch >= 0 {
		return l.touchRows.ranks[touch]
	}
	return l.byName.rank(code)
}

// touchCode is what stands in a cell for the touch of a number.
func touchCode(number int32) int32 { return ^(number + int32(len(pairColumns))) }

// numberTouches gives numbers to touches that have none, and how many have.
func (l *level) numberTouches(touches []window.Touch) int {
	for _, t := range touches {
		if t.About == window.NoItem || l.of(t.About).excluded {
			continue
		}
		at := l.touchAt(t)
		if missing := at + 1 - len(l.touchNumbers); missing > 0 {
			l.touchNumbers = append(l.touchNumbers, make([]int32, missing)...)
		}
		if l.touchNumbers[at] == 0 {
			l.touchNames = append(l.touchNames, affinity.TouchItem(t.Kind, l.items.Item(t.About).Category))
			l.touchNumbers[at] = int32(len(l.touchNames))
		}
	}
	return len(l.touchNames)
}

// touch is a touch's number; not ok when links have nothing to do with what it is about.
func (l *level) touch(t window.Touch) (number int32, ok bool) {
	if t.About == window.NoItem || l.of(t.About).excluded {
		return 0, false
	}
	return l.touchNumbers[l.touchAt(t)] - 1, true
}

func (l *level) touchAt(t window.Touch) int {
	return int(l.items.Category(t.About))*touchKinds + int(t.Kind)
}

var touchKinds = len(sales.TouchKinds())

// rankedTypes is the order of the types' names.
func (l *level) rankedTypes() *ranking {
	l.typeRows.update(l.items.Types(), l.items.TypeName)
	return &l.typeRows
}

// rankedCategories is the order of the categories' rows.
func (l *level) rankedCategories() *ranking {
	l.categoryRows.update(l.items.Categories(), func(c int32) string { return CategoryRow + l.items.CategoryName(c) })
	return &l.categoryRows
}

// forget drops what was learned of numbers: they may mean something else after a rollback.
func (l *level) forget() {
	l.facts = l.facts[:min(len(l.facts), l.items.Len())]
	l.byName.forget()
	l.typeRows.forget()
	l.categoryRows.forget()
	l.touchNumbers = l.touchNumbers[:min(len(l.touchNumbers), l.items.Categories()*touchKinds)] // a number once given keeps its name
}
