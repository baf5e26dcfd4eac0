package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"leadline/internal/config"
	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// customerView is what state show tells, for people and, as JSON, for programs.
type customerView struct {
	CustomerID   string        `json:"customer_id"`
	Shard        int32         `json:"shard"`
	CSN          int64         `json:"csn"`       // the commit that wrote this state
	ShardCSN     int64         `json:"shard_csn"` // how far the source has come
	Source       string        `json:"source"`
	Rebuilding   bool          `json:"rebuilding,omitempty"`
	Bytes        int           `json:"bytes"`
	OwnerID      string        `json:"owner_id,omitempty"`
	Contact      string        `json:"contact"`
	Currency     string        `json:"currency,omitempty"`
	WindowFrom   string        `json:"window_from"`
	WindowTo     string        `json:"window_to"`
	PurchaseDays int           `json:"purchase_days"`
	Orders       int           `json:"orders"`
	Last         *lastView     `json:"last_purchase,omitempty"`
	Categories   []sumView     `json:"categories"`
	Touches      []touchView   `json:"touches"`
	Open         []episodeView `json:"open"`
	Said         []saidView    `json:"cooling_down"`
	Reports      []reportView  `json:"outcomes,omitempty"`
	Timer        *time.Time    `json:"timer,omitempty"`
	// TimerAsWritten: a weekly look that has found nothing since may have put it off by whole weeks.
	TimerAsWritten bool `json:"timer_as_written,omitempty"`
}

