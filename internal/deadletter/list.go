package deadletter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/committed"
	"leadline/internal/sales"
)

// Counts are of all letters that a filter chooses.
type Counts struct {
	Letters  int                           `json:"letters"`
	Unsent   int                           `json:"unsent"` // not sent again yet
	ByClass  map[sales.DeadLetterClass]int `json:"by_class"`
	BySource map[string]int                `json:"by_source"` // topic
	ByDay    map[string]int                `json:"by_day"`    // of the refusal, in UTC: 2026-07-01
}

func (c *Counts) add(l *Letter) {
	c.Letters++
	if !l.Sent {
		c.Unsent++
	}
	for _, count := range []struct {
		in   map[string]int
		what string
	}{{c.BySource, l.Source.Topic}, {c.ByDay, l.RefusedAt.UTC().Format(time.DateOnly)}} {
		if _, known := count.in[count.what]; !known && len(count.in) >= maxCounts {
			count.what = others
		}
		count.in[count.what]++
	}
	class, err := ParseClass(string(l.Class))
	if err != nil || class == "" {
		class = others
	}
	c.ByClass[class]++
}

// Anybody can write headers: what they name is counted up to a bound, the rest as others.
const (
	maxCounts = 1000
	others    = "others"
)

// Page is the newest letters that a filter chooses, the newest first, without headers and values and with at most 256 bytes of their keys.
type Page struct {
	Counts  Counts
	Letters []Letter
	Next    *Cursor // where the next page begins; nil: there is none
}

// Cursor is a letter's place in the order of pages.
type Cursor struct {
	RefusedAt time.Time
	Position
}

// older orders letters by age, the newest first.
func older(a, b *Letter) int {
	return cmp.Or(b.RefusedAt.Compare(a.RefusedAt), cmp.Compare(b.Partition, a.Partition), cmp.Compare(b.Offset, a.Offset))
}

// List counts all that the filter chooses, and gives at most limit of them, from the cursor on (nil: the newest) backwards.
func (b *Box) List(ctx context.Context, f Filter, limit int, from *Cursor) (Page, error) {
	page := Page{Counts: Counts{ByClass: map[sales.DeadLetterClass]int{}, BySource: map[string]int{}, ByDay: map[string]int{}}}
	more := false
	newest := func() {
		slices.SortFunc(page.Letters, func(a, b Letter) int { return older(&a, &b) })
		if len(page.Letters) > limit {
			page.Letters, more = page.Letters[:limit], true
		}
	}
	err := b.Each(ctx, f, func(l *Letter) error {
		page.Counts.add(l)
		if from == nil || older(&Letter{Position: from.Position, RefusedAt: from.RefusedAt}, l) < 0 {
			page.Letters = append(page.Letters, l.brief())
		}
		if len(page.Letters) >= 2*limit+1 {
			newest()
		}
		return nil
	})
	if err != nil {
		return Page{}, err
	}
	newest()
	if more && limit > 0 {
		last := page.Letters[limit-1]
		page.Next = &Cursor{last.RefusedAt, last.Position}
	}
	return page, nil
}

// Each gives the chosen letters, each partition's in order.
func (b *Box) Each(ctx context.Context, f Filter, do func(*Letter) error) error {
	cl, err := kgo.NewClient(b.Opts...)
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	defer cl.Close()
	sent, err := b.ledgers(ctx, cl)
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	spans, err := b.spans(ctx, kadm.NewClient(cl), f)
	if err != nil {
		return fmt.Errorf("read dead letters: %w", err)
	}
	return committed.Read(ctx, b.Opts, spans, func(r *kgo.Record) error {
		l := letterOf(r)
		l.Sent = sent[l.Partition].has(l.Offset)
		if !f.chooses(&l) {
			return nil
		}
		return do(&l)
	})
}

// spans are all of the topic in which the filter may choose something.
func (b *Box) spans(ctx context.Context, adm *kadm.Client, f Filter) (committed.Spans, error) {
	spans, err := committed.Whole(ctx, adm, b.topic())
	if err != nil {
		return nil, err
	}
	parts := spans[b.topic()]
	if len(f.At) > 0 {
		for p, whole := range parts {
			parts[p] = narrow(whole, p, f.At)
		}
	}
	if !f.Since.IsZero() {
		after, err := adm.ListOffsetsAfterMilli(ctx, f.Since.UnixMilli(), b.topic())
		if err == nil {
			err = after.Error()
		}
		if err != nil {
			return nil, err
		}
		for p, span := range parts {
			if first, ok := after.Lookup(b.topic(), p); ok {
				parts[p] = committed.Span{From: max(span.From, first.Offset), To: span.To}
			}
		}
	}
	return spans, nil
}

// narrow is the part of a partition from the first of the positions to the last.
func narrow(whole committed.Span, p int32, at []Position) committed.Span {
	span := committed.Span{From: whole.To, To: whole.From}
	for _, pos := range at {
		if pos.Partition == p {
			span.From, span.To = min(span.From, pos.Offset), max(span.To, pos.Offset+1)
		}
	}
	return committed.Span{From: max(span.From, whole.From), To: min(span.To, whole.To)}
}

// ErrNoLetter says that no dead letter stands at a position, or none any more.
var ErrNoLetter = errors.New("no dead letter stands there, or it is no longer kept")

// Find gives one letter, and what became of its record before and after, in order: one Step for each letter that it became.
func (b *Box) Find(ctx context.Context, at Position) (Letter, []Step, error) {
	found, err := b.at(ctx, at)
	if err != nil {
		return Letter{}, nil, fmt.Errorf("dead letter %s: %w", at, err)
	}
	history, err := b.history(ctx, found)
	if err != nil {
		return Letter{}, nil, fmt.Errorf("history of dead letter %s: %w", at, err)
	}
	return *found, history, nil
}

func (b *Box) at(ctx context.Context, at Position) (*Letter, error) {
	var found *Letter
	err := b.Each(ctx, Filter{At: []Position{at}}, func(l *Letter) error {
		found = l
		return nil
	})
	if err == nil && found == nil {
		err = ErrNoLetter
	}
	return found, err
}
