package reference

import (
	"fmt"
	"slices"
	"strings"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/slipping"
	"leadline/internal/window"
)

// slipHistory is how many days of history must be kept for the push to say anything, and fewestDays how many days with an order in 90.
const (
	slipHistory = 180
	fewestDays  = 3
)

// daysBefore is the days with an order that are kept, in order, without those from the given one on.
func (c *customer) daysBefore(at sales.Day) []sales.Day {
	var days []sales.Day
	for _, p := range c.purchases {
		if !p.refund && p.day < at {
			days = append(days, p.day)
		}
	}
	slices.Sort(days)
	return slices.Compact(days)
}

// learned is the scorecard of slipping away with the points that are known; nil: nothing was learned, or too little history is kept.
func (m *Model) learned() *scorecard.Score {
	model, ok := m.known.models["declining"]
	if !ok || m.keptDays() < slipHistory {
		return nil
	}
	models := scorecard.NewModels()
	models.Set(model)
	return models.Learned(scorecard.Declining())
}

// slipChance is the probability that the customer slips away, at the start of a day at, if nothing happens from the day known on; 0 if it is
// not for the push to say.
func (m *Model) slipChance(c *customer, known, at sales.Day) float64 {
	score, attributes := m.learned(), m.slipAttributes(c, known, at)
	if score == nil || attributes == nil {
		return 0
	}
	return score.Probability(score.LogOdds(attributes))
}

// slipReasons are the codes of why the push says it, but for what the rep has no room for.
func (m *Model) slipReasons(c *customer, day sales.Day) []string {
	codes := []string{"slipping_away", "fewer_lately"}
	for _, sign := range m.reasons(scorecard.Declining(), m.slipAttributes(c, day+1, day+1)) {
		codes = append(codes, strings.ReplaceAll(sign, " ", "_"))
	}
	return codes
}

// slipAttributes are the bins of the customer's signs; nil if there is too little to go by.
func (m *Model) slipAttributes(c *customer, known, at sales.Day) (attributes []int) {
	days := slices.DeleteFunc(c.daysBefore(known), func(day sales.Day) bool { return day < at-slipping.Reach })
	if len(days) == 0 {
		return nil
	}
	later := len(c.daysBefore(1<<30)) - len(c.daysBefore(known))
	ever := max(int(c.before.days), len(days)+later) - later
	season := engine.SlipQuestion.NewSeason(at, m.known.active, m.known.level(at-1, 365))
	look := slipping.Look{Days: days, First: c.before.first, Ever: ever}
	for _, day := range days {
		var b slipping.Bought
		for _, s := range c.bought[day] {
			b.SpentMinor += s.amount
			b.Kinds++
		}
		look.Bought = append(look.Bought, b)
	}
	for t := range c.touches {
		look.Touch(t.kind, t.day, known)
	}
	counts := season.Count(&look)
	if counts.InWindow < fewestDays {
		return nil
	}
	var signs [slipping.Signs]float64
	population := slipping.Usual
	if learned, ok := m.known.models["mbgnbd"]; ok {
		population = slipping.PopulationOf(&learned)
	}
	season.Ask(&look, &counts, &population, &signs)
	for i, value := range signs {
		attributes = append(attributes, scorecard.Declining().Characteristics[i].Attribute(value))
	}
	return attributes
}

// leaves tells whether the push would say, at the start of a day at, that the customer slips away, if nothing happens from the day known on.
func (m *Model) leaves(c *customer, known, at sales.Day) bool {
	return m.learned() != nil && m.slipChance(c, known, at) >= float64(m.rules.Declining.MinPrecision)
}

// hasRoom tells whether the customer's rep has room for an alert that it slips away.
func (m *Model) hasRoom(c *customer, day sales.Day) bool {
	if m.rules.Declining.CapacityPerWeek == 0 {
		return true
	}
	spent := int64(0)
	for on, items := range c.bought {
		for _, s := range items {
			if on > day-90 && on <= day {
				spent += s.amount
			}
		}
	}
	worth := m.slipChance(c, day+1, day+1) * max(1, float64(spent)*30/90) * (1 + float64(c.last.event)/(1<<40)/32)
	return worth >= m.known.least[c.alertOwner()]
}

// holdBack says to the ledger, once in a cool-down, what the rep has no room for: under the name of the last purchase and the day.
func (m *Model) holdBack(c *customer, day sales.Day, due sales.Millis, score float64) {
	if m.saidLately(c, sales.Declining, name{}, day, true) {
		return
	}
	event := window.EventHash(fmt.Sprintf("%x %s", c.last.event, day))
	c.said = append(c.said, said{kind: sales.Declining, capped: true, day: day, event: event})
	m.spellAlert(c, &episode{kind: sales.Declining, event: event, day: day, score: rounded(score), suppressed: sales.ByCap}, due,
		slices.Insert(m.slipReasons(c, day), 2, "no_room")...)
}

// slip opens a spell if the customer slips away and the rep has room for it, and otherwise gives the day of the look before the next weekly one at which it will be said if
// nothing happens; 0: none.
func (m *Model) slip(c *customer, day sales.Day, due sales.Millis) (leaving bool, telling sales.Day) {
	if m.unspoken(c, day) {
		return false, 0
	}
	if m.leaves(c, day+1, day+1) {
		score := m.known.weight(sales.Declining, c.alertOwner()) * m.slipChance(c, day+1, day+1)
		if m.hasRoom(c, day) {
			m.openSpell(c, day, due, score, m.slipReasons(c, day)...)
		} else {
			m.holdBack(c, day, due, score)
		}
		return true, 0
	}
	if m.leaves(c, day+1, day+week+1) {
		for next := day + 1; next < day+week; next++ {
			if m.leaves(c, day+1, next+1) {
				return false, next
			}
		}
	}
	return false, 0
}
