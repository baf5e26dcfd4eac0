package declining

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadline/internal/query"
)

var kept, usual = Window{20_000, 20_184}, Usual{RecentDays: 30, BaselineDays: 150, Limit: 100}

func parse(t *testing.T, text string) (*Query, error) {
	t.Helper()
	values, err := url.ParseQuery(text)
	if err != nil {
		t.Fatal(err)
	}
	return Parse(values, kept, usual)
}

func TestWhatAQueryMeans(t *testing.T) {
	t.Parallel()
	usually := func(change func(*Query)) *Query {
		q := &Query{Question: Question{Recent: Window{20_155, 20_184}, Baseline: Window{20_005, 20_154}, HorizonDays: 90, Margin: 1},
			Filter: Filter{MaxQ: 1}, Sort: ByRisk, Limit: 100}
		change(q)
		return q
	}
	for text, change := range map[string]func(*Query){
		"":            func(*Query) {},
		"recent=14d":  func(q *Query) { q.Recent.From, q.Baseline = 20_171, Window{20_021, 20_170} },
		"baseline=7d": func(q *Query) { q.Baseline.From = 20_148 },
		"recent=2025-01-11..2025-01-20&baseline=2024-12-01..2024-12-31": func(q *Query) {
			q.Recent, q.Baseline = Window{20_099, 20_108}, Window{20_058, 20_088}
		},
		"category=DAIRY&owner=rep+1&segment=age%3D25%3D34&currency=EUR": func(q *Query) {
			q.Category, q.OwnerID, q.Attribute, q.Value, q.Filter.Currency = "DAIRY", "rep 1", "age", "25=34", "EUR"
		},
		"min_value=500&q=0.05&margin=.3&horizon=30&sort=last&limit=7&cursor=x": func(q *Query) {
			q.MinAtRiskMinor, q.MaxQ, q.Margin, q.HorizonDays, q.Sort, q.Limit, q.Cursor = 500, 0.05, .3, 30, ByLast, 7, "x"
		},
	} {
		got, err := parse(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if diff := cmp.Diff(usually(change), got); diff != "" {
			t.Errorf("%s: -want +got\n%s", text, diff)
		}
	}
}

func TestWhatIsWrongWithAQueryIsSaid(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"recent=2024-01-01..2024-02-01":   "recent: 2024-01-01..2024-02-01 is not within the days that are kept, 2024-10-04..2025-04-06",
		"recent=200d":                     "is not within the days that are kept, 2024-10-04..2025-04-06",
		"recent=2025-04-01..2025-04-07":   "is not within the days that are kept",
		"recent=2025-04-06..2025-04-01":   "want two days, both included",
		"recent=0d":                       "want a number of days",
		"recent=2025-02-30..2025-03-01":   "want two days",
		"baseline=2025-02-01..2025-03-08": "does not end before the recent window",
		"baseline=160d":                   "baseline: 2024-09-29..2025-03-07 is not within",
		"recent=2024-10-04..2024-10-05":   "baseline: ",
		"q=2":                             "q: want a share",
		"q=NaN":                           "q: want a share",
		"margin=0":                        "margin: want a share",
		"min_value=-1":                    "min_value: want a whole number",
		"sort=name":                       "sort: want one of [risk p ratio last]",
		"limit=1001":                      "limit: want a whole number from 1 to 1000",
		"segment=age":                     "segment: want ATTRIBUTE=VALUE",
		"sgement=age%3D3":                 `"sgement": there is no such parameter; there are recent, baseline`,
		"owner=a&owner=b":                 "owner: want one value",
		"owner=%ff":                       "owner: want one value",
		"category=" + strings.Repeat("x", 1<<10+1): "category: want one value of at most 1024 bytes",
	} {
		_, err := parse(t, text)
		var bad *query.Bad
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestACursorServesItsQueryOnly(t *testing.T) {
	t.Parallel()
	q, err := parse(t, "sort=p")
	if err != nil {
		t.Fatal(err)
	}
	want := Cursor{List: 9, Mark: Mark{Currency: "EUR", Key: 0.25, AtRiskMinor: 77, CustomerID: "客戶 {7}"}}
	text := want.Text(q)
	q.Cursor, q.Limit = text, 3
	if got, ok, err := q.From(); !ok || err != nil || got != want {
		t.Errorf("%+v %v %v", got, ok, err)
	}
	for name, change := range map[string]func(*Query){
		"another filter": func(q *Query) { q.OwnerID = "rep" }, "another window": func(q *Query) { q.Recent.From++ },
		"another order": func(q *Query) { q.Sort = ByLast }, "another margin": func(q *Query) { q.Margin = 0.5 },
		"nonsense": func(q *Query) { q.Cursor = "%%%" }, "cut off": func(q *Query) { q.Cursor = text[:20] },
	} {
		other := *q
		change(&other)
		if _, _, err := other.From(); err == nil {
			t.Errorf("a cursor is taken for %s", name)
		}
	}
}

// FuzzParse: no text makes the parser or the cursor panic; what is accepted lies within what is kept, and means the same when it is said again.
func FuzzParse(f *testing.F) {
	f.Add("recent=30d&baseline=2024-12-01..2024-12-31&q=0.1&segment=a%3Db&cursor=AQ")
	f.Add("recent=2025-01-01..2025-01-31&sort=p&min_value=9&horizon=10&margin=0.2")
	q, err := Parse(nil, kept, usual)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("cursor=" + Cursor{Mark: Mark{Currency: "EUR", CustomerID: "ann"}}.Text(q))
	f.Fuzz(func(t *testing.T, text string) {
		values, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		q, err := Parse(values, kept, usual)
		if err != nil {
			var bad *query.Bad
			if !errors.As(err, &bad) {
				t.Fatalf("%v is no query.Bad", err)
			}
			return
		}
		if q.Baseline.From < kept.From || q.Baseline.To >= q.Recent.From || q.Recent.To > kept.To || q.Recent.Days() < 1 || q.Baseline.Days() < 1 {
			t.Fatalf("%q was accepted as %v after %v", text, q.Recent, q.Baseline)
		}
		values["recent"], values["baseline"] = []string{q.Recent.String()}, []string{q.Baseline.String()}
		again, err := Parse(values, kept, usual)
		if err != nil || again.Same() != q.Same() {
			t.Fatalf("%q said again: %v", text, err)
		}
		if c, ok, err := q.From(); ok && err == nil && c.Text(q) != q.Cursor {
			back := *q
			back.Cursor = c.Text(q)
			if other, _, err := back.From(); err != nil || other != c {
				t.Fatalf("cursor %q became %q", q.Cursor, back.Cursor)
			}
		}
	})
}
