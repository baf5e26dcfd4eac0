package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"

	"leadline/internal/sales"
)

// never is a day that does not come, and longAgo one before all others.
const (
	never   = math.MaxInt32
	longAgo = -math.MaxInt32 / 2
)

// customer is one customer's state on a day. Fate and luck are apart: fate decides what the truth names (rates, absences, who is
// sent what), luck what is bought, so that a world in which less is bought has the same fates.
type customer struct {
	id         string
	fate, luck *rand.Rand
	rate       float64 // orders a day when nothing else acts on it
	presence   float64 // of the rate: 1, or less while absent
	absence    int     // index of the absence in the truth + 1, 0 if present
	change     int32   // day of the next change of presence
	profile    profile
	joins      int32        // first day as a customer; a prospect's first purchase, or never
	starts     []start      // by link
	lastOf     []int32      // by item: day of its newest purchase
	tiers      []tierHolder // by tiered type
	sent       uint64       // bits by campaign
	opened     uint64
	orders     int // numbers given
	touches    int
}

// start is a customer's newest start of a link's From, and what follows from it.
type start struct {
	last, day     int32   // newest purchase of From; the start
	held          bool    // To, then
	with, without float64 // orders of To expected on the days since, with the link and without it
}

type tierHolder struct {
	basic  uint8 // orders of the basic product, counted up to Ready
	better bool
}

func (g *generator) newCustomer(number int) *customer {
	c := &customer{
		id:       fmt.Sprintf("%s-%07d", g.w.Name, number+1),
		fate:     rand.New(rand.NewPCG(g.w.Seed, uint64(number)<<1)),
		luck:     rand.New(rand.NewPCG(g.w.Seed, uint64(number)<<1|1)),
		presence: 1,
		starts:   make([]start, len(g.links)),
		lastOf:   make([]int32, len(g.items)),
		tiers:    make([]tierHolder, len(g.tiers)),
	}
	for i := range c.starts {
		c.starts[i] = start{last: longAgo, day: longAgo}
	}
	for i := range c.lastOf {
		c.lastOf[i] = longAgo
	}
	o := g.w.Orders
	c.rate = distuv.Gamma{Alpha: o.Shape, Beta: o.Shape / o.PerDay, Src: c.fate}.Rand()
	g.meet(c)
	c.change = g.after(c, int(c.joins), g.w.Absence.PerYear/365)
	return c
}

// after draws the day of the next change, at the daily rate from the day on.
func (g *generator) after(c *customer, day int, rate float64) int32 {
	wait := c.fate.ExpFloat64() / rate // +Inf at rate 0
	if next := float64(day) + 1 + wait; next < float64(g.w.Days) {
		return int32(next)
	}
	return never
}

// day makes what happens to the customer on one day.
func (g *generator) day(c *customer, day int) {
	if c.profile.arrives == int32(day) {
		g.introduce(c)
	}
	if int32(day) < c.joins {
		return
	}
	if c.change == int32(day) {
		g.comeOrGo(c, day)
	}
	g.sendCampaigns(c, day)
	rate := g.rateOn(c, day)
	g.expect(c, day, rate)
	orders := poisson(c.luck, rate)
	if c.profile.prospect && c.joins == int32(day) {
		orders++ // the purchase that made it a customer
	}
	g.order(c, day, orders)
	for range poisson(c.luck, rate*g.w.Touches) {
		g.browse(c, day)
	}
}

// comeOrGo changes the customer's presence on its day.
func (g *generator) comeOrGo(c *customer, day int) {
	a := g.w.Absence
	if c.absence > 0 {
		g.truth.Decliners[c.absence-1].Back = &day
		c.presence, c.absence = 1, 0
		c.change = g.after(c, day, a.PerYear/365)
		return
	}
	c.presence = a.SlipFactor
	if c.fate.Float64() < a.GoneShare {
		c.presence = 0
	}
	g.truth.Decliners = append(g.truth.Decliners, Decliner{CustomerID: c.id, Day: day, PerDay: c.rate, Factor: c.presence})
	c.absence = len(g.truth.Decliners)
	c.change = never
	if c.fate.Float64() < a.BackShare {
		c.change = g.after(c, day, 1/a.BackDays)
	}
}

func (g *generator) sendCampaigns(c *customer, day int) {
	for i := range g.w.Campaigns {
		k := &g.w.Campaigns[i]
		if k.From != day {
			continue
		}
		if c.fate.Float64() >= k.Share {
			g.truth.Campaigns[i].NotSent++
			continue
		}
		g.truth.Campaigns[i].Sent++
		c.sent |= 1 << i
		touch := sales.Touchpoint{Kind: sales.TouchCampaignSent, Channel: k.Channel, CampaignID: k.ID}
		g.touch(c, g.at(day, 8*3600), touch)
		if c.fate.Float64() < k.OpenShare {
			c.opened |= 1 << i
			touch.Kind = sales.TouchEmailOpen
			g.touch(c, g.at(day, 9*3600+c.luck.IntN(14*3600)), touch)
		}
	}
}

// rateOn is how many orders are expected of the customer on the day.
func (g *generator) rateOn(c *customer, day int) float64 {
	rate := c.rate * c.presence * g.even[day]
	for i := range g.w.Campaigns {
		if c.sent&(1<<i) != 0 && g.w.Campaigns[i].runs(day) {
			rate *= g.w.Campaigns[i].Effect
		}
	}
	for i := range g.w.Campaigns {
		if c.sent&(1<<i) != 0 && g.w.Campaigns[i].runs(day) {
			g.truth.Campaigns[i].OrdersWithout += rate / g.w.Campaigns[i].Effect
			g.truth.Campaigns[i].OrdersExtra += rate - rate/g.w.Campaigns[i].Effect
		}
	}
	return rate
}

// runs says whether the campaign acts on the day.
func (k *Campaign) runs(day int) bool { return day > k.From && day <= k.From+k.Days }

// raised is by how much links raise the item's probability on the day, of the usual.
func (g *generator) raised(c *customer, item, day int) (sum float64) {
	for _, l := range g.into[item] {
		sum += g.links[l].on(&c.starts[l], day)
	}
	return sum
}

// on is the link's effect on the day.
func (p *plan) on(s *start, day int) float64 {
	if lag := int32(day) - s.day; lag >= 0 && lag <= effectDays {
		return p.raise[lag]
	}
	return 0
}

// expect adds the day to what is expected to follow from the customer's starts. Orders are Poisson and To is in each of them or not by a
// draw of its own, so P(To by a day) = 1 - exp(-expected orders with To).
func (g *generator) expect(c *customer, day int, rate float64) {
	for i := range g.links {
		s := &c.starts[i]
		lag := int32(day) - s.day
		if lag < 1 || lag > effectDays {
			continue
		}
		p := &g.links[i]
		usual := rate * g.perOrder[p.to]
		all := usual * (1 + g.raised(c, p.to, day))
		s.with += all
		s.without += all - usual*p.on(s, day)
		g.truth.Links[i].reached(int(lag), s)
	}
}
