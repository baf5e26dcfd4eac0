package reference

import (
	"maps"
	"math"
	"slices"
	"strings"

	"leadline/internal/affinity"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/window"
)

// called is what links of a level call the item.
func called(level string, it window.Item) string {
	return map[string]string{sales.LevelProduct: it.Product, sales.LevelType: it.Type, sales.LevelCategory: it.Category, sales.LevelDepartment: it.Department}[level]
}

// name is what a link would call the item.
func (m *Model) name(it window.Item) name {
	return name{level: m.rules.LinkLevel, text: called(m.rules.LinkLevel, it)}
}

// is tells whether an item is what an offer names.
func (n name) is(it window.Item) bool { return called(n.level, it) == n.text }

// linked tells whether a line takes part in links: merchandise that was paid for, and that links have a name for.
func (m *Model) linked(o *order, line int) bool {
	it, unnamed := o.items[line], false
	switch m.rules.LinkLevel {
	case sales.LevelProduct:
		unnamed = it.Product == ""
	case sales.LevelDepartment:
		unnamed = it.Department == ""
	}
	return o.Lines[line].AmountMinor > 0 && !m.excluded(it.Category) && !unnamed
}

func (m *Model) excluded(category string) bool {
	return slices.Contains(m.rules.Links.ExcludeCategories, category)
}

// crossSell offers one of what links lead to from the order's lines and from what was bought or touched lately, and what the customer neither holds nor was
// offered lately.
func (m *Model) crossSell(c *customer, o *order) {
	all := m.candidates(c, o)
	if len(all) == 0 {
		return
	}
	m.look(c, o, all)
	chosen, propensity := m.choose(o, all)
	from, to, because := m.leadingItem(&chosen.link), m.linkItem(chosen.link.To), "bought"
	fromName := m.name(from)
	if chosen.link.Via != "" {
		fromName, because = name{level: sales.LevelCategory, text: chosen.link.From}, "touched"
	}
	if !m.meet(to) || !m.meet(from) {
		return
	}
	if !m.offer(c, o, sales.CrossSell, chosen, propensity, fromName, m.name(to), []string{because, "link", "not_held"}) {
		chosen = nil
	}
	m.watch(c, o, all, chosen)
}

// held is what the customer has bought after the day, as links name it.
func (m *Model) held(c *customer, after sales.Day) map[string]bool {
	names := map[string]bool{}
	for day, items := range c.bought {
		for it := range items {
			if day > after {
				names[m.name(it).text] = true
			}
		}
	}
	return names
}

// linkItem is the item that stands for what a link calls so.
func (m *Model) linkItem(text string) window.Item { return standing(m.rules.LinkLevel, text) }

// standing is the item that stands for a name at a level.
func standing(level, text string) window.Item {
	return map[string]window.Item{sales.LevelProduct: {Product: text}, sales.LevelType: {Type: text}, sales.LevelCategory: {Category: text},
		sales.LevelDepartment: {Department: text}}[level]
}

// tierDay is a day on which a tier of a type was bought.
type tierDay struct {
	typ  string
	tier int32
	day  sales.Day
}

// tiersUsed is the days of the order's window and since on which each tier of its types was bought.
func (m *Model) tiersUsed(c *customer, o *order) map[tierDay]bool {
	types, used := map[string]bool{}, map[tierDay]bool{}
	for _, it := range o.items {
		types[it.Type] = true
	}
	for day, items := range c.bought {
		for it := range items {
			if day > o.day-sales.Day(m.rules.WindowDays) && it.Tier > 0 && types[it.Type] {
				used[tierDay{it.Type, it.Tier, day}] = true
			}
		}
	}
	return used
}

// upsell offers the next tier of one of the order's types that the customer keeps buying below it. before is what was bought before the
// order.
func (m *Model) upsell(c *customer, o *order, before map[tierDay]bool) {
	steps := map[window.Item]*candidate{} // by what they lead from
	active := 0
	for day, items := range c.bought {
		if day > o.day-sales.Day(m.rules.WindowDays) && day < o.day {
			active += len(items)
		}
	}
	for i, it := range o.items {
		if !m.linked(o, i) || it.Tier <= 0 {
			continue
		}
		l, ok := m.known.upsell(it.Type)
		if !ok || l.FromTier != it.Tier || keptTo(o, before, it) < m.rules.Upsell.MinPurchases || m.wentUp(o, before, &l) ||
			m.saidLately(c, sales.Upsell, name{level: sales.LevelType, text: it.Type}, o.day, false) || m.useless(sales.Upsell, l.To) {
			continue
		}
		if slices.ContainsFunc(slices.Collect(maps.Keys(steps)), func(other window.Item) bool { return other.Type == it.Type }) {
			continue // the first line of the type counts
		}
		earns, adds, known := m.stepWorth(o, &l)
		if known && earns <= 0 {
			continue
		}
		steps[it] = &candidate{link: l, earns: earns, adds: adds, values: []float64{odds(1 - math.Pow(1-l.Score, float64(m.rules.ExpiryDays)/float64(m.rules.WindowDays))), float64(keptTo(o, before, it)), l.PriceRatio, c.answers(),
			float64(affinity.Stratum(active)), float64(o.day - c.before.first), m.told(c)}}
		m.score(scorecard.Upsell(), steps[it])
	}
	if len(steps) == 0 {
		return
	}
	all := slices.Collect(maps.Values(steps))
	m.weigh(scorecard.Upsell(), all)
	chosen, propensity := m.choose(o, all)
	for from, k := range steps {
		if k != chosen {
			continue
		}
		to := window.Item{Category: from.Category, Type: from.Type, Tier: k.link.ToTier}
		if m.meet(to) {
			m.offer(c, o, sales.Upsell, k, propensity, name{sales.LevelType, from.Type, from.Tier}, name{sales.LevelType, to.Type, to.Tier},
				[]string{"repeated", "others_went_up"})
		}
	}
}

