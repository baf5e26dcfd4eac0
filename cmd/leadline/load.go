package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"leadline/internal/app"
	"leadline/internal/load"
	"leadline/internal/topics"
	"leadline/internal/wire"
)

type loadCmd struct {
	Paths   []string `arg:"" name:"path" help:"Files (.jsonl or .csv; plain, gz or zst), directories, or - for standard input."`
	Topic   string   `placeholder:"TOPIC" help:"Input topic; without it the file's name says it (NAME.purchases.jsonl.gz)."`
	Map     []string `placeholder:"COLUMN=FIELD" help:"Take the field from this column; several may be named. COLUMN= ignores a column."`
	Rate    float64  `placeholder:"N" help:"At most N records a second."`
	Speedup float64  `placeholder:"X" help:"Pace by event time, X times as fast as it happened."`
	Shift   bool     `help:"Move all times by whole weeks so that the newest event is just past."`
	Weeks   int      `placeholder:"N" help:"Move all times by N weeks more."`
	Rejects string   `placeholder:"FILE" help:"Where refused lines go; by default beside where you are, named after the first path."`
}

// Run exits with a code of its own when lines were left out, so that a script can tell that from a load that failed.
func (cmd loadCmd) Run(ctx context.Context, p *process) error {
	c, err := p.config()
	if err != nil {
		return err
	}
	t, err := p.connect()
	if err != nil {
		return err
	}
	defer t.Close()
	ids, err := topics.IDs(ctx, t.Registry, c.TopicPrefix)
	if err != nil {
		return err
	}
	options, err := app.KafkaOptions(c, zap.NewNop()) // a long load outlasts a broker's restart, a tool's clients would not
	if err != nil {
		return err
	}
	stats, err := load.Run(ctx, options, wire.NewEncoder(ids), load.Options{
		Paths: cmd.Paths, Stdin: p.stdin, Topic: cmd.Topic, Prefix: c.TopicPrefix, Map: cmd.Map, Rate: cmd.Rate, Speedup: cmd.Speedup,
		Shift: cmd.Shift, Weeks: cmd.Weeks, Now: time.Now(), Rejects: cmd.Rejects, Out: p.stderr,
	})
	printStats(p.stdout, stats)
	var rejects *load.RejectsError
	if errors.As(err, &rejects) {
		return coded{err, exitRejects}
	}
	return err
}

func printStats(w io.Writer, s load.Stats) {
	fmt.Fprintf(w, "%d files, %d read, %d sent, %d rejected, %s of values in %s\n", s.Files, s.Read, s.Sent, s.Rejected,
		size(s.Bytes), s.Duration.Round(time.Millisecond))
	for _, topic := range slices.Sorted(maps.Keys(s.ByTopic)) {
		fmt.Fprintf(w, "  %-14s %d\n", topic, s.ByTopic[topic])
	}
	for _, reason := range slices.Sorted(maps.Keys(s.Reasons)) {
		fmt.Fprintf(w, "  rejected       %d: %s\n", s.Reasons[reason], plain(reason))
	}
	if s.Newest != 0 {
		fmt.Fprintf(w, "  events         %s to %s", day(int64(s.Oldest)), day(int64(s.Newest)))
		if s.Weeks != 0 {
			fmt.Fprintf(w, ", moved by %d weeks", s.Weeks)
		}
		fmt.Fprintln(w)
	}
}

func day(millis int64) string { return time.UnixMilli(millis).UTC().Format(time.DateOnly) }

func size(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
