package declining

import "math/bits"

// Few purchases say little of a customer's rate, and the largest raw rates are mostly luck. So money is reckoned with rates that are drawn
// towards everybody's, the more the less is known: parametric empirical Bayes (C. N. Morris, "Parametric empirical Bayes inference", Journal of
// the American Statistical Association 78, 1983, pp. 47-55).
//
// Purchase days: Poisson with gamma distributed rates, fitted by moments (D. Clayton and J. Kaldor, "Empirical Bayes estimates of
// age-standardized relative risks", Biometrics 43, 1987, pp. 671-681); the posterior mean is linear in the count.
//
// Spend on a day: the credibility mean of H. Bühlmann and E. Straub ("Glaubwürdigkeit für Schadensätze", Bulletin of the Swiss Association of
// Actuaries 70, 1970, pp. 111-133), which is the posterior mean of the gamma-gamma model of spend too (P. S. Fader, B. G. S. Hardie and K. L. Lee,
// "RFM and CLV", Journal of Marketing Research 42, 2005, pp. 415-430) and needs no distribution.

// frequency is everybody's purchase days in the baseline.
type frequency struct{ customers, sum, squares int64 }

func (f *frequency) add(days int32) {
	f.customers++
	f.sum += int64(days)
	f.squares += int64(days) * int64(days)
}

func (f *frequency) merge(o frequency) {
	f.customers, f.sum, f.squares = f.customers+o.customers, f.sum+o.sum, f.squares+o.squares
}

// shrunk is the posterior mean of the purchase days in a window such as the baseline.
func (f *frequency) shrunk(days int32) float64 {
	n := float64(f.customers)
	mean := float64(f.sum) / n
	variance := (float64(f.squares) - n*mean*mean) / max(1, n-1)
	if variance <= mean { // no more spread than chance alone makes: all are alike
		return mean
	}
	return mean + (1-mean/variance)*(float64(days)-mean)
}

// spend is everybody's spend on purchase days of the baseline, in one currency. Its sums are whole numbers: they do not hang on the order
// in which customers come.
type spend struct {
	customers, days, squaredDays uint64
	total                        wide // of amounts
	squares                      wide // of amounts, per day
	means                        wide // of each customer's total², over its days
}

// mostADay bounds what one day tells of everybody: a single absurd amount must not be everybody's usual one.
const mostADay = 1 << 40

// dayOfSpend bounds an amount.
func dayOfSpend(minor int64) uint64 { return min(uint64(minor), mostADay) }

// add counts a customer by the sum of its days' amounts, and of their squares.
func (s *spend) add(days int32, total uint64, squares wide) {
	s.customers++
	s.days += uint64(days)
	s.squaredDays += uint64(days) * uint64(days)
	s.total.add(wide{0, total})
	s.squares.add(squares)
	s.means.add(square(total).over(uint64(days)))
}

func (s *spend) merge(o *spend) {
	s.customers, s.days, s.squaredDays = s.customers+o.customers, s.days+o.days, s.squaredDays+o.squaredDays
	s.total.add(o.total)
	s.squares.add(o.squares)
	s.means.add(o.means)
}

// credibility is what shrinks a customer's mean.
type credibility struct {
	mean float64 // everybody's spend on a purchase day
	days float64 // after so many days of its own a customer's mean counts half
	none bool    // a customer's own mean tells nothing
}

func (s *spend) credibility() credibility {
	if s.days == 0 {
		return credibility{none: true}
	}
	n, days := float64(s.customers), float64(s.days)
	total, means := s.total.float(), s.means.float()
	c := credibility{mean: total / days}
	if s.days == s.customers { // nobody bought twice: how much one customer's days differ is not known
		c.none = true
		return c
	}
	within := max(0, (s.squares.float()-means)/(days-n))
	between := (means - total*c.mean - (n-1)*within) / (days - float64(s.squaredDays)/days)
	if !(between > 0) {
		c.none = true
		return c
	}
	c.days = within / between
	return c
}

// shrunk is the credibility mean of the spend on a day.
func (c credibility) shrunk(days int32, spentMinor int64) float64 {
	if c.none || days == 0 {
		return c.mean
	}
	own := float64(days) / (float64(days) + c.days)
	return c.mean + own*(float64(spentMinor)/float64(days)-c.mean)
}

// wide is an unsigned number of 128 bits.
type wide struct{ high, low uint64 }

func (w *wide) add(o wide) {
	var carry uint64
	w.low, carry = bits.Add64(w.low, o.low, 0)
	w.high, _ = bits.Add64(w.high, o.high, carry)
}

func square(v uint64) wide {
	high, low := bits.Mul64(v, v)
	return wide{high, low}
}

// over divides, and drops the rest.
func (w wide) over(v uint64) wide {
	high := w.high / v
	low, _ := bits.Div64(w.high%v, w.low, v)
	return wide{high, low}
}

func (w wide) float() float64 { return float64(w.high)*(1<<64) + float64(w.low) }
