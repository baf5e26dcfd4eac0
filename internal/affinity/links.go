package affinity

import (
	"cmp"
	"math"
	"slices"

	"leadline/internal/sales"
)

// LinkRules is what a statement must show before it is published.
type LinkRules struct {
	Level      string  // what the counted items are: "category" or "type"
	MinSupport int64   // customers who hold both items
	MinG2      float64 // Dunning's G²; 10.83 is p < 0.001
	MaxPerItem int     // links from one item, the best by score

	MinPriceRatio float64 // upsell: median unit price of the higher tier over the lower one's
	MinPrices     int64   // upsell: purchase lines behind each median
	MinSwitched   int64   // upsell: customers who went up
}

// DefaultLinkRules are strict enough that most statements still hold in later months.
func DefaultLinkRules() LinkRules {
	return LinkRules{Level: "category", MinSupport: 20, MinG2: 10.83, MaxPerItem: 20, MinPriceRatio: 1.1, MinPrices: 20, MinSwitched: 3}
}

// Links gives every statement that the sums support, sorted by kind, From and To: cross-sell links between items of rules.Level and
// upsell links within types. learnedTo is how far in event time the sums reach.
//
// A pair gives two links, one each way, when enough customers hold both, the association is positive, G² passes, and the
// lower end of the lift's interval is above 1. G² decides which statements are true, the score which are worth offering:
// lift and G² rank rare coincidences first, Both / (FromHolders · ToHolders^0.25) does not.
func (c *Counts) Links(rules LinkRules, learnedTo sales.Millis) []sales.Link {
	links := append(c.crossSell(rules), c.upsell(rules)...)
	for i := range links {
		links[i].LearnedTo = learnedTo
	}
	slices.SortFunc(links, func(a, b sales.Link) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To))
	})
	return links
}

func (c *Counts) crossSell(rules LinkRules) []sales.Link {
	from := make([][]sales.Link, len(c.items))
	for p, both := range c.pairs {
		a, b := c.items[p.a], c.items[p.b]
		t := table{both: both, a: a.holders, b: b.holders, all: c.customers}
		if both < rules.MinSupport || !t.valid() || !t.positive() {
			continue
		}
		g2 := t.gSquared()
		lift := t.lift()
		if g2 < rules.MinG2 || lift.low <= 1 {
			continue
		}
		common := sales.Link{Kind: sales.CrossSellLink, Level: rules.Level, Customers: c.customers, Both: both, GSquared: g2,
			Lift: lift.value, LiftLow: lift.low, LiftHigh: lift.high}
		from[p.a] = append(from[p.a], between(common, a, b))
		from[p.b] = append(from[p.b], between(common, b, a))
	}
	var links []sales.Link
	for _, candidates := range from {
		slices.SortFunc(candidates, better)
		links = append(links, candidates[:min(len(candidates), rules.MaxPerItem)]...)
	}
	return links
}

// between completes what the two directions of a pair have in common.
func between(l sales.Link, from, to itemCount) sales.Link {
	share := wilson(l.Both, from.holders)
	l.From, l.To = from.name, to.name
	l.FromHolders, l.ToHolders = from.holders, to.holders
	l.Confidence, l.ConfidenceLow, l.ConfidenceHigh = share.value, share.low, share.high
	l.Baseline = float64(to.holders) / float64(l.Customers)
	l.Score = float64(l.Both) / (float64(from.holders) * math.Pow(float64(to.holders), 0.25))
	if to.lines > 0 {
		l.TypicalMinor = to.amount / to.lines
	}
	return l
}
