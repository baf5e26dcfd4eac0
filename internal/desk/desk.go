// Package desk serves what sales people ask: the list of customers whose purchases decreased between two windows of their choice, over HTTP
// as JSON and CSV (API.md), and as a page; and what is bought with what, as the links are published.
//
// It guarantees that an answer names the commits that it counts, that its pages join without a customer twice or left out while the list is
// kept, and that a question costs at most one counting of all customers at a time. It counts nothing itself (package book holds the customers,
// package declining the arithmetic), and asks nobody who they are (its data belong among web's private paths). It changes nothing itself: who hands
// customers of the list to reps reports outcomes (package report), and the engine decides. It is not yet the rep's inbox. The wiring and the commands import it.
package desk

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"

	"leadline/internal/book"
	"leadline/internal/declining"
	"leadline/internal/engine"
	"leadline/internal/query"
	"leadline/internal/sales"
)

// Customers is who is asked: a book.Book. Its errors are book.ErrReading, or a *query.Bad of Segment.
type Customers interface {
	// Newest is how far the customers' time has come, and how many there are.
	Newest() (day sales.Day, customers int, err error)
	// Categories are all that were ever bought, attributes those whose values are segments.
	Categories() (categories, attributes []string, err error)
	Count(q *declining.Question) (*declining.Counted, []book.Commit, error)
	Segment(attribute, value string) (declining.Segment, error)
}

// Declining answers whose purchases decreased.
type Declining struct {
	customers Customers
	rules     func() engine.Rules // for the usual windows, and how much is kept
	today     func() sales.Day    // nil where time passes by events alone
	log       *zap.Logger

	wanted   chan struct{} // tells Run that somebody asks
	counting chan struct{} // held by the one that counts, or looks at what is kept
	counts   []*counted    // the newest first
	lists    []*listed     // that somebody reads, the newest first
	standing *listed       // of the usual windows, everybody, by money at risk
	last     uint64        // number of a list
}

// NewDeclining asks the customers, by the rules that count at the time. Today is the day by the clock, nil where time passes by events alone.
func NewDeclining(customers Customers, rules func() engine.Rules, today func() sales.Day, log *zap.Logger) *Declining {
	return &Declining{customers: customers, rules: rules, today: today, log: log.Named("desk"), wanted: make(chan struct{}, 1),
		counting: make(chan struct{}, 1), last: rand.Uint64()} // another process numbers other lists
}

// counted is everybody as they were counted at a moment.
type counted struct {
	of      declining.Counting
	all     *declining.Counted
	commits []book.Commit
	at      time.Time
	took    time.Duration
}

// listed is a list of them.
type listed struct {
	id, query uint64 // query is declining.Query.Same
	counted   *counted
	list      *declining.List
	at        time.Time
}

// What is kept, for who filters, sorts and turns pages: a few, for each may name a million customers (some 64 bytes each), and not for long. A
// counting is good for a new list while it is hardly older than what a new one would take; that of the usual windows, which is made anew all
// the time, for longer.
const (
	keptCounts  = 2
	keptLists   = 4
	keptFor     = 10 * time.Minute
	freshEnough = 5 * time.Second
	usualEvery  = 20 * time.Second
	usualFor    = 3 * usualEvery
)

// Query reads a query: package declining's parameters, about the days that are kept now.
func (d *Declining) Query(values map[string][]string, limit int) (*declining.Query, error) {
	select {
	case d.wanted <- struct{}{}:
	default:
	}
	kept, err := d.kept()
	if err != nil {
		return nil, err
	}
	r := d.rules().Declining
	return declining.Parse(values, kept, declining.Usual{RecentDays: r.RecentDays, BaselineDays: r.BaselineDays, Limit: limit})
}

// kept is the days of which everybody's purchases are whole: a customer's window is trimmed by its own time, which is nobody's beyond the
// newest.
func (d *Declining) kept() (declining.Window, error) {
	newest, _, err := d.customers.Newest()
	if err != nil {
		return declining.Window{}, err
	}
	if newest == 0 {
		return declining.Window{}, &query.Bad{Parameter: "recent", Why: "nobody has bought anything yet"}
	}
	r := d.rules()
	kept := declining.Window{From: newest - sales.Day(r.WindowDays+r.SlackDays) + 1, To: newest}
	if d.today != nil {
		kept.To = max(newest, d.today())
	}
	return kept, nil
}

// Page is a part of a list.
type Page struct {
	*listed
	Query *declining.Query
	From  int // its first row's place
	To    int // behind its last row
	Moved bool
}

// Next is the cursor of the page behind it, empty behind the last.
func (p *Page) Next() string {
	if p.To >= p.list.Len() {
		return ""
	}
	return declining.Cursor{List: p.id, Mark: p.list.Mark(p.To - 1)}.Text(p.Query)
}

