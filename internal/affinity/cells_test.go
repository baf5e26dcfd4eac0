package affinity_test

import (
	"testing"

	"leadline/internal/affinity"
	"leadline/internal/sales"

	"pgregory.net/rapid"
)

func TestBucketsTellWhatHappened(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := sales.Day(rapid.IntRange(1_000, 40_000).Draw(t, "day"))
		ago := rapid.IntRange(0, 181).Draw(t, "ago")
		bucket := affinity.CameAfter(d, d-sales.Day(ago))
		block, lag, late := bucket>>6, bucket>>1&31, bucket&1
		if block != affinity.Block(d) || lag != int32(ago/7) || late != block-affinity.Block(d-sales.Day(ago))-lag/4 {
			t.Fatalf("%d days ago: block %d, lag %d, late %d", ago, block, lag, late)
		}
		others := map[int32]bool{affinity.Left(d): true, affinity.SameDay(d): true, affinity.NoClock(d): true, affinity.TouchCame(d): true}
		if len(others) != 4 || others[bucket] {
			t.Fatalf("buckets are not told apart: %v, %d", others, bucket)
		}
	})
}

func TestStrata(t *testing.T) {
	for bought, want := range map[int]int32{0: 0, 1: 1, 4: 4, 5: 5, 6: 5, 7: 6, 8: 6, 9: 7, 12: 7, 13: 8, 16: 8, 17: 9, 2_048: 22, 2_049: 23, 1 << 40: 23} {
		if got := affinity.Stratum(bought); got != want {
			t.Errorf("%d bought: stratum %d, want %d", bought, got, want)
		}
	}
	for n := range 3_000 {
		if d := affinity.Stratum(n+1) - affinity.Stratum(n); d < 0 || d > 1 || affinity.Stratum(n) >= affinity.Strata {
			t.Fatalf("%d bought: stratum %d, one more: %d", n, affinity.Stratum(n), affinity.Stratum(n+1))
		}
	}
}
