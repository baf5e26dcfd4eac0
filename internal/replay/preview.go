package replay

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Preview is what a replay would have to do, as the journals alone tell.
type Preview struct {
	Shards           []ShardPreview `json:"shards"`
	Commits          int64          `json:"commits"` // to be played
	Records          int64          `json:"records"` // to be read, markers of transactions included
	Alerts           int64          `json:"alerts"`  // decided in the range that is asked for, about all customers
	Whole            bool           `json:"whole"`   // every shard can be played
	RecordsPerSecond float64        `json:"records_per_second"`
	Takes            time.Duration  `json:"takes_ns"` // about; 0: not known
}

// ShardPreview is one shard of it.
type ShardPreview struct {
	Partition int32     `json:"partition"`
	Commits   int64     `json:"commits"`
	Records   int64     `json:"records"`
	Alerts    int64     `json:"alerts"`
	From      time.Time `json:"from,omitzero"`
	To        time.Time `json:"to,omitzero"`
	Stopped   string    `json:"stopped,omitempty"` // why it cannot be played to its end
}

// DryRun looks at the journals of what would be played, and plays a moment of it to learn how fast that is. It writes nothing.
func DryRun(ctx context.Context, o Options) (*Preview, error) {
	o.StateDir, o.Progress = "", nil
	cl, err := kgo.NewClient(o.Kafka...)
	if err != nil {
		return nil, fmt.Errorf("dry run: %w", err)
	}
	defer cl.Close()
	h, err := openHistory(ctx, o, kadm.NewClient(cl))
	if err != nil {
		return nil, fmt.Errorf("dry run: %w", err)
	}
	r := &Preview{Whole: true}
	for _, p := range h.shards {
		s, err := h.preview(ctx, p)
		if err != nil {
			return nil, fmt.Errorf("dry run of shard %d: %w", p, err)
		}
		r.Shards = append(r.Shards, s)
		r.Commits, r.Records, r.Alerts, r.Whole = r.Commits+s.Commits, r.Records+s.Records, r.Alerts+s.Alerts, r.Whole && s.Stopped == ""
	}
	return r, r.estimate(ctx, h)
}

// beginOnly is a walk that has begun, and has no job.
func (h *history) beginOnly(ctx context.Context, p int32) (*walk, error) {
	w := h.newWalk(p)
	given, err := w.unknownSchemas(ctx)
	if err != nil {
		return w, err
	}
	w.shadow = NewShadow(h.o, p, h.counts[journalTopic], h.positionsOfKnowledge(), given)
	return w, w.start(ctx)
}

func (h *history) preview(ctx context.Context, p int32) (ShardPreview, error) {
	s := ShardPreview{Partition: p}
	w, err := h.beginOnly(ctx, p)
	defer w.close()
	for err == nil {
		j, readErr := w.journal.read(ctx, h.ends[journalTopic][p])
		if j == nil || readErr != nil {
			err = readErr
			break
		}
		at := time.UnixMilli(int64(j.Clock)).UTC()
		if s.Commits == 0 {
			s.From = at
		}
		s.To = at
		s.Commits++
		for _, run := range j.Runs {
			s.Records += run.To - run.From
		}
		if j.Clock >= h.scope.since {
			s.Alerts += int64(j.Alerts)
		}
	}
	err = w.stopped(err)
	s.Stopped = w.sum.Stopped
	return s, err
}

// sampleTime is how long is played to learn how fast that is.
const sampleTime = time.Second

func (r *Preview) estimate(ctx context.Context, h *history) error {
	if r.Commits == 0 {
		return nil
	}
	w, err := h.beginOnly(ctx, h.shards[0])
	defer w.close()
	began, records := time.Now(), int64(0)
	for err == nil && time.Since(began) < sampleTime {
		j, readErr := w.journal.read(ctx, h.ends[journalTopic][w.p])
		if j == nil || readErr != nil {
			err = readErr
			break
		}
		if _, err = w.shadow.Play(ctx, j); err != nil {
			break
		}
		records += w.shadow.step.Records
		w.shadow.Commit()
	}
	if err := w.stopped(err); err != nil {
		return fmt.Errorf("dry run: %w", err)
	}
	took := time.Since(began).Seconds()
	if records == 0 || took <= 0 {
		return nil
	}
	r.RecordsPerSecond = float64(records) / took * float64(min(maxShards, runtime.GOMAXPROCS(0), len(r.Shards)))
	if h.o.Rate > 0 {
		r.RecordsPerSecond = min(r.RecordsPerSecond, float64(h.o.Rate))
	}
	r.Takes = time.Duration(float64(r.Records) / r.RecordsPerSecond * float64(time.Second))
	return nil
}

// WriteText writes it for a person.
func (r *Preview) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "SHARD\tCOMMITS\tFROM\tTO\tRECORDS\tALERTS IN RANGE")
	for _, s := range r.Shards {
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%d\t%d\n", s.Partition, s.Commits, date(s.From), date(s.To), s.Records, s.Alerts)
	}
	fmt.Fprintln(w)
	for _, s := range r.Shards {
		if s.Stopped != "" {
			fmt.Fprintf(w, "shard %d cannot be played: %s\n", s.Partition, s.Stopped)
		}
	}
	whole := "the history is whole"
	if !r.Whole {
		whole = "the history is not whole"
	}
	takes := "how long is not known"
	if r.Takes > 0 {
		takes = fmt.Sprintf("about %s at %.0f records/s, as measured on its beginning", r.Takes.Round(time.Second), r.RecordsPerSecond)
	}
	fmt.Fprintf(w, "%d shards, %d commits, %d records, %d alerts in range; %s; %s\n", len(r.Shards), r.Commits, r.Records, r.Alerts, whole, takes)
	return w.Flush()
}
