package affinity

import (
	"cmp"
	"slices"
)

// MaxAntecedents is of how many items there are rows of pairs, more than any assortment has types or categories. Of tens of thousands of products
// those that come most often are followed: when one more is to be, the half that has come least is let go with all that was counted of its
// pairs, and whatever came no more often than the best of these is not followed any more. So what is not followed came at most bar times,
// and what is followed again says less than was, never more, as in a row. What is known of an item alone is kept of all.
const MaxAntecedents = 4_096

// follow tells whether pairs are counted of which the item is the antecedent.
func (c *Counts) follow(id uint32) bool {
	item := &c.items[id]
	if item.follows {
		return true
	}
	if c.followed >= c.maxFollowed && item.starts > c.bar {
		c.letGo()
	}
	if c.bar > 0 && item.starts <= c.bar || c.followed >= c.maxFollowed {
		return false
	}
	item.follows = true
	c.followed++
	return true
}

// letGo keeps the half of the antecedents that have come most, of equal ones the first by name.
func (c *Counts) letGo() {
	var ids []uint32
	for _, id := range c.byName() {
		if c.items[id].follows {
			ids = append(ids, id)
		}
	}
	slices.SortStableFunc(ids, func(a, b uint32) int { return cmp.Compare(c.items[b].starts, c.items[a].starts) })
	for _, id := range ids[len(ids)/2:] {
		item := &c.items[id]
		c.bar = max(c.bar, item.starts)
		item.row, item.follows, item.changed = row{}, false, true
		c.followed--
	}
	c.changed = true
}
