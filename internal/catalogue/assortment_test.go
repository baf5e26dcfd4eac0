package catalogue

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// However products come, change and go, what is sold and the mean margin are those of the products that are there.
func TestAssortmentIsThatOfTheProducts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, there := New(), map[string]sales.Product{}
		for range rapid.IntRange(0, 30).Draw(t, "changes") {
			p := sales.Product{ProductID: fmt.Sprint(rapid.IntRange(0, 5).Draw(t, "id")), Category: rapid.SampledFrom([]string{"A", "B"}).Draw(t, "category"),
				Type: rapid.SampledFrom([]string{"", "x", "B"}).Draw(t, "type"), MarginShare: rapid.SampledFrom([]float64{math.NaN(), 0, 0.3, 1}).Draw(t, "margin"),
				Brand: rapid.SampledFrom([]string{"", "Private"}).Draw(t, "brand"), Tier: rapid.Int32Range(0, 1).Draw(t, "tier")}
			if rapid.IntRange(0, 3).Draw(t, "gone") == 0 {
				c.Delete(p.ProductID)
				delete(there, p.ProductID)
				continue
			}
			c.Set(p)
			there[p.ProductID] = p
		}
		tier := func(p *sales.Product) int32 { return p.Tier }
		if rapid.Bool().Draw(t, "brands") {
			c.SetBrandTiers(map[string]int32{"Private": 2})
			tier = func(p *sales.Product) int32 {
				if p.Tier == 0 && p.Brand != "" {
					return 2
				}
				return p.Tier
			}
		} else {
			c.SetBrandTiers(nil)
		}
		for _, of := range []window.Item{{Type: "x", Tier: 1}, {Type: "x", Tier: 2}, {Type: "B", Tier: 2}, {Category: "A"}, {Category: "B"}, {Type: "x"}, {Type: "A"}, {Type: "B"}} {
			n, margins, sum := 0, 0.0, 0.0
			for _, p := range there {
				typ := p.Type
				if typ == "" {
					typ = p.Category
				}
				if of.Type != "" && of.Type != typ || of.Category != "" && of.Category != p.Category || of.Tier != 0 && of.Tier != tier(&p) {
					continue
				}
				n++
				if !math.IsNaN(p.MarginShare) {
					margins, sum = margins+1, sum+p.MarginShare
				}
			}
			if c.Sells(of) != (n > 0) {
				t.Fatalf("%+v is sold: %v, of %d products", of, c.Sells(of), n)
			}
			share, ok := c.Margin(of)
			if ok != (margins > 0) || ok && math.Abs(share-sum/margins) > 1e-6 {
				t.Fatalf("%+v has the margin %g, %v; of %g products %g", of, share, ok, margins, sum/margins)
			}
		}
	})
}
