package main

import (
	"context"

	"leadline/internal/app"
	"leadline/internal/rehearsal"
	"leadline/internal/sales"
)

type evaluateOffersCmd struct {
	Paths []string `arg:"" help:"Files or directories with purchases and products, as load takes them."`
	Level string   `enum:",product,type,category,department" default:"" help:"What links lead between; by default as the rules say."`
	From  string   `placeholder:"DAY" help:"Judge the orders from this day on; by default from the middle of the history."`
	JSON  bool     `name:"json" help:"The report as one JSON object."`
}

// Run plays the history by the rules of the configuration.
func (cmd evaluateOffersCmd) Run(ctx context.Context, p *process) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	o := rehearsal.Options{Rules: cfg.Rules, Calendar: sales.NewCalendar(cfg.BusinessTimeZone)}
	if cmd.Level != "" {
		o.Rules.LinkLevel = cmd.Level
	}
	o.Links = app.LinkRules(cfg, o.Rules)
	if cmd.From != "" {
		if o.From, err = parseDay(cmd.From); err != nil {
			return usage("--from %q: want a day, for example 2017-06-19", cmd.From)
		}
	}
	r := rehearsal.New(o)
	err = p.eachOf(ctx, cmd.Paths, func(record any) error {
		switch of := record.(type) {
		case *sales.Product:
			r.Product(of)
		case *sales.Purchase:
			r.Purchase(of)
		}
		return nil
	})
	if err != nil {
		return err
	}
	report, err := r.Run()
	if err != nil {
		return err
	}
	return writeReport(p.stdout, report, cmd.JSON)
}
