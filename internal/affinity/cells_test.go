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
		ago := rapid.IntRange(0, 179).Draw(t, "ago")
		bucket := affinity.CameAfter(d, d-sales.Day(ago))
		block, lag, late := bucket>>6, bucket>>1&31, bucket&1
		if block != affinity.Block(d) || lag != int32(ago/7) || late != block-affinity.Block(d-sales.Day(ago))-lag/4 {
			t.Fatalf("%d days ago: block %d, lag %d, late %d", ago, block, lag, late)
		}
		others := map[int32]bool{affinity.Left(d): true, affinity.SameDay(d): true, affinity.NoClock(d): true}
		if len(others) != 3 || others[bucket] {
			t.Fatalf("buckets are not told apart: %v, %d", others, bucket)
		}
	})
}

func TestStrataDouble(t *testing.T) {
	for days, want := range map[int]int32{0: 0, 1: 1, 2: 2, 3: 3, 4: 3, 5: 4, 8: 4, 9: 5, 128: 8, 129: 9, 180: 9, 1_000: 9} {
		if got := affinity.Stratum(days); got != want {
			t.Errorf("%d purchase days: stratum %d, want %d", days, got, want)
		}
	}
}
