package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"leadline/internal/deadletter"
)

type deadLettersRetryCmd struct {
	letterFilter
	Edit   string `placeholder:"FILE" xor:"edit" help:"Send the letters of this file, as export wrote them and somebody edited them: a new key, a new value, or new value_base64. Nothing is sent if one of them is wrong."`
	Editor bool   `xor:"edit" help:"Edit the one letter of --at in $$VISUAL or $$EDITOR, and send it."`
	DryRun bool   `name:"dry-run" help:"Only say what would be sent."`
	JSON   bool   `name:"json" help:"The report as one JSON object."`
}

// Run says what was sent, also when it could not go on.
func (cmd deadLettersRetryCmd) Run(ctx context.Context, p *process) error {
	return p.withLetters(cmd.letterFilter, func(box *deadletter.Box, f deadletter.Filter) error {
		report, err := cmd.retry(ctx, p, box, f)
		var wrong deadletter.EditErrors
		if errors.As(err, &wrong) {
			return plainError{err}
		}
		if cmd.JSON {
			return errors.Join(err, printJSON(p.stdout, report))
		}
		printReport(p.stdout, &report)
		return err
	})
}

// plainError holds what others wrote, over several lines.
type plainError struct{ error }

func (e plainError) Error() string {
	lines := strings.Split(e.error.Error(), "\n")
	for i := range lines {
		lines[i] = plain(lines[i])
	}
	return strings.Join(lines, "\n")
}

func (cmd deadLettersRetryCmd) retry(ctx context.Context, p *process, box *deadletter.Box, f deadletter.Filter) (deadletter.Report, error) {
	switch {
	case cmd.Edit != "" && !cmd.letterFilter.empty():
		return deadletter.Report{}, usage("--edit names the letters: it cannot be used together with --class, --at and the like")
	case cmd.Edit != "":
		file, err := os.Open(cmd.Edit)
		if err != nil {
			return deadletter.Report{}, err
		}
		defer func() { _ = file.Close() }() // it was only read
		edits, err := deadletter.ReadEdits(file)
		if err != nil {
			return deadletter.Report{}, err
		}
		return box.RetryEdited(ctx, edits, cmd.DryRun)
	case cmd.Editor:
		if len(f.At) != 1 {
			return deadletter.Report{}, usage("--editor edits one letter: name it with --at PARTITION/OFFSET")
		}
		return cmd.edit(ctx, p, box, f.At[0])
	}
	return box.Retry(ctx, f, cmd.DryRun)
}

func (f letterFilter) empty() bool {
	return f.Class == "" && f.Reason == "" && f.From == "" && f.Since == "" && f.Until == "" && f.Key == "" && len(f.At) == 0 && !f.Unsent
}

// edit lets the user's editor change one letter. If that fails, or what comes out is wrong, the file stays, and the error names it.
func (cmd deadLettersRetryCmd) edit(ctx context.Context, p *process, box *deadletter.Box, at deadletter.Position) (report deadletter.Report, err error) {
	letter, _, err := box.Find(ctx, at)
	if err != nil {
		return report, err
	}
	line, err := box.Line(ctx, &letter)
	if err != nil {
		return report, err
	}
	dir, err := os.MkdirTemp("", "leadline-letter-") // mode 0700
	if err != nil {
		return report, err
	}
	file := filepath.Join(dir, fmt.Sprintf("%d-%d.json", at.Partition, at.Offset))
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w\nyour edit is kept in %s", err, file)
			return
		}
		err = os.RemoveAll(dir)
	}()
	var text bytes.Buffer
	if err := printJSON(&text, line); err != nil {
		return report, err
	}
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		return report, err
	}
	if err := p.openEditor(ctx, file); err != nil {
		return report, err
	}
	edited, err := os.ReadFile(file)
	if err != nil {
		return report, err
	}
	var one bytes.Buffer
	if err := json.Compact(&one, edited); err != nil {
		return report, fmt.Errorf("what was edited is no JSON: %w", err)
	}
	edits, err := deadletter.ReadEdits(&one)
	if err != nil {
		return report, err
	}
	return box.RetryEdited(ctx, edits, cmd.DryRun)
}

func (p *process) openEditor(ctx context.Context, file string) error {
	var words []string
	for _, name := range []string{"EDITOR=", "VISUAL="} {
		for _, e := range p.environ {
			if value, ok := strings.CutPrefix(e, name); ok && strings.TrimSpace(value) != "" {
				words = strings.Fields(value)
			}
		}
	}
	if len(words) == 0 {
		return usage("no editor is known: set VISUAL or EDITOR")
	}
	editor := exec.CommandContext(ctx, words[0], append(words[1:], file)...)
	editor.Env, editor.Stdin, editor.Stdout, editor.Stderr = p.environ, p.stdin, p.stdout, p.stderr
	if err := editor.Run(); err != nil {
		return fmt.Errorf("editor %s: %w", words[0], err)
	}
	return nil
}

func printReport(w io.Writer, r *deadletter.Report) {
	did := "sent"
	if r.Dry {
		did = "would be sent"
	}
	fmt.Fprintf(w, "%d chosen: %d %s (%d edited, %d under another key, %d refused again after an earlier retry), %d were sent before, %d have no topic to go to",
		r.Chosen, r.Sent, did, r.Edited, r.Rekeyed, r.Again, r.Before, r.Lost)
	if r.TooLarge > 0 {
		fmt.Fprintf(w, ", %d are too large", r.TooLarge)
	}
	fmt.Fprintln(w)
	for _, topic := range slices.Sorted(maps.Keys(r.Topics)) {
		fmt.Fprintf(w, "  %-14s %d\n", plain(topic), r.Topics[topic])
	}
}
