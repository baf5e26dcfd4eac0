package wire

import (
	"math"
	"slices"
	"strings"

	"leadline/internal/sales"
)

// Bounds of the contract.
const (
	maxName    = 256             // bytes of an id or of another string that becomes a key
	earliest   = 631_152_000_000 // 1990-01-01T00:00:00Z
	maxOrder   = 1 << 53         // minor units of one order: exact in every client's numbers, and a thousand of them do not overflow
	isoLetters = 3
)

// invalid and the other helpers return a nil *Poison for what is in order, so that a Check is one list of rules.
func invalid(format string, args ...any) *Poison { return poison(sales.DeadInvalid, format, args...) }

// verdict makes the first complaint an error; a nil *Poison in an error would not be nil.
func verdict(complaints ...*Poison) error {
	for _, c := range complaints {
		if c != nil {
			return c
		}
	}
	return nil
}

// CheckPurchase holds a purchase to the contract: an event, a customer, a time since 1990, at least one line, quantities from 1,
// amounts from 0 and in sum at most 2^53, a currency. Its errors, like those of all Checks, are *Poison.
func CheckPurchase(p *sales.Purchase) error {
	if err := verdict(id("event_id", p.EventID), id("customer_id", p.CustomerID), since1990("occurred_at", p.OccurredAt),
		optionalID("order_id", p.OrderID), currency(p.Currency)); err != nil {
		return err
	}
	if len(p.Lines) == 0 {
		return invalid("no lines")
	}
	return checkLines(p.Lines)
}

func checkLines(lines []sales.Line) error {
	var sum int64
	for i := range lines {
		l := &lines[i]
		if err := verdict(id("product_id", l.ProductID), optionalID("category", l.Category)); err != nil {
			return err
		}
		if l.Quantity < 1 {
			return invalid("lines[%d].quantity is %d, at least 1 is wanted", i, l.Quantity)
		}
		if l.AmountMinor < 0 {
			return invalid("lines[%d].amount_minor is %d, at least 0 is wanted", i, l.AmountMinor)
		}
		if l.AmountMinor > maxOrder-sum {
			return invalid("the lines' amounts come to more than %d", int64(maxOrder))
		}
		sum += l.AmountMinor
	}
	return nil
}

// CheckTouchpoint holds a touchpoint to the contract.
func CheckTouchpoint(t *sales.Touchpoint) error {
	return verdict(id("event_id", t.EventID), id("customer_id", t.CustomerID), since1990("occurred_at", t.OccurredAt),
		optionalID("product_id", t.ProductID), optionalID("category", t.Category), optionalID("campaign_id", t.CampaignID),
		money("value_minor", t.ValueMinor), optionalCurrency(t.Currency))
}

// CheckCustomer holds a profile to the contract.
func CheckCustomer(c *sales.Customer) error {
	return verdict(id("customer_id", c.CustomerID), optionalID("owner_id", c.OwnerID), since1990("updated_at", c.UpdatedAt))
}

// CheckProduct holds an article to the contract: margin within 0 to 1, tier from 1 when it is known.
func CheckProduct(p *sales.Product) error {
	if p.MarginShare < 0 || p.MarginShare > 1 {
		return invalid("margin is %g, 0 to 1 is wanted", p.MarginShare)
	}
	if p.Tier < 0 {
		return invalid("tier is %d, at least 1 is wanted", p.Tier)
	}
	return verdict(id("product_id", p.ProductID), optionalID("category", p.Category), optionalID("type", p.Type),
		money("price_minor", p.PriceMinor), optionalCurrency(p.Currency))
}

// CheckCampaign holds a campaign to the contract: it does not end before it begins.
func CheckCampaign(c *sales.Campaign) error {
	if c.EndsAt < c.StartsAt {
		return invalid("ends_at is before starts_at")
	}
	return verdict(id("campaign_id", c.CampaignID), since1990("starts_at", c.StartsAt), money("cost_minor", c.CostMinor),
		money("contact_cost_minor", c.ContactCostMinor), optionalCurrency(c.Currency))
}

// CheckIdentity holds a statement about two ids to the contract: they differ.
func CheckIdentity(i *sales.Identity) error {
	if i.FromID == i.ToID {
		return invalid("from_id and to_id are both %q", i.FromID)
	}
	return verdict(id("event_id", i.EventID), id("from_id", i.FromID), id("to_id", i.ToID), since1990("occurred_at", i.OccurredAt))
}

