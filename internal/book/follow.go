package book

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/declining"
	"leadline/internal/query"
	"leadline/internal/sales"
)

// Book answers questions about all customers.
type Book struct {
	source  Source
	current atomic.Pointer[edition]
	upkeep  upkeep
}

// New knows nobody yet.
func New(s Source) *Book { return &Book{source: s, upkeep: newUpkeep()} }

// Commit is up to which commit of a shard all is counted.
type Commit struct {
	Shard int32        `json:"shard"`
	CSN   int64        `json:"csn"`
	At    sales.Millis `json:"-"` // when it was made; 0 = before the book was read
}

// ErrReading says that the customers are being read: ask again.
var ErrReading = errors.New("the customers are being read")

// edition is what is known now.
func (b *Book) edition() (*edition, error) {
	why := b.upkeep.ask()
	if e := b.current.Load(); e != nil {
		return e, nil
	}
	if why != nil {
		return nil, fmt.Errorf("%w: %w", ErrReading, why)
	}
	return nil, ErrReading
}

// Newest is how far the customers' time has come: what lies back from there as far as the engine keeps is whole for everybody.
func (b *Book) Newest() (day sales.Day, customers int, err error) {
	e, err := b.edition()
	if err != nil {
		return 0, 0, err
	}
	day, customers = e.newest()
	return day, customers, nil
}

// Categories are all that were ever bought, and attributes those whose values are segments, by name.
func (b *Book) Categories() (categories, attributes []string, err error) {
	e, err := b.edition()
	if err != nil {
		return nil, nil, err
	}
	return e.categories(), e.segments.names(), nil
}

// Count asks everybody, and says as of which commits.
func (b *Book) Count(q *declining.Question) (*declining.Counted, []Commit, error) {
	e, err := b.edition()
	if err != nil {
		return nil, nil, err
	}
	parts, commits := e.count(q)
	return declining.Count(*q, parts), commits, nil
}

// Segment numbers an attribute's value. One that cannot be asked by is a *query.Bad.
func (b *Book) Segment(attribute, value string) (declining.Segment, error) {
	e, err := b.edition()
	if err != nil {
		return 0, err
	}
	n, why := e.segments.find(attribute, value)
	if why != "" {
		return 0, &query.Bad{Parameter: "segment", Why: why}
	}
	return n, nil
}

// Load reads everything once, up to what is committed now, for whoever asks one question.
func (b *Book) Load(ctx context.Context) error {
	r, err := b.source.read(ctx)
	if err != nil {
		return err
	}
	b.current.Store(r.edition)
	return nil
}

// Follow reads everything when the first question comes, and keeps it up until the context ends. Where it cannot go on it forgets, and
// reads again.
func (b *Book) Follow(ctx context.Context) error {
	b.upkeep.run(ctx, b.source.Log, "customers are read again", b.follow, func() { b.current.Store(nil) })
	return nil
}

// follow reads everything and then what is added, until that fails.
func (b *Book) follow(ctx context.Context) error {
	began := time.Now()
	r, err := b.source.read(ctx)
	if err != nil {
		return err
	}
	b.current.Store(r.edition)
	b.upkeep.well()
	_, customers := r.edition.newest()
	b.source.Log.Info("customers read", zap.Int("customers", customers), zap.Duration("took", time.Since(began)))
	from := map[string]map[int32]kgo.Offset{}
	for topic, parts := range r.next {
		from[topic] = map[int32]kgo.Offset{}
		for p, span := range parts {
			from[topic][p] = kgo.NewOffset().At(span.From)
		}
	}
	err = readOn(ctx, b.source.Kafka, from, func(rec *kgo.Record) error { return r.take(ctx, rec) }, func() {})
	return fmt.Errorf("follow customers: %w", err)
}

// readOn reads what is committed behind the places, and says when all that was there has been taken, until that fails or the context ends.
func readOn(ctx context.Context, kafka []kgo.Opt, from map[string]map[int32]kgo.Offset, take func(*kgo.Record) error, taken func()) error {
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.ConsumePartitions(from), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted())}, kafka...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	for {
		fetches := client.PollFetches(ctx)
		if err := errors.Join(ctx.Err(), fetches.Err()); err != nil {
			return err
		}
		for rec := range fetches.RecordsAll() {
			if err := take(rec); err != nil {
				return err
			}
		}
		taken()
	}
}
