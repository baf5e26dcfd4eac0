package desk

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"

	"leadline/internal/declining"
)

// Answer is a page as JSON.
type Answer struct {
	Recent      Span     `json:"recent"`
	Baseline    Span     `json:"baseline"`
	Category    string   `json:"category,omitempty"`
	HorizonDays int      `json:"horizon_days"`
	Margin      float64  `json:"margin"`
	Everyone    Everyone `json:"everyone"`
	Listed      []Sum    `json:"listed"` // all pages together
	// BeyondChance is how many of them have a q of at most 0.05.
	BeyondChance int            `json:"beyond_chance"`
	AsOf         AsOf           `json:"as_of"`
	Customers    []Customer     `json:"customers"`
	Next         string         `json:"next,omitempty"` // the cursor of the page behind
	Moved        bool           `json:"moved,omitempty"`
	Sort         declining.Sort `json:"sort"`
}

// Span is a window.
type Span struct {
	From string `json:"from"`
	To   string `json:"to"`
	Days int    `json:"days"`
}

// Everyone is all customers with a purchase day in either window.
type Everyone struct {
	Customers    int   `json:"customers"`
	RecentDays   int64 `json:"recent_days"`
	BaselineDays int64 `json:"baseline_days"`
}

// Sum is one currency's customers on the list.
type Sum struct {
	Currency    string `json:"currency"`
	Customers   int    `json:"customers"`
	AtRiskMinor int64  `json:"at_risk_minor"`
}

// AsOf says what was counted, and when.
type AsOf struct {
	CountedAt time.Time `json:"counted_at"`
	TookMS    int64     `json:"took_ms"`
	Shards    []Shard   `json:"shards"`
}

// Shard is how far a shard was counted.
type Shard struct {
	Shard       int32      `json:"shard"`
	CSN         int64      `json:"csn"`
	CommittedAt *time.Time `json:"committed_at,omitempty"` // not known of a commit before the customers were read
}

// Customer is one row.
type Customer struct {
	CustomerID   string             `json:"customer_id"`
	Name         string             `json:"name,omitempty"` // of the profile
	OwnerID      string             `json:"owner_id,omitempty"`
	Currency     string             `json:"currency"`
	Recent       Tally              `json:"recent"`
	Baseline     Tally              `json:"baseline"`
	ExpectedDays float64            `json:"expected_days"`
	Ratio        float64            `json:"ratio"`
	RatioLow     float64            `json:"ratio_low"`
	RatioHigh    float64            `json:"ratio_high"`
	P            float64            `json:"p"`
	Q            float64            `json:"q"`
	LastPurchase string             `json:"last_purchase"`
	SilentDays   int                `json:"silent_days"`
	AtRiskMinor  int64              `json:"at_risk_minor"`
	Reasons      []declining.Reason `json:"reasons"`
}

// Tally is what was bought in a window. Orders is absent in a question about a category: which lines are of one order is not kept.
type Tally struct {
	Days       int32  `json:"days"`
	Orders     *int32 `json:"orders,omitempty"`
	SpentMinor int64  `json:"spent_minor"`
}

// Answer makes the page's JSON.
func (p *Page) Answer() *Answer {
	q := &p.list.Question
	a := &Answer{Recent: span(q.Recent), Baseline: span(q.Baseline), Category: q.Category, HorizonDays: q.HorizonDays, Margin: q.Margin,
		Everyone: Everyone(p.list.Everyone), Listed: []Sum{}, BeyondChance: p.list.BeyondChance, Customers: []Customer{}, Next: p.Next(), Moved: p.Moved, Sort: p.Query.Sort,
		AsOf: AsOf{CountedAt: p.counted.at.UTC(), TookMS: p.counted.took.Milliseconds()}}
	for _, s := range p.list.Sums {
		a.Listed = append(a.Listed, Sum(s))
	}
	for _, c := range p.counted.commits {
		s := Shard{Shard: c.Shard, CSN: c.CSN}
		if c.At != 0 {
			at := time.UnixMilli(int64(c.At)).UTC()
			s.CommittedAt = &at
		}
		a.AsOf.Shards = append(a.AsOf.Shards, s)
	}
	intervals := intervals{}
	for i := p.From; i < p.To; i++ {
		a.Customers = append(a.Customers, p.customer(i, intervals))
	}
	return a
}

func span(w declining.Window) Span { return Span{w.From.String(), w.To.String(), w.Days()} }

// intervals keeps what takes microseconds and is the same for all customers with the same counts.
type intervals map[*declining.Verdict][2]float64

func (x intervals) of(v *declining.Verdict) (low, high float64) {
	known, ok := x[v]
	if !ok {
		known[0], known[1] = v.Interval()
		x[v] = known
	}
	return known[0], known[1]
}

func (p *Page) customer(place int, x intervals) Customer {
	r, v := p.list.At(place)
	c := Customer{CustomerID: r.Customer.ID, Name: r.Customer.Name, OwnerID: r.Customer.OwnerID, Currency: r.Customer.Currency, Recent: p.tally(&r.Recent), Baseline: p.tally(&r.Baseline),
		ExpectedDays: v.Expected, Ratio: v.Ratio, P: v.P, Q: v.Q, LastPurchase: r.LastDay.String(), SilentDays: p.list.SilentDays(r),
		AtRiskMinor: r.AtRiskMinor, Reasons: p.list.Reasons(r, v)}
	c.RatioLow, c.RatioHigh = x.of(v)
	return c
}

func (p *Page) tally(t *declining.Tally) Tally {
	out := Tally{Days: t.Days, SpentMinor: t.SpentMinor}
	if p.list.Question.Category == "" {
		out.Orders = &t.Orders
	}
	return out
}

var csvHead = []string{"customer_id", "name", "owner_id", "currency", "recent_days", "recent_orders", "recent_spent_minor", "baseline_days", "baseline_orders",
	"baseline_spent_minor", "expected_days", "ratio", "ratio_low", "ratio_high", "p", "q", "last_purchase", "silent_days", "at_risk_minor", "reasons"}

// WriteCSV writes the page as a table with a head, as RFC 4180 has it. What a spreadsheet would take for a formula stands behind an
// apostrophe: ids come from outside.
func (p *Page) WriteCSV(to io.Writer) error {
	w := csv.NewWriter(to)
	if err := w.Write(csvHead); err != nil {
		return err
	}
	intervals := intervals{}
	for i := p.From; i < p.To; i++ {
		c := p.customer(i, intervals)
		var words []string
		for _, r := range c.Reasons {
			words = append(words, r.Text)
		}
		row := []string{harmless(c.CustomerID), harmless(c.Name), harmless(c.OwnerID), harmless(c.Currency)}
		for _, t := range []Tally{c.Recent, c.Baseline} {
			orders := ""
			if t.Orders != nil {
				orders = strconv.Itoa(int(*t.Orders))
			}
			row = append(row, strconv.Itoa(int(t.Days)), orders, strconv.FormatInt(t.SpentMinor, 10))
		}
		for _, f := range []float64{c.ExpectedDays, c.Ratio, c.RatioLow, c.RatioHigh, c.P, c.Q} {
			row = append(row, strconv.FormatFloat(f, 'g', 6, 64))
		}
		row = append(row, c.LastPurchase, strconv.Itoa(c.SilentDays), strconv.FormatInt(c.AtRiskMinor, 10), harmless(strings.Join(words, " ")))
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func harmless(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}
