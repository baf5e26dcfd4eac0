package bench

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	rules "leadline/internal/engine"
	"leadline/internal/sales"
)

func TestPlanMeasuresEachCurveFromTheLowestUp(t *testing.T) {
	places := Places{Customers: []int{1_000_000, 10_000, 10_000}, Densities: []int{2}, Partitions: []int{4}, Links: []int{100_000}}
	got, err := Plan([]string{LinksCurve, CustomersCurve}, places)
	want := []Point{
		{Curve: CustomersCurve, Customers: 10_000, Density: usualDensity, Partitions: usualPartitions, Links: usualLinks},
		{Curve: CustomersCurve, Customers: 1_000_000, Density: usualDensity, Partitions: usualPartitions, Links: usualLinks},
		{Curve: LinksCurve, Customers: usualCustomers, Density: usualDensity, Partitions: usualPartitions, Links: 100_000},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v: %s", err, diff)
	}
	for at, p := range map[float64]Point{1e6: got[1], 1e5: got[2]} {
		if p.At() != at {
			t.Errorf("%v is at %v, want %v", p, p.At(), at)
		}
	}
}

func TestPlanRefusesWhatCannotBeMeasured(t *testing.T) {
	for curve, tc := range map[string]struct {
		at   Places
		want string
	}{
		CustomersCurve:  {Places{Customers: []int{10_000_000}}, "the curve customers cannot be measured at 10000000: 1 to 9999999"},
		DensityCurve:    {Places{Densities: []int{0}}, "the curve density cannot be measured at 0: 1 to 180"},
		PartitionsCurve: {Places{}, "the curve partitions has no point"},
		LinksCurve:      {Places{Links: []int{159_601}}, "the curve links cannot be measured at 159601: 1 to 159600"},
	} {
		if _, err := Plan([]string{curve}, tc.at); err == nil || err.Error() != tc.want {
			t.Errorf("%s: %v, want %s", curve, err, tc.want)
		}
	}
}

// Each customer has its whole history, piece by piece the same as at once; the orders after it go on from there, and keep the pace.
func TestFlowGivesEachCustomerItsHistory(t *testing.T) {
	for _, curve := range []string{CustomersCurve, DensityCurve} {
		p := Point{Curve: curve, Customers: 50, Density: 4}
		whole, pieces := flow{orders: orders{seed: 1, customers: 50}, Point: p}, flow{orders: orders{seed: 1, customers: 50}, Point: p}
		var all, cut []*sales.Purchase
		orders, lines := map[string]int{}, map[string]int{}
		for o := range whole.history(0, whole.historyOrders()) {
			all = append(all, o)
			orders[o.CustomerID]++
			lines[o.CustomerID] += len(o.Lines)
		}
		for from := 0; from < pieces.historyOrders(); from += 25 {
			for o := range pieces.history(from, 25) {
				cut = append(cut, o)
			}
		}
		if diff := cmp.Diff(all, cut); diff != "" {
			t.Errorf("%s: cut into pieces (-whole +pieces):\n%s", curve, diff)
		}
		if len(orders) != p.Customers {
			t.Errorf("%s: %d customers have a history", curve, len(orders))
		}
		for who, n := range orders {
			if n != len(all)/p.Customers || lines[who] != p.Density*flowLines {
				t.Errorf("%s: %s has %d orders, %d lines", curve, who, n, lines[who])
			}
		}
		ends := all[len(all)-1].OccurredAt
		var last sales.Millis
		for o := range whole.next(p.Customers*p.Density, false) {
			if o.OccurredAt <= max(ends, last) {
				t.Fatalf("%s: an order at %d after one at %d", curve, o.OccurredAt, max(ends, last))
			}
			last = o.OccurredAt
		}
		if last-ends != windowDays*sales.DayMillis {
			t.Errorf("%s: a window of orders takes %d ms", curve, last-ends)
		}
		began := last
		for o := range whole.next(100, true) {
			last = o.OccurredAt
		}
		if last <= began || last-began > rushMillis {
			t.Errorf("%s: a rush takes %d ms", curve, last-began)
		}
	}
}

// A brief history is over before the first look at any customer falls due.
func TestBriefHistoryHasNoLooks(t *testing.T) {
	if briefDays >= rules.LookEvery {
		t.Errorf("%d days, and a look every %d", briefDays, rules.LookEvery)
	}
}

func TestGrowthLinksAreDistinct(t *testing.T) {
	keys := map[string]bool{}
	for _, l := range (orders{seed: 1}).growthLinks(mostLinks) {
		if l.From == l.To || keys[l.Key()] {
			t.Fatalf("%s to %s, again or to itself", l.From, l.To)
		}
		keys[l.Key()] = true
	}
	if len(keys) != mostLinks {
		t.Errorf("%d links", len(keys))
	}
}

func TestGrowthReportHasEachSpan(t *testing.T) {
	g := Growth{Points: []GrowthPoint{{Point: point(CustomersCurve, 10_000), CustomerBytes: 402, Spans: []Span{
		{Name: Warm, Orders: 100, Drain: Drain{Rate: 31_000, TimersFired: 260, Decided: 67, CPU: Seconds{Engine: 20.1}}},
		{Name: Cold, Orders: 100, Drain: Drain{Rate: 21_000, ColdReads: 100}}}}}}
	var out strings.Builder
	if err := g.Print(&out); err != nil {
		t.Fatal(err)
	}
	said := strings.Join(strings.Fields(out.String()), " ")
	for _, want := range []string{"customers 10000 warm 31000 20.1 0.0 0.0 2.60 0.67 0.00 0 0 402", "customers 10000 cold 21000 0.0 0.0 0.0 0.00 0.00 1.00 0 0 402"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if s, ok := g.Points[0].Span(Cold); !ok || s.Cold() != 1 {
		t.Errorf("cold: %v, %v", s, ok)
	}
}

func TestMachineInWords(t *testing.T) {
	m := Machine{Processors: 2, Model: "Model T", MemoryBytes: 23 << 30, Load: 0.31}
	if got, want := m.String(), "2 processors (Model T), 23 GiB, load 0.3 before it"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if here := ThisMachine(); here.Processors < 1 || here.Load < 0 {
		t.Errorf("this machine is %+v", here)
	}
}
