package simulate

import (
	"cmp"
	"math"
	"slices"
)

// Truth is what a learner ought to find in a world. Days count from the world's first.
type Truth struct {
	World     World          `json:"world"`
	Links     []TrueLink     `json:"links"`
	Tiers     []Tier         `json:"tiers"`
	Campaigns []TrueCampaign `json:"campaigns"`
	Decliners []Decliner     `json:"decliners"` // by day
	Prospects []Prospect     `json:"prospects"` // by day of arrival
	Orders    int64          `json:"orders"`
	// OrdersMinor is what all orders came to; the mean order turns a campaign's extra orders into money.
	OrdersMinor int64 `json:"orders_minor"`
}

// TrueLink is a planted link.
type TrueLink struct {
	From string  `json:"from"`
	To   string  `json:"to"`
	Lift float64 `json:"lift"` // of expected purchases, as planted
	// Within says how likely To follows.
	Within []Within `json:"within"`
	// Fresh says the same of the starts by customers who did not hold To: who had bought none in the 180 days before nor on the day itself. It
	// is told by the end of each week, of which the first has the days 1 to 6 and the last ends with day 179, and for 30, 90 and 180 days.
	Fresh []Within `json:"fresh"`
	// ExtraDays are the lags by which a quarter, half and three quarters of the extra purchases come, at an even rate; 0 without effect.
	ExtraDays [3]int `json:"extra_days"`
}

// Within is P(To is bought on one of the Days days after the day of the start), mean over the Starts that the world shows for so long. Each
// start counts with the probability that the model gives for this customer on these days: own rate, season, shocks, absences, campaigns
// and other links as they were. A start is a purchase of From with none in the 180 days before, the days before the world left out.
type Within struct {
	Days        int     `json:"days"`
	Starts      int64   `json:"starts"`
	Probability float64 `json:"probability"` // 0 without starts, like all below
	Baseline    float64 `json:"baseline"`    // the same customers on the same days, did this link not exist
	Lift        float64 `json:"lift"`        // Probability / Baseline
}

// TrueCampaign is a campaign and what it did.
type TrueCampaign struct {
	ID      string  `json:"id"`
	Effect  float64 `json:"effect"`   // factor on the orders of those it was sent to, on its days
	Sent    int64   `json:"sent"`     // drawn by lot among those who were customers
	NotSent int64   `json:"not_sent"` // the others
	// OrdersWithout are the expected orders of those it was sent to on its days, had it not been sent, OrdersExtra those that it added.
	OrdersWithout float64 `json:"orders_without"`
	OrdersExtra   float64 `json:"orders_extra"`
}

// Decliner is one absence of a customer.
type Decliner struct {
	CustomerID string  `json:"customer_id"`
	Day        int     `json:"day"`            // first day of the lower rate
	PerDay     float64 `json:"per_day"`        // the customer's orders a day before, at an average season
	Factor     float64 `json:"factor"`         // on it from then on; 0 = gone
	Back       *int    `json:"back,omitempty"` // first day at the old rate again, if within the world
}

// Prospect is somebody who had not bought on arrival.
type Prospect struct {
	CustomerID  string  `json:"customer_id"`
	Arrives     int     `json:"arrives"`
	Decided     int     `json:"decided"` // whoever has not bought by the end of this day does not; it may lie beyond the world
	Probability float64 `json:"probability"`
}

func newTruth(m *model) *Truth {
	t := &Truth{World: *m.w, Links: []TrueLink{}, Tiers: m.w.Tiers, Campaigns: []TrueCampaign{}, Decliners: []Decliner{}, Prospects: []Prospect{}}
	for i, l := range m.w.Links {
		t.Links = append(t.Links, TrueLink{From: l.From, To: l.To, Lift: l.Lift, ExtraDays: m.links[i].quartiles(),
			Within: []Within{{Days: 30}, {Days: 90}, {Days: effectDays}}, Fresh: weekly()})
	}
	for _, k := range m.w.Campaigns {
		t.Campaigns = append(t.Campaigns, TrueCampaign{ID: k.ID, Effect: k.Effect})
	}
	return t
}

// weekly are the days for which Fresh is told.
func weekly() []Within {
	all := []Within{{Days: 30}, {Days: effectDays - 1}, {Days: effectDays}}
	for end := 6; end < effectDays; end += 7 {
		all = append(all, Within{Days: end}) // 90 is one of them
	}
	slices.SortFunc(all, func(a, b Within) int { return cmp.Compare(a.Days, b.Days) })
	return all
}

// reached counts a start that the world has shown for lag days. Until finish, probabilities are sums.
func (l *TrueLink) reached(lag int, s *start) {
	reached(l.Within, lag, s)
	if !s.held {
		reached(l.Fresh, lag, s)
	}
}

func reached(all []Within, lag int, s *start) {
	for i := range all {
		if w := &all[i]; w.Days == lag {
			w.Starts++
			w.Probability += -math.Expm1(-s.with)
			w.Baseline += -math.Expm1(-s.without)
		}
	}
}

// finish makes means of the sums.
func (t *Truth) finish() {
	for i := range t.Links {
		finish(t.Links[i].Within)
		finish(t.Links[i].Fresh)
	}
}

func finish(all []Within) {
	for i := range all {
		if w := &all[i]; w.Baseline > 0 {
			w.Lift = w.Probability / w.Baseline
			w.Probability /= float64(w.Starts)
			w.Baseline /= float64(w.Starts)
		}
	}
}
