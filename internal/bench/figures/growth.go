package figures

import (
	"fmt"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"leadline/internal/bench"
)

const (
	panelWidth  = 3.4 * vg.Inch
	panelHeight = 2.6 * vg.Inch
)

// axes says what a curve is drawn against.
var axes = map[string]string{
	bench.CustomersCurve:  "customers",
	bench.DensityCurve:    "orders of a customer in 180 days",
	bench.PartitionsCurve: "partitions",
	bench.LinksCurve:      "links",
}

var spanTitles = map[string]string{
	bench.Warm: "customers in memory, if they fit",
	bench.Rush: "in a rush: no weekly looks",
	bench.Cold: "after a restart: nobody in memory",
}

func growthSection(r *Results, dir string) (section, error) {
	var text strings.Builder
	for i := range r.Growths {
		g := &r.Growths[i]
		fmt.Fprintf(&text, "%s, %d orders each time, seed %d:\n\n", taken(g.At, g.On), g.Orders, g.Seed)
		if err := printed(&text, g); err != nil {
			return section{}, err
		}
	}
	for _, curve := range bench.Curves() {
		points := pointsOf(r.Growths, curve)
		if len(points) == 0 {
			continue
		}
		file := "growth-" + curve + ".svg"
		if err := drawGrowth(dir+"/"+file, curve, points); err != nil {
			return section{}, err
		}
		fmt.Fprintf(&text, "![What an order costs against %s](%s)\n\n", axes[curve], file)
	}
	return section{"growth", text.String()}, nil
}

// pointsOf are a curve's points in all files, from the lowest up.
func pointsOf(all []bench.Growth, curve string) []bench.GrowthPoint {
	var points []bench.GrowthPoint
	for _, g := range all {
		for _, p := range g.Points {
			if p.Curve == curve {
				points = append(points, p)
			}
		}
	}
	slices.SortStableFunc(points, func(a, b bench.GrowthPoint) int { return int(a.At() - b.At()) })
	return points
}

func drawGrowth(file, curve string, points []bench.GrowthPoint) error {
	panels, err := costPanels(curve, points)
	if err != nil {
		return err
	}
	for _, of := range []struct {
		title, unit string
		value       func(*bench.GrowthPoint, *bench.Span) float64
	}{
		{"throughput", "orders a second", func(_ *bench.GrowthPoint, s *bench.Span) float64 { return s.Rate }},
		{"engine's memory at most", "MiB", func(_ *bench.GrowthPoint, s *bench.Span) float64 { return float64(s.PeakBytes) / (1 << 20) }},
		{"Redis", "bytes a customer", func(p *bench.GrowthPoint, _ *bench.Span) float64 { return p.CustomerBytes }},
	} {
		p := panel(of.title)
		p.X.Label.Text, p.Y.Label.Text = axes[curve], of.unit
		var places []float64
		var all []line
		for i, name := range spansOf(points) {
			if name == bench.Rush && of.title != "throughput" {
				continue // the same engine as Warm's
			}
			l := line{name: name, hue: i}
			for i := range points {
				if s, ok := points[i].Span(name); ok {
					l.xys = append(l.xys, plotter.XY{X: points[i].At(), Y: of.value(&points[i], &s)})
					places = append(places, points[i].At())
				}
			}
			all = append(all, l)
		}
		if of.title == "Redis" {
			all = all[:1] // the same for all spans: it was taken before them
		}
		if err := lines(p, all); err != nil {
			return err
		}
		logX(p, places)
		panels = append(panels, p)
	}
	columns := 2
	if len(panels) > 4 {
		columns = 3
	}
	return picture(file, inRows(panels, columns), panelWidth, panelHeight)
}

// costPanels are bars of CPU time, a panel for each span, all to the same scale.
func costPanels(curve string, points []bench.GrowthPoint) ([]*plot.Plot, error) {
	var panels []*plot.Plot
	highest := 0.0
	for _, name := range spansOf(points) {
		p := panel(spanTitles[name])
		p.X.Label.Text, p.Y.Label.Text = axes[curve], "CPU, µs an order"
		var names []string
		parts := []part{{name: "engine"}, {name: "Redis"}, {name: "Kafka"}}
		for i := range points {
			if s, ok := points[i].Span(name); ok {
				names = append(names, short(points[i].At()))
				for j, v := range []float64{s.CPU.Engine, s.CPU.Redis, s.CPU.Kafka} {
					parts[j].values = append(parts[j].values, v)
				}
			}
		}
		if err := upright(p, names, parts); err != nil {
			return nil, err
		}
		highest = max(highest, p.Y.Max)
		panels = append(panels, p)
	}
	for i, p := range panels {
		p.Y.Max = highest
		if i > 0 {
			p.Legend = plot.NewLegend() // the first panel's serves all
		}
	}
	return panels, nil
}

func spansOf(points []bench.GrowthPoint) []string {
	var names []string
	for _, p := range points {
		for _, s := range p.Spans {
			if !slices.Contains(names, s.Name) {
				names = append(names, s.Name)
			}
		}
	}
	return names
}

// inRows fills the last row up with nothing.
func inRows(panels []*plot.Plot, columns int) [][]*plot.Plot {
	for len(panels)%columns != 0 {
		panels = append(panels, nil)
	}
	return slices.Collect(slices.Chunk(panels, columns))
}
