package simulate

import (
	"fmt"
	"math/rand/v2"
	"sort"

	"leadline/internal/sales"
)

// order makes the day's orders; starts begin with the day's end.
func (g *generator) order(c *customer, day, n int) {
	clear(g.bought)
	for _, second := range seconds(c.luck, n) {
		c.orders++
		p := &sales.Purchase{EventID: fmt.Sprintf("%s-o%05d", c.id, c.orders), CustomerID: c.id, OccurredAt: g.at(day, second),
			OrderID: fmt.Sprintf("%s-%05d", c.id, c.orders), Currency: g.w.Currency, Channel: "shop", CampaignID: g.named(c, day)}
		p.Lines = g.fill(c, day)
		for _, l := range p.Lines {
			g.truth.OrdersMinor += l.AmountMinor
		}
		g.truth.Orders++
		g.send(c.luck, "purchases", p.OccurredAt, p)
	}
	if n == 0 {
		return
	}
	for i, bought := range g.bought {
		if bought {
			c.lastOf[i] = int32(day)
		}
	}
	for i, p := range g.links {
		if s := &c.starts[i]; g.bought[p.from] {
			if int32(day)-s.last >= effectDays {
				*s = start{day: int32(day), held: int32(day)-c.lastOf[p.to] < effectDays}
			}
			s.last = int32(day)
		}
	}
}

// named is the campaign that an order names: the latest that the customer opened and that is running.
func (g *generator) named(c *customer, day int) (id string) {
	for i := range g.w.Campaigns {
		if k := &g.w.Campaigns[i]; c.opened&(1<<i) != 0 && k.runs(day) {
			id = k.ID
		}
	}
	return id
}

// fill makes an order's lines.
func (g *generator) fill(c *customer, day int) []sales.Line {
	n := 1 + poisson(c.luck, g.w.Orders.Lines-1)
	lines := make([]sales.Line, 0, n+1)
	for range n {
		lines = addLine(lines, &g.background[sort.SearchFloat64s(g.reach, c.luck.Float64())])
	}
	for i := range g.items {
		if c.luck.Float64() < g.perOrder[i]*(1+g.raised(c, i, day)) {
			g.bought[i] = true
			lines = addLine(lines, &g.items[i])
		}
	}
	for i := range g.tiers {
		if c.luck.Float64() < g.w.Tiers[i].OrderShare {
			lines = addLine(lines, &g.tiers[i][g.choose(c, i)])
		}
	}
	return lines
}

// choose takes the basic (0) or the better (1) product.
func (g *generator) choose(c *customer, tier int) int {
	t, h := &g.w.Tiers[tier], &c.tiers[tier]
	if !h.better && int(h.basic) >= t.Ready {
		h.better = c.luck.Float64() < t.Switch
	}
	if h.better {
		return 1
	}
	h.basic = min(h.basic+1, 250)
	return 0
}

// addLine adds one piece.
func addLine(lines []sales.Line, a *article) []sales.Line {
	for i := range lines {
		if lines[i].ProductID == a.product {
			lines[i].Quantity++
			lines[i].AmountMinor += a.price
			return lines
		}
	}
	return append(lines, sales.Line{ProductID: a.product, Category: a.category, Quantity: 1, AmountMinor: a.price})
}

// browse makes one touch that leads nowhere: buying does not depend on it.
func (g *generator) browse(c *customer, day int) {
	a := &g.background[sort.SearchFloat64s(g.reach, c.luck.Float64())]
	t := sales.Touchpoint{Channel: "web"}
	switch c.luck.IntN(3) {
	case 0:
		t.Kind = sales.TouchPageView
	case 1:
		t.Kind, t.ProductID, t.Category = sales.TouchProductView, a.product, a.category
	default:
		t.Kind, t.Category = sales.TouchSearch, a.category
	}
	g.touch(c, g.at(day, second(c.luck)), t)
}

// touch completes a touchpoint and sends it.
func (g *generator) touch(c *customer, at sales.Millis, t sales.Touchpoint) {
	c.touches++
	t.EventID, t.CustomerID, t.OccurredAt = fmt.Sprintf("%s-t%05d", c.id, c.touches), c.id, at
	g.send(c.luck, "touchpoints", at, &t)
}

// second is a time of day when shops are open, 8:00 to 22:00.
func second(luck *rand.Rand) int { return 8*3600 + luck.IntN(14*3600) }

func seconds(luck *rand.Rand, n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = second(luck)
	}
	sort.Ints(s)
	return s
}
