// Package simulate makes a world with known truth: customers, prospects, purchases, touchpoints and campaigns drawn from a stated
// model, and beside them what a learner ought to find. Methods are tested against it.
//
// Guarantees: the same World gives the same events, byte for byte. A customer's events depend on the seed, the parameters and the
// customer's number alone, so a world of n customers is what a larger one says about its first n. Whether somebody leaves, returns or is
// sent a campaign does not depend on how much is bought: the same world with a shock, or without its links, has the same
// decliners. Days are made one after the other: memory grows with the customers and one day's events, not with the days.
//
// It is not a model of real shopping: there are no tastes, no prices that move and no brand that anybody loves. What is not planted is
// independent, given how often a customer orders. It has no clock and reads no file; its random source is seeded. The command
// simulate and tests import it.
package simulate

import (
	"time"

	"leadline/internal/sales"
)

// World is the parameters. Rates are per customer, shares 0..1, days whole UTC days; days of the world count from 0.
type World struct {
	Name      string `json:"name" yaml:"name"` // begins all ids
	Seed      uint64 `json:"seed" yaml:"seed"`
	Start     string `json:"start" yaml:"start"` // first day, as 2025-01-06
	Days      int    `json:"days" yaml:"days"`
	Customers int    `json:"customers" yaml:"customers"` // prospects among them
	Currency  string `json:"currency" yaml:"currency"`

	Orders    Orders     `json:"orders" yaml:"orders"`
	Season    Season     `json:"season" yaml:"season"`
	Shocks    []Shock    `json:"shocks" yaml:"shocks"`
	Absence   Absence    `json:"absence" yaml:"absence"`
	Links     []Link     `json:"links" yaml:"links"`
	Tiers     []Tier     `json:"tiers" yaml:"tiers"`
	Touches   float64    `json:"touches" yaml:"touches"` // page and product views and searches per expected order
	Campaigns []Campaign `json:"campaigns" yaml:"campaigns"`
	Prospects Prospects  `json:"prospects" yaml:"prospects"`
	Delivery  Delivery   `json:"delivery" yaml:"delivery"`
}

// Orders says how often customers order and what. A customer's orders a day are Poisson with a rate of the customer's own, drawn
// from a gamma distribution, times season, shocks, absence and campaigns.
type Orders struct {
	PerDay float64 `json:"per_day" yaml:"per_day"` // mean of the customers' rates
	Shape  float64 `json:"shape" yaml:"shape"`     // of the gamma distribution: the smaller, the less customers are alike
	Lines  float64 `json:"lines" yaml:"lines"`     // mean background lines an order, at least 1
	Types  int     `json:"types" yaml:"types"`     // background product types, five to a category
	Zipf   float64 `json:"zipf" yaml:"zipf"`       // the j-th type is bought in proportion to j^-Zipf
}

// Season multiplies all rates.
type Season struct {
	Week  [7]float64 `json:"week" yaml:"week"`   // weights of Monday to Sunday, scaled to a mean of 1
	Swing float64    `json:"swing" yaml:"swing"` // of the year: the factor runs from 1 - Swing to 1 + Swing
	Peak  int        `json:"peak" yaml:"peak"`   // day of the year, 1..366, on which it is highest
}

// Shock multiplies all rates on days From to To (inclusive; 0 = to the end).
type Shock struct {
	From   int     `json:"from" yaml:"from"`
	To     int     `json:"to" yaml:"to"`
	Factor float64 `json:"factor" yaml:"factor"`
}

// Absence says who becomes less active, and who comes back.
type Absence struct {
	PerYear    float64 `json:"per_year" yaml:"per_year"`       // rate at which a present customer goes
	GoneShare  float64 `json:"gone_share" yaml:"gone_share"`   // stop altogether; the others slip
	SlipFactor float64 `json:"slip_factor" yaml:"slip_factor"` // rate of those who slip, of their own before
	BackShare  float64 `json:"back_share" yaml:"back_share"`   // come back at some time
	BackDays   float64 `json:"back_days" yaml:"back_days"`     // mean days until they do
}

// Link plants "who starts with From buys more To": each order on a day 1 to 180 days after a start holds To with a probability raised along
// a curve over these days, such that at an even rate the expected purchases of To in the 180 days are Lift times the usual. A
// start is a purchase of From with none in the 180 days before. From and To are product types of their own; the same name in several links
// is the same type.
type Link struct {
	From      string  `json:"from" yaml:"from"`
	To        string  `json:"to" yaml:"to"`
	FromShare float64 `json:"from_share" yaml:"from_share"` // of customers buy From in 180 days, if all were present throughout
	ToShare   float64 `json:"to_share" yaml:"to_share"`     // the same for To, without any link
	Lift      float64 `json:"lift" yaml:"lift"`             // 1 = no effect
	LagDays   float64 `json:"lag_days" yaml:"lag_days"`     // the curve is a gamma density with this mean, cut off at 180 days
	LagShape  float64 `json:"lag_shape" yaml:"lag_shape"`   // and this shape
}

// Tier is a product type with a basic (tier 1) and a better product (tier 2). Everybody begins with the basic one. At each purchase of
// the type after Ready of them, a customer goes over to the better one with probability Switch, and stays with it.
type Tier struct {
	Type       string  `json:"type" yaml:"type"`
	OrderShare float64 `json:"order_share" yaml:"order_share"` // of orders hold the type
	Ready      int     `json:"ready" yaml:"ready"`             // orders of the basic product before anybody switches, 1..200
	Switch     float64 `json:"switch" yaml:"switch"`
	PriceRatio float64 `json:"price_ratio" yaml:"price_ratio"` // better over basic
}

