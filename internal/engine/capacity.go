package engine

import (
	"strconv"

	"leadline/internal/feedback"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// A rep gets the alerts of the push that are worth most (package feedback, capacity.go). What is worth less goes to the ledger, once in a cool-down, and is
// weighed anew at each look: it is said when it is worth enough. The exact test does not speak in its place.

// weigh tells what an alert is worth to the rep, and what it must be. One that has gone to the ledger lately has nothing more to say there.
func (s *Shard) weigh(e *entry, day sales.Day, v *slip) {
	v.atRisk = s.atRisk(&e.state, day)
	v.worth = feedback.Worth(v.chance, v.atRisk, window.Lot(e.state.Window.Last().Event))
	if s.rules.Declining.CapacityPerWeek > 0 {
		v.least = s.step.batch.Knowledge.Feedback.LeastWorth(e.state.Owner())
	}
	v.fires = !v.held() || !s.saidLately(e, sales.Declining, noNumber, day, true)
}

// atRisk is what the customer has spent in SlipQuestion's window, by the horizon.
func (s *Shard) atRisk(c *Customer, day sales.Day) float64 {
	spent := int64(0)
	for _, l := range c.Window.Between(day-sales.Day(SlipQuestion.WindowDays), day) {
		spent += l.AmountMinor
	}
	return float64(spent) * float64(SlipQuestion.HorizonDays) / float64(SlipQuestion.WindowDays)
}

// tellDemand counts an alert that the rep would get if there were room for all: when it goes to the ledger, and when it is said. One that does both is
// counted twice, at a greater worth the second time, so that all that is said is counted; nothing that the experiment or the customer keeps from the rep is.
func (s *Shard) tellDemand(e *entry, worth float64, day sales.Day) {
	owner := e.state.Owner()
	if owner == "" || s.cfg.Job != nil || s.suppression(e) != sales.NotSuppressed {
		return
	}
	t := &s.step.tally
	t.outcomes = append(t.outcomes, sales.Cell{Row: feedback.DemandRow(owner), Col: feedback.DemandCol(worth), Bucket: day.Week(), N: 1})
}

// holdBack says to the ledger alone what the rep has no room for. It is no spell, and not called as the spell would be that may still come of it.
func (s *Shard) holdBack(e *entry, day sales.Day, due sales.Millis, score float64) *sales.Alert {
	ep := *nextSpell(window.EventHash(strconv.FormatUint(e.state.Window.Last().Event, 16) + " " + day.String()))
	ep.Day, ep.Score, ep.Suppressed = day, partsOfOne(score), sales.ByCap
	e.state.Said = append(e.state.Said, Said{Kind: sales.Declining, Capped: true, Item: window.NoItem, Day: day, Event: ep.Event})
	return s.spellAlert(e, &ep, due)
}
