package engine

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/window"
)

// tierUse is how a customer used one tier of one type in the window at an order's day, before the order.
type tierUse struct {
	typ, tier int32
	days      int       // with a purchase, up to the order's day
	last      sales.Day // of those
	beyond    bool      // bought after the order's day: the order came late
}

// seeTiers collects how the types of the order were used before it.
func (s *Shard) seeTiers(e *entry, o *order) {
	sc := &s.step.scratch
	sc.tiers = sc.tiers[:0]
	sc.types.next(s.items.Types())
	tiered := false
	for i := range o.lines {
		if o.lines[i].tiered {
			sc.types.add(o.lines[i].typ)
			tiered = true
		}
	}
	if !tiered {
		return
	}
	lines := e.state.Window.Between(o.day-sales.Day(s.rules.WindowDays), math.MaxInt32)
	for i := range lines {
		l := &lines[i]
		f := s.level.of(l.Item)
		if f.tier <= 0 || !sc.types.has(f.typ) {
			continue
		}
		use := s.tierUse(f.typ, f.tier)
		switch {
		case l.Day > o.day:
			use.beyond = true
		case use.days == 0 || l.Day != use.last:
			use.days++
			use.last = l.Day
		}
	}
}

// tierUse finds the use of a tier among those seen, or adds it.
func (s *Shard) tierUse(typ, tier int32) *tierUse {
	sc := &s.step.scratch
	for i := range sc.tiers {
		if sc.tiers[i].typ == typ && sc.tiers[i].tier == tier {
			return &sc.tiers[i]
		}
	}
	sc.tiers = append(sc.tiers, tierUse{typ: typ, tier: tier})
	return &sc.tiers[len(sc.tiers)-1]
}

// usedFrom tells whether the customer had bought the type at the tier or a higher one.
func (s *Shard) usedFrom(typ, tier int32) bool {
	for _, u := range s.step.scratch.tiers {
		if u.typ == typ && u.tier >= tier && (u.days > 0 || u.beyond) {
			return true
		}
	}
	return false
}

// buysFrom tells whether the order itself has the type at the tier or a higher one.
func (o *order) buysFrom(typ, tier int32) bool {
	return slices.ContainsFunc(o.lines, func(l orderLine) bool { return l.tiered && l.typ == typ && l.tier >= tier })
}

// daysWith is on how many days of the window the tier was bought, the order's included.
func (s *Shard) daysWith(o *order, typ, tier int32) int {
	u := s.tierUse(typ, tier)
	if u.days > 0 && u.last == o.day {
		return u.days
	}
	return u.days + 1
}

// countTiers tallies the prices paid, and who became ready for a higher tier or went up to one. It must see the window as it was
// before the order; upsell goes on with what it has seen.
func (s *Shard) countTiers(e *entry, o *order) {
	s.seeTiers(e, o)
	least := s.rules.Upsell.MinPurchases
	week := o.day.Week()
	for _, u := range s.step.scratch.tiers {
		if u.days >= least && !s.usedFrom(u.typ, u.tier+1) && o.buysFrom(u.typ, u.tier+1) {
			s.step.tally.tier(wordSwitched, u.typ, u.tier, week)
		}
	}
	for i, l := range o.lines {
		if !l.tiered {
			continue
		}
		bought := &o.Lines[i]
		price, ok := s.step.batch.Knowledge.Catalogue.UnitPrice(bought.ProductID, bought.Quantity, bought.AmountMinor)
		if ok {
			s.step.tally.tier(wordPrice, l.typ, l.tier, price.Bucket())
		}
		if l.first && s.tierUse(l.typ, l.tier).days < least && s.daysWith(o, l.typ, l.tier) >= least &&
			!s.usedFrom(l.typ, l.tier+1) && !o.buysFrom(l.typ, l.tier+1) {
			s.step.tally.tier(wordEligible, l.typ, l.tier, week)
		}
	}
}

// upStep is a step up that may be offered.
type upStep struct {
	link    sales.Link
	line    int // of the order
	values  [upsellValues]float64
	logOdds float64
	gain
	value float64 // the probability times what the step adds, where the margins of all are known
}

// gain is what a step up adds: the same again, of the higher tier instead of the lower one.
type gain struct {
	paid     int64   // for the lower tier, in the order
	from, to float64 // margins of the tiers as shares of the price, 1 when either is not known
	known    bool
}

// gains is what the step up from a line of the order adds.
func (s *Shard) gains(o *order, l *sales.Link, line *orderLine) gain {
	known := s.step.batch.Knowledge.Catalogue
	g := gain{from: 1, to: 1}
	from, fromKnown := known.Margin(window.Item{Type: l.From, Tier: l.FromTier})
	to, toKnown := known.Margin(window.Item{Type: l.To, Tier: l.ToTier})
	if g.known = fromKnown && toKnown; g.known {
		g.from, g.to = from, to
	}
	for i := range o.lines {
		if other := &o.lines[i]; other.tiered && other.typ == line.typ && other.tier == line.tier {
			g.paid += o.Lines[i].AmountMinor
		}
	}
	return g
}

// minor is what the step by the link adds to the margin, or where that is not known to the price.
func (g *gain) minor(l *sales.Link) float64 { return float64(g.paid) * (l.PriceRatio*g.to - g.from) }

// upsellValues is how many characteristics the card of upsell has.
const upsellValues = scorecard.UpsellTold + 1

