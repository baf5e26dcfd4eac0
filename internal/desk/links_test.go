package desk

import (
	"cmp"
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"leadline/internal/sales"
	"leadline/internal/web/webtest"
)

// A list is what the filters leave of all, in the order asked for: the same as going through all of them plainly.
func TestLinksAreWhatWasAsked(t *testing.T) {
	t.Parallel()
	town := newTown(t, 0)
	at := town.serve(t, "") + LinksPath
	for query, want := range map[string]struct {
		keep func(l *sales.Link) bool
		less func(a, b *sales.Link) int
	}{
		"": {func(*sales.Link) bool { return true }, func(a, b *sales.Link) int { return cmp.Compare(b.GSquared, a.GSquared) }},
		"kind=cross_sell&level=type&via=bought&from=tea&sort=lift": {func(l *sales.Link) bool {
			return l.Kind == sales.CrossSellLink && l.Level == "type" && l.Via == "" && strings.Contains(l.From, "TEA")
		}, func(a, b *sales.Link) int { return cmp.Compare(b.Lift, a.Lift) }},
		"via=product_view":                 {func(l *sales.Link) bool { return l.Via == "product_view" }, nil},
		"kind=UPSELL":                      {func(l *sales.Link) bool { return l.Kind == sales.UpsellLink }, nil},
		"to=wine / red&sort=p30&order=asc": {func(l *sales.Link) bool { return l.To == "WINE / RED" }, func(a, b *sales.Link) int { return cmp.Compare(a.Within30.P, b.Within30.P) }},
		"q=0.000001&min_support=300&sort=q&kind=CROSS_SELL": {func(l *sales.Link) bool { return l.Kind == sales.CrossSellLink && l.Q <= 1e-6 && l.Both >= 300 }, func(a, b *sales.Link) int { return cmp.Compare(a.Q, b.Q) }},
		"sort=to&order=desc": {func(*sales.Link) bool { return true }, func(a, b *sales.Link) int { return cmp.Compare(b.To, a.To) }},
	} {
		var plain []*sales.Link
		for i := range town.links {
			if want.keep(&town.links[i]) {
				plain = append(plain, &town.links[i])
			}
		}
		slices.SortStableFunc(plain, func(a, b *sales.Link) int {
			c := 0
			if want.less != nil {
				c = want.less(a, b)
			}
			return cmp.Or(c, cmp.Compare(a.Key(), b.Key()))
		})
		var keys, got []string
		for _, l := range plain {
			keys = append(keys, l.Key())
		}
		a := askFor[LinksAnswer](t, at+"?limit=1000&"+strings.ReplaceAll(query, " ", "%20"))
		for _, l := range a.Links {
			got = append(got, l.Key)
		}
		if diff := gocmp.Diff(keys, got); diff != "" || len(keys) == 0 || a.Matched != len(keys) || a.All != len(town.links) || a.AsOf.Offset != 4711 {
			t.Errorf("%q, %d of %d: %s", query, a.Matched, len(keys), diff)
		}
	}
}

// Pages join to the whole list, whatever it is sorted by, and go on behind the same place when links have come and gone meanwhile.
func TestPagesOfLinksJoin(t *testing.T) {
	t.Parallel()
	town := newTown(t, 0)
	at := town.serve(t, "") + LinksPath
	for _, sort := range LinkSorts() {
		for _, order := range []Order{Ascending, Descending} {
			asked := "?sort=" + string(sort) + "&order=" + string(order)
			want := ids(askFor[LinksAnswer](t, at+asked+"&limit=1000").Links)
			var got []string
			for next := ""; ; {
				a := askFor[LinksAnswer](t, at+asked+"&limit=7&cursor="+next)
				got = append(got, ids(a.Links)...)
				if next = a.Next; next == "" {
					break
				}
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", asked, diff)
			}
		}
	}
	first := askFor[LinksAnswer](t, at+"?limit=5")
	rest := askFor[LinksAnswer](t, at+"?limit=1000&cursor="+first.Next)
	gone := first.Links[4].Key
	town.links = slices.DeleteFunc(slices.Clone(town.links), func(l sales.Link) bool { return l.Key() == gone })
	if diff := gocmp.Diff(ids(rest.Links), ids(askFor[LinksAnswer](t, at+"?limit=1000&cursor="+first.Next).Links)); diff != "" {
		t.Error(diff)
	}
}

func TestALinkHasItsCurve(t *testing.T) {
	t.Parallel()
	at := newTown(t, 0).serve(t, "") + LinksPath
	a := askFor[LinksBetween](t, at+"/"+url.PathEscape("PASTA / SPAGHETTI")+"/"+url.PathEscape("PASTA / PENNE"))
	if len(a.Links) != 1 || len(a.Links[0].Curve) != sales.CurveWeeks || len(a.Links[0].BaseCurve) != sales.CurveWeeks || a.AsOf.Offset != 4711 {
		t.Fatalf("%+v", a)
	}
	l := a.Links[0]
	if l.Within90 == nil || l.Within90.P != 0.11 || l.CallFrom != 9 || l.CallTo != 45 || l.Via != ViaBought || l.LearnedFrom == nil {
		t.Errorf("%+v", l)
	}
	if want := "Buying PASTA / PENNE is associated with having bought PASTA / SPAGHETTI: within 90 days 11.0% of 800 such customers did (9.7% to 12.4%), of equally active ones 5.6%; " +
		"1.9 times (1.7 to 2.3) as often as expected. Half of the extra purchases came 9 to 45 days after it."; l.Says != want {
		t.Errorf("says %s", l.Says)
	}
	plain := askFor[LinksBetween](t, at+"/"+url.PathEscape("=SUM(A1)")+"/"+url.PathEscape("TEA / GREEN")).Links[0]
	if plain.Within30 != nil || plain.Curve != nil || !strings.Contains(plain.Says, "as often as by chance") {
		t.Errorf("%+v", plain)
	}
	for _, l := range newLinks() {
		if text := strings.ToLower(Says(&l)); strings.Contains(text, "cause") || strings.Contains(text, "because") || strings.Contains(text, "leads to") {
			t.Errorf("a cause is claimed: %s", text)
		}
	}
	if n := len(askFor[LinksBetween](t, at+"/WINE/CHEESE?via=product_view&level=category&kind=cross_sell").Links); n != 1 {
		t.Errorf("%d links after a touch", n)
	}
}

