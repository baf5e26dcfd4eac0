package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"go.uber.org/zap"

	"leadline/internal/app"
	"leadline/internal/desk"
	"leadline/internal/sales"
)

type linksCmd struct {
	From string `arg:"" optional:"" help:"Links from items with this in their names."`
	To   string `arg:"" optional:"" help:"Links to items with this in their names. When both are whole names, with the time to the second purchase."`

	Level      string `help:"product, type, category or department; by default all. With --from-files what links lead between, by default as the rules say."`
	Kind       string `help:"CROSS_SELL or UPSELL; by default both."`
	Via        string `help:"How the first item came: bought, or a kind of touch, for example product_view; by default all."`
	Q          string `help:"Only links at this false discovery rate, for example 0.01."`
	MinSupport string `placeholder:"N" help:"Only links with so many customers who have both."`
	Sort       string `help:"sure (default), lift, lift_low, p30, p90, p180, support, q, score, from or to."`
	Order      string `help:"asc or desc; by default what is usual for the sort."`
	Limit      int    `default:"20" help:"So many links; 0 is all."`
	CSV        bool   `name:"csv" help:"A table with all figures." xor:"form"`
	JSON       bool   `name:"json" help:"One JSON object; of two whole names with the curves." xor:"form"`

	FromFiles []string `name:"from-files" sep:"none" placeholder:"FILE" help:"Learn from files with products, purchases and touchpoints at once, by the same functions and rules, instead of reading what is published. May be given again."`
	Cut       string   `placeholder:"DAY" help:"With --from-files: learn from what was before this day."`
	Counts    bool     `help:"The sums that links are learned from, a JSON object a line, instead of links: of the tallies' topics, or of the files. Departures and touches of the last weeks count when all customers have been looked at since." xor:"form"`
}

// Run reads the topic once. The role desk keeps the links, and answers the same over HTTP at once.
func (cmd linksCmd) Run(ctx context.Context, p *process) error {
	q, err := desk.ParseLinks(cmd.values(), everyLink)
	if err != nil {
		return coded{err, exitUsage}
	}
	if cmd.Limit > 0 {
		q.Limit = cmd.Limit
	}
	if len(cmd.FromFiles) > 0 {
		return cmd.fromFiles(ctx, p, q)
	}
	if cmd.Cut != "" {
		return usage("--cut belongs to --from-files")
	}
	t, err := p.connect()
	if err != nil {
		return err
	}
	defer t.Close()
	if cmd.Counts {
		sums, err := t.liveSums(ctx)
		if err != nil {
			return err
		}
		return printSums(p.stdout, sums)
	}
	published := app.Links(t.config, t.Options, t.Registry, zap.NewNop())
	if err := published.Load(ctx); err != nil {
		return err
	}
	return cmd.write(p.stdout, desk.NewLinks(published, zap.NewNop()), q)
}

const everyLink = 1 << 30

// fromFiles answers from files.
func (cmd linksCmd) fromFiles(ctx context.Context, p *process, q *desk.LinksQuery) error {
	learned, err := cmd.batch(ctx, p)
	if err != nil {
		return err
	}
	if cmd.Counts {
		return printSums(p.stdout, learned.sums())
	}
	return cmd.write(p.stdout, desk.NewLinks(learned, zap.NewNop()), q)
}

func (cmd linksCmd) values() map[string][]string {
	values := map[string][]string{}
	for name, value := range map[string]string{"from": cmd.From, "to": cmd.To, "level": cmd.Level, "kind": cmd.Kind, "via": cmd.Via, "q": cmd.Q,
		"min_support": cmd.MinSupport, "sort": cmd.Sort, "order": cmd.Order} {
		if value != "" {
			values[name] = []string{value}
		}
	}
	return values
}

