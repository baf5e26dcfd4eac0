package simulate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"leadline/internal/sales"
)

// Parse reads a world file: YAML, strict, on top of Default. A list that the file names replaces the default one. It does not
// Validate.
func Parse(text []byte) (w World, err error) {
	defer func() {
		if r := recover(); r != nil { // the library does, on a tag where a list is wanted
			w, err = World{}, fmt.Errorf("not a world: %v", r)
		}
	}()
	w = Default()
	switch err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&w); {
	case errors.Is(err, io.EOF): // an empty file
		return Default(), nil
	case err != nil:
		return World{}, err
	}
	return w, nil
}

var word = regexp.MustCompile(`^[a-z0-9]([a-z0-9 -]{0,38}[a-z0-9])?$`)

// checks collects what is wrong.
type checks []error

func (c *checks) must(ok bool, format string, args ...any) {
	if !ok {
		*c = append(*c, fmt.Errorf(format, args...))
	}
}

// within also refuses NaN.
func (c *checks) within(name string, x, low, high float64) {
	c.must(x >= low && x <= high, "%s %g: must be %g to %g", name, x, low, high)
}

func (c *checks) share(name string, x float64) { c.within(name, x, 0, 1) }

// Validate names everything that is wrong.
func (w *World) Validate() error {
	var c checks
	c.must(word.MatchString(w.Name), "name %q: must be 1 to 40 small letters, digits, spaces and dashes", w.Name)
	start, err := time.Parse(time.DateOnly, w.Start)
	c.must(err == nil && start.Year() >= 1990 && start.Year() < 2100, "start %q: must be a day such as 2025-01-06, 1990 to 2099", w.Start)
	c.within("days", float64(w.Days), 1, 36_500)
	c.within("customers", float64(w.Customers), 1, 1e8)
	c.must(regexp.MustCompile(`^[A-Z]{3}$`).MatchString(w.Currency), "currency %q: must be three capital letters", w.Currency)
	c.within("touches", w.Touches, 0, 100)
	w.checkRates(&c)
	w.checkGoods(&c)
	w.checkCampaigns(&c)
	w.checkProspects(&c)
	d := w.Delivery
	c.share("delivery: delayed_share", d.DelayedShare)
	c.share("delivery: late_share", d.LateShare)
	c.share("delivery: repeated_share", d.RepeatedShare)
	c.within("delivery: delay_minutes", d.DelayMinutes, 0, 1440)
	c.within("delivery: late_days", d.LateDays, 1, 365)
	return errors.Join(c...)
}

func (w *World) checkRates(c *checks) {
	o := w.Orders
	c.within("orders: per_day", o.PerDay, 1e-6, 10)
	c.within("orders: shape", o.Shape, 0.1, 1e6)
	c.within("orders: lines", o.Lines, 1, 50)
	c.within("orders: types", float64(o.Types), 1, 10_000)
	c.within("orders: zipf", o.Zipf, 0, 3)
	var week float64
	for _, f := range w.Season.Week {
		c.within("season: week", f, 0, 1e6)
		week += f
	}
	c.must(week > 0, "season: week: one of the weights must be above 0")
	c.within("season: swing", w.Season.Swing, 0, 1)
	c.within("season: peak", float64(w.Season.Peak), 1, 366)
	for i, s := range w.Shocks {
		c.within(fmt.Sprintf("shocks[%d]: factor", i), s.Factor, 0, 10)
		c.must(s.From >= 0 && (s.To == 0 || s.To >= s.From), "shocks[%d]: from %d to %d: not a span of days", i, s.From, s.To)
	}
	a := w.Absence
	c.within("absence: per_year", a.PerYear, 0, 100)
	c.share("absence: gone_share", a.GoneShare)
	c.share("absence: slip_factor", a.SlipFactor)
	c.share("absence: back_share", a.BackShare)
	c.within("absence: back_days", a.BackDays, 1, 1e6)
}

