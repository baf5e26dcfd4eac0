package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.uber.org/zap"

	"leadline/internal/app"
	"leadline/internal/config"
	"leadline/internal/replay"
	"leadline/internal/sales"
	"leadline/internal/topics"
	"leadline/internal/wire"
)

type replayCmd struct {
	Verify   replayVerifyCmd   `cmd:"" help:"Take all decisions again and compare them with those on the live topics. Reads only."`
	WhatIf   replayWhatIfCmd   `cmd:"" name:"what-if" help:"Take all decisions again under other rules or links, and show which alerts reps would have got. Reads only."`
	Backfill replayBackfillCmd `cmd:"" help:"Take all decisions again and write the alerts that are missing, marked as a replay's. verify tells which (only replayed)."`
}

// replayRange is what all replays are asked, and how they are to go about it.
type replayRange struct {
	Since      string   `placeholder:"WHEN" group:"range" help:"Only what was decided from this time on (2026-07-01 or 2026-07-01T08:00:00Z), or since so long ago (2h), by the wall clock."`
	Until      string   `placeholder:"WHEN" group:"range" help:"Only commits up to this time, or so long ago."`
	Partitions []int32  `placeholder:"P,..." group:"range" help:"Only these shards."`
	Customer   []string `placeholder:"ID" sep:"none" group:"range" help:"Only this customer; may be repeated. @FILE: those in the file, one a line."`
	Alert      []string `placeholder:"ID" sep:"none" group:"range" help:"Only the alert of this alert_id; may be repeated. @FILE: those in the file, one a line."`

	DryRun   bool   `name:"dry-run" group:"how" help:"Only count what there would be to do, and about how long it would take."`
	Rate     int    `placeholder:"N" group:"how" help:"At most so many records a second."`
	State    string `placeholder:"DIR" group:"how" help:"Keep the run in this directory: the same command goes on where a stopped or killed one was. Removed at the end."`
	Snapshot string `placeholder:"FILE" group:"how" help:"Begin at a snapshot (verify --snapshot-to makes one) instead of at the first commit."`
	WarmUp   bool   `group:"how" help:"Begin a window and a cool-down before --since instead of at the first commit, or where the history that is left begins. What falls into that time is not judged."`
	JSON     bool   `name:"json" group:"how" help:"The report as one JSON object."`
}

// options completes what the command line says by the servers of the configuration.
func (r *replayRange) options(ctx context.Context, t tool) (o replay.Options, err error) {
	if r.Snapshot != "" && r.WarmUp {
		return o, usage("--snapshot and --warm-up are two ways to begin: choose one")
	}
	if r.Rate < 0 {
		return o, usage("--rate %d: want records a second, 1 or more", r.Rate)
	}
	o = replay.Options{
		Prefix: t.config.TopicPrefix, Calendar: sales.NewCalendar(t.config.BusinessTimeZone), Rules: &t.config.Rules,
		Decoder: wire.NewDecoder(topics.NewSchemaSource(t.Registry)), Snapshot: r.Snapshot, WarmUp: r.WarmUp, StateDir: r.State, Rate: r.Rate,
		Scope: replay.Scope{Partitions: r.Partitions},
	}
	if o.Since, err = flagTime("--since", r.Since); err != nil {
		return o, err
	}
	if o.Until, err = flagTime("--until", r.Until); err != nil {
		return o, err
	}
	if !o.Until.IsZero() && o.Until.Before(o.Since) {
		return o, usage("--until %s is before --since %s", r.Until, r.Since)
	}
	if o.Customers, err = idList("--customer", r.Customer); err != nil {
		return o, err
	}
	if o.Alerts, err = idList("--alert", r.Alert); err != nil {
		return o, err
	}
	if o.Kafka, err = app.KafkaOptions(t.config, zap.NewNop()); err != nil { // a long replay outlasts a broker's restart, a tool's clients would not
		return o, err
	}
	ids, err := topics.IDs(ctx, t.Registry, t.config.TopicPrefix)
	o.Encoder = wire.NewEncoder(ids)
	return o, err
}

func flagTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := instant(text, time.Now())
	if err != nil {
		return at, usage("%s %q: want a time like 2026-07-01T08:00:00Z, or how long ago, like 2h", flag, text)
	}
	return at, nil
}

// idList takes ids as they are, and those of a file behind an @.
func idList(flag string, said []string) (ids []string, err error) {
	for _, s := range said {
		path, isFile := strings.CutPrefix(s, "@")
		if !isFile {
			ids = append(ids, s)
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, usage("%s %s: %v", flag, s, err)
		}
		before := len(ids)
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" {
				ids = append(ids, line)
			}
		}
		if len(ids) == before {
			return nil, usage("%s %s: the file names none", flag, s)
		}
	}
	return ids, nil
}

// report is what a replay found.
type report interface{ WriteText(w io.Writer) error }

