package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"

	"leadline/internal/app"
	"leadline/internal/bench"
)

type benchCmd struct {
	Drain     benchDrainCmd     `cmd:"" help:"How fast an engine reads a year of orders that waits for it, and what it costs."`
	Latency   benchLatencyCmd   `cmd:"" help:"How soon after an order its alert can be read, at a steady rate."`
	Growth    benchGrowthCmd    `cmd:"" help:"What an order costs with more customers, denser windows, more partitions, more links."`
	Job       benchJobCmd       `cmd:"" help:"Work as the engine of a comparison: the job that stream engines are compared by, on this runtime."`
	Declining benchDecliningCmd `cmd:"" help:"What the list of declining customers costs among a million: reading all, any windows, pages, memory."`
	Recovery  benchRecoveryCmd  `cmd:"" help:"How soon an engine works again: after kill -9, when another takes over, with an emptied Redis."`
	Report    benchReportCmd    `cmd:"" help:"Tables and pictures of what was measured, for a page of Markdown."`
}

// benchOutput is where a measurement with engines of its own leaves what it made.
type benchOutput struct {
	JSON string `name:"json" placeholder:"FILE" help:"Write the figures to a file too."`
	Logs string `placeholder:"DIR" help:"Where the engines' logs go; by default a new temporary directory."`
}

// benchInput is what both measurements of speed ask.
type benchInput struct {
	benchOutput
	Rounds int  `default:"3" help:"How often it is measured, each time with new topics."`
	Sparse bool `help:"A fifth of the rules, about rare categories: few orders cause an alert."`

	job     bool   // the comparison's
	profile string // file for the engine's CPU profile
}

type benchDrainCmd struct {
	benchInput
	Job       string `enum:"all,b1" default:"all" help:"all that the engine does, or b1, the job by which stream engines are compared."`
	Orders    int    `default:"2000000" help:"Orders of the year."`
	Customers int    `default:"100000" help:"Customers who place them."`
	Seed      uint64 `default:"2" help:"The same seed, the same orders."`
	Profile   string `placeholder:"FILE" help:"Write a CPU profile of the engine too, of ten seconds from its first commit on, for go tool pprof."`
}

type benchLatencyCmd struct {
	benchInput
	Orders    int     `default:"500000" help:"Orders of the year."`
	Customers int     `default:"25000" help:"Customers who place them."`
	Seed      uint64  `default:"3" help:"The same seed, the same orders."`
	Warm      int     `default:"200000" help:"The first orders, which are read before it is measured."`
	Rate      float64 `default:"5000" help:"Orders a second."`
}

// Run measures on the configured servers, under a topic prefix of its own.
func (cmd benchDrainCmd) Run(ctx context.Context, p *process) error {
	year := bench.Year{Seed: cmd.Seed, Orders: cmd.Orders, Customers: cmd.Customers, Sparse: cmd.Sparse}
	cmd.job, cmd.profile = cmd.Job == "b1", cmd.Profile
	return p.measure(ctx, cmd.benchInput, year, func(b *bench.Bench, into *bench.Speed) error {
		found, err := b.Drain(ctx, year)
		if found != nil {
			into.Drains = append(into.Drains, *found)
		}
		return err
	})
}

// Run measures on the configured servers, under a topic prefix of its own.
func (cmd benchLatencyCmd) Run(ctx context.Context, p *process) error {
	year := bench.Year{Seed: cmd.Seed, Orders: cmd.Orders, Customers: cmd.Customers, Sparse: cmd.Sparse}
	return p.measure(ctx, cmd.benchInput, year, func(b *bench.Bench, into *bench.Speed) error {
		found, err := b.Latency(ctx, year, cmd.Warm, cmd.Rate)
		if found != nil {
			into.Latencies = append(into.Latencies, *found)
		}
		return err
	})
}