// upsell offers the next tier of one of the order's types that this one keeps buying below it: the one that the card of upsell holds likeliest to be
// taken, or where the catalogue knows the margins of all tiers in question that adds most to the margin, by that probability.
func (s *Shard) upsell(e *entry, o *order) {
	steps := s.stepsUp(e, o)
	if len(steps) == 0 {
		return
	}
	card := s.card(scorecard.Upsell())
	byValue := !slices.ContainsFunc(steps, func(st upStep) bool { return !st.known })
	answers, active, told := pastAnswers(&e.state), s.active(e, o.day), s.told(e)
	for i := range steps {
		st := &steps[i]
		odds := scorecard.LogOdds(bounded(evenly(st.link.Score, s.rules.ExpiryDays, s.rules.WindowDays)))
		st.values = [upsellValues]float64{
			scorecard.SwitchOdds:     odds,
			scorecard.Repeated:       float64(s.daysWith(o, o.lines[st.line].typ, st.link.FromTier)),
			scorecard.TierPriceRatio: st.link.PriceRatio,
			scorecard.UpsellAnswers:  answers,
			scorecard.UpsellActivity: active,
			scorecard.UpsellHistory:  float64(o.day - e.state.FirstDay),
			scorecard.UpsellTold:     told,
		}
		st.logOdds = logOdds(card, st.values[:])
		if byValue {
			st.value = card.Probability(st.logOdds) * st.minor(&st.link)
		}
	}
	chosen := s.choose(o, len(steps), func(i, j int) int {
		return cmp.Or(cmp.Compare(steps[j].value, steps[i].value), cmp.Compare(steps[j].logOdds, steps[i].logOdds),
			rank(&steps[i].link, &steps[j].link))
	})
	best := &steps[chosen.at]
	line := &o.lines[best.line]
	from := s.items.Item(line.item)
	to, err := s.items.ID(window.Item{Category: from.Category, Type: from.Type, Tier: best.link.ToTier})
	if err != nil {
		return // no room to remember the offer by, so none is made
	}
	s.offer(e, o, offer{kind: sales.Upsell, link: &best.link, from: line.item, to: to, choice: chosen, logOdds: best.logOdds, score: card,
		values: best.values[:], of: len(steps), days: s.daysWith(o, line.typ, best.link.FromTier), stands: s.rules.ExpiryDays,
		gain: best.gain, byValue: byValue})
}

// stepsUp gives the steps that the customer may be offered.
func (s *Shard) stepsUp(e *entry, o *order) []upStep {
	sc := &s.step.scratch
	sc.steps = sc.steps[:0]
	for i, line := range o.lines {
		if !line.first {
			continue
		}
		l, ok := s.step.batch.Knowledge.Links.Upsell(s.items.TypeName(line.typ))
		if !ok || l.FromTier != line.tier {
			continue
		}
		st := upStep{link: l, line: i, gain: s.gains(o, &l, &line)}
		if why := s.noUpsell(e, o, line.typ, &st); why != "" {
			s.pass(e, sales.Upsell, l.To, o.OccurredAt, why)
			continue
		}
		sc.steps = append(sc.steps, st)
	}
	return sc.steps
}

// noUpsell is why the customer is not to be offered the step, empty if it is.
func (s *Shard) noUpsell(e *entry, o *order, typ int32, st *upStep) PassedWhy {
	switch l := &st.link; {
	case s.daysWith(o, typ, l.FromTier) < s.rules.Upsell.MinPurchases:
		return PassedPurchases
	case s.usedFrom(typ, l.ToTier) || o.buysFrom(typ, l.ToTier):
		return PassedHeld
	case s.saidLately(e, sales.Upsell, typ, o.day, false):
		return PassedCooldown
	case s.useless(sales.Upsell, l.To):
		return PassedUseless
	case st.known && st.minor(l) <= 0:
		return PassedMargin
	default:
		return ""
	}
}

func (s *Shard) upsellWords(e *entry, o *order, f *offer) (title string, reasons []sales.Reason, details *sheet) {
	l := f.link
	title = fmt.Sprintf("Offer customer %s a better %s: tier %d on %s within %d, never tier %d, and %.0f in 100 like them have gone up.",
		e.id, l.From, l.FromTier, inDays(f.days), s.rules.WindowDays, l.ToTier, 100*l.Confidence)
	reasons = []sales.Reason{
		{Code: "repeated", Text: fmt.Sprintf("Bought %s of tier %d on %s within %d.", l.From, l.FromTier, inDays(f.days), s.rules.WindowDays),
			Value: float64(f.days), Baseline: float64(s.rules.Upsell.MinPurchases), Weight: 1, Evidence: []sales.Evidence{o.evidence()}},
		{Code: "others_went_up", Text: fmt.Sprintf("%d of %d customers who kept to tier %d went up.", l.Both, l.FromHolders, l.FromTier),
			Value: l.Confidence, Weight: l.Score},
	}
	details = newSheet(f, map[string]float64{"confidence": l.Confidence, "from_tier": float64(l.FromTier), "to_tier": float64(l.ToTier),
		"price_ratio": l.PriceRatio, "link_score": l.Score, "days": float64(f.days), "paid_minor": float64(f.gain.paid), "adds_minor": f.gain.minor(l),
		"from_margin": f.gain.from, "margin": f.gain.to, "margin_known": flag(f.gain.known), "by_value": flag(f.byValue)})
	return title, reasons, details
}
