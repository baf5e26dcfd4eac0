package declining

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

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
	mostText     = 1 << 10 // of a name
)

// Parameters lists the names of a query's parameters.
func Parameters() []string {
	return []string{"recent", "baseline", "category", "segment", "owner", "currency", "min_value", "q", "margin", "horizon", "sort", "limit", "cursor"}
}

// BadQuery is a query that cannot be answered. Its text says which parameter is wrong, and what is wanted.
type BadQuery struct{ Parameter, Why string }

func (e *BadQuery) Error() string { return e.Parameter + ": " + e.Why }

func bad(parameter, format string, args ...any) error {
	return &BadQuery{parameter, fmt.Sprintf(format, args...)}
}

// Parse reads a query of which every parameter may be left out and none may be given twice. Windows must lie within what is kept, the
// recent one after the baseline. Every error is a *BadQuery.
func Parse(values map[string][]string, kept Window, usual Usual) (*Query, error) {
	p := parser{values: values}
	q := &Query{
		Filter: Filter{OwnerID: p.text("owner"), Currency: p.text("currency"), MinAtRiskMinor: p.whole("min_value", 0, 0, 1<<62), MaxQ: p.share("q", 1, true)},
		Sort:   Sort(p.text("sort")), Cursor: p.text("cursor"), Limit: int(p.whole("limit", int64(usual.Limit), 1, MostLimit)),
	}
	q.Category, q.Margin = p.text("category"), p.share("margin", 1, false)
	q.HorizonDays = int(p.whole("horizon", usualHorizon, 1, mostHorizon))
	if q.Sort == "" {
		q.Sort = ByRisk
	}
	if !slices.Contains(Sorts(), q.Sort) {
		p.fail("sort", "want one of %v", Sorts())
	}
	if segment := p.text("segment"); segment != "" {
		var ok bool
		if q.Attribute, q.Value, ok = strings.Cut(segment, "="); !ok || q.Attribute == "" {
			p.fail("segment", "want ATTRIBUTE=VALUE of the customers' profiles")
		}
	}
	q.Recent = p.window("recent", kept.To, usual.RecentDays, kept)
	q.Baseline = p.window("baseline", q.Recent.From-1, usual.BaselineDays, kept)
	if p.err == nil && q.Baseline.To >= q.Recent.From {
		p.fail("baseline", "%s does not end before the recent window, %s, begins", q.Baseline, q.Recent)
	}
	p.known()
	if p.err != nil {
		return nil, p.err
	}
	return q, nil
}

// parser keeps the first error.
type parser struct {
	values map[string][]string
	err    error
}

func (p *parser) fail(parameter, format string, args ...any) {
	if p.err == nil {
		p.err = bad(parameter, format, args...)
	}
}

// known refuses parameters that there are not: a filter that is spelled wrong would show everybody.
func (p *parser) known() {
	names := make([]string, 0, len(p.values))
	for name := range p.values {
		if !slices.Contains(Parameters(), name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		slices.Sort(names)
		p.fail(fmt.Sprintf("%.40q", names[0]), "there is no such parameter; there are %s", strings.Join(Parameters(), ", "))
	}
}

func (p *parser) text(name string) string {
	given := p.values[name]
	if len(given) == 0 {
		return ""
	}
	if len(given) > 1 || len(given[0]) > mostText || !utf8.ValidString(given[0]) {
		p.fail(name, "want one value of at most %d bytes of UTF-8", mostText)
		return ""
	}
	return given[0]
}

func (p *parser) whole(name string, usual, low, high int64) int64 {
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

func (p *parser) share(name string, usual float64, zero bool) float64 {
	text := p.text(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0 && n <= 1) || n == 0 && !zero {
		p.fail(name, "want a share, for example 0.05")
	}
	return n
}

// window reads FROM..TO, or Nd for the N days up to a last one.
func (p *parser) window(name string, last sales.Day, usual int, kept Window) Window {
	text := p.text(name)
	if p.err != nil {
		return Window{}
	}
	w := Window{last - sales.Day(usual) + 1, last}
	if text == "" {
		w.From = min(w.To, max(w.From, kept.From)) // less is kept than is usually asked for
	} else if n, isDays := strings.CutSuffix(text, "d"); isDays {
		days, err := strconv.Atoi(n)
		if err != nil || days < 1 || days > 1<<20 {
			p.fail(name, "%.40q: want a number of days, for example 30d", text)
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
			p.fail(name, "%.40q: want two days, both included, like 2026-10-01..2026-10-31, or a number of days like 30d", text)
			return w
		}
	}
	if w.From < kept.From || w.To > kept.To {
		p.fail(name, "%s is not within the days that are kept, %s", w, kept)
	}
	return w
}

func parseDay(text string) (sales.Day, error) {
	at, err := time.Parse(time.DateOnly, text)
	return sales.Day(at.Unix() / 86_400), err
}
