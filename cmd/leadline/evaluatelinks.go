package main

import (
	"context"

	"leadline/internal/bench/figures"
	"leadline/internal/evaluate"
	"leadline/internal/sales"
)

type evaluateLinksCmd struct {
	Paths []string `arg:"" help:"Files or directories with purchases and products, as load takes them."`
	Cuts  []string `name:"cut" required:"" sep:"none" placeholder:"DAY/DAYS" help:"Learn before this day and judge by so many days from it on, for example 2017-11-02/60. May be given again."`
	Level string   `default:"type" enum:"product,type,category,department" help:"What is offered: product, type (with its category), category or department."`

	ExcludeDepartment []string `sep:"none" placeholder:"NAME" help:"No merchandise: products of this department. May be given again."`
	ExcludeCategory   []string `sep:"none" placeholder:"NAME" help:"No merchandise: products of this category. May be given again."`
	WindowDays        int      `default:"180" help:"What a customer bought in so many days before the cut is not offered to it."`
	MinBuyers         int      `default:"30" help:"Only items with so many buyers before the cut."`
	Offers            int      `default:"5" help:"How many a customer is offered."`
	Live              bool     `help:"As live too: at each of a customer's shopping days from the cut on, by what was known before it. Takes minutes."`
	Holds             bool     `help:"How many of the links that would have been published before the cut hold after it, too. Takes minutes."`
	Peers             string   `placeholder:"FILE" help:"Others' nDCG by customer, CSV with the columns cut, H, customer_id, relevant and NAME_ndcg5: leadline is compared with each, paired."`
	Plot              string   `placeholder:"FILE" help:"Draw the report into this SVG file too."`
	JSON              bool     `name:"json" help:"The report as one JSON object, with each customer's nDCG."`
}

// Run needs the products before the purchases, which is the order of load.
func (cmd evaluateLinksCmd) Run(ctx context.Context, p *process) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	o := evaluate.LinksOptions{WindowDays: cmd.WindowDays, MinBuyers: cmd.MinBuyers, Offers: cmd.Offers, Live: cmd.Live, Holds: cmd.Holds}
	if cmd.WindowDays < 1 || cmd.MinBuyers < 1 || cmd.Offers < 1 {
		return usage("--window-days, --min-buyers and --offers must be 1 or more")
	}
	if o.Cuts, err = parseCuts(cmd.Cuts); err != nil {
		return err
	}
	if cmd.Peers != "" && cmd.Offers != 5 {
		return usage("--peers has figures of five offers: leave --offers as it is")
	}
	if o.Peers, err = readPeers(cmd.Peers, evaluate.ReadLinkPeers); err != nil {
		return err
	}
	h := evaluate.NewHistory(evaluate.Merchandise{Level: evaluate.Level(cmd.Level), Calendar: sales.NewCalendar(cfg.BusinessTimeZone),
		ExcludeDepartments: cmd.ExcludeDepartment, ExcludeCategories: cmd.ExcludeCategory})
	if err := readHistory(ctx, p, h, cmd.Paths); err != nil {
		return err
	}
	report, err := h.Links(o)
	if err != nil {
		return err
	}
	if cmd.Plot != "" {
		if err := figures.DrawLinks(cmd.Plot, report); err != nil {
			return err
		}
	}
	return writeReport(p.stdout, report, cmd.JSON)
}
