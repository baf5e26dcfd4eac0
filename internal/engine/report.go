package engine

import (
	"cmp"
	"slices"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// Result is what came of an alert, as a rep reported it.
type Result uint8

// The symbols of the schema's enum, in its order. NoResult is one that this release does not know.
const (
	NoResult Result = iota
	Contacted
	SurveySent
	SurveyAnswered
	Won
	Lost
	Interested
	NoAnswer
	NotUseful
	WrongPerson
	Snoozed
	Assigned
)

var resultNames = [...]string{"unknown", "contacted", "survey_sent", "survey_answered", "won", "lost", "interested", "no_answer", "not_useful",
	"wrong_person", "snoozed", "assigned"}

// String gives the enum symbol.
func (r Result) String() string { return resultNames[r] }

func resultOf(symbol string) Result {
	return Result(max(0, slices.Index(resultNames[:], symbol)))
}

// reached tells whether the customer has heard from the rep.
func (r Result) reached() bool {
	switch r {
	case Contacted, SurveySent, SurveyAnswered, Won, Lost, Interested:
		return true
	default:
		return false
	}
}

// Report is an outcome that the customer remembers: for as long as its cool-down, or until it has no effect any more if that is later.
type Report struct {
	Event  uint64 // window.EventHash of the outcome's event_id
	Result Result
	Undone bool      // a later outcome has taken it back. One that has not come yet is of no kind
	Day    sales.Day // on which the rep acted
	Kind   sales.AlertKind
	Item   window.ItemID // that the alert offers, NoItem for a declining spell
	Opened sales.Day     // when the alert was: with kind and item that names it
	Until  sales.Day     // snoozed: until the start of this day
	Rep    string        // assigned: to whom, empty for the customer's own. Of another report about a spell: the rep who had been told
	Ended  *Episode      // that the report has ended
}

// maxReports is how many reports one customer remembers: more than a rep makes in a cool-down.
const maxReports = 64

// rememberedDays is how long a report is remembered, and an outcome may come late.
func (r *Rules) rememberedDays() sales.Day { return sales.Day(r.CooldownDays + r.SlackDays) }

// alertRef is an alert that a report is about.
type alertRef struct {
	kind   sales.AlertKind
	item   window.ItemID
	opened sales.Day
	at     int // among the open episodes, −1 when it has ended
}

func (r *Report) ref() alertRef {
	return alertRef{kind: r.Kind, item: r.Item, opened: r.Opened, at: -1}
}

func (r *Report) isAbout(ref alertRef) bool {
	return r.Kind == ref.kind && r.Item == ref.item && r.Opened == ref.opened
}

// Owner is the rep whom alerts name: who was assigned last, else the customer's own.
func (c *Customer) Owner() string {
	for i := len(c.Reports) - 1; i >= 0; i-- {
		if r := &c.Reports[i]; r.Result == Assigned && !r.Undone {
			return cmp.Or(r.Rep, c.OwnerID)
		}
	}
	return cmp.Or(c.Rep, c.OwnerID)
}

// ownedBy takes up whom the customer's profile names. If that is somebody else than before, it is the last word about who was assigned.
func (c *Customer) ownedBy(owner string) {
	if owner == c.OwnerID {
		return
	}
	c.OwnerID, c.Rep = owner, ""
	for i := range c.Reports {
		if c.Reports[i].Result == Assigned {
			c.Reports[i].Rep = ""
		}
	}
}

// reported is the place of a report, −1 if it is not remembered.
func (c *Customer) reported(event uint64) int {
	return slices.IndexFunc(c.Reports, func(r Report) bool { return r.Event == event })
}

// remember keeps a report, in the order in which reps have acted.
func (c *Customer) remember(r Report) {
	at := len(c.Reports)
	for at > 0 && c.Reports[at-1].Day > r.Day {
		at--
	}
	c.Reports = slices.Insert(c.Reports, at, r)
	if len(c.Reports) > maxReports {
		c.fold(&c.Reports[0])
		c.Reports = slices.Delete(c.Reports, 0, 1)
	}
}

// forgetReports drops those that have no effect on the day and later. A spell that a report has ended stays ended while nothing is bought: it would
// be opened under the same id.
func (c *Customer) forgetReports(day sales.Day, r *Rules) {
	c.Reports = slices.DeleteFunc(c.Reports, func(rep Report) bool {
		if rep.Day > day-r.rememberedDays() || rep.Until > day || rep.endedSpell(c.Window.Last().Event) {
			return false
		}
		c.fold(&rep)
		return true
	})
}

// fold keeps of a report that is forgotten who was assigned.
func (c *Customer) fold(r *Report) {
	if r.Result == Assigned && !r.Undone {
		c.Rep = r.Rep
	}
}

// sold tells whether the report has ended an offer as taken up, before any purchase that would.
func (r *Report) sold() bool {
	return r.Result == Won && r.Ended != nil && r.Ended.Kind != sales.Declining
}

// endedSpell tells whether the report stands, and has ended the spell that the event names.
func (r *Report) endedSpell(event uint64) bool {
	return !r.Undone && r.Ended != nil && r.Ended.Kind == sales.Declining && r.Ended.Event == event
}

// silenced tells whether what reps have reported leaves the customer in peace on the day, as far as alerts of the kind go. A customer who was
// reached is not to be told about again inside the cool-down, nor one whom the rep does not know how to reach, nor before a snoozed alert's
// time. Talk about an offer silences offers of every kind, for to the customer a seller is a seller; but not the warning that the customer slips
// away, which says something new and is worth a second call. Talk about declining silences all: who is being won back is not sold to.
func (s *Shard) silenced(c *Customer, kind sales.AlertKind, day sales.Day) bool {
	for i := range c.Reports {
		r := &c.Reports[i]
		concerns := r.Kind == sales.Declining || kind != sales.Declining || r.Result == WrongPerson
		if r.Undone || !concerns {
			continue
		}
		quiet := r.Until
		if r.Result.reached() || r.Result == WrongPerson {
			quiet = r.Day + sales.Day(s.rules.CooldownDays)
		}
		if day < quiet {
			return true
		}
	}
	return false
}
