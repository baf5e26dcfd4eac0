package bench

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadline/internal/comparison"
)

// Figures stand beside those of other engines only as long as the orders are the same to the byte. This is the sum of orders that were
// compared with the other engines' input one by one.
func TestYearIsTheComparisons(t *testing.T) {
	sum := sha256.New()
	for p := range (Year{Seed: 1, Orders: 2000, Customers: 100}).orders() {
		fmt.Fprintf(sum, "%+v\n", *p)
	}
	if got, want := fmt.Sprintf("%x", sum.Sum(nil)), "4763c639d76ed52c987ecdf9f2a7151d71675b757eeca2227264aa70a7d04f1e"; got != want {
		t.Errorf("sum of the orders is %s, want %s", got, want)
	}
}

func TestOrderNumberIsInItsEventID(t *testing.T) {
	next := 0
	for p := range (Year{Seed: 5, Orders: 300, Customers: 10}).orders() {
		if n, ok := orderNumber(p.EventID); !ok || n != next {
			t.Fatalf("order %d is said to be %d, %v", next, n, ok)
		}
		next++
	}
	if _, ok := orderNumber("new-17"); ok {
		t.Error("an order of another input has a number")
	}
}

// A latency runs from the time that the order was due, and alerts about orders of the warming up are none of it.
func TestLatencyRunsFromTheDueTime(t *testing.T) {
	var ids []string
	for p := range (Year{Seed: 5, Orders: 4, Customers: 10}).orders() {
		ids = append(ids, p.EventID)
	}
	began := time.Unix(1000, 0)
	due := func(n uint64) time.Time { return began.Add(time.Duration(n) * time.Second) }
	var l Latency
	l.count([]seenAlert{
		{ids[1], began.Add(time.Hour)},
		{ids[2], began.Add(10 * time.Millisecond)},
		{ids[3], began.Add(time.Second + 30*time.Millisecond)},
		{"", began.Add(time.Hour)}, // a timer's
	}, 2, 4, due)
	if l.Alerts != 2 || l.P50 < 9.9 || l.P50 > 10.1 || l.Max < 29.9 || l.Max > 30.1 {
		t.Errorf("got %+v", l)
	}
	if n := len(l.Quantiles); n == 0 || l.Quantiles[n-1] != (Quantile{100, l.Max}) {
		t.Errorf("the curve is %v", l.Quantiles)
	}
}

func TestStagesComeFromTheEnginesMetrics(t *testing.T) {
	read := func(text string) counted {
		c, err := readCounted(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	const format = `# TYPE leadline_stream_stage_seconds histogram
leadline_stream_stage_seconds_bucket{stage="step",le="+Inf"} 4
leadline_stream_stage_seconds_sum{stage="step"} %d
leadline_stream_stage_seconds_count{stage="step"} 4
# TYPE leadline_stream_alerts_total counter
leadline_stream_alerts_total{kind="declining",status="OPENED",suppressed_by=""} 3
leadline_stream_alerts_total{kind="declining",status="OPENED",suppressed_by="cap"} 4
# TYPE leadline_stream_timers_fired_total counter
leadline_stream_timers_fired_total 9
# TYPE leadline_stream_customers_read_total counter
leadline_stream_customers_read_total 11
`
	before, after := read(fmt.Sprintf(format, 2)), read(fmt.Sprintf(format, 5))
	if diff := cmp.Diff(map[string]float64{"step": 3}, after.since(before).stages); diff != "" {
		t.Error(diff)
	}
	if after.said != 3 || after.decided != 7 || after.timers != 9 || after.read != 11 {
		t.Errorf("got %+v", after)
	}
}

func TestSpeedReportHasEachRound(t *testing.T) {
	s := Speed{Year: Year{Orders: 10, Customers: 2, Seed: 1, Sparse: true}, Partitions: 4,
		Latencies: []Latency{{Rate: 5, P50: 3}, {Rate: 5, P50: 1}, {Rate: 5, P50: 2}}}
	var out strings.Builder
	if err := s.Print(&out); err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(out.String(), "\n")
	if want := "10 orders of 2 customers, seed 1, sparse rules, 4 shards; lowest, median, highest"; head != want {
		t.Errorf("got %q, want %q", head, want)
	}
	if !strings.Contains(strings.Join(strings.Fields(rest), " "), "p50 3 rounds 1.0 2.0 3.0") || strings.Contains(rest, "drain") {
		t.Errorf("got\n%s", rest)
	}
}

func TestYearsLinks(t *testing.T) {
	if n, m := len(Year{}.links()), len(Year{Sparse: true}.links()); n != 200 || m != 40 {
		t.Errorf("%d dense, %d sparse", n, m)
	}
}

// The comparison's published sum of its small input: our orders, and what we expect of them, are those that all its engines are held
// against.
func TestExpectedAlertsAreTheComparisons(t *testing.T) {
	y := Year{Seed: 1, Orders: 200_000, Customers: 10_000}
	if got := comparison.Expect(y.Rules(), y.orders()); got.N != 141_992 || got.Sum != 0xd991eff03dfb9cc4 {
		t.Errorf("%d alerts with the sum %016x, want 141992 with d991eff03dfb9cc4", got.N, got.Sum)
	}
}
