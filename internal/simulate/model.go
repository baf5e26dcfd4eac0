package simulate

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/gonum/stat/distuv"

	"leadline/internal/sales"
)

// effectDays is how long a start of From raises the purchases of To, and how long none of From must have been bought before a start.
const effectDays = 180

// model is the parameters in the form in which days are made of them.
type model struct {
	w          *World
	first      sales.Millis
	even       []float64 // by day: season times shocks
	background []article
	reach      []float64 // running sum of the background types' weights, up to 1
	items      []article // the types of the links
	perOrder   []float64 // by item: probability in an order without any link
	links      []plan
	into       [][]int      // by item: the links that lead to it
	tiers      [][2]article // basic, better
}

// article is what one product's lines have in common.
type article struct {
	product, typ, category string
	price                  int64
	tier                   int32
}

// plan is a link with its effect by lag.
type plan struct {
	from, to int // items
	// raise is by how much the probability of To is raised on each day after a start, of the usual; [0], the day itself, is 0.
	raise [effectDays + 1]float64
}

func newModel(w *World) *model {
	m := &model{w: w, first: w.first(), even: w.evenFactors()}
	var sum float64
	for j := range w.Orders.Types {
		typ := fmt.Sprintf("Type %03d", j+1)
		m.background = append(m.background, article{product: fmt.Sprintf("t%03d", j+1), typ: typ,
			category: fmt.Sprintf("Category %02d", j/5+1), price: 100 + int64(j*37%23)*50})
		sum += math.Pow(float64(j+1), -w.Orders.Zipf)
		m.reach = append(m.reach, sum)
	}
	for j := range m.reach {
		m.reach[j] /= sum
	}
	for _, l := range w.Links {
		p := plan{from: m.item(l.From, l.FromShare), to: m.item(l.To, l.ToShare), raise: l.raise()}
		m.into[p.to] = append(m.into[p.to], len(m.links))
		m.links = append(m.links, p)
	}
	for _, t := range w.Tiers {
		basic := article{product: product(t.Type) + "-1", typ: t.Type, category: t.Type, price: 400, tier: 1}
		better := basic
		better.product, better.price, better.tier = product(t.Type)+"-2", int64(math.Round(400*t.PriceRatio)), 2
		m.tiers = append(m.tiers, [2]article{basic, better})
	}
	return m
}

func product(typ string) string { return strings.ReplaceAll(typ, " ", "-") }

// item gives the number of a linked type, which is a category too, so that the link stands at both levels.
func (m *model) item(name string, share float64) int {
	if i := slices.IndexFunc(m.items, func(a article) bool { return a.typ == name }); i >= 0 {
		return i
	}
	m.items = append(m.items, article{product: product(name), typ: name, category: name, price: 1500 + int64(len(m.items))*100})
	m.perOrder = append(m.perOrder, m.w.Orders.perOrder(share))
	m.into = append(m.into, nil)
	return len(m.items) - 1
}

// perOrder is the probability of an item in one order such that the share of customers buy it within 180 days. Orders with it are
// Poisson with mean E·p times a gamma variate of mean 1, so P(none) = (1 + E·p/k)^-k with E the mean number of orders.
func (o Orders) perOrder(share float64) float64 {
	return o.Shape / (effectDays * o.PerDay) * (math.Pow(1-share, -1/o.Shape) - 1)
}

// raise spreads the lift along the curve: its sum over the days is Lift - 1 times their number.
func (l Link) raise() (raise [effectDays + 1]float64) {
	curve := distuv.Gamma{Alpha: l.LagShape, Beta: l.LagShape / l.LagDays}
	all := curve.CDF(effectDays)
	for lag := 1; lag <= effectDays; lag++ {
		share := (curve.CDF(float64(lag)) - curve.CDF(float64(lag-1))) / all
		raise[lag] = (l.Lift - 1) * effectDays * share
	}
	return raise
}

// quartiles are the lags by which a quarter, half and three quarters of the extra purchases come, at an even rate.
func (p *plan) quartiles() (days [3]int) {
	var all, sum float64
	for _, r := range p.raise {
		all += r
	}
	for lag, r := range p.raise {
		sum += r
		for i := range days {
			if days[i] == 0 && all > 0 && sum >= all*float64(i+1)/4 {
				days[i] = lag
			}
		}
	}
	return days
}

// mostPerOrder bounds the probability of the item in an order. It must not pass 1.
func (m *model) mostPerOrder(item int) float64 {
	factor := 1.0
	for _, l := range m.into[item] {
		factor += slices.Max(m.links[l].raise[:])
	}
	return m.perOrder[item] * factor
}

// evenFactors is what multiplies everybody's rate, by day.
func (w *World) evenFactors() []float64 {
	var week float64
	for _, f := range w.Season.Week {
		week += f / 7
	}
	factors := make([]float64, w.Days)
	start := time.UnixMilli(int64(w.first())).UTC()
	for d := range factors {
		date := start.AddDate(0, 0, d)
		year := 1 + w.Season.Swing*math.Cos(2*math.Pi*float64(date.YearDay()-w.Season.Peak)/365.25)
		factors[d] = w.Season.Week[(int(date.Weekday())+6)%7] / week * year
		for _, s := range w.Shocks {
			if d >= s.From && (s.To == 0 || d <= s.To) {
				factors[d] *= s.Factor
			}
		}
	}
	return factors
}

// at is an instant of the world.
func (m *model) at(day, second int) sales.Millis {
	return m.first + sales.Millis(day)*sales.DayMillis + sales.Millis(second)*1000
}

// products is the catalogue.
func (m *model) products() []*sales.Product {
	var all []article
	all = append(append(all, m.background...), m.items...)
	for _, t := range m.tiers {
		all = append(all, t[0], t[1])
	}
	out := make([]*sales.Product, len(all))
	for i := range all {
		a := &all[i]
		out[i] = &sales.Product{ProductID: a.product, Name: a.product, Type: a.typ, Category: a.category, PriceMinor: &a.price,
			Currency: m.w.Currency, MarginShare: 0.3, Tier: a.tier}
	}
	return out
}

func (m *model) campaigns() []*sales.Campaign {
	out := make([]*sales.Campaign, len(m.w.Campaigns))
	for i := range out {
		k := m.w.Campaigns[i]
		out[i] = &sales.Campaign{CampaignID: k.ID, Name: k.ID, Channel: k.Channel, StartsAt: m.at(k.From, 0), EndsAt: m.at(k.From+k.Days+1, 0) - 1,
			CostMinor: &k.CostMinor, ContactCostMinor: &k.ContactMinor, Currency: m.w.Currency}
	}
	return out
}
