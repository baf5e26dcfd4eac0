// Package desk serves what sales people ask: the list of customers whose purchases decreased between two windows of their choice, over HTTP
// as JSON and CSV (API.md), and as a page.
//
// It guarantees that an answer names the commits that it counts, that its pages join without a customer twice or left out while the list is
// kept, and that a question costs at most one counting of all customers at a time. It counts nothing itself (package book holds the customers,
// package declining the arithmetic), asks nobody who they are (its data belong among web's private paths), and changes nothing: it is not
// yet the rep's inbox. The wiring and the commands import it.
package desk

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"go.uber.org/zap"

	"leadline/internal/book"
	"leadline/internal/declining"
	"leadline/internal/engine"
	"leadline/internal/sales"
)

// Customers is who is asked: a book.Book. Its errors are book.ErrReading, or a *declining.BadQuery of List.
type Customers interface {
	// Newest is how far the customers' time has come, and how many there are.
	Newest() (day sales.Day, customers int, err error)
	// Categories are all that were ever bought, attributes those whose values are segments.
	Categories() (categories, attributes []string, err error)
	List(q *declining.Query) (*declining.List, []book.Commit, error)
}

// Declining answers whose purchases decreased.
type Declining struct {
	customers Customers
	rules     func() engine.Rules // for the usual windows, and how much is kept
	today     func() sales.Day    // nil where time passes by events alone
	log       *zap.Logger

	counting chan struct{} // held by the one that counts, or looks at lists
	lists    []*counted    // the newest first
	last     uint64        // number of a list
}

// NewDeclining asks the customers, by the rules that count at the time. Today is the day by the clock, nil where time passes by events alone.
func NewDeclining(customers Customers, rules func() engine.Rules, today func() sales.Day, log *zap.Logger) *Declining {
	return &Declining{customers: customers, rules: rules, today: today, log: log.Named("desk"), counting: make(chan struct{}, 1),
		last: rand.Uint64()} // another process numbers other lists
}

// counted is one list as it was at a moment.
type counted struct {
	id      uint64
	query   uint64 // declining.Query.Same
	list    *declining.List
	commits []book.Commit
	at      time.Time
	took    time.Duration
}

// Lists are kept for who turns pages: a few, since each may name a million customers (about 64 bytes each), and not for long. Who begins
// at the top gets one that is hardly older than what a new one would take.
const (
	keptLists   = 4
	keptFor     = 10 * time.Minute
	freshEnough = 5 * time.Second
)

// Query reads a query: package declining's parameters, about the days that are kept now.
func (d *Declining) Query(values map[string][]string, limit int) (*declining.Query, error) {
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
		return declining.Window{}, &declining.BadQuery{Parameter: "recent", Why: "nobody has bought anything yet"}
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
	*counted
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
	select {
	case d.counting <- struct{}{}:
		defer func() { <-d.counting }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	now := time.Now()
	same := q.Same()
	d.lists = slices.DeleteFunc(d.lists, func(c *counted) bool { return now.Sub(c.at) > keptFor })
	at := slices.IndexFunc(d.lists, func(c *counted) bool {
		return c.query == same && (going && c.id == cursor.List || !going && now.Sub(c.at) <= freshEnough)
	})
	p := &Page{Query: q, Moved: going && at < 0}
	if at >= 0 {
		p.counted = d.lists[at]
		d.lists = slices.Delete(d.lists, at, at+1)
	} else if p.counted, err = d.count(q, now); err != nil {
		return nil, err
	}
	d.lists = slices.Insert(d.lists, 0, p.counted)
	if len(d.lists) > keptLists {
		d.lists = slices.Delete(d.lists, keptLists, len(d.lists))
	}
	if going {
		p.From = p.list.After(cursor.Mark)
	}
	p.To = min(p.From+q.Limit, p.list.Len())
	return p, nil
}

func (d *Declining) count(q *declining.Query, now time.Time) (*counted, error) {
	list, commits, err := d.customers.List(q)
	if err != nil {
		return nil, err
	}
	d.last++
	return &counted{id: d.last, query: q.Same(), list: list, commits: commits, at: now, took: time.Since(now)}, nil
}