// CheckSignal holds a value of an external series to the contract: it is a number.
func CheckSignal(s *sales.Signal) error {
	if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
		return invalid("value is %g", s.Value)
	}
	return verdict(id("event_id", s.EventID), id("series", s.Series), since1990("occurred_at", s.OccurredAt))
}

// longestSnooze is for how long an alert can be put off, in milliseconds.
const longestSnooze = 2 * 366 * sales.DayMillis

// CheckOutcome holds what came of an alert to the contract: snoozed says until when, within two years, and nothing takes itself back.
func CheckOutcome(o *sales.Outcome) error {
	snoozed := o.Result == "snoozed" && o.Undoes == ""
	switch {
	case snoozed && o.Until <= o.OccurredAt:
		return invalid("result is snoozed: until must be later than occurred_at")
	case snoozed && o.Until-o.OccurredAt > longestSnooze:
		return invalid("result is snoozed: until is more than two years after occurred_at")
	case o.Undoes != "" && o.Undoes == o.EventID:
		return invalid("undoes is the outcome's own event_id")
	}
	if err := verdict(optionalID("rep_id", o.RepID), optionalID("to_rep_id", o.ToRepID), optionalID("undoes", o.Undoes)); err != nil {
		return err
	}
	return verdict(id("event_id", o.EventID), id("alert_id", o.AlertID), id("customer_id", o.CustomerID),
		since1990("occurred_at", o.OccurredAt), money("value_minor", o.ValueMinor), optionalCurrency(o.Currency))
}

func id(field, v string) *Poison {
	if v == "" {
		return invalid("%s is empty", field)
	}
	return optionalID(field, v)
}

// optionalID refuses control characters: ids and categories become keys in Kafka and Redis and names in tables, where a
// leading NUL is reserved.
func optionalID(field, v string) *Poison {
	if len(v) <= maxName && printable(v) {
		return nil
	}
	return unusualID(field, v)
}

func unusualID(field, v string) *Poison {
	if len(v) > maxName {
		return invalid("%s has %d bytes, at most %d are accepted", field, len(v), maxName)
	}
	for i := range len(v) {
		if v[i] < ' ' || v[i] == 0x7f {
			return invalid("%s has the control character %#x", field, v[i])
		}
	}
	return nil
}

func since1990(field string, at sales.Millis) *Poison {
	if at < earliest {
		return poison(sales.DeadTime, "%s is %d, before 1990", field, at)
	}
	return nil
}

func money(field string, minor *int64) *Poison {
	if minor != nil && (*minor < 0 || *minor > maxOrder) {
		return invalid("%s is %d, 0 to %d is wanted", field, *minor, int64(maxOrder))
	}
	return nil
}

func optionalCurrency(code string) *Poison {
	if code == "" {
		return nil
	}
	return currency(code)
}

func currency(code string) *Poison {
	if len(code) == isoLetters && capital(code[0]) && capital(code[1]) && capital(code[2]) {
		return nil
	}
	return invalid("currency is %.12q, three capital letters are wanted", code)
}

func capital(b byte) bool { return b >= 'A' && b <= 'Z' }

// linkLevels are what links may lead between.
var linkLevels = sales.LinkLevels()

// CheckLink holds a link to what decisions rest on: its kind, its names and shares within 0 and 1.
func CheckLink(l *sales.Link) error {
	if err := verdict(id("level", l.Level), id("from", l.From), id("to", l.To)); err != nil {
		return err
	}
	switch {
	case l.Kind != sales.CrossSellLink && l.Kind != sales.UpsellLink:
		return invalid("kind: CROSS_SELL or UPSELL is wanted")
	case !slices.Contains(linkLevels, l.Level):
		return invalid("level is %q, one of %s is wanted", l.Level, strings.Join(linkLevels, ", "))
	case !(l.Confidence >= 0 && l.Confidence <= 1):
		return invalid("confidence is %g, 0 to 1 is wanted", l.Confidence)
	case l.Kind == sales.UpsellLink && (l.From != l.To || l.FromTier >= l.ToTier):
		return invalid("an UPSELL leads from a tier of an item to a higher one of the same")
	}
	return nil
}
