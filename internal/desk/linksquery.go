package desk

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"leadline/internal/declining"
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
	mostLinks    = 1000
	mostLinkText = 1 << 10
)

// ParseLinks reads a query of the list. Every error is a *declining.BadQuery, which says which parameter is wrong and what is wanted.
func ParseLinks(values map[string][]string, limit int) (*LinksQuery, error) {
	return parseLinks(values, linkParameters, limit)
}

func parseLinks(values map[string][]string, known []string, limit int) (*LinksQuery, error) {
	p := linkParser{values: values}
	for name := range values {
		if !slices.Contains(known, name) {
			p.fail(fmt.Sprintf("%.40q", name), "there is no such parameter; there are %s", strings.Join(known, ", "))
		}
	}
	q := &LinksQuery{From: strings.ToUpper(p.text("from")), To: strings.ToUpper(p.text("to")), Level: p.text("level"), MaxQ: 1, Limit: limit,
		Sort: LinkSort(p.text("sort")), Order: Order(p.text("order"))}
	p.kind(q)
	if q.Via, q.viaGiven = p.text("via"), p.text("via") != ""; q.Via == ViaBought {
		q.Via = ""
	}
	if text := p.text("q"); text != "" {
		var err error
		if q.MaxQ, err = strconv.ParseFloat(text, 64); err != nil || !(q.MaxQ >= 0 && q.MaxQ <= 1) {
			p.fail("q", "want a share from 0 to 1, for example 0.05")
		}
	}
	q.MinSupport = p.whole("min_support", 0, 0, 1<<62)
	q.Limit = int(p.whole("limit", int64(limit), 1, mostLinks))
	if q.Sort == "" {
		q.Sort = linkSorts[0].sort
	}
	if q.place() < 0 {
		p.fail("sort", "want one of %v", LinkSorts())
	}
	p.order(q)
	p.cursor(q)
	if p.err != nil {
		return nil, p.err
	}
	return q, nil
}

// linkParser keeps the first error.
type linkParser struct {
	values map[string][]string
	err    error
}

func (p *linkParser) fail(parameter, format string, args ...any) {
	if p.err == nil {
		p.err = &declining.BadQuery{Parameter: parameter, Why: fmt.Sprintf(format, args...)}
	}
}

func (p *linkParser) text(name string) string {
	given := p.values[name]
	if len(given) == 0 {
		return ""
	}
	if len(given) > 1 || len(given[0]) > mostLinkText || !utf8.ValidString(given[0]) {
		p.fail(name, "want one value of at most %d bytes of UTF-8", mostLinkText)
		return ""
	}
	return given[0]
}

func (p *linkParser) whole(name string, usual, low, high int64) int64 {
	text := p.text(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < low || n > high {
		p.fail(name, "want a whole number from %d to %d", low, high)
	}
	return n
}

func (p *linkParser) kind(q *LinksQuery) {
	text := p.text("kind")
	for _, k := range []sales.LinkKind{sales.CrossSellLink, sales.UpsellLink} {
		if strings.EqualFold(text, k.String()) {
			q.Kind = k
		}
	}
	if text != "" && q.Kind == 0 {
		p.fail("kind", "want %s or %s", sales.CrossSellLink, sales.UpsellLink)
	}
}

func (p *linkParser) order(q *LinksQuery) {
	switch {
	case q.Order == "" && q.place() >= 0:
		q.Order = linkSorts[q.place()].order
	case q.Order != Ascending && q.Order != Descending:
		p.fail("order", "want %s or %s", Ascending, Descending)
	}
}

func (p *linkParser) cursor(q *LinksQuery) {
	text := p.text("cursor")
	if text == "" {
		return
	}
	var at linkMark
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &at)
	}
	if err != nil || at.Sort != q.Sort || at.Order != q.Order || at.Key == "" {
		p.fail("cursor", "it is none of a list in this order: take it from the page before, with the other parameters as they were")
		return
	}
	q.after = &at
}
