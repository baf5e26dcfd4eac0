package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"leadline/internal/book"
	"leadline/internal/declining"
	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/web"
	"leadline/internal/web/webtest"
	"leadline/internal/window"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const today = sales.Day(20_000) // 2024-10-04

// town is customers in memory, as a book has them.
type town struct {
	customers []*declining.Customer
	items     *window.Items
	links     []sales.Link
	alerts    []web.Entry // of the page of live alerts
	reading   atomic.Bool
	counted   atomic.Int64 // how often everybody was asked

	mu       sync.Mutex
	reported []*sales.Outcome
	refuses  error // what reporting gives
}

// Report is what the engine's input would get.
func (x *town) Report(_ context.Context, outcomes []*sales.Outcome) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.refuses == nil {
		x.reported = append(x.reported, outcomes...)
	}
	return x.refuses
}

// taken gives what was reported since the last time.
func (x *town) taken() []*sales.Outcome {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := x.reported
	x.reported = nil
	return all
}

// newTown has customers of whom every third stopped a month ago.
func newTown(t testing.TB, n int) *town {
	x := &town{items: window.NewItems(), links: newLinks()}
	for i := range n {
		w := &window.Window{}
		for day := today - 180 + sales.Day(i%7); day <= today; day += 5 {
			if i%3 == 0 && day > today-30 {
				break
			}
			item, err := x.items.ID(window.Item{Category: fmt.Sprint("CATEGORY ", day%2), Type: "t"})
			if err != nil {
				t.Fatal(err)
			}
			w.Add(day, item, 1, int64(1000+10*i))
			w.AddOrder(window.Order{Day: day, Event: uint64(day)})
		}
		x.customers = append(x.customers, &declining.Customer{ID: fmt.Sprintf("customer-%03d", i), Name: fmt.Sprint("Customer the ", i), OwnerID: fmt.Sprint("rep", i%2), Currency: "EUR",
			Last: uint64(1000 + i), Segments: []declining.Segment{declining.Segment(1 + i%2)}, History: new(declining.Packer).Pack(w, x.items)})
	}
	return x
}

func (x *town) err() error {
	if x.reading.Load() {
		return book.ErrReading
	}
	return nil
}

func (x *town) Newest() (sales.Day, int, error) {
	if len(x.customers) == 0 {
		return 0, 0, x.err()
	}
	return today, len(x.customers), x.err()
}

func (x *town) Categories() (categories, attributes []string, err error) {
	return []string{"CATEGORY 0", "CATEGORY 1"}, []string{"side"}, x.err()
}

func (x *town) Segment(_, value string) (declining.Segment, error) {
	return declining.Segment(1 + slices.Index([]string{"left", "right"}, value)), x.err()
}

func (x *town) Count(q *declining.Question) (*declining.Counted, []book.Commit, error) {
	x.counted.Add(1)
	number, _ := x.items.FindCategory(q.Category)
	part := declining.NewPart(q, number, len(x.customers))
	for _, c := range x.customers {
		part.Add(c)
	}
	return declining.Count(*q, []*declining.Part{part}), []book.Commit{{Shard: 0, CSN: 7, At: 1_728_000_000_000}, {Shard: 1, CSN: 5}}, x.err()
}

// serve answers about the town as the desk does, with a token unless it is empty.
func (x *town) serve(t testing.TB, token string) (url string) {
	t.Helper()
	d := NewDeclining(x, engine.DefaultRules, nil, zap.NewNop())
	metrics := prometheus.NewRegistry()
	feed := web.NewFeed(10, metrics)
	for _, e := range x.alerts {
		feed.Add(e)
	}
	s, err := web.New(web.Options{Addr: "127.0.0.1:0", Metrics: metrics, Feed: feed, Token: token, Log: zap.NewNop(),
		Private: map[string]http.Handler{Path: d.Handler(), HandOverPath: NewHandOver(d, "acme.", x, func() sales.Millis { return handedAt }, zap.NewNop()).Handler(),
			LinksPath: NewLinks(shop{x}, zap.NewNop()).Handler()},
		Pages: Pages()})
	if err != nil {
		t.Fatal(err)
	}
	return webtest.Serve(t, s)
}

const handedAt = sales.Millis(today)*sales.DayMillis + 5

func ask(t *testing.T, url string) Answer { return askFor[Answer](t, url) }

func askFor[T any](t *testing.T, url string) T {
	t.Helper()
	answer, body := webtest.Get(t, url)
	return told[T](t, url, answer.StatusCode, body)
}

// told reads the answer to a question that was well asked.
func told[T any](t *testing.T, url string, status int, body string) (into T) {
	t.Helper()
	if status != http.StatusOK {
		t.Fatalf("%s: %d %s", url, status, body)
	}
	if err := json.Unmarshal([]byte(body), &into); err != nil {
		t.Fatal(err)
	}
	return into
}
