package slipping

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/optimize"

	"leadline/internal/sales"
)

// Buyer is what MBG/NBD knows of a customer: the days with a purchase after the first one, how many days after the first the last of them
// was (0 without any), and how many days the customer has been seen.
type Buyer struct {
	Repeats  int
	LastDays float64
	SeenDays float64
}

// Buyer is the customer's summary.
func (p *Past) Buyer() Buyer {
	return Buyer{Repeats: p.Days - 1, LastDays: float64(p.Age() - p.Silence()), SeenDays: float64(p.Age())}
}

// BuyerOf summarises what came before the day at, ok false if that was nothing.
func BuyerOf(all []Visit, at sales.Day) (b Buyer, ok bool) {
	n := search(all, at)
	if n == 0 {
		return b, false
	}
	first := all[0].Day
	return Buyer{Repeats: n - 1, LastDays: float64(all[n-1].Day - first), SeenDays: float64(at - first)}, true
}

// Population are the parameters of MBG/NBD: customers buy at Poisson rates drawn from a gamma distribution (shape R, scale 1/Alpha days), and
// after each purchase, the first too, leave with a probability drawn from a beta distribution (A, B). E. P. Batislam, M. Denizel and A.
// Filiztekin, "Empirical validation and comparison of models for customer base analysis", International Journal of Research in
// Marketing 24, 2007; D. Hoppe and U. Wagner, "Customer base analysis: the case for a central variant of the Betageometric/NBD model", Marketing
// ZFP 29, 2007.
type Population struct{ R, Alpha, A, B float64 }

// weighted is a buyer that counts so many times.
type weighted struct {
	Buyer
	times float64
}

// Estimate finds the parameters under which the buyers are likeliest.
func Estimate(buyers []Buyer) (Population, error) {
	all := make([]weighted, len(buyers))
	for i, b := range buyers {
		all[i] = weighted{b, 1}
	}
	return estimate(all)
}

// mostLog keeps the search where the functions are numbers: a parameter of e^±8 is as good as a limit.
const mostLog = 8

func estimate(buyers []weighted) (Population, error) {
	if len(buyers) == 0 {
		return Population{}, errors.New("nobody has bought")
	}
	times := 0.0
	for i := range buyers {
		times += buyers[i].times
	}
	at := func(logs []float64) Population {
		return Population{math.Exp(logs[0]), math.Exp(logs[1]), math.Exp(logs[2]), math.Exp(logs[3])}
	}
	problem := optimize.Problem{Func: func(logs []float64) float64 {
		p, sum := at(logs), 0.0
		for _, l := range logs {
			sum += math.Pow(max(0, math.Abs(l)-mostLog), 2)
		}
		for i := range buyers {
			sum -= buyers[i].times / times * p.logLikelihood(&buyers[i].Buyer)
		}
		return sum
	}}
	settings := &optimize.Settings{Converger: &optimize.FunctionConverge{Absolute: 1e-7, Iterations: 40}, FuncEvaluations: 1500}
	found, err := optimize.Minimize(problem, []float64{0, 3, -1, 0.5}, settings, &optimize.NelderMead{})
	if err != nil && found == nil {
		return Population{}, fmt.Errorf("estimate MBG/NBD: %w", err)
	}
	return at(found.X), nil
}

func (p Population) logLikelihood(b *Buyer) float64 {
	x := float64(b.Repeats)
	l := lgamma(p.R+x) - lgamma(p.R) + p.R*math.Log(p.Alpha) - (p.R+x)*math.Log(p.Alpha+b.SeenDays) +
		lgamma(p.A+p.B) + lgamma(p.B+x+1) - lgamma(p.B) - lgamma(p.A+p.B+x+1)
	return l + math.Log1p(p.goneOdds(b))
}

// goneOdds are the odds that the buyer has left.
func (p Population) goneOdds(b *Buyer) float64 {
	x := float64(b.Repeats)
	return p.A / (p.B + x) * math.Exp((p.R+x)*math.Log((p.Alpha+b.SeenDays)/(p.Alpha+b.LastDays)))
}

// Expected is how many purchase days the buyer is expected to have in the next days.
//
// It is the sum over k of P(a buyer who does not leave buys more than k times), a negative binomial's tail, times P(this one has not left
// after k purchases more): the papers' formula without its hypergeometric function, whose terms cancel, and its division by A-1.
func (p Population) Expected(b Buyer, days float64) (sum float64) {
	x := float64(b.Repeats)
	z := days / (p.Alpha + b.SeenDays + days)
	stays := 1 / (1 + p.goneOdds(&b))
	for k := 0.0; ; k++ {
		term := stays * mathext.RegIncBeta(k+1, p.R+x, z)
		sum += term
		if !(term > 1e-9*sum) {
			return sum
		}
		stays *= (p.B + x + 1 + k) / (p.A + p.B + x + 1 + k)
	}
}

func lgamma(x float64) float64 {
	l, _ := math.Lgamma(x)
	return l
}
