package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"leadline/internal/app"
	"leadline/internal/topics"
)

type topicsCmd struct {
	Create topicsCreateCmd `cmd:"" help:"Create the topics that are missing and register the schemas. Changes nothing that exists."`
	Check  topicsCheckCmd  `cmd:"" help:"Name every difference between the servers and what Leadline needs."`
	List   topicsListCmd   `cmd:"" help:"List all topics, what they are for, and what is in them."`
	Grow   topicsGrowCmd   `cmd:"" help:"More partitions, and every customer's state to where the customer belongs then. Pause producers and stop all engines first."`
}

type topicsCreateCmd struct {
	Alter bool `help:"Bring existing topics' settings and subjects' compatibility in line too. Partitions are never changed."`
}

// Run says what it did and what it left alone.
func (cmd topicsCreateCmd) Run(ctx context.Context, p *process) error {
	return p.withAdmin(func(admin *topics.Admin) error {
		done, err := admin.Create(ctx, cmd.Alter)
		printNames(p.stdout, "created", done.Created)
		printNames(p.stdout, "altered", done.Altered)
		printNames(p.stdout, "registered", done.Registered)
		printDifferences(p.stdout, "left alone", done.Differences)
		if err == nil && len(done.Created)+len(done.Altered)+len(done.Registered)+len(done.Differences) == 0 {
			fmt.Fprintln(p.stdout, "nothing to do: all topics and schemas are there")
		}
		return err
	})
}

type topicsCheckCmd struct{}

// Run fails when there is any difference.
func (topicsCheckCmd) Run(ctx context.Context, p *process) error {
	return p.withAdmin(func(admin *topics.Admin) error {
		diffs, err := admin.Check(ctx)
		printDifferences(p.stdout, "differs", diffs)
		switch {
		case err != nil:
			return err
		case len(diffs) > 0:
			return fmt.Errorf("%d differences", len(diffs))
		}
		fmt.Fprintln(p.stdout, "all topics and schemas are as they must be")
		return nil
	})
}

func printNames(w io.Writer, what string, names []string) {
	for _, name := range names {
		fmt.Fprintf(w, "%-10s  %s\n", what, name)
	}
}

func printDifferences(w io.Writer, mark string, diffs []topics.Difference) {
	for _, d := range diffs {
		fmt.Fprintf(w, "%-10s  %s: %s is %s, want %s\n%-10s  -> %s\n", mark, d.Where, d.What, d.Have, d.Want, "", d.Todo)
	}
}

type topicsListCmd struct{}

// Run prints a table.
func (topicsListCmd) Run(ctx context.Context, p *process) error {
	return p.withAdmin(func(admin *topics.Admin) error {
		list, err := admin.List(ctx)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "TOPIC\tPARTITIONS\tCOPIES\tOFFSETS\tKEPT\tKEY\tABOUT")
		for _, s := range list {
			there := fmt.Sprintf("%d\t%d\t%d", s.Partitions, s.Replication, s.Records)
			if !s.Exists {
				there = "missing\t\t"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Name, there, s.Topic.Kept(), s.Topic.Key, s.Topic.About)
		}
		return w.Flush()
	})
}

type topicsGrowCmd struct {
	Partitions int32 `required:"" placeholder:"N" help:"How many partitions each customer-keyed topic shall have. A multiple of what it has moves fewest customers."`
	DryRun     bool  `name:"dry-run" help:"Only check that it can be done, and count."`
}

// Run says what was done, and what is left to do by hand.
func (cmd topicsGrowCmd) Run(ctx context.Context, p *process) error {
	if cmd.Partitions < 2 || cmd.Partitions > maxPartitions {
		return usage("--partitions %d: want 2 to %d", cmd.Partitions, maxPartitions)
	}
	c, log, err := p.logged()
	if err != nil {
		return err
	}
	done, err := app.GrowTopics(ctx, c, cmd.Partitions, cmd.DryRun, log)
	if err != nil {
		return err
	}
	if done.Unread > 0 {
		fmt.Fprintf(p.stdout, "%d records were sent meanwhile. Those that went by the old count are dead letters soon: leadline dead-letters retry --class misrouted\n", done.Unread)
	}
	switch {
	case done.Before:
		fmt.Fprintf(p.stdout, "nothing to do: there are %d shards, and all %d customers are where they belong\n", done.To, done.Customers)
	case cmd.DryRun:
		fmt.Fprintf(p.stdout, "can be done: from %d to %d shards; of %d customers %d would move, and %d profiles with them. Nothing was changed.\n",
			done.From, done.To, done.Customers, done.Moved, done.Profiles)
		return nil
	default:
		fmt.Fprintf(p.stdout, "from %d to %d shards: of %d customers %d have moved, and %d profiles with them. Read back: each is kept once, at home, unchanged.\n",
			done.From, done.To, done.Customers, done.Moved, done.Profiles)
	}
	if c.Topics.Partitions != int(cmd.Partitions) {
		fmt.Fprintf(p.stdout, "now set topics.partitions to %d (LEADLINE_TOPICS_PARTITIONS=%d), start the engines, then the producers\n", cmd.Partitions, cmd.Partitions)
	}
	return nil
}

// maxPartitions is that of the setting topics.partitions.
const maxPartitions = 1024

// withAdmin gives work the servers of the configuration.
func (p *process) withAdmin(work func(*topics.Admin) error) error {
	t, err := p.connect()
	if err != nil {
		return err
	}
	defer t.Close()
	return work(topics.New(t.Kafka, t.Registry, app.TopicOptions(t.config)))
}
