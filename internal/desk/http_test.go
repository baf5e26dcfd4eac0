package desk

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadline/internal/declining"
	"leadline/internal/web/webtest"
)

func TestAPageIsWhatWasAsked(t *testing.T) {
	t.Parallel()
	at := newTown(t, 30).serve(t, "") + Path
	a := ask(t, at+"?limit=1&sort=last&owner=rep0")
	committed := time.UnixMilli(1_728_000_000_000).UTC()
	if a.AsOf.CountedAt.IsZero() {
		t.Error("it does not say when it counted")
	}
	if diff := cmp.Diff([]Shard{{0, 7, &committed}, {1, 5, nil}}, a.AsOf.Shards); diff != "" {
		t.Error(diff)
	}
	a.AsOf, a.Next = AsOf{}, ""
	orders := func(n int32) *int32 { return &n }
	c := a.Customers[0]
	a.Customers = nil
	want := Answer{Recent: Span{"2024-09-05", "2024-10-04", 30}, Baseline: Span{"2024-04-08", "2024-09-04", 150}, HorizonDays: 90, Margin: 1, Sort: declining.ByLast,
		Everyone: Everyone{Customers: 30, RecentDays: 120, BaselineDays: 896}, Listed: []Sum{{"EUR", 5, 0}}}
	want.Listed[0].AtRiskMinor = a.Listed[0].AtRiskMinor
	if diff := cmp.Diff(want, a); diff != "" {
		t.Error(diff)
	}
	if c.CustomerID != "customer-006" || c.Name != "Customer the 6" || c.OwnerID != "rep0" || c.Recent.Days != 0 || c.AtRiskMinor <= 0 ||
		c.ExpectedDays < 4 || c.P > 0.03 || c.RatioHigh < c.Ratio || len(c.Reasons) != 3 {
		t.Errorf("%+v", c)
	}
	if diff := cmp.Diff(Tally{29, orders(29), c.Baseline.SpentMinor}, c.Baseline); diff != "" {
		t.Error(diff)
	}
	in := ask(t, at+"?category=CATEGORY+1&limit=1").Customers[0]
	if in.Baseline.Orders != nil || in.Baseline.Days >= 30 || in.Baseline.Days == 0 {
		t.Errorf("in a category: %+v", in.Baseline)
	}
	if n := len(ask(t, at+"?segment=side%3Dleft").Customers); n != 5 {
		t.Errorf("%d customers of the segment, want 5", n)
	}
}

// Pages join to the whole list, which is counted once; when the list is gone, reading goes on behind the same place and is told so.
func TestPagesJoin(t *testing.T) {
	t.Parallel()
	town := newTown(t, 90)
	at := town.serve(t, "") + Path
	whole := ask(t, at+"?limit=1000")
	read := func(from string, forget func()) (ids []string, moved bool) {
		for next := ""; ; {
			a := ask(t, at+from+"&cursor="+url.QueryEscape(next))
			for _, c := range a.Customers {
				ids = append(ids, c.CustomerID)
			}
			moved = moved || a.Moved
			if next = a.Next; next == "" {
				return ids, moved
			}
			forget()
		}
	}
	var want []string
	for _, c := range whole.Customers {
		want = append(want, c.CustomerID)
	}
	if len(want) != 30 {
		t.Fatalf("%d customers are listed, want 30", len(want))
	}
	ids, moved := read("?limit=7", func() {})
	if diff := cmp.Diff(want, ids); diff != "" || moved || town.counted.Load() != 1 {
		t.Errorf("moved %v, counted %d times: %s", moved, town.counted.Load(), diff)
	}
	others := 0
	ids, moved = read("?limit=7", func() {
		for range keptLists { // other questions push the list out
			others++
			ask(t, at+"?min_value="+strconv.Itoa(others))
		}
	})
	if diff := cmp.Diff(want, ids); diff != "" || !moved {
		t.Errorf("moved %v: %s", moved, diff)
	}
}

