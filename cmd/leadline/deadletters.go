package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"leadline/internal/app"
	"leadline/internal/deadletter"
	"leadline/internal/wire"
)

type deadLettersCmd struct {
	List   deadLettersListCmd   `cmd:"" help:"Count records that could not be used, and list the newest."`
	Show   deadLettersShowCmd   `cmd:"" help:"Show one of them: why, what is in it, and what became of it before and after."`
	Export deadLettersExportCmd `cmd:"" help:"Write them as JSON lines, to be looked at, or edited and sent again (retry --edit)."`
	Retry  deadLettersRetryCmd  `cmd:"" help:"Send them back to where they came from, each once; a misrouted one to where it belongs, an edited one as edited."`
}

// letterFilter chooses dead letters.
type letterFilter struct {
	Class  string   `placeholder:"CLASS" help:"Only this class, for example misrouted or unknown_schema."`
	Reason string   `placeholder:"WORD" help:"Only those with this in their reason, in capitals or not."`
	From   string   `placeholder:"TOPIC" help:"Only records that came from this topic."`
	Since  string   `placeholder:"WHEN" help:"Only those refused since this time (2026-07-01 or 2026-07-01T08:00:00Z), or so long ago (2h)."`
	Until  string   `placeholder:"WHEN" help:"Only those refused before this time."`
	Key    string   `placeholder:"KEY" help:"Only those with this key, for example a customer_id."`
	At     []string `placeholder:"P/OFFSET" help:"Only the one at this place, as list shows it; may be said several times."`
	Unsent bool     `help:"Only those that were not sent again yet."`
}

func (f letterFilter) filter(box *deadletter.Box) (deadletter.Filter, error) {
	out := deadletter.Filter{Reason: f.Reason, Key: f.Key, Unsent: f.Unsent}
	var err error
	if out.Class, err = deadletter.ParseClass(f.Class); err != nil {
		return out, usage("--class %w", err)
	}
	if f.From != "" {
		out.SourceTopic = box.TopicName(f.From)
	}
	if out.Since, err = letterTime("--since", f.Since); err != nil {
		return out, err
	}
	if out.Until, err = letterTime("--until", f.Until); err != nil {
		return out, err
	}
	for _, text := range f.At {
		at, err := deadletter.ParsePosition(text)
		if err != nil {
			return out, usage("--at %w", err)
		}
		out.At = append(out.At, at)
	}
	return out, nil
}

func letterTime(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := instant(text, time.Now())
	if err != nil {
		return at, usage("%s %q: want a time like 2026-07-01T08:00:00Z, or how long ago, like 2h", flag, text)
	}
	return at, nil
}

// withBox gives work the dead letters.
func (p *process) withBox(work func(*deadletter.Box) error) error {
	t, err := p.connect()
	if err != nil {
		return err
	}
	defer t.Close()
	return work(app.Letters(t.config, t.Options, t.Registry))
}

// withLetters also says which of them were chosen.
func (p *process) withLetters(f letterFilter, work func(*deadletter.Box, deadletter.Filter) error) error {
	return p.withBox(func(box *deadletter.Box) error {
		filter, err := f.filter(box)
		if err != nil {
			return err
		}
		return work(box, filter)
	})
}

type deadLettersListCmd struct {
	letterFilter
	Last int  `default:"20" placeholder:"N" help:"List the newest N, 20 if not given; the counts are of all."`
	JSON bool `name:"json" help:"As one JSON object."`
}

// Run prints the sums, and a line for each of the newest letters.
func (cmd deadLettersListCmd) Run(ctx context.Context, p *process) error {
	if cmd.Last < 0 {
		return usage("--last %d: want a number from 0 on", cmd.Last)
	}
	return p.withLetters(cmd.letterFilter, func(box *deadletter.Box, f deadletter.Filter) error {
		page, err := box.List(ctx, f, cmd.Last, nil)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(p.stdout, page.JSON())
		}
		c := page.Counts
		fmt.Fprintf(p.stdout, "%d dead letters, %d not sent again yet\n", c.Letters, c.Unsent)
		printCounts(p.stdout, "class", c.ByClass)
		printCounts(p.stdout, "from", c.BySource)
		printCounts(p.stdout, "day", c.ByDay)
		if len(page.Letters) == 0 {
			return nil
		}
		fmt.Fprintln(p.stdout)
		return printLetters(p.stdout, page.Letters)
	})
}

// printJSON writes one indented value that prints.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(plainJSONWriter{w})
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// plainJSONWriter takes whole values, as an encoder writes them.
type plainJSONWriter struct{ to io.Writer }

func (w plainJSONWriter) Write(text []byte) (int, error) {
	_, err := w.to.Write(wire.PlainJSON(text))
	return len(text), err
}

// printCounts prints the largest first; a long tail is summed up.
func printCounts[K ~string](w io.Writer, what string, counts map[K]int) {
	const shown = 10
	keys := slices.Sorted(maps.Keys(counts))
	slices.SortStableFunc(keys, func(a, b K) int { return counts[b] - counts[a] })
	var texts []string
	for _, k := range keys[:min(shown, len(keys))] {
		texts = append(texts, fmt.Sprintf("%s %d", plain(string(k)), counts[k]))
	}
	if more := len(keys) - shown; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	if len(texts) > 0 {
		fmt.Fprintf(w, "  by %-5s  %s\n", what, strings.Join(texts, ", "))
	}
}

// printLetters prints the newest last, beside the prompt.
func printLetters(out io.Writer, letters []deadletter.Letter) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "AT\tREFUSED\tCLASS\tFROM\tKEY\tSENT AGAIN\tREASON")
	for _, l := range slices.Backward(letters) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s %d/%d\t%s\t%s\t%s\n", l.Position, clock(l.RefusedAt), plain(string(l.Class)),
			plain(l.Source.Topic), l.Source.Partition, l.Source.Offset, shortened(deadletter.KeyText(l.Key), 40), sentAgain(&l), shortened(l.Reason, 160))
	}
	return w.Flush()
}

// sentAgain says how often the record was sent again before it was refused this time, and whether it was since.
func sentAgain(l *deadletter.Letter) string {
	text := fmt.Sprint(l.Retried)
	if l.Edited != "" {
		text += " edited"
	}
	if l.Sent {
		text += ", and now"
	}
	return text
}

func clock(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05") }

// shortened is text of others that a table has room for.
func shortened(text string, most int) string {
	runes := []rune(plain(text))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-1]) + "…"
}
