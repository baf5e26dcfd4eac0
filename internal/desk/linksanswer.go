package desk

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"leadline/internal/sales"
)

// LinksAnswer is a page of links as JSON.
type LinksAnswer struct {
	Links   []Link    `json:"links"`
	Matched int       `json:"matched"` // on all pages
	All     int       `json:"all"`     // published
	Next    string    `json:"next,omitempty"`
	Sort    LinkSort  `json:"sort"`
	Order   Order     `json:"order"`
	AsOf    LinksAsOf `json:"as_of"`
}

// LinksAsOf says what was read.
type LinksAsOf struct {
	Offset int64 `json:"offset"` // the next one of the topic product-links
}

// Link is one published statement.
type Link struct {
	Key         string     `json:"key"`
	Kind        string     `json:"kind"`
	Level       string     `json:"level"`
	Via         string     `json:"via"` // "bought", or the kind of touch by which from came
	From        string     `json:"from"`
	To          string     `json:"to"`
	FromTier    int32      `json:"from_tier,omitempty"`
	ToTier      int32      `json:"to_tier,omitempty"`
	Says        string     `json:"says"` // one sentence
	Customers   int64      `json:"customers"`
	FromHolders int64      `json:"from_holders"`
	ToHolders   int64      `json:"to_holders"`
	Support     int64      `json:"support"` // customers with both
	Confidence  Interval   `json:"confidence"`
	Baseline    float64    `json:"baseline"`
	Lift        Interval   `json:"lift"`
	Took        int64      `json:"took"`
	Expected    float64    `json:"expected"`
	GSquared    float64    `json:"g_squared"`
	Q           float64    `json:"q"`
	Score       float64    `json:"score"`
	Starts      int64      `json:"starts"`
	Within30    *Chance    `json:"within_30,omitempty"` // absent where nobody's time to it is known
	Within90    *Chance    `json:"within_90,omitempty"`
	Within180   *Chance    `json:"within_180,omitempty"`
	CallFrom    int32      `json:"call_from,omitempty"` // days since from; both absent = unknown
	CallTo      int32      `json:"call_to,omitempty"`
	PriceRatio  float64    `json:"price_ratio,omitempty"`
	Season      float64    `json:"season,omitempty"` // how often to comes of late over what half a year lets expect; absent = unknown
	LearnedFrom *time.Time `json:"learned_from,omitempty"`
	LearnedTo   time.Time  `json:"learned_to"`

	Curve     []float32 `json:"curve,omitempty"` // only where one link is asked for: by the end of each week
	BaseCurve []float32 `json:"base_curve,omitempty"`
}

