package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"leadline/internal/load"
	"leadline/internal/sample"
)

const (
	lastWeeks  = 4 * 7 * 24 * time.Hour
	humanPace  = 300 * time.Millisecond // between two orders
	maxOrder   = 1 << 20
	roundsName = "20060102T150405"
)

// goOn sends the orders of the sample's last weeks again and again as if they were made now, until the context ends.
func (d *demo) goOn(ctx context.Context) error {
	orders, err := d.lastOrders()
	if err != nil {
		return err
	}
	d.screen.print("Now the last weeks' orders again, as if they were made now, a few a second. Ctrl-C ends the demo.\n\n")
	d.screen.begin(0)
	text, pipe := io.Pipe()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		err := buy(ctx, orders, pipe)
		_ = pipe.CloseWithError(err) // never an error
		return err
	})
	group.Go(func() error {
		defer text.Close()
		_, err := load.Run(ctx, d.tools.Options, d.enc, load.Options{Paths: []string{"-"}, Stdin: text, Topic: "purchases",
			Prefix: d.config.TopicPrefix, Rejects: filepath.Join(d.o.DataDir, "rejects.jsonl")})
		return err
	})
	return group.Wait()
}

// order is a purchase of the sample as it stands there.
type order map[string]json.RawMessage

// lastOrders reads the orders of the sample's last weeks.
func (d *demo) lastOrders() ([]order, error) {
	file, err := d.o.Sample.Open(sample.Path("purchases"))
	if err != nil {
		return nil, fmt.Errorf("open sample: %w", err)
	}
	defer file.Close()
	plain, err := zstd.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("open sample: %w", err)
	}
	defer plain.Close()
	var out []order
	lines := bufio.NewScanner(plain)
	lines.Buffer(nil, maxOrder)
	for lines.Scan() {
		var o order
		var at time.Time
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return nil, fmt.Errorf("read sample: %w", err)
		}
		if err := json.Unmarshal(o["occurred_at"], &at); err != nil {
			return nil, fmt.Errorf("read sample: %w", err)
		}
		if sample.Newest.Sub(at) < lastWeeks {
			out = append(out, o)
		}
	}
	return out, lines.Err()
}

// buy writes one order after the other, each with ids of its own and the time of writing.
func buy(ctx context.Context, orders []order, to io.Writer) error {
	tick := time.NewTicker(humanPace)
	defer tick.Stop()
	run := time.Now().UTC().Format(roundsName)
	out := json.NewEncoder(to)
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		again := order{}
		for field, value := range orders[n%len(orders)] {
			again[field] = value
		}
		for field, value := range map[string]string{"event_id": fmt.Sprintf("demo-e-%s-%d", run, n),
			"order_id": fmt.Sprintf("demo-o-%s-%d", run, n), "occurred_at": time.Now().UTC().Format(time.RFC3339Nano)} {
			text, err := json.Marshal(value)
			if err != nil {
				return fmt.Errorf("write order: %w", err)
			}
			again[field] = text
		}
		if err := out.Encode(again); err != nil {
			return fmt.Errorf("write order: %w", err)
		}
	}
}
