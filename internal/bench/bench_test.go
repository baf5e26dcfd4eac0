package bench

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"leadline/internal/sales"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The same seed gives the same orders in whatever order they are asked for, another seed others.
func TestOrdersDependOnTheirPlaceAlone(t *testing.T) {
	const now, n = sales.Millis(1_790_000_000_000), 50
	take := func(o orders, backwards bool) []*sales.Purchase {
		var out []*sales.Purchase
		for i := range n {
			if backwards {
				i = n - 1 - i
			}
			out = append(out, o.past(i, i%pastOrders, now), o.present(uint64(i), now))
		}
		if backwards {
			slices.Reverse(out)
			for i := 0; i+1 < len(out); i += 2 {
				out[i], out[i+1] = out[i+1], out[i]
			}
		}
		return out
	}
	a := take(orders{seed: 1, customers: 1000}, false)
	if diff := cmp.Diff(a, take(orders{seed: 1, customers: 1000}, true)); diff != "" {
		t.Errorf("asked for backwards (-forwards +backwards):\n%s", diff)
	}
	if cmp.Equal(a, take(orders{seed: 2, customers: 1000}, false)) {
		t.Error("another seed gives the same orders")
	}
}

// A customer's past comes in its order, within the days it is said to take, and is as long as a window that people really have.
func TestPastIsInOrder(t *testing.T) {
	const now = sales.Millis(1_790_000_000_000)
	o := orders{seed: 3, customers: 1000}
	for customer := range o.customers {
		last, lines := now-pastDays*sales.DayMillis, 0
		for k := range pastOrders {
			p := o.past(customer, k, now)
			if p.OccurredAt < last || p.OccurredAt >= now {
				t.Fatalf("order %d of customer %d is at %d, the one before at %d, now is %d", k, customer, p.OccurredAt, last, now)
			}
			last = p.OccurredAt
			lines += len(p.Lines)
		}
		if lines < 20 || lines > 40 {
			t.Fatalf("customer %d has %d lines", customer, lines)
		}
	}
}

// What a life that was killed had still under way is not a commit of the next life.
func TestCommitsOfTheNextLife(t *testing.T) {
	kill := time.Unix(1000, 0)
	at := func(made, seen time.Duration) commit { return commit{made: kill.Add(made), seen: kill.Add(seen)} }
	c := &commits{all: []commit{at(-2, -1), at(-1, 5), at(3, 8), at(4, 9)}}
	got, err := c.since(kill)
	if want := c.all[2:]; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

// A shard is back when its longest silence ends; what it still committed before it noticed does not count.
func TestBackAtWork(t *testing.T) {
	began := time.Unix(1000, 0)
	at := func(p int32, seen time.Duration) commit { return commit{partition: p, seen: began.Add(seen)} }
	first, last := backAtWork(began, []commit{at(1, 1), at(2, 2), at(1, 30), at(1, 31), at(2, 50), at(2, 60)})
	if first != 30 || last != 50 {
		t.Errorf("first %d, last %d", first, last)
	}
}

func TestReportHasEachPartThatWasMeasured(t *testing.T) {
	r := Recovery{Customers: 10, Partitions: 4, Rate: 100, Seed: 1,
		Kills: []Kill{{FirstCommit: 3, AllShards: 3, CaughtUp: 5}, {FirstCommit: 1, AllShards: 1, CaughtUp: 2}, {FirstCommit: 2, AllShards: 2, CaughtUp: 3}}}
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	want := `10 customers, 4 shards, 100 new orders a second, seed 1; seconds: best, median, worst
kill -9, same instance at once  first commit  3 rounds  1.00  2.00  3.00
                                all shards    3 rounds  1.00  2.00  3.00
                                caught up     3 rounds  2.00  3.00  5.00
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}
