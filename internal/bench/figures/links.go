package figures

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"leadline/internal/evaluate"
)

// DrawLinks draws what leadline evaluate links found into an SVG file: a row a cut, with each ranker's nDCG, its figures beside popularity's, and what
// became of the chances that leadline gave.
func DrawLinks(file string, r *evaluate.LinksReport) error {
	var rows [][]*plot.Plot
	for i := range r.Cuts {
		c := &r.Cuts[i]
		ranks, err := rankPanel(c, r.Offers)
		if err != nil {
			return err
		}
		over, err := overPanel(c)
		if err != nil {
			return err
		}
		row := []*plot.Plot{ranks, over}
		if c.Calibration != nil {
			chances, err := chancePanel(c.Calibration)
			if err != nil {
				return err
			}
			row = append(row, chances)
		} else {
			row = append(row, nil)
		}
		rows = append(rows, row)
	}
	return picture(file, rows, panelWidth*1.15, panelHeight*1.1)
}

// dots is a row of estimates with their intervals, one a place.
type dots struct {
	name string
	hue  int
	at   []evaluate.Estimate
}

// points draws estimates beside each other at named places, best on top.
func points(p *plot.Plot, places []string, all []dots) error {
	grid(p, false, true)
	for i, d := range all {
		shift := 0.16 * (float64(len(all)-1)/2 - float64(i))
		if err := marks(p, d, len(places) > 0 && len(all) > 1, func(j int) float64 { return float64(len(d.at)-1-j) + shift }); err != nil {
			return err
		}
	}
	names := make([]string, len(places))
	for i, name := range places {
		names[len(places)-1-i] = name
	}
	p.NominalY(names...)
	p.Y.Padding = vg.Points(14) // names are wider where another font stands in
	p.Y.Min, p.Y.Max = -0.6, float64(len(names))-0.4
	return nil
}

// marks draws a point and its interval at each height.
func marks(p *plot.Plot, d dots, named bool, height func(int) float64) error {
	var at plotter.XYs
	var spread plotter.XErrors
	for j, e := range d.at {
		at = append(at, plotter.XY{X: e.Mean, Y: height(j)})
		spread = append(spread, struct{ Low, High float64 }{e.Mean - e.Low, e.High - e.Mean})
	}
	dot, err := plotter.NewScatter(at)
	if err != nil {
		return fmt.Errorf("points of %s: %w", d.name, err)
	}
	dot.Color, dot.Radius, dot.Shape = colour(d.hue), vg.Points(2.8), draw.CircleGlyph{}
	bars, err := plotter.NewXErrorBars(struct {
		plotter.XYer
		plotter.XErrorer
	}{at, spread})
	if err != nil {
		return fmt.Errorf("intervals of %s: %w", d.name, err)
	}
	bars.Color, bars.Width, bars.CapWidth = colour(d.hue), vg.Points(1.3), vg.Points(4)
	p.Add(bars, dot)
	if named {
		p.Legend.Add(d.name, dot)
	}
	return nil
}

func rankPanel(c *evaluate.CutLinks, offers int) (*plot.Plot, error) {
	p := panel(fmt.Sprintf("nDCG@%d, %s and %d days", offers, c.Day, c.HorizonDays))
	frozen, live := dots{name: "learned before the cut"}, dots{name: "as live", hue: 3}
	var names []string
	for i := range c.Rankers {
		l := &c.Rankers[i]
		names, frozen.at = append(names, l.Name), append(frozen.at, l.NDCG)
		if l.Live != nil {
			live.at = append(live.at, *l.Live)
		}
	}
	all := []dots{frozen}
	if live.at != nil {
		all = append(all, live)
	}
	p.Legend.Top = false // where random is least
	err := points(p, names, all)
	p.X.Min = 0
	return p, err
}

// overPanel is by how much each ranker, and leadline against each peer, is above.
func overPanel(c *evaluate.CutLinks) (*plot.Plot, error) {
	p := panel("difference in nDCG, paired")
	var names []string
	over := dots{name: "difference"}
	for i := range c.Rankers {
		if l := &c.Rankers[i]; l.Name != evaluate.Popularity && l.Name != evaluate.Random {
			names, over.at = append(names, l.Name+" over popularity"), append(over.at, l.OverPopularity)
		}
	}
	for i := range c.Peers {
		names, over.at = append(names, "leadline over peer "+c.Peers[i].Name), append(over.at, c.Peers[i].LeadlineOver)
	}
	err := points(p, names, []dots{over})
	p.X.Min, p.X.Max = min(p.X.Min, 0), max(p.X.Max, 0)
	zero, failed := plotter.NewLine(plotter.XYs{{Y: p.Y.Min}, {Y: p.Y.Max}})
	if failed != nil {
		return nil, fmt.Errorf("the line of no difference: %w", failed)
	}
	zero.Color, zero.Width = colour(6), vg.Points(1)
	p.Add(zero)
	return p, err
}

func chancePanel(c *evaluate.Calibration) (*plot.Plot, error) {
	p := panel(fmt.Sprintf("leadline's chances, ECE %.3f", c.ECE.Mean))
	p.X.Label.Text, p.Y.Label.Text = "said", "taken"
	grid(p, true, true)
	var at plotter.XYs
	var spread plotter.YErrors
	top := 0.0
	for _, b := range c.Bins {
		at = append(at, plotter.XY{X: b.Said, Y: b.Taken.Mean})
		spread = append(spread, struct{ Low, High float64 }{b.Taken.Mean - b.Taken.Low, b.Taken.High - b.Taken.Mean})
		top = max(top, b.Said, b.Taken.High)
	}
	straight, err := plotter.NewLine(plotter.XYs{{}, {X: top, Y: top}})
	if err != nil {
		return nil, fmt.Errorf("the line of what is said: %w", err)
	}
	straight.Color, straight.Width = colour(6), vg.Points(0.8)
	dot, err := plotter.NewScatter(at)
	if err != nil {
		return nil, fmt.Errorf("points of chances: %w", err)
	}
	dot.Color, dot.Radius, dot.Shape = colour(0), vg.Points(2.8), draw.CircleGlyph{}
	bars, err := plotter.NewYErrorBars(struct {
		plotter.XYer
		plotter.YErrorer
	}{at, spread})
	if err != nil {
		return nil, fmt.Errorf("intervals of chances: %w", err)
	}
	bars.Color, bars.Width, bars.CapWidth = colour(0), vg.Points(1.3), vg.Points(4)
	p.Add(straight, bars, dot)
	p.X.Min, p.Y.Min = 0, 0
	return p, nil
}
