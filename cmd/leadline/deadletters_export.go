package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"leadline/internal/deadletter"
)

type deadLettersExportCmd struct {
	letterFilter
	Out string `short:"o" placeholder:"FILE" help:"Write to this file, which must not exist yet; standard output if not given."`
}

// Run writes a line for each letter: as JSON if it can be decoded, and its bytes in base64.
func (cmd deadLettersExportCmd) Run(ctx context.Context, p *process) error {
	return p.withLetters(cmd.letterFilter, func(box *deadletter.Box, f deadletter.Filter) error {
		if cmd.Out == "" {
			_, err := export(ctx, box, f, p.stdout)
			return err
		}
		file, err := os.OpenFile(cmd.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // customers' data, and somebody's edits if it is there
		if err != nil {
			return err
		}
		n, err := export(ctx, box, f, file)
		if closed := file.Close(); err == nil {
			err = closed
		}
		if err == nil {
			fmt.Fprintf(p.stdout, "%d dead letters in %s\n", n, cmd.Out)
		}
		return err
	})
}

func export(ctx context.Context, box *deadletter.Box, f deadletter.Filter, to io.Writer) (n int, err error) {
	out := bufio.NewWriter(to)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	err = box.Each(ctx, f, func(l *deadletter.Letter) error {
		line, err := box.Line(ctx, l)
		if err != nil {
			return err
		}
		n++
		return enc.Encode(line)
	})
	if err != nil {
		return n, err
	}
	return n, out.Flush()
}
