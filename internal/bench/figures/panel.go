package figures

import (
	"bytes"
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// palette is Okabe and Ito's, which the colour-blind can tell apart too.
var palette = []color.Color{
	color.RGBA{0x00, 0x72, 0xB2, 0xff}, color.RGBA{0xE6, 0x9F, 0x00, 0xff}, color.RGBA{0x00, 0x9E, 0x73, 0xff}, color.RGBA{0xD5, 0x5E, 0x00, 0xff},
	color.RGBA{0xCC, 0x79, 0xA7, 0xff}, color.RGBA{0x56, 0xB4, 0xE9, 0xff}, color.RGBA{0x60, 0x60, 0x60, 0xff}, color.RGBA{0xB0, 0xA0, 0x10, 0xff},
}

func colour(i int) color.Color { return palette[i%len(palette)] }

// panel is one plot of a picture, without frills.
func panel(title string) *plot.Plot {
	p := plot.New()
	p.Title.Text = title
	p.Title.Padding = vg.Points(6)
	p.Title.TextStyle.Font.Size = 12
	p.Legend.TextStyle.Font.Size = 10
	p.Legend.Padding = vg.Points(2)
	p.Legend.ThumbnailWidth = vg.Points(16)
	p.Legend.Top = true
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font.Size = 10
		axis.Tick.Label.Font.Size = 9
		axis.Tick.Marker = plot.TickerFunc(ticks)
	}
	for _, style := range []*draw.TextStyle{&p.Title.TextStyle, &p.Legend.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle,
		&p.X.Tick.Label, &p.Y.Tick.Label} {
		style.Font.Variant = "Sans"
	}
	return p
}

// ticks are gonum's with short labels.
func ticks(low, high float64) []plot.Tick {
	all := plot.DefaultTicks{}.Ticks(low, high)
	for i := range all {
		if !all[i].IsMinor() {
			all[i].Label = short(all[i].Value)
		}
	}
	return all
}

