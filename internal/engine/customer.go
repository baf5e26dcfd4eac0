package engine

import (
	"math"
	"slices"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// Consent is what a customer said about being contacted by a rep.
type Consent uint8

// Unknown counts as allowed.
const (
	ConsentUnknown Consent = iota
	ConsentGranted
	ConsentDenied
)

// Customer is all that a shard keeps of one customer: what the blob holds. The zero Customer is one that nothing is known of.
type Customer struct {
	CSN     int64     // the commit that wrote this state
	Day     sales.Day // how far the customer's own time has come: the newest purchase or look; 0 = neither
	LookDay sales.Day // the timer looks at the customer when this day is over, and weekly from then on; 0 = never
	OwnerID string    // the rep of the profile; see Owner
	Rep     string    // who was assigned by reports that are forgotten; empty: nobody
	Contact Consent

	Segments []string  // attributes of the profile that are channels, as name=value, in the order of the rules
	Open     []Episode // open episodes, by kind, within one the oldest first: at most one declining spell, offers up to the caps
	Said     []Said    // what the cool-down still covers
	Reports  []Report  // what came of alerts, in the order of the days on which reps acted
	Watched  []Watched // candidates that nobody was told of, the oldest first
	Window   window.Window
	Lifetime
	Pairs bool // what the customer holds is in the tally of pairs: not so when the blob is of a release without it
}

// Lifetime is what is told of a customer beyond the window: of all purchases since the first, or since the first after a silence for as long
// as history is kept, by when the customer has been forgotten.
type Lifetime struct {
	FirstDay sales.Day // of the first order; 0 = none
	DaysEver uint32    // days with an order; refunds take none of them away
	Offered  uint8     // cross-sell and upsell offers that were opened, in either arm of the experiment; 255 stands for more too
	TakenUp  uint8     // and those of them that were taken up
}

// order counts an order of the day, and whether it is the day's first.
func (l *Lifetime) order(day sales.Day, first bool) {
	if l.FirstDay == 0 || day < l.FirstDay {
		l.FirstDay = day
	}
	if first {
		l.DaysEver++
	}
}

// more counts up a number that stays at the largest.
func more(n *uint8) {
	if *n < math.MaxUint8 {
		*n++
	}
}

// Episode is an alert that was opened and has not ended.
type Episode struct {
	Kind       sales.AlertKind
	Event      uint64            // window.EventHash of the event that opened it: with kind, customer and items it gives the alert's id
	From, To   window.ItemID     // NoItem for a declining spell
	Day        sales.Day         // on which it was opened
	ExpiryDay  sales.Day         // at whose start it ends; 0 = no such day
	Score      uint16            // in parts of scoreOne
	Suppressed sales.Suppression // every revision goes where the first went
	Code       uint64            // the features that the decision rested on, so that the outcome teaches without hindsight; 0 = none
	Updates    uint8             // revisions that were said after the first
}

// scoreOne is the score 1 in an Episode: fine enough for a share, two bytes, and whole percents stay what they are.
const scoreOne = 50_000

// partsOfOne rounds a score, which it keeps within 0 and 1.
func partsOfOne(score float64) uint16 { return uint16(math.Round(scoreOne * max(0, min(1, score)))) }

// Said is something that must not be said again within the cool-down.
type Said struct {
	Kind   sales.AlertKind
	Capped bool          // it went to the ledger because another offer was open, and does not count as offered
	Item   window.ItemID // what was offered; NoItem for a declining spell
	Day    sales.Day
	Event  uint64 // of a declining spell, that names it: 0 if an earlier release has said it
}

// Due is what time will do to the customer, as its state says: see Due.After for what it means when time has passed since.
func (c *Customer) Due() Due {
	due := Due{Look: c.LookDay}
	for i := range c.Open {
		if day := c.Open[i].ExpiryDay; day != 0 && (due.Expiry == 0 || day < due.Expiry) {
			due.Expiry = day
		}
	}
	return due
}

// CatchUp makes of a state as it was written what it is when its shard's time has come to the day: the looks that have passed since have found
// nothing, or it would have been written again, and have moved the customer's own time.
func (c *Customer) CatchUp(day sales.Day, r *Rules) { c.lookedBefore(c.Due().After(day).Look, r) }

// lookedBefore makes the state what the looks before the given one leave of it. Once is as good as look by look: advance only forgets.
func (c *Customer) lookedBefore(next sales.Day, r *Rules) {
	if next != c.LookDay {
		c.advance(next-LookEvery, r)
		c.LookDay = next
	}
}

// seenAfter tells whether anything of a purchase or a touch is kept of the days after the given one.
func (c *Customer) seenAfter(day sales.Day) bool {
	orders, lines, touches := c.Window.Orders(), c.Window.Lines(), c.Window.Touches()
	return len(orders) > 0 && orders[len(orders)-1].Day > day || len(lines) > 0 && lines[len(lines)-1].Day > day ||
		len(touches) > 0 && touches[len(touches)-1].Day > day
}

// empty tells whether there is nothing worth keeping. Reports about a customer of whom nothing else is kept are of no use any more.
func (c *Customer) empty() bool {
	return c.Window.Empty() && c.OwnerID == "" && c.Rep == "" && len(c.Segments) == 0 && c.Contact == ConsentUnknown && len(c.Open) == 0
}

// spell is the place in Open of the declining spell, −1 if there is none.
func (c *Customer) spell() int {
	return slices.IndexFunc(c.Open, func(e Episode) bool { return e.Kind == sales.Declining })
}

// countOpen is how many episodes of the kind are open.
func (c *Customer) countOpen(kind sales.AlertKind) int {
	n := 0
	for i := range c.Open {
		if c.Open[i].Kind == kind {
			n++
		}
	}
	return n
}

// open puts the episode in its place of Open, which it gives.
func (c *Customer) open(e Episode) int {
	i := 0
	for i < len(c.Open) && c.Open[i].Kind <= e.Kind {
		i++
	}
	c.Open = slices.Insert(c.Open, i, e)
	return i
}

// close ends the episode at a place of Open and gives it back.
func (c *Customer) close(at int) Episode {
	e := c.Open[at]
	c.Open = slices.Delete(c.Open, at, at+1)
	return e
}

// advance moves the customer's own time to the day and forgets what is older than the kept history. What is kept depends on
// the customer's own events alone, so that decisions do not depend on how the shard's events were cut into batches.
func (c *Customer) advance(day sales.Day, r *Rules) {
	if day <= c.Day {
		return
	}
	c.Day = day
	c.Window.Trim(day-sales.Day(r.keptDays()), r.WindowDays)
	if len(c.Window.Orders()) == 0 {
		c.Lifetime = Lifetime{}
	}
	keep := 0
	for _, s := range c.Said {
		if s.Day > day-sales.Day(r.CooldownDays+r.SlackDays) {
			c.Said[keep] = s
			keep++
		}
	}
	c.Said = c.Said[:keep]
	if len(c.Reports) > 0 {
		c.forgetReports(day, r)
	}
}
