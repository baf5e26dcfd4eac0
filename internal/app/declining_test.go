package app

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/embedded"
	"leadline/internal/sales"
	"leadline/internal/topics"
	"leadline/internal/web/webtest"
	"leadline/internal/wire"
)

// rawOrders are orders of two hundred days, some of them taken back, by time. Every third customer buys less in the end.
func rawOrders(luck *rand.Rand) (all []*sales.Purchase) {
	const newest = sales.Day(20_500)
	for customer := range 40 {
		for day := newest - 200 + sales.Day(luck.IntN(5)); day <= newest; day += 1 + sales.Day(luck.IntN(9)) {
			if customer%3 == 0 && day > newest-40 && luck.IntN(5) > 0 {
				continue
			}
			n := len(all)
			p := &sales.Purchase{EventID: fmt.Sprint("e", n), OrderID: fmt.Sprint("o", n), CustomerID: fmt.Sprint("c", customer), Currency: "USD",
				OccurredAt: sales.Millis(day)*sales.DayMillis + sales.Millis(luck.IntN(sales.DayMillis))}
			for range 1 + luck.IntN(4) {
				p.Lines = append(p.Lines, sales.Line{ProductID: "p", Category: fmt.Sprint("CATEGORY ", luck.IntN(4)), Quantity: 1, AmountMinor: int64(luck.IntN(5000))})
			}
			all = append(all, p)
			if luck.IntN(12) == 0 {
				back := *p
				back.EventID, back.Kind, back.OccurredAt = p.EventID+"-back", sales.Refund, p.OccurredAt+sales.DayMillis
				all = append(all, &back)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b *sales.Purchase) int { return cmp.Compare(a.OccurredAt, b.OccurredAt) })
	return all
}

// figures are what a list says of a customer in the two windows.
type figures struct {
	Recent, Baseline tallied
	Last             string
	P                string // to six digits
}

type tallied struct {
	Days       int
	Orders     int
	SpentMinor int64
}

// plainly counts the orders once more, from nothing but them: refunds are of the day of their order, and of whole orders here.
func plainly(orders []*sales.Purchase, recent, baseline [2]sales.Day, category string) map[string]figures {
	type place struct {
		customer string
		day      sales.Day
	}
	bought := map[place]map[string][2]int64{} // lines and amount by category
	orderDays := map[string]sales.Day{}
	counts := map[string]*[2]tallied{}
	at := func(day sales.Day) int {
		switch {
		case day >= recent[0] && day <= recent[1]:
			return 0
		case day >= baseline[0] && day <= baseline[1]:
			return 1
		}
		return -1
	}
	for _, o := range orders {
		if counts[o.CustomerID] == nil {
			counts[o.CustomerID] = &[2]tallied{}
		}
		day, sign := sales.Calendar{}.Day(o.OccurredAt), int64(1)
		if o.Kind == sales.Refund {
			day, sign = orderDays[o.OrderID], -1
		} else {
			orderDays[o.OrderID] = day
			if w := at(day); w >= 0 && category == "" {
				counts[o.CustomerID][w].Orders++
			}
		}
		p := place{o.CustomerID, day}
		if bought[p] == nil {
			bought[p] = map[string][2]int64{}
		}
		for _, l := range o.Lines {
			b := bought[p][l.Category]
			bought[p][l.Category] = [2]int64{b[0] + sign, b[1] + sign*l.AmountMinor}
		}
	}
	last := map[string]sales.Day{}
	for p, categories := range bought {
		found, spent := false, int64(0)
		for c, b := range categories {
			if b[0] > 0 && (category == "" || c == category) {
				found, spent = true, spent+b[1]
			}
		}
		if !found {
			continue
		}
		last[p.customer] = max(last[p.customer], p.day)
		if w := at(p.day); w >= 0 {
			counts[p.customer][w].Days++
			counts[p.customer][w].SpentMinor += spent
		}
	}
	everyone := [2]int{}
	for _, c := range counts {
		everyone[0], everyone[1] = everyone[0]+c[0].Days, everyone[1]+c[1].Days
	}
	all := map[string]figures{}
	for customer, c := range counts {
		r, b := c[0].Days, c[1].Days
		others := [2]int{everyone[0] - r, everyone[1] - b}
		if b == 0 || r*others[1] >= b*others[0] {
			continue // its rate did not fall
		}
		all[customer] = figures{c[0], c[1], last[customer].String(), fmt.Sprintf("%.6g", atMost(r, r+b, float64(others[0])/float64(others[0]+others[1])))}
	}
	return all
}

// atMost is the probability of k or fewer of n, summed term by term.
func atMost(k, n int, share float64) (sum float64) {
	for i := range k + 1 {
		a, _ := math.Lgamma(float64(n + 1))
		b, _ := math.Lgamma(float64(i + 1))
		c, _ := math.Lgamma(float64(n - i + 1))
		sum += math.Exp(a - b - c + float64(i)*math.Log(share) + float64(n-i)*math.Log1p(-share))
	}
	return sum
}

// listed asks over HTTP.
func listed(t *testing.T, at, query string) map[string]figures {
	t.Helper()
	reply, body := webtest.Get(t, at+"/v1/declining?limit=1000&"+query)
	if reply.StatusCode != http.StatusOK {
		return nil
	}
	var answer struct {
		Customers []struct {
			CustomerID string `json:"customer_id"`
			Recent     struct {
				Days, Orders int
				SpentMinor   int64 `json:"spent_minor"`
			}
			Baseline struct {
				Days, Orders int
				SpentMinor   int64 `json:"spent_minor"`
			}
			Last string `json:"last_purchase"`
			P    float64
		}
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatal(err)
	}
	all := map[string]figures{}
	for _, c := range answer.Customers {
		all[c.CustomerID] = figures{tallied(c.Recent), tallied(c.Baseline), c.Last, fmt.Sprintf("%.6g", c.P)}
	}
	return all
}

// The list over HTTP, from orders through the engine and Redis, against a count of the same raw orders that knows nothing of Leadline: any
// windows, any category.
func TestTheListIsWhatWasBought(t *testing.T) {
	servers, err := embedded.Start(t.Context(), embedded.Options{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := servers.Stop(); err != nil {
			t.Error(err)
		}
	}()
	c := load(t, at(servers.KafkaAddr, servers.RegistryURL[len("http://"):], servers.RedisAddr)...)
	createTopics(t, c)
	tools, err := Connect(c, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer tools.Close()
	ids, err := topics.IDs(t.Context(), tools.Registry, c.TopicPrefix)
	if err != nil {
		t.Fatal(err)
	}
	encoder := wire.NewEncoder(ids)
	orders := rawOrders(rand.New(rand.NewPCG(11, 12)))
	client, err := kgo.NewClient(append(tools.Options, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for _, o := range orders {
		value, err := encoder.AppendPurchase(nil, o)
		if err != nil {
			t.Fatal(err)
		}
		key := []byte(o.CustomerID)
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "purchases", Partition: wire.Partition(key, 2), Key: key, Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	app, err := New(c, All, zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	defer run(t, app)()
	site := "http://" + app.HTTPAddr()
	windows := func(recent, baseline [2]sales.Day) string {
		return fmt.Sprintf("recent=%s..%s&baseline=%s..%s", recent[0], recent[1], baseline[0], baseline[1])
	}
	usual := [2][2]sales.Day{{20_471, 20_500}, {20_321, 20_470}}
	want := plainly(orders, usual[0], usual[1], "")
	eventually(t, "all orders are counted", func() bool {
		return gocmp.Equal(want, listed(t, site, windows(usual[0], usual[1])))
	})
	if len(want) < 8 {
		t.Fatalf("only %d customers decline: the comparison shows nothing", len(want))
	}
	for _, category := range []string{"", "CATEGORY 1", "CATEGORY 3"} {
		for _, w := range [][2][2]sales.Day{usual, {{20_490, 20_493}, {20_316, 20_489}}, {{20_400, 20_430}, {20_330, 20_360}}, {{20_500, 20_500}, {20_499, 20_499}}, {{20_420, 20_500}, {20_330, 20_419}}} {
			query := windows(w[0], w[1]) + "&category=" + url.QueryEscape(category)
			if diff := gocmp.Diff(plainly(orders, w[0], w[1], category), listed(t, site, query)); diff != "" {
				t.Errorf("%s: -orders +list\n%s", query, diff)
			}
		}
	}
	if reply, body := webtest.Get(t, site+"/v1/declining?recent=1999-01-01..1999-02-01"); reply.StatusCode != http.StatusBadRequest {
		t.Errorf("long ago: %d %s", reply.StatusCode, body)
	}
}
