package declining

import (
	"math"

	"gonum.org/v1/gonum/mathext"

	"leadline/internal/activity"
)

// Confidence is the level of the rate ratio's interval.
const Confidence = 0.95

// weights says how much of everyone else's activity fell into each window: what share of a customer's purchase days was to be expected
// there. The customer's own days are left out, so that its counts are judged by an index that does not hang on them. Without
// activity of others in both windows the lengths of the windows count.
type weights struct{ recent, baseline float64 }

// Verdict is what the counts of purchase days say. Customers with the same counts have the same verdict.
type Verdict struct {
	Expected float64 // recent purchase days, had the customer gone the way everyone else went
	Ratio    float64 // of the rates, recent over baseline, with everyone's season taken out; below 1 is a fall
	P        float64 // one-sided: so few recent days or fewer, if the rate had not fallen
	Q        float64 // the smallest false discovery rate at which the customer would be on the list

	weights weights
	recent  int32
	base    int32
}

// judge is all of a verdict but Q. base must be above 0.
func judge(recent, base int32, w weights) Verdict {
	return Verdict{
		Expected: float64(base) * w.recent / w.baseline,
		Ratio:    float64(recent) / w.recent * w.baseline / float64(base),
		P:        activity.Decline(int(recent), int(base), w.recent, w.baseline),
		Q:        1, weights: w, recent: recent, base: base,
	}
}

// Interval is the exact two-sided interval of Ratio at Confidence.
//
// Given their sum, the recent days are binomial with share s = θ·w/(1 + θ·w), where θ is the ratio of the rates and w of the weights
// (Przyborowski and Wilenski, as activity.Decline has it). The share's interval is C. J. Clopper and E. S. Pearson's ("The use of
// confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26, 1934, pp. 404-413), with beta quantiles
// for its ends, and θ grows with s, so the ends carry over. It covers at least at its level, in small counts well above.
func (v *Verdict) Interval() (low, high float64) {
	k, rest, miss := float64(v.recent), float64(v.base), (1-Confidence)/2
	odds := func(share float64) float64 { return share / (1 - share) * v.weights.baseline / v.weights.recent }
	if v.recent > 0 {
		low = odds(mathext.InvRegIncBeta(k, rest+1, miss))
	}
	high = math.Inf(1)
	if v.base > 0 {
		high = odds(mathext.InvRegIncBeta(k+1, rest, 1-miss))
	}
	return low, high
}
