package figures

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// Chart is a panel with curves over one axis.
type Chart struct {
	Title, X, Y string
	Curves      []Curve
}

// Curve is a line through points, in their order.
type Curve struct {
	Name   string
	Points [][2]float64
}

// Draw draws the charts side by side into an SVG file.
func Draw(file string, charts []Chart) error {
	var panels []*plot.Plot
	for _, c := range charts {
		p := panel(c.Title)
		p.X.Label.Text, p.Y.Label.Text, p.Legend.Left = c.X, c.Y, true
		var drawn []line
		lowest := 0.0
		for i, curve := range c.Curves {
			l := line{name: curve.Name, hue: i}
			for _, at := range curve.Points {
				l.xys = append(l.xys, plotter.XY{X: at[0], Y: at[1]})
				lowest = min(lowest, at[1])
			}
			drawn = append(drawn, l)
		}
		if err := lines(p, drawn); err != nil {
			return err
		}
		p.Y.Min = lowest
		panels = append(panels, p)
	}
	return picture(file, [][]*plot.Plot{panels}, 1.6*panelWidth, 1.8*panelHeight)
}