type lastView struct {
	At        time.Time `json:"occurred_at"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
}

type sumView struct {
	Category    string `json:"category"`
	Count       int64  `json:"count"`
	AmountMinor int64  `json:"amount_minor"`
	LastDay     string `json:"last_day"`
}

type touchView struct {
	Kind    string `json:"kind"`
	About   string `json:"category,omitempty"`
	Count   uint32 `json:"count"`
	LastDay string `json:"last_day"`
}

type episodeView struct {
	Kind         string `json:"kind"`
	From         string `json:"from,omitempty"`
	To           string `json:"to,omitempty"`
	Day          string `json:"opened"`
	ExpiryDay    string `json:"expires,omitempty"`
	SuppressedBy string `json:"suppressed_by,omitempty"`
}

// reportView is an outcome that the customer remembers.
type reportView struct {
	Result    string `json:"result"`
	Kind      string `json:"kind,omitempty"`
	Item      string `json:"item,omitempty"`
	Opened    string `json:"opened,omitempty"` // the alert
	Day       string `json:"day"`
	Until     string `json:"until,omitempty"`
	RepID     string `json:"rep_id,omitempty"`
	TakenBack bool   `json:"taken_back,omitempty"`
}

type saidView struct {
	Kind   string `json:"kind"`
	Item   string `json:"item,omitempty"`
	Day    string `json:"day"`
	Capped bool   `json:"capped,omitempty"`
}

var contactWords = map[engine.Consent]string{engine.ConsentUnknown: "allowed (not asked)", engine.ConsentGranted: "allowed", engine.ConsentDenied: "denied"}

// newCustomerView looks at the window as it ends on the newest day that the customer's own time has come to: also by looks that found nothing, if
// it is known how far time has come.
func newCustomerView(id string, k kept, c *engine.Customer, items *window.Items, cfg *config.Config) *customerView {
	c.CatchUp(k.today, &cfg.Rules)
	to := c.Day
	from := to - sales.Day(cfg.Rules.WindowDays)
	v := &customerView{CustomerID: id, Shard: k.partition, CSN: c.CSN, ShardCSN: k.csn, Source: k.from, Rebuilding: k.rebuilding, Bytes: len(k.blob),
		OwnerID: c.Owner(), Contact: contactWords[c.Contact], Currency: c.Window.Currency(),
		WindowFrom: (from + 1).String(), WindowTo: to.String(), PurchaseDays: c.Window.PurchaseDays(from, to), Orders: c.Window.OrderCount(from, to)}
	if last := c.Window.Last(); last != (window.Purchase{}) {
		v.Last = &lastView{time.UnixMilli(int64(last.At)).UTC(), last.Partition, last.Offset}
	}
	for _, s := range c.Window.Sums(from, to, items) {
		v.Categories = append(v.Categories, sumView{s.Category, s.Count, s.AmountMinor, s.LastDay.String()})
	}
	v.Touches = touchViews(c.Window.Touches(), items)
	for _, e := range c.Open {
		ev := episodeView{Kind: e.Kind.String(), From: itemName(items, e.From), To: itemName(items, e.To), Day: e.Day.String(), SuppressedBy: e.Suppressed.String()}
		if e.ExpiryDay != 0 {
			ev.ExpiryDay = e.ExpiryDay.String()
		}
		v.Open = append(v.Open, ev)
	}
	for _, s := range c.Said {
		v.Said = append(v.Said, saidView{s.Kind.String(), itemName(items, s.Item), s.Day.String(), s.Capped})
	}
	for _, r := range c.Reports {
		rv := reportView{Result: r.Result.String(), Kind: r.Kind.String(), Item: itemName(items, r.Item), Day: r.Day.String(), RepID: r.Rep, TakenBack: r.Undone}
		if r.Kind != 0 {
			rv.Opened = r.Opened.String()
		}
		if r.Until != 0 {
			rv.Until = r.Until.String()
		}
		v.Reports = append(v.Reports, rv)
	}
	if day := c.Due().Day(); day != 0 {
		at := time.UnixMilli(int64(sales.NewCalendar(cfg.BusinessTimeZone).Start(day))).UTC()
		v.Timer, v.TimerAsWritten = &at, k.today == 0
	}
	return v
}

// touchViews adds up the days, in the order of first appearance.
func touchViews(touches []window.Touch, items *window.Items) []touchView {
	type what struct {
		kind  sales.TouchKind
		about window.ItemID
	}
	at := map[what]int{}
	var views []touchView
	for _, t := range touches {
		w := what{t.Kind, t.About}
		i, ok := at[w]
		if !ok {
			i = len(views)
			at[w] = i
			views = append(views, touchView{Kind: t.Kind.String(), About: itemName(items, t.About), LastDay: t.Day.String()})
		}
		views[i].Count += t.Count
		views[i].LastDay = max(views[i].LastDay, t.Day.String())
	}
	return views
}

func itemName(items *window.Items, id window.ItemID) string {
	if id == window.NoItem {
		return ""
	}
	it := items.Item(id)
	name := cmp.Or(it.Category, it.Type)
	if it.Tier > 0 {
		name = fmt.Sprintf("%s (tier %d)", name, it.Tier)
	}
	return name
}

func (v *customerView) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "customer %s, shard %d, written by commit %d; %s is at commit %d; %d bytes\n", plain(v.CustomerID), v.Shard, v.CSN, v.Source, v.ShardCSN, v.Bytes)
	if v.Rebuilding {
		fmt.Fprintln(w, "the projection is being rebuilt: this may be behind")
	}
	fmt.Fprintf(w, "owner %s, contact by a rep %s\n", cmp.Or(plain(v.OwnerID), "nobody"), v.Contact)
	fmt.Fprintf(w, "window %s to %s: %d orders on %d days\n", v.WindowFrom, v.WindowTo, v.Orders, v.PurchaseDays)
	if v.Last != nil {
		fmt.Fprintf(w, "last purchase %s, at purchases %d/%d\n", v.Last.At.Format(time.RFC3339), v.Last.Partition, v.Last.Offset)
	}
	if v.Timer != nil {
		later := ""
		if v.TimerAsWritten {
			later = ", or whole weeks later: how far time has come with the data clock only --changelog tells"
		}
		fmt.Fprintf(w, "timer due %s%s\n", v.Timer.Format(time.RFC3339), later)
	}
	v.printTables(w)
	return w.Flush()
}

func (v *customerView) printTables(w io.Writer) {
	if len(v.Categories) > 0 {
		fmt.Fprintf(w, "\nCATEGORY\tCOUNT\tAMOUNT, MINOR UNITS OF %s\tLAST DAY\n", strings.ToUpper(v.Currency))
		for _, s := range v.Categories {
			fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", plain(s.Category), s.Count, s.AmountMinor, s.LastDay)
		}
	}
	if len(v.Touches) > 0 {
		fmt.Fprintln(w, "\nTOUCHED BY\tCATEGORY\tCOUNT\tLAST DAY")
		for _, t := range v.Touches {
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", t.Kind, plain(t.About), t.Count, t.LastDay)
		}
	}
	if len(v.Open) > 0 {
		fmt.Fprintln(w, "\nOPEN\tFROM\tTO\tSINCE\tUNTIL\tNOT SAID BECAUSE OF")
		for _, e := range v.Open {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", e.Kind, plain(e.From), plain(e.To), e.Day, e.ExpiryDay, e.SuppressedBy)
		}
	}
	if len(v.Said) > 0 {
		fmt.Fprintln(w, "\nNOT AGAIN SO SOON\tITEM\tSAID ON")
		for _, s := range v.Said {
			fmt.Fprintf(w, "%s\t%s\t%s\n", s.Kind, plain(s.Item), s.Day)
		}
	}
	if len(v.Reports) > 0 {
		fmt.Fprintln(w, "\nREPORTED\tON\tABOUT\tITEM\tOPENED\tUNTIL\tREP\tTAKEN BACK")
		for _, r := range v.Reports {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%t\n", r.Result, r.Day, r.Kind, plain(r.Item), r.Opened, r.Until, plain(r.RepID), r.TakenBack)
		}
	}
}
