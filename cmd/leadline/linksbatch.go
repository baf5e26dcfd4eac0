package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/affinity"
	"leadline/internal/app"
	"leadline/internal/committed"
	"leadline/internal/evaluate"
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
	cut, err := parseDay(cmd.Cut)
	if err != nil {
		return nil, usage("--cut %q: want the day before which is learned, for example 2017-11-02", cmd.Cut)
	}
	c, err := p.config()
	if err != nil {
		return nil, err
	}
	l := &learned{rules: app.LinkRules(c, c.Rules), upTo: cut - 1}
	if cmd.Level != "" {
		l.rules.Level = cmd.Level
	}
	l.Batch = evaluate.NewBatch(evaluate.BatchOptions{Level: l.rules.Level, Calendar: l.rules.Calendar, WindowDays: l.rules.WindowDays,
		ExcludeCategories: c.Rules.Links.ExcludeCategories, MinPurchases: c.Rules.Upsell.MinPurchases, BrandTiers: c.Rules.Upsell.BrandTiers})
	return l, l.read(ctx, p, cmd.FromFiles)
}

func (l *learned) sums() map[evaluate.Place]int64 {
	return settled(l.Sums(l.upTo), l.upTo)
}

// settled leaves out what links wait for until it is settled: of live sums some is told and some not yet.
func settled(sums map[evaluate.Place]int64, today sales.Day) map[evaluate.Place]int64 {
	maps.DeleteFunc(sums, func(at evaluate.Place, _ int64) bool {
		return at.Tally == sales.TallyPairs && !affinity.Settled(&sales.Cell{Row: at.Row, Col: at.Col, Bucket: at.Bucket}, today)
	})
	return sums
}

// All gives the links as an analyst would publish them at the end of the day.
func (l *learned) All() ([]sales.Link, int64, error) {
	return l.Counts(l.rules, l.upTo).Links(l.rules, l.rules.Calendar.Start(l.upTo+1)-1), 0, nil
}

// read takes the products, and what was bought and touched up to the day.
func (l *learned) read(ctx context.Context, p *process, paths []string) error {
	return p.eachOf(ctx, paths, func(record any) error {
		switch r := record.(type) {
		case *sales.Product:
			l.Product(r)
		case *sales.Purchase:
			if l.rules.Calendar.Day(r.OccurredAt) <= l.upTo {
				return l.Purchase(r)
			}
		case *sales.Touchpoint:
			if l.rules.Calendar.Day(r.OccurredAt) <= l.upTo {
				l.Touch(r)
			}
		}
		return nil
	})
}

// liveSums adds up all that shards have told on the tallies that links are learned from, and that is settled by the time that all of them have
// reached.
func (t tool) liveSums(ctx context.Context) (map[evaluate.Place]int64, error) {
	var all []string
	for _, kind := range [...]sales.TallyKind{sales.TallyPairs, sales.TallyTiers} {
		all = append(all, t.config.TopicPrefix+"leadline.tallies."+string(kind))
	}
	spans, err := committed.Whole(ctx, kadm.NewClient(t.Kafka), all...)
	if err != nil {
		return nil, offsetError(strings.Join(all, ", "), err)
	}
	for _, topic := range all {
		if first := spans[topic][0].From; first > 0 {
			return nil, fmt.Errorf("the tallies before offset %d of %s are gone: what is left is not all", first, topic)
		}
	}
	sums, reached, decoder := map[evaluate.Place]int64{}, map[int32]sales.Millis{}, wire.NewDecoder(topics.NewSchemaSource(t.Registry))
	err = committed.Read(ctx, t.Options, spans, func(rec *kgo.Record) error {
		var tally sales.Tally
		if err := decoder.Tally(ctx, rec.Value, &tally); err != nil {
			return fmt.Errorf("tally at offset %d of %s: %w", rec.Offset, rec.Topic, err)
		}
		if tally.Kind == sales.TallyPairs {
			reached[tally.Partition] = tally.Now
		}
		evaluate.AddUp(sums, tally.Kind, tally.Cells)
		return nil
	})
	if err != nil || len(reached) == 0 {
		return nil, err
	}
	return settled(sums, sales.NewCalendar(t.config.BusinessTimeZone).Day(slices.Min(slices.Collect(maps.Values(reached))))), nil
}

// printSums writes a cell a line, by tally, row, column and bucket, so that two can be compared by diff.
func printSums(to io.Writer, sums map[evaluate.Place]int64) error {
	enc := json.NewEncoder(to)
	for _, at := range evaluate.Sorted(sums) {
		if err := enc.Encode(struct {
			Tally  sales.TallyKind `json:"tally"`
			Row    string          `json:"row"`
			Col    string          `json:"col"`
			Bucket int32           `json:"bucket"`
			N      int64           `json:"n"`
		}{at.Tally, at.Row, at.Col, at.Bucket, sums[at]}); err != nil {
			return err
		}
	}
	return nil
}
