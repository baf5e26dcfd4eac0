package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/zap"
	"golang.org/x/term"

	"leadline/internal/app"
	"leadline/internal/replay"
	"leadline/internal/sales"
	"leadline/internal/topics"
	"leadline/internal/wire"
)

type replayCmd struct {
	Verify replayVerifyCmd `cmd:"" help:"Take all decisions again, from the first commit on, and compare them with those on the live topics. Reads only."`
}

type replayVerifyCmd struct {
	Partitions []int32 `placeholder:"P,..." help:"Only these shards."`
	Until      string  `placeholder:"WHEN" help:"Only commits up to this time (2026-07-01 or 2026-07-01T08:00:00Z), or so long ago (2h)."`
	JSON       bool    `name:"json" help:"The report as one JSON object, with up to 20 examples of each kind of difference."`
}

// Run fails when anything differs, or could not be compared because its history is gone.
func (cmd replayVerifyCmd) Run(ctx context.Context, p *process) error {
	t, err := p.connect()
	if err != nil {
		return err
	}
	defer t.Close()
	kafka, err := app.KafkaOptions(t.config, zap.NewNop()) // a long replay outlasts a broker's restart, a tool's clients would not
	if err != nil {
		return err
	}
	ids, err := topics.IDs(ctx, t.Registry, t.config.TopicPrefix)
	if err != nil {
		return err
	}
	o := replay.Options{
		Kafka: kafka, Prefix: t.config.TopicPrefix, Calendar: sales.NewCalendar(t.config.BusinessTimeZone), Partitions: cmd.Partitions,
		Decoder: wire.NewDecoder(topics.NewSchemaSource(t.Registry)), Encoder: wire.NewEncoder(ids),
	}
	if cmd.Until != "" {
		if o.Until, err = instant(cmd.Until, time.Now()); err != nil {
			return usage("--until %q: want a time like 2026-07-01T08:00:00Z, or how long ago, like 2h", cmd.Until)
		}
	}
	line := newProgressLine(p.stderr)
	o.Progress = line.show
	report, err := replay.Verify(ctx, o)
	line.end()
	if err != nil {
		return err
	}
	if err := cmd.print(p.stdout, report); err != nil {
		return err
	}
	switch {
	case report.Differences > 0:
		return fmt.Errorf("%d differences", report.Differences)
	case !report.Verified:
		return errors.New("not all shards could be verified")
	}
	return nil
}

func (cmd replayVerifyCmd) print(w io.Writer, report *replay.Report) error {
	if !cmd.JSON {
		return report.WriteText(w)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(report)
}

// progressLine shows how far a replay is: one line drawn again and again on a terminal, a plain one every ten seconds elsewhere.
type progressLine struct {
	out      io.Writer
	terminal bool
	began    time.Time
	last     time.Time
}

func newProgressLine(out io.Writer) *progressLine {
	file, ok := out.(*os.File)
	return &progressLine{out: out, began: time.Now(), last: time.Now(), terminal: ok && term.IsTerminal(int(file.Fd()))}
}

func (l *progressLine) show(p replay.Progress) {
	every := 10 * time.Second
	if l.terminal {
		every = 200 * time.Millisecond
	}
	if time.Since(l.last) < every {
		return
	}
	l.last = time.Now()
	took := time.Since(l.began)
	text := fmt.Sprintf("%d records in %d commits, %.0f/s, %.0f%%", p.Records, p.Commits, float64(p.Records)/took.Seconds(), 100*p.Share)
	if p.Share > 0 {
		text += fmt.Sprintf(", %s left", time.Duration(float64(took)*(1-p.Share)/p.Share).Round(time.Second))
	}
	if l.terminal {
		fmt.Fprint(l.out, "\r\x1b[K"+text)
		return
	}
	fmt.Fprintln(l.out, text)
}

// end leaves the terminal's line empty.
func (l *progressLine) end() {
	if l.terminal {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
}
