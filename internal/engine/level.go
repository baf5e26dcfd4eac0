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
	byName   ranking // of the level's numbers
	typeRows ranking // of the types' numbers, whatever the level
	flags    []uint8 // by number: what is known of excluded, so that the hot path hashes no strings
}

const (
	flagTakesPart = iota + 1
	flagExcluded
)

func newLevel(items *window.Items, r *Rules) level {
	l := level{items: items, types: r.LinkLevel == levelType, excluded: map[string]bool{}}
	for _, name := range r.Links.ExcludeCategories {
		l.excluded[name] = true
	}
	return l
}

// of is the number of the item's category or type.
func (l *level) of(id window.ItemID) int32 {
	if l.types {
		return l.items.Type(id)
	}
	return l.items.Category(id)
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

// takesPart tells whether the item's category takes part in links.
func (l *level) takesPart(id window.ItemID) bool {
	c := int(l.items.Category(id))
	for len(l.flags) <= c {
		l.flags = append(l.flags, 0)
	}
	if l.flags[c] == 0 {
		l.flags[c] = flagTakesPart
		if l.excluded[l.items.CategoryName(int32(c))] {
			l.flags[c] = flagExcluded
		}
	}
	return l.flags[c] == flagTakesPart
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

// forget drops what was learned of numbers: they may mean something else after a rollback.
func (l *level) forget() {
	l.flags = l.flags[:0]
	l.byName.forget()
	l.typeRows.forget()
}