// Page answers a query. With a cursor it goes on in the list that the cursor is of; when that is gone, in a new one, and says that it moved.
func (d *Declining) Page(ctx context.Context, q *declining.Query) (*Page, error) {
	cursor, going, err := q.From()
	if err != nil {
		return nil, err
	}
	if err := d.hold(ctx); err != nil {
		return nil, err
	}
	defer d.release()
	now := time.Now()
	d.lists = slices.DeleteFunc(d.lists, func(l *listed) bool { return now.Sub(l.at) > keptFor })
	at := slices.IndexFunc(d.lists, func(l *listed) bool { return going && l.id == cursor.List })
	p := &Page{Query: q, Moved: going && at < 0}
	if at >= 0 {
		p.listed = d.lists[at]
		d.lists = slices.Delete(d.lists, at, at+1)
	} else if p.listed, err = d.listNow(q, now); err != nil {
		return nil, err
	}
	d.lists = slices.DeleteFunc(d.lists, func(l *listed) bool { return l == p.listed })
	d.lists = first(keptLists, slices.Insert(d.lists, 0, p.listed))
	if going {
		p.From = p.list.After(cursor.Mark)
	}
	p.To = min(p.From+q.Limit, p.list.Len())
	p.list.Reach(p.To)
	return p, nil
}

func (d *Declining) hold(ctx context.Context) error {
	select {
	case d.counting <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *Declining) release() { <-d.counting }

// first keeps so many of a list, and lets go of the rest.
func first[T any](n int, list []T) []T { return slices.Delete(list, min(n, len(list)), len(list)) }

// listNow makes a list, or gives one that was just made.
func (d *Declining) listNow(q *declining.Query, now time.Time) (*listed, error) {
	f := q.Filter
	if q.Attribute != "" {
		var err error
		if f.Segment, err = d.customers.Segment(q.Attribute, q.Value); err != nil {
			return nil, err
		}
	}
	c, err := d.countedFor(&q.Question, now)
	if err != nil {
		return nil, err
	}
	same := q.Same()
	made := func(l *listed) bool { return l != nil && l.query == same && l.counted.at.Equal(c.at) }
	if made(d.standing) {
		d.standing.at = now
		return d.standing, nil
	}
	if at := slices.IndexFunc(d.lists, made); at >= 0 {
		return d.lists[at], nil
	}
	l := c.list(q, f, now)
	d.number(l)
	return l, nil
}

func (c *counted) list(q *declining.Query, f declining.Filter, now time.Time) *listed {
	light := *c
	light.all = nil // the list has what it needs
	return &listed{query: q.Same(), counted: &light, list: c.all.List(q.Question, f, q.Sort), at: now}
}

func (d *Declining) number(l *listed) {
	d.last++
	l.id = d.last
}

// countedFor gives a counting that is fresh enough.
func (d *Declining) countedFor(q *declining.Question, now time.Time) (*counted, error) {
	goodFor := freshEnough
	if q.Counting() == d.usual() {
		goodFor = usualFor
	}
	at := slices.IndexFunc(d.counts, func(c *counted) bool { return c.of == q.Counting() && now.Sub(c.at) <= goodFor })
	if at >= 0 {
		return d.counts[at], nil
	}
	c, err := d.count(q)
	if err == nil {
		d.keep(c)
	}
	return c, err
}

func (d *Declining) count(q *declining.Question) (*counted, error) {
	now := time.Now()
	all, commits, err := d.customers.Count(q)
	if err != nil {
		return nil, err
	}
	return &counted{of: q.Counting(), all: all, commits: commits, at: now, took: time.Since(now)}, nil
}

// keep puts a counting in the place of an earlier one of the same. That of the usual windows is not pushed out.
func (d *Declining) keep(c *counted) {
	usual := d.usual()
	d.counts = slices.DeleteFunc(d.counts, func(k *counted) bool { return k.of == c.of })
	d.counts = slices.Insert(d.counts, 0, c)
	slices.SortStableFunc(d.counts, func(a, b *counted) int { return cmp.Compare(unlike(a.of, usual), unlike(b.of, usual)) })
	d.counts = first(keptCounts, d.counts)
}

func unlike(a, b declining.Counting) int {
	if a == b {
		return 0
	}
	return 1
}

// usual is the counting that is asked for where nothing is said; none while customers are being read.
func (d *Declining) usual() declining.Counting {
	q, err := d.Query(nil, 1)
	if err != nil {
		return declining.Counting{}
	}
	return q.Counting()
}

// Run counts and lists the usual windows anew all the time from the first question on, so that their first page is there at once. It ends with the context.
func (d *Declining) Run(ctx context.Context) error {
	select {
	case <-d.wanted:
	case <-ctx.Done():
		return nil
	}
	for {
		wait := usualEvery
		if q, err := d.Query(nil, 1); err != nil {
			wait = time.Second
		} else if c, err := d.count(&q.Question); err == nil {
			l := c.list(q, q.Filter, c.at)
			if d.hold(ctx) != nil {
				return nil
			}
			d.keep(c)
			d.number(l)
			d.standing = l
			d.release()
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
	}
}
