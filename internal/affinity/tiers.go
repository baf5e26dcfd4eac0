package affinity

import (
	"slices"
	"strconv"

	"leadline/internal/sales"
)

// TierOrder is what an order had of tiers, in the order of its lines.
type TierOrder struct {
	Day   sales.Day
	Lines []TierLine
}

// TierLine is a line of a type of which the tier is known.
type TierLine struct {
	Type        string
	Tier        int32
	Merchandise bool  // paid for, and not excluded from links: else it was bought, but is no reason for anything
	Price       int32 // bucket of what a unit of size cost; −1 is not known
}

// tierUse is that a tier was bought on a day.
type tierUse struct {
	day  sales.Day
	tier int32
}

// tierUses are those of a type.
type tierUses []tierUse

// TierContribution is what one customer's orders, in the order in which they came, add to the tally of kind "tiers" with a window of so many days,
// when so many days with a purchase make ready for the next tier. As Contribution, it is the plain way to say what shards tell in differences.
func TierContribution(orders []TierOrder, window, least int) []sales.Cell {
	var cells []sales.Cell
	add := func(typ, col string, tier, bucket int32) {
		cells = append(cells, sales.Cell{Row: typ, Col: col + strconv.Itoa(int(tier)), Bucket: bucket, N: 1})
	}
	before := map[string]tierUses{}
	for _, o := range orders {
		after, week := o.Day-sales.Day(window), o.Day.Week()
		for _, typ := range o.types() {
			for _, tier := range before[typ].tiers() {
				if len(before[typ].daysWith(tier, after, o.Day)) >= least && !before[typ].from(tier+1, after) && o.from(typ, tier+1) {
					add(typ, SwitchedCol, tier, week)
				}
			}
			for _, tier := range o.tiers(typ) {
				days := before[typ].daysWith(tier, after, o.Day)
				if !slices.Contains(days, o.Day) && len(days) == least-1 && !before[typ].from(tier+1, after) && !o.from(typ, tier+1) {
					add(typ, EligibleCol, tier, week)
				}
			}
		}
		for _, l := range o.Lines {
			if l.Merchandise && l.Price >= 0 {
				add(l.Type, PriceCol, l.Tier, l.Price)
			}
			before[l.Type] = append(before[l.Type], tierUse{o.Day, l.Tier})
		}
	}
	return cells
}

// types are the types of the order's merchandise.
func (o *TierOrder) types() (types []string) {
	for _, l := range o.Lines {
		if l.Merchandise && !slices.Contains(types, l.Type) {
			types = append(types, l.Type)
		}
	}
	return types
}

// tiers are those of the type among the order's merchandise.
func (o *TierOrder) tiers(typ string) (tiers []int32) {
	for _, l := range o.Lines {
		if l.Merchandise && l.Type == typ && !slices.Contains(tiers, l.Tier) {
			tiers = append(tiers, l.Tier)
		}
	}
	return tiers
}

// from tells whether the order has merchandise of the type of the tier or a higher one.
func (o *TierOrder) from(typ string, tier int32) bool {
	return slices.ContainsFunc(o.Lines, func(l TierLine) bool { return l.Merchandise && l.Type == typ && l.Tier >= tier })
}

// tiers are those that were ever bought.
func (u tierUses) tiers() (tiers []int32) {
	for _, use := range u {
		if !slices.Contains(tiers, use.tier) {
			tiers = append(tiers, use.tier)
		}
	}
	return tiers
}

// from tells whether the tier or a higher one was bought after a day, be it in an order of a later day that came earlier.
func (u tierUses) from(tier int32, after sales.Day) bool {
	return slices.ContainsFunc(u, func(use tierUse) bool { return use.tier >= tier && use.day > after })
}

// daysWith lists the days between two on which the tier was bought.
func (u tierUses) daysWith(tier int32, after, upTo sales.Day) (days []sales.Day) {
	for _, use := range u {
		if use.tier == tier && use.day > after && use.day <= upTo && !slices.Contains(days, use.day) {
			days = append(days, use.day)
		}
	}
	return days
}
