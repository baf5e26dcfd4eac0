// Package reference says what the engine must say, a second time and as plainly as possible. A Model is one shard's customers in
// maps and slices: it looks through everything a customer has each time it is asked, on one goroutine, without cache, blob, rollback
// or timer heap. Verify leads it along a history's journal and counts what the live topics have lost, said twice, changed or
// made up. It is what the promise of exactly-once is held against.
//
// It shares nothing with the engine's rules but their type (engine.Rules). Not checked independently, because shared: the
// decoding and routing of inputs (packages wire and intake), days (sales.Calendar), the short hashes that events, orders
// and touches are known by (package window), the p-value (activity.Decline), the signs of slipping away and a scorecard's points (packages slipping and scorecard), and the reading of blobs into customers
// (engine.DecodeCustomer). Not compared: how far a hostile customer's ended alerts are looked for, an alert's words and details (title, reasons' texts and numbers), the tallies, Redis, and
// which touches a customer remembers for knowing them again.
//
// It is slow and keeps a whole shard in memory. It is not a replay: package replay does that with the real engine, quickly, and
// so cannot tell when the engine itself is wrong. Only tests and the chaos harness import it.
package reference

import (
	"maps"
	"slices"
	"strings"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// Model is one shard as the rules would have it.
type Model struct {
	prefix    string
	partition int32
	calendar  sales.Calendar
	rules     engine.Rules
	known     *Knowledge

	customers map[string]*customer
	items     []window.Item // in the order in which the shard met them
	places    map[window.Item]int
	now       sales.Millis
	newest    map[sales.EventKind]sales.Millis

	commit *Commit
	today  sales.Day       // when the commit began
	met    map[string]bool // customers whom the commit is about
	wake   sales.Millis    // nothing is due before; 0: nothing is
	out    Decision
}

// Commit is what one commit read and knew.
type Commit struct {
	CSN       int64
	Events    []sales.Event
	Now       sales.Millis // timers due up to here fire
	Clock     sales.Millis
	Knowledge sales.KnowledgeVersion
}

// Decision is what follows from it. Alerts have no words: title, details, and the reasons' texts and numbers are empty.
type Decision struct {
	Alerts  []sales.Alert
	Refused []Refused
	Late    []int    // events that go to late-events
	Changed []string // customers, sorted
}

// Refused is an event that becomes a dead letter.
type Refused struct {
	Event int
	Class sales.DeadLetterClass
}

// NewModel is a shard before its first commit. What is known may be changed between commits.
func NewModel(prefix string, partition int32, calendar sales.Calendar, rules engine.Rules, known *Knowledge) *Model {
	return &Model{prefix: prefix, partition: partition, calendar: calendar, rules: rules, known: known,
		customers: map[string]*customer{}, places: map[window.Item]int{}, newest: map[sales.EventKind]sales.Millis{}}
}

// SetRules changes the rules for the commits to come.
func (m *Model) SetRules(r engine.Rules) { m.rules = r }

// Play decides about a commit. It keeps nothing of the events.
func (m *Model) Play(c Commit) Decision {
	m.commit, m.out, m.today, m.met = &c, Decision{}, m.calendar.Day(m.now), map[string]bool{}
	for i := range c.Events {
		m.event(i, &c.Events[i])
	}
	m.end()
	return m.out
}

func (m *Model) event(i int, e *sales.Event) {
	if at, ok := occurredAt(e); ok {
		if at > m.commit.Clock+5*60*1000 {
			m.refuse(i, sales.DeadTime)
			return
		}
		m.newest[e.Kind] = max(m.newest[e.Kind], at)
	}
	switch e.Kind {
	case sales.PurchaseEvent:
		m.purchase(i, e)
	case sales.TouchpointEvent:
		m.touch(i, e.Touchpoint)
	case sales.CustomerEvent:
		m.profile(e)
	case sales.OutcomeEvent:
		m.outcome(i, e)
	case sales.IdentityEvent, sales.MoveEvent: // without effect in this release
	}
}

func occurredAt(e *sales.Event) (sales.Millis, bool) {
	switch e.Kind {
	case sales.PurchaseEvent:
		return e.Purchase.OccurredAt, true
	case sales.TouchpointEvent:
		return e.Touchpoint.OccurredAt, true
	default:
		return 0, false
	}
}

func (m *Model) refuse(event int, class sales.DeadLetterClass) {
	m.out.Refused = append(m.out.Refused, Refused{Event: event, Class: class})
}

// tooLate tells whether an event is older than the history that is kept: the shard's by the newest event, or the customer's own.
func (m *Model) tooLate(c *customer, day sales.Day, kind sales.EventKind) bool {
	sure := m.newest[kind] - sales.Millis(m.rules.AllowedLateness.Milliseconds())
	today := max(m.today, m.calendar.Day(sure), c.day)
	return day <= today-m.keptDays()
}

func (m *Model) keptDays() sales.Day { return sales.Day(m.rules.WindowDays + m.rules.SlackDays) }

// end lets time pass for everybody and ends the commit. Days may go by without anything due: then only those met are looked at.
func (m *Model) end() {
	if m.wake != 0 && m.wake <= m.commit.Now {
		m.wake = 0
		for id := range m.customers {
			m.met[id] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.met)) {
		c := m.customers[id]
		m.passTime(c, m.commit.Now)
		if due := m.due(c); due != 0 && (m.wake == 0 || due < m.wake) {
			m.wake = due
		}
		m.settle(c)
	}
	m.now = max(m.now, m.commit.Now)
}

// settle is the end of a commit for a customer: one of whom nothing is kept is forgotten wholly.
func (m *Model) settle(c *customer) {
	gone := c.empty()
	if c.changed && (c.saved || !gone) {
		m.out.Changed = append(m.out.Changed, c.id)
	}
	if gone {
		delete(m.customers, c.id)
		return
	}
	if c.changed {
		c.csn = m.commit.CSN
	}
	c.changed, c.saved = false, true
}

// The most that one customer keeps, that one order has, and that one shard knows.
const (
	maxKept     = 40_000
	maxPast     = 2_048 // items that a customer is remembered to have bought before
	maxLines    = 5_000
	maxItems    = 65_536
	maxProducts = 49_152 // items, beyond which no new one is told by its product
)

// meet gives the item its place among those that the shard has met; false when there are too many.
func (m *Model) meet(it window.Item) bool {
	if _, known := m.places[it]; known {
		return true
	}
	if len(m.items) >= maxItems {
		return false
	}
	it.Category, it.Type, it.Product, it.Department = strings.Clone(it.Category), strings.Clone(it.Type), strings.Clone(it.Product), strings.Clone(it.Department)
	m.places[it] = len(m.items)
	m.items = append(m.items, it)
	return true
}

// unmeet forgets the items met since there were so many.
func (m *Model) unmeet(before int) {
	for _, it := range m.items[before:] {
		delete(m.places, it)
	}
	m.items = m.items[:before]
}