// Interval is a figure with its 95% interval.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Chance is a probability with its 95% interval, beside that of equally active customers.
type Chance struct {
	P        float64 `json:"p"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	Baseline float64 `json:"baseline"`
}

// Answer makes the page's JSON.
func (p *LinksPage) Answer() *LinksAnswer {
	a := &LinksAnswer{Links: []Link{}, Matched: p.Matched, All: p.All, Next: p.Cursor, Sort: p.Query.Sort, Order: p.Query.Order, AsOf: LinksAsOf{p.Next}}
	for _, l := range p.Links {
		a.Links = append(a.Links, linkOf(l, false))
	}
	return a
}

func linkOf(l *sales.Link, curve bool) Link {
	out := Link{Key: l.Key(), Kind: l.Kind.String(), Level: l.Level, Via: ViaBought, From: l.From, To: l.To, FromTier: l.FromTier, ToTier: l.ToTier,
		Says: Says(l), Customers: l.Customers, FromHolders: l.FromHolders, ToHolders: l.ToHolders, Support: l.Both,
		Confidence: Interval{l.Confidence, l.ConfidenceLow, l.ConfidenceHigh}, Baseline: l.Baseline, Lift: Interval{l.Lift, l.LiftLow, l.LiftHigh},
		Took: l.Took, Expected: l.Expected, GSquared: l.GSquared, Q: l.Q, Score: l.Score, Starts: l.Starts, CallFrom: l.CallFrom, CallTo: l.CallTo,
		PriceRatio: l.PriceRatio, Season: l.Season, LearnedTo: moment(l.LearnedTo)}
	if l.Via != "" {
		out.Via = l.Via
	}
	if l.Starts > 0 {
		within30, within90, within180 := Chance(l.Within30), Chance(l.Within90), Chance(l.Within180)
		out.Within30, out.Within90, out.Within180 = &within30, &within90, &within180
	}
	if l.LearnedFrom != 0 {
		at := moment(l.LearnedFrom)
		out.LearnedFrom = &at
	}
	if curve && l.Starts > 0 {
		out.Curve, out.BaseCurve = l.Curve[:], l.BaseCurve[:]
	}
	return out
}

func moment(at sales.Millis) time.Time { return time.UnixMilli(int64(at)).UTC() }

// Says puts a link into a sentence: what was seen, never a cause.
func Says(l *sales.Link) string {
	if l.Kind == sales.UpsellLink {
		return fmt.Sprintf("Of %s customers who bought %s repeatedly at tier %d, %s went up to tier %d; over all types it is %s.",
			whole(l.FromHolders), l.From, l.FromTier, percent(l.Confidence), l.ToTier, percent(l.Baseline))
	}
	came := "bought " + l.From
	if l.Via != "" {
		came = fmt.Sprintf("had a touch of kind %s about %s", l.Via, l.From)
	}
	lift := fmt.Sprintf("%.1f times (%.1f to %.1f)", l.Lift, l.LiftLow, l.LiftHigh)
	if l.Starts == 0 {
		return fmt.Sprintf("Buying %s is associated with having %s: %s of %s customers with it have both, %s of all customers have the former, %s as often as by chance.",
			l.To, came, percent(l.Confidence), whole(l.FromHolders), percent(l.Baseline), lift)
	}
	text := fmt.Sprintf("Buying %s is associated with having %s: within 90 days %s of %s such customers did (%s to %s), of equally active ones %s; %s as often as expected.",
		l.To, came, percent(l.Within90.P), whole(l.Starts), percent(l.Within90.Low), percent(l.Within90.High), percent(l.Within90.Baseline), lift)
	if l.CallTo > 0 {
		text += fmt.Sprintf(" Half of the extra purchases came %d to %d days after it.", l.CallFrom, l.CallTo)
	}
	return text
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + "%" }

func whole(n int64) string { return strconv.FormatInt(n, 10) }

var linksHead = []string{"key", "kind", "level", "via", "from", "to", "support", "from_holders", "to_holders", "customers", "lift", "lift_low", "lift_high", "q", "g_squared",
	"took", "expected", "starts", "p30", "p30_low", "p30_high", "p30_baseline", "p90", "p90_low", "p90_high", "p90_baseline", "p180", "p180_low", "p180_high",
	"p180_baseline", "call_from", "call_to", "score", "learned_from", "learned_to"}

// WriteCSV writes the page as a table with a head. What nobody knows is empty.
func (p *LinksPage) WriteCSV(to io.Writer) error {
	w := csv.NewWriter(to)
	if err := w.Write(linksHead); err != nil {
		return err
	}
	for _, link := range p.Links {
		if err := w.Write(linkRow(link)); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func linkRow(link *sales.Link) []string {
	l := linkOf(link, false)
	figure := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	row := []string{harmless(l.Key), l.Kind, harmless(l.Level), harmless(l.Via), harmless(l.From), harmless(l.To), whole(l.Support), whole(l.FromHolders),
		whole(l.ToHolders), whole(l.Customers), figure(l.Lift.Value), figure(l.Lift.Low), figure(l.Lift.High), figure(l.Q), figure(l.GSquared), whole(l.Took),
		figure(l.Expected), whole(l.Starts)}
	for _, c := range []*Chance{l.Within30, l.Within90, l.Within180} {
		if c == nil {
			row = append(row, "", "", "", "")
			continue
		}
		row = append(row, figure(c.P), figure(c.Low), figure(c.High), figure(c.Baseline))
	}
	from, call := "", []string{"", ""}
	if l.LearnedFrom != nil {
		from = l.LearnedFrom.Format(time.RFC3339)
	}
	if l.CallTo > 0 {
		call = []string{whole(int64(l.CallFrom)), whole(int64(l.CallTo))}
	}
	return append(row, call[0], call[1], figure(l.Score), from, l.LearnedTo.Format(time.RFC3339))
}