// measure repeats a measurement of speed, each time as a new tenant, and tells all rounds that were completed.
func (p *process) measure(ctx context.Context, in benchInput, year bench.Year, once func(*bench.Bench, *bench.Speed) error) error {
	o, done, err := p.bench(in.Logs)
	if err != nil {
		return err
	}
	defer done()
	o.Job, o.Profile = in.job, in.profile
	all := &bench.Speed{Year: year, Partitions: o.Topics.Partitions, At: time.Now().UTC(), On: bench.ThisMachine()}
	for range in.Rounds {
		b, err := bench.New(ctx, o)
		if err != nil {
			return err
		}
		if err := errors.Join(once(b, all), b.Close(context.WithoutCancel(ctx))); err != nil {
			return err
		}
	}
	return errors.Join(all.Print(p.stdout), writeJSON(in.JSON, all))
}

type benchDecliningCmd struct {
	Customers int    `default:"1000000" help:"Customers, with windows of half a year."`
	Rounds    int    `default:"9" help:"How many questions of each sort."`
	Seed      uint64 `default:"1" help:"The same seed, the same customers."`
	JSON      string `name:"json" placeholder:"FILE" help:"Write the figures to a file too."`
}

// Run measures in this process, on the configured servers, under a topic prefix of its own.
func (cmd benchDecliningCmd) Run(ctx context.Context, p *process) (err error) {
	o, done, err := p.bench(os.TempDir())
	if err != nil {
		return err
	}
	defer done()
	o.Seed, o.Customers, o.Rounds = cmd.Seed, cmd.Customers, cmd.Rounds
	b, err := bench.New(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close(context.WithoutCancel(ctx))) }()
	found, err := b.Declining(ctx)
	if err != nil {
		return err
	}
	return errors.Join(found.Print(p.stdout), writeJSON(cmd.JSON, found))
}

type benchRecoveryCmd struct {
	benchOutput
	Parts     []string `arg:"" optional:"" enum:"kill,takeover,removal,rebuild" help:"kill, takeover, removal, rebuild; all when none is named. rebuild empties Redis, which must be empty before."`
	Customers int      `default:"1000000" help:"Customers, each with a history of two orders."`
	Rate      float64  `default:"1000" help:"New orders a second while it is measured."`
	Rounds    int      `default:"3" help:"How often a kill and a takeover are repeated."`
	Seed      uint64   `default:"1" help:"The same seed, the same orders."`
}

// Run measures with engines of this binary on the configured servers, under a topic prefix of its own.
func (cmd benchRecoveryCmd) Run(ctx context.Context, p *process) (err error) {
	if len(cmd.Parts) == 0 {
		cmd.Parts = []string{"kill", "takeover", "removal", "rebuild"}
	}
	o, done, err := p.bench(cmd.Logs)
	if err != nil {
		return err
	}
	defer done()
	o.Seed, o.Customers, o.Rate, o.Rounds = cmd.Seed, cmd.Customers, cmd.Rate, cmd.Rounds
	b, err := bench.New(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close(context.WithoutCancel(ctx))) }()
	found, err := b.Recovery(ctx, cmd.Parts)
	if found != nil {
		err = errors.Join(err, found.Print(p.stdout), writeJSON(cmd.JSON, found))
	}
	return err
}

// bench prepares the servers and the binary under test, which is this one.
func (p *process) bench(logs string) (o bench.Options, done func(), err error) {
	if logs == "" {
		if logs, err = os.MkdirTemp("", "leadline-bench"); err != nil {
			return o, nil, fmt.Errorf("directory for logs: %w", err)
		}
	}
	binary, err := os.Executable()
	if err != nil {
		return o, nil, fmt.Errorf("find this program: %w", err)
	}
	t, err := p.connect()
	if err != nil {
		return o, nil, err
	}
	kafka, err := app.KafkaOptions(t.config, zap.NewNop()) // a measurement outlasts what a tool's clients would give up at
	if err != nil {
		t.Close()
		return o, nil, err
	}
	var args []string
	if p.file != "" {
		args = append(args, "--config="+p.file)
	}
	for flag, value := range p.flags {
		args = append(args, "--"+flag+"="+value)
	}
	return bench.Options{Binary: binary, Args: args, Dir: logs, Topics: app.TopicOptions(t.config), Out: p.stderr,
		Kafka: kafka, Registry: t.Registry, Redis: t.Redis}, t.Close, nil
}

func writeJSON(file string, found any) error {
	if file == "" {
		return nil
	}
	text, err := json.MarshalIndent(found, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the figures: %w", err)
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("write the figures: %w", err)
	}
	return nil
}
