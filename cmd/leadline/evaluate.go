package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"leadline/internal/evaluate"
	"leadline/internal/load"
	"leadline/internal/sales"
)

type evaluateCmd struct {
	Links evaluateLinksCmd `cmd:"" help:"Which offers would have been taken: rankers beside plain baselines, learned before a cut and judged after it."`
}

type evaluateLinksCmd struct {
	Paths []string `arg:"" help:"Files or directories with purchases and products, as load takes them."`
	Cuts  []string `name:"cut" required:"" sep:"none" placeholder:"DAY/DAYS" help:"Learn before this day and judge by so many days from it on, for example 2017-11-02/60. May be given again."`
	Level string   `default:"type" enum:"category,type,product" help:"What is offered: category, type (with its category) or product."`

	ExcludeDepartment []string `sep:"none" placeholder:"NAME" help:"No merchandise: products of this department. May be given again."`
	ExcludeCategory   []string `sep:"none" placeholder:"NAME" help:"No merchandise: products of this category. May be given again."`
	WindowDays        int      `default:"180" help:"What a customer bought in so many days before the cut is not offered to it."`
	MinBuyers         int      `default:"30" help:"Only items with so many buyers before the cut."`
	Offers            int      `default:"5" help:"How many a customer is offered."`
	JSON              bool     `name:"json" help:"The report as one JSON object, with each customer's nDCG."`
}

// Run needs the products before the purchases, which is the order of load.
func (cmd evaluateLinksCmd) Run(ctx context.Context, p *process) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	o := evaluate.LinksOptions{WindowDays: cmd.WindowDays, MinBuyers: cmd.MinBuyers, Offers: cmd.Offers}
	if cmd.WindowDays < 1 || cmd.MinBuyers < 1 || cmd.Offers < 1 {
		return usage("--window-days, --min-buyers and --offers must be 1 or more")
	}
	for _, text := range cmd.Cuts {
		cut, err := parseCut(text)
		if err != nil {
			return err
		}
		o.Cuts = append(o.Cuts, cut)
	}
	h := evaluate.NewHistory(evaluate.Merchandise{Level: evaluate.Level(cmd.Level), Calendar: sales.NewCalendar(cfg.BusinessTimeZone),
		ExcludeDepartments: cmd.ExcludeDepartment, ExcludeCategories: cmd.ExcludeCategory})
	rejected, err := load.Each(ctx, load.Options{Paths: cmd.Paths, Stdin: p.stdin}, func(record any) error {
		switch r := record.(type) {
		case *sales.Product:
			h.Product(r)
		case *sales.Purchase:
			h.Purchase(r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if rejected > 0 {
		fmt.Fprintf(p.stderr, "%d lines were refused; load names them and the reasons\n", rejected)
	}
	report, err := h.Links(o)
	if err != nil {
		return err
	}
	if !cmd.JSON {
		return report.WriteText(p.stdout)
	}
	enc := json.NewEncoder(p.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(report)
}

// parseCut reads DAY/DAYS.
func parseCut(text string) (evaluate.Cut, error) {
	day, days, _ := strings.Cut(text, "/")
	at, err1 := time.Parse(time.DateOnly, day)
	n, err2 := strconv.Atoi(days)
	if err1 != nil || err2 != nil || n < 1 || n > 3660 {
		return evaluate.Cut{}, usage("--cut %q: want a day and how many days from it on, for example 2017-11-02/60", text)
	}
	return evaluate.Cut{Day: sales.Calendar{}.Day(sales.Millis(at.UnixMilli())), HorizonDays: n}, nil
}
