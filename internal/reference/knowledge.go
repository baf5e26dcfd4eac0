package reference

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// Knowledge is what is known beyond the customers.
type Knowledge struct {
	links    map[string]sales.Link            // by key
	leading  map[string]map[string]sales.Link // cross-sell links by what they lead from, then by key
	products map[string]sales.Product
	models   map[string]sales.Model
	activity map[sales.Day]float64 // everyone's purchase days
	complete sales.Day             // the last day that is known completely; valid if any is
	any      bool
	weights  map[string]float64 // what reps make of alerts, by kind and segment
	least    map[string]float64 // what an alert of the push must be worth, by rep
}

// NewKnowledge knows nothing.
func NewKnowledge() *Knowledge {
	return &Knowledge{links: map[string]sales.Link{}, leading: map[string]map[string]sales.Link{}, products: map[string]sales.Product{},
		models: map[string]sales.Model{}, activity: map[sales.Day]float64{}, weights: map[string]float64{}, least: map[string]float64{}}
}

// SetLink takes up a link, or a later word on it.
func (k *Knowledge) SetLink(l sales.Link) {
	key := l.Key()
	k.DeleteLink(key)
	k.links[key] = l
	if l.Kind == sales.CrossSellLink {
		if k.leading[l.From] == nil {
			k.leading[l.From] = map[string]sales.Link{}
		}
		k.leading[l.From][key] = l
	}
}

// DeleteLink takes a link back.
func (k *Knowledge) DeleteLink(key string) {
	delete(k.leading[k.links[key].From], key)
	delete(k.links, key)
}

// SetProduct takes up a product, or a later word on it.
func (k *Knowledge) SetProduct(p sales.Product) { k.products[p.ProductID] = p }

// DeleteProduct forgets a product.
func (k *Knowledge) DeleteProduct(id string) { delete(k.products, id) }

// SetModel takes up the points of a scorecard, or a later word on them.
func (k *Knowledge) SetModel(m sales.Model) { k.models[m.Name] = m }

// DeleteModel forgets a scorecard's points.
func (k *Knowledge) DeleteModel(name string) { delete(k.models, name) }

// SetActivity says on how many purchase days together all customers bought on a day. Days that are no dates of sales, and numbers that
// are no counts, are ignored.
func (k *Knowledge) SetActivity(day sales.Day, n float64, complete bool) {
	if day < 0 || day > 73_000 || !(n >= 0) {
		return
	}
	k.activity[day] = n
	if complete && (!k.any || day > k.complete) {
		k.complete, k.any = day, true
	}
}

// SetWeight says what reps make of alerts of a kind in a segment: "cross-sell|BREAD".
func (k *Knowledge) SetWeight(segment string, weight float64) {
	if weight >= 0 && weight <= 1 {
		k.weights[segment] = weight
	}
}

// DeleteWeight says that nobody complains any more.
func (k *Knowledge) DeleteWeight(segment string) { delete(k.weights, segment) }

// SetLeastWorth says from which worth on a rep has room for alerts that somebody slips away.
func (k *Knowledge) SetLeastWorth(rep string, worth float64) {
	if worth >= 0 && worth <= math.MaxFloat64 {
		k.least[rep] = worth
	}
}

// DeleteLeastWorth says that the rep has room for all.
func (k *Knowledge) DeleteLeastWorth(rep string) { delete(k.least, rep) }

// weight is 1 where nobody complains.
func (k *Knowledge) weight(kind sales.AlertKind, segment string) float64 {
	if w, ok := k.weights[kind.String()+"|"+segment]; ok {
		return w
	}
	return 1
}

// active is everyone's activity in the days (after, upTo]. A day after the last complete one counts as the mean of the last 28
// complete ones, or of as many as there are since the first known one.
func (k *Knowledge) active(after, upTo sales.Day) float64 {
	if !k.any {
		return k.counted(after, upTo)
	}
	first := k.complete
	for day := range k.activity {
		first = min(first, day)
	}
	days := min(28, k.complete-first+1)
	mean := k.counted(k.complete-days, k.complete) / float64(days)
	estimated := max(0, upTo-max(after, k.complete))
	return k.counted(after, min(upTo, k.complete)) + float64(estimated)*mean
}

// level is everyone's activity on a day, mean over so many days, or over those since the first known one.
func (k *Knowledge) level(upTo, days sales.Day) float64 {
	if len(k.activity) == 0 {
		return 0
	}
	after := max(upTo-days, slices.Min(slices.Collect(maps.Keys(k.activity)))-1)
	if after >= upTo {
		return 0
	}
	return k.active(after, upTo) / float64(upTo-after)
}

func (k *Knowledge) counted(after, upTo sales.Day) float64 {
	sum := 0.0
	for day := after + 1; day <= upTo; day++ {
		sum += k.activity[day]
	}
	return sum
}

// item is what a line or touch is about: the category as it was sold, else the catalogue's; type and tier from the catalogue, and the product
// or the department if links lead between them. Who has
// no type is of the category's, who has no tier is of the brand's.
func (k *Knowledge) item(productID, category string, r *engine.Rules) window.Item {
	p, ok := k.products[productID]
	it := window.Item{Category: category, Type: category}
	if ok {
		it = window.Item{Category: cmp.Or(category, p.Category), Type: cmp.Or(p.Type, p.Category), Tier: p.Tier}
	}
	if ok && it.Tier <= 0 {
		it.Tier = r.Upsell.BrandTiers[p.Brand]
	}
	switch {
	case r.LinkLevel == sales.LevelProduct:
		it.Product = productID
	case r.LinkLevel == sales.LevelDepartment && ok:
		it.Department = cmp.Or(p.Department, p.Category)
	case r.LinkLevel == sales.LevelDepartment:
		it.Department = category
	}
	return it
}

// upsell is the link from one tier of the type to a higher one.
func (k *Knowledge) upsell(typ string) (sales.Link, bool) {
	l := sales.Link{Kind: sales.UpsellLink, Level: "type", From: typ}
	l, ok := k.links[l.Key()]
	return l, ok
}
