package affinity

import (
	"math"
	"testing"
)

func TestGSquaredOfDunningsTable(t *testing.T) {
	// "the swiss" of table 1 in Dunning 1993: k = 110, 2442, 111, 29114.
	swiss := table{both: 110, a: 110 + 2442, b: 110 + 111, all: 110 + 2442 + 111 + 29114}
	if got := swiss.gSquared(); math.Abs(got-270.72) > 0.01 {
		t.Errorf("G² = %.2f, Dunning says 270.72", got)
	}
}

func TestWilsonOfKnownShares(t *testing.T) {
	for _, c := range []struct {
		k, n      int64
		low, high float64
	}{{10, 50, 0.112437, 0.330369}, {0, 10, 0, 0.277533}, {10, 10, 0.722467, 1}} {
		got := wilson(c.k, c.n)
		if math.Abs(got.low-c.low) > 1e-5 || math.Abs(got.high-c.high) > 1e-5 {
			t.Errorf("%d of %d: [%f, %f], want [%f, %f]", c.k, c.n, got.low, got.high, c.low, c.high)
		}
	}
}
