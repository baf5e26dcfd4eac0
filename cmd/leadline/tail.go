package main

import (
	"bufio"
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/app"
	"leadline/internal/topics"
	"leadline/internal/wire"
)

type tailCmd struct {
	Topic  string `arg:"" help:"One of Leadline's topics, for example alerts.cross-sell, or any other of the cluster."`
	Key    string `placeholder:"KEY" help:"Only records with this key, for example a customer_id; from the start on, unless said otherwise."`
	From   string `placeholder:"WHERE" xor:"where" help:"Begin at: start, end, an offset, a time (2026-07-01 or 2026-07-01T08:00:00Z), or so long ago (2h)."`
	Last   int    `placeholder:"N" xor:"where" help:"Only the newest N records, 10 if neither this nor --from nor --key is given."`
	Follow bool   `short:"f" help:"Go on with what arrives until interrupted."`
	Limit  int    `short:"n" placeholder:"N" help:"Stop after N records."`
	JSON   bool   `name:"json" help:"One JSON object a line, with headers."`
}

// Run shows committed records only: what an aborted transaction wrote was never said.
func (cmd tailCmd) Run(ctx context.Context, p *process) error {
	t, err := p.connect()
	if err != nil {
		return err
	}
	defer t.Close()
	name := t.topicName(cmd.Topic)
	if cmd.From == "" && cmd.Last == 0 {
		if cmd.Key != "" {
			cmd.From = "start"
		} else {
			cmd.Last = 10
		}
	}
	parts, err := t.stretch(ctx, name, cmd.From, cmd.Last)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(p.stdout)
	defer func() { _ = out.Flush() }() // each record was flushed already
	v := &viewer{decoder: wire.NewDecoder(topics.NewSchemaSource(t.Registry)), out: out, json: cmd.JSON}
	seen := 0
	show := func(r *kgo.Record) (more bool, err error) {
		if err := v.show(ctx, r); err != nil {
			return false, err
		}
		seen++
		return cmd.Limit == 0 || seen < cmd.Limit, out.Flush()
	}
	reader := reader{options: t.Options, topic: name, parts: parts, wanted: func(r *kgo.Record) bool { return cmd.Key == "" || string(r.Key) == cmd.Key }}
	if cmd.Last > 0 {
		newest, err := reader.newest(ctx, cmd.Last)
		if err != nil {
			return err
		}
		for _, r := range newest {
			if more, err := show(r); err != nil || !more {
				return err
			}
		}
	} else if more, err := reader.untilEnd(ctx, show); err != nil || !more {
		return err
	}
	if !cmd.Follow {
		return nil
	}
	return reader.follow(ctx, show)
}

// topicName adds the tenant's prefix to a name of the catalogue; any other name is taken as it is.
func (t tool) topicName(name string) string {
	opts := app.TopicOptions(t.config)
	if slices.ContainsFunc(topics.Catalogue(opts), func(c topics.Topic) bool { return c.Name == name }) {
		return opts.Prefix + name
	}
	return name
}
