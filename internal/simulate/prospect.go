package simulate

import (
	"maps"
	"math"
	"slices"

	"leadline/internal/sales"
)

// What a profile may say. All values are equally likely.
var (
	sources = []string{"web", "fair", "referral", "ad"}
	sizes   = []string{"small", "medium", "large"}
)

const (
	touchDays  = 14 // a prospect leaves touches on the days 0 to 13 after it turned up,
	decideDays = 30 // and if it buys, then first on one of the so many days that follow
)

// profile is who a customer is.
type profile struct {
	source, size string
	arrives      int32 // day on which the company learns of it: 0 but for prospects
	prospect     bool
	touches      []int // numbers by touch kind, of a prospect that has not arrived yet
}

// meet draws who the customer is, and when it joins.
func (g *generator) meet(c *customer) {
	p := g.w.Prospects
	c.profile = profile{source: sources[c.fate.IntN(len(sources))], size: sizes[c.fate.IntN(len(sizes))], prospect: c.fate.Float64() < p.Share}
	if !c.profile.prospect {
		return
	}
	c.profile.arrives = int32(c.fate.IntN(g.w.Days))
	c.profile.touches = make([]int, len(sales.TouchKinds()))
	for i, kind := range sales.TouchKinds() {
		c.profile.touches[i] = poisson(c.fate, p.Touches[kind])
	}
	buys, after := c.fate.Float64(), int32(c.fate.IntN(decideDays))
	c.joins = never
	if buys < p.probability(&c.profile) {
		c.joins = c.profile.arrives + touchDays + after
	}
}

// probability is the logistic model of a prospect's first purchase.
func (p *Prospects) probability(of *profile) float64 {
	z := p.Intercept + p.Weights["source="+of.source] + p.Weights["company_size="+of.size]
	for i, kind := range sales.TouchKinds() {
		z += p.Weights[kind] * float64(of.touches[i])
	}
	return 1 / (1 + math.Exp(-z))
}

// features are the names that a weight can have, sorted.
func features(p Prospects) []string {
	all := slices.Collect(maps.Keys(p.Touches))
	for _, s := range sources {
		all = append(all, "source="+s)
	}
	for _, s := range sizes {
		all = append(all, "company_size="+s)
	}
	return slices.Sorted(slices.Values(all))
}

// introduce sends the customer's profile on the day of its arrival, and a prospect's touches of the days that follow.
func (g *generator) introduce(c *customer) {
	p := &c.profile
	at := g.at(int(p.arrives), 7*3600)
	g.queue = append(g.queue, Event{Topic: "customers", Due: at, Record: &sales.Customer{
		CustomerID: c.id, Attributes: map[string]string{"source": p.source, "company_size": p.size},
		Consent: map[string]bool{"email": c.fate.Float64() < 0.8}, UpdatedAt: at}})
	if !p.prospect {
		return
	}
	g.truth.Prospects = append(g.truth.Prospects, Prospect{CustomerID: c.id, Arrives: int(p.arrives),
		Decided: int(p.arrives) + touchDays + decideDays - 1, Probability: g.w.Prospects.probability(p)})
	for kind, n := range p.touches {
		for range n {
			day := int(p.arrives) + c.fate.IntN(touchDays)
			g.touch(c, g.at(day, second(c.fate)), sales.Touchpoint{Kind: sales.TouchKind(kind), Channel: "web"})
		}
	}
	p.touches = nil
}
