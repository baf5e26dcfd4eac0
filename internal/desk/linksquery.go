package desk

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"leadline/internal/query"
	"leadline/internal/sales"
)

// LinksQuery is what is asked of the links.
type LinksQuery struct {
	From, To   string // parts of names, in capitals; empty = all
	Level      string
	Kind       sales.LinkKind // 0 = all
	Via        string         // if viaGiven: "" = bought
	viaGiven   bool
	MaxQ       float64
	MinSupport int64
	Sort       LinkSort
	Order      Order
	Limit      int
	after      *linkMark
}

// LinkSort is the figure that links are ordered by.
type LinkSort string

// linkSorts are the figures, each with the order that is usual.
var linkSorts = []struct {
	sort  LinkSort
	order Order
	of    func(l *sales.Link) linkValue
}{
	{"sure", Descending, number(func(l *sales.Link) float64 { return l.GSquared })},
	{"lift", Descending, number(func(l *sales.Link) float64 { return l.Lift })},
	{"lift_low", Descending, number(func(l *sales.Link) float64 { return l.LiftLow })},
	{"p30", Descending, number(func(l *sales.Link) float64 { return l.Within30.P })},
	{"p90", Descending, number(func(l *sales.Link) float64 { return l.Within90.P })},
	{"p180", Descending, number(func(l *sales.Link) float64 { return l.Within180.P })},
	{"support", Descending, number(func(l *sales.Link) float64 { return float64(l.Both) })},
	{"q", Ascending, number(func(l *sales.Link) float64 { return l.Q })},
	{"score", Descending, number(func(l *sales.Link) float64 { return l.Score })},
	{"from", Ascending, func(l *sales.Link) linkValue { return linkValue{Name: l.From} }},
	{"to", Ascending, func(l *sales.Link) linkValue { return linkValue{Name: l.To} }},
}

func number(of func(l *sales.Link) float64) func(l *sales.Link) linkValue {
	return func(l *sales.Link) linkValue { return linkValue{Number: of(l)} }
}

// LinkSorts lists the figures that links can be ordered by; the first is the usual one.
func LinkSorts() (all []LinkSort) {
	for _, s := range linkSorts {
		all = append(all, s.sort)
	}
	return all
}

// Order is the direction of a list.
type Order string

// The orders.
const (
	Ascending  Order = "asc"
	Descending Order = "desc"
)

// linkMark is a place in a list: behind the link with the key, which had this figure.
type linkMark struct {
	Sort  LinkSort  `json:"s"`
	Order Order     `json:"o"`
	Value linkValue `json:"v"`
	Key   string    `json:"k"`
}

type linkValue struct {
	Number float64 `json:"n,omitempty"`
	Name   string  `json:"t,omitempty"`
}

func (q *LinksQuery) value(l *sales.Link) linkValue { return linkSorts[q.place()].of(l) }

func (q *LinksQuery) place() int { return slices.Index(LinkSorts(), q.Sort) }

// mark is the cursor behind the link.
func (q *LinksQuery) mark(l *sales.Link) string {
	text, err := json.Marshal(linkMark{q.Sort, q.Order, q.value(l), l.Key()})
	if err != nil {
		panic(fmt.Sprintf("desk: a cursor is no JSON: %v", err)) // figures of links are finite
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// linkParameters are those of the list; of the links between two items those that narrow are for.
var (
	linkParameters    = []string{"from", "to", "level", "kind", "via", "q", "min_support", "sort", "order", "limit", "cursor"}
	betweenParameters = []string{"level", "kind", "via"}
)

// ViaBought is how the parameter via names links from what was bought; others are kinds of touches.
const ViaBought = "bought"

// Bounds of a links query.
const (
	mostLinks = 1000
)

// ParseLinks reads a query of the list. Every error is a *query.Bad, which says which parameter is wrong and what is wanted.
func ParseLinks(values map[string][]string, limit int) (*LinksQuery, error) {
	return parseLinks(values, linkParameters, limit)
}

func parseLinks(values map[string][]string, known []string, limit int) (*LinksQuery, error) {
	p := linkParser{query.Read(values)}
	p.Known(known)
	q := &LinksQuery{From: strings.ToUpper(p.Text("from")), To: strings.ToUpper(p.Text("to")), Level: p.Text("level"), Limit: limit,
		Sort: LinkSort(p.Text("sort")), Order: Order(p.Text("order"))}
	p.kind(q)
	if q.Via, q.viaGiven = p.Text("via"), p.Text("via") != ""; q.Via == ViaBought {
		q.Via = ""
	}
	q.MaxQ = p.Share("q", 1, true)
	q.MinSupport = p.Whole("min_support", 0, 0, 1<<62)
	q.Limit = int(p.Whole("limit", int64(limit), 1, mostLinks))
	if q.Sort == "" {
		q.Sort = linkSorts[0].sort
	}
	if q.place() < 0 {
		p.Fail("sort", "want one of %v", LinkSorts())
	}
	p.order(q)
	p.cursor(q)
	if err := p.Err(); err != nil {
		return nil, err
	}
	return q, nil
}

type linkParser struct{ *query.Reader }

func (p linkParser) kind(q *LinksQuery) {
	text := p.Text("kind")
	for _, k := range []sales.LinkKind{sales.CrossSellLink, sales.UpsellLink} {
		if strings.EqualFold(text, k.String()) {
			q.Kind = k
		}
	}
	if text != "" && q.Kind == 0 {
		p.Fail("kind", "want %s or %s", sales.CrossSellLink, sales.UpsellLink)
	}
}

func (p linkParser) order(q *LinksQuery) {
	switch {
	case q.Order == "" && q.place() >= 0:
		q.Order = linkSorts[q.place()].order
	case q.Order != Ascending && q.Order != Descending:
		p.Fail("order", "want %s or %s", Ascending, Descending)
	}
}

func (p linkParser) cursor(q *LinksQuery) {
	text := p.Text("cursor")
	if text == "" {
		return
	}
	var at linkMark
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &at)
	}
	if err != nil || at.Sort != q.Sort || at.Order != q.Order || at.Key == "" {
		p.Fail("cursor", "it is none of a list in this order: take it from the page before, with the other parameters as they were")
		return
	}
	q.after = &at
}
