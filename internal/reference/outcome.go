package reference

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/google/uuid"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// report is an outcome that the customer remembers.
type report struct {
	event  uint64
	result string
	undone bool
	day    sales.Day
	kind   sales.AlertKind // of the alert
	to     name            // what it offers
	opened sales.Day
	until  sales.Day
	rep    string
	ended  *episode // that the report has ended
}

// about names an alert: what was said on a day.
type about struct {
	kind   sales.AlertKind
	to     name
	opened sales.Day
	open   *episode // nil when it has ended
}

func (m *Model) remembered() sales.Day { return sales.Day(m.rules.CooldownDays + m.rules.SlackDays) }

// outcome takes up what came of an alert.
func (m *Model) outcome(i int, e *sales.Event) {
	o := e.Outcome
	if o.OccurredAt > m.commit.Clock+5*60*1000 {
		m.refuse(i, sales.DeadTime)
		return
	}
	c, day := m.customer(o.CustomerID), m.calendar.Day(o.OccurredAt)
	m.catchUp(c)
	if day <= c.day-m.remembered() {
		m.out.Late = append(m.out.Late, i)
		return
	}
	if o.Undoes != "" {
		m.takeBack(c, e, day)
		return
	}
	if c.reportOf(o.EventID) != nil {
		return // a redelivery, or one taken back before it came
	}
	m.report(c, e, day)
}

func (c *customer) reportOf(eventID string) *report {
	for i := range c.reports {
		if c.reports[i].event == window.EventHash(eventID) {
			return &c.reports[i]
		}
	}
	return nil
}

var results = []string{"contacted", "survey_sent", "survey_answered", "won", "lost", "interested", "no_answer", "not_useful", "wrong_person", "snoozed", "assigned"}

func (m *Model) report(c *customer, e *sales.Event, day sales.Day) {
	o := e.Outcome
	alert, known := m.find(c, o.AlertID)
	handed := !known && o.Result == "assigned" && m.isNextSpell(c, o.AlertID)
	if !slices.Contains(results, o.Result) || !known && !handed {
		return
	}
	if handed {
		alert = about{kind: sales.Declining, opened: day, open: c.spell()}
		if alert.open != nil {
			alert.opened = alert.open.day
		}
	}
	c.changed = true
	r := report{event: window.EventHash(o.EventID), result: strings.Clone(o.Result), day: day, kind: alert.kind, to: alert.to, opened: alert.opened}
	switch {
	case r.result == "assigned":
		r.rep = strings.Clone(o.ToRepID)
	case r.kind == sales.Declining:
		r.rep = c.told(alert)
	}
	if r.result == "snoozed" {
		r.until = m.calendar.Day(o.Until-1) + 1
	}
	owner := c.alertOwner()
	evidence := sales.Evidence{Source: e.Source, EventID: strings.Clone(o.EventID)}
	ends := slices.Contains([]string{"won", "lost", "not_useful", "wrong_person"}, r.result) ||
		r.result == "survey_answered" && r.kind == sales.Declining && o.Attributes["answer"] == "staying"
	if ends && alert.open != nil {
		r.ended = alert.open
		m.sayEnd(c, alert.open, sales.Resolved, o.OccurredAt, r.result, evidence)
		if r.result == "won" && r.kind != sales.Declining {
			c.before.taken = max(c.before.taken, c.before.taken+1) // 255 stays
		}
	}
	c.remember(r)
	switch {
	case handed && alert.open == nil:
		m.handOver(c, e, day)
	case alert.open == nil || r.ended != nil:
	case r.result == "survey_answered", r.result == "assigned" && c.alertOwner() != owner:
		m.update(c, alert.open, o.OccurredAt, r.result, evidence)
	}
}

// told is the rep who was told about a spell, as reports say, else the one whom an alert would name now.
func (c *customer) told(a about) string {
	for _, r := range c.reports {
		if r.result != "assigned" && r.kind == a.kind && r.to == a.to && r.opened == a.opened {
			return r.rep
		}
	}
	return c.alertOwner()
}

// alertOwner is the rep whom alerts name.
func (c *customer) alertOwner() string {
	rep := c.rep
	for _, r := range c.reports {
		if r.result == "assigned" && !r.undone {
			rep = r.rep
		}
	}
	return cmp.Or(rep, c.owner)
}

// remember keeps the report among the last 64 by day.
func (c *customer) remember(r report) {
	c.reports = append(c.reports, r)
	slices.SortStableFunc(c.reports, func(a, b report) int { return int(a.day - b.day) })
	if len(c.reports) > 64 {
		c.forgetReport(c.reports[0])
		c.reports = c.reports[1:]
	}
}

