package catalogue

import (
	"math"

	"leadline/internal/window"
)

// assortment is what the products of a category, of a type, of one of its tiers, or of a department come to.
type assortment struct {
	products         int
	margins          int   // products whose margin is known
	marginMillionths int64 // their sum: of whole numbers, so that it does not hang on the order in which products came and went
}

const millionths = 1e6

// marginOf is a share in millionths; that of an unknown margin, which is no number, is −1.
func marginOf(share float64) int64 {
	if math.IsNaN(share) {
		return -1
	}
	return int64(math.Round(share * millionths))
}

// count adds a product to its category, its type, its tier and its department, or takes it away.
func (c *Catalogue) count(p *product, n int) {
	of := []window.Item{{Category: p.item.Category}, {Type: p.item.Type}, {Department: p.depart}}
	if p.item.Tier > 0 {
		of = append(of, window.Item{Type: p.item.Type, Tier: p.item.Tier})
	}
	for _, of := range of {
		a := c.about[of]
		if a == nil {
			a = &assortment{}
			c.about[of] = a
		}
		a.products += n
		if p.margin >= 0 {
			a.margins += n
			a.marginMillionths += int64(n) * p.margin
		}
	}
}

// Sells tells whether any product is what the item stands for (window.StandIn).
func (c *Catalogue) Sells(of window.Item) bool {
	if of.Product != "" {
		_, ok := c.products[of.Product]
		return ok
	}
	a := c.about[of]
	return a != nil && a.products > 0
}

// Margin is the mean margin, as a share of the price, of the products that the item stands for (of one tier, if a type has one); ok is false when no
// margin is known.
func (c *Catalogue) Margin(of window.Item) (share float64, ok bool) {
	if of.Product != "" {
		p, ok := c.products[of.Product]
		return float64(p.margin) / millionths, ok && p.margin >= 0
	}
	a := c.about[of]
	if a == nil || a.margins == 0 {
		return 0, false
	}
	return float64(a.marginMillionths) / float64(a.margins) / millionths, true
}
