package activity

import "gonum.org/v1/gonum/mathext"

// Decline is the one-sided p-value of "the recent rate is not below the earlier one" for a customer with recent
// purchase days in the recent window and before in the window before it. The weights say how much activity was to be
// expected in each window, in any common unit: everyone's activity (Index.Sum), or the windows' lengths.
//
// It is the exact conditional test of two Poisson rates (J. Przyborowski, H. Wilenski, "Homogeneity of results in
// testing samples from Poisson series", Biometrika 31, 1940, pp. 313-323): given their sum n = recent + before, the recent
// count is binomial with share = recentWeight / (recentWeight + beforeWeight), and the p-value is P(X <= recent | n, share).
// That sum of binomial terms is the regularised incomplete beta function I(1-share; n-recent, recent+1).
//
// The result lies in [0, 1]. It is 1, "nothing to see", when nothing was bought before, when either weight is not a positive
// finite number, or when a count is negative.
func Decline(recent, before int, recentWeight, beforeWeight float64) float64 {
	if recent < 0 || before <= 0 || !positive(recentWeight) || !positive(beforeWeight) {
		return 1
	}
	stays := beforeWeight / (recentWeight + beforeWeight)
	return mathext.RegIncBeta(float64(before), float64(recent)+1, stays)
}

func positive(w float64) bool { return w > 0 && w < 1e300 }