func (c *customer) forgetReport(r report) {
	if r.result == "assigned" && !r.undone {
		c.rep = r.rep
	}
}

// forgetReports drops what has no effect any more on the day.
func (m *Model) forgetReports(c *customer, day sales.Day) {
	kept := []report(nil)
	for _, r := range c.reports {
		if r.day > day-m.remembered() || r.until > day || r.keepsClosed(c) {
			kept = append(kept, r)
		} else {
			c.forgetReport(r)
		}
	}
	c.reports = kept
}

// keepsClosed tells whether the report has ended the spell of the customer's last purchase.
func (r *report) keepsClosed(c *customer) bool {
	return !r.undone && r.ended != nil && r.ended.kind == sales.Declining && r.ended.event == c.last.event
}

// silenced tells whether reports forbid to alert about the customer on the day.
func (m *Model) silenced(c *customer, kind sales.AlertKind, day sales.Day) bool {
	for _, r := range c.reports {
		until := r.until
		switch r.result {
		case "contacted", "survey_sent", "survey_answered", "won", "lost", "interested", "wrong_person":
			until = r.day + sales.Day(m.rules.CooldownDays)
		}
		offerOnly := r.kind != sales.Declining && r.result != "wrong_person"
		if !r.undone && day < until && (!offerOnly || kind != sales.Declining) {
			return true
		}
	}
	return false
}

func (m *Model) inPeace(c *customer, day sales.Day) bool {
	return m.silenced(c, sales.Declining, day) || slices.ContainsFunc(c.reports, func(r report) bool { return r.keepsClosed(c) })
}

func (m *Model) useless(kind sales.AlertKind, segment string) bool {
	return m.known.weight(kind, segment) < m.rules.Feedback.MinWeight
}

// find looks for an alert of the customer: an open one, one that a report has ended, or one among the last 64 that were said. An offer among those is
// one that an order of its day would have led to.
func (m *Model) find(c *customer, alertID string) (about, bool) {
	parsed, err := uuid.Parse(alertID)
	if err != nil {
		return about{}, false
	}
	id := parsed.String()
	for _, ep := range c.open {
		if ep.id == id {
			return about{ep.kind, ep.to, ep.day, ep}, true
		}
	}
	for _, r := range c.reports {
		if r.ended != nil && r.ended.id == id {
			return about{r.kind, r.to, r.opened, nil}, true
		}
	}
	for _, s := range c.said[max(0, len(c.said)-64):] {
		if !s.capped && slices.Contains(m.idsOf(c, s), id) {
			return about{s.kind, s.to, s.day, nil}, true
		}
	}
	return about{}, false
}

// idsOf are the ids that what was said may have had, as far as the customer still knows.
func (m *Model) idsOf(c *customer, s said) []string {
	if s.kind == sales.Declining {
		return []string{m.alertID(c.id, &episode{kind: s.kind, event: s.event})}
	}
	var ids []string
	for _, p := range c.purchases {
		if p.refund || p.day != s.day {
			continue
		}
		for from := range m.leadingTo(c, s) {
			ids = append(ids, m.alertID(c.id, &episode{kind: s.kind, event: p.event, from: from, to: s.to}))
		}
	}
	return ids
}

// leadingTo is what an offer may have followed from: what was bought on its day, and for a cross-sell what was bought or touched in the 60 days up to it.
func (m *Model) leadingTo(c *customer, s said) map[name]bool {
	from := map[name]bool{}
	for day, items := range c.bought {
		for it := range items {
			text := called(s.to.level, it)
			_, known := m.places[standing(s.to.level, text)]
			switch {
			case s.kind == sales.Upsell && day == s.day && it.Type == s.to.text:
				from[name{sales.LevelType, it.Type, it.Tier}] = true
			case s.kind == sales.CrossSell && day > s.day-60 && day <= s.day && known:
				from[name{level: s.to.level, text: text}] = true
			}
		}
	}
	for t := range c.touches {
		if s.kind == sales.CrossSell && t.about != "" && t.day > s.day-60 && t.day <= s.day {
			from[name{level: sales.LevelCategory, text: t.about}] = true
		}
	}
	return from
}

// isNextSpell tells whether the id is that of the spell which the last purchase would give its name.
func (m *Model) isNextSpell(c *customer, alertID string) bool {
	id, err := uuid.Parse(alertID)
	return err == nil && c.last != newest{} && m.alertID(c.id, &episode{kind: sales.Declining, event: c.last.event}) == id.String()
}

