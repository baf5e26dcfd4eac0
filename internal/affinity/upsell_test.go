package affinity_test

import (
	"fmt"
	"testing"

	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/sales"
)

// tier is what customers paid and did at one tier of a type.
type tier struct {
	tier               int
	unit               catalogue.Unit
	prices             []float64 // minor units per unit of size, ten lines each
	eligible, switched int64
}

func learn(counts *affinity.Counts, typ string, tiers ...tier) {
	for _, x := range tiers {
		cells := []sales.Cell{
			{Row: typ, Col: fmt.Sprint(affinity.EligibleCol, x.tier), N: x.eligible},
			{Row: typ, Col: fmt.Sprint(affinity.SwitchedCol, x.tier), N: x.switched},
		}
		for _, minor := range x.prices {
			price := catalogue.Price{Unit: x.unit, Minor: minor}
			cells = append(cells, sales.Cell{Row: typ, Col: fmt.Sprint(affinity.PriceCol, x.tier), Bucket: price.Bucket(), N: 10})
		}
		counts.Add(sales.TallyTiers, cells)
	}
}

func upsells(c *affinity.Counts) map[string]sales.Link {
	links := map[string]sales.Link{}
	for _, l := range c.Links(affinity.DefaultLinkRules(), 0) {
		links[l.From] = l
	}
	return links
}

func TestUpsellGoesUpTheDearerTiers(t *testing.T) {
	c := affinity.NewCounts(affinity.DefaultMaxCandidates)
	learn(c, "COLA", tier{1, catalogue.Volume, []float64{2, 2.1, 9}, 100, 20}, tier{2, catalogue.Volume, []float64{3, 3.1, 3.2}, 0, 0})
	learn(c, "MILK", tier{1, catalogue.Volume, []float64{2, 2, 2}, 100, 20}, tier{2, catalogue.Volume, []float64{2.1, 2.1}, 0, 0})  // no dearer
	learn(c, "EGGS", tier{1, catalogue.Count, []float64{20}, 100, 20}, tier{2, catalogue.Count, []float64{30, 30, 30}, 0, 0})       // too few lines
	learn(c, "SOAP", tier{1, catalogue.Mass, []float64{1, 1, 1}, 100, 20}, tier{2, catalogue.Count, []float64{90, 90, 90}, 0, 0})   // units do not compare
	learn(c, "SALT", tier{1, catalogue.Mass, []float64{1, 1, 1}, 100, 2}, tier{2, catalogue.Mass, []float64{2, 2, 2}, 0, 0})        // hardly anybody goes up
	learn(c, "RICE", tier{1, catalogue.Mass, []float64{1, 1, 1}, 10, 11}, tier{2, catalogue.Mass, []float64{2, 2, 2}, 0, 0})        // cannot be
	learn(c, "WINE", tier{0, catalogue.Volume, []float64{1, 1, 1}, 50, 50}, tier{2, catalogue.Volume, []float64{20, 20, 20}, 0, 0}) // from nowhere
	links := upsells(c)
	if len(links) != 1 {
		t.Errorf("links are %v, want COLA alone", links)
	}
	l := links["COLA"]
	if l.FromTier != 1 || l.ToTier != 2 || l.FromHolders != 100 || l.Both != 20 || l.Confidence != 0.2 {
		t.Errorf("COLA: %+v", l)
	}
	if l.PriceRatio < 1.44 || l.PriceRatio > 1.51 {
		t.Errorf("medians 2.1 and 3.1 give ratio %g", l.PriceRatio)
	}
}

func TestUpsellTakesTheNextTierThatIsBought(t *testing.T) {
	c := affinity.NewCounts(affinity.DefaultMaxCandidates)
	learn(c, "WINE", tier{1, catalogue.Volume, []float64{10, 10, 10}, 50, 5}, tier{3, catalogue.Volume, []float64{15, 15, 15}, 50, 10},
		tier{7, catalogue.Volume, []float64{30, 30, 30}, 0, 0})
	learn(c, "WINE", tier{2, catalogue.Volume, []float64{12}, 0, 0})
	c.Add(sales.TallyTiers, []sales.Cell{{Row: "WINE", Col: affinity.PriceCol + "2",
		Bucket: catalogue.Price{Unit: catalogue.Volume, Minor: 12}.Bucket(), N: -10}}) // bought and brought back
	if l := upsells(c)["WINE"]; l.FromTier != 3 || l.ToTier != 7 || l.Both != 10 {
		t.Errorf("of 1 to 3 and 3 to 7 the readier step is 3 to 7; got %+v", l)
	}
}

func TestFewCustomersDoNotLead(t *testing.T) {
	c := affinity.NewCounts(affinity.DefaultMaxCandidates)
	prices := []float64{10, 10, 10}
	learn(c, "RARE", tier{1, catalogue.Mass, prices, 5, 3}, tier{2, catalogue.Mass, []float64{20, 20, 20}, 0, 0})
	learn(c, "SURE", tier{1, catalogue.Mass, prices, 400, 160}, tier{2, catalogue.Mass, []float64{20, 20, 20}, 0, 0})
	learn(c, "DULL", tier{1, catalogue.Mass, prices, 900, 45}, tier{2, catalogue.Mass, []float64{20, 20, 20}, 0, 0})
	links := upsells(c)
	if links["RARE"].Confidence <= links["SURE"].Confidence || links["RARE"].Score >= links["SURE"].Score || links["RARE"].Score <= links["DULL"].Score {
		t.Errorf("scores: RARE %g, SURE %g, DULL %g", links["RARE"].Score, links["SURE"].Score, links["DULL"].Score)
	}
}
