package main

import (
	"context"

	"leadline/internal/app"
)

type (
	runCmd     struct{}
	engineCmd  struct{}
	analystCmd struct{}
	deskCmd    struct{}
)

func (runCmd) Run(ctx context.Context, p *process) error { return p.roles(ctx, app.All) }

func (engineCmd) Run(ctx context.Context, p *process) error {
	return p.roles(ctx, app.Roles{Engine: true})
}

func (analystCmd) Run(ctx context.Context, p *process) error {
	return p.roles(ctx, app.Roles{Analyst: true})
}

func (deskCmd) Run(ctx context.Context, p *process) error {
	return p.roles(ctx, app.Roles{Desk: true})
}

// roles runs until a signal ends it, which is no failure.
func (p *process) roles(ctx context.Context, roles app.Roles) error {
	c, log, err := p.logged()
	if err != nil {
		return err
	}
	p.warnUnknown(log)
	a, err := app.New(c, roles, log)
	if err != nil {
		return err
	}
	return a.Run(ctx, p.hangup)
}