// short writes 20000 as 20k.
func short(v float64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= unit.size {
			return strconv.FormatFloat(v/unit.size, 'g', 4, 64) + unit.name
		}
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

func grid(p *plot.Plot, across, down bool) {
	g := plotter.NewGrid()
	if !across {
		g.Horizontal.Color = nil
	}
	if !down {
		g.Vertical.Color = nil
	}
	p.Add(g)
}

// line is a line with its points marked.
type line struct {
	name string
	hue  int
	xys  plotter.XYs
}

// lines draws them from zero up. With several, a legend tells them apart.
func lines(p *plot.Plot, all []line) error {
	grid(p, true, true)
	for _, l := range all {
		drawn, points, err := plotter.NewLinePoints(l.xys)
		if err != nil {
			return fmt.Errorf("line %s: %w", l.name, err)
		}
		drawn.Color, points.Color = colour(l.hue), colour(l.hue)
		drawn.Width, points.Radius, points.Shape = vg.Points(1.5), vg.Points(2.5), draw.CircleGlyph{}
		p.Add(drawn, points)
		if len(all) > 1 {
			p.Legend.Add(l.name, drawn, points)
		}
	}
	if p.Y.Scale == (plot.LinearScale{}) {
		p.Y.Min = 0
		p.Y.Max *= legendRoom
	}
	return nil
}

// legendRoom is by how much an axis is longer than what it shows.
const legendRoom = 1.6

// logX makes the horizontal axis one of decades, with a tick at each place.
func logX(p *plot.Plot, places []float64) {
	places = slices.Compact(slices.Sorted(slices.Values(places)))
	p.X.Scale = plot.LogScale{}
	var marks plot.ConstantTicks
	for _, at := range places {
		marks = append(marks, plot.Tick{Value: at, Label: short(at)})
	}
	p.X.Tick.Marker = marks
	p.X.Min, p.X.Max = places[0]/1.3, places[len(places)-1]*1.3
}

// logY does the same with the vertical axis, at 1, 2 and 5 of each decade.
func logY(p *plot.Plot) {
	p.Y.Scale = plot.LogScale{}
	p.Y.Tick.Marker = plot.TickerFunc(func(low, high float64) (marks []plot.Tick) {
		for decade := math.Pow(10, math.Floor(math.Log10(low))); decade <= high; decade *= 10 {
			for _, n := range []float64{1, 2, 5} {
				if v := n * decade; v >= low && v <= high {
					marks = append(marks, plot.Tick{Value: v, Label: short(v)})
				}
			}
		}
		return marks
	})
}

// part is one colour of stacked bars.
type part struct {
	name   string
	values []float64 // of each bar
}

const barWidth = 14

// upright draws stacked bars side by side, level ones from the top down.
func upright(p *plot.Plot, names []string, parts []part) error { return bars(p, names, parts, false) }

func level(p *plot.Plot, names []string, parts []part) error {
	names = slices.Clone(names)
	slices.Reverse(names)
	turned := make([]part, len(parts))
	for i, at := range parts {
		turned[i] = part{at.name, slices.Clone(at.values)}
		slices.Reverse(turned[i].values)
	}
	return bars(p, names, turned, true)
}

func bars(p *plot.Plot, names []string, parts []part, lying bool) error {
	grid(p, !lying, lying)
	var below *plotter.BarChart
	for i, at := range parts {
		bar, err := plotter.NewBarChart(plotter.Values(at.values), vg.Points(barWidth))
		if err != nil {
			return fmt.Errorf("bars %s: %w", at.name, err)
		}
		bar.Color, bar.LineStyle.Width, bar.Horizontal = colour(i), 0, lying
		if below != nil {
			bar.StackOn(below)
		}
		below = bar
		p.Add(bar)
		if len(parts) > 1 {
			p.Legend.Add(at.name, bar)
		}
	}
	if err := totals(p, parts, lying); err != nil {
		return err
	}
	if lying {
		p.NominalY(names...)
		p.Y.Padding = vg.Points(12) // names are wider where another font stands in
		p.X.Min, p.Y.Min, p.Y.Max = 0, -0.6, float64(len(names))-0.4
		p.X.Max *= 1.2 // room for the totals
		return nil
	}
	p.NominalX(names...)
	p.Y.Min, p.X.Min, p.X.Max = 0, -0.6, float64(len(names))-0.4
	p.Y.Max *= legendRoom
	return nil
}

// totals writes what each bar comes to at its end.
func totals(p *plot.Plot, parts []part, lying bool) error {
	var at plotter.XYLabels
	for i := range parts[0].values {
		sum := 0.0
		for _, part := range parts {
			sum += part.values[i]
		}
		place := plotter.XY{X: float64(i), Y: sum}
		if lying {
			place = plotter.XY{X: sum, Y: float64(i)}
		}
		at.XYs, at.Labels = append(at.XYs, place), append(at.Labels, rounded(sum))
	}
	written, err := plotter.NewLabels(at)
	if err != nil {
		return fmt.Errorf("totals of bars: %w", err)
	}
	for i := range written.TextStyle {
		style := &written.TextStyle[i]
		style.Font.Variant, style.Font.Size = "Sans", 9
		if lying {
			style.YAlign = draw.YCenter
		} else {
			style.XAlign = draw.XCenter
		}
	}
	written.Offset = vg.Point{Y: vg.Points(2)}
	if lying {
		written.Offset = vg.Point{X: vg.Points(3)}
	}
	p.Add(written)
	return nil
}

// rounded writes three digits of it.
func rounded(v float64) string {
	if v >= 1000 {
		v = math.Round(v/100) * 100
	} else {
		v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64) // it was written just now
	}
	return short(v)
}

// picture draws panels in rows into an SVG file, each panel of the size.
func picture(file string, rows [][]*plot.Plot, width, height vg.Length) error {
	columns := len(rows[0])
	canvas := vgsvg.New(width*vg.Length(columns), height*vg.Length(len(rows)))
	tiles := draw.Tiles{Rows: len(rows), Cols: columns, PadX: vg.Points(14), PadY: vg.Points(14), PadTop: vg.Points(6), PadBottom: vg.Points(6),
		PadLeft: vg.Points(6), PadRight: vg.Points(10)}
	for i, row := range plot.Align(rows, tiles, draw.New(canvas)) {
		for j, at := range row {
			if rows[i][j] != nil {
				rows[i][j].Draw(at)
			}
		}
	}
	var drawn bytes.Buffer
	if _, err := canvas.WriteTo(&drawn); err != nil {
		return fmt.Errorf("draw %s: %w", file, err)
	}
	// Where Liberation Sans is not installed, Arial and Helvetica have the same widths.
	text := bytes.ReplaceAll(drawn.Bytes(), []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	if err := os.WriteFile(file, text, 0o644); err != nil {
		return fmt.Errorf("write a picture: %w", err)
	}
	return nil
}