// Campaign is sent on day From to a random share of all who are customers then. It multiplies their rates on the days From+1 to From+Days.
type Campaign struct {
	ID           string  `json:"id" yaml:"id"`
	Channel      string  `json:"channel" yaml:"channel"`
	From         int     `json:"from" yaml:"from"`
	Days         int     `json:"days" yaml:"days"`
	Share        float64 `json:"share" yaml:"share"`
	Effect       float64 `json:"effect" yaml:"effect"`               // 1 = none, below 1 it does harm
	OpenShare    float64 `json:"open_share" yaml:"open_share"`       // open it, and name it with each order in its days: whatever its effect is
	CostMinor    int64   `json:"cost_minor" yaml:"cost_minor"`       // fixed
	ContactMinor int64   `json:"contact_minor" yaml:"contact_minor"` // a send
}

// Prospects are among the customers and have not bought when they turn up, on any day of the world. For 14 days they leave touches; then the
// logistic model decides whether they buy, on a day 15 to 44 days after they turned up. From then on they are customers like all others.
type Prospects struct {
	Share     float64            `json:"share" yaml:"share"`
	Intercept float64            `json:"intercept" yaml:"intercept"`
	Weights   map[string]float64 `json:"weights" yaml:"weights"` // by feature: "source=…", "company_size=…", or a touch kind, per touch
	Touches   map[string]float64 `json:"touches" yaml:"touches"` // mean number by touch kind
}

// Delivery says how records reach the topics: most when they happen, some not.
type Delivery struct {
	DelayedShare  float64 `json:"delayed_share" yaml:"delayed_share"` // up to DelayMinutes after they happened, so out of order
	DelayMinutes  float64 `json:"delay_minutes" yaml:"delay_minutes"`
	LateShare     float64 `json:"late_share" yaml:"late_share"` // a day to LateDays after they happened
	LateDays      float64 `json:"late_days" yaml:"late_days"`
	RepeatedShare float64 `json:"repeated_share" yaml:"repeated_share"` // delivered a second time, up to three days after the first
}

// Default is a world with a little of everything: a year of 20,000 customers, eight links of lift 1.5 to 3, campaigns that help,
// do nothing and do harm, and no shock.
func Default() World {
	return World{
		Name: "sim", Seed: 1, Start: "2025-01-06", Days: 365, Customers: 20_000, Currency: "EUR",
		Orders:  Orders{PerDay: 0.1, Shape: 1.5, Lines: 3, Types: 60, Zipf: 0.8},
		Season:  Season{Week: [7]float64{0.9, 0.8, 0.9, 1, 1.2, 1.4, 0.8}, Swing: 0.15, Peak: 350},
		Absence: Absence{PerYear: 0.25, GoneShare: 0.5, SlipFactor: 0.3, BackShare: 0.5, BackDays: 90},
		Links:   defaultLinks(),
		Tiers: []Tier{
			{Type: "coffee", OrderShare: 0.12, Ready: 2, Switch: 0.04, PriceRatio: 1.5},
			{Type: "shampoo", OrderShare: 0.06, Ready: 2, Switch: 0.10, PriceRatio: 1.8},
			{Type: "batteries", OrderShare: 0.04, Ready: 2, Switch: 0, PriceRatio: 1.4},
		},
		Touches: 0.5,
		Campaigns: []Campaign{
			{ID: "spring", Channel: "email", From: 75, Days: 21, Share: 0.5, Effect: 1.25, OpenShare: 0.3, CostMinor: 50_000, ContactMinor: 5},
			{ID: "summer", Channel: "letter", From: 165, Days: 21, Share: 0.5, Effect: 1, OpenShare: 0.3, CostMinor: 50_000, ContactMinor: 90},
			{ID: "autumn", Channel: "email", From: 255, Days: 21, Share: 0.5, Effect: 0.85, OpenShare: 0.2, CostMinor: 50_000, ContactMinor: 5},
		},
		Prospects: Prospects{
			Share: 0.1, Intercept: -2.5,
			Weights: map[string]float64{"source=referral": 1.2, "source=ad": -0.5, "company_size=large": 0.6, "product_view": 0.3,
				"cart_add": 0.9, "page_view": 0},
			Touches: map[string]float64{"page_view": 3, "product_view": 1.5, "cart_add": 0.4},
		},
		Delivery: Delivery{DelayedShare: 0.02, DelayMinutes: 120, LateShare: 0.001, LateDays: 10, RepeatedShare: 0.005},
	}
}

func defaultLinks() []Link {
	link := func(from, to string, lift, lag float64) Link {
		return Link{From: from, To: to, FromShare: 0.02, ToShare: 0.05, Lift: lift, LagDays: lag, LagShape: 2}
	}
	return []Link{
		link("printer", "ink", 3, 45), link("grill", "charcoal", 2.5, 15), link("bicycle", "helmet", 2, 10),
		link("tent", "sleeping bag", 2, 20), link("aquarium", "fish food", 2, 60), link("camera", "memory card", 1.5, 10),
		link("sofa", "cushion", 1.5, 30), link("crib", "high chair", 1.5, 90),
	}
}

// first is the world's first instant. The world must be valid.
func (w *World) first() sales.Millis {
	start, err := time.Parse(time.DateOnly, w.Start)
	if err != nil {
		panic(err) // Validate refuses it
	}
	return sales.Millis(start.UnixMilli())
}