// stepWorth is what going up adds to what the order paid for the tier: to the margin, if both tiers' are known, and else to the price.
func (m *Model) stepWorth(o *order, l *sales.Link) (earns, adds float64, known bool) {
	paid := int64(0)
	for i, it := range o.items {
		if m.linked(o, i) && it.Type == l.From && it.Tier == l.FromTier {
			paid += o.Lines[i].AmountMinor
		}
	}
	from, fromKnown := m.tierMargin(l.From, l.FromTier)
	to, toKnown := m.tierMargin(l.To, l.ToTier)
	if !fromKnown || !toKnown {
		return 0, float64(paid) * (l.PriceRatio - 1), false
	}
	earns = float64(paid) * (l.PriceRatio*to - from)
	return earns, earns, true
}

// keptTo is on how many days up to the order's the item's tier was bought, the order's included.
func keptTo(o *order, before map[tierDay]bool, it window.Item) int {
	days := map[sales.Day]bool{o.day: true}
	for u := range before {
		if u.typ == it.Type && u.tier == it.Tier && u.day <= o.day {
			days[u.day] = true
		}
	}
	return len(days)
}

// wentUp tells whether the customer has bought the higher tier in the window, or does so now.
func (m *Model) wentUp(o *order, before map[tierDay]bool, l *sales.Link) bool {
	for u := range before {
		if u.typ == l.From && u.tier >= l.ToTier {
			return true
		}
	}
	for i, it := range o.items {
		if m.linked(o, i) && it.Type == l.From && it.Tier >= l.ToTier {
			return true
		}
	}
	return false
}

// offer opens an episode. While as many of the kind are open as may be, or a report silences it, the offer goes to the
// ledger, once in a cool-down. It tells whether it has opened one.
func (m *Model) offer(c *customer, o *order, kind sales.AlertKind, k *candidate, propensity float64, from, to name, codes []string) bool {
	open, limit, card := 0, m.rules.Caps.CrossSell, scorecard.CrossSell()
	if kind == sales.Upsell {
		limit, card = m.rules.Caps.Upsell, scorecard.Upsell()
	}
	for _, e := range c.offers() {
		if e.kind == kind {
			open++
		}
	}
	held := sales.NotSuppressed
	if open >= limit {
		held = sales.ByCap
	} else if m.silenced(c, kind, o.day) {
		held = sales.BySilenced
	}
	weight := m.known.weight(kind, to.text)
	capped := held != sales.NotSuppressed
	if capped && m.saidLately(c, kind, to, o.day, true) {
		return false
	}
	ep := &episode{kind: kind, event: window.EventHash(o.EventID), from: from, to: to, day: o.day,
		expiry: o.day + sales.Day(m.rules.ExpiryDays), score: rounded(m.probability(card, k) * weight), suppressed: held, code: k.code(card)}
	if everyone := 7 * m.known.level(o.day, 28); everyone > 0 && !m.drawn("teach", o, 10_000/everyone) {
		ep.code = 0
	}
	if !capped {
		ep.suppressed = m.suppression(c)
		c.open = append(c.open, ep)
		c.watched = slices.DeleteFunc(c.watched, func(w watched) bool { return w.to == to })
		c.before.offered = max(c.before.offered, c.before.offered+1) // 255 stays
	}
	c.said = append(c.said, said{kind: kind, capped: capped, to: to, day: o.day})
	a := m.say(c, ep, sales.Opened, o.OccurredAt)
	a.Propensity *= propensity
	for i, code := range append(codes, m.reasons(card, k.bins)...) {
		r := sales.Reason{Code: code}
		if i == 0 {
			r.Evidence = []sales.Evidence{o.evidence()}
		}
		a.Reasons = append(a.Reasons, r)
	}
	complained(a, weight)
	worth := k.adds
	if kind == sales.CrossSell {
		margin, ok := m.known.margin(m.linkItem(k.link.To))
		if !ok {
			margin = 1
		}
		worth = margin * float64(k.link.TypicalMinor)
	}
	if worth > 0 {
		value := int64(math.Round(m.probability(card, k) * worth))
		a.ExpectedValueMinor, a.Currency = &value, c.currency
	}
	return !capped
}

// complained adds to an alert's reasons that reps have complained about such ones.
func complained(a *sales.Alert, weight float64) {
	if weight < 1 {
		a.Reasons = append(a.Reasons, sales.Reason{Code: "seldom_useful"})
	}
}

func (o *order) evidence() sales.Evidence {
	return sales.Evidence{Source: o.source, EventID: strings.Clone(o.EventID)}
}

// takeUp ends the offers of what the order has. Bought before it was offered, within the offer's window, an offer was a mistake.
func (m *Model) takeUp(c *customer, o *order) {
	for _, ep := range c.offers() {
		if o.day <= ep.day-sales.Day(m.rules.WindowDays) || !slices.ContainsFunc(o.items, ep.isOf) {
			continue
		}
		code := "taken_up"
		if o.day < ep.day {
			code = "contradicted"
		} else {
			c.before.taken = max(c.before.taken, c.before.taken+1)
		}
		m.sayEnd(c, ep, sales.Resolved, o.OccurredAt, code, o.evidence())
	}
}

// isOf tells whether the item is what was offered, or better.
func (e *episode) isOf(it window.Item) bool { return e.to.is(it) && it.Tier >= e.to.tier }
