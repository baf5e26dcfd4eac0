package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"leadline/internal/deadletter"
	"leadline/internal/wire"
)

type deadLettersShowCmd struct {
	At   string `arg:"" placeholder:"P/OFFSET" help:"Where it stands, as list shows it, for example 0/12."`
	JSON bool   `name:"json" xor:"form" help:"As one JSON object."`
	Raw  bool   `name:"raw" xor:"form" help:"Only the bytes of the value, to a file or a pipe."`
}

// Run shows one letter.
func (cmd deadLettersShowCmd) Run(ctx context.Context, p *process) error {
	at, err := deadletter.ParsePosition(cmd.At)
	if err != nil {
		return usage("%w", err)
	}
	return p.withBox(func(box *deadletter.Box) error {
		letter, history, err := box.Find(ctx, at)
		if err != nil {
			return err
		}
		if cmd.Raw {
			return printRaw(p.stdout, letter.Value)
		}
		whole, err := box.LetterJSON(ctx, &letter, history)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return printJSON(p.stdout, whole)
		}
		printLetter(p.stdout, &letter)
		printValue(p.stdout, &letter, &whole.Letter)
		printHistory(p.stdout, history)
		return nil
	})
}

func printRaw(w io.Writer, value []byte) error {
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return errors.New("these bytes could steer the terminal: send them to a file or a pipe")
	}
	_, err := w.Write(value)
	return err
}

func printLetter(w io.Writer, l *deadletter.Letter) {
	fmt.Fprintf(w, "dead letter %s\n", l.Position)
	fmt.Fprintf(w, "  class     %s\n  reason    %s\n  refused   %s\n", plain(string(l.Class)), plain(l.Reason), clock(l.RefusedAt))
	fmt.Fprintf(w, "  from      %s %d/%d", plain(l.Source.Topic), l.Source.Partition, l.Source.Offset)
	if !l.SourceTime.IsZero() {
		fmt.Fprintf(w, ", written %s", clock(l.SourceTime))
	}
	fmt.Fprintf(w, "\n  key       %s\n", plain(deadletter.KeyText(l.Key)))
	for _, h := range l.Headers {
		fmt.Fprintf(w, "  header    %s = %s\n", plain(h.Key), shortened(text(h.Value), 200))
	}
}

// printValue prints what can be decoded as JSON, and of anything else the bytes, from the place on where it goes wrong if that is far
// behind the beginning.
func printValue(w io.Writer, l *deadletter.Letter, line *deadletter.Line) {
	if l.Value == nil {
		fmt.Fprintln(w, "  value     none (a tombstone)")
		return
	}
	fmt.Fprintf(w, "  value     %d bytes", len(l.Value))
	var pretty bytes.Buffer
	if line.Unreadable == "" && json.Indent(&pretty, line.Value, "    ", "  ") == nil {
		fmt.Fprintf(w, "\n    %s\n", wire.PlainJSON(pretty.Bytes()))
		return
	}
	fmt.Fprintf(w, ", cannot be decoded: %s\n", plain(line.Unreadable))
	printHex(w, l.Value, line.UnreadByte)
}

// printHex prints at most 512 bytes, sixteen a line, and marks the byte at which reading failed (0: not known).
func printHex(w io.Writer, value []byte, failed int) {
	const most, row = 512, 16
	from := 0
	if failed > most/2 {
		from = (failed - most/2) / row * row
		fmt.Fprintf(w, "    … %d bytes before\n", from)
	}
	end := min(len(value), from+most)
	for at := from; at < end; at += row {
		line := value[at:min(at+row, end)]
		shown := bytes.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return '.'
			}
			return r
		}, bytesAsRunes(line))
		fmt.Fprintf(w, "    %08x  % -47x  %s\n", at, line, shown)
		if failed > 0 && failed >= at && (failed < at+row || at+row >= len(value) && failed == len(value)) {
			fmt.Fprintf(w, "    %*s^^ here it went wrong, at byte %d, %d behind the header\n", 10+3*(failed-at), "", failed, failed-wire.HeaderSize)
		}
	}
	if end < len(value) {
		fmt.Fprintf(w, "    … %d bytes more: --raw gives all\n", len(value)-end)
	}
}

// bytesAsRunes makes of each byte one character, so that a part of a character is one too.
func bytesAsRunes(b []byte) []byte {
	out := make([]rune, len(b))
	for i := range b {
		out[i] = rune(b[i])
	}
	return []byte(string(out))
}

func printHistory(w io.Writer, history []deadletter.Step) {
	fmt.Fprintln(w, "  history")
	for i, s := range history {
		if s.Gone {
			fmt.Fprintf(w, "    %-8s  is no longer kept\n", s.Position)
			continue
		}
		if i > 0 {
			how := "sent again"
			if s.Edited != "" && s.Edited != history[i-1].Edited {
				how = "edited and sent again"
			}
			fmt.Fprintf(w, "              %s %s, to %s %d/%d\n", how, clock(s.SourceTime), plain(s.Source.Topic), s.Source.Partition, s.Source.Offset)
		}
		fmt.Fprintf(w, "    %-8s  refused %s as %s: %s\n", s.Position, clock(s.RefusedAt), plain(string(s.Class)), plain(s.Reason))
	}
	if last := history[len(history)-1]; last.Sent {
		fmt.Fprintln(w, "              sent again, and not refused since")
	}
}
