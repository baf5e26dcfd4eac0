package engine

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/window"
)

// offer is the candidate of one kind that was chosen for an order.
type offer struct {
	kind     sales.AlertKind
	link     *sales.Link
	from, to window.ItemID
	choice
	logOdds  float64
	score    *scorecard.Score
	values   []float64 // what the card asked
	code     uint64    // of the values
	of       int       // candidates there were
	resolved *resolved // cross-sell: the link
	days     int       // upsell: days on which the lower tier was bought
	stands   int       // upsell: days
	gain     gain      // upsell: what the step adds

	since       sales.Day // cross-sell: on which what the link leads from was bought, or touched
	antecedents int       // and how much of what was bought or touched lately leads to the item
	byValue     bool      // and whether candidates were ranked by what they are worth
}

// probability is that of being taken within the offer's time.
func (f *offer) probability() float64 { return f.score.Probability(f.logOdds) }

// offer decides about the candidate: an open episode if the cap of its kind leaves room and no report silences it, else one entry in the ledger of
// what was held back, once per item and cool-down. It tells whether an episode was opened.
func (s *Shard) offer(e *entry, o *order, f offer) (open bool) {
	heldBack, why := s.heldBack(e, f.kind, o.day)
	capped := heldBack != sales.NotSuppressed
	if capped && s.saidLately(e, f.kind, s.number(f.kind, f.to), o.day, true) {
		s.pass(e, f.kind, f.link.To, o.OccurredAt, why)
		return false
	}
	f.code = code(f.score.Card(), f.values)
	weight := s.weight(f.kind, s.offerName(f.kind, f.to))
	ep := Episode{Kind: f.kind, Event: window.EventHash(o.EventID), From: f.from, To: f.to, Day: o.day,
		ExpiryDay: o.day + sales.Day(s.rules.ExpiryDays), Score: partsOfOne(f.probability() * weight), Suppressed: heldBack, Code: f.code}
	if !s.teaches(o) {
		ep.Code = 0
	}
	if !capped {
		ep.Suppressed = s.suppression(e)
		e.state.open(ep)
		e.state.unwatch(f.to)
		more(&e.state.Offered)
	}
	e.state.Said = append(e.state.Said, Said{Kind: f.kind, Capped: capped, Item: f.to, Day: o.day})
	a := s.alert(e, &ep, sales.Opened, o.OccurredAt)
	a.Propensity *= f.propensity
	var details *sheet
	if f.kind == sales.CrossSell {
		a.Title, a.Reasons, details = s.crossSellWords(e, o, &f)
	} else {
		a.Title, a.Reasons, details = s.upsellWords(e, o, &f)
	}
	a.Reasons = seldomUseful(f.appendCardReasons(a.Reasons), weight)
	margin, known := s.margin(&f)
	if worth := f.worth(margin); worth > 0 {
		value := int64(math.Round(f.probability() * worth))
		a.ExpectedValueMinor, a.Currency = &value, e.state.Window.Currency()
	}
	a.Details = details.filled(&f, o.day, margin, known)
	return !capped
}

// worth is what the offer earns when it is taken, in minor units, 0 when that is not known: the margin of a typical line, or what a step up adds.
func (f *offer) worth(margin float64) float64 {
	if f.kind == sales.Upsell {
		return f.gain.minor(f.link)
	}
	return margin * float64(f.link.TypicalMinor)
}

// margin is the share of a line's amount that a cross-sell would earn, and whether the catalogue knows it; else it is the whole line's.
func (s *Shard) margin(f *offer) (share float64, known bool) {
	share, known = s.step.batch.Knowledge.Catalogue.Margin(s.level.item(f.link.To))
	if !known {
		share = 1
	}
	return share, known
}

func flag(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// heldBack is why an offer of the kind goes to the ledger on the day, though it is the best there is.
func (s *Shard) heldBack(e *entry, kind sales.AlertKind, day sales.Day) (sales.Suppression, PassedWhy) {
	switch {
	case e.state.countOpen(kind) >= s.rules.Caps.of(kind):
		return sales.ByCap, PassedCap
	case s.silenced(&e.state, kind, day):
		return sales.BySilenced, PassedSilenced
	default:
		return sales.NotSuppressed, ""
	}
}

// TakenUp is the code of the reason with which an offer ends that the customer has taken.
const TakenUp = "taken_up"

// takeUp ends the offers that the order makes good or shows to be mistaken. A late order from before the offer's window does neither.
func (s *Shard) takeUp(e *entry, o *order) {
	for at := 0; at < len(e.state.Open); {
		ep := &e.state.Open[at]
		if ep.ExpiryDay == 0 || o.day <= ep.Day-sales.Day(s.rules.WindowDays) || !s.buys(o, ep) {
			at++
			continue
		}
		ended := e.state.close(at)
		name := s.offerName(ended.Kind, ended.To)
		end := ending{status: sales.Resolved, at: o.OccurredAt, code: TakenUp, value: float64(o.day - ended.Day),
			title:    "Customer " + e.id + " has bought " + name + ", which was offered on " + ended.Day.String() + ".",
			text:     "Bought " + name + " on " + o.day.String() + ".",
			evidence: []sales.Evidence{o.evidence()}, details: map[string]float64{"days_to_take_up": float64(o.day - ended.Day)}}
		if o.day >= ended.Day {
			more(&e.state.TakenUp)
			s.example(&ended, true, +1)
		} else {
			end.code, end.details = "contradicted", nil
			end.title = fmt.Sprintf("Customer %s had bought %s already on %s, as was learned late.", e.id, name, o.day)
		}
		s.sayEnd(e, &ended, end)
	}
}

// buys tells whether the order has what the episode offers.
func (s *Shard) buys(o *order, ep *Episode) bool {
	return slices.ContainsFunc(o.lines, func(l orderLine) bool { return s.is(ep.Kind, l.item, ep.To) })
}

// expireOffers ends the offers whose time is over.
func (s *Shard) expireOffers(e *entry, due sales.Millis) {
	for at := 0; at < len(e.state.Open); {
		if ep := &e.state.Open[at]; ep.ExpiryDay == 0 || s.cfg.Calendar.Start(ep.ExpiryDay) > due {
			at++
			continue
		}
		ended := e.state.close(at)
		s.example(&ended, false, +1)
		s.sayEnd(e, &ended, ending{status: sales.Expired, at: due, code: "not_taken_up", value: float64(ended.ExpiryDay - ended.Day),
			title: "The offer of " + s.offerName(ended.Kind, ended.To) + " to customer " + e.id + " of " + ended.Day.String() + " has run out.",
			text:  "Not bought within " + strconv.Itoa(int(ended.ExpiryDay-ended.Day)) + " days."})
	}
}
