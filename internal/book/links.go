package book

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/committed"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// ErrReadingLinks says that the links are being read: ask again.
var ErrReadingLinks = errors.New("the links are being read")

// Links is every published link, kept up with the topic product-links. A link takes about a kilobyte, most of it its curves.
type Links struct {
	source  LinkSource
	current atomic.Pointer[published]
	upkeep  upkeep
}

// LinkSource is where the links are read.
type LinkSource struct {
	Kafka   []kgo.Opt // how to reach the cluster
	Prefix  string    // of the tenant's topics
	Decoder *wire.Decoder
	Log     *zap.Logger
}

// published is all links as of a place of the topic. Nobody changes it.
type published struct {
	links []sales.Link // by key
	next  int64        // offset behind what was read
}

// NewLinks knows none yet.
func NewLinks(s LinkSource) *Links { return &Links{source: s, upkeep: newUpkeep()} }

// All gives the links, by kind, from, to, level and via, and how far the topic was read: its next offset. The slice is shared: do not
// change it. It answers ErrReadingLinks until all have been read.
func (l *Links) All() ([]sales.Link, int64, error) {
	why := l.upkeep.ask()
	if p := l.current.Load(); p != nil {
		return p.links, p.next, nil
	}
	if why != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrReadingLinks, why)
	}
	return nil, 0, ErrReadingLinks
}

// Load reads all once, up to what is committed now, for whoever asks one question.
func (l *Links) Load(ctx context.Context) error {
	_, err := l.read(ctx)
	return err
}

// Follow reads all when the first question comes, and keeps it up until the context ends. Where it cannot go on it forgets, and reads again.
func (l *Links) Follow(ctx context.Context) error {
	l.upkeep.run(ctx, l.source.Log, "links are read again", l.follow, func() { l.current.Store(nil) })
	return nil
}

// linkFold is the fold of the topic.
type linkFold struct {
	source *LinkSource
	byKey  map[string]sales.Link
	next   int64
}

// read reads all that is committed now.
func (l *Links) read(ctx context.Context) (*linkFold, error) {
	client, err := kgo.NewClient(l.source.Kafka...)
	if err != nil {
		return nil, fmt.Errorf("read links: %w", err)
	}
	defer client.Close()
	topic := l.source.Prefix + linksTopic
	spans, err := committed.Whole(ctx, kadm.NewClient(client), topic)
	if err != nil {
		return nil, err
	}
	f := &linkFold{source: &l.source, byKey: map[string]sales.Link{}, next: spans[topic][0].To}
	if err := committed.Read(ctx, l.source.Kafka, spans, func(rec *kgo.Record) error { return f.take(ctx, rec) }); err != nil {
		return nil, err
	}
	l.current.Store(f.publish())
	return f, nil
}

const linksTopic = "product-links"

// follow reads all and then what is added, until that fails.
func (l *Links) follow(ctx context.Context) error {
	f, err := l.read(ctx)
	if err != nil {
		return err
	}
	l.upkeep.well()
	l.source.Log.Info("links read", zap.Int("links", len(f.byKey)))
	from := map[string]map[int32]kgo.Offset{l.source.Prefix + linksTopic: {0: kgo.NewOffset().At(f.next)}}
	err = readOn(ctx, l.source.Kafka, from, func(rec *kgo.Record) error {
		f.next = rec.Offset + 1
		return f.take(ctx, rec)
	}, func() { l.current.Store(f.publish()) })
	return fmt.Errorf("follow links: %w", err)
}

// take takes in a record. One that cannot be read at all is left out, as by the engines.
func (f *linkFold) take(ctx context.Context, rec *kgo.Record) error {
	var link sales.Link
	var poison *wire.Poison
	switch err := f.source.Decoder.Link(ctx, rec.Value, &link); {
	case errors.Is(err, wire.ErrTombstone):
		delete(f.byKey, string(rec.Key))
	case errors.As(err, &poison):
		f.source.Log.Warn("link left out", zap.Int64("offset", rec.Offset), zap.Error(err))
	case err != nil:
		return fmt.Errorf("link at offset %d: %w", rec.Offset, err)
	default:
		for _, text := range []*string{&link.Level, &link.From, &link.To, &link.Via} {
			*text = strings.Clone(*text) // not the record's bytes
		}
		f.byKey[string(rec.Key)] = link
	}
	return nil
}

func (f *linkFold) publish() *published {
	links := slices.Collect(maps.Values(f.byKey))
	slices.SortFunc(links, func(a, b sales.Link) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To), cmp.Compare(a.Level, b.Level), cmp.Compare(a.Via, b.Via))
	})
	return &published{links, f.next}
}
