package web

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/web/webtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve runs a server on a free port until the test ends.
func serve(t *testing.T, o Options) string {
	t.Helper()
	o.Addr, o.Log = "127.0.0.1:0", zap.NewNop()
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return webtest.Serve(t, s)
}

func entry(n int, kind sales.AlertKind) Entry {
	return Entry{Written: time.UnixMilli(int64(n)), Kind: kind, Status: sales.Opened,
		Record: json.RawMessage(fmt.Sprintf(`{"alert_id":"a%d","kind":%q}`, n, kind))}
}

// A process that was killed may still hold its address when the next life starts.
func TestWaitsForTheAddressOfTheLifeBefore(t *testing.T) {
	t.Parallel()
	before, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	waits := 0
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{}), zapcore.AddSync(io.Discard), zap.InfoLevel),
		zap.Hooks(func(zapcore.Entry) error {
			waits++
			return before.Close()
		}))
	next, err := New(Options{Addr: before.Addr().String(), Metrics: prometheus.NewRegistry(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if waits != 1 {
		t.Errorf("told %d times that it waits", waits)
	}
	if err := next.Close(); err != nil {
		t.Error(err)
	}
}

func TestReadinessNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	why := errors.New("shard 2 is rebuilding")
	url := serve(t, Options{Checks: []Check{
		{Name: "kafka", Ready: func() error { return nil }},
		{Name: "engine", Ready: func() error { mu.Lock(); defer mu.Unlock(); return why }},
	}})
	if a, body := webtest.Get(t, url+"/readyz"); a.StatusCode != 503 || !strings.Contains(body, `"why":"shard 2 is rebuilding"`) {
		t.Errorf("%s %s", a.Status, body)
	}
	if a, _ := webtest.Get(t, url+"/healthz"); a.StatusCode != 200 {
		t.Errorf("health: %s", a.Status)
	}
	mu.Lock()
	why = nil
	mu.Unlock()
	if a, body := webtest.Get(t, url+"/readyz"); a.StatusCode != 200 || !strings.Contains(body, `"ready":true`) {
		t.Errorf("%s %s", a.Status, body)
	}
}

func TestWhatIsServedAndWhatIsNot(t *testing.T) {
	t.Parallel()
	metrics := prometheus.NewRegistry()
	whole := serve(t, Options{Metrics: metrics, Pprof: true, Feed: NewFeed(10, metrics)})
	bare := serve(t, Options{})
	for path, c := range map[string]struct {
		whole, bare int
		holds       string
	}{
		"/":                      {200, 404, "No alerts yet"},
		"/page/alerts.js":        {200, 404, "EventSource"},
		"/page/every.js":         {200, 404, "Retry-After"},
		"/page/page.css":         {200, 404, "prefers-color-scheme"},
		"/page/alerts.html":      {404, 404, ""},
		"/metrics":               {200, 200, ""},
		"/debug/pprof/cmdline":   {200, 404, ""},
		"/v1/alerts":             {200, 404, `"alerts":[]`},
		"/v1/alerts?limit=0":     {400, 404, "1 to 1000"},
		"/v1/alerts?kind=sweets": {400, 404, "cross-sell"},
		"/elsewhere":             {404, 404, ""},
	} {
		a, body := webtest.Get(t, whole+path)
		if a.StatusCode != c.whole || !strings.Contains(body, c.holds) {
			t.Errorf("%s: %s %.80s", path, a.Status, body)
		}
		if a.Header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(a.Header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: headers %v", path, a.Header)
		}
		if b, _ := webtest.Get(t, bare+path); b.StatusCode != c.bare {
			t.Errorf("%s without page and profiles: %s", path, b.Status)
		}
	}
	if _, body := webtest.Get(t, whole+"/metrics"); !strings.Contains(body, "leadline_web_streams 0") {
		t.Errorf("metrics: %s", body)
	}
}

func TestOtherSitesCannotWrite(t *testing.T) {
	t.Parallel()
	url := serve(t, Options{})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusForbidden {
		t.Error(answer.Status)
	}
}

func TestListGivesTheNewestFirst(t *testing.T) {
	t.Parallel()
	feed := NewFeed(3, prometheus.NewRegistry())
	url := serve(t, Options{Feed: feed})
	feed.Add(entry(2, sales.CrossSell))
	feed.Add(entry(4, sales.Declining))
	feed.Add(entry(3, sales.CrossSell)) // of another partition: later here, earlier in Kafka
	feed.Add(entry(1, sales.Upsell))    // too old to be kept
	feed.Suppressed(sales.ByHoldout)
	var got struct {
		Alerts []struct {
			AlertID string `json:"alert_id"`
		}
		Counts Counts
	}
	_, body := webtest.Get(t, url+"/v1/alerts")
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got.Alerts) != "[{a4} {a3} {a2}]" || got.Counts.Kinds["upsell"].Opened != 1 || got.Counts.Suppressed["holdout"] != 1 {
		t.Errorf("%+v", got)
	}
	if _, body := webtest.Get(t, url+"/v1/alerts?kind=cross-sell&limit=1"); !strings.Contains(body, `"alerts":[{"alert_id":"a3","kind":"cross-sell"}]`) {
		t.Error(body)
	}
}