func TestTheTableIsWhole(t *testing.T) {
	t.Parallel()
	town := newTown(t, 360)
	town.customers[0].ID, town.customers[3].Name = `=cmd|' /C calc'!A0,"x"`, "+Anna"
	at := town.serve(t, "") + Path
	answer, body := webtest.Get(t, at+"?format=csv&sort=ratio")
	if answer.StatusCode != http.StatusOK || !strings.HasPrefix(answer.Header.Get("Content-Type"), "text/csv") ||
		answer.Header.Get("Content-Disposition") != `attachment; filename="declining-2024-09-05..2024-10-04.csv"` {
		t.Errorf("%s %v", answer.Status, answer.Header)
	}
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(rows) != 121 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if diff := cmp.Diff(csvHead, rows[0]); diff != "" {
		t.Error(diff)
	}
	a := ask(t, at+"?sort=ratio&limit=1000")
	for i, c := range a.Customers {
		row := rows[i+1]
		if id := strings.TrimPrefix(row[0], "'"); id != c.CustomerID || strings.TrimPrefix(row[1], "'") != c.Name || row[4] != strconv.Itoa(int(c.Recent.Days)) || row[18] != strconv.FormatInt(c.AtRiskMinor, 10) {
			t.Fatalf("row %d is %v, want %+v", i, row, c)
		}
	}
	if strings.Contains(body, "\n=") || strings.Contains(body, "\n\"=") || !strings.Contains(body, "'=cmd") || !strings.Contains(body, "'+Anna") {
		t.Error("a spreadsheet would take an id or a name for a formula")
	}
	if _, body := webtest.Get(t, at+"?format=csv&limit=2"); strings.Count(body, "\n") != 3 {
		t.Errorf("with a limit of 2: %s", body)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	at := newTown(t, 3).serve(t, "")
	reading := newTown(t, 3)
	reading.reading.Store(true)
	wait := reading.serve(t, "")
	guarded := newTown(t, 3).serve(t, "a token of some length")
	for name, c := range map[string]struct {
		url    string
		status int
		holds  string
	}{
		"outside of what is kept": {at + Path + "?recent=2023-01-01..2023-02-01", 400, "recent: 2023-01-01..2023-02-01 is not within the days that are kept, 2024-04-03..2024-10-04"},
		"no such parameter":       {at + Path + "?rep=x", 400, "there is no such parameter"},
		"a cursor of another":     {at + Path + "?cursor=AAAA", 400, "cursor: it is none"},
		"broken escapes":          {at + Path + "?owner=%zz", 400, "invalid URL escape"},
		"no such form":            {at + Path + "?format=xls", 400, "want json or csv"},
		"nothing there":           {at + Path + "/elsewhere", 404, "about"},
		"nobody has bought":       {newTown(t, 0).serve(t, "") + Path, 400, "nobody has bought anything yet"},
		"while they are read":     {wait + Path, 503, "the customers are being read"},
		"about, while read":       {wait + Path + "/about", 503, "the customers are being read"},
		"without the token":       {guarded + Path, 401, "Bearer"},
		"about without the token": {guarded + Path + "/about", 401, "Bearer"},
	} {
		answer, body := webtest.Get(t, c.url)
		if answer.StatusCode != c.status || !strings.Contains(body, c.holds) || answer.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: %s %s", name, answer.Status, body)
		}
		if c.status == 503 && answer.Header.Get("Retry-After") != "1" {
			t.Errorf("%s: it does not say when to ask again", name)
		}
	}
	for _, path := range []string{PagePath, PagePath + "/declining.js", PagePath + "/list.css", "/"} { // the page holds no data
		if answer, body := webtest.Get(t, guarded+path); answer.StatusCode != http.StatusOK || len(body) == 0 {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
	answer, err := http.Post(at+Path, "text/plain", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusMethodNotAllowed || answer.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %s", answer.Status)
	}
}

func TestAboutSaysWhatCanBeAsked(t *testing.T) {
	t.Parallel()
	_, body := webtest.Get(t, newTown(t, 3).serve(t, "")+Path+"/about")
	want := `{"kept":{"from":"2024-04-03","to":"2024-10-04","days":185},"recent":{"from":"2024-09-05","to":"2024-10-04","days":30},` +
		`"baseline":{"from":"2024-04-08","to":"2024-09-04","days":150},"customers":3,"categories":["CATEGORY 0","CATEGORY 1"],"attributes":["side"],` +
		`"sorts":["risk","p","ratio","last"]}` + "\n"
	if body != want {
		t.Errorf("%s, want %s", body, want)
	}
}