func (cmd linksCmd) write(to io.Writer, links *desk.Links, q *desk.LinksQuery) error {
	if cmd.To != "" && !cmd.CSV {
		exact, err := links.Between(cmd.From, cmd.To, q)
		if err != nil {
			return err
		}
		switch {
		case len(exact.Links) > 0 && cmd.JSON:
			return printJSON(to, exact)
		case len(exact.Links) > 0:
			return printBetween(to, exact)
		}
	}
	page, err := links.Page(q)
	switch {
	case err != nil:
		return err
	case cmd.CSV:
		return page.WriteCSV(to)
	case cmd.JSON:
		return printJSON(to, page.Answer())
	}
	return printLinks(to, page.Answer())
}

func printLinks(to io.Writer, a *desk.LinksAnswer) error {
	fmt.Fprintf(to, "%d of %d links; associations, not causes\n\n", a.Matched, a.All)
	w := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "FROM\tTO\tLEVEL\tVIA\tBOTH\tTIMES EXPECTED\tQ\tIN 30 DAYS\tIN 90 DAYS\tIN 180 DAYS\tELSE\tCALL ON DAY")
	for i := range a.Links {
		l := &a.Links[i]
		from, to := plain(l.From), plain(l.To)
		if l.Kind == sales.UpsellLink.String() {
			from, to = fmt.Sprintf("%s, tier %d", from, l.FromTier), fmt.Sprintf("tier %d", l.ToTier)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%.2f (%.2f-%.2f)\t%.1g\t%s\t%s\t%s\t%s\t%s\n", from, to, l.Level, plain(l.Via), l.Support, l.Lift.Value, l.Lift.Low, l.Lift.High, l.Q,
			share(l.Within30), share(l.Within90), share(l.Within180), elseShare(l.Within180), call(l))
	}
	return w.Flush()
}

func share(c *desk.Chance) string {
	if c == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*c.P)
}

func elseShare(c *desk.Chance) string {
	if c == nil {
		return "-"
	}
	return fmt.Sprintf("%.1f%%", 100*c.Baseline)
}

func call(l *desk.Link) string {
	if l.CallTo == 0 {
		return "-"
	}
	return fmt.Sprintf("%d-%d", l.CallFrom, l.CallTo)
}

// printBetween shows each link with its curve, a line a week.
func printBetween(to io.Writer, b *desk.LinksBetween) error {
	for i := range b.Links {
		l := &b.Links[i]
		fmt.Fprintf(to, "%s\nlevel %s, via %s, %d customers with both, G² %.1f, q %.2g, learned up to %s\n", plain(l.Says), l.Level, plain(l.Via), l.Support, l.GSquared, l.Q,
			l.LearnedTo.Format("2006-01-02"))
		w := tabwriter.NewWriter(to, 0, 8, 2, ' ', tabwriter.AlignRight)
		if l.Within30 != nil {
			fmt.Fprintln(w, "WITHIN\tAFTER IT\t95%\tEQUALLY ACTIVE\t")
		}
		for _, within := range []struct {
			days int
			*desk.Chance
		}{{30, l.Within30}, {90, l.Within90}, {180, l.Within180}} {
			if c := within.Chance; c != nil {
				fmt.Fprintf(w, "%d days\t%.1f%%\t%.1f-%.1f\t%.1f%%\t\n", within.days, 100*c.P, 100*c.Low, 100*c.High, 100*c.Baseline)
			}
		}
		if err := w.Flush(); err != nil {
			return err
		}
		most := float32(0)
		for week := range l.Curve {
			most = max(most, l.Curve[week], l.BaseCurve[week])
		}
		for week := range l.Curve {
			const width = 60
			drawn, base := int(l.Curve[week]/most*width), min(int(l.BaseCurve[week]/most*width), width-1)
			bar := []rune(strings.Repeat("█", drawn) + strings.Repeat(" ", width-drawn))
			bar[base] = '│' // equally active customers
			fmt.Fprintf(to, "week %2d %6.1f%% %s\n", week+1, 100*l.Curve[week], strings.TrimRight(string(bar), " "))
		}
		fmt.Fprintln(to)
	}
	return nil
}
