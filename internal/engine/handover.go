package engine

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/google/uuid"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// A customer is handed over from the list of declining customers by an outcome that assigns an alert which was not said yet: the declining
// spell that would be opened next. Its id is known to whoever knows the customer's last purchase.

// NextSpellID is the id of the declining alert that would be opened next about a customer whose last purchase is the event.
func NextSpellID(prefix, customer string, last uint64) uuid.UUID {
	return EpisodeID(prefix, sales.Declining, customer, last)
}

// EpisodeID is the id of an alert that offers nothing: about a customer or, of kinds that shards do not decide, another subject.
func EpisodeID(prefix string, kind sales.AlertKind, subject string, episode uint64) uuid.UUID {
	ep := nextSpell(episode)
	ep.Kind = kind
	s := Shard{cfg: Config{Prefix: prefix}}
	return s.alertID(subject, ep)
}

func nextSpell(last uint64) *Episode {
	return &Episode{Kind: sales.Declining, Event: last, From: window.NoItem, To: window.NoItem}
}

// namesNextSpell tells whether the id is that of the declining alert which would be opened next.
func (s *Shard) namesNextSpell(e *entry, alertID string) bool {
	id, err := uuid.Parse(alertID)
	last := e.state.Window.Last()
	return err == nil && last != window.Purchase{} && s.alertID(e.id, nextSpell(last.Event)) == id
}

// handOver opens the spell that was assigned, unless the cool-down or a report says otherwise.
func (s *Shard) handOver(e *entry, ev *sales.Event, day sales.Day) {
	c, o := &e.state, ev.Outcome
	if s.saidLately(e, sales.Declining, noNumber, day, false) {
		s.pass(e, sales.Declining, "", o.OccurredAt, PassedCooldown)
		return
	}
	if s.leftInPeace(c, day) {
		s.pass(e, sales.Declining, "", o.OccurredAt, PassedSilenced)
		return
	}
	d, score := s.decline(&c.Window, day), 0.0
	if d.expected > 0 {
		score = lost(d)
	}
	a := s.openSpell(e, day, o.OccurredAt, score)
	a.Title = fmt.Sprintf("Customer %s was handed over from the list of declining customers.", e.id)
	a.Reasons = append([]sales.Reason{
		{Code: "handed_over", Text: "Handed over by " + orNobody(o.RepID) + " from the list. " + o.Note, Value: float64(d.recent), Baseline: d.expected,
			Weight: 1, Evidence: outcomeEvidence(ev)}}, a.Reasons...)
	a.Details = sales.NumbersOf(numbersOf(o.Attributes))
}

// leftInPeace tells whether reports stand against a declining alert on the day: what silences it, and that the spell of the last purchase was
// ended by one. That one is not opened again, for it would be under the same id.
func (s *Shard) leftInPeace(c *Customer, day sales.Day) bool {
	last := c.Window.Last().Event
	return s.silenced(c, sales.Declining, day) || slices.ContainsFunc(c.Reports, func(r Report) bool { return r.endedSpell(last) })
}

// maxDetails is how many numbers an outcome can hand on to an alert.
const maxDetails = 32

// numbersOf is what of the attributes is a number, the first of them by name.
func numbersOf(attributes map[string]string) map[string]float64 {
	numbers := map[string]float64{}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		v, err := strconv.ParseFloat(attributes[name], 64)
		if err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) && len(numbers) < maxDetails {
			numbers[name] = v
		}
	}
	return numbers
}
