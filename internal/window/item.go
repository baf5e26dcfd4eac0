package window

import (
	"cmp"

	"leadline/internal/sales"
)

// Item is what a customer holds and what links lead between: a product's category, its finer type and its upsell tier,
// as the catalogue said at the time of the purchase. Type equals Category when the catalogue knows none; Tier 0 is unknown. The product and its
// department are empty unless links lead between them: a dictionary of products is long.
type Item struct {
	Category   string
	Type       string
	Tier       int32
	Product    string
	Department string
}

// Compare orders items by their names.
func (it Item) Compare(o Item) int {
	return cmp.Or(cmp.Compare(it.Category, o.Category), cmp.Compare(it.Type, o.Type), cmp.Compare(it.Tier, o.Tier), cmp.Compare(it.Product, o.Product),
		cmp.Compare(it.Department, o.Department))
}

// At is what links of the level (sales.LinkLevels) call the item, empty when it has no such name.
func (it Item) At(level string) string {
	switch level {
	case sales.LevelProduct:
		return it.Product
	case sales.LevelType:
		return it.Type
	case sales.LevelDepartment:
		return it.Department
	default:
		return it.Category
	}
}

// StandIn is what stands for all items that links of the level call by the name.
func StandIn(level, name string) Item {
	switch level {
	case sales.LevelProduct:
		return Item{Product: name}
	case sales.LevelType:
		return Item{Type: name}
	case sales.LevelDepartment:
		return Item{Department: name}
	default:
		return Item{Category: name}
	}
}

// StandsFor is the level of StandIn that gave the item.
func (it Item) StandsFor() string {
	switch {
	case it.Product != "":
		return sales.LevelProduct
	case it.Department != "":
		return sales.LevelDepartment
	case it.Type != "":
		return sales.LevelType
	default:
		return sales.LevelCategory
	}
}
