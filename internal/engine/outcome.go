package engine

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// outcome takes up what a rep reports about an alert. A redelivered one changes nothing, nor does one that was taken back before it came. One about an
// alert that the customer does not remember is counted and nothing else.
func (s *Shard) outcome(i int, ev *sales.Event) {
	o := ev.Outcome
	if o.OccurredAt > s.step.batch.Clock+MaxAhead {
		s.reject(i, sales.DeadTime, "occurred_at is more than 5 minutes ahead of the clock")
		return
	}
	e := s.customer(o.CustomerID)
	s.wake(e)
	day := s.cfg.Calendar.Day(o.OccurredAt)
	switch c := &e.state; {
	case day <= c.Day-s.rules.rememberedDays():
		s.step.out.Late = append(s.step.out.Late, i)
	case o.Undoes != "": // and that cannot be taken back itself, in whatever order the two come
		s.takeBack(e, ev, day)
	case c.reported(window.EventHash(o.EventID)) >= 0:
		s.step.out.Duplicates++
	default:
		s.report(e, ev, day)
	}
}

// report remembers an outcome and does what it says.
func (s *Shard) report(e *entry, ev *sales.Event, day sales.Day) {
	o, c := ev.Outcome, &e.state
	result := resultOf(o.Result)
	ref, known := s.find(e, o.AlertID)
	handed := !known && result == Assigned && s.namesNextSpell(e, o.AlertID)
	if result == NoResult || !known && !handed {
		s.step.out.Unheeded++
		return
	}
	s.touch(e)
	if handed {
		ref = alertRef{kind: sales.Declining, item: window.NoItem, opened: day, at: c.spell()}
		if ref.at >= 0 {
			ref.opened = c.Open[ref.at].Day
		}
	}
	r := Report{Event: window.EventHash(o.EventID), Result: result, Day: day, Kind: ref.kind, Item: ref.item, Opened: ref.opened}
	switch {
	case result == Assigned:
		r.Rep = strings.Clone(o.ToRepID)
	case ref.kind == sales.Declining:
		r.Rep = c.toldRep(ref)
	}
	if result == Snoozed {
		r.Until = s.cfg.Calendar.Day(o.Until-1) + 1
	}
	before, owner := c.heard(ref), c.Owner()
	if text, ends := endingText(ref.kind, result, o); ends && ref.at >= 0 {
		ended := c.close(ref.at)
		s.sayEnd(e, &ended, ending{status: sales.Resolved, at: o.OccurredAt, code: o.Result, text: text, value: reportedValue(o),
			evidence: outcomeEvidence(ev)})
		r.Ended = &ended
		s.reportedExample(&r, +1)
		if r.sold() {
			more(&c.TakenUp)
		}
	}
	c.remember(r)
	s.countHeard(c, &r, before, c.heard(ref))
	switch {
	case handed && ref.at < 0:
		s.handOver(e, ev, day)
	case r.Ended != nil || ref.at < 0:
	case result == SurveyAnswered:
		s.sayUpdate(e, ref.at, o.OccurredAt, "Customer "+e.id+" has answered a survey.", sales.Reason{Code: o.Result, Text: answerText(o),
			Value: reportedValue(o), Weight: 1, Evidence: outcomeEvidence(ev)})
	case result == Assigned && c.Owner() != owner:
		s.sayUpdate(e, ref.at, o.OccurredAt, fmt.Sprintf("Customer %s is looked after by %s now.", e.id, orNobody(c.Owner())), sales.Reason{Code: o.Result,
			Text: "Assigned by " + orNobody(o.RepID) + ".", Evidence: outcomeEvidence(ev)})
	}
}

func orNobody(rep string) string {
	if rep == "" {
		return "nobody in particular"
	}
	return rep
}

func outcomeEvidence(ev *sales.Event) []sales.Evidence {
	return []sales.Evidence{{Source: ev.Source, EventID: ev.Outcome.EventID}}
}

// toldRep is who was told about a spell: as in what was reported about it before, so that all of it counts for one segment.
func (c *Customer) toldRep(ref alertRef) string {
	for i := range c.Reports {
		if r := &c.Reports[i]; r.Result != Assigned && r.isAbout(ref) {
			return r.Rep
		}
	}
	return c.Owner()
}

// endingTexts are the results after which an alert has nothing more to say.
var endingTexts = map[Result]string{
	Won:         "The rep made the sale.",
	Lost:        "The rep reports the sale as lost.",
	NotUseful:   "The rep found the alert not useful.",
	WrongPerson: "The rep reached the wrong person.",
}

// staying is the answer of a customer who means to go on buying.
const staying = "staying"

func endingText(kind sales.AlertKind, result Result, o *sales.Outcome) (string, bool) {
	if kind == sales.Declining && result == SurveyAnswered && o.Attributes["answer"] == staying {
		return answerText(o), true
	}
	text, ends := endingTexts[result]
	return text, ends
}

// answerText says what the customer answered.
func answerText(o *sales.Outcome) string {
	const most = 300
	said := o.Attributes["answer"]
	if o.Note != "" {
		note := o.Note
		if len(note) > most {
			for note = note[:most]; !utf8.ValidString(note); note = note[:len(note)-1] {
			}
			note += "…"
		}
		said = strings.TrimPrefix(said+": "+strconv.Quote(note), ": ")
	}
	if said == "" {
		return "The customer has answered."
	}
	return "The customer has answered: " + said + "."
}

