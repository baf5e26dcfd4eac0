package replay

import (
	"maps"
	"reflect"
	"slices"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Why an alert is not the same in a what-if, beside the rules of engine.PassedWhy.
const (
	whyHoldout   = "holdout"   // holdout_share: the customer is on the other side
	whyConsent   = "consent"   // never by a rule of its own
	whyCap       = "cap"       // caps, or what else is open at the time
	whyLink      = "link"      // the link is not there, or another one
	whyOutranked = "outranked" // another candidate comes first
	whyLate      = "late"      // the event is too old for the history that is kept
	whyExpiry    = "expiry"    // expiry_days
	whyWindow    = "window"    // window_days
	whyDecline   = "declining" // thresholds of a decline
	whyTiers     = "tiers"     // upsell.brand_tiers
	whyTime      = "time"      // only when it was noticed
	whyWeighed   = "weighed"   // it is the same offer, and what it is weighed by is not
	whyUnknown   = "unexplained"
)

// whySentences complete "…: <title>, because …".
var whySentences = map[string]string{
	string(engine.PassedHeld):      "it is held in the window (window_days)",
	string(engine.PassedCooldown):  "it was offered within the cool-down (cooldown_days)",
	whyCap:                         "as many offers are open as the cap allows (caps, expiry_days)",
	string(engine.PassedOver):      "the offer would be over before it began (expiry_days, slack_days)",
	string(engine.PassedSilenced):  "a rep has reached the customer, or leaves it in peace (cooldown_days)",
	string(engine.PassedUseless):   "reps find such alerts of no use (feedback.min_weight)",
	string(engine.PassedMargin):    "by the margins in the catalogue the higher tier earns less",
	string(engine.PassedPurchases): "the lower tier was not bought often enough (upsell.min_purchases)",
	string(engine.PassedAlpha):     "the decline is not significant enough (declining.alpha and its windows)",
	string(engine.PassedPrecision): "slipping away is not likely enough (declining.min_precision), nor the decline significant (declining.alpha)",
	string(engine.PassedCapacity):  "of what the rep has room for (declining.capacity_per_week)",
	string(engine.PassedBaseline):  "there are too few purchase days before (declining.min_baseline_days)",
	whyHoldout:                     "the customer is on the other side of the experiment (holdout_share)",
	whyConsent:                     "of the customer's consent",
	whyLink:                        "the link is another one, or none",
	whyOutranked:                   "another offer comes first, or was drawn by lot (explore_share)",
	string(engine.PassedCatalogue): "the catalogue has no product of it",
	whyLate:                        "the order is too old for the history that is kept (window_days, slack_days)",
	whyExpiry:                      "an offer is open for another time (expiry_days)",
	whyWindow:                      "the window is another one (window_days)",
	whyDecline:                     "declines are looked at otherwise (declining)",
	whyTiers:                       "brands stand for other tiers (upsell.brand_tiers)",
	whyTime:                        "it is noticed at another time",
	whyWeighed:                     "it stands among other candidates, or after other offers and answers, or other links lead to it",
	whyUnknown:                     "of something that is not known",
}

// side is what one side of a what-if decided in a commit.
type side struct {
	*core
	decided engine.Decision
	events  []sales.Event
	names   map[string]*sales.Alert
	about   map[string]*aboutCustomer
}

// aboutCustomer is what of a commit is about one customer.
type aboutCustomer struct {
	passed []engine.Passed
	opened []*sales.Alert
}

func newSide(c *core, d engine.Decision, events []sales.Event) *side {
	s := &side{core: c, decided: d, events: events, names: make(map[string]*sales.Alert, len(d.Alerts)), about: map[string]*aboutCustomer{}}
	for i := range d.Alerts {
		a := &d.Alerts[i]
		s.names[alertName(a)] = a
		if a.Revision == 1 {
			of := s.of(a.CustomerID)
			of.opened = append(of.opened, a)
		}
	}
	for _, p := range d.Passed {
		of := s.of(p.CustomerID)
		of.passed = append(of.passed, p)
	}
	return s
}

func (s *side) of(customer string) *aboutCustomer {
	of := s.about[customer]
	if of == nil {
		of = &aboutCustomer{}
		s.about[customer] = of
	}
	return of
}

func (s *side) alert(name string) *sales.Alert { return s.names[name] }

// whyNot is the rule for which this side does not open what the other one does, empty if none stands against it.
func (s *side) whyNot(a *sales.Alert, other *side) string {
	if a.Kind == sales.Declining && a.SuppressedBy == sales.ByCap { // the alert that the rep gets has another name
		return string(engine.PassedCapacity)
	}
	of := s.of(a.CustomerID)
	for _, p := range of.passed {
		if p.Kind == a.Kind && p.At == a.EventTime && (p.Item == a.ToProduct || p.Item == "") {
			return string(p.Why)
		}
	}
	for _, b := range of.opened {
		if b.Kind == a.Kind && b.EventTime == a.EventTime {
			return whyOutranked
		}
	}
	for _, i := range s.decided.Late {
		if p := s.events[i].Purchase; p != nil && p.CustomerID == a.CustomerID && p.OccurredAt == a.EventTime {
			return whyLate
		}
	}
	mine, its := s.view.rules, other.view.rules
	switch {
	case a.Kind == sales.Declining && !reflect.DeepEqual(mine.Declining, its.Declining):
		return whyDecline
	case a.Kind == sales.Upsell && !maps.Equal(mine.Upsell.BrandTiers, its.Upsell.BrandTiers):
		return whyTiers
	case a.Kind != sales.Declining && !sameLinks(s, other, a):
		return whyLink
	}
	return ""
}

// sameLinks tells whether both sides know the same link behind an offer, and may use it.
func sameLinks(s, other *side, a *sales.Alert) bool {
	mine, its := s.view.rules, other.view.rules
	if mine.LinkLevel != its.LinkLevel || !slices.Equal(mine.Links.ExcludeCategories, its.Links.ExcludeCategories) {
		return false
	}
	if a.Kind == sales.Upsell {
		one, ok1 := s.view.known.Engine().Links.Upsell(a.FromProduct)
		two, ok2 := other.view.known.Engine().Links.Upsell(a.FromProduct)
		return ok1 == ok2 && one == two
	}
	return slices.Equal(s.view.known.Engine().Links.From(a.FromProduct), other.view.known.Engine().Links.From(a.FromProduct))
}

// weighed are the fields of an offer that follow from the card's answers.
var weighed = []string{"score", "grade", "expected_value_minor", "propensity", "reasons", "details"}

// whyChanged is why two versions of an alert are not the same.
func whyChanged(was, tried *sales.Alert, fields []string, sides [2]*side) string {
	if was.SuppressedBy != tried.SuppressedBy {
		either := func(by sales.Suppression) bool { return was.SuppressedBy == by || tried.SuppressedBy == by }
		switch {
		case either(sales.ByHoldout) && sides[asItWas].view.rules.HoldoutShare != sides[asTried].view.rules.HoldoutShare:
			return whyHoldout
		case either(sales.ByCap):
			return whyCap
		case either(sales.BySilenced):
			return string(engine.PassedSilenced)
		default:
			return whyConsent
		}
	}
	has := func(field string) bool { return slices.Contains(fields, field) }
	mine, its := sides[asItWas].view.rules, sides[asTried].view.rules
	switch {
	case has("experiment_arm") || has("propensity") && mine.HoldoutShare != its.HoldoutShare:
		return whyHoldout
	case has("window_start"):
		return whyWindow
	case has("expires_at") || has("status") && was.Kind != sales.Declining:
		return whyExpiry
	case was.Kind == sales.Declining && !reflect.DeepEqual(mine.Declining, its.Declining):
		return whyDecline
	case was.Kind != sales.Declining && !sameLinks(sides[asItWas], sides[asTried], was):
		return whyLink
	case was.Kind != sales.Declining && !slices.ContainsFunc(fields, func(f string) bool { return !slices.Contains(weighed, f) }):
		return whyWeighed
	case !slices.ContainsFunc(fields, func(f string) bool { return f != "detected_at" && f != "event_time" && f != "title" && f != "reasons" }):
		return whyTime
	}
	return whyUnknown
}

// whyEnd is why one side ends an episode now and the other does not.
func (t *trial) whyEnd(a *sales.Alert, sides [2]*side) string {
	if why, ok := t.openings[a.AlertID]; ok {
		return why
	}
	mine, its := sides[asItWas].view.rules, sides[asTried].view.rules
	switch {
	case a.Kind == sales.Declining && mine.WindowDays != its.WindowDays:
		return whyWindow
	case a.Kind == sales.Declining && !reflect.DeepEqual(mine.Declining, its.Declining):
		return whyDecline
	case a.Kind != sales.Declining && mine.ExpiryDays != its.ExpiryDays:
		return whyExpiry
	case a.Kind == sales.Upsell && !maps.Equal(mine.Upsell.BrandTiers, its.Upsell.BrandTiers):
		return whyTiers
	}
	return t.story(a.CustomerID)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// isSaid tells whether the alert goes to its kind's topic.
func isSaid(a *sales.Alert) bool { return wire.AlertTopic(a) != suppressedTopic }