// handOver opens the spell that somebody has picked from the list.
func (m *Model) handOver(c *customer, e *sales.Event, day sales.Day) {
	if m.saidLately(c, sales.Declining, name{}, day, false) || m.inPeace(c, day) {
		return
	}
	ep := &episode{kind: sales.Declining, event: c.last.event, day: day, suppressed: m.suppression(c)}
	if t := m.trend(c, day); t.expected > 0 {
		ep.score = rounded(max(0, min(0.99, 1-float64(t.recent)/t.expected)))
	}
	c.open = append(c.open, ep)
	c.said = append(c.said, said{kind: sales.Declining, day: day, event: c.last.event})
	last := c.last.source
	last.Topic = m.prefix + "purchases"
	m.say(c, ep, sales.Opened, e.Outcome.OccurredAt).Reasons = []sales.Reason{
		{Code: "handed_over", Evidence: []sales.Evidence{{Source: e.Source, EventID: strings.Clone(e.Outcome.EventID)}}},
		{Code: "last_purchase", Evidence: []sales.Evidence{{Source: last}}}}
}

// takeBack makes an outcome as if it had never been.
func (m *Model) takeBack(c *customer, e *sales.Event, day sales.Day) {
	o := e.Outcome
	r := c.reportOf(o.Undoes)
	if r == nil {
		if !c.empty() {
			c.changed = true
			c.remember(report{event: window.EventHash(o.Undoes), undone: true, day: day})
		}
		return
	}
	if r.undone {
		return
	}
	c.changed = true
	owner, ended := c.alertOwner(), r.ended
	if r.result == "won" && ended != nil && ended.kind != sales.Declining && c.before.taken > 0 && c.before.taken < 255 {
		c.before.taken--
	}
	r.undone, r.ended = true, nil
	evidence := sales.Evidence{Source: e.Source, EventID: strings.Clone(o.EventID)}
	if ended != nil {
		m.reopen(c, ended, o.OccurredAt, evidence)
		return
	}
	if r.result == "survey_answered" || r.result == "assigned" && c.alertOwner() != owner {
		for _, ep := range c.open {
			if ep.kind == r.kind && ep.to == r.to && ep.day == r.opened {
				m.update(c, ep, o.OccurredAt, "taken_back", evidence)
			}
		}
	}
}

// reopen brings an episode back, if there is room; what has ended it meanwhile ends it at once.
func (m *Model) reopen(c *customer, ended *episode, at sales.Millis, evidence sales.Evidence) {
	limit, open := 1, 0
	switch ended.kind {
	case sales.CrossSell:
		limit = m.rules.Caps.CrossSell
	case sales.Upsell:
		limit = m.rules.Caps.Upsell
	}
	for _, other := range c.open {
		if other.kind == ended.kind {
			open++
		}
	}
	if open >= limit || ended.updates >= 29 {
		return
	}
	ep := *ended
	code := ""
	if ep.kind == sales.Declining {
		if m.trend(c, c.day).p >= m.rules.Declining.ResolveAbove && c.last.event != ep.event {
			code = "came_back"
		}
	} else if day := c.firstDay(ep.day-sales.Day(m.rules.WindowDays), ep.isOf); day != math.MaxInt32 {
		code = "taken_up"
		if day < ep.day {
			code = "contradicted"
		}
	}
	c.open = append(c.open, &ep)
	if code == "taken_up" {
		c.before.taken = max(c.before.taken, c.before.taken+1)
	}
	if code != "" {
		m.sayEnd(c, &ep, sales.Resolved, at, code, evidence)
		return
	}
	m.update(c, &ep, at, "taken_back", evidence)
}

// firstDay is the first day after the given one on which anything was bought that the condition holds for.
func (c *customer) firstDay(after sales.Day, holds func(window.Item) bool) sales.Day {
	first := sales.Day(math.MaxInt32)
	for day, items := range c.bought {
		if day > after && day < first && anyItem(items, holds) {
			first = day
		}
	}
	return first
}

// update says one more revision, of at most 29 between the first and the last.
func (m *Model) update(c *customer, ep *episode, at sales.Millis, code string, evidence sales.Evidence) {
	if ep.updates < 29 {
		ep.updates++
		m.say(c, ep, sales.Updated, at).Reasons = []sales.Reason{{Code: code, Evidence: []sales.Evidence{evidence}}}
	}
}

func reportLine(r *report) string {
	line := fmt.Sprintf("report %x on %s: %s about %s of %s, opened %s, until %s, rep %q, undone %t", r.event, r.day, r.result, r.kind, r.to, r.opened, r.until,
		r.rep, r.undone)
	if r.ended != nil {
		line += ", has ended " + strings.TrimPrefix(episodeLine(r.ended), "open ")
	}
	return line
}