// reportedValue is the number that an outcome comes with: what was sold, else what was answered; 0 for none.
func reportedValue(o *sales.Outcome) float64 {
	if o.ValueMinor != nil {
		return float64(*o.ValueMinor)
	}
	v, err := strconv.ParseFloat(o.Attributes["value"], 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// takeBack makes an outcome as if it had never been. What it says itself is not taken up.
func (s *Shard) takeBack(e *entry, ev *sales.Event, day sales.Day) {
	o, c := ev.Outcome, &e.state
	undone := window.EventHash(o.Undoes)
	at := c.reported(undone)
	switch {
	case at < 0 && c.empty():
		s.step.out.Unheeded++
		return
	case at < 0: // it may still come
		s.touch(e)
		c.remember(Report{Event: undone, Undone: true, Day: day, Item: window.NoItem})
		return
	case c.Reports[at].Undone:
		s.step.out.Duplicates++
		return
	}
	s.touch(e)
	r := &c.Reports[at]
	before, owner := c.heard(r.ref()), c.Owner()
	ended := r.Ended
	s.reportedExample(r, -1)
	if r.sold() && c.TakenUp > 0 && c.TakenUp < math.MaxUint8 {
		c.TakenUp--
	}
	r.Undone, r.Ended = true, nil
	s.countHeard(c, r, before, c.heard(r.ref()))
	spoken := r.Result == SurveyAnswered || r.Result == Assigned && c.Owner() != owner
	code := sales.Reason{Code: "taken_back", Text: "The report that said " + r.Result.String() + " was taken back.", Evidence: outcomeEvidence(ev)}
	if ended != nil {
		s.reopen(e, *ended, o.OccurredAt, code)
		return
	}
	for open := range c.Open {
		if ep := &c.Open[open]; spoken && r.isAbout(alertRef{kind: ep.Kind, item: ep.To, opened: ep.Day}) {
			s.sayUpdate(e, open, o.OccurredAt, "What was reported about customer "+e.id+" was taken back.", code)
		}
	}
}

// reopen brings an episode back that a report had ended, if its place is still free. What has happened to it since ends it at once.
func (s *Shard) reopen(e *entry, ep Episode, at sales.Millis, why sales.Reason) {
	c := &e.state
	limit := 1
	if ep.Kind != sales.Declining {
		limit = s.rules.Caps.of(ep.Kind)
	}
	if c.countOpen(ep.Kind) >= limit || ep.Updates >= maxUpdates {
		return
	}
	if end, over := s.overSince(e, &ep); over {
		end.status, end.at, end.evidence = sales.Resolved, at, why.Evidence
		if end.code == TakenUp {
			more(&c.TakenUp)
			s.example(&ep, true, +1)
		}
		s.sayEnd(e, &ep, end)
		return
	}
	s.sayUpdate(e, c.open(ep), at, fmt.Sprintf("The %s alert about customer %s is open again.", ep.Kind, e.id), why)
}

// overSince tells whether an episode that was not open for a while would have ended meanwhile, and how. Its time may be over too: that its timer says.
func (s *Shard) overSince(e *entry, ep *Episode) (ending, bool) {
	c := &e.state
	if ep.Kind == sales.Declining {
		d := s.decline(&c.Window, c.Day)
		return ending{code: "came_back", text: inDays(d.recent) + " with a purchase lately.", value: float64(d.recent), baseline: d.expected},
			d.p >= s.rules.Declining.ResolveAbove && c.Window.Last().Event != ep.Event // one that was handed over may be above from the beginning
	}
	for _, l := range c.Window.Between(ep.Day-sales.Day(s.rules.WindowDays), math.MaxInt32) {
		if !s.is(ep.Kind, l.Item, ep.To) {
			continue
		}
		end := ending{code: TakenUp, text: fmt.Sprintf("Bought %s on %s.", s.offerName(ep.Kind, ep.To), l.Day), value: float64(l.Day - ep.Day)}
		if l.Day < ep.Day {
			end.code = "contradicted"
		}
		return end, true
	}
	return ending{}, false
}

// is tells whether the item is what an offer of the kind is of, or better.
func (s *Shard) is(kind sales.AlertKind, item, offered window.ItemID) bool {
	if kind == sales.Upsell {
		have, to := s.level.of(item), s.level.of(offered)
		return have.typ == to.typ && have.tier >= to.tier
	}
	names := s.items.By(s.items.Item(offered).StandsFor())
	return names.Of(item) == names.Of(offered)
}

// maxUpdates is how many revisions of an episode may lie between its first and its last: more are not said.
const maxUpdates = 29

// sayUpdate says one more revision of the open episode at a place.
func (s *Shard) sayUpdate(e *entry, at int, when sales.Millis, title string, why sales.Reason) {
	ep := &e.state.Open[at]
	if ep.Updates >= maxUpdates {
		return
	}
	ep.Updates++
	a := s.alert(e, ep, sales.Updated, when)
	a.Title, a.Reasons = title, []sales.Reason{why}
}
