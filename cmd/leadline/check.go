package main

import (
	"context"
	"errors"
	"fmt"

	"leadline/internal/app"
)

type checkCmd struct{}

// Run prints a line for each thing looked at, failures with what to do.
func (checkCmd) Run(ctx context.Context, p *process) error {
	c, err := p.config()
	if err != nil {
		fmt.Fprintf(p.stdout, "%-6s  %-13s  %v\n", app.Failed, "configuration", err)
		return errors.New("the configuration is wrong: mend it first")
	}
	ok := app.Check(ctx, c, p.environ, func(f app.Finding) {
		fmt.Fprintf(p.stdout, "%-6s  %-13s  %s\n", f.Verdict, f.What, f.Text)
		if f.Todo != "" {
			fmt.Fprintf(p.stdout, "%-6s  %-13s  -> %s\n", "", "", f.Todo)
		}
	})
	if !ok {
		return errors.New("not everything is as it must be")
	}
	return nil
}
