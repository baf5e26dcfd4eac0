// Package affinity holds the links between items: "who buys A is likelier to buy B" (cross-sell) and "who buys the lower
// tier of a type goes up to the higher one" (upsell). Counts is the learning side, which the analyst folds; Table is the reading
// side, which every shard asks for each purchase line.
//
// What is learned: how customers come to hold items (cells.go says how that is tallied, Contribution in code), summed by 28 days and
// activity, holders as of when all customers had been looked at (settled.go); from the sums which pairs go together more than activity and season
// explain (judge.go), soon after or at all (horizon.go), when the one follows the other (curve.go), and the same for equally active customers
// (baseline.go). Old sums count less (decay.go), an antecedent keeps sums of so many consequents (row.go), and all is kept in rows (rows.go).
// Histories at rest are counted by the same functions in another order (atrest.go).
//
// It guarantees that links depend on the sums alone, not on the order in which tallies came, as long as no antecedent has more consequents
// than it keeps; and that memory is bounded: an antecedent takes at most 19 MB (row.go) and usually some 200 kB, and pairs are counted of
// at most MaxAntecedents. It is pure: no clock, no IO. It is not the reader or writer of the topic product-links (packages stream, analyst), and says
// associations, never causes.
package affinity

import (
	"cmp"
	"slices"

	"leadline/internal/sales"
)

// Table is the links as last published, ready for look-ups. Several goroutines may read it as long as none changes it.
type Table struct {
	byKey  map[string]sales.Link
	from   map[string][]sales.Link // cross-sell, best score first
	upsell map[string]sales.Link   // by type
}

// NewTable holds no link.
func NewTable() *Table {
	return &Table{byKey: map[string]sales.Link{}, from: map[string][]sales.Link{}, upsell: map[string]sales.Link{}}
}

// Len is the number of links.
func (t *Table) Len() int { return len(t.byKey) }

// Set adds the link or replaces the one with the same key.
func (t *Table) Set(l sales.Link) {
	key := l.Key()
	t.Delete(key)
	t.byKey[key] = l
	if l.Kind == sales.UpsellLink {
		t.upsell[l.From] = l
		return
	}
	// A new slice each time: what From gave away earlier must not change.
	links := append(slices.Clone(t.from[l.From]), l)
	slices.SortFunc(links, better)
	t.from[l.From] = links
}

// Delete takes back the link with the key of sales.Link.Key. An unknown key changes nothing.
func (t *Table) Delete(key string) {
	l, ok := t.byKey[key]
	if !ok {
		return
	}
	delete(t.byKey, key)
	if l.Kind == sales.UpsellLink {
		delete(t.upsell, l.From)
		return
	}
	links := slices.DeleteFunc(slices.Clone(t.from[l.From]), func(o sales.Link) bool { return o.Key() == key })
	if t.from[l.From] = links; len(links) == 0 {
		delete(t.from, l.From)
	}
}

// From gives the cross-sell links that lead from the item, best score first, equal scores by To. The slice is shared:
// do not change it.
func (t *Table) From(item string) []sales.Link { return t.from[item] }

// Upsell gives the type's link from one tier to a higher one.
func (t *Table) Upsell(typ string) (sales.Link, bool) {
	l, ok := t.upsell[typ]
	return l, ok
}

// better orders links of one antecedent.
func better(a, b sales.Link) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.To, b.To), cmp.Compare(a.Level, b.Level), cmp.Compare(a.Via, b.Via))
}
