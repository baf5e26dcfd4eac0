package affinity

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadline/internal/sales"
)

// Put in order first, histories come to the rows that they come to one by one.
func TestAddAtRestIsAdd(t *testing.T) {
	people, upTo := town(rand.New(rand.NewPCG(31, 32)), 300, 500), testBegin+499
	rows := func(c *Counts) map[string][]sales.Cell {
		rows := map[string][]sales.Cell{}
		if err := c.EachChanged(func(r Row) error { rows[r.Name] = r.Cells; return nil }); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	all := func(add func(sales.TallyKind, []sales.Cell)) {
		for _, h := range people {
			add(sales.TallyPairs, Contribution(h, testWindow, upTo))
		}
	}
	plain, sorted := NewCounts(DefaultMaxCandidates), NewCounts(DefaultMaxCandidates)
	all(plain.Add)
	sorted.AddAtRest(all)
	want := rows(plain)
	if diff := cmp.Diff(want, rows(sorted)); diff != "" || len(want) < 10 {
		t.Errorf("%d rows (-one by one +in order):\n%s", len(want), diff)
	}
}
