package declining

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"leadline/internal/query"
	"leadline/internal/sales"
)

// Query is a question with what is shown of its answer.
type Query struct {
	Question
	Filter
	Attribute, Value string // the segment that the filter's number must become; an empty attribute = all
	Sort             Sort
	Limit            int    // rows of a page
	Cursor           string // where reading goes on, empty = at the top
}

// Usual is what counts where nothing is said.
type Usual struct {
	RecentDays, BaselineDays int
	Limit                    int
}

// Bounds of a query.
const (
	MostLimit    = 1000
	mostHorizon  = 730
	usualHorizon = 90
)

// Parameters lists the names of a query's parameters.
func Parameters() []string {
	return []string{"recent", "baseline", "category", "segment", "owner", "currency", "min_value", "q", "margin", "horizon", "sort", "limit", "cursor"}
}

// Parse reads a query of which every parameter may be left out and none may be given twice. Windows must lie within what is kept, the
// recent one after the baseline. Every error is a *query.Bad.
func Parse(values map[string][]string, kept Window, usual Usual) (*Query, error) {
	p := parser{query.Read(values)}
	q := &Query{
		Filter: Filter{OwnerID: p.Text("owner"), Currency: p.Text("currency"), MinAtRiskMinor: p.Whole("min_value", 0, 0, 1<<62), MaxQ: p.Share("q", 1, true)},
		Sort:   Sort(p.Text("sort")), Cursor: p.Text("cursor"), Limit: int(p.Whole("limit", int64(usual.Limit), 1, MostLimit)),
	}
	q.Category, q.Margin = p.Text("category"), p.Share("margin", 1, false)
	q.HorizonDays = int(p.Whole("horizon", usualHorizon, 1, mostHorizon))
	if q.Sort == "" {
		q.Sort = ByRisk
	}
	if !slices.Contains(Sorts(), q.Sort) {
		p.Fail("sort", "want one of %v", Sorts())
	}
	if segment := p.Text("segment"); segment != "" {
		var ok bool
		if q.Attribute, q.Value, ok = strings.Cut(segment, "="); !ok || q.Attribute == "" {
			p.Fail("segment", "want ATTRIBUTE=VALUE of the customers' profiles")
		}
	}
	q.Recent = p.window("recent", kept.To, usual.RecentDays, kept)
	q.Baseline = p.window("baseline", q.Recent.From-1, usual.BaselineDays, kept)
	if p.Err() == nil && q.Baseline.To >= q.Recent.From {
		p.Fail("baseline", "%s does not end before the recent window, %s, begins", q.Baseline, q.Recent)
	}
	p.Known(Parameters())
	if err := p.Err(); err != nil {
		return nil, err
	}
	return q, nil
}

type parser struct{ *query.Reader }

// window reads FROM..TO, or Nd for the N days up to a last one.
func (p *parser) window(name string, last sales.Day, usual int, kept Window) Window {
	text := p.Text(name)
	if p.Err() != nil {
		return Window{}
	}
	w := Window{last - sales.Day(usual) + 1, last}
	if text == "" {
		w.From = min(w.To, max(w.From, kept.From)) // less is kept than is usually asked for
	} else if n, isDays := strings.CutSuffix(text, "d"); isDays {
		days, err := strconv.Atoi(n)
		if err != nil || days < 1 || days > 1<<20 {
			p.Fail(name, "%.40q: want a number of days, for example 30d", text)
			return w
		}
		w.From = last - sales.Day(days) + 1
	} else {
		from, to, _ := strings.Cut(text, "..")
		var err1, err2 error
		if w.From, err1 = parseDay(from); err1 == nil {
			w.To, err2 = parseDay(to)
		}
		if err1 != nil || err2 != nil || w.To < w.From {
			p.Fail(name, "%.40q: want two days, both included, like 2026-10-01..2026-10-31, or a number of days like 30d", text)
			return w
		}
	}
	if w.From < kept.From || w.To > kept.To {
		p.Fail(name, "%s is not within the days that are kept, %s", w, kept)
	}
	return w
}

func parseDay(text string) (sales.Day, error) {
	at, err := time.Parse(time.DateOnly, text)
	return sales.Day(at.Unix() / 86_400), err
}
