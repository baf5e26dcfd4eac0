// Package comparison is the job by which stream engines are compared, on Leadline's own runtime: orders of a customer are counted by day
// and category, a rule A->B gives one alert when B was not bought within 180 days, and fewer orders than before give another. Kafka
// Streams, Flink and goka do the same job on the same input, and all must say the same alerts, byte for byte.
//
// Only the step differs from Leadline: what an order means (Job) and how an alert is written (alerts). Events, duplicates, windows, blobs,
// transactions, projection and recovery are the product's. It is for measuring, and no role of an installation. Package bench and the
// commands import it.
package comparison

import (
	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// Rule says that buyers of one category are to be offered another.
type Rule struct {
	From, To         string
	Confidence, Lift float64
}

// Days of the job.
const (
	windowDays   = 180 // in which B must not have been bought
	recentDays   = 30  // of which the orders are compared with those before, within the window
	cooldownDays = 30
	slackDays    = 5 // the input's times are out of order by at most four days
)

// Job decides about orders. It keeps what it knows of a customer in the customer's state: orders and lines in the window, the days of
// earlier alerts in Said.
type Job struct {
	rules map[string][]link // by the category bought, in the order of the table
	first func()            // called once, at the first order
}

// link is a rule as seen from what was bought, with the details that its alerts share.
type link struct {
	to      string
	details sales.Numbers
}

func newJob(rules []Rule, first func()) *Job {
	j := &Job{rules: map[string][]link{}, first: first}
	for _, r := range rules {
		j.rules[r.From] = append(j.rules[r.From], link{r.To, sales.Numbers{{Name: confidence, Value: r.Confidence}, {Name: lift, Value: r.Lift}}})
	}
	return j
}

// The names of an alert's details.
const (
	confidence = "confidence"
	lift       = "lift"
)

// Order implements engine.Job.
func (j *Job) Order(o *engine.JobOrder) {
	j.first()
	for i := range o.Lines {
		if from := o.Lines[i].Category; !boughtBefore(o, i) {
			for k := range j.rules[from] {
				j.crossSell(o, from, &j.rules[from][k])
			}
		}
	}
	j.declining(o)
}

// boughtBefore tells whether an earlier line of the order is of the category of line i.
func boughtBefore(o *engine.JobOrder, i int) bool {
	for k := range i {
		if o.Lines[k].Category == o.Lines[i].Category {
			return true
		}
	}
	return false
}

func (j *Job) crossSell(o *engine.JobOrder, from string, l *link) {
	if held(o, l.to) {
		return
	}
	to, err := o.Items.ID(window.Item{Category: l.to, Type: l.to})
	if err != nil || !say(o, sales.CrossSell, to) {
		return // a full dictionary cannot happen with the comparison's 300 categories
	}
	a := alert(o, sales.CrossSell)
	a.AlertID = "cross_sell:" + o.EventID + ":" + l.to
	a.FromProduct, a.ToProduct, a.Details = from, l.to, l.details
	o.Say(a)
}

// held tells whether the window that ends with the order's day has a line of the category.
func held(o *engine.JobOrder, category string) bool {
	number, ok := o.Items.FindCategory(category)
	if !ok {
		return false
	}
	for _, l := range o.Customer.Window.Between(o.Day-windowDays, o.Day) {
		if o.Items.Category(l.Item) == number {
			return true
		}
	}
	return false
}

func (j *Job) declining(o *engine.JobOrder) {
	recent, before := 0, 0
	for _, past := range o.Customer.Window.Orders() {
		switch {
		case past.Day > o.Day || past.Day <= o.Day-windowDays:
		case past.Day > o.Day-recentDays:
			recent++
		default:
			before++
		}
	}
	if before < 15 || 10*recent >= before || !say(o, sales.Declining, window.NoItem) {
		return
	}
	a := alert(o, sales.Declining)
	a.AlertID = "declining:" + o.EventID
	o.Say(a)
}

// say notes that it is said now, unless it was within the cool-down.
func say(o *engine.JobOrder, kind sales.AlertKind, item window.ItemID) bool {
	for i := range o.Customer.Said {
		said := &o.Customer.Said[i]
		if said.Kind != kind || said.Item != item {
			continue
		}
		if o.Day-said.Day < cooldownDays {
			return false
		}
		said.Day = o.Day
		return true
	}
	o.Customer.Said = append(o.Customer.Said, engine.Said{Kind: kind, Item: item, Day: o.Day})
	return true
}

func alert(o *engine.JobOrder, kind sales.AlertKind) sales.Alert {
	return sales.Alert{Kind: kind, Status: sales.Opened, CustomerID: o.CustomerID, EventTime: o.OccurredAt,
		Reasons: []sales.Reason{{Evidence: []sales.Evidence{{Source: o.Source, EventID: o.EventID}}}}}
}

// rules are the engine's for this job: how long it keeps what.
func rules() engine.Rules {
	r := engine.DefaultRules()
	r.WindowDays, r.SlackDays, r.CooldownDays = windowDays, slackDays, cooldownDays
	return r
}
