package affinity

import (
	"math"

	"leadline/internal/sales"
)

// leastWeight is where a block is left out: after three half-lives. What it would add costs more than it tells.
const leastWeight = 1.0 / 8

// decay says how much a block counts: 1 for the present one, half for one that is a half-life older (G. Cormode, V. Shkapenyuk,
// D. Srivastava and B. Xu, "Forward decay: a practical time decay model for streaming systems", ICDE 2009, with exponential decay, in steps
// of 28 days). Sums are kept as whole numbers by block and weighed when they are read, so that they stay exact and may come in any order.
type decay struct {
	first   int32 // oldest block that counts
	weights []float64
}

func newDecay(today sales.Day, halfLifeDays int) decay {
	now, half := Block(today), float64(halfLifeDays)
	blocks := int32(math.Floor(math.Log2(1/leastWeight) * half / blockDays))
	d := decay{first: now - blocks}
	for b := d.first; b <= now; b++ {
		d.weights = append(d.weights, math.Exp2(-float64(now-b)*blockDays/half))
	}
	return d
}

// of is the block's weight; a block that is still to come counts like the present one.
func (d *decay) of(block int32) float64 {
	if block < d.first {
		return 0
	}
	return d.weights[min(int(block-d.first), len(d.weights)-1)]
}

// blocks is how many blocks count.
func (d *decay) blocks() int { return len(d.weights) }

// index is the block's place from 0 on, −1 for one that is too old.
func (d *decay) index(block int32) int {
	return min(int(max(block-d.first, -1)), len(d.weights)-1)
}
