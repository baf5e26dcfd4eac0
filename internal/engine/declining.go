package engine

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"leadline/internal/activity"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// decline is a customer's recent days with a purchase against the earlier ones.
type decline struct {
	recent, before int
	expected       float64 // recent days, had the customer gone the way everyone went
	seasonal       bool    // expected by everyone's activity, else by the windows' lengths
	p              float64
}

func (s *Shard) decline(w *window.Window, day sales.Day) decline {
	r := s.rules.Declining
	split := day - sales.Day(r.RecentDays)
	start := split - sales.Day(r.BaselineDays)
	d := decline{recent: w.PurchaseDays(split, day), before: w.PurchaseDays(start, split), seasonal: true}
	weights := s.weights(day)
	d.seasonal = weights.seasonal
	d.expected = float64(d.before) * weights.recent / weights.before
	d.p = activity.Decline(d.recent, d.before, weights.recent, weights.before)
	return d
}

// weights is how much activity was to be expected of anybody in the windows that end with a day.
type weights struct {
	day            sales.Day
	recent, before float64
	seasonal       bool // by everyone's activity, else by the windows' lengths
}

func (s *Shard) weights(day sales.Day) weights {
	known := &s.step.scratch.weights
	if known.day == day && known.before > 0 { // many customers are looked at as of one day
		return *known
	}
	r, index := s.rules.Declining, s.step.batch.Knowledge.Activity
	split := day - sales.Day(r.RecentDays)
	*known = weights{day: day, recent: index.Sum(split, day), before: index.Sum(split-sales.Day(r.BaselineDays), split), seasonal: true}
	if known.recent <= 0 || known.before <= 0 {
		*known = weights{day: day, recent: float64(r.RecentDays), before: float64(r.BaselineDays)}
	}
	return *known
}

// cannotDecline tells that a customer with so many lines has no p-value below alpha, whatever their days: it is least when all are of
// the baseline's days, each of a day of its own, and then it is the chance that all of them fall there. Mostly that is the answer.
func (s *Shard) cannotDecline(lines int, day sales.Day) bool {
	w := s.weights(day)
	return math.Pow(w.before/(w.recent+w.before), float64(lines)) >= s.rules.Declining.Alpha
}

// look is what the timer does once a week: open a declining spell, or end one whose customer has not bought for a whole window. Mostly it
// finds nothing: then the customer, unless this step has touched it, stays as it was written, and only its timer moves on. If silence will be
// telling before the week is over, the timer is set for that day, and weeks count from it.
func (s *Shard) look(e *entry, day sales.Day, due sales.Millis) {
	c := &e.state
	var d decline
	var v slip
	declines, gone := false, false
	s.teach(e, day)
	if c.spell() < 0 {
		why := PassedAlpha
		if !s.cannotDecline(len(c.Window.Lines()), day) {
			d = s.decline(&c.Window, day)
			why = s.noSpell(e, d, day)
		}
		if v = s.slips(e, day); s.slipCard() != nil && why == PassedAlpha {
			why = PassedPrecision
		}
		if v.held() {
			why = PassedCapacity
		}
		if declines = why == ""; !declines && !v.fires {
			s.pass(e, sales.Declining, "", due, why)
		}
	} else {
		gone = c.Window.PurchaseDays(day-sales.Day(s.rules.WindowDays), day) == 0
	}
	if !e.touched && !declines && !v.fires && v.telling == 0 && !gone && !c.overdue(day) && c.seenAfter(day-sales.Day(s.rules.keptDays())) {
		s.lookedInVain(e, day)
		return
	}
	s.touch(e)
	s.tellAhead(c, c.Day+1, day)
	c.advance(day, &s.rules)
	s.watchLook(c, day)
	switch {
	case v.fires:
		s.openSlip(e, v, day, due)
	case declines:
		s.openDecline(e, d, day, due)
	}
	if gone {
		ended := c.close(c.spell())
		s.sayEnd(e, &ended, ending{status: sales.Expired, at: due, code: "gone",
			title:   fmt.Sprintf("Customer %s has bought nothing for %d days.", e.id, s.rules.WindowDays),
			text:    fmt.Sprintf("No purchase in the last %d days.", s.rules.WindowDays),
			details: map[string]float64{"days_open": float64(day - ended.Day)}})
	}
	if c.LookDay = nextLook(c, day); v.telling != 0 {
		c.LookDay = v.telling
	}
}

// lookedInVain notes a look that found nothing. What leaves the window by then is tallied, as the customer's own time has come to the day.
func (s *Shard) lookedInVain(e *entry, day sales.Day) {
	from := e.state.Day
	if e.due.Look != e.state.LookDay {
		from = max(from, day-LookEvery)
	}
	s.tellAhead(&e.state, from+1, day)
	e.due.Look = day + LookEvery
	if !e.looked {
		e.looked = true
		s.step.looked = append(s.step.looked, e)
	}
}

// nextLook is when to look again: weekly while there is anything in the window.
func nextLook(c *Customer, day sales.Day) sales.Day {
	if c.Window.Empty() {
		return 0
	}
	return day + LookEvery
}

