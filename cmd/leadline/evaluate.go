package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"leadline/internal/evaluate"
	"leadline/internal/load"
	"leadline/internal/sales"
)

type evaluateCmd struct {
	Links evaluateLinksCmd `cmd:"" help:"Which offers would have been taken: rankers beside plain baselines, learned before a cut and judged after it."`

	Declining evaluateDecliningCmd `cmd:"" help:"Who was about to slip away: Leadline's probability beside plain baselines, learned before a cut and judged after it."`
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
	if o.Cuts, err = parseCuts(cmd.Cuts); err != nil {
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
	return writeReport(p.stdout, report, cmd.JSON)
}

type evaluateDecliningCmd struct {
	Paths []string `arg:"" help:"Files or directories with purchases, as load takes them."`
	Cuts  []string `name:"cut" required:"" sep:"none" placeholder:"DAY/DAYS" help:"Learn before this day and judge by so many days from it on, for example 2017-10-03/90. May be given again, with as many days."`
	Label string   `default:"halved" enum:"halved,none" help:"What slipped means: halved (purchase days from the cut on at a rate below half of the window's) or none (no purchase)."`

	WindowDays int  `default:"90" help:"So many days before the cut are the usual rate."`
	MinDays    int  `default:"3" help:"Only customers with so many purchase days in the window."`
	JSON       bool `name:"json" help:"The report as one JSON object, with each customer's scores."`
}

// Run needs the purchases alone.
func (cmd evaluateDecliningCmd) Run(ctx context.Context, p *process) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	if cmd.WindowDays < 1 || cmd.WindowDays > 3660 || cmd.MinDays < 1 {
		return usage("--window-days must be 1 to 3660, --min-days 1 or more")
	}
	o := evaluate.DecliningOptions{WindowDays: cmd.WindowDays, MinDays: cmd.MinDays, Label: evaluate.Label(cmd.Label)}
	if o.Cuts, err = parseCuts(cmd.Cuts); err != nil {
		return err
	}
	h := evaluate.NewHistory(evaluate.Merchandise{Calendar: sales.NewCalendar(cfg.BusinessTimeZone)})
	if err := readHistory(ctx, p, h, cmd.Paths); err != nil {
		return err
	}
	report, err := h.Declining(o)
	if err != nil {
		return err
	}
	return writeReport(p.stdout, report, cmd.JSON)
}

// readHistory takes what the files say of products and purchases.
func readHistory(ctx context.Context, p *process, h *evaluate.History, paths []string) error {
	rejected, err := load.Each(ctx, load.Options{Paths: paths, Stdin: p.stdin}, func(record any) error {
		switch r := record.(type) {
		case *sales.Product:
			h.Product(r)
		case *sales.Purchase:
			h.Purchase(r)
		}
		return nil
	})
	if rejected > 0 {
		fmt.Fprintf(p.stderr, "%d lines were refused; load names them and the reasons\n", rejected)
	}
	return err
}

// writeReport writes a report for people, or as JSON.
func writeReport(to io.Writer, report interface{ WriteText(to io.Writer) error }, asJSON bool) error {
	if !asJSON {
		return report.WriteText(to)
	}
	enc := json.NewEncoder(to)
	enc.SetIndent("", "  ")
	return enc.Encode(report)
}

func parseCuts(texts []string) ([]evaluate.Cut, error) {
	var cuts []evaluate.Cut
	for _, text := range texts {
		cut, err := parseCut(text)
		if err != nil {
			return nil, err
		}
		cuts = append(cuts, cut)
	}
	return cuts, nil
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