// with gives a replay what it needs, and prints what it found, also when it could not come to its end.
func (r *replayRange) with(ctx context.Context, p *process, replays func(o replay.Options, t tool) (report, error)) error {
	t, err := p.connect()
	if err != nil {
		return err
	}
	defer t.Close()
	o, err := r.options(ctx, t)
	if err != nil {
		return err
	}
	if r.DryRun {
		found, err := replay.DryRun(ctx, o)
		if err != nil {
			return err
		}
		return r.print(p.stdout, found)
	}
	line := newProgressLine(p.stderr)
	o.Progress = line.show
	found, err := replays(o, t)
	line.end()
	if found != nil {
		err = errors.Join(err, r.print(p.stdout, found))
	}
	if errors.Is(err, context.Canceled) && r.State != "" {
		return fmt.Errorf("stopped: the same command goes on where it was (%w)", err)
	}
	return err
}

func (r *replayRange) print(w io.Writer, found report) error {
	if !r.JSON {
		return found.WriteText(w)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(found)
}

type replayVerifyCmd struct {
	replayRange
	Shards     int32  `placeholder:"N" group:"how" help:"Divide the customers as among so many shards: the alerts must not depend on it."`
	SnapshotTo string `placeholder:"FILE" group:"how" help:"Write a snapshot as of the last commits played, for later replays to begin at."`
}

// Run fails when anything differs, or could not be compared because its history is gone.
func (cmd *replayVerifyCmd) Run(ctx context.Context, p *process) error {
	if cmd.Shards < 0 || cmd.Shards > 1000 {
		return usage("--shards %d: want 1 to 1000", cmd.Shards)
	}
	return cmd.with(ctx, p, func(o replay.Options, _ tool) (report, error) {
		found, err := replay.Verify(ctx, o, replay.Check{Shards: cmd.Shards, SnapshotTo: cmd.SnapshotTo})
		if found == nil {
			return nil, err
		}
		switch {
		case err != nil:
		case found.Differences > 0:
			err = fmt.Errorf("%d differences", found.Differences)
		case !found.Verified:
			err = errors.New("not all shards could be verified")
		}
		return found, err
	})
}

type replayWhatIfCmd struct {
	replayRange
	Rules string `placeholder:"FILE" help:"YAML file whose rules: take the place of those that were in force; what it does not name stays."`
	Links string `placeholder:"FILE" help:"JSON lines of links that are there instead of the published ones of the same key; {\"remove\": KEY} takes one away."`
}

// Run shows what would have been otherwise.
func (cmd *replayWhatIfCmd) Run(ctx context.Context, p *process) error {
	trial, err := cmd.trial()
	if err != nil {
		return err
	}
	return cmd.with(ctx, p, func(o replay.Options, _ tool) (report, error) {
		found, err := replay.WhatIf(ctx, o, trial)
		if found == nil {
			return nil, err
		}
		if err == nil && !found.Whole {
			err = errors.New("not all shards could be played")
		}
		return found, err
	})
}

// trial reads what is to be tried. The texts of the files tell one what-if from another.
func (cmd *replayWhatIfCmd) trial() (t replay.Trial, err error) {
	if cmd.Rules == "" && cmd.Links == "" {
		return t, usage("name what to change: --rules FILE, --links FILE or both")
	}
	if cmd.Rules != "" {
		if t.Rules, err = config.ReadRulesOver(cmd.Rules); err != nil {
			return t, usage("--rules: %v", err)
		}
	}
	for _, path := range []string{cmd.Rules, cmd.Links} {
		if path == "" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return t, usage("%v", err)
		}
		t.Asked += string(text) + "\n"
		if path == cmd.Links {
			if t.Links, err = replay.ReadLinks(bytes.NewReader(text)); err != nil {
				return t, usage("--links %s: %v", path, err)
			}
		}
	}
	return t, nil
}

type replayBackfillCmd struct {
	replayRange
	To string `placeholder:"PREFIX" help:"Write to topics of this prefix instead, created when missing: they get what is missing there."`
}

// Run writes what is missing and says what that was.
func (cmd *replayBackfillCmd) Run(ctx context.Context, p *process) error {
	return cmd.with(ctx, p, func(o replay.Options, t tool) (report, error) {
		to := t.config.TopicPrefix
		if cmd.To != "" && cmd.To != to {
			to = cmd.To
			if err := t.createFor(ctx, to, &o); err != nil {
				return nil, err
			}
		}
		found, err := replay.Backfill(ctx, o, to)
		if found == nil {
			return nil, err
		}
		if err == nil && !found.Whole {
			err = errors.New("not all shards could be played")
		}
		return found, err
	})
}

// createFor makes the topics of another prefix where they are missing, with as many partitions as the tenant has.
func (t tool) createFor(ctx context.Context, prefix string, o *replay.Options) error {
	want := app.TopicOptions(t.config)
	want.Prefix = prefix
	if _, err := topics.New(t.Kafka, t.Registry, want).Create(ctx, false); err != nil {
		return fmt.Errorf("topics of prefix %s: %w", prefix, err)
	}
	ids, err := topics.IDs(ctx, t.Registry, prefix)
	o.Encoder = wire.NewEncoder(ids)
	return err
}
