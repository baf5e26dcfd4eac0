package main

import (
	"context"
	"errors"

	"leadline/internal/bench"
)

type benchGrowthCmd struct {
	benchOutput
	Curves     []string `arg:"" optional:"" enum:"customers,density,partitions,links" help:"customers, density, partitions, links; all when none is named."`
	Customers  []int    `default:"10000,100000,1000000,5000000" help:"Points of the curve customers, whose history is one order with as many lines as a window of ten would have. Of 5,000,000 Redis takes about 3 GB, and Kafka 8 GB of disk."`
	Densities  []int    `default:"2,10,30,100" help:"Points of the curve density: orders of each of 20,000 customers in the 180 days."`
	Partitions []int    `default:"4,16,64" help:"Points of the curve partitions."`
	Links      []int    `default:"100,1000,10000,100000" help:"Points of the curve links."`
	Orders     int      `default:"200000" help:"Orders of each measurement, after the history. Customers are measured three times: in memory, in a rush, and after a restart."`
	Seed       uint64   `default:"1" help:"The same seed, the same orders."`
}

// Run measures on the configured servers, each point under a topic prefix of its own. The file of figures has, after each point, all that
// there are.
func (cmd benchGrowthCmd) Run(ctx context.Context, p *process) error {
	curves := cmd.Curves
	if len(curves) == 0 {
		curves = bench.Curves()
	}
	plan, err := bench.Plan(curves, bench.Places{Customers: cmd.Customers, Densities: cmd.Densities, Partitions: cmd.Partitions, Links: cmd.Links})
	if err != nil {
		return usage("%w", err)
	}
	if cmd.Orders < 1 {
		return usage("--orders must be 1 or more")
	}
	o, done, err := p.bench(cmd.Logs)
	if err != nil {
		return err
	}
	defer done()
	o.Seed = cmd.Seed
	found := new(bench.Growth)
	err = bench.Grow(ctx, o, plan, cmd.Orders, func(g *bench.Growth) error {
		found = g
		return writeJSON(cmd.JSON, g)
	})
	return errors.Join(err, found.Print(p.stdout))
}
