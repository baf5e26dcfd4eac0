package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"leadline/internal/sample"
	"leadline/internal/topics"
)

// errDone ends the group when the story is told.
var errDone = errors.New("done")

// show runs the roles, the watch and the screen beside the story.
func (d *demo) show(ctx context.Context) error {
	var err error
	if d.watch, err = newWatch(d.config.TopicPrefix, d.tools.Options, topics.NewSchemaSource(d.tools.Registry)); err != nil {
		return err
	}
	d.screen = newScreen(d.o.Out)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return d.app.Run(ctx, nil) })
	group.Go(func() error { return d.watch.run(ctx) })
	group.Go(func() error { return d.draw(ctx) })
	group.Go(func() error { return d.story(ctx) })
	if err := group.Wait(); !errors.Is(err, errDone) {
		return err
	}
	return nil
}

// story is what happens, in order.
func (d *demo) story(ctx context.Context) error {
	d.screen.print(d.intro())
	if err := d.ready(ctx); err != nil {
		return err
	}
	began := time.Now()
	load := !d.marker.Loaded
	if load {
		if err := d.year(ctx); err != nil {
			return err
		}
	}
	if err := d.settled(ctx); err != nil {
		return err
	}
	took := time.Since(began)
	processed, err := d.measured("leadline_stream_events_total")
	if err != nil {
		return err
	}
	d.screen.stop()
	d.screen.print(d.summary(d.watch.look(), load, int(processed), took))
	if d.o.Once {
		return errDone
	}
	return d.goOn(ctx)
}

// year loads the sample's events, the whole of it within the time wanted.
func (d *demo) year(ctx context.Context) error {
	d.screen.begin(d.o.Within)
	speedup := float64(sample.Newest.Sub(sample.Oldest)) / float64(d.o.Within)
	if _, err := d.load(ctx, speedup, "touchpoints", "purchases"); err != nil {
		return err
	}
	d.marker.Loaded = true
	return d.marker.write()
}

// ready waits for the roles.
func (d *demo) ready(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for d.app.Ready() != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// draw keeps the screen up to date while it is live.
func (d *demo) draw(ctx context.Context) error {
	tick := time.NewTicker(d.screen.every())
	defer tick.Stop()
	told := false
	for {
		select {
		case <-tick.C:
			full := d.servers.Full()
			if full != nil && !told {
				d.screen.tell(fmt.Sprintf("\n%v: the demo waits, and goes on by itself.\n", full))
			}
			told = full != nil
			processed, err := d.measured("leadline_stream_events_total")
			if err != nil {
				return err
			}
			d.screen.draw(d.watch.look(), int(processed))
		case <-ctx.Done():
			return nil
		}
	}
}

func (d *demo) intro() string {
	return fmt.Sprintf(`Leadline demo: %d households buy groceries for a year, within %s.
  data   %s
  page   http://%s/
  kept   in %s, with the log

`, sample.Households, d.o.Within, sample.Source, d.app.HTTPAddr(), d.o.DataDir)
}
