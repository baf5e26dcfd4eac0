package logistic

import (
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// mostSteps bounds the search. Newton's method needs about eight.
const mostSteps = 50

// Least moves the weights to where a convex loss is least, by Newton's method with steps that are halved while they go too far. It ends where no
// step makes the loss less by more than enough. slope gives the loss's gradient and second derivatives at the weights. false: the
// second derivatives are no numbers, or not of a convex loss.
func Least(weights []float64, enough float64, loss func(weights []float64) float64, slope func(gradient []float64, curvature *mat.SymDense)) bool {
	n := len(weights)
	at := loss(weights)
	gradient, curvature, next := make([]float64, n), mat.NewSymDense(n, nil), make([]float64, n)
	for range mostSteps {
		slope(gradient, curvature)
		var step mat.VecDense
		var c mat.Cholesky
		if !c.Factorize(curvature) || c.SolveVecTo(&step, mat.NewVecDense(n, gradient)) != nil {
			return false
		}
		gain := 0.0
		for length := 1.0; length > 1e-6; length /= 2 {
			floats.AddScaledTo(next, weights, -length, step.RawVector().Data)
			if less := loss(next); less < at {
				gain, at = at-less, less
				copy(weights, next)
				break
			}
		}
		if gain <= enough {
			break
		}
	}
	return true
}
