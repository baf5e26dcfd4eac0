package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"go.uber.org/zap"
	"golang.org/x/text/currency"

	"leadline/internal/app"
	"leadline/internal/desk"
	"leadline/internal/engine"
)

type decliningCmd struct {
	Recent   string `placeholder:"WINDOW" help:"FROM..TO, both days included, or the last days, as 30d. By default the rules' recent days."`
	Baseline string `placeholder:"WINDOW" help:"What it is compared with: FROM..TO, or days before the recent window, as 150d. By default the rules' baseline days."`
	Category string `help:"Count lines of this category only."`
	Segment  string `placeholder:"ATTRIBUTE=VALUE" help:"Only customers whose profile has it."`
	Owner    string `placeholder:"REP" help:"Only this rep's customers."`
	Currency string `help:"Only customers who pay in it."`
	MinValue string `placeholder:"MINOR" help:"Only customers with so much at risk, in minor units of their currency."`
	Q        string `help:"Only customers at this false discovery rate, for example 0.05."`
	Margin   string `help:"Share of the spend that is margin; by default 1: money is spend."`
	Horizon  string `placeholder:"DAYS" help:"Money at risk is over so many days; by default 90."`
	Sort     string `help:"risk (default), p, ratio or last."`
	Limit    int    `default:"20" help:"So many customers; 0 is all."`
	CSV      bool   `name:"csv" help:"A table with all figures." xor:"form"`
	JSON     bool   `name:"json" help:"One JSON object." xor:"form"`
	HandOver bool   `help:"Hand the customers to reps instead of showing them: opens an alert about each that has none." xor:"form"`
	ToRep    string `placeholder:"REP" help:"With --hand-over: to this rep, instead of each customer's own."`
	By       string `placeholder:"REP" help:"With --hand-over: who hands over."`
}

// Run reads all customers once. The role desk keeps them, and answers the same over HTTP at once.
func (cmd decliningCmd) Run(ctx context.Context, p *process) error {
	t, err := p.connect()
	if err != nil {
		return err
	}
	defer t.Close()
	book := app.Customers(t.config, t.Options, t.Registry, t.Redis, zap.NewNop())
	if err := book.Load(ctx); err != nil {
		return err
	}
	declining := app.Declining(t.config, book, func() engine.Rules { return t.config.Rules }, zap.NewNop())
	limit := cmd.Limit
	if limit <= 0 {
		limit = math.MaxInt32
	}
	query, err := declining.Query(cmd.values(), limit)
	if err != nil {
		return coded{err, exitUsage}
	}
	if cmd.HandOver {
		done, err := app.HandOver(t.config, t.Options, t.Registry, book, declining, zap.NewNop()).Do(ctx, query, desk.HandOverRequest{ToRepID: cmd.ToRep, RepID: cmd.By})
		if err == nil {
			fmt.Fprintf(p.stdout, "%d customers handed over; the engine opens an alert about each that has none and was not reached lately\n", done.Customers)
		}
		return err
	}
	page, err := declining.Page(ctx, query)
	switch {
	case err != nil:
		return err
	case cmd.CSV:
		return page.WriteCSV(p.stdout)
	case cmd.JSON:
		enc := json.NewEncoder(p.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(page.Answer())
	}
	return printDeclining(p.stdout, page.Answer())
}

func (cmd decliningCmd) values() map[string][]string {
	values := map[string][]string{}
	for name, value := range map[string]string{"recent": cmd.Recent, "baseline": cmd.Baseline, "category": cmd.Category, "segment": cmd.Segment,
		"owner": cmd.Owner, "currency": cmd.Currency, "min_value": cmd.MinValue, "q": cmd.Q, "margin": cmd.Margin, "horizon": cmd.Horizon, "sort": cmd.Sort} {
		if value != "" {
			values[name] = []string{value}
		}
	}
	return values
}

func printDeclining(to io.Writer, a *desk.Answer) error {
	listed := 0
	for _, s := range a.Listed {
		listed += s.Customers
	}
	fmt.Fprintf(to, "%s..%s (%d days) against %s..%s (%d days)", a.Recent.From, a.Recent.To, a.Recent.Days, a.Baseline.From, a.Baseline.To, a.Baseline.Days)
	if a.Category != "" {
		fmt.Fprintf(to, ", category %s", plain(a.Category))
	}
	fmt.Fprintf(to, "\n%d of %d customers buy less than expected by how everyone else went, %d of them beyond chance (q at most 0.05)\n", listed, a.Everyone.Customers, a.BeyondChance)
	for _, s := range a.Listed {
		fmt.Fprintf(to, "at risk over %d days: %s, %d customers\n", a.HorizonDays, money(s.AtRiskMinor, s.Currency), s.Customers)
	}
	fmt.Fprintln(to)
	w := tabwriter.NewWriter(to, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "CUSTOMER\tREP\tDAYS\tEXPECTED\tBEFORE\tSPENT\tBEFORE\tRATIO\t95%\tP\tQ\tLAST PURCHASE\tAT RISK\t")
	for _, c := range a.Customers {
		fmt.Fprintf(w, "%s\t%s\t%d\t%.1f\t%d\t%s\t%s\t%.2f\t%.2f-%.2f\t%.2g\t%.2g\t%s\t%s\t\n", called(&c), plain(c.OwnerID), c.Recent.Days, c.ExpectedDays,
			c.Baseline.Days, money(c.Recent.SpentMinor, c.Currency), money(c.Baseline.SpentMinor, c.Currency), c.Ratio, c.RatioLow, c.RatioHigh, c.P, c.Q,
			c.LastPurchase, money(c.AtRiskMinor, c.Currency))
	}
	return w.Flush()
}

// called is the customer's id, with its name if it has one.
func called(c *desk.Customer) string {
	if c.Name == "" {
		return plain(c.CustomerID)
	}
	return plain(c.Name) + " (" + plain(c.CustomerID) + ")"
}

// money writes an amount in the currency's usual unit.
func money(minor int64, code string) string {
	unit, err := currency.ParseISO(code)
	if err != nil {
		return fmt.Sprintf("%d minor %s", minor, plain(code))
	}
	digits, _ := currency.Standard.Rounding(unit)
	return fmt.Sprintf("%.*f %s", digits, float64(minor)/math.Pow10(digits), code)
}
