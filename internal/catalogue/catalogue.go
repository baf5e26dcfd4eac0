// Package catalogue knows the products: their type, their place among the tiers of that type, and what one unit of size
// costs, read from names such as "KIDS CEREAL 14.5 OZ".
//
// It is pure: no clock, no IO, no logger. It is not the reader of the topic products (package stream), and holds nothing about
// customers. A Catalogue may be read by several goroutines as long as none changes it. Packages engine and analyst import it.
package catalogue

import (
	"leadline/internal/sales"
	"leadline/internal/window"
)

// Catalogue is what is known of each product.
type Catalogue struct {
	products map[string]product
	names    map[string]string // types, categories and brands, each kept once
	tiers    map[string]int32  // brand → tier
	about    map[window.Item]*assortment
}

type product struct {
	item     window.Item // without product and department
	depart   string      // the category where no department is known
	brand    string
	explicit int32 // the product's own tier, 0 when it has none
	size     Size
	margin   int64 // share of the price in millionths, −1 when it is not known
}

// DefaultBrandTiers are the tiers of products that have none of their own: private label below national brand.
func DefaultBrandTiers() map[string]int32 { return map[string]int32{"Private": 1, "National": 2} }

// New knows no product, and the default tiers of brands.
func New() *Catalogue {
	return &Catalogue{products: map[string]product{}, names: map[string]string{}, tiers: DefaultBrandTiers(), about: map[window.Item]*assortment{}}
}

// SetBrandTiers replaces the tiers that brands stand for. It holds for the products already known too.
func (c *Catalogue) SetBrandTiers(tiers map[string]int32) {
	c.tiers = tiers
	for id, p := range c.products {
		if tier := c.tier(p.explicit, p.brand); tier != p.item.Tier {
			c.count(&p, -1)
			p.item.Tier = tier
			c.count(&p, +1)
			c.products[id] = p
		}
	}
}

// Set adds or replaces a product. It keeps no string of p, which may alias a record's bytes.
func (c *Catalogue) Set(p sales.Product) {
	typ := p.Type
	if typ == "" {
		typ = p.Category
	}
	depart := p.Department
	if depart == "" {
		depart = p.Category
	}
	brand := c.name(p.Brand)
	c.Delete(p.ProductID)
	made := product{
		item:     window.Item{Category: c.name(p.Category), Type: c.name(typ), Tier: c.tier(p.Tier, brand)},
		depart:   c.name(depart),
		brand:    brand,
		explicit: p.Tier,
		size:     ParseSize(p.Name),
		margin:   marginOf(p.MarginShare),
	}
	c.products[string([]byte(p.ProductID))] = made
	c.count(&made, +1)
}

// Delete forgets a product.
func (c *Catalogue) Delete(productID string) {
	if p, ok := c.products[productID]; ok {
		c.count(&p, -1)
		delete(c.products, productID)
	}
}

// Len is the number of known products.
func (c *Catalogue) Len() int { return len(c.products) }

// Item is what a purchase line of the product and category holds. The line's category is the one that counts, the catalogue's
// only where the line has none: the line says how the product was sold, the catalogue how it would be sold today. Type
// and tier are the catalogue's; for an unknown product the type is the category and the tier 0. The strings may be the
// arguments' own: who keeps the item beyond the record clones them.
func (c *Catalogue) Item(productID, category string) window.Item {
	p, ok := c.products[productID]
	if !ok {
		return window.Item{Category: category, Type: category}
	}
	item := p.item
	if category != "" && category != item.Category {
		item.Category = category
	}
	return item
}

// ItemAt is the same item with what links of the level (sales.LinkLevels) call it. An unknown product is of the category's department.
func (c *Catalogue) ItemAt(level, productID, category string) window.Item {
	item := c.Item(productID, category)
	switch level {
	case sales.LevelProduct:
		item.Product = productID
	case sales.LevelDepartment:
		item.Department = category
		if p, ok := c.products[productID]; ok {
			item.Department = p.depart
		}
	}
	return item
}

// UnitPrice is what the line paid for one unit of size of the product. There is none for an unknown product or a line without
// quantity or amount.
func (c *Catalogue) UnitPrice(productID string, quantity int32, amountMinor int64) (Price, bool) {
	p, ok := c.products[productID]
	if !ok || quantity <= 0 || amountMinor <= 0 {
		return Price{}, false
	}
	return Price{Unit: p.size.Unit, Minor: float64(amountMinor) / (float64(quantity) * p.size.Amount)}, true
}

func (c *Catalogue) tier(explicit int32, brand string) int32 {
	if explicit > 0 {
		return explicit
	}
	return c.tiers[brand]
}

// name gives the one kept copy of a name: fifty thousand products share a few thousand.
func (c *Catalogue) name(s string) string {
	if kept, ok := c.names[s]; ok {
		return kept
	}
	kept := string([]byte(s))
	c.names[kept] = kept
	return kept
}
