package engine

import "leadline/internal/sales"

// Passed is an alert that was thought of and not said, not even to the ledger (where what a rep has no room for stands under a name of its
// own). What no link led to was not thought of; what might have been said, had another candidate not been chosen, is not told.
type Passed struct {
	CustomerID string
	Kind       sales.AlertKind
	Item       string       // that would have been offered; empty for declining, and where it holds for all offers of the kind
	At         sales.Millis // the event time of the cause
	Why        PassedWhy
}

// PassedWhy is the rule that stood against an alert.
type PassedWhy string

// The rules, and the settings that they hang on.
const (
	PassedHeld      PassedWhy = "held"              // window_days: it is in the window already
	PassedCooldown  PassedWhy = "cooldown"          // cooldown_days: it was said lately
	PassedCap       PassedWhy = "cap"               // caps: as many are open as may be, and the ledger says so already
	PassedOver      PassedWhy = "over"              // expiry_days, slack_days: the offer would be over before it began
	PassedCatalogue PassedWhy = "catalogue"         // by the catalogue it is not sold
	PassedPurchases PassedWhy = "min_purchases"     // upsell.min_purchases
	PassedSilenced  PassedWhy = "silenced"          // cooldown_days: a rep has reached the customer, or leaves it in peace
	PassedMargin    PassedWhy = "margin"            // by the margins in the catalogue the higher tier earns less
	PassedUseless   PassedWhy = "min_weight"        // feedback.min_weight: reps find such alerts of no use
	PassedAlpha     PassedWhy = "alpha"             // declining.alpha
	PassedBaseline  PassedWhy = "min_baseline_days" // declining.min_baseline_days
	PassedPrecision PassedWhy = "min_precision"     // declining.min_precision, and declining.alpha
	PassedCapacity  PassedWhy = "capacity_per_week" // declining.capacity_per_week: others are worth more
)

func (s *Shard) pass(e *entry, kind sales.AlertKind, item string, at sales.Millis, why PassedWhy) {
	if s.step.batch.Explain {
		s.step.out.Passed = append(s.step.out.Passed, Passed{CustomerID: e.id, Kind: kind, Item: item, At: at, Why: why})
	}
}
