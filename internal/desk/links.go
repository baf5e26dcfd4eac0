package desk

import (
	"cmp"
	"slices"
	"strings"

	"go.uber.org/zap"

	"leadline/internal/sales"
)

// PublishedLinks is where the links come from: a book.Links.
type PublishedLinks interface {
	// All gives them sorted, not to be changed, and the next offset of their topic. Its error is book.ErrReadingLinks.
	All() (links []sales.Link, next int64, err error)
}

// Links answers what is bought with what.
type Links struct {
	published PublishedLinks
	log       *zap.Logger
}

// NewLinks asks the published links.
func NewLinks(published PublishedLinks, log *zap.Logger) *Links {
	return &Links{published: published, log: log.Named("desk")}
}

// LinksPage is a part of the links that a query asks for.
type LinksPage struct {
	Query   *LinksQuery
	Links   []*sales.Link
	Matched int   // links on all pages
	All     int   // published links
	Next    int64 // offset of the topic
	Cursor  string
}

// Page answers a query.
func (l *Links) Page(q *LinksQuery) (*LinksPage, error) {
	all, next, err := l.published.All()
	if err != nil {
		return nil, err
	}
	p := &LinksPage{Query: q, All: len(all), Next: next}
	for i := range all {
		if q.wants(&all[i]) {
			p.Links = append(p.Links, &all[i])
		}
	}
	p.Matched = len(p.Links)
	slices.SortFunc(p.Links, q.compare)
	if q.after != nil {
		from, _ := slices.BinarySearchFunc(p.Links, q.after, func(link *sales.Link, after *linkMark) int {
			return cmp.Or(q.compareTo(q.value(link), link.Key(), after), -1) // behind it, whether it is still there or not
		})
		p.Links = p.Links[from:]
	}
	if len(p.Links) > q.Limit {
		p.Links = p.Links[:q.Limit]
		p.Cursor = q.mark(p.Links[q.Limit-1])
	}
	return p, nil
}

// Between gives all links from one item to another with their curves, of whatever level, kind and antecedent the query asks for: in its order.
func (l *Links) Between(from, to string, q *LinksQuery) (*LinksBetween, error) {
	all, next, err := l.published.All()
	if err != nil {
		return nil, err
	}
	var found []*sales.Link
	for i := range all {
		if all[i].From == from && all[i].To == to && q.wants(&all[i]) {
			found = append(found, &all[i])
		}
	}
	slices.SortFunc(found, q.compare)
	out := &LinksBetween{Links: []Link{}, AsOf: LinksAsOf{next}}
	for _, link := range found {
		out.Links = append(out.Links, linkOf(link, true))
	}
	return out, nil
}

// wants tells whether the link passes the filters.
func (q *LinksQuery) wants(l *sales.Link) bool {
	return (q.Kind == 0 || l.Kind == q.Kind) && (q.Level == "" || l.Level == q.Level) && (!q.viaGiven || l.Via == q.Via) &&
		l.Both >= q.MinSupport && l.Q <= q.MaxQ && holds(l.From, q.From) && holds(l.To, q.To)
}

// holds tells whether the name has the part in it, whatever the case.
func holds(name, part string) bool {
	return part == "" || strings.Contains(strings.ToUpper(name), part)
}

// compare orders by the query's figure, links with the same by their keys.
func (q *LinksQuery) compare(a, b *sales.Link) int {
	return q.compareTo(q.value(a), a.Key(), &linkMark{Value: q.value(b), Key: b.Key()})
}

func (q *LinksQuery) compareTo(value linkValue, key string, other *linkMark) int {
	c := cmp.Or(cmp.Compare(value.Number, other.Value.Number), strings.Compare(value.Name, other.Value.Name))
	if q.Order == Descending {
		c = -c
	}
	return cmp.Or(c, strings.Compare(key, other.Key))
}