func TestTheTableOfLinksIsWhole(t *testing.T) {
	t.Parallel()
	town := newTown(t, 0)
	at := town.serve(t, "") + LinksPath
	answer, body := webtest.Get(t, at+"?format=csv")
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(rows) != len(town.links)+1 || answer.Header.Get("Content-Disposition") != `attachment; filename="links.csv"` {
		t.Fatalf("%d rows, %v, %v", len(rows), err, answer.Header)
	}
	if diff := gocmp.Diff(linksHead, rows[0]); diff != "" {
		t.Error(diff)
	}
	for i, l := range askFor[LinksAnswer](t, at+"?limit=1000").Links {
		if row := rows[i+1]; row[0] != l.Key || row[6] != strconv.FormatInt(l.Support, 10) || len(row) != len(linksHead) {
			t.Fatalf("row %d is %v, want %+v", i, row, l)
		}
	}
	if strings.Contains(body, ",=SUM") || !strings.Contains(body, "'=SUM") {
		t.Error("a spreadsheet would take a name for a formula")
	}
	if _, body := webtest.Get(t, at+"?format=csv&limit=2"); strings.Count(body, "\n") != 3 {
		t.Errorf("with a limit of 2: %s", body)
	}
}

func TestWhatLinksRefuse(t *testing.T) {
	t.Parallel()
	at := newTown(t, 0).serve(t, "") + LinksPath
	reading := newTown(t, 0)
	reading.reading.Store(true)
	wait := reading.serve(t, "") + LinksPath
	guarded := newTown(t, 0).serve(t, "a token of some length")
	cursor := askFor[LinksAnswer](t, at+"?limit=1").Next
	for name, c := range map[string]struct {
		url    string
		status int
		holds  string
	}{
		"no such parameter":       {at + "?form=x", 400, `there is no such parameter; there are from, to, level`},
		"no such kind":            {at + "?kind=downsell", 400, "kind: want CROSS_SELL or UPSELL"},
		"no such sort":            {at + "?sort=best", 400, "sort: want one of [sure lift"},
		"no such order":           {at + "?order=up", 400, "order: want asc or desc"},
		"no share":                {at + "?q=2", 400, "q: want a share from 0 to 1"},
		"support below nothing":   {at + "?min_support=-1", 400, "min_support: want a whole number"},
		"too many":                {at + "?limit=1001", 400, "limit: want a whole number from 1 to 1000"},
		"a cursor of nothing":     {at + "?cursor=AAAA", 400, "cursor: it is none"},
		"a cursor of other order": {at + "?order=asc&cursor=" + cursor, 400, "cursor: it is none"},
		"given twice":             {at + "?q=0.1&q=0.2", 400, "q: want one value"},
		"broken escapes":          {at + "?from=%zz", 400, "invalid URL escape"},
		"no such form":            {at + "?format=xls", 400, "want json or csv"},
		"no such link":            {at + "/TEA/RUM", 404, `no link from \"TEA\" to \"RUM\" is published`},
		"not at that level":       {at + "/WINE/CHEESE?level=type", 404, "is published"},
		"a filter of the list":    {at + "/WINE/CHEESE?q=0.1", 400, "there is no such parameter; there are level, kind, via"},
		"nothing there":           {at + "/WINE", 404, "/v1/links/{from}/{to}"},
		"while they are read":     {wait, 503, "the links are being read"},
		"one, while read":         {wait + "/WINE/CHEESE", 503, "the links are being read"},
		"about, while read":       {wait + "/about", 503, "the links are being read"},
		"without the token":       {guarded + LinksPath, 401, "Bearer"},
		"one without the token":   {guarded + LinksPath + "/WINE/CHEESE", 401, "Bearer"},
	} {
		answer, body := webtest.Get(t, c.url)
		if answer.StatusCode != c.status || !strings.Contains(body, c.holds) || answer.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s %s", name, answer.Status, body)
		}
		if c.status == 503 && answer.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: it does not say when to ask again", name)
		}
	}
	for _, path := range []string{LinksPagePath, LinksPagePath + "/links.js", LinksPagePath + "/draw.js", LinksPagePath + "/links.css"} { // the page holds no data
		if answer, body := webtest.Get(t, guarded+path); answer.StatusCode != http.StatusOK || len(body) == 0 {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
}

func TestAboutLinksSaysWhatCanBeAsked(t *testing.T) {
	t.Parallel()
	town := newTown(t, 0)
	want := LinksAbout{Links: len(town.links), Levels: []string{"category", "type"}, Kinds: []string{"CROSS_SELL", "UPSELL"}, Vias: []string{"bought", "product_view"},
		Sorts: LinkSorts(), AsOf: LinksAsOf{4711}}
	if diff := gocmp.Diff(want, askFor[LinksAbout](t, town.serve(t, "")+LinksPath+"/about")); diff != "" {
		t.Error(diff)
	}
}
