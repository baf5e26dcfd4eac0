package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"leadline/internal/deadletter"
	"leadline/internal/sales"
	"leadline/internal/topics"
	"leadline/internal/wire"
)

type deadLettersCmd struct {
	List  deadLettersListCmd  `cmd:"" help:"List records that could not be used, and why."`
	Retry deadLettersRetryCmd `cmd:"" help:"Send them back to where they came from, each once; a misrouted one to where it belongs."`
}

// letterFilter chooses dead letters.
type letterFilter struct {
	Class string `placeholder:"CLASS" help:"Only this class, for example misrouted or unknown_schema."`
	From  string `placeholder:"TOPIC" help:"Only records that came from this topic."`
	Since string `placeholder:"WHEN" help:"Only those refused since this time (2026-07-01 or 2026-07-01T08:00:00Z), or so long ago (2h)."`
	At    string `placeholder:"P/OFFSET" help:"Only the one at this place, as list shows it."`
}

func (f letterFilter) filter(t tool) (deadletter.Filter, error) {
	out := deadletter.Filter{Class: sales.DeadLetterClass(f.Class)}
	if f.Class != "" && !slices.Contains(sales.DeadLetterClasses(), out.Class) {
		return out, usage("--class %q: want one of %v", f.Class, sales.DeadLetterClasses())
	}
	if f.From != "" {
		out.SourceTopic = t.topicName(f.From)
	}
	if f.Since != "" {
		at, err := instant(f.Since, time.Now())
		if err != nil {
			return out, usage("--since %q: want a time like 2026-07-01T08:00:00Z, or how long ago, like 2h", f.Since)
		}
		out.Since = at
	}
	if f.At != "" {
		out.At = &deadletter.Position{}
		if n, err := fmt.Sscanf(f.At, "%d/%d", &out.At.Partition, &out.At.Offset); n != 2 || err != nil {
			return out, usage("--at %q: want PARTITION/OFFSET, for example 0/12", f.At)
		}
	}
	return out, nil
}

// withBox gives work the dead letters, and which of them were chosen.
func (p *process) withBox(f letterFilter, work func(*deadletter.Box, deadletter.Filter) error) error {
	t, err := p.connect()
	if err != nil {
		return err
	}
	defer t.Close()
	filter, err := f.filter(t)
	if err != nil {
		return err
	}
	return work(&deadletter.Box{Opts: t.Options, Prefix: t.config.TopicPrefix, Decoder: wire.NewDecoder(topics.NewSchemaSource(t.Registry))}, filter)
}

type deadLettersListCmd struct{ letterFilter }

// Run prints a line for each letter, and the sums.
func (cmd deadLettersListCmd) Run(ctx context.Context, p *process) error {
	return p.withBox(cmd.letterFilter, func(box *deadletter.Box, f deadletter.Filter) error {
		letters, err := box.List(ctx, f)
		if err != nil {
			return err
		}
		counts := map[sales.DeadLetterClass]int{}
		w := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "AT\tREFUSED\tCLASS\tFROM\tKEY\tSENT AGAIN\tREASON")
		for _, l := range letters {
			counts[l.Class]++
			again := fmt.Sprint(l.Retried)
			if l.Sent {
				again += ", and now"
			}
			fmt.Fprintf(w, "%d/%d\t%s\t%s\t%s %d/%d\t%s\t%s\t%s\n", l.Partition, l.Offset, l.RefusedAt.UTC().Format("2006-01-02 15:04:05"), plain(string(l.Class)),
				plain(l.Source.Topic), l.Source.Partition, l.Source.Offset, plain(string(l.Key)), again, plain(l.Reason))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		var sums []string
		for _, class := range slices.Sorted(maps.Keys(counts)) {
			sums = append(sums, fmt.Sprintf("%s %d", class, counts[class]))
		}
		fmt.Fprintf(p.stdout, "%d dead letters %s\n", len(letters), strings.Join(sums, ", "))
		return nil
	})
}

type deadLettersRetryCmd struct {
	letterFilter
	DryRun bool `name:"dry-run" help:"Only say what would be sent."`
}

// Run says what was sent, also when it could not go on.
func (cmd deadLettersRetryCmd) Run(ctx context.Context, p *process) error {
	return p.withBox(cmd.letterFilter, func(box *deadletter.Box, f deadletter.Filter) error {
		report, err := box.Retry(ctx, f, cmd.DryRun)
		did := "sent"
		if cmd.DryRun {
			did = "would be sent"
		}
		fmt.Fprintf(p.stdout, "%d chosen: %d %s (%d under another key), %d were sent before, %d have no topic to go to\n",
			report.Chosen, report.Sent, did, report.Rekeyed, report.Before, report.Lost)
		for _, topic := range slices.Sorted(maps.Keys(report.Topics)) {
			fmt.Fprintf(p.stdout, "  %-14s %d\n", plain(topic), report.Topics[topic])
		}
		return err
	})
}