func (w *World) checkGoods(c *checks) {
	shares := map[string]float64{}
	item := func(name, what string, share float64) {
		c.must(word.MatchString(name), "%s %q: must be 1 to 40 small letters, digits, spaces and dashes", what, name)
		c.must(share > 0 && share < 1, "%s %s: share %g: must be above 0 and below 1", what, name, share)
		known, twice := shares[name]
		c.must(!twice || known == share, "%s %s: has a share of %g here and of %g elsewhere", what, name, share, known)
		shares[name] = share
	}
	for i, l := range w.Links {
		item(l.From, "link from", l.FromShare)
		item(l.To, "link to", l.ToShare)
		c.must(l.From != l.To, "link from %s to itself", l.From)
		c.within("link from "+l.From+" to "+l.To+": lift", l.Lift, 1, 1000)
		c.within("link from "+l.From+" to "+l.To+": lag_days", l.LagDays, 0.5, 1000)
		c.within("link from "+l.From+" to "+l.To+": lag_shape", l.LagShape, 0.5, 100)
		c.must(!slices.ContainsFunc(w.Links[:i], func(o Link) bool { return o.From == l.From && o.To == l.To }),
			"link from %s to %s: said twice", l.From, l.To)
	}
	if len(*c) == 0 { // the sums below mean nothing otherwise
		m := newModel(w)
		for i := range m.items {
			most := m.mostPerOrder(i)
			c.must(most <= 1, "%s: in %g of the orders where the curves are highest: lower lift or share, or flatten the curve", m.items[i].typ, most)
		}
	}
	types := map[string]bool{}
	for _, t := range w.Tiers {
		_, linked := shares[t.Type]
		c.must(word.MatchString(t.Type) && !types[t.Type] && !linked, "tier type %q: must be a name of its own, of small letters, digits, spaces and dashes", t.Type)
		types[t.Type] = true
		c.share("tier "+t.Type+": order_share", t.OrderShare)
		c.share("tier "+t.Type+": switch", t.Switch)
		c.within("tier "+t.Type+": ready", float64(t.Ready), 1, 200)
		c.within("tier "+t.Type+": price_ratio", t.PriceRatio, 1, 100)
	}
}

func (w *World) checkCampaigns(c *checks) {
	ids := map[string]bool{}
	c.must(len(w.Campaigns) <= 64, "campaigns: %d: at most 64", len(w.Campaigns))
	for _, k := range w.Campaigns {
		c.must(word.MatchString(k.ID) && !ids[k.ID], "campaign %q: must be an id of its own, of small letters, digits, spaces and dashes", k.ID)
		ids[k.ID] = true
		c.must(k.Channel != "", "campaign %s: channel is empty", k.ID)
		c.must(k.From >= 0 && k.Days >= 1, "campaign %s: from %d for %d days: not a span of days", k.ID, k.From, k.Days)
		c.share("campaign "+k.ID+": share", k.Share)
		c.within("campaign "+k.ID+": effect", k.Effect, 0.01, 100)
		c.share("campaign "+k.ID+": open_share", k.OpenShare)
		c.must(k.CostMinor >= 0 && k.ContactMinor >= 0, "campaign %s: costs must not be below 0", k.ID)
	}
}

func (w *World) checkProspects(c *checks) {
	p := w.Prospects
	c.share("prospects: share", p.Share)
	c.within("prospects: intercept", p.Intercept, -100, 100)
	for _, kind := range slices.Sorted(maps.Keys(p.Touches)) {
		c.must(slices.Contains(sales.TouchKinds(), kind), "prospects: touches: %q is no kind of touchpoint", kind)
		c.within("prospects: touches: "+kind, p.Touches[kind], 0, 100)
	}
	known := features(p)
	for _, f := range slices.Sorted(maps.Keys(p.Weights)) {
		c.must(slices.Contains(known, f), "prospects: weights: %q is no feature, they are %q", f, known)
		c.must(!math.IsNaN(p.Weights[f]) && math.Abs(p.Weights[f]) <= 100, "prospects: weights: %s %g: must be -100 to 100", f, p.Weights[f])
	}
}