// event is one server-sent event.
type event struct{ name, id, data string }

// listen opens the stream; the returned function gives the next event that is not "counts".
func listen(t *testing.T, url, last string) (next func() event) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/alerts/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Last-Event-ID", last)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	lines := bufio.NewScanner(answer.Body)
	return func() event {
		t.Helper()
		for {
			e := parse(lines)
			if e == (event{}) {
				t.Fatal("the stream ended")
			}
			if e.name != "counts" {
				return e
			}
		}
	}
}

func parse(lines *bufio.Scanner) (e event) {
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case name == "event":
			e.name = value
		case name == "id":
			e.id = value
		case name == "data":
			e.data = value
		case e != event{}:
			return e
		}
	}
	return e
}

func TestAStreamGoesOnWhereItsReaderLeftOff(t *testing.T) {
	t.Parallel()
	feed := NewFeed(3, prometheus.NewRegistry())
	url := serve(t, Options{Feed: feed})
	feed.Add(entry(1, sales.CrossSell))
	next := listen(t, url, "")
	for _, want := range []string{"fresh", "alert", "reached"} {
		if e := next(); e.name != want {
			t.Fatalf("got %+v, want %s", e, want)
		}
	}
	feed.Add(entry(2, sales.CrossSell))
	live := next()
	if live.name != "alert" || live.id == "" || !strings.Contains(live.data, `"a2"`) {
		t.Fatalf("%+v", live)
	}
	feed.Add(entry(3, sales.CrossSell))
	again := listen(t, url, live.id)
	if e := again(); e.name != "alert" || !strings.Contains(e.data, `"a3"`) {
		t.Errorf("%+v", e)
	}
	for i := range 4 {
		feed.Add(entry(10+i, sales.CrossSell))
	}
	for _, tooOld := range []string{live.id, "another-1", "nonsense"} {
		if e := listen(t, url, tooOld)(); e.name != "fresh" {
			t.Errorf("after %s: %+v", tooOld, e)
		}
	}
}

// stalled is a connection that takes nothing until it is released.
type stalled struct {
	header   http.Header
	release  chan struct{}
	stuck    chan struct{}
	once     sync.Once
	mu       sync.Mutex
	received bytes.Buffer
}

func (s *stalled) Header() http.Header              { return s.header }
func (s *stalled) WriteHeader(int)                  {}
func (s *stalled) SetWriteDeadline(time.Time) error { return nil }
func (s *stalled) FlushError() error                { return nil }
func (s *stalled) Write(p []byte) (int, error) {
	s.once.Do(func() { close(s.stuck) })
	<-s.release
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received.Write(p)
}

func TestASlowReaderIsDroppedAndToldSo(t *testing.T) {
	t.Parallel()
	feed := NewFeed(1000, prometheus.NewRegistry())
	slow := &stalled{header: http.Header{}, release: make(chan struct{}), stuck: make(chan struct{})}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/alerts/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { feed.stream(slow, request); close(ended) }()
	<-slow.stuck
	for i := range backlog + 1 {
		feed.Add(entry(i, sales.CrossSell)) // must not wait for the reader
	}
	close(slow.release)
	<-ended
	told := slow.received.String()
	if !strings.HasSuffix(told, "\n\n") || strings.LastIndex(told, "event: dropped") < strings.LastIndex(told, "event: alert") {
		t.Errorf("...%s", told[max(0, len(told)-200):])
	}
	if n := strings.Count(told, "event: alert"); n != backlog {
		t.Errorf("%d alerts before it, want %d", n, backlog)
	}
}

// The ring against keeping everything and sorting.
func TestTheNewestAreKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keep := rapid.IntRange(1, 6).Draw(t, "keep")
		feed := NewFeed(keep, prometheus.NewRegistry())
		times := rapid.SliceOf(rapid.IntRange(0, 20)).Draw(t, "times")
		var all []string // newest first; of equal times the one that arrived last
		var at []int
		for i, n := range times {
			e := entry(n, sales.CrossSell)
			e.Record = json.RawMessage(fmt.Sprint(i))
			feed.Add(e)
			place := 0
			for place < len(at) && at[place] > n {
				place++
			}
			at = append(at[:place], append([]int{n}, at[place:]...)...)
			all = append(all[:place], append([]string{fmt.Sprint(i)}, all[place:]...)...)
			all, at = all[:min(keep, len(all))], at[:min(keep, len(at))]
		}
		var got []string
		for _, e := range feed.newest(keep, 0) {
			got = append(got, string(e.Record))
		}
		if strings.Join(got, " ") != strings.Join(all, " ") {
			t.Fatalf("got %v, want %v of %v", got, all, times)
		}
	})
}