// openSpell opens an alert about a customer that is declining; the caller fills in the words.
func (s *Shard) openSpell(e *entry, day sales.Day, due sales.Millis, score float64) *sales.Alert {
	c := &e.state
	last := c.Window.Last()
	ep := *nextSpell(last.Event)
	ep.Day, ep.Score, ep.Suppressed = day, partsOfOne(score), s.suppression(e)
	c.open(ep)
	c.Said = append(c.Said, Said{Kind: sales.Declining, Item: window.NoItem, Day: day, Event: last.Event})
	return s.spellAlert(e, &ep, due)
}

// spellAlert is the first revision about a spell, with the last purchase as a reason.
func (s *Shard) spellAlert(e *entry, ep *Episode, due sales.Millis) *sales.Alert {
	day, last := ep.Day, e.state.Window.Last()
	a := s.alert(e, ep, sales.Opened, due)
	purchases := sales.Source{Topic: s.cfg.Prefix + topicPurchases, Partition: last.Partition, Offset: last.Offset}
	a.Reasons = []sales.Reason{{Code: "last_purchase", Text: "Last bought on " + s.cfg.Calendar.Day(last.At).String() + ".",
		Value: float64(day - s.cfg.Calendar.Day(last.At)), Evidence: []sales.Evidence{{Source: purchases}}}}
	return a
}

// openDecline says that the customer has bought on fewer days than chance explains.
func (s *Shard) openDecline(e *entry, d decline, day sales.Day, due sales.Millis) {
	r := s.rules.Declining
	weight := s.weight(sales.Declining, e.state.Owner())
	a := s.openSpell(e, day, due, lost(d)*weight)
	by := "at that rate %.1f were to be expected"
	if d.seasonal {
		by = "everyone's activity would let expect %.1f"
	}
	a.Title = fmt.Sprintf("Customer %s bought on %s in the last %d, after %d in the %d before; "+by+".",
		e.id, inDays(d.recent), r.RecentDays, d.before, r.BaselineDays, d.expected)
	a.Reasons = append([]sales.Reason{{Code: "fewer_purchase_days", Text: fmt.Sprintf("%s with a purchase where %.1f were to be expected.", inDays(d.recent), d.expected),
		Value: float64(d.recent), Baseline: d.expected, Weight: 1 - d.p}}, a.Reasons...)
	a.Reasons = seldomUseful(a.Reasons, weight)
	a.Details = sales.NumbersOf(map[string]float64{"recent_days": float64(d.recent), "baseline_days": float64(d.before), "expected_days": d.expected,
		"p_value": d.p})
}

// noSpell is why the customer does not count as declining, empty if it does.
func (s *Shard) noSpell(e *entry, d decline, day sales.Day) PassedWhy {
	r := s.rules.Declining
	switch {
	case d.p >= r.Alpha:
		return PassedAlpha
	case d.before < r.MinBaselineDays:
		return PassedBaseline
	default:
		return s.unspoken(e, day)
	}
}

// unspoken is why nothing is said about a customer who declines, empty if it is said.
func (s *Shard) unspoken(e *entry, day sales.Day) PassedWhy {
	switch {
	case s.saidLately(e, sales.Declining, noNumber, day, false):
		return PassedCooldown
	case s.leftInPeace(&e.state, day):
		return PassedSilenced
	case s.useless(sales.Declining, e.state.Owner()):
		return PassedUseless
	default:
		return ""
	}
}

// inDays says a number of days.
func inDays(n int) string {
	if n == 1 {
		return "1 day"
	}
	return strconv.Itoa(n) + " days"
}

// lost is the share of the expected purchase days that is missing, the score of a declining alert: how much there is to win back,
// no probability. It is capped below 1, because nothing is certain.
func lost(d decline) float64 { return math.Max(0, math.Min(0.99, 1-float64(d.recent)/d.expected)) }

// recover ends a declining spell when a purchase shows that the customer has come back: neither the test nor the push would say so any more.
func (s *Shard) recover(e *entry, o *order) {
	c := &e.state
	if c.spell() < 0 {
		return
	}
	d := s.decline(&c.Window, c.Day)
	if d.p < s.rules.Declining.ResolveAbove || s.slipCard() != nil && s.slipChance(c, c.Day+1, c.Day+1) >= s.rules.Declining.least() {
		return
	}
	ended := c.close(c.spell())
	text := fmt.Sprintf("%s with a purchase in the last %d, where %.1f were to be expected.", inDays(d.recent), s.rules.Declining.RecentDays,
		d.expected)
	s.sayEnd(e, &ended, ending{status: sales.Resolved, at: o.OccurredAt, code: "came_back", value: float64(d.recent), baseline: d.expected,
		title: fmt.Sprintf("Customer %s is buying again: on %s in the last %d.", e.id, inDays(d.recent), s.rules.Declining.RecentDays),
		text:  text, evidence: []sales.Evidence{o.evidence()},
		details: map[string]float64{"days_to_return": float64(max(0, o.day-ended.Day)), "days_away": s.daysAway(c, o.day), "p_value": d.p}})
}

// daysAway is how long before the order of the day the customer had not bought.
func (s *Shard) daysAway(c *Customer, day sales.Day) float64 {
	days := s.slipLook(c, day).Days
	before, _ := slices.BinarySearch(days, day)
	if before == 0 {
		return 0
	}
	return float64(day - days[before-1])
}
