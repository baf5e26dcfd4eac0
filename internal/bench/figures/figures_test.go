package figures

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"leadline/internal/bench"
)

// measured writes results of every kind to files; the figures are invented.
func measured(t *testing.T) (files []string) {
	t.Helper()
	dir := t.TempDir()
	span := func(name string) bench.Span {
		return bench.Span{Name: name, Orders: 1000, Drain: bench.Drain{Rate: 30_000, CPU: bench.Seconds{Engine: 20, Redis: 10, Kafka: 4},
			PeakBytes: 300 << 20, ColdReads: 500}}
	}
	var g bench.Growth
	for _, p := range []bench.Point{{Curve: bench.CustomersCurve, Customers: 10_000}, {Curve: bench.CustomersCurve, Customers: 1_000_000},
		{Curve: bench.LinksCurve, Links: 100}, {Curve: bench.LinksCurve, Links: 100_000}} {
		at := bench.GrowthPoint{Point: p, CustomerBytes: 400, Spans: []bench.Span{span(bench.Warm)}}
		if p.Curve == bench.CustomersCurve {
			at.Spans = append(at.Spans, span(bench.Rush), span(bench.Cold))
		}
		g.Points = append(g.Points, at)
	}
	dense := bench.Speed{Drains: []bench.Drain{{Rate: 1, Stages: map[string]float64{"step": 9, "poll": 1}}, {Rate: 2, Stages: map[string]float64{"step": 7, "poll": 3}}}}
	sparse := bench.Speed{Year: bench.Year{Sparse: true}, Latencies: []bench.Latency{{Rate: 5000, P50: 20,
		Quantiles: []bench.Quantile{{Percent: 0, MS: 5}, {Percent: 50, MS: 20}, {Percent: 99, MS: 80}, {Percent: 100, MS: 90}}}}}
	for name, what := range map[string]any{"growth": g, "dense": dense, "sparse": sparse,
		"recovery": bench.Recovery{Kills: []bench.Kill{{FirstCommit: 0.5}}}} {
		text, err := json.Marshal(what)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, filepath.Join(dir, name+".json"))
		if err := os.WriteFile(files[len(files)-1], text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return append(files, "testdata/rows.jsonl")
}

// The page has each kind of result, and each picture that it shows is an SVG with the names of its axes in it.
func TestPageHasWhatWasMeasured(t *testing.T) {
	found, err := Read(measured(t))
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(t.TempDir(), "README.md")
	if err := WritePage(page, found); err != nil {
		t.Fatal(err)
	}
	text := read(t, page)
	for picture, words := range map[string][]string{
		"growth-customers.svg":   {"CPU, µs an order", "customers", "1M", "nobody in memory", "bytes a customer"},
		"growth-links.svg":       {"links", "100k", "orders a second"},
		"drain.svg":              {"wall time, µs an order", "step", "dense rules"},
		"latency.svg":            {"percentile of the alerts", "90", "ms"},
		"comparison-drain.svg":   {"CPU, µs an event", "alpha", "beta", "events a second"},
		"comparison-latency.svg": {"percentile of the alerts", "alpha"},
	} {
		if !strings.Contains(text, "]("+picture+")") {
			t.Errorf("the page does not show %s", picture)
		}
		drawn := wordsOf(t, filepath.Join(filepath.Dir(page), picture))
		for _, word := range words {
			if !strings.Contains(drawn, word) {
				t.Errorf("%s does not say %q", picture, word)
			}
		}
	}
	if strings.Contains(text, "growth-density") {
		t.Error("a curve is shown that was not measured")
	}
}

// wordsOf gives all that is written in an SVG, which must be well formed.
func wordsOf(t *testing.T, file string) string {
	t.Helper()
	var all strings.Builder
	for d := xml.NewDecoder(strings.NewReader(read(t, file))); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all.String()
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if text, ok := token.(xml.CharData); ok {
			all.Write(text)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Rounds of an engine are one line: the median, and how far they lie apart. Dense and sparse are two jobs.
func TestComparisonIsOfMedians(t *testing.T) {
	found, err := Read([]string{"testdata/rows.jsonl"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := comparisonSection(found, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Reading what waits, 2M events, dense rules",
		"| alpha | 3 | 41000 (39000-45000) | 38.0 | - | 5.0 | 1900 | 1347957 | aa | 0 / 0 / 0 |",
		"| beta | 2 | 125000 (120000-130000) | 8.0 | 4.0 | 3.0 | 500 | 1347957 (1347956-1347958) | aa, bb | 1 / 0 / 2 |",
		"Reading what waits, 2M events, sparse rules",
		"| alpha | 1 | 50000 | 33.0 | - | 5.0 | 1800 | 91341 | cc | 0 / 0 / 0 |",
		"5k events a second, dense rules",
		"| alpha | 1 | 99 | 157 | 201 | 259 | 286 | 0.77 | 0.74 | 1122 | dd | 0 / 0 / 0 |",
		"| beta | 1 | 0.6 | 9.5 | 1000000 |  | 1 / 0 / 0 |",
	} {
		if !strings.Contains(s.text, want) {
			t.Errorf("no %q in\n%s", want, s.text)
		}
	}
	if strings.Contains(s.text, "floor") {
		t.Error("a row of another kind is in it")
	}
}

// Of a page that exists only the sections change for which there are results, and the same results change nothing.
func TestPageKeepsWhatIsWrittenByHand(t *testing.T) {
	growth := section{name: "growth"}
	page := filepath.Join(t.TempDir(), "README.md")
	begun := "# By hand\n\n" + growth.begin() + "of last year\n" + growth.end() + "\nAfter.\n"
	if err := os.WriteFile(page, []byte(begun), 0o644); err != nil {
		t.Fatal(err)
	}
	g := &Results{Growths: []bench.Growth{{Points: []bench.GrowthPoint{{Point: bench.Point{Curve: bench.LinksCurve, Links: 10}, CustomerBytes: 1,
		Spans: []bench.Span{{Name: bench.Warm, Orders: 1, Drain: bench.Drain{Rate: 1}}}}}}}}
	var last string
	for range 2 {
		if err := WritePage(page, g); err != nil {
			t.Fatal(err)
		}
		now := read(t, page)
		if !strings.HasPrefix(now, "# By hand\n\n"+growth.begin()) || !strings.HasSuffix(now, growth.end()+"\nAfter.\n") || strings.Contains(now, "of last year") {
			t.Errorf("the page is\n%s", now)
		}
		if last != "" && now != last {
			t.Error("the same results give another page")
		}
		last = now
	}
	err := WritePage(page, &Results{Recoveries: []bench.Recovery{{Kills: []bench.Kill{{}}}}})
	if err == nil || !strings.Contains(err.Error(), "no place for the section recovery") {
		t.Errorf("a section without a place: %v", err)
	}
	if now := read(t, page); now != last {
		t.Error("the page was changed by results that were refused")
	}
}

func TestReadRefusesWhatIsNoResult(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"a.json":  {`{"customers": 3}`, "no measurement of leadline bench"},
		"b.json":  {`{"points": 3}`, "cannot unmarshal"},
		"c.jsonl": {"{\"kind\":\"drain\",\"run\":\"x\"}\n\n{\"kind\":\"drain\"}\n", "line 3 has no kind or no run"},
		"d.jsonl": {"nonsense", "line 1"},
	} {
		file := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(file, []byte(tc.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read([]string{file}); err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestShortNumbers(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 512: "512", 20_000: "20k", 1_500_000: "1.5M", 0.5: "0.5"} {
		if got := short(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{43.26: "43.3", 40_704: "40.7k", 0: "0", 123_456: "123.5k"} {
		if got := rounded(v); got != want {
			t.Errorf("%v is %q, want %q", v, got, want)
		}
	}
}
