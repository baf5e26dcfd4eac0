package web

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

const suppressedTopic = "alerts.suppressed"

// Follow reads the alert topics, committed records only, from the last ones kept on, until the context ends. The
// connection options lead to Kafka, source to the schemas. Nothing is remembered: a restart reads the last ones again.
func (f *Feed) Follow(ctx context.Context, connection []kgo.Opt, prefix string, source wire.SchemaSource, log *zap.Logger) error {
	names := []string{prefix + suppressedTopic}
	for _, k := range sales.AlertKinds() {
		names = append(names, prefix+k.Topic())
	}
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.ConsumeTopics(names...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd().Relative(-int64(f.keep))),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	}, connection...)...)
	if err != nil {
		return fmt.Errorf("make alert reader: %w", err)
	}
	defer client.Close()
	reader := reader{feed: f, decoder: wire.NewDecoder(source), log: log.Named("web")}
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		fetches.EachError(func(topic string, partition int32, err error) {
			reader.log.Warn("cannot read alerts", zap.String("topic", topic), zap.Int32("partition", partition), zap.Error(err))
		})
		for r := range fetches.RecordsAll() {
			if err := reader.take(ctx, r); err != nil {
				return nil //nolint:nilerr // the context has ended
			}
		}
	}
}

// reader turns records into entries.
type reader struct {
	feed    *Feed
	decoder *wire.Decoder
	log     *zap.Logger
}

// take adds one record. What cannot be read at all is left out with a warning: a page that stops for one record would
// be worse. While the registry cannot be reached it waits.
func (r *reader) take(ctx context.Context, record *kgo.Record) error {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := r.decode(ctx, record)
		var poison *wire.Poison
		switch {
		case err == nil:
			return nil
		case errors.As(err, &poison), errors.Is(err, wire.ErrUnknownSchema), errors.Is(err, wire.ErrTombstone):
			r.log.Warn("alert left out", zap.String("topic", record.Topic), zap.Int32("partition", record.Partition),
				zap.Int64("offset", record.Offset), zap.Error(err))
			return nil
		}
		r.log.Warn("alert cannot be decoded yet", zap.Error(err), zap.Duration("again_in", wait))
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

func (r *reader) decode(ctx context.Context, record *kgo.Record) error {
	var a sales.Alert
	if err := r.decoder.Alert(ctx, record.Value, &a); err != nil {
		return err
	}
	if a.RunID != sales.LiveRun {
		return nil // a replay's, about what is long past: nobody is told
	}
	if a.SuppressedBy != sales.NotSuppressed {
		if a.Status == sales.Opened { // what became of it is no further decision
			r.feed.Suppressed(a.SuppressedBy)
		}
		return nil
	}
	text, err := r.decoder.JSON(ctx, record.Value)
	if err != nil {
		return err
	}
	r.feed.Add(Entry{Written: record.Timestamp, Kind: a.Kind, Status: a.Status, Record: text})
	return nil
}
