package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/affinity"
	"leadline/internal/app"
	"leadline/internal/committed"
	"leadline/internal/evaluate"
	"leadline/internal/load"
	"leadline/internal/sales"
	"leadline/internal/topics"
	"leadline/internal/wire"
)

// learned is what files say by the end of a day.
type learned struct {
	*evaluate.Batch
	rules affinity.LinkRules
	upTo  sales.Day
}

// batch learns from files what a live run over them would have learned by the end of the day before the cut, by the same rules.
func (cmd linksCmd) batch(ctx context.Context, p *process) (*learned, error) {
	at, err := time.Parse(time.DateOnly, cmd.Cut)
	if err != nil {
		return nil, usage("--cut %q: want the day before which is learned, for example 2017-11-02", cmd.Cut)
	}
	c, err := p.config()
	if err != nil {
		return nil, err
	}
	l := &learned{rules: app.LinkRules(c, c.Rules), upTo: sales.Calendar{}.Day(sales.Millis(at.UnixMilli())) - 1}
	if cmd.Level != "" {
		l.rules.Level = cmd.Level
	}
	l.Batch, err = readBatch(ctx, p, cmd.FromFiles, l.rules, c.Rules.Links.ExcludeCategories, l.upTo)
	return l, err
}

func (l *learned) sums() map[evaluate.Place]int64 {
	return settled(l.Sums(l.rules.WindowDays, l.upTo), l.upTo)
}

// settled leaves out the departures that links wait for until they are settled: of live sums some are told and some not yet.
func settled(sums map[evaluate.Place]int64, today sales.Day) map[evaluate.Place]int64 {
	maps.DeleteFunc(sums, func(at evaluate.Place, _ int64) bool { return !affinity.Settled(at.Bucket, today) })
	return sums
}

// All gives the links as an analyst would publish them at the end of the day.
func (l *learned) All() ([]sales.Link, int64, error) {
	return l.Counts(l.rules, l.upTo).Links(l.rules, l.rules.Calendar.Start(l.upTo+1)-1), 0, nil
}

// readBatch takes the products and what was bought up to the day.
func readBatch(ctx context.Context, p *process, paths []string, rules affinity.LinkRules, excluded []string, upTo sales.Day) (*evaluate.Batch, error) {
	b := evaluate.NewBatch(rules.Level, excluded, rules.Calendar)
	rejected, err := load.Each(ctx, load.Options{Paths: paths, Stdin: p.stdin}, func(record any) error {
		switch r := record.(type) {
		case *sales.Product:
			b.Product(r)
		case *sales.Purchase:
			if rules.Calendar.Day(r.OccurredAt) <= upTo {
				return b.Purchase(r)
			}
		}
		return nil
	})
	if rejected > 0 {
		fmt.Fprintf(p.stderr, "%d lines were refused; load names them and the reasons\n", rejected)
	}
	return b, err
}

// liveSums adds up all that shards have told on the tally of pairs and that is settled by the time that all of them have reached.
func (t tool) liveSums(ctx context.Context) (map[evaluate.Place]int64, error) {
	topic := t.config.TopicPrefix + "leadline.tallies." + string(sales.TallyPairs)
	spans, err := committed.Whole(ctx, kadm.NewClient(t.Kafka), topic)
	if err != nil {
		return nil, offsetError(topic, err)
	}
	if first := spans[topic][0].From; first > 0 {
		return nil, fmt.Errorf("the tallies before offset %d of %s are gone: what is left is not all", first, topic)
	}
	sums, reached, decoder := map[evaluate.Place]int64{}, map[int32]sales.Millis{}, wire.NewDecoder(topics.NewSchemaSource(t.Registry))
	err = committed.Read(ctx, t.Options, spans, func(rec *kgo.Record) error {
		var tally sales.Tally
		if err := decoder.Tally(ctx, rec.Value, &tally); err != nil {
			return fmt.Errorf("tally at offset %d: %w", rec.Offset, err)
		}
		reached[tally.Partition] = tally.Now
		for _, c := range tally.Cells {
			at := evaluate.Place{Row: c.Row, Col: c.Col, Bucket: c.Bucket}
			if sums[at] += c.N; sums[at] == 0 {
				delete(sums, at)
			}
		}
		return nil
	})
	if err != nil || len(reached) == 0 {
		return nil, err
	}
	return settled(sums, sales.NewCalendar(t.config.BusinessTimeZone).Day(slices.Min(slices.Collect(maps.Values(reached))))), nil
}

// printSums writes a cell a line, by row, column and bucket, so that two can be compared by diff.
func printSums(to io.Writer, sums map[evaluate.Place]int64) error {
	enc := json.NewEncoder(to)
	for _, c := range evaluate.Sorted(sums) {
		if err := enc.Encode(struct {
			Row    string `json:"row"`
			Col    string `json:"col"`
			Bucket int32  `json:"bucket"`
			N      int64  `json:"n"`
		}{c.Row, c.Col, c.Bucket, c.N}); err != nil {
			return err
		}
	}
	return nil
}
