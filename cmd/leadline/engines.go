package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/twmb/franz-go/pkg/kadm"

	"leadline/internal/stream"
)

type enginesCmd struct {
	List   enginesListCmd   `cmd:"" help:"List the engines that the group counts on, and their shards."`
	Remove enginesRemoveCmd `cmd:"" help:"Give the shards of engines that do not come back to the others at once, and not when their sessions end."`
}

type enginesListCmd struct{}

// Run prints a table.
func (enginesListCmd) Run(ctx context.Context, p *process) error {
	t, err := p.connect()
	if err != nil {
		return err
	}
	defer t.Close()
	members, err := stream.Members(ctx, kadm.NewClient(t.Kafka), t.config.TopicPrefix)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "INSTANCE\tHOST\tSHARDS")
	for _, m := range members {
		fmt.Fprintf(w, "%s\t%s\t%v\n", plain(m.Instance), plain(m.Host), m.Shards)
	}
	return w.Flush()
}

type enginesRemoveCmd struct {
	Instance []string `arg:"" help:"Their names, as engines list shows them."`
}

// Run fails when one is not in the group.
func (cmd enginesRemoveCmd) Run(ctx context.Context, p *process) error {
	t, err := p.connect()
	if err != nil {
		return err
	}
	defer t.Close()
	return stream.Remove(ctx, kadm.NewClient(t.Kafka), t.config.TopicPrefix, cmd.Instance...)
}
