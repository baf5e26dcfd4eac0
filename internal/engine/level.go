package engine

import "leadline/internal/window"

// The levels that links lead between.
const (
	levelCategory = "category"
	levelType     = "type"
)

// level sees the dictionary as links do: by category or by type, numbered densely.
type level struct {
	items    *window.Items
	types    bool
	excluded map[string]bool
	facts    []fact  // by ItemID, as far as asked for
	byName   ranking // of the level's numbers
	typeRows ranking // of the types' numbers, whatever the level

	categoryRows ranking // of the categories' numbers, as rows of the tally of channels
}

// fact is what the rules ask about an item all the time.
type fact struct {
	number    int32 // of its category or type, whichever the links are about
	typ, tier int32
	takesPart bool // its category is not excluded from links
}

func newLevel(items *window.Items, r *Rules) level {
	l := level{items: items, types: r.LinkLevel == levelType, excluded: map[string]bool{}}
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

// learn takes up what the dictionary has got since.
func (l *level) learn() {
	for id := window.ItemID(len(l.facts)); int(id) < l.items.Len(); id++ {
		it := l.items.Item(id)
		f := fact{number: l.items.Category(id), typ: l.items.Type(id), tier: it.Tier, takesPart: !l.excluded[it.Category]}
		if l.types {
			f.number = f.typ
		}
		l.facts = append(l.facts, f)
	}
}

func (l *level) name(n int32) string {
	if l.types {
		return l.items.TypeName(n)
	}
	return l.items.CategoryName(n)
}

func (l *level) find(name string) (int32, bool) {
	if l.types {
		return l.items.FindType(name)
	}
	return l.items.FindCategory(name)
}

// item is what stands in a blob for the category or type itself.
func (l *level) item(name string) window.Item {
	if l.types {
		return window.Item{Type: name}
	}
	return window.Item{Category: name}
}

func (l *level) len() int {
	if l.types {
		return l.items.Types()
	}
	return l.items.Categories()
}

// ranked is the order of the names, those of the links' own columns first.
func (l *level) ranked() *ranking {
	l.byName.update(l.len(), l.name, linkColumns...)
	return &l.byName
}

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
}
