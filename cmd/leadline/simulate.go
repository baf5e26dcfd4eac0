package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"

	"leadline/internal/simulate"
)

type simulateCmd struct {
	Out       string  `required:"" placeholder:"DIR" help:"Directory for the world's files and its truth.json; made when missing; an earlier world of the same name is replaced."`
	Customers *int    `placeholder:"N" help:"How many customers and prospects (20000)."`
	Days      *int    `placeholder:"D" help:"How many days (365)."`
	Seed      *uint64 `placeholder:"S" help:"What chance depends on (1): the same seed, the same world."`
	World     string  `placeholder:"FILE" help:"YAML file with parameters of the world; truth.json shows all of them."`
}

// Run writes one file a topic, named for the command load.
func (cmd simulateCmd) Run(ctx context.Context, p *process) error {
	world, err := cmd.world()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(cmd.Out, 0o755); err != nil {
		return fmt.Errorf("simulate: %w", err)
	}
	began := time.Now()
	files, err := createWorld(cmd.Out, world.Name)
	if err != nil {
		return err
	}
	truth, err := world.Generate(func(e simulate.Event) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return files.write(e)
	})
	if err = errors.Join(err, files.close()); err != nil {
		return err
	}
	text, err := json.MarshalIndent(truth, "", "  ")
	if err != nil {
		return fmt.Errorf("encode truth: %w", err)
	}
	if err := os.WriteFile(filepath.Join(cmd.Out, "truth.json"), append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("simulate: %w", err)
	}
	printWorld(p.stdout, truth, files, time.Since(began))
	fmt.Fprintf(p.stdout, "next: leadline load %s\n", cmd.Out)
	return nil
}

// world takes the file's parameters, and the flags before them.
func (cmd simulateCmd) world() (simulate.World, error) {
	w := simulate.Default()
	if cmd.World != "" {
		text, err := os.ReadFile(cmd.World)
		if err != nil {
			return w, fmt.Errorf("world: %w", err)
		}
		if w, err = simulate.Parse(text); err != nil {
			return w, fmt.Errorf("world %s: %w", cmd.World, err)
		}
	}
	if cmd.Customers != nil {
		w.Customers = *cmd.Customers
	}
	if cmd.Days != nil {
		w.Days = *cmd.Days
	}
	if cmd.Seed != nil {
		w.Seed = *cmd.Seed
	}
	if err := w.Validate(); err != nil {
		return w, fmt.Errorf("world: %w", err)
	}
	return w, nil
}

func printWorld(w io.Writer, t *simulate.Truth, files *worldFiles, took time.Duration) {
	fmt.Fprintf(w, "%d customers over %d days from %s, seed %d, in %s\n", t.World.Customers, t.World.Days, t.World.Start, t.World.Seed,
		took.Round(time.Millisecond))
	for _, topic := range slices.Sorted(maps.Keys(files.open)) {
		fmt.Fprintf(w, "  %-12s %9d  %s\n", topic, files.open[topic].records, files.path(topic))
	}
	fmt.Fprintf(w, "  %-12s %9s  %s: %d links, %d campaigns, %d absences, %d prospects\n", "truth", "", filepath.Join(files.dir, "truth.json"),
		len(t.Links), len(t.Campaigns), len(t.Decliners), len(t.Prospects))
}

// worldFiles are the files of a world, one a topic.
type worldFiles struct {
	dir, name string
	open      map[string]*worldFile
	line      []byte
}

type worldFile struct {
	file    *os.File
	zip     *gzip.Writer
	text    *bufio.Writer
	records int
}

func (f *worldFiles) path(topic string) string {
	return filepath.Join(f.dir, f.name+"."+topic+".jsonl.gz")
}

// createWorld begins all files, so that none of an earlier world stays beside the new ones.
func createWorld(dir, name string) (*worldFiles, error) {
	f := &worldFiles{dir: dir, name: name, open: map[string]*worldFile{}}
	for _, topic := range simulate.Topics() {
		file, err := os.Create(f.path(topic))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("simulate: %w", err), f.close())
		}
		zip, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
		if err != nil {
			panic(err) // the level is a constant
		}
		f.open[topic] = &worldFile{file: file, zip: zip, text: bufio.NewWriterSize(zip, 1<<16)}
	}
	return f, nil
}

func (f *worldFiles) write(e simulate.Event) error {
	to := f.open[e.Topic]
	to.records++
	f.line = e.AppendLine(f.line[:0])
	if _, err := to.text.Write(f.line); err != nil {
		return fmt.Errorf("write %s: %w", f.path(e.Topic), err)
	}
	return nil
}

func (f *worldFiles) close() error {
	var errs []error
	for topic, to := range f.open {
		if err := errors.Join(to.text.Flush(), to.zip.Close(), to.file.Close()); err != nil {
			errs = append(errs, fmt.Errorf("write %s: %w", f.path(topic), err))
		}
	}
	return errors.Join(errs...)
}
