package declining

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// Wherever it is asked first, the order is that of all rows sorted at once, and what is not after a row are those up to it.
func TestTheOrderIsThatOfAllSorted(t *testing.T) {
	t.Parallel()
	compare := func(a, b *ranked) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.row, b.row)) }
	for seed := range uint64(40) {
		luck := rand.New(rand.NewPCG(seed, 1))
		all := make([]ranked, luck.IntN(60_000))
		keys := 1 + luck.IntN(1+len(all)) // few: most are ties
		for i := range all {
			all[i] = ranked{row: int32(i), key: float64(luck.IntN(keys))}
		}
		want := slices.Clone(all)
		slices.SortFunc(want, func(a, b ranked) int { return compare(&a, &b) })
		o := order{compare: compare, all: all}
		for range 30 {
			if len(all) == 0 {
				break
			}
			i := luck.IntN(1 + luck.IntN(len(all)))
			if o.reach(i + 1); !slices.Equal(o.all[:i+1], want[:i+1]) {
				t.Fatalf("seed %d: the first %d of %d are not in order", seed, i+1, len(all))
			}
			j := luck.IntN(len(all))
			if n := o.notAfter(func(r *ranked) bool { return compare(r, &want[j]) <= 0 }); n != j+1 {
				t.Fatalf("seed %d: %d of %d are not after place %d", seed, n, len(all), j)
			}
		}
		if n := o.notAfter(func(*ranked) bool { return false }); n != 0 {
			t.Fatalf("seed %d: %d are not after nothing", seed, n)
		}
	}
}
